//! Who may use the REST API: Basic authentication with the account's SID and auth token, or with one of its API keys, which are
//! Standard ones.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, header};

use super::refusal::Refusal;
use super::state::{Account, Inner};

impl Inner {
    /// The account in the path, if the credentials are its own.
    ///
    /// As at Twilio, credentials that nobody has are 401 (20003), and another account's SID in the path is 404 (20404).
    pub(crate) fn authenticate(&self, headers: &HeaderMap, account_sid: &str, path: &str) -> Result<Arc<Account>, Refusal> {
        let (user, password) = credentials(headers).ok_or_else(Refusal::unauthenticated)?;
        let account = self.accounts.iter().find(|account| knows(account, &user, &password)).ok_or_else(Refusal::unauthenticated)?;
        if account.config.account_sid == account_sid { Ok(Arc::clone(account)) } else { Err(Refusal::not_found(path)) }
    }

    /// The same for the account itself, which Standard API keys may not read (twilio.com/docs/iam/api-keys).
    pub(crate) fn authenticate_owner(&self, headers: &HeaderMap, account_sid: &str, path: &str) -> Result<Arc<Account>, Refusal> {
        let account = self.authenticate(headers, account_sid, path)?;
        let own = credentials(headers).is_some_and(|(user, _)| user == account.config.account_sid);
        if own { Ok(account) } else { Err(Refusal::saying(20003, "Authentication Error - invalid username").with_status(401)) }
    }
}

fn knows(account: &Account, user: &str, password: &str) -> bool {
    let account = &account.config;
    (user == account.account_sid && password == account.auth_token)
        || account.api_keys.iter().any(|key| user == key.sid && password == key.secret)
}

fn credentials(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    let decoded = STANDARD.decode(encoded.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
    let (user, password) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}
