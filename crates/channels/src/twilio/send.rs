//! Hands one message to Twilio's Messages resource, once, and says what is known of it
//! (twilio.com/docs/messaging/api/message-resource).

use std::time::Duration;

use http::header::RETRY_AFTER;
use parlance_model::account::{Account, TwilioSettings};
use parlance_model::channel::Channel;
use parlance_model::delivery::{DeliveryError, DeliveryState};
use parlance_model::outbound::{Outgoing, Refusal, SendOutcome};
use parlance_net::{Client, Failure, Request, Response};
use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::rest::{authorized, refusal_code, resource};
use super::{WHATSAPP, errors, is_sid, settings, status};

/// Shorter than any lease, so that a worker that waits still holds its job.
const TIMEOUT: Duration = Duration::from_secs(10);

/// An answer is two kilobytes with the longest body.
const MAX_RESPONSE_BYTES: usize = 256 << 10;

/// The longest that Twilio's wish for a pause is followed.
const MAX_RETRY_AFTER_S: i64 = 3600;

/// Sends, never twice.
pub(super) async fn send(http: &Client, account: &Account, message: &Outgoing) -> SendOutcome {
    let settings = settings(account);
    let Some(spelled) = spelled(settings, message) else {
        return refused(
            "channel_unsupported",
            "This account sends text messages and WhatsApp only. Choose an account of the other channel.",
            Refusal::Message,
        );
    };
    post(http, settings, "Messages.json", fields(&spelled, message)).await
}

/// Makes something of the account's: a message or a call. Says what is known of it.
pub(super) async fn post(http: &Client, settings: &TwilioSettings, name: &str, fields: Vec<(&str, &str)>) -> SendOutcome {
    let url = match resource(settings, &[name]) {
        Ok(url) => url,
        Err(error) => return SendOutcome::Refused { error, why: Refusal::Account },
    };
    match http.execute(request(settings, url, fields)).await {
        Ok(answer) => outcome(&answer),
        Err(failure) => without_answer(failure),
    }
}

/// The values of a message's fields that it does not have in Twilio's spelling.
struct Spelled {
    to: String,
    /// The name of the sender's field.
    by: &'static str,
    sender: String,
    variables: Option<String>,
    valid_for: Option<String>,
}

/// `None` where Twilio's messages do not carry the medium.
fn spelled(settings: &TwilioSettings, message: &Outgoing) -> Option<Spelled> {
    let (mark, own) = match message.channel {
        Channel::Sms => ("", None),
        // Said outright where it is set: the Messaging Service need not have it among its senders.
        Channel::Whatsapp => (WHATSAPP, settings.whatsapp_number.as_ref()),
        Channel::Voice | Channel::Email | Channel::Web | Channel::Telegram => return None,
    };
    let (by, sender) = match (own, &settings.messaging_service_sid) {
        (None, Some(sid)) => ("MessagingServiceSid", sid.clone()),
        (number, _) => ("From", format!("{mark}{}", number.unwrap_or(&settings.phone_number))),
    };
    let template = message.template.as_ref().filter(|template| !template.variables.is_empty());
    let variables = template.map(|template| json!(template.variables).to_string());
    let valid_for = message.valid_for_s.map(|seconds| seconds.to_string());
    Some(Spelled { to: format!("{mark}{}", message.to), by, sender, variables, valid_for })
}

fn request(settings: &TwilioSettings, url: Url, fields: Vec<(&str, &str)>) -> Request {
    authorized(settings, Request::post(url)).form(fields).timeout(TIMEOUT).max_response_bytes(MAX_RESPONSE_BYTES)
}

fn fields<'a>(spelled: &'a Spelled, message: &'a Outgoing) -> Vec<(&'a str, &'a str)> {
    let mut fields = vec![("To", spelled.to.as_str()), (spelled.by, spelled.sender.as_str())];
    if let Some(template) = &message.template {
        fields.push(("ContentSid", &template.id));
        fields.extend(spelled.variables.iter().map(|variables| ("ContentVariables", variables.as_str())));
    } else if !message.body.is_empty() || message.media_urls.is_empty() {
        // A message of files alone has no text; any other is Twilio's to judge.
        fields.push(("Body", &message.body));
    }
    fields.extend(message.media_urls.iter().map(|url| ("MediaUrl", url.as_str())));
    fields.extend(spelled.valid_for.iter().map(|seconds| ("ValidityPeriod", seconds.as_str())));
    fields.extend(message.status_callback.iter().map(|url| ("StatusCallback", url.as_str())));
    fields
}

/// A message or call that Twilio took.
#[derive(Deserialize)]
struct Created {
    sid: String,
    status: Option<String>,
    /// A number as text; 0 until a sender is picked. Whatever else it may be, the message was taken.
    #[serde(default)]
    num_segments: serde_json::Value,
}

fn outcome(answer: &Response) -> SendOutcome {
    if answer.status.is_success() {
        return created(answer);
    }
    let http_status = answer.status.as_u16();
    let twilio = refusal_code(&answer.body);
    let code = twilio.clone().unwrap_or_else(|| format!("http_{http_status}"));
    match (http_status, twilio.as_deref()) {
        (429, _) | (_, Some(errors::TOO_MANY_REQUESTS)) => {
            let message = "Twilio is taking no more of this account for the moment. It goes out by itself after a pause.";
            let error = DeliveryError { code, message: message.to_owned() };
            SendOutcome::TooFast { error, retry_after_ms: retry_after_ms(answer) }
        }
        (503, Some(errors::UNAVAILABLE)) => {
            let message = "Twilio is taking no more for the moment. It will be tried again by itself.".to_owned();
            SendOutcome::NotTaken { error: DeliveryError { code, message }, retry_after_ms: retry_after_ms(answer) }
        }
        (401, _) | (_, Some(errors::CREDENTIALS)) => {
            let message = errors::explain(errors::CREDENTIALS).message;
            SendOutcome::Refused { error: DeliveryError { code, message }, why: Refusal::Stopped }
        }
        // 408 comes from whatever stands between: it says nothing of what Twilio did.
        (300..=407 | 409..=499, Some(code)) => SendOutcome::Refused { error: errors::explain(code), why: errors::refusal(code) },
        (300..=407 | 409..=499, None) => {
            let message =
                format!("It was refused with HTTP status {http_status} and no reason. Check the account's base URL, if it has one.");
            SendOutcome::Refused { error: DeliveryError { code, message }, why: Refusal::Message }
        }
        _ => unknown(&code, &format!("Twilio answered with HTTP status {http_status}.")),
    }
}

fn created(answer: &Response) -> SendOutcome {
    match serde_json::from_slice::<Created>(&answer.body) {
        Ok(Created { sid, status, num_segments }) if is_sid(&sid) => {
            // It has an id, so it is at least in the queue, whatever a new word may mean.
            let state = status.as_deref().and_then(status::state).unwrap_or(DeliveryState::Queued);
            let segments = num_segments.as_str().and_then(|count| count.parse().ok()).filter(|count| *count > 0);
            SendOutcome::Accepted { provider_id: sid, state, segments }
        }
        _ => unknown("answer_unreadable", "Twilio's answer could not be read."),
    }
}

fn without_answer(failure: Failure) -> SendOutcome {
    match failure {
        Failure::Blocked(why) => refused("outbound_blocked", &why, Refusal::Account),
        Failure::NotSent(why) => {
            let message = format!("Twilio could not be reached. It will be tried again by itself. {why}");
            SendOutcome::NotTaken { error: DeliveryError { code: "not_sent".to_owned(), message }, retry_after_ms: None }
        }
        Failure::Lost(why) => unknown("answer_lost", &why),
    }
}

/// `Retry-After` in milliseconds. Twilio gives seconds; a date would need a clock to be understood, and is left to our
/// own backoff.
pub(super) fn retry_after_ms(answer: &Response) -> Option<i64> {
    let seconds: i64 = answer.headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    (seconds >= 0).then(|| seconds.min(MAX_RETRY_AFTER_S) * 1000)
}

fn refused(code: &str, message: &str, why: Refusal) -> SendOutcome {
    SendOutcome::Refused { error: DeliveryError { code: code.to_owned(), message: message.to_owned() }, why }
}

fn unknown(code: &str, seen: &str) -> SendOutcome {
    let message = format!("It is not known whether it went out; this is being found out. {seen}");
    SendOutcome::Unknown { error: DeliveryError { code: code.to_owned(), message } }
}

#[cfg(test)]
mod tests;
