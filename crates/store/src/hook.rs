//! Genuine hooks that could not be applied, kept whole for a person and for a later version.

use parlance_model::Result;
use parlance_model::id::{AccountId, HookId};
use sha2::{Digest, Sha256};

use crate::OrgTx;
use crate::db::params;

/// A kept hook.
#[derive(Clone)]
pub struct Kept {
    /// Its id.
    pub id: HookId,
    /// The account whose secret signed it.
    pub account_id: AccountId,
    /// Why it could not be applied.
    pub reason: String,
    /// Its method, path and query: a hook by GET says everything there.
    pub request: String,
    /// Its content type.
    pub content_type: String,
    /// Its body, untouched.
    pub body: Vec<u8>,
    /// When it came, unix ms.
    pub received_ms: i64,
}

parlance_model::show_only!(Kept { id, account_id, reason });

/// A hook to be kept.
#[derive(Clone, Copy)]
pub struct NewHook<'a> {
    /// The account whose secret signed it.
    pub account: AccountId,
    /// Why it could not be applied.
    pub reason: &'a str,
    /// Its method, path and query.
    pub request: &'a str,
    /// Its content type.
    pub content_type: &'a str,
    /// Its body, untouched.
    pub body: &'a [u8],
}

parlance_model::show_only!(NewHook<'_> { account, reason });

/// Keeps a hook; the same request with the same bytes again changes nothing.
///
/// # Errors
/// Those of the database.
pub fn quarantine(tx: &mut OrgTx<'_, '_>, hook: &NewHook<'_>) -> Result<()> {
    const INSERT: &str = "INSERT INTO hook (org_id, account_id, state, reason, digest, request, content_type, body, received_ms)
        VALUES ($1, $2, 'quarantined', $3, $4, $5, $6, $7, $8) ON CONFLICT (org_id, account_id, digest) DO NOTHING";
    let mut digest = Sha256::new();
    digest.update(hook.request.as_bytes());
    digest.update([0]);
    digest.update(hook.body);
    let digest: [u8; 32] = digest.finalize().into();
    let now_ms = tx.now_ms();
    let values = params![hook.account, hook.reason, &digest, hook.request, hook.content_type, hook.body, now_ms];
    tx.execute(INSERT, values).map(drop)
}

/// What is kept, oldest first.
///
/// # Errors
/// Those of the database.
pub fn quarantined(tx: &mut OrgTx<'_, '_>, limit: i64) -> Result<Vec<Kept>> {
    const LIST: &str = "SELECT id, account_id, reason, request, content_type, body, received_ms FROM hook
        WHERE org_id = $1 AND state = 'quarantined' ORDER BY id LIMIT $2";
    tx.query(LIST, params![limit], |row| {
        Ok(Kept {
            id: row.get(0)?,
            account_id: row.get(1)?,
            reason: row.get(2)?,
            request: row.get(3)?,
            content_type: row.get(4)?,
            body: row.get(5)?,
            received_ms: row.get(6)?,
        })
    })
}
