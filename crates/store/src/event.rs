//! The event log: `seq` is gapless per org, drawn after all other rows of the transaction.

use parlance_model::event::Event;
use parlance_model::{Error, Result};

use crate::OrgTx;
use crate::db::{params, row};

/// An entry as it was written.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its place in the org's log, from 1.
    pub seq: i64,
    /// What happened.
    pub event: Event,
    /// When, unix ms.
    pub at_ms: i64,
}

pub(crate) fn append(tx: &mut OrgTx<'_, '_>, events: &[Event]) -> Result<()> {
    const DRAW: &str = "UPDATE org SET seq = seq + $2, version = CASE WHEN version >= $3 THEN version + 1 ELSE $3 END
        WHERE id = $1 RETURNING seq";
    const INSERT: &str = "INSERT INTO event (org_id, seq, kind, data, at_ms) VALUES ($1, $2, $3, $4, $5)";
    let count = i64::try_from(events.len()).map_err(Error::internal)?;
    let now_ms = tx.now_ms();
    let last = tx.query_opt(DRAW, params![count, now_ms], |row| row.get::<i64>(0))?.ok_or_else(|| Error::not_found("organisation"))?;
    let values = |(seq, event): (i64, &Event)| {
        Ok(row![seq, event.kind().to_owned(), serde_json::to_string(event).map_err(Error::internal)?, now_ms])
    };
    let rows = (last - count + 1..).zip(events).map(values).collect::<Result<Vec<_>>>()?;
    tx.execute_each(INSERT, &rows).map(drop)
}

/// The entries after `seq`, oldest first.
///
/// # Errors
/// Those of the database.
pub fn after(tx: &mut OrgTx<'_, '_>, seq: i64, limit: i64) -> Result<Vec<Entry>> {
    const AFTER: &str = "SELECT seq, data, at_ms FROM event WHERE org_id = $1 AND seq > $2 ORDER BY seq LIMIT $3";
    tx.query(AFTER, params![seq, limit], |row| Ok(Entry { seq: row.get(0)?, event: row.json(1)?, at_ms: row.get(2)? }))
}

/// The last entry that is no longer kept; 0 while all are. A reader who is behind it has missed some.
///
/// # Errors
/// Those of the database.
pub fn swept_through(tx: &mut OrgTx<'_, '_>) -> Result<i64> {
    const FIRST: &str = "SELECT COALESCE((SELECT MIN(e.seq) FROM event e WHERE e.org_id = o.id), o.seq + 1) - 1 FROM org o WHERE o.id = $1";
    tx.query_opt(FIRST, &[], |row| row.get(0))?.ok_or_else(|| Error::not_found("organisation"))
}

/// Deletes the entries that are older than `before_ms`, at most a thousand and from the log's start, so that it stays
/// gapless. The last entry stays. Answers how many went.
///
/// # Errors
/// Those of the database.
pub fn sweep(tx: &mut OrgTx<'_, '_>, before_ms: i64) -> Result<u64> {
    const THROUGH: &str = "SELECT COALESCE(MAX(seq), 0) FROM
        (SELECT seq, at_ms FROM event WHERE org_id = $1 ORDER BY seq LIMIT 1000) oldest
        WHERE at_ms < $2 AND seq < (SELECT seq FROM org WHERE id = $1)";
    const DELETE: &str = "DELETE FROM event WHERE org_id = $1 AND seq <= $2";
    match tx.query_one(THROUGH, params![before_ms], |row| row.get::<i64>(0))? {
        0 => Ok(0),
        through => tx.execute(DELETE, params![through]),
    }
}
