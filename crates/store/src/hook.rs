//! Genuine hooks that could not be applied, kept whole for a person and for a later version.

use parlance_model::Result;
use parlance_model::id::{AccountId, HookId};
use sha2::{Digest, Sha256};

use crate::OrgTx;
use crate::db::params;

/// A kept hook.
#[derive(Debug, Clone)]
pub struct Kept {
    /// Its id.
    pub id: HookId,
    /// The account whose secret signed it.
    pub account_id: AccountId,
    /// Why it could not be applied.
    pub reason: String,
    /// Its content type.
    pub content_type: String,
    /// Its body, untouched.
    pub body: Vec<u8>,
    /// When it came, unix ms.
    pub received_ms: i64,
}

/// Keeps a hook; the same bytes again change nothing.
///
/// # Errors
/// Those of the database.
pub fn quarantine(tx: &mut OrgTx<'_, '_>, account: AccountId, reason: &str, content_type: &str, body: &[u8]) -> Result<()> {
    const INSERT: &str = "INSERT INTO hook (org_id, account_id, state, reason, digest, content_type, body, received_ms)
        VALUES ($1, $2, 'quarantined', $3, $4, $5, $6, $7) ON CONFLICT (org_id, account_id, digest) DO NOTHING";
    let digest: [u8; 32] = Sha256::digest(body).into();
    let now_ms = tx.now_ms();
    tx.execute(INSERT, params![account, reason, &digest, content_type, body, now_ms]).map(drop)
}

/// What is kept, oldest first.
///
/// # Errors
/// Those of the database.
pub fn quarantined(tx: &mut OrgTx<'_, '_>, limit: i64) -> Result<Vec<Kept>> {
    const LIST: &str = "SELECT id, account_id, reason, content_type, body, received_ms FROM hook
        WHERE org_id = $1 AND state = 'quarantined' ORDER BY id LIMIT $2";
    tx.query(LIST, params![limit], |row| {
        Ok(Kept {
            id: row.get(0)?,
            account_id: row.get(1)?,
            reason: row.get(2)?,
            content_type: row.get(3)?,
            body: row.get(4)?,
            received_ms: row.get(5)?,
        })
    })
}
