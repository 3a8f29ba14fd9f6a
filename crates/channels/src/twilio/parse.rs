//! Reads a verified hook: a message that came in, or what became of one of ours. Twilio names no kind, so hooks are told
//! apart by their parameters.

use parlance_model::account::{Account, TwilioSettings};
use parlance_model::channel::{Channel, JsonObject};
use parlance_model::id::AttemptId;
use parlance_model::inbound::{Inbound, InboundMessage, Receipt};
use parlance_model::message::Attachment;
use parlance_model::opt_out::OptSignal;
use parlance_model::phone::{Address, Phone};
use serde_json::{Value, json};

use super::form::{self, Form};
use super::{WHATSAPP, errors, is_sid, settings, status, voice};
use crate::{Hook, Parsed};

const UNREADABLE: &str = "Twilio sent something that is no form, or a form with too many parameters.";
const OTHER_CHANNEL: &str = "It came over a channel of Twilio's that this version does not take.";
pub(super) const NO_SID: &str = "It names no message or call: the id is missing or malformed.";
const NO_RECIPIENT: &str = "It says neither a To number nor a Messaging Service, so it cannot be told whose it is.";
const NO_CONTENT: &str = "It is neither a message (no Body, no NumMedia) nor a report (no MessageStatus).";
const OTHER_PRODUCT: &str = "It is an event of Twilio Conversations, which this version does not take.";
const UNKNOWN_STATUS: &str = "It reports a MessageStatus that this version does not know.";

/// Twilio documents ten files a message. More are kept too, up to a number that no message has.
const MAX_MEDIA: usize = 32;

/// Facts that only Twilio has, and their names under `meta.provider`.
const META: [(&str, &str); 31] = [
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
    // Of WhatsApp.
    ("WaId", "wa_id"),
    ("ProfileName", "profile_name"),
    ("MessageType", "message_type"),
    ("ButtonText", "button_text"),
    ("ButtonPayload", "button_payload"),
    ("ListTitle", "list_title"),
    ("ListId", "list_id"),
    ("ListDescription", "list_description"),
    ("ButtonType", "button_type"),
    ("InteractiveData", "interactive_data"),
    ("FlowData", "flow_data"),
    ("OriginalRepliedMessageSender", "original_replied_message_sender"),
    ("OriginalRepliedMessageSid", "original_replied_message_sid"),
    ("Forwarded", "forwarded"),
    ("FrequentlyForwarded", "frequently_forwarded"),
    ("ReferralHeadline", "referral_headline"),
    ("ReferralBody", "referral_body"),
    ("ReferralSourceType", "referral_source_type"),
    ("ReferralSourceId", "referral_source_id"),
    ("ReferralSourceUrl", "referral_source_url"),
    ("ReferralCtwaClid", "referral_ctwa_clid"),
];

/// Reads a hook that the account's token has signed.
pub(super) fn parse(account: &Account, hook: &Hook<'_>, form: Option<&Form<'_>>) -> Parsed {
    match form {
        Some(form) if voice::is_call(form) => voice::parse(account, hook, form),
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
    form: &'a Form<'a>,
    attempt: Option<AttemptId>,
}

impl Reader<'_> {
    fn read(&self) -> Parsed {
        if self.form.text("AccountSid").is_some_and(|sid| sid != self.settings.account_sid) {
            return Parsed::NotOurs;
        }
        if self.form.has("ConversationSid") {
            return Parsed::Quarantine(OTHER_PRODUCT);
        }
        let Some(sid) = self.message_sid() else { return Parsed::Quarantine(NO_SID) };
        // Inbound messages carry an SmsStatus too. Only a report has one without a Body.
        let is_message = ["Body", "NumMedia", "MediaUrl0"].into_iter().any(|name| self.form.has(name));
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

    fn message(&self, provider_id: String) -> Parsed {
        let (from, to) = (self.form.text("From").unwrap_or_default(), self.form.text("To"));
        let service = self.form.text("MessagingServiceSid");
        if to.is_none() && service.is_none() {
            return Parsed::Quarantine(NO_RECIPIENT);
        }
        if !is_own(self.account, to.as_deref(), service.as_deref()) {
            return elsewhere(to.as_deref());
        }
        let Some(channel) = channel([Some(&*from), to.as_deref()]) else { return Parsed::Quarantine(OTHER_CHANNEL) };
        let body = self.body();
        Parsed::Apply(vec![Inbound::Message(InboundMessage {
            provider_id,
            channel,
            from: Address::parse(&from, self.account.region),
            profile_name: self.form.text("ProfileName"),
            attachments: self.attachments(),
            at_ms: None,
            opt: self.opt(&body),
            segments: self.form.text("NumSegments").and_then(|count| count.parse().ok()).filter(|_| channel == Channel::Sms),
            history: false,
            provider_meta: self.meta(),
            body,
        })])
    }

    fn receipt(&self, provider_id: String, word: &str) -> Parsed {
        let (from, to) = (self.form.text("From"), self.form.text("To"));
        let service = self.form.text("MessagingServiceSid");
        let ours =
            self.attempt.is_some() || (from.is_none() && service.is_none()) || is_own(self.account, from.as_deref(), service.as_deref());
        if !ours {
            return elsewhere(from.as_deref());
        }
        // A Messaging Service may choose the channel by itself. A report of our attempt is ours on any.
        if self.attempt.is_none() && channel([from.as_deref(), to.as_deref()]).is_none() {
            return Parsed::Quarantine(OTHER_CHANNEL);
        }
        let Some(state) = status::state(word) else { return Parsed::Quarantine(UNKNOWN_STATUS) };
        let code = self.form.text("ErrorCode").filter(|code| code.trim() != "0");
        Parsed::Apply(vec![Inbound::Receipt(Receipt {
            provider_id,
            attempt: self.attempt,
            state,
            about_account: code.as_deref().is_some_and(errors::is_about_account),
            opted_out: code.as_deref() == Some(errors::OPTED_OUT),
            error: code.as_deref().map(errors::explain),
            to: to.map(|to| Address::parse(to.rsplit_once(':').map_or(&*to, |(_, bare)| bare), self.account.region)),
        })])
    }

    /// The text, or what stands for it in a message without one.
    fn body(&self) -> String {
        let given = ["Body", "ButtonText", "ListTitle"].into_iter().find_map(|name| self.form.text(name));
        given.or_else(|| self.place()).unwrap_or_default()
    }

    /// A place on the map in words: "Office, Alexanderplatz (52.5200, 13.4050)".
    fn place(&self) -> Option<String> {
        let (latitude, longitude) = (self.form.text("Latitude")?, self.form.text("Longitude")?);
        let names: Vec<_> = ["Label", "Address"].into_iter().filter_map(|name| self.form.text(name)).collect();
        Some(format!("{} ({latitude}, {longitude})", names.join(", ")).trim_start().to_owned())
    }

    fn location(&self) -> Option<Value> {
        let degrees = |name| self.form.text(name)?.parse::<f64>().ok().filter(|degrees| degrees.is_finite());
        let (latitude, longitude) = (degrees("Latitude")?, degrees("Longitude")?);
        let [address, label] = ["Address", "Label"].map(|name| self.form.text(name));
        Some(json!({ "latitude": latitude, "longitude": longitude, "address": address, "label": label }))
    }

    fn attachments(&self) -> Vec<Attachment> {
        let mut numbers: Vec<usize> = self.form.numbers("MediaUrl").filter(|n| *n < MAX_MEDIA).collect();
        numbers.sort_unstable();
        let attachment = |n| {
            let provider_url = self.form.text(&format!("MediaUrl{n}"))?;
            let content_type = self.form.text(&format!("MediaContentType{n}"));
            Some(Attachment::remote(provider_url, content_type.unwrap_or_else(|| "application/octet-stream".to_owned())))
        };
        numbers.into_iter().filter_map(attachment).collect()
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
        let others = [("num_segments", segments.map(Value::from)), ("location", self.location())];
        let others = others.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
        JsonObject(texts.chain(others).collect())
    }
}

/// Whether a message is the account's: by its end on our side, or by the Messaging Service that it came or went through.
pub(super) fn is_own(account: &Account, end: Option<&str>, service: Option<&str>) -> bool {
    end.is_some_and(|end| is_own_number(account, end)) || service.is_some() && service == settings(account).messaging_service_sid.as_deref()
}

/// Whether this is a number of the account's own, with the mark of WhatsApp or without.
pub(super) fn is_own_number(account: &Account, text: &str) -> bool {
    let settings = settings(account);
    let (over_whatsapp, text) = text.strip_prefix(WHATSAPP).map_or((false, text), |number| (true, number));
    let own = [Some(&settings.phone_number), settings.whatsapp_number.as_ref().filter(|_| over_whatsapp)];
    let is_own = |number: &str| own.into_iter().flatten().any(|own| own.as_str() == number);
    // Twilio writes E.164, so the metadata is asked only about what differs.
    is_own(text) || Phone::parse(text, account.region).is_ok_and(|phone| is_own(phone.as_str()))
}

/// A hook whose end on our side is not the account's. On a channel that we do not take, nobody's settings could say whose it is.
fn elsewhere(end: Option<&str>) -> Parsed {
    if channel([end, None]).is_none() { Parsed::Quarantine(OTHER_CHANNEL) } else { Parsed::NotOurs }
}

/// The medium by the addresses of both ends: `whatsapp:+15551234567` or one without a mark. `None` for `messenger:…`, `rcs:…` and what
/// may come. No number, short code or name has a colon.
pub(super) fn channel(ends: [Option<&str>; 2]) -> Option<Channel> {
    let mut whatsapp = false;
    for end in ends.into_iter().flatten() {
        match end.strip_prefix(WHATSAPP) {
            Some(rest) if !rest.contains(':') => whatsapp = true,
            None if !end.contains(':') => {}
            _ => return None,
        }
    }
    Some(if whatsapp { Channel::Whatsapp } else { Channel::Sms })
}

#[cfg(test)]
mod payloads;
#[cfg(test)]
mod tests;
