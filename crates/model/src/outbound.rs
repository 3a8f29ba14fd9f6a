//! What we ask a provider to send, and what came of asking.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::channel::Channel;
use crate::delivery::{DeliveryError, DeliveryState};
use crate::id::{AttemptId, MessageId};
use crate::phone::Phone;
use crate::show_only;

/// A text that is kept at the provider and was approved by WhatsApp, with what goes into its places.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Template {
    /// The provider's id of it. Of Twilio: `HX` and 32 hexadecimal digits.
    pub id: String,
    /// What goes into its places, by their names: `1`, `2`, and so on.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
}

/// One message for a provider.
#[derive(Clone)]
pub struct Outgoing {
    /// The attempt that this is; it rides in the callback's URL.
    pub attempt: AttemptId,
    /// The medium.
    pub channel: Channel,
    /// The recipient: E.164 or a short code.
    pub to: String,
    /// The text.
    pub body: String,
    /// Sent in place of the text.
    pub template: Option<Template>,
    /// Public links of media, at most ten.
    pub media_urls: Vec<String>,
    /// Where the provider reports progress; `None` when this installation has no public URL.
    pub status_callback: Option<String>,
    /// How long it is still worth delivering, in seconds.
    pub valid_for_s: Option<i64>,
}

/// One call for a provider: it rings the phone of a staff member, and asks us what is next when that is answered.
#[derive(Clone)]
pub struct OutgoingCall {
    /// The attempt that this is; it rides in the callback's URL.
    pub attempt: AttemptId,
    /// The message that is the call; it rides there too.
    pub call: MessageId,
    /// The phone of the staff member.
    pub staff_phone: Phone,
    /// How long it rings, in seconds.
    pub ring_s: i64,
}

/// What a refusal says beyond the message that was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Nothing: it is about this message or its recipient.
    Message,
    /// The recipient has opted out.
    OptedOut,
    /// The account cannot send as it is set up: a sender that is not its own, or a provider that is not where the settings say.
    Account,
    /// The provider takes nothing at all from the account: its credentials are wrong, or it is suspended. The message is none the
    /// worse for it, and goes out once that is put right.
    Stopped,
}

/// What came of asking a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendOutcome {
    /// The provider took it.
    Accepted {
        /// Its id of the message.
        provider_id: String,
        /// How far it got.
        state: DeliveryState,
        /// How many SMS it makes of it, where it says so already.
        segments: Option<i64>,
    },
    /// The provider refused it for good.
    Refused {
        /// The reason.
        error: DeliveryError,
        /// What the reason says beyond this message.
        why: Refusal,
    },
    /// It was certainly not taken, and trying again is safe: the provider is down, or cannot be reached.
    NotTaken {
        /// The reason.
        error: DeliveryError,
        /// The provider's own wish for the wait, in milliseconds.
        retry_after_ms: Option<i64>,
    },
    /// It was certainly not taken, because the account sends too fast: all of its messages are to wait.
    TooFast {
        /// The reason.
        error: DeliveryError,
        /// The provider's own wish for the wait, in milliseconds.
        retry_after_ms: Option<i64>,
    },
    /// The answer was lost after the request left: it may have been taken. Never sent again silently.
    Unknown {
        /// What was seen.
        error: DeliveryError,
    },
}

show_only!(Outgoing { attempt, channel });
show_only!(Template { id });
show_only!(OutgoingCall { attempt, call });
