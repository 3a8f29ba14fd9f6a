//! The contract's message, and the answer to sending one.

use parlance_app::media::Shown;
use parlance_app::send;
use parlance_model::call::{self, CallStatus};
use parlance_model::channel::Channel;
use parlance_model::clock::iso8601;
use parlance_model::contact;
use parlance_model::delivery::{DeliveryState, DeliveryStatus};
use parlance_model::message::{Direction, Kind, SenderKind};
use parlance_model::segments::{Encoding, Segments};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{Attachment, Conversation};
use crate::value::{Vocabulary, Word};

/// A message of a conversation.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Message {
    /// Its id.
    id: i64,
    /// Where it belongs.
    conversation_id: i64,
    /// The user who wrote it, where a user did.
    sender_id: Option<i64>,
    /// Who wrote it, in the contract's words.
    sender_type: Word<SenderType>,
    /// Who wrote it, exactly.
    sender: Word<SenderKind>,
    /// What it is.
    kind: Word<Kind>,
    /// The text; may be empty. Of calls: what the caller said, where it was written down.
    body: String,
    /// The medium.
    channel: Word<Channel>,
    /// Which way it went.
    direction: Word<Direction>,
    /// How far it got, in the contract's words.
    delivery_status: Word<DeliveryStatus>,
    /// How far it got, exactly.
    delivery_state: Word<DeliveryState>,
    /// The provider's reason, or ours, for getting no further.
    error_code: Option<String>,
    /// That reason in plain words.
    error_message: Option<String>,
    /// GoHighLevel's id of it, where it is synchronised.
    ghl_message_id: Option<String>,
    /// Of calls: how long the talk was, or the message that the caller left.
    call_duration_seconds: Option<i64>,
    /// Of calls: where its first recording is, once it is here.
    recording_url: Option<String>,
    /// Of calls: how they went.
    call: Option<Call>,
    /// When it was read: by the team, if it is inbound, else by the contact.
    read_at: Option<String>,
    /// When it was sent or received.
    inserted_at: String,
    /// When it last changed.
    updated_at: String,
    /// Of messages for later: when it is to be sent. Until then `inserted_at` is when it was stored, afterwards when it left.
    send_at: Option<String>,
    /// How many SMS the provider makes of it, once it says so.
    segments: Option<i64>,
    /// How many SMS its text makes, by our count; 1 with files. Null on other channels than SMS.
    estimated_segments: Option<usize>,
    /// The alphabet that its text needs as SMS: one character outside of `gsm7` makes all of it `ucs2`, of which fewer fit into one.
    /// Null with files, and on other channels than SMS.
    encoding: Option<Word<Encoding>>,
    /// Whether it was found in the provider's lists afterwards: it did not move the unread number, and opened nothing again.
    history: bool,
    /// Its files, in order.
    attachments: Vec<Attachment>,
    /// Usage, tools, analysis, appointments, context; the provider's facts under `provider`.
    meta: Map<String, Value>,
}

impl From<Shown> for Message {
    fn from(Shown { message: from, files }: Shown) -> Self {
        // The row keeps every reason it was given. One of an earlier doubt beside "delivered" would be false.
        let arrived = matches!(from.state.status(), DeliveryStatus::Sent | DeliveryStatus::Delivered | DeliveryStatus::Read);
        let reason = |text: Option<String>| text.filter(|_| !arrived);
        let has_files = !from.attachments.is_empty();
        let sms = (from.channel == Channel::Sms && from.kind == Kind::Text).then(|| Segments::of(&from.body));
        Self {
            id: from.id.0,
            conversation_id: from.conversation_id.0,
            sender_id: from.sender_user.map(|user| user.0),
            sender_type: Word(from.sender.into()),
            sender: Word(from.sender),
            kind: Word(from.kind),
            body: from.body,
            channel: Word(from.channel),
            direction: Word(from.direction),
            delivery_status: Word(from.state.status()),
            delivery_state: Word(from.state),
            error_code: reason(from.error_code),
            error_message: reason(from.error_message),
            ghl_message_id: None,
            call_duration_seconds: from.call.as_ref().and_then(call::Call::length_s),
            recording_url: from.call.as_ref().and(files.first()).and_then(|recording| recording.url.clone()),
            call: from.call.map(Call::from),
            read_at: from.read_ms.map(iso8601),
            inserted_at: iso8601(from.at_ms),
            updated_at: iso8601(from.updated_ms),
            send_at: from.send_at_ms.map(iso8601),
            segments: from.segments,
            estimated_segments: if has_files { sms.map(|_| 1) } else { sms.map(|sms| sms.count) },
            encoding: sms.filter(|_| !has_files).map(|sms| Word(sms.encoding)),
            history: from.history,
            attachments: files.into_iter().map(Into::into).collect(),
            meta: from.meta.0,
        }
    }
}

/// How a call went.
#[derive(Debug, Serialize, JsonSchema)]
struct Call {
    /// How far it got.
    status: Word<CallStatus>,
    /// How long the talk was, or the message that the caller left.
    duration_seconds: Option<i64>,
    /// Who of the staff took it, where that is known.
    answered_by: Option<i64>,
    /// Whether the caller left a message.
    voicemail: bool,
    /// What the caller said, where it was written down.
    transcription: Option<String>,
    /// Its recordings.
    recordings: Vec<Recording>,
}

/// A recording of a call.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "CallRecording")]
struct Recording {
    /// How long it is.
    duration_seconds: Option<i64>,
    /// Which of the message's `attachments` it is, from 0.
    attachment: Option<usize>,
}

impl From<call::Call> for Call {
    fn from(from: call::Call) -> Self {
        let recording = |of: call::Recording| Recording { duration_seconds: of.duration_s, attachment: of.file };
        Self {
            status: Word(from.status),
            duration_seconds: from.length_s(),
            answered_by: from.answered_by.map(|user| user.0),
            voicemail: from.status == CallStatus::Voicemail,
            transcription: from.transcription,
            recordings: from.recordings.into_iter().map(recording).collect(),
        }
    }
}

/// The contract's words for who wrote a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SenderType {
    /// The contact.
    Visitor,
    /// The org: a person, a key or the assistant.
    Staff,
    /// Parlance itself.
    System,
}

impl From<SenderKind> for SenderType {
    fn from(from: SenderKind) -> Self {
        match from {
            SenderKind::Contact => Self::Visitor,
            SenderKind::Staff | SenderKind::Assistant => Self::Staff,
            SenderKind::System => Self::System,
        }
    }
}

impl Vocabulary for SenderType {
    const NAME: &'static str = "SenderType";
    const VALUES: &'static [Self] = &[Self::Visitor, Self::Staff, Self::System];

    fn text(self) -> &'static str {
        match self {
            Self::Visitor => "visitor",
            Self::Staff => "staff",
            Self::System => "system",
        }
    }
}

/// A message that was taken for sending, with its surroundings.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Sent {
    /// The conversation after it.
    conversation: ConversationWithContact,
    /// The message as it now stands.
    message: Message,
    /// Its `delivery_status` again.
    status: Word<DeliveryStatus>,
}

/// A conversation and whom it is with.
#[derive(Debug, Serialize, JsonSchema)]
struct ConversationWithContact {
    #[serde(flatten)]
    conversation: Conversation,
    /// Whom it is with.
    contact: ContactInBrief,
}

/// A person outside, in few words.
#[derive(Debug, Serialize, JsonSchema)]
struct ContactInBrief {
    /// Their id.
    id: i64,
    /// First name; null when unknown.
    first_name: Option<String>,
    /// Last name; null when unknown.
    last_name: Option<String>,
    /// Their first number.
    phone: Option<String>,
}

impl From<contact::Contact> for ContactInBrief {
    fn from(from: contact::Contact) -> Self {
        let known = |name: String| (!name.is_empty()).then_some(name);
        Self { id: from.id.0, first_name: known(from.first_name), last_name: known(from.last_name), phone: from.phone }
    }
}

impl From<send::Sent> for Sent {
    fn from(from: send::Sent) -> Self {
        let conversation = ConversationWithContact { conversation: from.conversation.into(), contact: from.contact.into() };
        let status = Word(from.message.state.status());
        Self { conversation, status, message: Shown { message: from.message, files: from.files }.into() }
    }
}
