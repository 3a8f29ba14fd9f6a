//! The bodies that the contract takes.

use parlance_app::call::NewCall;
use parlance_app::conversation::Changes;
use parlance_app::message;
use parlance_app::send::{BODY_LIMIT, Draft, LONGEST_VALID_S, Recipient};
use parlance_model::channel::{Channel, JsonObject};
use parlance_model::conversation::Status;
use parlance_model::id::{ContactId, ConversationId, UserId};
use parlance_model::{Error, Result};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::media::{MediaIds, MediaUrls};
use super::template::Template;
use crate::moment::Moment;
use crate::value::{Fields, Integer, Number, Object, Text, Vocabulary, Word, not_null, present, without_nul};

/// The most bytes of a conversation's `metadata`.
const METADATA: usize = 16 * 1024;
/// The most bytes of a message's `meta`.
const META: usize = 64 * 1024;

type Visitor = Text<200>;
type ValidFor = Number<1, LONGEST_VALID_S>;

/// Opens a conversation, or finds the one that there is.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "OpenConversation", extend("oneOf" = one_recipient()))]
pub(crate) struct Open {
    /// With this contact.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Option<Integer>", transform = not_null)]
    contact_id: Option<Integer>,
    /// With this number; best in E.164 form.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Option<Text<64>>", transform = not_null)]
    phone: Option<Text<64>>,
    /// The medium; `sms` when not given.
    channel: Option<Word<Channel>>,
    /// The status of a new one.
    status: Option<Word<Status>>,
    /// The user who answers.
    assigned_to: Option<Integer>,
    /// What the visitor calls themselves.
    visitor_name: Option<Visitor>,
    /// The visitor's e-mail address.
    visitor_email: Option<Visitor>,
    /// The visitor's number, as given.
    visitor_phone: Option<Visitor>,
    /// Your own fields, at most 16 KiB of JSON.
    metadata: Option<Object<METADATA>>,
}

impl Open {
    /// What the use case takes.
    ///
    /// # Errors
    /// `validation_failed`.
    pub(crate) fn read(self) -> Result<(Recipient, Changes)> {
        let to = recipient(self.contact_id, self.phone, self.channel)?;
        let given = |text: Option<Visitor>| text.map(|text| Some(text.into_inner()));
        let changes = Changes {
            status: self.status.map(|word| word.0),
            assigned_to: self.assigned_to.map(|id| Some(UserId(id.get()))),
            contact_id: None,
            visitor_name: given(self.visitor_name),
            visitor_email: given(self.visitor_email),
            visitor_phone: given(self.visitor_phone),
            metadata: self.metadata.map(|object| object.0),
        };
        Ok((to, changes))
    }
}

/// Changes a conversation. Absent fields stay; null clears.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "ChangeConversation")]
pub(crate) struct Change {
    /// Open, closed or archived.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Option<Word<Status>>", transform = not_null)]
    status: Option<Word<Status>>,
    /// The user who answers.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Option<Integer>")]
    assigned_to: Option<Option<Integer>>,
    /// With whom it is.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Option<Integer>", transform = not_null)]
    contact_id: Option<Integer>,
    /// What the visitor calls themselves.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Option<Visitor>")]
    visitor_name: Option<Option<Visitor>>,
    /// The visitor's e-mail address.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Option<Visitor>")]
    visitor_email: Option<Option<Visitor>>,
    /// The visitor's number, as given.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Option<Visitor>")]
    visitor_phone: Option<Option<Visitor>>,
    /// Your own fields, at most 16 KiB of JSON: replaced as a whole.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Option<Object<METADATA>>")]
    metadata: Option<Option<Object<METADATA>>>,
}

impl From<Change> for Changes {
    fn from(from: Change) -> Self {
        let text = |text: Option<Option<Visitor>>| text.map(|text| text.map(Text::into_inner));
        Self {
            status: from.status.map(|word| word.0),
            assigned_to: from.assigned_to.map(|id| id.map(|id| UserId(id.get()))),
            contact_id: from.contact_id.map(|id| ContactId(id.get())),
            visitor_name: text(from.visitor_name),
            visitor_email: text(from.visitor_email),
            visitor_phone: text(from.visitor_phone),
            metadata: from.metadata.map(|object| object.map_or_else(JsonObject::default, |object| object.0)),
        }
    }
}

/// A text that may be left out, but is neither null nor has a NUL.
fn given_text<'de, D: serde::Deserializer<'de>>(from: D) -> std::result::Result<Option<String>, D::Error> {
    without_nul(from).map(Some)
}

/// A message to be sent in a conversation.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "SendInConversation")]
pub(crate) struct Reply {
    /// The text, at most 1600 characters. With `media_ids`, `media_urls` or `template` it may be left out, else it needs more than white space.
    #[serde(default, deserialize_with = "given_text")]
    #[schemars(with = "Option<String>", length(max = BODY_LIMIT), transform = not_null)]
    message: Option<String>,
    /// Who speaks; `assistant` for keys with that scope.
    sender: Option<Word<Speaker>>,
    /// Usage, tools, analysis, appointments, context, at most 64 KiB of JSON; for keys with that scope.
    meta: Option<Object<META>>,
    /// Files to send, by the ids of their uploads, each once. With `media_urls` at most ten.
    media_ids: Option<MediaIds>,
    /// Files to send that the provider fetches elsewhere: public http or https URLs.
    media_urls: Option<MediaUrls>,
    /// Of WhatsApp: an approved template that is sent in place of the text, also to somebody who has not written for a day. `message` is then
    /// what the thread shows.
    template: Option<Fields<Template>>,
    /// When it is to be sent: in the future, at most 35 days ahead. The answer does not wait for it.
    send_at: Option<Moment>,
    /// For how many seconds it is worth delivering, from now or from `send_at`. After that it is `expired`.
    valid_for: Option<ValidFor>,
}

impl Reply {
    /// What the use case takes, for a message in this conversation.
    pub(crate) fn read(self, id: ConversationId, once: Option<String>) -> Draft {
        self.to(Recipient::Conversation(id), once)
    }

    fn to(self, to: Recipient, once: Option<String>) -> Draft {
        Draft {
            to,
            body: self.message.unwrap_or_default(),
            media_ids: self.media_ids.map(|ids| ids.0).unwrap_or_default(),
            media_urls: self.media_urls.map(|urls| urls.0).unwrap_or_default(),
            template: self.template.map(|Fields(template)| template.read()),
            as_assistant: self.sender.is_some_and(|word| word.0 == Speaker::Assistant),
            meta: self.meta.map(|object| object.0).unwrap_or_default(),
            send_at_ms: self.send_at.map(|at| at.0),
            valid_s: self.valid_for.map(ValidFor::get),
            once,
        }
    }
}

/// A message to be sent to somebody. Finds or opens the conversation.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "SendToSomebody", extend("oneOf" = one_recipient()))]
pub(crate) struct Send {
    /// To this contact.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Option<Integer>", transform = not_null)]
    contact_id: Option<Integer>,
    /// To this number; best in E.164 form.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Option<Text<64>>", transform = not_null)]
    phone: Option<Text<64>>,
    /// The medium; `sms` when not given.
    channel: Option<Word<Channel>>,
    // The fields of `Reply`. Not flattened: serde then forgets which field was wrong.
    /// The text, at most 1600 characters. With `media_ids`, `media_urls` or `template` it may be left out, else it needs more than white space.
    #[serde(default, deserialize_with = "given_text")]
    #[schemars(with = "Option<String>", length(max = BODY_LIMIT), transform = not_null)]
    message: Option<String>,
    /// Who speaks; `assistant` for keys with that scope.
    sender: Option<Word<Speaker>>,
    /// Usage, tools, analysis, appointments, context, at most 64 KiB of JSON; for keys with that scope.
    meta: Option<Object<META>>,
    /// Files to send, by the ids of their uploads, each once. With `media_urls` at most ten.
    media_ids: Option<MediaIds>,
    /// Files to send that the provider fetches elsewhere: public http or https URLs.
    media_urls: Option<MediaUrls>,
    /// Of WhatsApp: an approved template that is sent in place of the text, also to somebody who has not written for a day. `message` is then
    /// what the thread shows.
    template: Option<Fields<Template>>,
    /// When it is to be sent: in the future, at most 35 days ahead. The answer does not wait for it.
    send_at: Option<Moment>,
    /// For how many seconds it is worth delivering, from now or from `send_at`. After that it is `expired`.
    valid_for: Option<ValidFor>,
}

impl Send {
    /// What the use case takes.
    ///
    /// # Errors
    /// `validation_failed`.
    pub(crate) fn read(self, once: Option<String>) -> Result<Draft> {
        let to = recipient(self.contact_id, self.phone, self.channel)?;
        let Self { message, sender, meta, media_ids, media_urls, template, send_at, valid_for, .. } = self;
        Ok(Reply { message, sender, meta, media_ids, media_urls, template, send_at, valid_for }.to(to, once))
    }
}

/// Calls the other side of a conversation.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[schemars(rename = "CallInConversation")]
pub(crate) struct Call {
    /// The phone that rings first; best in E.164 form. When not given, the caller's own among the account's `voice.ring`.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Option<Text<64>>", transform = not_null)]
    staff_phone: Option<Text<64>>,
}

impl Call {
    /// What the use case takes.
    pub(crate) fn read(self, conversation: ConversationId, once: Option<String>) -> NewCall {
        NewCall { conversation, staff_phone: self.staff_phone.map(Text::into_inner), once }
    }
}

/// Sends a message once more.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[schemars(rename = "RetryMessage")]
pub(crate) struct Retry {
    /// Send it even if it is not known whether it was sent before, so that it may arrive twice. Asked for by messages whose
    /// `delivery_state` is `unknown`; false when not given.
    allow_duplicate: Option<bool>,
}

impl Retry {
    /// What the use case takes.
    pub(crate) fn read(&self, once: Option<String>) -> message::Retry {
        message::Retry { allow_duplicate: self.allow_duplicate.unwrap_or_default(), once }
    }
}

/// Who may speak for the org.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Speaker {
    Staff,
    Assistant,
}

impl Vocabulary for Speaker {
    const NAME: &'static str = "Speaker";
    const VALUES: &'static [Self] = &[Self::Staff, Self::Assistant];

    fn text(self) -> &'static str {
        match self {
            Self::Staff => "staff",
            Self::Assistant => "assistant",
        }
    }
}

fn recipient(contact_id: Option<Integer>, phone: Option<Text<64>>, channel: Option<Word<Channel>>) -> Result<Recipient> {
    let channel = channel.map_or(Channel::Sms, |word| word.0);
    match (contact_id, phone) {
        (Some(id), None) => Ok(Recipient::Contact(ContactId(id.get()), channel)),
        (None, Some(phone)) => Ok(Recipient::Phone(phone.into_inner(), channel)),
        (Some(_), Some(_)) => Err(Error::invalid("contact_id", "Must not be given together with `phone`. Leave one out.")),
        (None, None) => Err(Error::invalid("contact_id", "Is required, or `phone` in its place.")),
    }
}

/// In the schema: exactly one of the two.
fn one_recipient() -> Value {
    serde_json::json!([{ "required": ["contact_id"] }, { "required": ["phone"] }])
}
