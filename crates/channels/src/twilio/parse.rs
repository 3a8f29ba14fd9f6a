//! Reads a verified hook: a message that came in, or what became of one of ours. Twilio names no kind, so hooks are told
//! apart by their parameters.

use parlance_model::account::{Account, TwilioSettings};
use parlance_model::channel::{Channel, JsonObject};
use parlance_model::id::AttemptId;
use parlance_model::inbound::{Inbound, InboundMessage, Receipt};
use parlance_model::message::Attachment;
use parlance_model::opt_out::OptSignal;
use parlance_model::phone::{Address, Phone};
use serde_json::Value;

use super::form::{self, Form};
use super::{errors, is_sid, settings, status};
use crate::{Hook, Parsed};

const UNREADABLE: &str = "Twilio sent something that is no form, or a form with too many parameters.";
const VOICE: &str = "It is about a phone call, which this version does not take over Twilio.";
const OTHER_CHANNEL: &str = "It came over WhatsApp or another channel of Twilio's, which this version does not take.";
const NO_SID: &str = "It names no message: MessageSid is missing or malformed.";
const NO_RECIPIENT: &str = "It says neither a To number nor a Messaging Service, so it cannot be told whose it is.";
const NO_CONTENT: &str = "It is neither a message (no Body, no NumMedia) nor a report (no MessageStatus).";
const UNKNOWN_STATUS: &str = "It reports a MessageStatus that this version does not know.";

/// Twilio documents ten files a message. More are kept too, up to a number that no message has.
const MAX_MEDIA: usize = 32;

/// Facts that only Twilio has, and their names under `meta.provider`.
const META: [(&str, &str); 10] = [
    ("To", "to"),
    ("MessagingServiceSid", "messaging_service_sid"),
    ("FromCity", "from_city"),
    ("FromState", "from_state"),
    ("FromZip", "from_zip"),
    ("FromCountry", "from_country"),
    ("ToCity", "to_city"),
    ("ToState", "to_state"),
    ("ToZip", "to_zip"),
    ("ToCountry", "to_country"),
];

/// Reads a hook that the account's token has signed.
pub(super) fn parse(account: &Account, hook: &Hook<'_>) -> Parsed {
    match Form::of(hook) {
        Some(form) => Reader { account, settings: settings(account), form, attempt: attempt(hook) }.read(),
        None => Parsed::Quarantine(UNREADABLE),
    }
}

/// Our attempt, from the query of the URL that was called. Every spelling of the URL has the same query.
fn attempt(hook: &Hook<'_>) -> Option<AttemptId> {
    let query = Form::parse(form::query(hook.urls.first()?).as_bytes())?;
    let id = query.text("attempt")?.parse().ok()?;
    (id > 0).then_some(AttemptId(id))
}

struct Reader<'a> {
    account: &'a Account,
    settings: &'a TwilioSettings,
    form: Form<'a>,
    attempt: Option<AttemptId>,
}

impl Reader<'_> {
    fn read(&self) -> Parsed {
        if self.form.text("AccountSid").is_some_and(|sid| sid != self.settings.account_sid) {
            return Parsed::NotOurs;
        }
        let Some(sid) = self.message_sid() else { return self.without_message() };
        // Inbound messages carry an SmsStatus too. Only a report has one without a Body.
        let is_message = self.form.has("Body") || self.form.has("NumMedia");
        match self.form.text("MessageStatus").or_else(|| self.form.text("SmsStatus").filter(|_| !is_message)) {
            Some(word) if !status::is_inbound(&word) => self.receipt(sid, &word),
            Some(_) => self.message(sid),
            None if is_message => self.message(sid),
            None => Parsed::Quarantine(NO_CONTENT),
        }
    }

    /// The id of the message, by the newest of its three names.
    fn message_sid(&self) -> Option<String> {
        let sid = ["MessageSid", "SmsSid", "SmsMessageSid"].into_iter().find_map(|name| self.form.text(name))?;
        is_sid(&sid).then_some(sid)
    }

    fn without_message(&self) -> Parsed {
        if !["CallSid", "RecordingSid", "TranscriptionSid"].into_iter().any(|name| self.form.has(name)) {
            return Parsed::Quarantine(NO_SID);
        }
        let ends = [self.form.text("To"), self.form.text("From")];
        if ends.iter().any(Option::is_some) && !ends.iter().flatten().any(|end| self.is_own_number(end)) {
            return Parsed::NotOurs;
        }
        Parsed::Quarantine(VOICE)
    }

    fn message(&self, provider_id: String) -> Parsed {
        let (from, to) = (self.form.text("From").unwrap_or_default(), self.form.text("To"));
        let service = self.form.text("MessagingServiceSid");
        if to.is_none() && service.is_none() {
            return Parsed::Quarantine(NO_RECIPIENT);
        }
        if !to.as_deref().is_some_and(|to| self.is_own_number(to)) && !self.is_own_service(service.as_deref()) {
            return Parsed::NotOurs;
        }
        if [Some(&*from), to.as_deref()].into_iter().flatten().any(is_other_channel) {
            return Parsed::Quarantine(OTHER_CHANNEL);
        }
        let body = self.form.text("Body").unwrap_or_default();
        Parsed::Apply(vec![Inbound::Message(InboundMessage {
            provider_id,
            channel: Channel::Sms,
            from: Address::parse(&from, self.account.region),
            profile_name: self.form.text("ProfileName"),
            attachments: self.attachments(),
            at_ms: None,
            opt: self.opt(&body),
            segments: self.form.text("NumSegments").and_then(|count| count.parse().ok()),
            history: false,
            provider_meta: self.meta(),
            body,
        })])
    }

    fn receipt(&self, provider_id: String, word: &str) -> Parsed {
        let (from, to) = (self.form.text("From"), self.form.text("To"));
        let service = self.form.text("MessagingServiceSid");
        let ours = self.attempt.is_some()
            || (from.is_none() && service.is_none())
            || from.as_deref().is_some_and(|from| self.is_own_number(from))
            || self.is_own_service(service.as_deref());
        if !ours {
            return Parsed::NotOurs;
        }
        if [&from, &to].into_iter().flatten().any(|end| is_other_channel(end)) {
            return Parsed::Quarantine(OTHER_CHANNEL);
        }
        let Some(state) = status::state(word) else { return Parsed::Quarantine(UNKNOWN_STATUS) };
        let code = self.form.text("ErrorCode").filter(|code| code.trim() != "0");
        Parsed::Apply(vec![Inbound::Receipt(Receipt {
            provider_id,
            attempt: self.attempt,
            state,
            opted_out: code.as_deref() == Some(errors::OPTED_OUT),
            error: code.as_deref().map(errors::explain),
            to: to.map(|to| Address::parse(&to, self.account.region)),
        })])
    }

    fn is_own_number(&self, text: &str) -> bool {
        let own = &self.settings.phone_number;
        // Twilio writes E.164, so the metadata is asked only about what differs.
        text == own.as_str() || Phone::parse(text, self.account.region).is_ok_and(|phone| phone == *own)
    }

    fn is_own_service(&self, sid: Option<&str>) -> bool {
        sid.is_some() && sid == self.settings.messaging_service_sid.as_deref()
    }

    fn attachments(&self) -> Vec<Attachment> {
        let count = self.form.text("NumMedia").and_then(|count| count.parse::<usize>().ok()).unwrap_or(0);
        let attachment = |n| {
            let provider_url = self.form.text(&format!("MediaUrl{n}"))?;
            let content_type = self.form.text(&format!("MediaContentType{n}"));
            Some(Attachment::remote(provider_url, content_type.unwrap_or_else(|| "application/octet-stream".to_owned())))
        };
        (0..count.min(MAX_MEDIA)).filter_map(attachment).collect()
    }

    /// Twilio's own judgement (Advanced Opt-Out knows words of other languages) before the words that we know.
    fn opt(&self, body: &str) -> Option<OptSignal> {
        match self.form.text("OptOutType").as_deref() {
            Some("STOP") => Some(OptSignal::Stop),
            Some("START") => Some(OptSignal::Start),
            Some("HELP") => Some(OptSignal::Help),
            _ => OptSignal::from_body(body),
        }
    }

    fn meta(&self) -> JsonObject {
        let texts = META.into_iter().filter_map(|(name, key)| Some((key.to_owned(), Value::from(self.form.text(name)?))));
        let segments = self.form.text("NumSegments").and_then(|count| count.parse::<u32>().ok());
        JsonObject(texts.chain(segments.map(|count| ("num_segments".to_owned(), Value::from(count)))).collect())
    }
}

/// Whether an address is of another channel than the telephone network's: `whatsapp:+15551234567`, `messenger:…`, `rcs:…`.
/// No number, short code or name has a colon.
fn is_other_channel(address: &str) -> bool {
    address.contains(':')
}

#[cfg(test)]
mod tests;
