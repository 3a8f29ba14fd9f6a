//! The contract's conversation.

use parlance_app::conversation as app;
use parlance_model::channel::Channel;
use parlance_model::clock::iso8601;
use parlance_model::conversation::{self as model, State, Status};
use parlance_model::message::Direction;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use super::Message;
use crate::value::Word;

/// All messages with one contact over one of the organisation's accounts.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Conversation {
    /// Its id.
    id: i64,
    /// The medium.
    channel: Word<Channel>,
    /// Open, closed or archived.
    status: Word<Status>,
    /// The exact state behind the status.
    state: Word<State>,
    /// The address that messages go to.
    phone_number: Option<String>,
    /// What a visitor calls themselves.
    visitor_name: Option<String>,
    /// The visitor's e-mail address.
    visitor_email: Option<String>,
    /// The visitor's number, as given.
    visitor_phone: Option<String>,
    /// Web chat only, and shown to its visitor only.
    visitor_token: Option<String>,
    /// GoHighLevel's id of it, where it is synchronised.
    ghl_conversation_id: Option<String>,
    /// Whom it is with.
    contact_id: i64,
    /// Their name.
    contact_name: Option<String>,
    /// The user who answers.
    assigned_to: Option<i64>,
    /// Marked by a person.
    starred: bool,
    /// Messages of every kind.
    message_count: i64,
    /// Inbound messages that nobody has read.
    unread_count: i64,
    /// When the newest message was; null before the first.
    last_message_at: Option<String>,
    /// One line of the newest message.
    last_message_preview: Option<String>,
    /// Which way the newest message went.
    last_direction: Option<Word<Direction>>,
    /// Of WhatsApp: until when free texts can be sent, 24 hours after the contact last wrote; before and after that, templates only. Null
    /// for other channels, and while the contact has not written.
    reply_window_ends_at: Option<String>,
    /// The caller's own fields.
    metadata: Map<String, Value>,
    /// When it was made.
    inserted_at: String,
    /// When it last changed.
    updated_at: String,
}

impl From<model::Conversation> for Conversation {
    fn from(from: model::Conversation) -> Self {
        let has_messages = from.message_count > 0;
        let reply_window_ends_at = from.reply_window_ends_ms().map(iso8601);
        Self {
            id: from.id.0,
            channel: Word(from.channel),
            status: Word(from.standing.status()),
            state: Word(from.standing.state),
            phone_number: (!from.peer.is_empty()).then_some(from.peer),
            visitor_name: from.visitor.name,
            visitor_email: from.visitor.email,
            visitor_phone: from.visitor.phone,
            visitor_token: None,
            ghl_conversation_id: None,
            contact_id: from.contact_id.0,
            contact_name: from.contact_name,
            assigned_to: from.assigned_to.map(|user| user.0),
            starred: from.starred,
            message_count: from.message_count,
            unread_count: from.unread_count,
            last_message_at: has_messages.then(|| iso8601(from.last_message_ms)),
            last_message_preview: has_messages.then_some(from.preview),
            last_direction: from.last_direction.map(Word),
            reply_window_ends_at,
            metadata: from.metadata.0,
            inserted_at: iso8601(from.created_ms),
            updated_at: iso8601(from.updated_ms),
        }
    }
}

/// A conversation and its messages.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Thread {
    #[serde(flatten)]
    conversation: Conversation,
    /// The latest 50, oldest first.
    messages: Vec<Message>,
}

impl From<(model::Conversation, Vec<parlance_app::media::Shown>)> for Thread {
    fn from((conversation, messages): (model::Conversation, Vec<parlance_app::media::Shown>)) -> Self {
        Self { conversation: conversation.into(), messages: messages.into_iter().map(Into::into).collect() }
    }
}

/// What nobody has read yet.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Unread {
    /// Inbound messages.
    unread_count: i64,
    /// The conversations that hold them.
    conversations: i64,
}

impl From<app::Unread> for Unread {
    fn from(from: app::Unread) -> Self {
        Self { unread_count: from.messages, conversations: from.conversations }
    }
}
