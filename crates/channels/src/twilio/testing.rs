//! What the tests of this folder share.

use http::{HeaderMap, HeaderName, HeaderValue};
use parlance_model::account::{Account, Settings, TwilioSettings};
use parlance_model::id::{AccountId, OrgId};
use parlance_model::phone::Phone;

use crate::Hook;

/// The URL that hooks of these tests are sent to.
pub(super) const URL: &str = "https://chat.example.com/webhooks/twilio";

/// The account that the files in `testdata/` are meant for.
pub(super) fn account() -> Account {
    let region = "US".parse().unwrap();
    let settings = TwilioSettings {
        account_sid: "AC00000000000000000000000000000001".to_owned(),
        auth_token: "0123456789abcdef0123456789abcdef".to_owned(),
        phone_number: Phone::parse("+15551234567", region).unwrap(),
        messaging_service_sid: Some("MG00000000000000000000000000000001".to_owned()),
        base_url: None,
    };
    Account {
        org: OrgId(1),
        id: AccountId(1),
        name: "Front desk".to_owned(),
        region,
        hook_token: "tok3n".to_owned(),
        settings: Settings::Twilio(settings),
        enabled: true,
        created_ms: 0,
    }
}

/// The same account with other settings.
pub(super) fn account_with(change: impl FnOnce(&mut TwilioSettings)) -> Account {
    let mut account = account();
    match &mut account.settings {
        Settings::Twilio(settings) => change(settings),
    }
    account
}

/// Calls `then` with a form hook of these parts.
pub(super) fn with_hook<T>(method: &str, urls: &[&str], signature: &str, body: &[u8], then: impl FnOnce(&Hook<'_>) -> T) -> T {
    with_typed_hook("application/x-www-form-urlencoded", method, urls, signature, body, then)
}

/// Calls `then` with a hook whose body is of this content type.
pub(super) fn with_typed_hook<T>(
    content_type: &'static str,
    method: &str,
    urls: &[&str],
    signature: &str,
    body: &[u8],
    then: impl FnOnce(&Hook<'_>) -> T,
) -> T {
    let urls: Vec<String> = urls.iter().map(|url| (*url).to_owned()).collect();
    let mut headers = HeaderMap::new();
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    if let Ok(signature) = HeaderValue::from_bytes(signature.as_bytes()) {
        headers.insert(HeaderName::from_static("x-twilio-signature"), signature);
    }
    then(&Hook { method, urls: &urls, headers: &headers, body })
}

/// A file of `testdata/`.
pub(super) fn testdata(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/src/twilio/testdata/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}
