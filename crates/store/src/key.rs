//! API keys. Only the hash of a token is kept.

use parlance_model::error::Kind;
use parlance_model::id::{KeyId, UserId};
use parlance_model::key::{Credential, Dialect, Key, Principal, Scopes};
use parlance_model::role::Role;
use parlance_model::{Error, Result, entropy};
use sha2::{Digest, Sha256};

use crate::db::{Row, params};
use crate::{OrgTx, SystemTx, org, user};

/// What every token starts with, so that people and secret scanners know one when they see it.
pub const TOKEN_PREFIX: &str = "plk_";

/// How exactly the last use of a key is known, in milliseconds.
pub const USE_MS: i64 = 60_000;

/// A key to be made, in the org of the transaction.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// The person it speaks for; `None` for a key with the rights of an admin.
    pub user: Option<UserId>,
    /// What people call it.
    pub name: String,
    /// The dialect that it is pinned to.
    pub dialect: Option<Dialect>,
    /// What it is limited to.
    pub scopes: Scopes,
    /// When it ends, unix ms.
    pub expires_ms: Option<i64>,
}

/// Who shows a token.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The caller.
    pub who: Principal,
    /// The use should be written down: the last one is a minute ago or more.
    pub note: Option<KeyId>,
    /// When the key ends, unix ms.
    pub expires_ms: Option<i64>,
}

/// The hash of a token, by which keys and sessions are found.
#[must_use]
pub fn hash(token: &str) -> [u8; 32] {
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
/// `validation_failed` on the name, the scopes or the time of its end.
pub fn create(tx: &mut OrgTx<'_, '_>, key: &NewKey, token: &str) -> Result<KeyId> {
    const INSERT: &str = "INSERT INTO api_key (org_id, user_id, name, token_hash, dialect, scopes, expires_ms, created_ms)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id";
    let name = parlance_model::text::clean(key.name.trim());
    if name.is_empty() || name.len() > 200 {
        return Err(Error::invalid("name", "Must be 1 to 200 bytes."));
    }
    if key.scopes == Scopes::NONE {
        return Err(Error::invalid("scopes", "Must name at least one scope."));
    }
    let now_ms = tx.now_ms();
    if key.expires_ms.is_some_and(|end_ms| end_ms <= now_ms) {
        return Err(Error::invalid("expires_at", "Must be in the future."));
    }
    let (hash, dialect) = (hash(token), key.dialect.map(Dialect::as_str));
    let values = params![key.user, name, &hash, dialect, key.scopes.to_string(), key.expires_ms, now_ms];
    tx.query_one(INSERT, values, |row| row.get(0))
}

/// Who shows this token. A revoked or expired key, and the key of a person who left the org, are nobody.
///
/// # Errors
/// `unauthenticated`; `org_disabled`; `user_disabled`.
pub fn authenticate(tx: &mut SystemTx<'_, '_>, token: &str) -> Result<Shown> {
    const FIND: &str = r#"SELECT k.id, k.org_id, k.user_id, k.dialect, k.scopes, s.role, k.last_used_ms, o.disabled_ms, u.disabled_ms, k.expires_ms
        FROM api_key k JOIN org o ON o.id = k.org_id
        LEFT JOIN staff s ON s.org_id = k.org_id AND s.user_id = k.user_id LEFT JOIN "user" u ON u.id = k.user_id
        WHERE k.token_hash = $1 AND k.revoked_ms IS NULL AND (k.expires_ms IS NULL OR k.expires_ms > $2)"#;
    let now_ms = tx.now_ms();
    let found = tx.tx.query_opt(FIND, params![&hash(token), now_ms], |row| {
        let (user, role) = (row.get::<Option<UserId>>(2)?, row.word_opt::<Role>(5)?);
        let role = match (user, role) {
            (None, _) => Role::Admin,
            (Some(_), Some(role)) => role,
            (Some(_), None) => return Ok(None),
        };
        if row.get::<Option<i64>>(7)?.is_some() {
            return Err(org::disabled());
        }
        if row.get::<Option<i64>>(8)?.is_some() {
            return Err(user::disabled());
        }
        let (key, org, last_used_ms) = (row.get(0)?, row.get(1)?, row.get::<Option<i64>>(6)?);
        let note = last_used_ms.is_none_or(|used_ms| now_ms - used_ms >= USE_MS).then_some(key);
        let (credential, scopes, dialect) = (Credential::Key(key), row.word(4)?, row.word_opt(3)?);
        let who = Principal { org, credential, user, role, scopes, dialect, request_id: None };
        Ok(Some(Shown { who, note, expires_ms: row.get(9)? }))
    })?;
    found.flatten().ok_or_else(|| {
        Error::new(
            Kind::Unauthenticated,
            "unauthenticated",
            "This needs `Authorization: Bearer <token>` with a key that is valid. `parlance key create` makes one.",
        )
    })
}

/// Writes down that a key was used now, unless a use within the last minute is known.
///
/// # Errors
/// Those of the database.
pub fn used(tx: &mut SystemTx<'_, '_>, key: KeyId) -> Result<()> {
    const USED: &str = "UPDATE api_key SET last_used_ms = $2 WHERE id = $1 AND (last_used_ms IS NULL OR last_used_ms <= $3)";
    let now_ms = tx.now_ms();
    tx.tx.execute(USED, params![key, now_ms, now_ms - USE_MS]).map(drop)
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, name, user_id, dialect, scopes, expires_ms, last_used_ms, created_ms
             FROM api_key WHERE org_id = $1 AND revoked_ms IS NULL ",
            $rest
        )
    };
}

fn read(row: &Row<'_>) -> Result<Key> {
    Ok(Key {
        id: row.get(0)?,
        name: row.get(1)?,
        user: row.get(2)?,
        dialect: row.word_opt(3)?,
        scopes: row.word(4)?,
        expires_ms: row.get(5)?,
        last_used_ms: row.get(6)?,
        created_ms: row.get(7)?,
    })
}

/// The org's keys that are not revoked, oldest first, and how many there are.
///
/// # Errors
/// Those of the database.
pub fn list(tx: &mut OrgTx<'_, '_>, limit: i64, offset: i64) -> Result<(Vec<Key>, i64)> {
    const LIST: &str = select!("ORDER BY id LIMIT $2 OFFSET $3");
    const COUNT: &str = "SELECT COUNT(*) FROM api_key WHERE org_id = $1 AND revoked_ms IS NULL";
    Ok((tx.query(LIST, params![limit, offset], read)?, tx.query_one(COUNT, &[], |row| row.get(0))?))
}

/// One key that is not revoked.
///
/// # Errors
/// `not_found`.
pub fn get(tx: &mut OrgTx<'_, '_>, id: KeyId) -> Result<Key> {
    const GET: &str = select!("AND id = $2");
    tx.query_opt(GET, params![id], read)?.ok_or_else(|| Error::not_found("key"))
}

/// Ends a key at once.
///
/// # Errors
/// `not_found`.
pub fn revoke(tx: &mut OrgTx<'_, '_>, key: KeyId) -> Result<()> {
    const REVOKE: &str = "UPDATE api_key SET revoked_ms = $3 WHERE org_id = $1 AND id = $2 AND revoked_ms IS NULL";
    let now_ms = tx.now_ms();
    match tx.execute(REVOKE, params![key, now_ms])? {
        0 => Err(Error::not_found("key")),
        _ => Ok(()),
    }
}
