//! Who a request speaks for, and whom its caller may put above whom.

use parlance_model::error::Kind;
use parlance_model::id::KeyId;
use parlance_model::key::Principal;
use parlance_model::role::Role;
use parlance_model::{Error, Result};
use parlance_store::key;

use crate::App;

impl App {
    /// Finds the caller behind a bearer token. Looked up at every request, so a revoked key ends at once.
    ///
    /// # Errors
    /// `unauthenticated`.
    pub async fn authenticate(&self, token: &str) -> Result<Principal> {
        let token = token.to_owned();
        let shown = self.store().system_read(move |tx| key::authenticate(tx, &token)).await?;
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
