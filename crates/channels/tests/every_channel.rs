//! What holds for every provider's adapter, walked over the payloads in its `testdata/`: reading is repeatable, and nothing
//! that a stranger sends verifies or panics.

#![expect(clippy::unwrap_used, reason = "a test file; clippy knows only its test functions")]

use std::path::PathBuf;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};
use parlance_channels::{Channel, Hook, of};
use parlance_model::account::{Account, Settings, TwilioSettings, Voice};
use parlance_model::channel::Provider;
use parlance_model::id::{AccountId, OrgId};
use parlance_model::phone::Phone;

/// An account of the provider that its payloads are meant for.
fn account(provider: Provider) -> Account {
    let region = "US".parse().unwrap();
    let settings = match provider {
        Provider::Twilio => Settings::Twilio(TwilioSettings {
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
        }),
    };
    Account {
        org: OrgId(1),
        id: AccountId(1),
        name: provider.to_string(),
        region,
        hook_token: "tok3n".to_owned(),
        settings,
        enabled: true,
        org_disabled: false,
        created_ms: 0,
    }
}

fn folder(provider: Provider) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "src", provider.as_str()].iter().collect()
}

/// The hooks in the provider's folder: name, content type, body. Answers of its API (`api_…`) are no hooks.
fn payloads(provider: Provider) -> Vec<(String, &'static str, Vec<u8>)> {
    let files = std::fs::read_dir(folder(provider).join("testdata")).unwrap().map(|entry| entry.unwrap().path());
    let payload = |path: PathBuf| {
        let name = path.file_name()?.to_str()?.to_owned();
        let content_type = match path.extension()?.to_str()? {
            "form" => "application/x-www-form-urlencoded",
            "json" if !name.starts_with("api_") && name != "vectors.json" => "application/json",
            _ => return None,
        };
        Some((name, content_type, std::fs::read(path).ok()?))
    };
    let found: Vec<_> = files.filter_map(payload).collect();
    assert!(!found.is_empty(), "{provider} has payloads");
    found
}

/// Everything that the adapter says of a body, as text.
fn read(channel: &dyn Channel, account: &Account, content_type: &'static str, body: &[u8]) -> String {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert("x-twilio-signature", HeaderValue::from_static("AAAAAAAAAAAAAAAAAAAAAAAAAAA="));
    let urls = ["https://chat.example.com/webhooks".to_owned()];
    let hook = Hook { method: "POST", urls: &urls, headers: &headers, body };
    let claim = channel.read(&hook);
    assert!(!claim.verify(account), "nobody signed this");
    format!("{:?} {:?}", claim.account_name(), claim.parse(account))
}

#[test]
fn every_folder_says_where_its_payloads_come_from() {
    for &provider in Provider::ALL {
        assert!(folder(provider).join("README.md").exists(), "{provider}");
        let sources = std::fs::read_to_string(folder(provider).join("testdata/SOURCES.md")).unwrap();
        for (name, _, _) in payloads(provider) {
            assert!(sources.contains(&format!("`{name}`")), "{name}");
        }
    }
}

#[test]
fn a_hook_says_the_same_every_time() {
    for &provider in Provider::ALL {
        let account = account(provider);
        for (name, content_type, body) in payloads(provider) {
            let [first, second] = [(); 2].map(|()| read(of(provider), &account, content_type, &body));
            assert_eq!(first, second, "{name}");
        }
    }
}

#[test]
fn a_cut_or_damaged_hook_never_panics() {
    for &provider in Provider::ALL {
        let account = account(provider);
        for (_, content_type, mut body) in payloads(provider) {
            for at in 0..body.len() {
                read(of(provider), &account, content_type, &body[..at]);
                let bit = 1 << (at % 8);
                body[at] ^= bit;
                read(of(provider), &account, content_type, &body);
                body[at] ^= bit;
            }
        }
    }
}
