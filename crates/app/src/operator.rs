//! What whoever runs the installation sees and switches, on the command line: orgs, users, keys, accounts and audit logs. There is
//! no caller to ask for rights: who reaches the database has them all. What they make is in `directory`.

use parlance_model::account::Account;
use parlance_model::audit::{Act, Action, Actor};
use parlance_model::id::{AccountId, KeyId, OrgId, UserId};
use parlance_model::key::Key;
use parlance_model::org::{Org, User};
use parlance_model::role::Role;
use parlance_model::{Result, entropy};
use parlance_store::{OrgTx, SystemTx, audit, job, key, org, staff, user};

use crate::App;
use crate::account::{self, AccountChanges};
use crate::directory::FLAGS;

/// A page that holds everything: the command line prints whole lists.
const ALL: i64 = i64::MAX;

impl App {
    /// Every org, oldest first.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn orgs(&self) -> Result<Vec<Org>> {
        self.store().system_read(org::all).await
    }

    /// Switches an org off or on. Off, its keys and sessions are refused, its hooks are put off, and its jobs rest. The switch counts
    /// at once; then its jobs are marked.
    ///
    /// # Errors
    /// `not_found`; those of the database, also when the switch was made and not all jobs were marked.
    pub async fn set_org_enabled(&self, slug: &str, enabled: bool) -> Result<Org> {
        let id = self.org(slug).await?.id;
        let write = move |tx: &mut OrgTx<'_, '_>| {
            if org::current(tx)?.disabled_ms.is_none() != enabled {
                org::set_disabled(tx, !enabled)?;
                tx.audit(&Act::new(if enabled { Action::OrgEnable } else { Action::OrgDisable }, id))?;
            }
            org::current(tx)
        };
        let switched = self.store().write_as(id, Actor::COMMAND, write).await?;
        self.jobs_follow(id).await?;
        Ok(switched)
    }

    /// Marks the jobs of every org whose switch they do not follow: what a command that was cut off has left, and what came since.
    pub(crate) async fn jobs_follow_switches(&self) -> Result<()> {
        for org in self.store().system_read(job::behind_switch).await? {
            self.jobs_follow(org).await?;
        }
        Ok(())
    }

    /// Chunk by chunk, so that others can write in between.
    async fn jobs_follow(&self, org: OrgId) -> Result<()> {
        while self.store().write(org, job::follow_switch).await? == job::CHUNK {}
        Ok(())
    }

    /// Every user of the installation; of one org, with their roles, when it is given.
    ///
    /// # Errors
    /// `not_found` for the org.
    pub async fn users(&self, org: Option<&str>) -> Result<Vec<(User, Option<Role>)>> {
        let Some(slug) = org else {
            return Ok(self.store().system_read(user::all).await?.into_iter().map(|user| (user, None)).collect());
        };
        let (staff, _) = self.in_org(slug, |tx| staff::list(tx, ALL, 0)).await?;
        Ok(staff.into_iter().map(|staff| (staff.user, Some(staff.role))).collect())
    }

    /// The user with this e-mail address, and where they work.
    ///
    /// # Errors
    /// `not_found`; `validation_failed`.
    pub async fn user(&self, email: &str) -> Result<(User, Vec<(Org, Role)>)> {
        let email = email.to_owned();
        self.store()
            .system_read(move |tx| {
                let user = user::by_email(tx, &email)?;
                let orgs = staff::orgs(tx, user.id, None)?;
                Ok((user, orgs))
            })
            .await
    }

    /// Switches a user off or on, in every org. Off, their sessions have ended, their keys are refused, and they cannot sign in.
    ///
    /// # Errors
    /// `not_found`; `last_owner`.
    pub async fn set_user_enabled(&self, email: &str, enabled: bool) -> Result<User> {
        let email = email.to_owned();
        self.store()
            .system_write(move |tx| {
                let found = user::by_email(tx, &email)?;
                if found.disabled_ms.is_none() == enabled {
                    return Ok(found);
                }
                if enabled {
                    user::enable(tx, found.id)?;
                } else {
                    user::disable(tx, &found)?;
                }
                written(tx, if enabled { Action::UserEnable } else { Action::UserDisable }, found.id)?;
                user::get(tx, found.id)
            })
            .await
    }

    /// Gives a user another password and ends their sessions. Without one it is made and answered, to be shown once.
    ///
    /// # Errors
    /// `not_found`; `validation_failed`.
    pub async fn reset_password(&self, email: &str, given: Option<String>) -> Result<Option<String>> {
        let made = given.is_none().then(|| entropy::token(self.0.entropy.as_ref(), 20));
        let hash = self.hash_password(given.or_else(|| made.clone()).unwrap_or_default()).await?;
        let email = email.to_owned();
        self.store()
            .system_write(move |tx| {
                let id = user::by_email(tx, &email)?.id;
                user::set_password(tx, id, &hash)?;
                written(tx, Action::UserPassword, id)
            })
            .await?;
        Ok(made)
    }

    /// An org's keys that are not revoked, oldest first.
    ///
    /// # Errors
    /// `not_found` for the org.
    pub async fn keys_of(&self, org: &str) -> Result<Vec<Key>> {
        self.in_org(org, |tx| Ok(key::list(tx, ALL, 0)?.0)).await
    }

    /// One of them.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn key_of(&self, org: &str, id: KeyId) -> Result<Key> {
        self.in_org(org, move |tx| key::get(tx, id)).await
    }

    /// Ends a key at once, for good.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn disable_key(&self, org: &str, id: KeyId) -> Result<()> {
        let org = self.org(org).await?.id;
        self.store().write_as(org, Actor::COMMAND, move |tx| crate::key::revoke(tx, id)).await
    }

    /// An org's accounts, oldest first.
    ///
    /// # Errors
    /// `not_found` for the org.
    pub async fn accounts_of(&self, org: &str) -> Result<Vec<Account>> {
        self.in_org(org, parlance_store::account::list).await
    }

    /// One of them.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn account_of(&self, org: &str, id: AccountId) -> Result<Account> {
        self.in_org(org, move |tx| parlance_store::account::get(tx, id)).await
    }

    /// Switches an account off or on. Off, it neither sends nor receives.
    ///
    /// # Errors
    /// `not_found`; `validation_failed` when its secrets were cleared.
    pub async fn set_account_enabled(&self, org: &str, id: AccountId, enabled: bool) -> Result<Account> {
        self.set_account(org, id, AccountChanges { enabled: Some(enabled), ..AccountChanges::default() }).await
    }

    /// Changes what is given.
    ///
    /// # Errors
    /// `not_found`; `validation_failed`.
    pub async fn set_account(&self, org: &str, id: AccountId, changes: AccountChanges) -> Result<Account> {
        let org = self.org(org).await?.id;
        self.store().write_as(org, Actor::COMMAND, move |tx| account::change(tx, id, &changes, &FLAGS)).await
    }

    /// The newest rows of an org's audit log that the filter lets through, newest first.
    ///
    /// # Errors
    /// `not_found` for the org.
    pub async fn audit_of(&self, org: &str, filter: audit::Filter, limit: i64) -> Result<Vec<audit::Record>> {
        self.in_org(org, move |tx| audit::list(tx, &filter, None, limit)).await
    }

    async fn in_org<T, F>(&self, slug: &str, read: F) -> Result<T>
    where
        F: Fn(&mut OrgTx<'_, '_>) -> Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let id: OrgId = self.org(slug).await?.id;
        self.store().read(id, read).await
    }
}

/// Writes down what a command does to a user, in each org where they work.
fn written(tx: &mut SystemTx<'_, '_>, action: Action, user: UserId) -> Result<()> {
    let act = Act::new(action, user);
    staff::orgs(tx, user, None)?.iter().try_for_each(|(org, _)| tx.audit(org.id, &Actor::COMMAND, &act))
}
