//! Twilio: SMS, MMS and WhatsApp in and out, phone calls in and out, and what became of each. Its quirks are in `README.md`.

mod calls;
mod check;
mod errors;
mod fetch;
mod form;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod list;
mod media;
mod parse;
mod place;
mod rest;
mod send;
mod signature;
mod status;
#[cfg(any(test, fuzzing))]
#[expect(clippy::unwrap_used, reason = "for tests and fuzz targets; clippy knows only its test modules")]
mod testing;
mod twiml;
mod voice;

use parlance_model::Result;
use parlance_model::account::{Account, Settings, TwilioSettings};
use parlance_model::call::next::Directed;
use parlance_model::channel::Channel as Medium;
use parlance_model::error::{Error, Kind};
use parlance_model::id::AttemptId;
use parlance_model::listed::Listing;
use parlance_model::media::Facts;
use parlance_model::outbound::{Outgoing, OutgoingCall};
use parlance_net::Client;

use crate::{Channel, Checking, Claim, Fetching, Hook, Looking, LookingAtCall, Parsed, Sending};
use form::Form;

/// The adapter.
#[derive(Debug, Clone, Copy)]
pub struct Twilio;

impl Channel for Twilio {
    fn read<'h>(&self, hook: &'h Hook<'h>) -> Box<dyn Claim + 'h> {
        let form = Form::of(hook);
        let account_sid = form.as_ref().and_then(|form| form.text("AccountSid"));
        Box::new(Read { hook, form, account_sid })
    }

    fn account_name<'a>(&self, account: &'a Account) -> &'a str {
        &settings(account).account_sid
    }

    fn answer(&self) -> (&'static str, &'static str) {
        // Any other content type becomes an error in Twilio's console, any verb in here an answer to the contact.
        ("text/xml", "<Response/>")
    }

    fn files_limit(&self, channel: Medium) -> usize {
        media::limit(channel)
    }

    fn check_files(&self, channel: Medium, files: &[&Facts]) -> Result<()> {
        media::check(channel, files)
    }

    fn direct(&self, public_url: &str, account: &Account, to: &Directed) -> String {
        voice::direct(public_url, account, to)
    }

    fn call<'a>(&'a self, http: &'a Client, public_url: &'a str, account: &'a Account, call: &'a OutgoingCall) -> Sending<'a> {
        Box::pin(place::place(http, public_url, account, call))
    }

    fn send<'a>(&'a self, http: &'a Client, account: &'a Account, message: &'a Outgoing) -> Sending<'a> {
        Box::pin(send::send(http, account, message))
    }

    fn list<'a>(&'a self, http: &'a parlance_net::Client, account: &'a Account, wanted: &'a Listing, page: Option<&'a str>) -> Looking<'a> {
        Box::pin(list::page(http, account, wanted, page))
    }

    fn find_call<'a>(&'a self, http: &'a Client, account: &'a Account, provider_id: &'a str) -> LookingAtCall<'a> {
        Box::pin(calls::find(http, account, provider_id))
    }

    fn fetch<'a>(&'a self, http: &'a parlance_net::Client, account: &'a Account, url: &'a str) -> Fetching<'a> {
        Box::pin(fetch::fetch(http, account, url))
    }

    fn check<'a>(&'a self, http: &'a parlance_net::Client, account: &'a Account, hook_url: &'a str, configure: bool) -> Checking<'a> {
        Box::pin(check::check(http, account, hook_url, configure))
    }
}

/// A hook with its parameters.
struct Read<'h> {
    hook: &'h Hook<'h>,
    /// `None` where it is no form, or too large a one.
    form: Option<Form<'h>>,
    account_sid: Option<String>,
}

impl Claim for Read<'_> {
    fn account_name(&self) -> Result<&str> {
        self.account_sid
            .as_deref()
            .ok_or_else(|| Error::new(Kind::Malformed, "malformed", "The request must be a form that Twilio sends, with an AccountSid."))
    }

    fn verify(&self, account: &Account) -> bool {
        signature::verify(&settings(account).auth_token, self.hook, self.form.as_ref())
    }

    fn parse(&self, account: &Account) -> Parsed {
        parse::parse(account, self.hook, self.form.as_ref())
    }
}

/// Where Twilio reports what becomes of an attempt: the account's own hook URL, with the attempt in its query. Twilio signs
/// the whole URL, so the attempt can be believed.
#[must_use]
pub fn status_callback(public_url: &str, hook_token: &str, attempt: AttemptId) -> String {
    format!("{}?attempt={attempt}", hook_url(public_url, hook_token))
}

/// The account's own hook URL.
fn hook_url(public_url: &str, hook_token: &str) -> String {
    format!("{}/webhooks/twilio/a/{hook_token}", public_url.trim_end_matches('/'))
}

/// What marks the addresses of WhatsApp: `whatsapp:+15551234567`.
const WHATSAPP: &str = "whatsapp:";

/// Whether a text can be the id of a message. Its form is not Twilio's promise, so anything that is plainly an id will do.
fn is_sid(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn settings(account: &Account) -> &TwilioSettings {
    match &account.settings {
        Settings::Twilio(settings) => settings,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_callback_carries_the_attempt() {
        let expected = "https://chat.example.com/webhooks/twilio/a/tok3n?attempt=123";
        assert_eq!(status_callback("https://chat.example.com", "tok3n", AttemptId(123)), expected);
        assert_eq!(status_callback("https://chat.example.com/", "tok3n", AttemptId(123)), expected);
    }

    #[test]
    fn the_claimed_account_is_read_from_the_form_and_missing_is_malformed() {
        let claimed = |body: &[u8]| {
            testing::with_hook(testing::By::Form, &[testing::URL], "", body, |hook| Twilio.read(hook).account_name().map(str::to_owned))
        };
        assert_eq!(claimed(b"To=1&AccountSid=AC1&From=2").unwrap(), "AC1");
        for body in [&b""[..], b"AccountSid=", b"To=1", b"\xff\xfe%", b"{\"AccountSid\":\"AC1\"}"] {
            assert_eq!(claimed(body).unwrap_err().kind(), Kind::Malformed);
        }
    }
}
