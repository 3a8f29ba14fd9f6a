//! Users, as whoever runs the installation sees and switches them: across orgs. What they are in an org is `staff`.

use parlance_model::error::Kind;
use parlance_model::id::UserId;
use parlance_model::org::{User, check_email};
use parlance_model::{Error, Result};

use crate::SystemTx;
use crate::db::{Row, params};

fn read(row: &Row<'_>) -> Result<User> {
    Ok(User { id: row.get(0)?, email: row.get(1)?, name: row.get(2)?, disabled_ms: row.get(3)? })
}

/// Every user, oldest first.
///
/// # Errors
/// Those of the database.
pub fn all(tx: &mut SystemTx<'_, '_>) -> Result<Vec<User>> {
    const ALL: &str = r#"SELECT id, email, name, disabled_ms FROM "user" ORDER BY id"#;
    tx.tx.query(ALL, &[], read)
}

/// The user.
///
/// # Errors
/// `not_found`.
pub fn get(tx: &mut SystemTx<'_, '_>, id: UserId) -> Result<User> {
    const GET: &str = r#"SELECT id, email, name, disabled_ms FROM "user" WHERE id = $1"#;
    tx.tx.query_opt(GET, params![id], read)?.ok_or_else(|| Error::not_found("user"))
}

/// The user with this e-mail address.
///
/// # Errors
/// `validation_failed`; `not_found`.
pub fn by_email(tx: &mut SystemTx<'_, '_>, email: &str) -> Result<User> {
    const FIND: &str = r#"SELECT id, email, name, disabled_ms FROM "user" WHERE email = $1"#;
    tx.tx.query_opt(FIND, params![check_email(email)?], read)?.ok_or_else(|| Error::not_found("user"))
}

/// Switches a user off: their sessions end, their keys are refused, and they cannot sign in. A user who is off stays off.
///
/// # Errors
/// `last_owner` when an org would be left without an owner who can sign in.
pub fn disable(tx: &mut SystemTx<'_, '_>, user: &User) -> Result<()> {
    // Writing the orgs' rows takes their locks, in which owners come and go: two owners cannot both be the one who stays.
    const LOCK: &str = "UPDATE org SET seq = seq WHERE id IN (SELECT org_id FROM staff WHERE user_id = $1 AND role = 'owner')";
    const ALONE: &str = r#"SELECT o.slug FROM staff s JOIN org o ON o.id = s.org_id WHERE s.user_id = $1 AND s.role = 'owner'
        AND NOT EXISTS (SELECT 1 FROM staff t JOIN "user" u ON u.id = t.user_id
            WHERE t.org_id = s.org_id AND t.role = 'owner' AND t.user_id <> $1 AND u.disabled_ms IS NULL)
        ORDER BY o.id LIMIT 1"#;
    const DISABLE: &str = r#"UPDATE "user" SET disabled_ms = $2 WHERE id = $1 AND disabled_ms IS NULL"#;
    if user.disabled_ms.is_some() {
        return Ok(());
    }
    tx.tx.execute(LOCK, params![user.id])?;
    if let Some(slug) = tx.tx.query_opt(ALONE, params![user.id], |row| row.get::<String>(0))? {
        let text = format!("{} is the last owner of {slug}. Make another person owner first.", user.email);
        return Err(Error::conflict("last_owner", text));
    }
    let now_ms = tx.now_ms();
    tx.tx.execute(DISABLE, params![user.id, now_ms])?;
    end_sessions(tx, user.id)
}

/// Switches a user on again. Their keys count again; they sign in anew.
///
/// # Errors
/// Those of the database.
pub fn enable(tx: &mut SystemTx<'_, '_>, user: UserId) -> Result<()> {
    const ENABLE: &str = r#"UPDATE "user" SET disabled_ms = NULL WHERE id = $1"#;
    tx.tx.execute(ENABLE, params![user]).map(drop)
}

/// Gives a user another password (as a PHC string) and ends their sessions.
///
/// # Errors
/// Those of the database.
pub fn set_password(tx: &mut SystemTx<'_, '_>, user: UserId, hash: &str) -> Result<()> {
    const SET: &str = r#"UPDATE "user" SET password_hash = $2 WHERE id = $1"#;
    tx.tx.execute(SET, params![user, hash])?;
    end_sessions(tx, user)
}

fn end_sessions(tx: &mut SystemTx<'_, '_>, user: UserId) -> Result<()> {
    const END: &str = "DELETE FROM session WHERE user_id = $1";
    tx.tx.execute(END, params![user]).map(drop)
}

/// The answer to whoever is switched off.
#[must_use]
pub fn disabled() -> Error {
    Error::new(Kind::Unauthenticated, "user_disabled", "This person is disabled here. Whoever runs this server can enable them again.")
}
