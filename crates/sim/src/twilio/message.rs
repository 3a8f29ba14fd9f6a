//! A message as the simulator keeps it. How it looks on the wire is `resource.rs`; what moves it forward is `progress.rs`.

use bytes::Bytes;
use parlance_model::entropy::{self, Entropy};
use serde::{Deserialize, Serialize};

use super::listing::Entry;

/// How far a message got, in Twilio's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Taken, and the Messaging Service has yet to pick a sender.
    Accepted,
    /// Taken for later.
    Scheduled,
    /// It waits for its turn.
    Queued,
    /// It is being handed to the carrier.
    Sending,
    /// The carrier has it.
    Sent,
    /// The handset has it.
    Delivered,
    /// The customer has read it (WhatsApp).
    Read,
    /// The carrier could not deliver it.
    Undelivered,
    /// It never reached the carrier.
    Failed,
    /// It was called back while it was scheduled.
    Canceled,
    /// It came in.
    Received,
}

impl Status {
    /// Twilio's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Scheduled => "scheduled",
            Self::Queued => "queued",
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Read => "read",
            Self::Undelivered => "undelivered",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
            Self::Received => "received",
        }
    }
}

/// Who wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Direction {
    /// A customer.
    #[serde(rename = "inbound")]
    Inbound,
    /// The account, through the REST API.
    #[serde(rename = "outbound-api")]
    OutboundApi,
}

/// A file of a message.
#[derive(Debug, Clone, Serialize)]
pub struct Media {
    /// `ME` and 32 hexadecimal digits.
    pub sid: String,
    /// The media type.
    pub content_type: String,
    /// Where it lies: the business's own link, or the simulator's for what a customer sent.
    pub url: String,
    /// What a customer sent; served by the simulator.
    #[serde(skip)]
    pub(crate) data: Option<Bytes>,
}

/// One message, in or out.
#[derive(Debug, Clone, Serialize)]
pub struct SimMessage {
    /// `SM` (with media: `MM`) and 32 hexadecimal digits.
    pub sid: String,
    /// The account that it belongs to.
    pub account_sid: String,
    /// Who wrote.
    pub direction: Direction,
    /// The sender; `None` until the Messaging Service has picked one.
    pub from: Option<String>,
    /// The recipient.
    pub to: String,
    /// The text.
    pub body: String,
    /// Files.
    pub media: Vec<Media>,
    /// SMS segments; 0 until a sender is picked.
    pub num_segments: usize,
    /// How far it got.
    pub status: Status,
    /// Why it got no further, such as 30003.
    pub error_code: Option<u32>,
    /// The Messaging Service that sends it, or that the number belongs to.
    pub messaging_service_sid: Option<String>,
    /// The template that it was made of.
    pub content_sid: Option<String>,
    /// Where progress is reported.
    pub status_callback: Option<String>,
    /// Unix ms for which a scheduled message is meant.
    pub send_at_ms: Option<i64>,
    /// Unix ms of its creation.
    pub created_ms: i64,
    /// Unix ms of the last change.
    pub updated_ms: i64,
    /// Unix ms of the handing to the carrier.
    pub sent_ms: Option<i64>,
}

impl Entry for SimMessage {
    fn sid(&self) -> &str {
        &self.sid
    }

    fn account_sid(&self) -> &str {
        &self.account_sid
    }
}

impl SimMessage {
    /// The number on the other side.
    pub(crate) fn customer(&self) -> &str {
        match self.direction {
            Direction::Inbound => self.from.as_deref().unwrap_or_default(),
            Direction::OutboundApi => &self.to,
        }
    }
}

/// A fresh SID: two letters and 32 hexadecimal digits.
pub(crate) fn sid(prefix: &str, entropy: &dyn Entropy) -> String {
    format!("{prefix}{:032x}", u128::from_be_bytes(entropy::bytes(entropy)))
}
