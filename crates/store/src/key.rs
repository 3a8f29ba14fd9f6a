//! API keys. Only the hash of a token is kept.

use parlance_model::error::Kind;
use parlance_model::id::{KeyId, OrgId, UserId};
use parlance_model::key::{Dialect, Principal};
use parlance_model::role::Role;
use parlance_model::{Error, Result, entropy};
use sha2::{Digest, Sha256};

use crate::SystemTx;
use crate::db::params;

/// What every token starts with, so that people and secret scanners know one when they see it.
pub const TOKEN_PREFIX: &str = "plk_";

/// A key to be made.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// The org that it opens.
    pub org: OrgId,
    /// The person it speaks for; `None` for a key with the rights of an admin.
    pub user: Option<UserId>,
    /// What people call it.
    pub name: String,
    /// The dialect that it is pinned to.
    pub dialect: Option<Dialect>,
    /// Whether it may speak as the assistant.
    pub may_assist: bool,
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// Makes a token of 240 random bits. It is shown once and not kept.
#[must_use]
pub fn new_token(entropy: &dyn entropy::Entropy) -> String {
    format!("{TOKEN_PREFIX}{}", entropy::token(entropy, 42))
}

/// Stores a key.
///
/// # Errors
/// `validation_failed` on the name.
pub fn create(tx: &mut SystemTx<'_, '_>, key: &NewKey, token: &str) -> Result<KeyId> {
    const INSERT: &str = "INSERT INTO api_key (org_id, user_id, name, token_hash, dialect, may_assist, created_ms)
        VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id";
    if key.name.trim().is_empty() || key.name.len() > 200 {
        return Err(Error::invalid("name", "Must be 1 to 200 bytes."));
    }
    let now_ms = tx.now_ms();
    let (hash, dialect) = (hash(token), key.dialect.map(Dialect::as_str));
    let name = parlance_model::text::clean(key.name.trim());
    tx.tx.query_one(INSERT, params![key.org, key.user, name, &hash, dialect, key.may_assist, now_ms], |row| row.get(0))
}

/// Who shows this token. A revoked key, and the key of a person who left the org, are nobody.
///
/// # Errors
/// `unauthenticated`.
pub fn authenticate(tx: &mut SystemTx<'_, '_>, token: &str) -> Result<Principal> {
    const FIND: &str = "SELECT k.id, k.org_id, k.user_id, k.dialect, k.may_assist, s.role
        FROM api_key k LEFT JOIN staff s ON s.org_id = k.org_id AND s.user_id = k.user_id
        WHERE k.token_hash = $1 AND k.revoked_ms IS NULL";
    let found = tx.tx.query_opt(FIND, params![&hash(token)], |row| {
        let (user, role) = (row.get::<Option<UserId>>(2)?, row.word_opt::<Role>(5)?);
        let role = match (user, role) {
            (None, _) => Role::Admin,
            (Some(_), Some(role)) => role,
            (Some(_), None) => return Ok(None),
        };
        let (key, org, dialect) = (row.get(0)?, row.get(1)?, row.word_opt(3)?);
        Ok(Some(Principal { org, key, user, role, may_assist: row.get(4)?, dialect }))
    })?;
    found.flatten().ok_or_else(|| {
        Error::new(
            Kind::Unauthenticated,
            "unauthenticated",
            "This needs `Authorization: Bearer <token>` with a key that is valid. `parlance key create` makes one.",
        )
    })
}

/// Ends a key at once.
///
/// # Errors
/// `not_found`.
pub fn revoke(tx: &mut SystemTx<'_, '_>, org: OrgId, key: KeyId) -> Result<()> {
    const REVOKE: &str = "UPDATE api_key SET revoked_ms = $3 WHERE org_id = $1 AND id = $2 AND revoked_ms IS NULL";
    let now_ms = tx.now_ms();
    match tx.tx.execute(REVOKE, params![org, key, now_ms])? {
        0 => Err(Error::not_found("key")),
        _ => Ok(()),
    }
}
