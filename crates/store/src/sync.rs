//! How far back an account's lists at its provider were compared with what came by hooks.

use parlance_model::Result;
use parlance_model::delivery::DeliveryError;
use parlance_model::id::{AccountId, OrgId};

use crate::db::params;
use crate::{OrgTx, SystemTx};

/// The state of an account's comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sync {
    /// Everything up to here was compared, unix ms.
    pub through_ms: i64,
    /// When it was last tried, unix ms.
    pub looked_ms: i64,
    /// How many messages were found that no hook had told, in all.
    pub found: i64,
    /// Why the last try came to nothing.
    pub error: Option<DeliveryError>,
}

/// The state; `None` before the first try.
///
/// # Errors
/// Those of the database.
pub fn get(tx: &mut OrgTx<'_, '_>, account: AccountId) -> Result<Option<Sync>> {
    const GET: &str =
        "SELECT through_ms, looked_ms, found, error_code, error_message FROM account_sync WHERE org_id = $1 AND account_id = $2";
    tx.query_opt(GET, params![account], |row| {
        let error = match row.get::<Option<String>>(3)? {
            Some(code) => Some(DeliveryError { code, message: row.get(4)? }),
            None => None,
        };
        Ok(Sync { through_ms: row.get(0)?, looked_ms: row.get(1)?, found: row.get(2)?, error })
    })
}

/// Writes the state.
///
/// # Errors
/// Those of the database.
pub fn save(tx: &mut OrgTx<'_, '_>, account: AccountId, sync: &Sync) -> Result<()> {
    const SAVE: &str = "INSERT INTO account_sync (org_id, account_id, through_ms, looked_ms, found, error_code, error_message)
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (org_id, account_id) DO UPDATE SET through_ms = excluded.through_ms,
            looked_ms = excluded.looked_ms, found = excluded.found, error_code = excluded.error_code, error_message = excluded.error_message";
    let (code, text) = sync.error.as_ref().map_or((None, None), |error| (Some(error.code.as_str()), Some(error.message.as_str())));
    tx.execute(SAVE, params![account, sync.through_ms, sync.looked_ms, sync.found, code, text]).map(drop)
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
