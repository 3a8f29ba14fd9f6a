//! Looks at Twilio whether an account can send and calls us back (twilio.com/docs/iam/api/account,
//! …/phone-numbers/api/incomingphonenumber-resource, …/messaging/api/service-resource). Sends nothing.

use std::time::Duration;

use parlance_model::account::{Account, TwilioSettings};
use parlance_net::{Client, Request};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

use super::rest::{self, authorized, authorized_by, refusal_code};
use super::{errors, settings};
use crate::Finding;

/// Where Messaging Services are.
const MESSAGING: &str = "https://messaging.twilio.com";
const TIMEOUT: Duration = Duration::from_secs(15);
const MAX_RESPONSE_BYTES: usize = 1 << 20;

#[derive(Deserialize)]
struct Owner {
    status: String,
}

#[derive(Deserialize)]
struct Numbers {
    incoming_phone_numbers: Vec<Number>,
}

#[derive(Deserialize)]
struct Number {
    sid: String,
    phone_number: String,
    sms_url: Option<String>,
    sms_fallback_url: Option<String>,
    voice_url: Option<String>,
    status_callback: Option<String>,
    trunk_sid: Option<String>,
    voice_application_sid: Option<String>,
}

#[derive(Deserialize)]
struct Service {
    inbound_request_url: Option<String>,
    fallback_url: Option<String>,
    #[serde(default)]
    use_inbound_webhook_on_number: bool,
}

/// The parameter that says where Twilio calls, and what it says.
type Hook<'a> = (&'static str, Option<&'a str>);

/// A value that is not empty.
fn given(value: &Option<String>) -> Option<&str> {
    value.as_deref().filter(|value| !value.is_empty())
}

/// The steps in their order, up to the first whose failure makes the rest pointless.
pub(super) async fn check(http: &Client, account: &Account, hook_url: &str, configure: bool) -> Vec<Finding> {
    let at = Api { http, settings: settings(account) };
    let mut found = Vec::new();
    // The first error is a step that was found wanting already.
    let _: Result<(), ()> = async {
        step(&mut found, "credentials", at.credentials().await)?;
        let number = step(&mut found, "number", at.number().await)?;
        let service = match &at.settings.messaging_service_sid {
            Some(sid) => Some(step(&mut found, "messaging_service", at.service(sid).await)?),
            None => None,
        };
        let hooks = at.hooks(&number, service.as_ref(), hook_url, configure).await;
        step(&mut found, "hooks", hooks.map(|text| ((), text)))
    }
    .await;
    found
}

/// Writes down how a step went.
fn step<T>(found: &mut Vec<Finding>, step: &'static str, result: Result<(T, String), String>) -> Result<T, ()> {
    let (ok, text, value) = match result {
        Ok((value, text)) => (true, text, Ok(value)),
        Err(text) => (false, text, Err(())),
    };
    found.push(Finding { step, ok, text });
    value
}

struct Api<'a> {
    http: &'a Client,
    settings: &'a TwilioSettings,
}

impl Api<'_> {
    /// Always the account's own: hooks are signed with the auth token, and a Standard API key may not read the account.
    async fn credentials(&self) -> Result<((), String), String> {
        let mut url = self.resource(&[])?;
        url.set_path(&format!("{}.json", url.path()));
        let own = (self.settings.account_sid.as_str(), self.settings.auth_token.as_str());
        let refused = || errors::explain(errors::CREDENTIALS).message;
        let owner: Owner = self.read(authorized_by(self.settings, own, Request::get(url)), refused).await?;
        match owner.status.as_str() {
            "active" => Ok(((), "Twilio takes the account SID and the auth token, and the account is active.".to_owned())),
            _ => Err(errors::explain("20005").message),
        }
    }

    async fn number(&self) -> Result<(Number, String), String> {
        let own = self.settings.phone_number.as_str();
        let mut url = self.resource(&["IncomingPhoneNumbers.json"])?;
        url.query_pairs_mut().append_pair("PhoneNumber", own);
        let numbers: Numbers = self.ask(Request::get(url)).await?;
        match numbers.incoming_phone_numbers.into_iter().find(|number| number.phone_number == own) {
            Some(number) => Ok((number, self.found_number())),
            None => Err(format!("This Twilio account has no number {own}. Check the number, and that it belongs to this account SID.")),
        }
    }

    fn found_number(&self) -> String {
        let own = &self.settings.phone_number;
        match &self.settings.api_key_sid {
            Some(key) => format!("Twilio takes the API key {key}, and {own} is the account's number."),
            None => format!("{own} is the Twilio account's number."),
        }
    }

    async fn service(&self, sid: &str) -> Result<(Service, String), String> {
        let service = self.ask(Request::get(self.service_url(sid)?)).await?;
        Ok((service, format!("The Messaging Service {sid} is there.")))
    }

    /// Compares where Twilio calls with where it should, and puts that right if it may.
    async fn hooks(&self, number: &Number, service: Option<&Service>, hook_url: &str, configure: bool) -> Result<String, String> {
        let (mut on_number, mut on_service): (Vec<Hook<'_>>, Vec<Hook<'_>>) = Default::default();
        // A service's own URL wins over those of its numbers, unless it says otherwise. The fallback is the second try.
        match service.filter(|service| !service.use_inbound_webhook_on_number) {
            Some(service) => {
                on_service.push(("InboundRequestUrl", service.inbound_request_url.as_deref()));
                on_service.push(("FallbackUrl", service.fallback_url.as_deref()));
            }
            None => {
                on_number.push(("SmsUrl", number.sms_url.as_deref()));
                on_number.push(("SmsFallbackUrl", number.sms_fallback_url.as_deref()));
            }
        }
        let (of_calls, said_of_calls) = self.calls(number, hook_url, configure)?;
        on_number.extend(of_calls);
        for hooks in [&mut on_number, &mut on_service] {
            hooks.retain(|(_, found)| *found != Some(hook_url));
        }
        let wrong: Vec<_> = on_service.iter().chain(&on_number).collect();
        if wrong.is_empty() {
            return Ok(format!("Twilio calls {hook_url}.{said_of_calls}"));
        }
        if !configure {
            let said =
                |(parameter, found): &&Hook<'_>| format!("{parameter} is {}", found.filter(|url| !url.is_empty()).unwrap_or("not set"));
            let said: Vec<_> = wrong.iter().map(said).collect();
            return Err(format!("{}. Set it to {hook_url} in Twilio's console, or let --configure do it.", said.join(", ")));
        }
        let of_service = self.service_url(self.settings.messaging_service_sid.as_deref().unwrap_or_default())?;
        let of_number = self.resource(&["IncomingPhoneNumbers", &format!("{}.json", number.sid)])?;
        for (url, hooks) in [(of_service, on_service), (of_number, on_number)] {
            if !hooks.is_empty() {
                let fields = hooks.into_iter().map(|(parameter, _)| (parameter, hook_url));
                let _: serde_json::Value = self.ask(Request::post(url).form(fields)).await?;
            }
        }
        Ok(format!("Twilio calls {hook_url} from now on.{said_of_calls}"))
    }

    /// The hooks of phone calls that must be ours, and a sentence, if one is needed, on calls that do not come here. Callers may leave
    /// a message even where nobody is rung, so calls that go nowhere are wanted; those that go elsewhere stay there until somebody
    /// is to be rung.
    fn calls<'a>(&self, number: &'a Number, hook_url: &str, configure: bool) -> Result<(Vec<Hook<'a>>, String), String> {
        let own = &self.settings.phone_number;
        let hooks = vec![("VoiceUrl", number.voice_url.as_deref()), ("StatusCallback", number.status_callback.as_deref())];
        let rings = !self.settings.voice.ring.is_empty();
        // Twilio passes over VoiceUrl where there is one of these.
        let taker = given(&number.trunk_sid).or(given(&number.voice_application_sid));
        match (taker, given(&number.voice_url)) {
            (Some(taker), _) if rings => {
                Err(format!("Phone calls to {own} go to {taker}, so nobody here is rung. Take that off the number in Twilio's console."))
            }
            (None, url) if rings || url == Some(hook_url) => Ok((hooks, String::new())),
            (None, None) if configure => Ok((hooks, String::new())),
            (None, None) => {
                let said = format!(
                    " Phone calls to {own} go nowhere: VoiceUrl is not set. Set VoiceUrl and StatusCallback to the same URL in Twilio's \
                     console, or let --configure do it, and callers can leave a message."
                );
                Ok((Vec::new(), said))
            }
            (Some(place), _) | (None, Some(place)) => {
                let said = format!(
                    " Phone calls to {own} go to {place}, and stay there while the account rings nobody. To take them here, name a phone \
                     with `account set --ring` and try again with --configure."
                );
                Ok((Vec::new(), said))
            }
        }
    }

    fn resource(&self, path: &[&str]) -> Result<Url, String> {
        rest::resource(self.settings, path).map_err(|error| error.message)
    }

    fn service_url(&self, sid: &str) -> Result<Url, String> {
        rest::below(self.settings, MESSAGING, &["v1", "Services", sid]).map_err(|error| error.message)
    }

    /// Asks in the account's name, and reads the answer. An error says what to do.
    async fn ask<T: DeserializeOwned>(&self, request: Request) -> Result<T, String> {
        let refused = || match &self.settings.api_key_sid {
            Some(key) => format!(
                "Twilio refused the API key {key}. Check its SID and secret (`account set` takes both anew), that Twilio's console still \
                 lists it, and, if it is a restricted one, that it may do what the account needs."
            ),
            None => errors::explain(errors::CREDENTIALS).message,
        };
        self.read(authorized(self.settings, request), refused).await
    }

    /// Asks, and reads the answer. `refused` says what to do when the credentials are.
    async fn read<T: DeserializeOwned>(&self, request: Request, refused: impl Fn() -> String) -> Result<T, String> {
        let request = request.timeout(TIMEOUT).max_response_bytes(MAX_RESPONSE_BYTES);
        let answer = self.http.execute(request).await.map_err(|failure| format!("Twilio could not be asked. {failure}"))?;
        if !answer.status.is_success() {
            return Err(match (answer.status.as_u16(), refusal_code(&answer.body)) {
                (401, _) => refused(),
                (_, Some(code)) => errors::explain(&code).message,
                (status, None) => format!("Twilio answered with HTTP status {status}. Check the account's base URL, if it has one."),
            });
        }
        serde_json::from_slice(&answer.body)
            .map_err(|_| "Twilio's answer could not be read. Check the account's base URL, if it has one; else try again.".to_owned())
    }
}

#[cfg(test)]
mod tests;
