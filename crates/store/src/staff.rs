//! Users, who sign in, and staff: users in an org, with a role.

use parlance_model::id::{OrgId, UserId};
use parlance_model::org::{Staff, User, check_email};
use parlance_model::role::Role;
use parlance_model::{Error, Result};

use crate::db::{Row, params};
use crate::{OrgTx, SystemTx};

/// Puts a user into an org. A user who exists already (in another org) keeps name and password.
///
/// # Errors
/// `validation_failed`; `already_staff`.
pub fn add(tx: &mut SystemTx<'_, '_>, org: OrgId, email: &str, name: &str, role: Role, password_hash: &str) -> Result<UserId> {
    const USER: &str =
        r#"INSERT INTO "user" (email, name, password_hash, created_ms) VALUES ($1, $2, $3, $4) ON CONFLICT (email) DO NOTHING"#;
    const FIND: &str = r#"SELECT id FROM "user" WHERE email = $1"#;
    const STAFF: &str =
        "INSERT INTO staff (org_id, user_id, role, created_ms) VALUES ($1, $2, $3, $4) ON CONFLICT (org_id, user_id) DO NOTHING";
    let email = check_email(email)?;
    if name.trim().is_empty() || name.len() > 200 {
        return Err(Error::invalid("name", "Must be 1 to 200 bytes."));
    }
    let now_ms = tx.now_ms();
    tx.tx.execute(USER, params![email.as_str(), parlance_model::text::clean(name.trim()), password_hash, now_ms])?;
    let user = tx.tx.query_one(FIND, params![email.as_str()], |row| row.get::<UserId>(0))?;
    match tx.tx.execute(STAFF, params![org, user, role.as_str(), now_ms])? {
        0 => Err(Error::conflict("already_staff", format!("{email} works in this organisation already."))),
        _ => Ok(user),
    }
}

const BY_EMAIL: &str =
    r#"SELECT u.id, u.email, u.name, s.role FROM "user" u JOIN staff s ON s.user_id = u.id WHERE s.org_id = $1 AND u.email = $2"#;
const BY_ID: &str =
    r#"SELECT u.id, u.email, u.name, s.role FROM staff s JOIN "user" u ON u.id = s.user_id WHERE s.org_id = $1 AND s.user_id = $2"#;

fn read(row: &Row<'_>) -> Result<Staff> {
    Ok(Staff { user: User { id: row.get(0)?, email: row.get(1)?, name: row.get(2)? }, role: row.word(3)? })
}

/// The staff member of this org with this e-mail address.
///
/// # Errors
/// `not_found`.
pub fn by_email(tx: &mut SystemTx<'_, '_>, org: OrgId, email: &str) -> Result<Staff> {
    let email = check_email(email)?;
    tx.tx.query_opt(BY_EMAIL, params![org, email], read)?.ok_or_else(|| Error::not_found("staff member"))
}

/// The staff member of this org, by user.
///
/// # Errors
/// Those of the database.
pub fn find(tx: &mut OrgTx<'_, '_>, user: UserId) -> Result<Option<Staff>> {
    tx.query_opt(BY_ID, params![user], read)
}

/// The stored password hash of a user (PHC string), for checking a sign-in.
///
/// # Errors
/// Those of the database.
pub fn password_hash(tx: &mut SystemTx<'_, '_>, email: &str) -> Result<Option<(UserId, String)>> {
    const HASH: &str = r#"SELECT id, password_hash FROM "user" WHERE email = $1"#;
    tx.tx.query_opt(HASH, params![email], |row| Ok((row.get(0)?, row.get(1)?)))
}
