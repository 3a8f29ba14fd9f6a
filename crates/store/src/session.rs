//! Sessions: people who are signed in with a cookie. Only the hash of its token is kept.

use parlance_model::id::{OrgId, SessionId, UserId};
use parlance_model::role::Role;
use parlance_model::{Result, entropy};

use crate::SystemTx;
use crate::db::params;
use crate::key::hash;

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
    const FIND: &str = "SELECT id, user_id, org_id, expires_ms FROM session WHERE token_hash = $1 AND expires_ms > $2";
    let now_ms = tx.now_ms();
    tx.tx.query_opt(FIND, params![&hash(token), now_ms], |row| {
        let slide = row.get::<i64>(3)? < now_ms + LASTS_MS - SLIDE_MS;
        Ok(Session { id: row.get(0)?, user: row.get(1)?, org: row.get(2)?, slide })
    })
}

/// What the person is in this org.
///
/// # Errors
/// Those of the database.
pub fn role(tx: &mut SystemTx<'_, '_>, user: UserId, org: OrgId) -> Result<Option<Role>> {
    const ROLE: &str = "SELECT role FROM staff WHERE org_id = $2 AND user_id = $1";
    tx.tx.query_opt(ROLE, params![user, org], |row| row.word(0))
}

/// The orgs of a person, two at most: enough to know whether there is only one.
///
/// # Errors
/// Those of the database.
pub fn orgs(tx: &mut SystemTx<'_, '_>, user: UserId) -> Result<Vec<OrgId>> {
    const ORGS: &str = "SELECT org_id FROM staff WHERE user_id = $1 ORDER BY org_id LIMIT 2";
    tx.tx.query(ORGS, params![user], |row| row.get(0))
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
