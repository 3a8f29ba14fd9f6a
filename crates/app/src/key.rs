//! API keys, as the people of an org make and revoke them.

use parlance_model::audit::{Act, Action};
use parlance_model::clock::iso8601;
use parlance_model::error::Kind;
use parlance_model::id::{KeyId, UserId};
use parlance_model::key::{Dialect, Key, Principal, Scope, Scopes};
use parlance_model::{Error, Result};
use parlance_store::key::NewKey;
use parlance_store::{OrgTx, key, staff};

use crate::App;
use crate::auth::reaches;

/// A key to be made.
#[derive(Debug, Clone)]
pub struct KeyRequest {
    /// What people call it.
    pub name: String,
    /// The person it speaks for; `None` for a key with the rights of an admin.
    pub user: Option<UserId>,
    /// The dialect that it is pinned to.
    pub dialect: Option<Dialect>,
    /// What it is limited to; `None` is everything that its role and its maker may do.
    pub scopes: Option<Scopes>,
    /// When it ends, unix ms.
    pub expires_ms: Option<i64>,
}

impl App {
    /// The org's keys that are not revoked, oldest first, and how many there are.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn keys(&self, who: &Principal, limit: i64, offset: i64) -> Result<(Vec<Key>, i64)> {
        self.store().read(who.org, move |tx| key::list(tx, limit, offset)).await
    }

    /// Makes a key and answers its token, to be shown once.
    ///
    /// # Errors
    /// `not_found` for the person; `forbidden` for a person or a scope beyond the caller's own; `validation_failed`.
    pub async fn add_key(&self, who: &Principal, request: KeyRequest) -> Result<(Key, String)> {
        let KeyRequest { name, user, dialect, expires_ms, .. } = request;
        let new = NewKey { user, name, dialect, scopes: scopes(who, request.scopes)?, expires_ms };
        let token = key::new_token(self.0.entropy.as_ref());
        let (kept, caller) = (token.clone(), who.clone());
        let write = move |tx: &mut OrgTx<'_, '_>| {
            if let Some(user) = new.user {
                reaches(&caller, staff::find(tx, user)?.ok_or_else(|| Error::not_found("staff member"))?.role)?;
            }
            create(tx, &new, &kept)
        };
        Ok((self.write_as(who, write).await?, token))
    }

    /// Ends a key at once.
    ///
    /// # Errors
    /// `not_found`; `forbidden` for the key of an owner, by anybody else.
    pub async fn revoke_key(&self, who: &Principal, id: KeyId) -> Result<()> {
        let caller = who.clone();
        let write = move |tx: &mut OrgTx<'_, '_>| {
            let key = key::get(tx, id)?;
            if let Some(user) = key.user
                && let Some(staff) = staff::find(tx, user)?
            {
                reaches(&caller, staff.role)?;
            }
            revoke(tx, id)
        };
        self.write_as(who, write).await
    }
}

/// Ends a key.
pub(crate) fn revoke(tx: &mut OrgTx<'_, '_>, id: KeyId) -> Result<()> {
    let key = key::get(tx, id)?;
    key::revoke(tx, id)?;
    tx.audit(&Act::new(Action::KeyRevoke, id).with("name", key.name).with("user_id", key.user.map(|user| user.0)))
}

/// Makes a key, and writes down what it may do.
pub(crate) fn create(tx: &mut OrgTx<'_, '_>, new: &NewKey, token: &str) -> Result<Key> {
    let id = key::create(tx, new, token)?;
    let made = key::get(tx, id)?;
    let act = Act::new(Action::KeyCreate, id)
        .with("name", made.name.as_str())
        .with("user_id", made.user.map(|user| user.0))
        .with("scopes", made.scopes.iter().map(Scope::as_str).collect::<Vec<_>>())
        .with("dialect", made.dialect.map(Dialect::as_str))
        .with("expires_at", made.expires_ms.map(iso8601));
    tx.audit(&act)?;
    Ok(made)
}

/// What a new key is limited to. A key makes no key that may do more than itself; a person who signed in has every scope.
fn scopes(who: &Principal, asked: Option<Scopes>) -> Result<Scopes> {
    let Some(asked) = asked else { return Ok(Scopes::FULL.iter().filter(|scope| who.scopes.has(*scope)).collect()) };
    match asked.iter().find(|scope| !who.scopes.has(*scope)) {
        None => Ok(asked),
        Some(scope) => {
            Err(Error::new(Kind::Forbidden, "forbidden", format!("Your key lacks the scope {scope}, so it cannot make a key that has it.")))
        }
    }
}
