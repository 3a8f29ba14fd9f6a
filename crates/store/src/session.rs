//! Sessions: people who are signed in with a cookie. Only the hash of its token is kept.

use parlance_model::id::{OrgId, SessionId, UserId};
use parlance_model::role::Role;
use parlance_model::{Result, entropy};

use crate::db::params;
use crate::key::hash;
use crate::{SystemTx, org};

/// How long a session lasts after its last use, in milliseconds: 30 days.
pub const LASTS_MS: i64 = 30 * 24 * 60 * 60 * 1000;
/// How exactly the last use is known, in milliseconds: an hour. A session slides at most so often.
const SLIDE_MS: i64 = 60 * 60 * 1000;

/// A session as its cookie finds it.
#[derive(Debug, Clone)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// Who signed in.
    pub user: UserId,
    /// The org that was named at sign-in.
    pub org: Option<OrgId>,
    /// When it ends, unless it is used, unix ms.
    pub expires_ms: i64,
    /// Its end should be moved.
    pub slide: bool,
}

/// Makes a token of 240 random bits, for the cookie alone.
#[must_use]
pub fn new_token(entropy: &dyn entropy::Entropy) -> String {
    entropy::token(entropy, 42)
}

/// Stores a session.
///
/// # Errors
/// Those of the database.
pub fn create(tx: &mut SystemTx<'_, '_>, user: UserId, org: Option<OrgId>, token: &str) -> Result<SessionId> {
    const INSERT: &str =
        "INSERT INTO session (user_id, org_id, token_hash, created_ms, expires_ms) VALUES ($1, $2, $3, $4, $5) RETURNING id";
    let now_ms = tx.now_ms();
    tx.tx.query_one(INSERT, params![user, org, &hash(token), now_ms, now_ms + LASTS_MS], |row| row.get(0))
}

/// The session of this cookie, unless it has ended.
///
/// # Errors
/// Those of the database.
pub fn find(tx: &mut SystemTx<'_, '_>, token: &str) -> Result<Option<Session>> {
    // A session that began while its person was being disabled is none.
    const FIND: &str = r#"SELECT s.id, s.user_id, s.org_id, s.expires_ms FROM session s JOIN "user" u ON u.id = s.user_id
        WHERE s.token_hash = $1 AND s.expires_ms > $2 AND u.disabled_ms IS NULL"#;
    let now_ms = tx.now_ms();
    tx.tx.query_opt(FIND, params![&hash(token), now_ms], |row| {
        let expires_ms = row.get(3)?;
        let slide = expires_ms < now_ms + LASTS_MS - SLIDE_MS;
        Ok(Session { id: row.get(0)?, user: row.get(1)?, org: row.get(2)?, expires_ms, slide })
    })
}

/// What the person is in this org.
///
/// # Errors
/// `org_disabled`.
pub fn role(tx: &mut SystemTx<'_, '_>, user: UserId, of: OrgId) -> Result<Option<Role>> {
    const ROLE: &str = "SELECT s.role, o.disabled_ms FROM staff s JOIN org o ON o.id = s.org_id WHERE s.org_id = $2 AND s.user_id = $1";
    tx.tx.query_opt(ROLE, params![user, of], |row| match row.get::<Option<i64>>(1)? {
        None => row.word(0),
        Some(_) => Err(org::disabled()),
    })
}

/// The orgs of a person, two at most: enough to know whether there is only one. One that is switched off counts when they have no
/// other.
///
/// # Errors
/// Those of the database.
pub fn orgs(tx: &mut SystemTx<'_, '_>, user: UserId) -> Result<Vec<OrgId>> {
    const ORGS: &str = "SELECT s.org_id, o.disabled_ms FROM staff s JOIN org o ON o.id = s.org_id WHERE s.user_id = $1
        ORDER BY CASE WHEN o.disabled_ms IS NULL THEN 0 ELSE 1 END, s.org_id LIMIT 2";
    let mut orgs = tx.tx.query(ORGS, params![user], |row| Ok((row.get(0)?, row.get::<Option<i64>>(1)?.is_some())))?;
    if let [_, (_, true)] = orgs[..] {
        orgs.truncate(1);
    }
    Ok(orgs.into_iter().map(|(org, _)| org).collect())
}

/// Moves the end of a session that is in use.
///
/// # Errors
/// Those of the database.
pub fn slide(tx: &mut SystemTx<'_, '_>, id: SessionId) -> Result<()> {
    const SLIDE: &str = "UPDATE session SET expires_ms = $2 WHERE id = $1";
    let now_ms = tx.now_ms();
    tx.tx.execute(SLIDE, params![id, now_ms + LASTS_MS]).map(drop)
}

/// Ends a session at once.
///
/// # Errors
/// Those of the database.
pub fn end(tx: &mut SystemTx<'_, '_>, id: SessionId) -> Result<()> {
    const DELETE: &str = "DELETE FROM session WHERE id = $1";
    tx.tx.execute(DELETE, params![id]).map(drop)
}

/// Deletes sessions that have ended, a thousand at a time. Answers how many went.
///
/// # Errors
/// Those of the database.
pub fn sweep(tx: &mut SystemTx<'_, '_>) -> Result<u64> {
    const SWEEP: &str = "DELETE FROM session WHERE id IN (SELECT id FROM session WHERE expires_ms <= $1 ORDER BY expires_ms LIMIT 1000)";
    let now_ms = tx.now_ms();
    tx.tx.execute(SWEEP, params![now_ms])
}
