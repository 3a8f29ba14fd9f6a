//! Refusals: Twilio's error body and the sentences of its error codes (twilio.com/docs/api/errors).

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::json;

/// A request that was not granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The HTTP status.
    pub(crate) status: u16,
    /// Twilio's code.
    pub(crate) code: u32,
    /// The sentence, in English, as at Twilio.
    pub(crate) message: String,
}

impl Refusal {
    /// 400 with the usual sentence of this code.
    pub(crate) fn of(code: u32) -> Self {
        Self { status: 400, code, message: sentence(code).to_owned() }
    }

    /// 400 with a sentence of its own.
    pub(crate) fn saying(code: u32, message: impl Into<String>) -> Self {
        Self { status: 400, code, message: message.into() }
    }

    /// The same with another HTTP status.
    pub(crate) fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// 401: no credentials, or wrong ones.
    pub(crate) fn unauthenticated() -> Self {
        Self::of(20003).with_status(401)
    }

    /// 404: not there, or not this account's.
    pub(crate) fn not_found(path: &str) -> Self {
        Self { status: 404, code: 20404, message: format!("The requested resource {path} was not found") }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::BAD_REQUEST);
        let more_info = format!("https://www.twilio.com/docs/errors/{}", self.code);
        let body = json!({ "code": self.code, "message": self.message, "more_info": more_info, "status": status.as_u16() });
        let mut response = (status, Json(body)).into_response();
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"Twilio API\""));
        }
        response
    }
}

/// The sentence of an error code, of a refusal or of a message that did not arrive.
pub(crate) fn sentence(code: u32) -> &'static str {
    match code {
        11200 => "HTTP retrieval failure",
        20001 => "Invalid parameter",
        20003 => "Authenticate",
        20404 => "The requested resource was not found",
        20429 => "Too Many Requests",
        21201 => "No 'To' number is specified",
        21205 => "Url parameter is required, and must be a URL",
        21210 => "'From' phone number not verified",
        21211 => "Invalid 'To' Phone Number",
        21212 => "Invalid 'From' Number",
        21213 => "'From' phone number is required",
        21214 => "'To' phone number cannot be reached",
        21215 => "Account not authorized to call this number",
        21216 => "Account not allowed to call this number",
        21217 => "Phone number does not appear to be valid",
        21220 => "Invalid call state",
        21266 => "'To' and 'From' number cannot be the same",
        21408 => "Permission to send an SMS has not been enabled for the region indicated by the 'To' number",
        21602 => "Message body is required.",
        21603 => "A 'From' phone number is required.",
        21604 => "A 'To' phone number is required.",
        21606 => "The 'From' phone number provided is not a valid, message-capable Twilio phone number.",
        21608 => "The number is unverified. Trial accounts cannot send messages to unverified numbers",
        21609 => "The 'StatusCallback' URL is not a valid URL.",
        21610 => "Attempt to send to unsubscribed recipient",
        21611 => "This 'From' number has exceeded the maximum number of queued messages",
        21612 => "Message cannot be sent with the current combination of 'To' and/or 'From' parameters",
        21614 => "'To' number is not a valid mobile number",
        21617 => "The concatenated message body exceeds the 1600 character limit",
        21620 => "Invalid media URL(s)",
        21623 => "Number of media files exceeds allowed limit",
        21626 => "Call status callback events are invalid",
        21660 => "Mismatch between the 'From' number and the account",
        21701 => "The Messaging Service does not exist",
        21703 => "The Messaging Service does not have a phone number associated with it",
        21910 => "Invalid 'From' and 'To' pair. 'From' and 'To' should be of the same channel",
        30001 => "Queue overflow",
        30002 => "Account suspended",
        30003 => "Unreachable destination handset",
        30004 => "Message blocked",
        30005 => "Unknown destination handset",
        30006 => "Landline or unreachable carrier",
        30007 => "Message filtered",
        30008 => "Unknown error",
        30034 => "US A2P 10DLC - Message from an Unregistered Number",
        30409 => "This message cannot be canceled",
        35111 => "Missing 'SendAt' timestamp",
        35114 => "Scheduling does not support this timestamp",
        63016 => {
            "Failed to send freeform message because you are outside the allowed window. If you are using WhatsApp, please use a Message Template."
        }
        _ => "Unknown error",
    }
}
