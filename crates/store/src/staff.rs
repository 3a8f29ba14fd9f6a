//! Users, who sign in, and staff: users in an org, with a role.

use parlance_model::id::{OrgId, UserId};
use parlance_model::job::Job;
use parlance_model::org::{Org, Staff, User, check_email};
use parlance_model::role::Role;
use parlance_model::{Error, Result};

use crate::db::{Row, params};
use crate::{OrgTx, SystemTx, job};

/// A user who was put into an org.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Added {
    /// Who.
    pub user: UserId,
    /// Whether the user is new, and so has the password that was given.
    pub made: bool,
}

/// Puts a user into an org. A user who exists already (in another org) keeps name and password.
///
/// # Errors
/// `validation_failed`; `already_staff`.
pub fn add(tx: &mut OrgTx<'_, '_>, email: &str, name: &str, role: Role, password_hash: &str) -> Result<Added> {
    // The org has no part in a user's row, but every text of an org's transaction has it as `$1`.
    const USER: &str = r#"INSERT INTO "user" (email, name, password_hash, created_ms)
        SELECT CAST($2 AS TEXT), CAST($3 AS TEXT), CAST($4 AS TEXT), CAST($5 AS BIGINT) WHERE EXISTS (SELECT 1 FROM org WHERE id = $1) ON CONFLICT (email) DO NOTHING"#;
    const FIND: &str = r#"SELECT id FROM "user" WHERE email = $2 AND EXISTS (SELECT 1 FROM org WHERE id = $1)"#;
    const STAFF: &str =
        "INSERT INTO staff (org_id, user_id, role, created_ms) VALUES ($1, $2, $3, $4) ON CONFLICT (org_id, user_id) DO NOTHING";
    let email = check_email(email)?;
    let (name, now_ms) = (checked_name(name)?, tx.now_ms());
    let made = tx.execute(USER, params![email.as_str(), name, password_hash, now_ms])? > 0;
    let user = tx.query_opt(FIND, params![email.as_str()], |row| row.get::<UserId>(0))?.ok_or_else(|| Error::not_found("organisation"))?;
    match tx.execute(STAFF, params![user, role.as_str(), now_ms])? {
        0 => Err(Error::conflict("already_staff", format!("{email} works in this organisation already."))),
        _ => Ok(Added { user, made }),
    }
}

const BY_EMAIL: &str = r#"SELECT u.id, u.email, u.name, u.disabled_ms, s.role FROM "user" u JOIN staff s ON s.user_id = u.id WHERE s.org_id = $1 AND u.email = $2"#;
const BY_ID: &str = r#"SELECT u.id, u.email, u.name, u.disabled_ms, s.role FROM staff s JOIN "user" u ON u.id = s.user_id WHERE s.org_id = $1 AND s.user_id = $2"#;

fn read(row: &Row<'_>) -> Result<Staff> {
    Ok(Staff { user: User { id: row.get(0)?, email: row.get(1)?, name: row.get(2)?, disabled_ms: row.get(3)? }, role: row.word(4)? })
}

/// The staff member of this org with this e-mail address.
///
/// # Errors
/// `not_found`.
pub fn by_email(tx: &mut OrgTx<'_, '_>, email: &str) -> Result<Staff> {
    let email = check_email(email)?;
    tx.query_opt(BY_EMAIL, params![email], read)?.ok_or_else(|| Error::not_found("staff member"))
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

/// The org's people by the time they came, and how many there are.
///
/// # Errors
/// Those of the database.
pub fn list(tx: &mut OrgTx<'_, '_>, limit: i64, offset: i64) -> Result<(Vec<Staff>, i64)> {
    const LIST: &str = r#"SELECT u.id, u.email, u.name, u.disabled_ms, s.role FROM staff s JOIN "user" u ON u.id = s.user_id WHERE s.org_id = $1
        ORDER BY s.user_id LIMIT $2 OFFSET $3"#;
    const COUNT: &str = "SELECT COUNT(*) FROM staff WHERE org_id = $1";
    Ok((tx.query(LIST, params![limit, offset], read)?, tx.query_one(COUNT, &[], |row| row.get(0))?))
}

/// Gives a person another role in the org. The org's lock, which every write holds, keeps two last owners from both leaving.
///
/// # Errors
/// `not_found`; `last_owner`.
pub fn set_role(tx: &mut OrgTx<'_, '_>, user: UserId, role: Role) -> Result<()> {
    const SET: &str = "UPDATE staff SET role = $3 WHERE org_id = $1 AND user_id = $2";
    let found = find(tx, user)?.ok_or_else(|| Error::not_found("staff member"))?;
    if role != Role::Owner {
        keeps_an_owner(tx, &found)?;
    }
    tx.execute(SET, params![user, role.as_str()]).map(drop)
}

/// Gives a person another name, which every org of theirs sees: so it is refused to an org that shares them with another.
///
/// # Errors
/// `not_found`; `user_is_shared`; `validation_failed`.
pub fn rename(tx: &mut OrgTx<'_, '_>, user: UserId, name: &str) -> Result<()> {
    const ELSEWHERE: &str = "SELECT org_id FROM staff WHERE user_id = $2 AND org_id <> $1 LIMIT 1";
    const RENAME: &str = r#"UPDATE "user" SET name = $3 WHERE id = $2 AND EXISTS (SELECT 1 FROM staff WHERE org_id = $1 AND user_id = $2)"#;
    let name = checked_name(name)?;
    if tx.query_opt(ELSEWHERE, params![user], |row| row.get::<OrgId>(0))?.is_some() {
        return Err(Error::conflict("user_is_shared", "This person works in another organisation too, which would see the new name."));
    }
    match tx.execute(RENAME, params![user, name])? {
        0 => Err(Error::not_found("staff member")),
        _ => Ok(()),
    }
}

/// Takes a person out of the org and revokes their keys for it, for good: they stay revoked when the person comes back.
/// Their conversations are for a job (`conversation::unassign`), because there may be many.
///
/// # Errors
/// `not_found`; `last_owner`.
pub fn remove(tx: &mut OrgTx<'_, '_>, user: UserId) -> Result<()> {
    const DELETE: &str = "DELETE FROM staff WHERE org_id = $1 AND user_id = $2";
    const REVOKE: &str = "UPDATE api_key SET revoked_ms = $3 WHERE org_id = $1 AND user_id = $2 AND revoked_ms IS NULL";
    let found = find(tx, user)?.ok_or_else(|| Error::not_found("staff member"))?;
    keeps_an_owner(tx, &found)?;
    let now_ms = tx.now_ms();
    tx.execute(DELETE, params![user])?;
    tx.execute(REVOKE, params![user, now_ms])?;
    job::enqueue(tx, &Job::Unassign { user_id: user }, None, now_ms).map(drop)
}

fn keeps_an_owner(tx: &mut OrgTx<'_, '_>, leaves: &Staff) -> Result<()> {
    // One who cannot sign in is no owner to rely on.
    const OTHER: &str = r#"SELECT s.user_id FROM staff s JOIN "user" u ON u.id = s.user_id
        WHERE s.org_id = $1 AND s.role = 'owner' AND s.user_id <> $2 AND u.disabled_ms IS NULL LIMIT 1"#;
    if leaves.role == Role::Owner && tx.query_opt(OTHER, params![leaves.user.id], |row| row.get::<UserId>(0))?.is_none() {
        return Err(Error::conflict("last_owner", "This is the organisation's last owner. Make another person owner first."));
    }
    Ok(())
}

/// A person's orgs and what they are there, oldest org first; one org of them, when it is given.
///
/// # Errors
/// Those of the database.
pub fn orgs(tx: &mut SystemTx<'_, '_>, user: UserId, only: Option<OrgId>) -> Result<Vec<(Org, Role)>> {
    const ORGS: &str = "SELECT o.id, o.slug, o.name, o.seq, o.region, o.sms_provider, o.created_ms, o.disabled_ms, s.role
        FROM staff s JOIN org o ON o.id = s.org_id
        WHERE s.user_id = $1 AND (CAST($2 AS BIGINT) IS NULL OR s.org_id = $2) ORDER BY o.id LIMIT 200";
    tx.tx.query(ORGS, params![user, only], |row| Ok((crate::org::read(row)?, row.word(8)?)))
}

fn checked_name(name: &str) -> Result<String> {
    let name = parlance_model::text::clean(name.trim());
    if name.is_empty() || name.len() > 200 { Err(Error::invalid("name", "Must be 1 to 200 bytes.")) } else { Ok(name) }
}
