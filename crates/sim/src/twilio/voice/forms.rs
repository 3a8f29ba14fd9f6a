//! What is posted about a call (twilio.com/docs/voice/twiml, "Request parameters"; /docs/voice/api/call-resource,
//! "StatusCallback"; /docs/voice/twiml/record, "recordingStatusCallback").

use serde_json::json;

use super::call::{CallDirection, CallStatus, SimCall};
use super::recording::SimRecording;
use crate::twilio::place;
use crate::twilio::resource::date;
use crate::twilio::webhook::Form;

/// Fields with these values.
pub(super) fn form<const N: usize>(fields: [(&str, String); N]) -> Form {
    fields.map(|(name, value)| (name.to_owned(), value)).into()
}

/// What every request about a leg says.
pub(super) fn call(call: &SimCall) -> Form {
    let mut all = form([
        ("AccountSid", call.account_sid.clone()),
        ("ApiVersion", "2010-04-01".to_owned()),
        ("CallSid", call.sid.clone()),
        ("CallStatus", call.status.as_str().to_owned()),
        ("Direction", call.direction.as_str().to_owned()),
    ]);
    for (side, number) in [("From", &call.from), ("Caller", &call.from), ("To", &call.to), ("Called", &call.to)] {
        let place = place::of(number);
        all.insert(side.to_owned(), number.clone());
        for (part, value) in [("City", place.city), ("State", place.state), ("Zip", place.zip), ("Country", place.country)] {
            all.insert(format!("{side}{part}"), value.to_owned());
        }
    }
    if let Some(parent) = &call.parent {
        all.insert("ParentCallSid".to_owned(), parent.clone());
    }
    if let Some(answered_by) = &call.answered_by {
        all.insert("AnsweredBy".to_owned(), answered_by.clone());
    }
    all
}

/// The first request of an inbound call.
pub(super) fn inbound(of: &SimCall) -> Form {
    let mut all = call(of);
    let token = json!({ "parentCallInfoToken": of.sid }).to_string();
    all.insert("CallToken".to_owned(), form_urlencoded::byte_serialize(token.as_bytes()).collect());
    // Only networks of North America attest who calls.
    if of.from.starts_with("+1") {
        all.insert("StirVerstat".to_owned(), "TN-Validation-Passed-A".to_owned());
    }
    all
}

/// A status callback, at this moment of the call.
pub(super) fn status(of: &SimCall, now_ms: i64) -> Form {
    let mut all = call(of);
    all.insert("CallbackSource".to_owned(), "call-progress-events".to_owned());
    all.insert("SequenceNumber".to_owned(), of.sequence.to_string());
    all.insert("Timestamp".to_owned(), date(now_ms).unwrap_or_default());
    if of.status == CallStatus::Queued {
        all.insert("CallStatus".to_owned(), "initiated".to_owned());
    }
    if let Some(seconds) = of.duration_s {
        all.insert("CallDuration".to_owned(), seconds.to_string());
        all.insert("Duration".to_owned(), seconds.div_ceil(60).to_string());
    }
    if let Some(code) = sip_code(of.status).filter(|_| of.direction != CallDirection::Inbound) {
        all.insert("SipResponseCode".to_owned(), code.to_owned());
    }
    all
}

/// The answer of the called side's network (RFC 3261), once the call is over.
const fn sip_code(status: CallStatus) -> Option<&'static str> {
    match status {
        CallStatus::Queued | CallStatus::Ringing | CallStatus::InProgress => None,
        CallStatus::Completed => Some("200"),
        CallStatus::Busy => Some("486"),
        CallStatus::NoAnswer | CallStatus::Canceled => Some("487"),
        CallStatus::Failed => Some("404"),
    }
}

/// A callback of a recording with this status.
pub(super) fn recording(of: &SimRecording, url: &str, status: &str) -> Form {
    let mut all = form([
        ("AccountSid", of.account_sid.clone()),
        ("CallSid", of.call_sid.clone()),
        ("RecordingSid", of.sid.clone()),
        ("RecordingUrl", url.to_owned()),
        ("RecordingStatus", status.to_owned()),
        ("RecordingDuration", of.duration_s.to_string()),
        ("RecordingChannels", of.channels.to_string()),
        ("RecordingStartTime", date(of.started_ms).unwrap_or_default()),
        ("RecordingSource", of.source.as_str().to_owned()),
        ("RecordingTrack", "both".to_owned()),
        ("ErrorCode", "0".to_owned()),
    ]);
    if status == "in-progress" {
        all.remove("RecordingDuration");
    }
    all
}
