//! Messages: every touchpoint of a conversation.

use serde::{Deserialize, Serialize};

use crate::channel::{Channel, JsonObject};
use crate::delivery::DeliveryState;
use crate::id::{AccountId, ConversationId, MessageId, UserId};
use crate::words;

words! {
    /// Which way a message went.
    pub enum Direction ("direction") {
        /// From the contact to us.
        Inbound = "inbound",
        /// From us to the contact.
        Outbound = "outbound",
    }
}

words! {
    /// Who wrote it.
    pub enum SenderKind ("sender") {
        /// The person outside.
        Contact = "contact",
        /// A person in the org, or a key that speaks for it.
        Staff = "staff",
        /// The AI assistant.
        Assistant = "assistant",
        /// Parlance itself.
        System = "system",
    }
}

words! {
    /// What kind of touchpoint it is.
    pub enum Kind ("kind") {
        /// A text, with or without attachments.
        Text = "text",
        /// A phone call.
        Call = "call",
        /// A note between colleagues.
        Note = "note",
        /// An e-mail.
        Email = "email",
        /// A line that the system wrote into the thread.
        Event = "event",
    }
}

/// A file that came or goes with a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// Where the provider keeps it. Never shown: it may need the provider's credentials.
    pub provider_url: String,
    /// The type that the provider named.
    pub content_type: String,
}

/// A message as its row has it.
#[derive(Debug, Clone)]
pub struct Message {
    /// Its id.
    pub id: MessageId,
    /// Where it belongs.
    pub conversation_id: ConversationId,
    /// The account that carried it.
    pub account_id: AccountId,
    /// The medium.
    pub channel: Channel,
    /// Which way it went.
    pub direction: Direction,
    /// Who wrote it.
    pub sender: SenderKind,
    /// The person in the org who wrote it.
    pub sender_user: Option<UserId>,
    /// What kind of touchpoint.
    pub kind: Kind,
    /// The text; may be empty.
    pub body: String,
    /// Files.
    pub attachments: Vec<Attachment>,
    /// Usage, tools, analysis, appointments, context; provider facts under `provider`.
    pub meta: JsonObject,
    /// The latest attempt's state; inbound messages are `delivered`.
    pub state: DeliveryState,
    /// The provider's reason, or ours.
    pub error_code: Option<String>,
    /// The reason in plain words.
    pub error_message: Option<String>,
    /// The provider's time, clamped to receipt, unix ms. A thread is ordered by this and the id.
    pub at_ms: i64,
    /// When we stored it, unix ms.
    pub received_ms: i64,
    /// When its row last changed, unix ms.
    pub updated_ms: i64,
    /// When it was read, unix ms: by the team (inbound) or by the contact (outbound).
    pub read_ms: Option<i64>,
}
