//! The opt-out ledger, per org and identity, across accounts.

use parlance_model::Result;
use parlance_model::contact::Identity;
use parlance_model::event::Event;
use parlance_model::opt_out::OptSource;

use crate::OrgTx;
use crate::db::params;

/// Whether sending to this identity is refused.
///
/// # Errors
/// Those of the database.
pub fn is_opted_out(tx: &mut OrgTx<'_, '_>, identity: &Identity) -> Result<bool> {
    const GET: &str = "SELECT opted_out FROM opt_out WHERE org_id = $1 AND kind = $2 AND value = $3";
    Ok(tx.query_opt(GET, params![identity.kind.as_str(), &identity.value], |row| row.get(0))?.unwrap_or(false))
}

/// Writes the ledger, and the event where something changed.
///
/// # Errors
/// Those of the database.
pub fn set(tx: &mut OrgTx<'_, '_>, identity: &Identity, opted_out: bool, source: OptSource) -> Result<()> {
    const SET: &str = "INSERT INTO opt_out (org_id, kind, value, opted_out, source, at_ms) VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (org_id, kind, value) DO UPDATE SET opted_out = excluded.opted_out, source = excluded.source, at_ms = excluded.at_ms";
    if is_opted_out(tx, identity)? == opted_out {
        return Ok(());
    }
    let now_ms = tx.now_ms();
    tx.execute(SET, params![identity.kind.as_str(), &identity.value, opted_out, source.as_str(), now_ms])?;
    tx.emit(Event::OptOutChanged { identity: identity.value.clone(), opted_out });
    Ok(())
}
