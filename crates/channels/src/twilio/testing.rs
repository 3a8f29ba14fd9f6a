//! What the tests of this folder share.

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue};
use parlance_model::account::{Account, Settings, TwilioSettings, Voice};
use parlance_model::id::{AccountId, OrgId};
use parlance_model::phone::Phone;

use crate::Hook;

const SIGNATURE: HeaderName = HeaderName::from_static("x-twilio-signature");

/// The URL that hooks of these tests are sent to.
pub(super) const URL: &str = "https://chat.example.com/webhooks/twilio";

/// The account that the files in `testdata/` are meant for.
pub(super) fn account() -> Account {
    let region = "US".parse().unwrap();
    let settings = TwilioSettings {
        account_sid: "AC00000000000000000000000000000001".to_owned(),
        auth_token: "0123456789abcdef0123456789abcdef".to_owned(),
        api_key_sid: None,
        api_key_secret: String::new(),
        phone_number: Phone::parse("+15551234567", region).unwrap(),
        messaging_service_sid: Some("MG00000000000000000000000000000001".to_owned()),
        base_url: None,
        whatsapp_number: None,
        messages_per_second: None,
        voice: Voice::default(),
    };
    Account {
        org: OrgId(1),
        id: AccountId(1),
        name: "Front desk".to_owned(),
        region,
        hook_token: "tok3n".to_owned(),
        settings: Settings::Twilio(settings),
        enabled: true,
        org_disabled: false,
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

/// How a hook is sent.
#[derive(Debug, Clone, Copy)]
pub(super) enum By {
    /// `POST` with a form.
    Form,
    /// `POST` with JSON.
    Json,
    /// `GET`.
    Get,
}

/// Calls `then` with a hook of these parts. A signature that no header can carry is left out.
pub(super) fn with_hook<T>(by: By, urls: &[&str], signature: &str, body: &[u8], then: impl FnOnce(&Hook<'_>) -> T) -> T {
    let urls: Vec<String> = urls.iter().map(|url| (*url).to_owned()).collect();
    let (method, content_type) = match by {
        By::Form => ("POST", Some("application/x-www-form-urlencoded")),
        By::Json => ("POST", Some("application/json; charset=utf-8")),
        By::Get => ("GET", None),
    };
    let signature = HeaderValue::from_bytes(signature.as_bytes()).ok();
    let headers = [(CONTENT_TYPE, content_type.map(HeaderValue::from_static)), (SIGNATURE, signature)];
    let headers: HeaderMap = headers.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    then(&Hook { method, urls: &urls, headers: &headers, body })
}

/// A file of `testdata/`.
pub(super) fn testdata(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/src/twilio/testdata/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}
