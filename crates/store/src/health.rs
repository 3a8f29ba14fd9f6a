//! The health of accounts: when each last carried a message, what is wrong with it, and how many hooks were refused that
//! claimed to be for it.
//!
//! Times and refusals are gathered in memory by the application and come here about once a minute ([`merge`]); only a change
//! between failing and working is written at once.

use std::collections::HashMap;

use parlance_model::Result;
use parlance_model::account::{Health, Seen};
use parlance_model::delivery::DeliveryError;
use parlance_model::event::Event;
use parlance_model::id::AccountId;

use crate::db::{Row, params};
use crate::{OrgTx, job};

macro_rules! columns {
    () => {
        "account_id, failing, last_in_ms, last_out_ms, error_code, error_message, error_ms, refused_hooks, last_refused_ms"
    };
}

fn read(row: &Row<'_>) -> Result<(AccountId, Health)> {
    let error = match row.get::<Option<String>>(4)? {
        Some(code) => Some((DeliveryError { code, message: row.get(5)? }, row.get(6)?)),
        None => None,
    };
    let seen = Seen { last_in_ms: row.get(2)?, last_out_ms: row.get(3)?, refused_hooks: row.get(7)?, last_refused_ms: row.get(8)? };
    Ok((row.get(0)?, Health { failing: row.get(1)?, last_error: error, seen, backfill: None }))
}

/// What is known of each of the org's accounts, but for its backfill. One that nothing is known of is absent.
///
/// # Errors
/// Those of the database.
pub fn all(tx: &mut OrgTx<'_, '_>) -> Result<HashMap<AccountId, Health>> {
    const ALL: &str = concat!("SELECT ", columns!(), " FROM account_health WHERE org_id = $1");
    Ok(tx.query(ALL, &[], read)?.into_iter().collect())
}

/// What is known of one account, but for its backfill.
///
/// # Errors
/// Those of the database.
pub fn get(tx: &mut OrgTx<'_, '_>, account: AccountId) -> Result<Health> {
    const GET: &str = concat!("SELECT ", columns!(), " FROM account_health WHERE org_id = $1 AND account_id = $2");
    Ok(tx.query_opt(GET, params![account], read)?.map(|(_, health)| health).unwrap_or_default())
}

/// Adds what was seen since the last time: the later time of each kind stays, refusals add up. Of an account that is not
/// there nothing is kept.
///
/// # Errors
/// Those of the database.
pub fn merge(tx: &mut OrgTx<'_, '_>, account: AccountId, seen: &Seen) -> Result<()> {
    const MERGE: &str = "INSERT INTO account_health (org_id, account_id, failing, last_in_ms, last_out_ms, refused_hooks, last_refused_ms)
        SELECT org_id, id, CAST($3 AS BOOLEAN), CAST($4 AS BIGINT), CAST($5 AS BIGINT), CAST($6 AS BIGINT), CAST($7 AS BIGINT) FROM account WHERE org_id = $1 AND id = $2
        ON CONFLICT (org_id, account_id) DO UPDATE SET last_in_ms = $8, last_out_ms = $9, refused_hooks = $10, last_refused_ms = $11";
    let sum = get(tx, account)?.seen.and(seen);
    let new = params![account, false, seen.last_in_ms, seen.last_out_ms, seen.refused_hooks, seen.last_refused_ms];
    let both = params![sum.last_in_ms, sum.last_out_ms, sum.refused_hooks, sum.last_refused_ms];
    tx.execute(MERGE, &[new, both].concat()).map(drop)
}

/// The provider refused the account itself: it cannot send until somebody puts that right. Tells it where it is new.
///
/// # Errors
/// Those of the database.
pub fn fails(tx: &mut OrgTx<'_, '_>, account: AccountId, error: &DeliveryError) -> Result<()> {
    const FAILS: &str = "INSERT INTO account_health (org_id, account_id, failing, error_code, error_message, error_ms, refused_hooks)
        VALUES ($1, $2, $3, $4, $5, $6, 0)
        ON CONFLICT (org_id, account_id) DO UPDATE SET failing = $3, error_code = $4, error_message = $5, error_ms = $6";
    let new = !get(tx, account)?.failing;
    let now_ms = tx.now_ms();
    tx.execute(FAILS, params![account, true, &error.code, &error.message, now_ms])?;
    if new {
        tx.emit(Event::AccountHealth { account_id: account, failing: true });
    }
    Ok(())
}

/// Some messages of the account do not arrive because of how it is set up. Others do, so it is not failing; what to do is kept.
///
/// # Errors
/// Those of the database.
pub fn warns(tx: &mut OrgTx<'_, '_>, account: AccountId, error: &DeliveryError) -> Result<()> {
    const WARNS: &str = "INSERT INTO account_health (org_id, account_id, failing, error_code, error_message, error_ms, refused_hooks)
        VALUES ($1, $2, $3, $4, $5, $6, 0)
        ON CONFLICT (org_id, account_id) DO UPDATE SET error_code = $4, error_message = $5, error_ms = $6";
    let now_ms = tx.now_ms();
    tx.execute(WARNS, params![account, false, &error.code, &error.message, now_ms]).map(drop)
}

/// The account works, or was given other credentials: the files that it was in the way of are due. Writes nothing where it was not
/// failing; its last error stays to be seen.
///
/// # Errors
/// Those of the database.
pub fn works(tx: &mut OrgTx<'_, '_>, account: AccountId) -> Result<()> {
    const WORKS: &str = "UPDATE account_health SET failing = $3 WHERE org_id = $1 AND account_id = $2 AND failing";
    if tx.execute(WORKS, params![account, false])? > 0 {
        tx.emit(Event::AccountHealth { account_id: account, failing: false });
        job::recall_files(tx, account)?;
    }
    Ok(())
}
