//! Messages: every touchpoint of a conversation.

use serde::{Deserialize, Serialize};

use crate::call::Call;
use crate::channel::{Channel, JsonObject};
use crate::delivery::{DeliveryError, DeliveryState};
use crate::id::{AccountId, ConversationId, MediaId, MessageId, UserId};
use crate::job::Lane;
use crate::media::Facts;
use crate::outbound::Template;
use crate::{show_only, words};

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

/// A file that came or goes with a message, as the message's row keeps it. Told apart by the names of the fields.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Attachment {
    /// One of ours. Files never change, so what is known of it is kept here, and threads are read without a look at it.
    Stored {
        /// Which.
        media_id: MediaId,
        /// What is known of it.
        #[serde(flatten)]
        facts: Facts,
        /// Whether there is a thumbnail.
        has_thumbnail: bool,
    },
    /// One that the sender keeps.
    Linked {
        /// Where; given to the provider as it is.
        url: String,
    },
    /// One that came in and is still at the provider.
    Remote {
        /// Where the provider keeps it. Never shown: it may need the provider's credentials.
        provider_url: String,
        /// The type that the provider named.
        content_type: String,
        /// Why it stays there: it was not to be had, or is not taken. `None` while it is still being fetched, and of what came before
        /// files were fetched.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<DeliveryError>,
    },
}

impl Attachment {
    /// One that is about to be fetched from the provider.
    #[must_use]
    pub const fn remote(provider_url: String, content_type: String) -> Self {
        Self::Remote { provider_url, content_type, error: None }
    }

    /// Its type, where it is known.
    #[must_use]
    pub fn content_type(&self) -> Option<&str> {
        match self {
            Self::Stored { facts, .. } => Some(&facts.content_type),
            Self::Linked { .. } => None,
            Self::Remote { content_type, .. } => Some(content_type),
        }
    }
}

impl std::fmt::Debug for Attachment {
    /// The type alone: addresses open the file, and its name may be anybody's.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Attachment").field("content_type", &self.content_type()).finish_non_exhaustive()
    }
}

/// A message as its row has it.
#[derive(Clone)]
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
    /// Of calls: how it went.
    pub call: Option<Call>,
    /// Of sends for later: when it is handed over, unix ms.
    pub send_at_ms: Option<i64>,
    /// How long it is worth delivering once it may go, in seconds.
    pub valid_s: Option<i64>,
    /// How many SMS the provider made of it, once it says so.
    pub segments: Option<i64>,
    /// Whether it was found in the provider's list long after it came. It never counts as unread.
    pub history: bool,
}

/// Where a message's `meta` holds its template. Callers cannot set it.
pub const TEMPLATE: &str = "template";

impl Message {
    /// Where its jobs are.
    #[must_use]
    pub const fn lane(&self) -> Lane {
        match self.send_at_ms {
            Some(_) => Lane::Message(self.id),
            None => Lane::Conversation(self.conversation_id),
        }
    }

    /// The template that is sent in place of its text.
    #[must_use]
    pub fn template(&self) -> Option<Template> {
        // Other channels have none, and what a caller once called so is theirs.
        let kept = self.meta.0.get(TEMPLATE).filter(|_| self.channel == Channel::Whatsapp)?;
        Template::deserialize(kept).ok()
    }
}

show_only!(Message { id, conversation_id, direction, sender, kind, state, error_code });

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attachments_read_back_as_they_were_stored_now_and_before() {
        let facts = Facts { content_type: "image/png".to_owned(), size: 5, name: "a.png".to_owned(), width: Some(2), height: Some(1) };
        let known = [
            (
                r#"{"media_id":7,"content_type":"image/png","size":5,"name":"a.png","width":2,"height":1,"has_thumbnail":true}"#,
                Attachment::Stored { media_id: MediaId(7), facts: facts.clone(), has_thumbnail: true },
            ),
            (
                r#"{"media_id":7,"content_type":"image/png","size":5,"name":"a.png","has_thumbnail":false}"#,
                Attachment::Stored { media_id: MediaId(7), facts: Facts { width: None, height: None, ..facts }, has_thumbnail: false },
            ),
            (r#"{"url":"https://example.com/a.png"}"#, Attachment::Linked { url: "https://example.com/a.png".to_owned() }),
            // What version 0.1 stored.
            (
                r#"{"provider_url":"https://media.example/1","content_type":"image/png"}"#,
                Attachment::remote("https://media.example/1".to_owned(), "image/png".to_owned()),
            ),
            (
                r#"{"provider_url":"https://media.example/1","content_type":"image/png","error":{"code":"not_there","message":"It is gone."}}"#,
                Attachment::Remote {
                    provider_url: "https://media.example/1".to_owned(),
                    content_type: "image/png".to_owned(),
                    error: Some(DeliveryError { code: "not_there".to_owned(), message: "It is gone.".to_owned() }),
                },
            ),
        ];
        for (text, attachment) in known {
            assert_eq!(serde_json::from_str::<Attachment>(text).unwrap(), attachment, "{text}");
            assert_eq!(serde_json::to_string(&attachment).unwrap(), text);
        }
    }
}
