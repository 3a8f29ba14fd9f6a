//! A call, or one leg of it, as the simulator keeps it, and the Call resource (twilio-oai, `api.v2010.account.call`).

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::twilio::listing::Entry;
use crate::twilio::number;
use crate::twilio::resource::date;

/// How far a call got, in Twilio's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CallStatus {
    /// It is about to be dialled. A status callback says `initiated`.
    Queued,
    /// It rings.
    Ringing,
    /// It was answered.
    InProgress,
    /// It was answered, and is over.
    Completed,
    /// The other side was busy, or refused it.
    Busy,
    /// It could not be connected.
    Failed,
    /// It rang until it was given up.
    NoAnswer,
    /// It was called back before it was answered.
    Canceled,
}

impl CallStatus {
    /// Twilio's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Ringing => "ringing",
            Self::InProgress => "in-progress",
            Self::Completed => "completed",
            Self::Busy => "busy",
            Self::Failed => "failed",
            Self::NoAnswer => "no-answer",
            Self::Canceled => "canceled",
        }
    }

    /// Whether the call is neither answered nor over.
    pub(super) const fn is_early(self) -> bool {
        matches!(self, Self::Queued | Self::Ringing)
    }

    pub(super) const fn is_over(self) -> bool {
        !matches!(self, Self::Queued | Self::Ringing | Self::InProgress)
    }
}

/// Who began a leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CallDirection {
    /// A customer.
    Inbound,
    /// The account, through the REST API.
    OutboundApi,
    /// A `<Dial>` of another call.
    OutboundDial,
}

impl CallDirection {
    /// Twilio's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::OutboundApi => "outbound-api",
            Self::OutboundDial => "outbound-dial",
        }
    }
}

/// What a status callback may be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallEvent {
    Initiated,
    Ringing,
    Answered,
    /// The end, whichever it is.
    Completed,
}

impl CallEvent {
    /// Reads a list such as `initiated ringing`. `None` when one of the words is none of Twilio's.
    pub(super) fn parse_all(words: &str) -> Option<Vec<Self>> {
        let event = |word| match word {
            "initiated" => Some(Self::Initiated),
            "ringing" => Some(Self::Ringing),
            "answered" => Some(Self::Answered),
            "completed" => Some(Self::Completed),
            _ => None,
        };
        words.split_whitespace().map(event).collect()
    }
}

/// One leg of a call.
#[derive(Debug, Clone, Serialize)]
pub struct SimCall {
    /// `CA` and 32 hexadecimal digits.
    pub sid: String,
    /// The account that it belongs to.
    pub account_sid: String,
    /// The leg whose `<Dial>` began this one.
    pub parent: Option<String>,
    /// Who calls: E.164, or a word such as `anonymous`.
    pub from: String,
    /// Who is called.
    pub to: String,
    /// Who began it.
    pub direction: CallDirection,
    /// How far it got.
    pub status: CallStatus,
    /// Whether it was answered.
    pub answered: bool,
    /// `human` or `machine_start`, where the business asked for it.
    pub answered_by: Option<String>,
    /// Seconds from the answer to the end; `None` until it is over.
    pub duration_s: Option<u64>,
    /// SIDs of its recordings, oldest first.
    pub recordings: Vec<String>,
    /// Where progress is reported.
    pub status_callback: Option<String>,
    /// Unix ms of its beginning.
    pub created_ms: i64,
    /// Unix ms of the answer, on the call's own clock.
    pub answered_ms: Option<i64>,
    /// Unix ms of the end, on the call's own clock.
    pub ended_ms: Option<i64>,
    /// What is reported.
    #[serde(skip)]
    pub(crate) events: Vec<CallEvent>,
    /// How many callbacks were made.
    #[serde(skip)]
    pub(crate) sequence: u32,
}

impl SimCall {
    /// A leg that begins at this time (unix ms): queued, and nothing is reported but its end, where it is told where.
    pub(super) fn new(
        sid: impl Into<String>,
        account_sid: impl Into<String>,
        direction: CallDirection,
        from: impl Into<String>,
        to: impl Into<String>,
        now_ms: i64,
    ) -> Self {
        Self {
            sid: sid.into(),
            account_sid: account_sid.into(),
            parent: None,
            from: from.into(),
            to: to.into(),
            direction,
            status: CallStatus::Queued,
            answered: false,
            answered_by: None,
            duration_s: None,
            recordings: Vec::new(),
            status_callback: None,
            created_ms: now_ms,
            answered_ms: None,
            ended_ms: None,
            events: vec![CallEvent::Completed],
            sequence: 0,
        }
    }

    /// The number on the other side of the whole call.
    pub(super) fn customer(&self) -> &str {
        if self.direction == CallDirection::Inbound { &self.from } else { &self.to }
    }
}

impl Entry for SimCall {
    fn sid(&self) -> &str {
        &self.sid
    }

    fn account_sid(&self) -> &str {
        &self.account_sid
    }
}

/// The Call resource.
pub(super) fn resource(call: &SimCall) -> Value {
    let uri = format!("/2010-04-01/Accounts/{}/Calls/{}", call.account_sid, call.sid);
    let own = if call.direction == CallDirection::Inbound { &call.to } else { &call.from };
    json!({
        "sid": call.sid,
        "date_created": date(call.created_ms),
        "date_updated": date(call.ended_ms.or(call.answered_ms).unwrap_or(call.created_ms)),
        "parent_call_sid": call.parent,
        "account_sid": call.account_sid,
        "to": call.to,
        "to_formatted": call.to,
        "from": call.from,
        "from_formatted": call.from,
        "phone_number_sid": number::sid(own),
        "status": call.status,
        "start_time": (call.status != CallStatus::Queued).then(|| date(call.created_ms)),
        "end_time": call.ended_ms.map(date),
        "duration": call.duration_s.map(|seconds| seconds.to_string()),
        "price": null,
        "price_unit": "USD",
        "direction": call.direction,
        "answered_by": call.answered_by,
        "api_version": "2010-04-01",
        "forwarded_from": null,
        "group_sid": null,
        "caller_name": null,
        "queue_time": "0",
        "trunk_sid": null,
        "uri": format!("{uri}.json"),
        "subresource_uris": { "recordings": format!("{uri}/Recordings.json") },
    })
}
