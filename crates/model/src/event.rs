//! The event log's entries. Written in the transaction of what they tell; everything else reads them.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::channel::JsonObject;
use crate::delivery::DeliveryState;
use crate::id::{AccountId, ContactId, ConversationId, MessageId};
use crate::masked::Masked;
use crate::message::Direction;

/// What happened. A closed set: a new variant makes the compiler list the consumers.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub enum Event {
    /// A contact came to be.
    #[serde(rename = "contact.created")]
    ContactCreated {
        /// Which.
        contact_id: ContactId,
    },
    /// Its names or identities changed. The name in its conversations changed with them.
    #[serde(rename = "contact.updated")]
    ContactUpdated {
        /// Which.
        contact_id: ContactId,
    },
    /// It took over another's identities and conversations, which are not told one by one.
    #[serde(rename = "contact.merged")]
    ContactMerged {
        /// Who answers for both from now on.
        contact_id: ContactId,
        /// Whose id redirects from now on.
        merged_id: ContactId,
    },
    /// A conversation came to be.
    #[serde(rename = "conversation.created")]
    ConversationCreated {
        /// Which.
        conversation_id: ConversationId,
        /// With whom.
        contact_id: ContactId,
    },
    /// Its status, assignee, contact, fields or read position changed.
    #[serde(rename = "conversation.updated")]
    ConversationUpdated {
        /// Which.
        conversation_id: ConversationId,
    },
    /// A message was stored.
    #[serde(rename = "message.created")]
    MessageCreated {
        /// Where.
        conversation_id: ConversationId,
        /// Which.
        message_id: MessageId,
        /// Which way it went.
        direction: Direction,
        /// Whether this event's message made the contact.
        contact_created: bool,
    },
    /// Its text, its files, what is known of the call that it is, or the reason of its state changed; or it was for later and moved to the
    /// end of its thread when it left.
    #[serde(rename = "message.updated")]
    MessageUpdated {
        /// Where.
        conversation_id: ConversationId,
        /// Which.
        message_id: MessageId,
    },
    /// An outbound message got further.
    #[serde(rename = "message.status")]
    MessageStatus {
        /// Where.
        conversation_id: ConversationId,
        /// Which.
        message_id: MessageId,
        /// How far it got.
        state: DeliveryState,
    },
    /// A recipient opted out or in.
    #[serde(rename = "opt_out.changed")]
    OptOutChanged {
        /// The identity's value.
        identity: String,
        /// Whether sending is now refused.
        opted_out: bool,
    },
    /// A provider began to refuse an account of ours, or takes it again.
    #[serde(rename = "account.health")]
    AccountHealth {
        /// Which.
        account_id: AccountId,
        /// Whether nothing goes out over it.
        failing: bool,
    },
    /// Something that this version does not know, written by a newer one beside it: the whole entry, `kind` included.
    #[serde(untagged)]
    Newer(JsonObject),
}

impl fmt::Debug for Event {
    /// As it is stored, with the identity masked; of what is not known, the kind alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Newer(_) = self {
            return f.write_str(self.kind());
        }
        let mut shown = serde_json::to_value(self).unwrap_or_default();
        if let Some(identity) = shown.get_mut("identity") {
            *identity = Masked(identity.as_str().unwrap_or_default()).to_string().into();
        }
        fmt::Display::fmt(&shown, f)
    }
}

impl Event {
    /// The word in the `kind` column and on the wire.
    #[must_use]
    pub fn kind(&self) -> &str {
        match self {
            Self::ContactCreated { .. } => "contact.created",
            Self::ContactUpdated { .. } => "contact.updated",
            Self::ContactMerged { .. } => "contact.merged",
            Self::ConversationCreated { .. } => "conversation.created",
            Self::ConversationUpdated { .. } => "conversation.updated",
            Self::MessageCreated { .. } => "message.created",
            Self::MessageUpdated { .. } => "message.updated",
            Self::MessageStatus { .. } => "message.status",
            Self::OptOutChanged { .. } => "opt_out.changed",
            Self::AccountHealth { .. } => "account.health",
            Self::Newer(entry) => entry.0.get("kind").and_then(serde_json::Value::as_str).unwrap_or_default(),
        }
    }
}
