//! The opt-out ledger, per org and identity, across accounts.

use parlance_model::Result;
use parlance_model::contact::Identity;
use parlance_model::event::Event;
use parlance_model::id::ContactId;
use parlance_model::opt_out::{OptOut, OptSource};

use crate::OrgTx;
use crate::db::{Row, params};
use crate::total::{COUNT_LIMIT, Total};

macro_rules! select {
    ($rest:expr) => {
        concat!(
            "SELECT o.kind, o.value, o.opted_out, o.source, o.at_ms, i.contact_id, o.id FROM opt_out o
             LEFT JOIN identity i ON i.org_id = o.org_id AND i.kind = o.kind AND i.value = o.value WHERE o.org_id = $1 ",
            $rest
        )
    };
}

const PAGE: &str = select!("AND (o.at_ms, o.id) < ($2, $3) ORDER BY o.at_ms DESC, o.id DESC LIMIT $4 OFFSET $5");
const COUNT: &str = "SELECT COUNT(*) FROM (SELECT 1 AS one FROM opt_out o WHERE o.org_id = $1 LIMIT $2) AS found";

/// Where a page starts: behind this entry of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct After {
    /// When it was written, unix ms.
    pub at_ms: i64,
    /// Its id in the ledger.
    pub id: i64,
}

/// An entry with its place in the list.
#[derive(Debug, Clone)]
pub struct Entry {
    /// What it says.
    pub entry: OptOut,
    /// Where it is.
    pub place: After,
}

fn read(row: &Row<'_>) -> Result<Entry> {
    let at_ms = row.get(4)?;
    let entry = OptOut {
        identity: Identity { kind: row.word(0)?, value: row.get(1)? },
        opted_out: row.get(2)?,
        written: Some((row.word(3)?, at_ms)),
        contact_id: row.get(5)?,
    };
    Ok(Entry { entry, place: After { at_ms, id: row.get(6)? } })
}

/// Whether sending to this identity is refused.
///
/// # Errors
/// Those of the database.
pub fn is_opted_out(tx: &mut OrgTx<'_, '_>, identity: &Identity) -> Result<bool> {
    const GET: &str = "SELECT opted_out FROM opt_out WHERE org_id = $1 AND kind = $2 AND value = $3";
    Ok(tx.query_opt(GET, params![identity.kind.as_str(), &identity.value], |row| row.get(0))?.unwrap_or(false))
}

/// What the ledger says of this identity, be it that nobody ever wrote anything.
///
/// # Errors
/// Those of the database.
pub fn get(tx: &mut OrgTx<'_, '_>, identity: &Identity) -> Result<OptOut> {
    const GET: &str = select!("AND o.kind = $2 AND o.value = $3");
    match tx.query_opt(GET, params![identity.kind.as_str(), &identity.value], read)? {
        Some(found) => Ok(found.entry),
        None => {
            let contact_id: Option<ContactId> = crate::contact::by_identity(tx, identity)?;
            Ok(OptOut { identity: identity.clone(), opted_out: false, written: None, contact_id })
        }
    }
}

/// A page of the ledger, latest first: up to `limit` entries behind `after`, or from `offset` on.
///
/// # Errors
/// Those of the database.
pub fn list(tx: &mut OrgTx<'_, '_>, after: Option<After>, limit: i64, offset: i64) -> Result<Vec<Entry>> {
    let after = after.unwrap_or(After { at_ms: i64::MAX, id: i64::MAX });
    tx.query(PAGE, params![after.at_ms, after.id, limit, offset], read)
}

/// How many entries there are, counted up to ten thousand.
///
/// # Errors
/// Those of the database.
pub fn total(tx: &mut OrgTx<'_, '_>) -> Result<Total> {
    tx.query_one(COUNT, params![COUNT_LIMIT + 1], |row| row.get(0)).map(Total::counted)
}

/// Writes the ledger, and the event, where that says something new. Answers the entry's id then.
///
/// # Errors
/// Those of the database.
pub fn set(tx: &mut OrgTx<'_, '_>, identity: &Identity, opted_out: bool, source: OptSource) -> Result<Option<i64>> {
    const SET: &str = "INSERT INTO opt_out (org_id, kind, value, opted_out, source, at_ms) VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (org_id, kind, value) DO UPDATE SET opted_out = excluded.opted_out, source = excluded.source, at_ms = excluded.at_ms
        RETURNING id";
    if is_opted_out(tx, identity)? == opted_out {
        return Ok(None);
    }
    let now_ms = tx.now_ms();
    let id = tx.query_one(SET, params![identity.kind.as_str(), &identity.value, opted_out, source.as_str(), now_ms], |row| row.get(0))?;
    tx.emit(Event::OptOutChanged { identity: identity.value.clone(), opted_out });
    Ok(Some(id))
}

/// The texts of the list with the index that each should walk.
#[cfg(test)]
pub(crate) fn plans() -> [(&'static str, &'static str); 2] {
    [(PAGE, "opt_out_list"), (COUNT, "opt_out_")]
}
