//! Who a request speaks for, and whom its caller may put above whom. What was looked up a moment ago is taken from memory
//! (`docs/decisions/0005`).

use parlance_model::error::Kind;
use parlance_model::id::KeyId;
use parlance_model::key::Principal;
use parlance_model::role::Role;
use parlance_model::{Error, Result};
use parlance_store::recent::Found;
use parlance_store::{SystemTx, key};

use crate::App;

impl App {
    /// Finds the caller behind a bearer token. A key that was revoked through this process has ended; through another one, it ends within a
    /// second.
    ///
    /// # Errors
    /// `unauthenticated`.
    pub async fn authenticate(&self, token: &str) -> Result<Principal> {
        let (name, token) = (key::hash(token), token.to_owned());
        let find = move |tx: &mut SystemTx<'_, '_>| {
            let value = key::authenticate(tx, &token)?;
            Ok(Found { until_ms: Some(value.expires_ms.unwrap_or(i64::MAX)), value })
        };
        let shown = self.0.keys.get(self.store(), name, find).await?;
        if let Some(key) = shown.note {
            self.note_use(key);
        }
        Ok(shown.who)
    }

    /// Writes a key's use down behind the request's back: it must not wait for it, nor fail with it.
    fn note_use(&self, key: KeyId) {
        if !self.0.noting.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(key) {
            return;
        }
        let app = self.clone();
        self.tasks().spawn(async move {
            if let Err(error) = app.store().system_write(move |tx| key::used(tx, key)).await {
                tracing::warn!(?error, %key, "the use of a key could not be written down");
            }
            app.0.noting.lock().unwrap_or_else(std::sync::PoisonError::into_inner).remove(&key);
        });
    }
}

/// Refuses to touch what ranks above the caller: nobody makes, changes or speaks for an owner but an owner.
pub(crate) fn reaches(who: &Principal, role: Role) -> Result<()> {
    if role <= who.role {
        return Ok(());
    }
    Err(Error::new(
        Kind::Forbidden,
        "forbidden",
        format!("Your role ({}) does not reach a person who is {role}. Ask one of them.", who.role),
    ))
}
