//! The people of an org: who comes, what they are, and who goes.

use parlance_model::audit::{Act, Action};
use parlance_model::id::UserId;
use parlance_model::job::Claimed;
use parlance_model::key::Principal;
use parlance_model::org::Staff;
use parlance_model::role::Role;
use parlance_model::{Error, Result, entropy};
use parlance_store::{OrgTx, conversation, job, staff};

use crate::auth::reaches;
use crate::{App, password};

/// Conversations that are unassigned in one transaction.
const CHUNK: usize = 200;

/// Somebody who comes.
#[derive(Clone)]
pub struct NewStaff {
    /// How they sign in.
    pub email: String,
    /// What colleagues call them.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Their password; one is made when there is none.
    pub password: Option<String>,
}

impl App {
    /// The org's people, first come first, and how many there are.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn staff(&self, who: &Principal, limit: i64, offset: i64) -> Result<(Vec<Staff>, i64)> {
        self.store().read(who.org, move |tx| staff::list(tx, limit, offset)).await
    }

    /// Puts a person into the org. Answers the password that was made, to be shown once. A person who works elsewhere in this
    /// installation keeps the name and the password that they have.
    ///
    /// # Errors
    /// `forbidden` for an owner made by anybody else; `validation_failed`; `already_staff`.
    pub async fn add_staff(&self, who: &Principal, new: NewStaff) -> Result<(Staff, Option<String>)> {
        reaches(who, new.role)?;
        let made = new.password.is_none().then(|| entropy::token(self.0.entropy.as_ref(), 20));
        let hash = self.hash_password(new.password.or_else(|| made.clone()).unwrap_or_default()).await?;
        let (email, name, role) = (new.email, new.name, new.role);
        let (found, is_new) = self.write_as(who, move |tx| add(tx, &email, &name, role, &hash)).await?;
        Ok((found, made.filter(|_| is_new)))
    }

    /// Gives a person another role or name.
    ///
    /// # Errors
    /// `not_found`; `forbidden` for owners, by anybody else; `last_owner`; `user_is_shared`; `validation_failed`.
    pub async fn change_staff(&self, who: &Principal, user: UserId, role: Option<Role>, name: Option<String>) -> Result<Staff> {
        let caller = who.clone();
        let write = move |tx: &mut OrgTx<'_, '_>| {
            let found = staff::find(tx, user)?.ok_or_else(missing)?;
            reaches(&caller, found.role.max(role.unwrap_or(found.role)))?;
            if let Some(role) = role.filter(|role| *role != found.role) {
                staff::set_role(tx, user, role)?;
            }
            if let Some(name) = name.as_ref().filter(|name| name.trim() != found.user.name) {
                staff::rename(tx, user, name)?;
            }
            let after = staff::find(tx, user)?.ok_or_else(missing)?;
            let act = Act::new(Action::StaffUpdate, user).changed("role", found.role.as_str(), after.role.as_str()).changed(
                "name",
                found.user.name,
                after.user.name.as_str(),
            );
            if act.changes_something() {
                tx.audit(&act)?;
            }
            Ok(after)
        };
        self.write_as(who, write).await
    }

    /// Takes a person out of the org. Their keys stop at once; a job takes their conversations out of their hands.
    ///
    /// # Errors
    /// `not_found`; `forbidden` for owners, by anybody else; `last_owner`.
    pub async fn remove_staff(&self, who: &Principal, user: UserId) -> Result<()> {
        let caller = who.clone();
        let write = move |tx: &mut OrgTx<'_, '_>| {
            let found = staff::find(tx, user)?.ok_or_else(missing)?;
            reaches(&caller, found.role)?;
            staff::remove(tx, user)?;
            tx.audit(&Act::new(Action::StaffRemove, user).with("email", found.user.email).with("role", found.role.as_str()))
        };
        self.write_as(who, write).await
    }

    /// Hashes on a thread of its own: it takes long on purpose.
    pub(crate) async fn hash_password(&self, password: String) -> Result<String> {
        let entropy = self.0.entropy.clone();
        password::apart(move || password::hash(&password, entropy.as_ref())).await?
    }
}

/// Puts a person into the org. The flag says whether they are new to the installation, and so have the password that was given.
pub(crate) fn add(tx: &mut OrgTx<'_, '_>, email: &str, name: &str, role: Role, password_hash: &str) -> Result<(Staff, bool)> {
    let added = staff::add(tx, email, name, role, password_hash)?;
    let found = staff::find(tx, added.user)?.ok_or_else(missing)?;
    let act = Act::new(Action::StaffAdd, added.user).with("email", found.user.email.as_str());
    tx.audit(&act.with("name", found.user.name.as_str()).with("role", role.as_str()))?;
    Ok((found, added.made))
}

fn missing() -> Error {
    Error::not_found("staff member")
}

/// Runs the job behind a person's leaving, some conversations at a time, so that nobody waits long for the org's lock.
pub(crate) async fn unassign(app: &App, claimed: &Claimed, user: UserId) -> Result<()> {
    loop {
        let job = claimed.clone();
        let step = move |tx: &mut OrgTx<'_, '_>| {
            if !job::holds(tx, &job)? {
                return Ok(true);
            }
            // Who came back meanwhile may keep what is still theirs.
            let done = staff::find(tx, user)?.is_some() || conversation::unassign(tx, user, CHUNK)? < CHUNK;
            if done {
                job::finish(tx, &job)?;
            }
            Ok(done)
        };
        if app.store().write(claimed.org, step).await? {
            return Ok(());
        }
    }
}
