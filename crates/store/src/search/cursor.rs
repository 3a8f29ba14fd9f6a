//! Where the index stands in an org's log, and how far the making of it has come.

use parlance_model::Result;
use parlance_model::id::OrgId;
use parlance_model::search::VERSION;

use crate::db::{Row, params};
use crate::{OrgTx, SystemTx};

/// What is being done to an org's index. Numbers are kept in rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// Rows of an index that did not fit are taken away.
    Clearing = 0,
    /// Contacts are read in.
    Contacts = 1,
    /// Visitors of conversations are read in.
    Visitors = 2,
    /// Messages are read in. People are complete.
    Messages = 3,
    /// Everything is there.
    Complete = 4,
}

impl Stage {
    const fn of(number: i64) -> Self {
        match number {
            0 => Self::Clearing,
            1 => Self::Contacts,
            2 => Self::Visitors,
            3 => Self::Messages,
            _ => Self::Complete,
        }
    }
}

/// An org's cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) version: i64,
    /// The last event that is in the index; 0 before the first.
    pub(crate) seq: i64,
    /// What that event was: a log that has another one there is not the one that was read.
    pub(crate) anchor: String,
    pub(crate) stage: Stage,
    /// The last row that the stage has read.
    pub(crate) place: [i64; 3],
}

fn read(row: &Row<'_>) -> Result<Cursor> {
    Ok(Cursor {
        version: row.get(0)?,
        seq: row.get(1)?,
        anchor: row.get(2)?,
        stage: Stage::of(row.get(3)?),
        place: [row.get(4)?, row.get(5)?, row.get(6)?],
    })
}

impl Cursor {
    /// Takes the org's cursor, and its lock until COMMIT, so that of several nodes one indexes at a time. An org without
    /// one gets one of version 0, which no index has.
    pub(crate) fn take(tx: &mut OrgTx<'_, '_>) -> Result<Self> {
        const TAKE: &str = "INSERT INTO search_cursor (org_id, version, seq, anchor, stage, place_a, place_b, place_c)
            VALUES ($1, 0, 0, '', 0, 0, 0, 0) ON CONFLICT (org_id) DO UPDATE SET seq = search_cursor.seq
            RETURNING version, seq, anchor, stage, place_a, place_b, place_c";
        tx.query_one(TAKE, &[], read)
    }

    pub(crate) fn save(&self, tx: &mut OrgTx<'_, '_>) -> Result<()> {
        const SAVE: &str = "UPDATE search_cursor SET version = $2, seq = $3, anchor = $4, stage = $5,
            place_a = $6, place_b = $7, place_c = $8 WHERE org_id = $1";
        let [a, b, c] = self.place;
        tx.execute(SAVE, params![self.version, self.seq, &self.anchor, self.stage as i64, a, b, c]).map(drop)
    }

    /// A cursor at the end of the log as it now is, with everything before it still to be read in.
    pub(crate) fn anew(tx: &mut OrgTx<'_, '_>) -> Result<Self> {
        const NOW: &str = "SELECT o.seq, e.at_ms, e.data
            FROM org o LEFT JOIN event e ON e.org_id = o.id AND e.seq = o.seq WHERE o.id = $1";
        tx.query_one(NOW, &[], |row| {
            let anchor = match (row.get::<Option<i64>>(1)?, row.get::<Option<String>>(2)?) {
                (Some(at_ms), Some(data)) => anchor(at_ms, &data),
                _ => String::new(),
            };
            Ok(Self { version: VERSION, seq: row.get(0)?, anchor, stage: Stage::Clearing, place: [0; 3] })
        })
    }
}

/// What is kept of an event to know it again.
pub(crate) fn anchor(at_ms: i64, data: &str) -> String {
    format!("{at_ms} {data}")
}

/// How far the org's index is; [`Stage::Clearing`] while there is none.
pub(crate) fn stage(tx: &mut OrgTx<'_, '_>) -> Result<Stage> {
    const STAGE: &str = "SELECT stage FROM search_cursor WHERE org_id = $1 AND version = $2";
    Ok(tx.query_opt(STAGE, params![VERSION], |row| row.get(0))?.map_or(Stage::Clearing, Stage::of))
}

/// Whether the org's index is made and has every event up to now.
pub(crate) fn is_level(tx: &mut OrgTx<'_, '_>) -> Result<bool> {
    const LEVEL: &str = "SELECT COUNT(*) FROM search_cursor c JOIN org o ON o.id = c.org_id
        WHERE c.org_id = $1 AND c.version = $2 AND c.stage = $3 AND c.seq = o.seq";
    tx.query_one(LEVEL, params![VERSION, Stage::Complete as i64], |row| Ok(row.get::<i64>(0)? == 1))
}

/// The orgs whose index has not everything yet.
///
/// # Errors
/// Those of the database.
pub fn behind(tx: &mut SystemTx<'_, '_>) -> Result<Vec<OrgId>> {
    const BEHIND: &str = "SELECT o.id FROM org o LEFT JOIN search_cursor c ON c.org_id = o.id
        WHERE c.org_id IS NULL OR c.version <> $1 OR c.seq <> o.seq OR c.stage < $2 ORDER BY o.id";
    tx.tx.query(BEHIND, params![VERSION, Stage::Complete as i64], |row| row.get(0))
}

/// How many events of all orgs the index has still to read. For metrics.
///
/// # Errors
/// Those of the database.
pub fn lag(tx: &mut SystemTx<'_, '_>) -> Result<i64> {
    const LAG: &str = "SELECT CAST(COALESCE(SUM(o.seq - COALESCE(c.seq, 0)), 0) AS BIGINT)
        FROM org o LEFT JOIN search_cursor c ON c.org_id = o.id WHERE o.seq > COALESCE(c.seq, 0)";
    tx.tx.query_one(LAG, &[], |row| row.get(0))
}
