//! Who a request speaks for.

use parlance_model::Result;
use parlance_model::key::Principal;
use parlance_store::key;

use crate::App;

impl App {
    /// Finds the caller behind a bearer token. Looked up at every request, so a revoked key ends at once.
    ///
    /// # Errors
    /// `unauthenticated`.
    pub async fn authenticate(&self, token: &str) -> Result<Principal> {
        let token = token.to_owned();
        self.store().system_read(move |tx| key::authenticate(tx, &token)).await
    }
}
