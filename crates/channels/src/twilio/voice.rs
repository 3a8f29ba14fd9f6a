//! Reads a verified hook about a phone call, and writes what Twilio is to do next with it.
//!
//! Every URL that Twilio is given for a call is the account's own hook URL with our message in its query, and where the
//! parameters alone would not tell, with the step that it belongs to. Twilio signs the whole URL, so both can be believed.

use parlance_model::account::Account;
use parlance_model::call::news::{CallNews, News};
use parlance_model::call::next::{Dial, Directed, Next};
use parlance_model::call::{CallStatus, Recording};
use parlance_model::channel::JsonObject;
use parlance_model::id::{AttemptId, MessageId};
use parlance_model::phone::Address;
use serde_json::Value;

use super::form::{self, Form};
use super::parse::{NO_SID, is_own_number};
use super::rest::seconds;
use super::twiml::{Verb, response};
use super::{hook_url, is_sid, settings};
use crate::{Hook, Parsed};

pub(super) const NO_STATUS: &str = "It is about a phone call, and says nothing of it that this version knows.";

/// The longest message that a caller may leave, in seconds: longer ones are not transcribed (twilio.com/docs/api/errors/13617).
const MAX_MESSAGE_S: i64 = 119;
/// How long whoever answered has for pressing a key, in seconds.
const MAX_THOUGHT_S: i64 = 10;

/// Facts that only Twilio has, and their names under `meta.provider`.
const META: [(&str, &str); 8] = [
    ("To", "to"),
    ("CallerName", "caller_name"),
    ("StirVerstat", "stir_verstat"),
    ("ForwardedFrom", "forwarded_from"),
    ("FromCity", "from_city"),
    ("FromState", "from_state"),
    ("FromZip", "from_zip"),
    ("FromCountry", "from_country"),
];

/// Whether the parameters are about a call.
pub(super) fn is_call(form: &Form<'_>) -> bool {
    ["CallSid", "RecordingSid", "TranscriptionSid"].into_iter().any(|name| form.has(name)) && !form.has("MessageSid")
}

/// Where in a call a URL of ours belongs.
struct Place {
    call: Option<MessageId>,
    attempt: Option<AttemptId>,
    step: Option<String>,
    /// Which of the phones that are rung in turn.
    n: usize,
}

impl Place {
    fn of(hook: &Hook<'_>) -> Self {
        let query = hook.urls.first().and_then(|url| Form::parse(form::query(url).as_bytes()));
        let text = |name| query.as_ref().and_then(|query| query.text(name));
        let id = |name| text(name).and_then(|id| id.parse::<i64>().ok()).filter(|id| *id > 0);
        let n = text("n").and_then(|n| n.parse().ok()).unwrap_or_default();
        Self { call: id("call").map(MessageId), attempt: id("attempt").map(AttemptId), step: text("step"), n }
    }
}

/// Reads a hook about a call.
pub(super) fn parse(account: &Account, hook: &Hook<'_>, form: &Form<'_>) -> Parsed {
    let settings = settings(account);
    if form.text("AccountSid").is_some_and(|sid| sid != settings.account_sid) {
        return Parsed::NotOurs;
    }
    let Some(provider_id) = ["ParentCallSid", "CallSid"].into_iter().find_map(|name| form.text(name)).filter(|sid| is_sid(sid)) else {
        return Parsed::Quarantine(NO_SID);
    };
    let place = Place::of(hook);
    let ends = [form.text("To"), form.text("From")];
    // Legs run between a phone of the staff and the caller: then the message is what tells whose the call is.
    let named = ends.iter().flatten().next().is_some();
    if place.call.is_none() && named && !ends.iter().flatten().any(|end| is_own_number(account, end)) {
        return Parsed::NotOurs;
    }
    match news(account, form, &place) {
        Some(news) => Parsed::Call(CallNews { provider_id, message: place.call, attempt: place.attempt, news }),
        None => Parsed::Quarantine(NO_STATUS),
    }
}

fn news(account: &Account, form: &Form<'_>, place: &Place) -> Option<News> {
    let n = place.n;
    let seconds = |name| seconds(form.text(name).as_deref());
    match place.step.as_deref() {
        Some("answered") => return Some(News::Answered { n }),
        Some("accepted") => return Some(News::Accepted { n }),
        Some("dialed") => {
            let bridged = form.text("DialBridged").is_some_and(|word| word == "true");
            return Some(News::Dialed { n, bridged, duration_s: seconds("DialCallDuration") });
        }
        Some("leg") => return leg(form),
        _ => {}
    }
    if form.has("TranscriptionStatus") || form.has("TranscriptionText") {
        return Some(form.text("TranscriptionText").map_or(News::Nothing, |text| News::Transcribed { text }));
    }
    if form.has("RecordingSid") || form.has("RecordingUrl") {
        return Some(recorded(form, place, seconds("RecordingDuration")));
    }
    if form.text("ParentCallSid").is_some() {
        return leg(form);
    }
    let status = status(&form.text("CallStatus")?)?;
    // What Twilio tells of the number itself carries no step: first the call, and in the end how it went.
    let comes_in = place.call.is_none() && form.text("Direction").as_deref() == Some("inbound") && !status.is_end();
    if comes_in && !form.has("CallbackSource") {
        let from = Address::parse(&form.text("From").unwrap_or_default(), account.region);
        let texts = META.into_iter().filter_map(|(name, key)| Some((key.to_owned(), Value::from(form.text(name)?))));
        return Some(News::Incoming { from, provider_meta: JsonObject(texts.collect()), missed_ms: None });
    }
    Some(News::Call { status, duration_s: seconds("CallDuration") })
}

fn leg(form: &Form<'_>) -> Option<News> {
    Some(News::Leg { status: status(&form.text("CallStatus")?)?, duration_s: seconds(form.text("CallDuration").as_deref()) })
}

/// What is said of a recording: by its own callback, or where `<Record>` goes on.
fn recorded(form: &Form<'_>, place: &Place, duration_s: Option<i64>) -> News {
    let completed = form.text("RecordingStatus").is_none_or(|word| word == "completed");
    let Some(url) = form.text("RecordingUrl").filter(|_| completed) else { return News::Nothing };
    let id = form.text("RecordingSid").or_else(|| url.rsplit('/').next().map(str::to_owned));
    let Some(id) = id.filter(|id| is_sid(id)) else { return News::Nothing };
    let voicemail = place.step.as_deref() == Some("voicemail") || form.text("RecordingSource").is_some_and(|word| word == "RecordVerb");
    News::Recorded { recording: Recording::new(id, duration_s), url: format!("{url}.mp3"), content_type: "audio/mpeg", voicemail }
}

/// Twilio's word for how far a call got (twilio.com/docs/voice/api/call-resource#call-status-values).
pub(super) fn status(word: &str) -> Option<CallStatus> {
    Some(match word {
        "queued" | "initiated" => CallStatus::Queued,
        "ringing" => CallStatus::Ringing,
        "in-progress" | "answered" => CallStatus::InProgress,
        "busy" => CallStatus::Busy,
        "no-answer" => CallStatus::NoAnswer,
        "failed" => CallStatus::Failed,
        "canceled" => CallStatus::Canceled,
        "completed" => CallStatus::Completed,
        _ => return None,
    })
}

/// The URL of a step of a call.
pub(super) fn step_url(
    public_url: &str,
    account: &Account,
    call: MessageId,
    attempt: Option<AttemptId>,
    step: Option<(&str, usize)>,
) -> String {
    let mut url = format!("{}?call={call}", hook_url(public_url, &account.hook_token));
    if let Some(attempt) = attempt {
        url.push_str(&format!("&attempt={attempt}"));
    }
    if let Some((step, n)) = step {
        url.push_str(&format!("&step={step}&n={n}"));
    }
    url
}

/// What Twilio is to do next, as TwiML.
pub(super) fn direct(public_url: &str, account: &Account, to: &Directed) -> String {
    let url = |step, n| step_url(public_url, account, to.call, to.attempt, Some((step, n)));
    match &to.next {
        Next::Dial(dial) => response([ring(dial, &url, &step_url(public_url, account, to.call, to.attempt, None))]),
        Next::Ask { n, question } => {
            // Every key counts, the one that ends an input too.
            let gather = Verb::new("Gather").with("numDigits", 1).with("finishOnKey", "").with("timeout", MAX_THOUGHT_S);
            response([gather.with("action", url("accepted", *n)).holding(Verb::say(question)), Verb::new("Hangup")])
        }
        Next::Voicemail { greeting } => {
            let callback = url("voicemail", 0);
            let record = Verb::new("Record").with("maxLength", MAX_MESSAGE_S).with("playBeep", true).with("action", &callback);
            let record = record.with("recordingStatusCallback", &callback).with("transcribe", true).with("transcribeCallback", &callback);
            response([Verb::say(greeting), record, Verb::new("Hangup")])
        }
        Next::HangUp => response([Verb::new("Hangup")]),
        Next::Bridge | Next::Nothing => response([]),
    }
}

fn ring(dial: &Dial, url: &dyn Fn(&'static str, usize) -> String, recordings: &str) -> Verb {
    let mut verb = Verb::new("Dial").with("timeout", dial.ring_s).with("callerId", &dial.caller_id).with("answerOnBridge", true);
    verb = verb.with("action", url("dialed", dial.n));
    if dial.record {
        verb = verb.with("record", "record-from-answer-dual").with("recordingStatusCallback", recordings);
    }
    let mut number = Verb::new("Number");
    if dial.screened {
        number = number.with("url", url("answered", dial.n));
    }
    number = number.with("statusCallback", url("leg", dial.n)).with("statusCallbackEvent", "initiated ringing answered completed");
    verb.holding(number.text(dial.phone.as_str()))
}

#[cfg(test)]
mod tests;
