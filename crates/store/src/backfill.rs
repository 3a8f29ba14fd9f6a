//! How far back an account's lists at its provider were compared with what came by hooks.

use std::collections::HashMap;

use parlance_model::Result;
use parlance_model::account::Backfill;
use parlance_model::delivery::DeliveryError;
use parlance_model::id::{AccountId, OrgId};

use crate::db::{Row, params};
use crate::{OrgTx, SystemTx};

macro_rules! columns {
    () => {
        "account_id, through_ms, looked_ms, found, error_code, error_message"
    };
}

fn read(row: &Row<'_>) -> Result<(AccountId, Backfill)> {
    let error = match row.get::<Option<String>>(4)? {
        Some(code) => Some(DeliveryError { code, message: row.get(5)? }),
        None => None,
    };
    Ok((row.get(0)?, Backfill { through_ms: row.get(1)?, looked_ms: row.get(2)?, found: row.get(3)?, error }))
}

/// The state of each of the org's accounts. One that was never tried is absent.
///
/// # Errors
/// Those of the database.
pub fn all(tx: &mut OrgTx<'_, '_>) -> Result<HashMap<AccountId, Backfill>> {
    const ALL: &str = concat!("SELECT ", columns!(), " FROM account_sync WHERE org_id = $1");
    Ok(tx.query(ALL, &[], read)?.into_iter().collect())
}

/// The state; `None` before the first try.
///
/// # Errors
/// Those of the database.
pub fn get(tx: &mut OrgTx<'_, '_>, account: AccountId) -> Result<Option<Backfill>> {
    const GET: &str = concat!("SELECT ", columns!(), " FROM account_sync WHERE org_id = $1 AND account_id = $2");
    Ok(tx.query_opt(GET, params![account], read)?.map(|(_, state)| state))
}

/// Writes the state.
///
/// # Errors
/// Those of the database.
pub fn save(tx: &mut OrgTx<'_, '_>, account: AccountId, state: &Backfill) -> Result<()> {
    const SAVE: &str = "INSERT INTO account_sync (org_id, account_id, through_ms, looked_ms, found, error_code, error_message)
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (org_id, account_id) DO UPDATE SET through_ms = excluded.through_ms,
            looked_ms = excluded.looked_ms, found = excluded.found, error_code = excluded.error_code, error_message = excluded.error_message";
    let (code, text) = state.error.as_ref().map_or((None, None), |error| (Some(error.code.as_str()), Some(error.message.as_str())));
    tx.execute(SAVE, params![account, state.through_ms, state.looked_ms, state.found, code, text]).map(drop)
}

/// Accounts that were made before `before_ms`, and that nobody has tried to compare since; a try in the future was made by a clock that
/// was ahead, and counts for nothing. Of orgs that are switched off there are none.
///
/// # Errors
/// Those of the database.
pub fn due(tx: &mut SystemTx<'_, '_>, before_ms: i64) -> Result<Vec<(OrgId, AccountId)>> {
    const DUE: &str = "SELECT a.org_id, a.id FROM account a JOIN org o ON o.id = a.org_id
        LEFT JOIN account_sync s ON s.org_id = a.org_id AND s.account_id = a.id
        WHERE o.disabled_ms IS NULL AND a.enabled
          AND (COALESCE(s.looked_ms, a.created_ms) < $1 OR s.looked_ms > $2) ORDER BY a.org_id, a.id";
    let now_ms = tx.now_ms();
    tx.tx.query(DUE, params![before_ms, now_ms], |row| Ok((row.get(0)?, row.get(1)?)))
}
