//! Sending: one transaction stores the message, its event and its job; a worker hands it over (`deliver.rs`).

use std::time::Duration;

use parlance_model::account::Account;
use parlance_model::audit::{Act, Action};
use parlance_model::channel::{Channel, JsonObject};
use parlance_model::clock::iso8601;
use parlance_model::contact::{Contact, Identity, IdentityKind};
use parlance_model::conversation::{Conversation, session_key};
use parlance_model::id::{ContactId, ConversationId, MediaId, MessageId, OrgId, UserId};
use parlance_model::job::{Job, Lane};
use parlance_model::key::{Principal, Scope};
use parlance_model::message::{Attachment, Direction, Kind, Message, SenderKind, TEMPLATE};
use parlance_model::outbound::Template;
use parlance_model::phone::{Address, Phone};
use parlance_model::{Error, Result, text};
use parlance_store::bus::Signal;
use parlance_store::{OrgTx, account, contact, conversation, idempotency, job, media, message, opt_out, org};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use crate::contact::created;
use crate::media::{Links, Shown, ShownFile};
use crate::{App, once_key};

/// The most characters of an SMS body (Twilio's limit, error 21617).
pub const BODY_LIMIT: usize = 1600;
/// The most files of a message (Twilio's limit, error 21623).
pub const FILES_LIMIT: usize = 10;
/// How far ahead a message may be sent for, in milliseconds: 35 days.
const FURTHEST_MS: i64 = 35 * 24 * 60 * 60 * 1000;
/// How long a message may be worth delivering, in seconds (Twilio's limits of a validity period).
pub const LONGEST_VALID_S: i64 = 36_000;
/// How long an answer waits for the first outcome, in milliseconds.
const WAIT_MS: i64 = 2_000;
/// How often a waiting answer looks by itself: another node may have done the work.
const LOOK: Duration = Duration::from_millis(200);

/// To whom.
#[derive(Debug, Clone)]
pub enum Recipient {
    /// In this conversation.
    Conversation(ConversationId),
    /// To this contact, on this channel.
    Contact(ContactId, Channel),
    /// To this number, on this channel.
    Phone(String, Channel),
}

/// What is to be sent.
#[derive(Clone)]
pub struct Draft {
    /// To whom.
    pub to: Recipient,
    /// The text; may be empty when there are files.
    pub body: String,
    /// Files of the org, each once.
    pub media_ids: Vec<MediaId>,
    /// Files that somebody else keeps, by their http or https addresses.
    pub media_urls: Vec<String>,
    /// Of WhatsApp: sent in place of the text, which is then what the thread shows.
    pub template: Option<Template>,
    /// Whether the assistant wrote it, by a key that may say so.
    pub as_assistant: bool,
    /// Usage, tools, analysis, appointments, context.
    pub meta: JsonObject,
    /// When it is to leave, unix ms. `None`: now.
    pub send_at_ms: Option<i64>,
    /// How long it is worth delivering from then on, in seconds: 1 to 36000. `None`: as long as we and the provider keep it.
    pub valid_s: Option<i64>,
    /// The request's idempotency key.
    pub once: Option<String>,
}

parlance_model::show_only!(Draft {});

impl Draft {
    /// A text of now.
    #[must_use]
    pub fn text(to: Recipient, body: impl Into<String>) -> Self {
        Self {
            to,
            body: body.into(),
            media_ids: Vec::new(),
            media_urls: Vec::new(),
            template: None,
            as_assistant: false,
            meta: JsonObject::default(),
            send_at_ms: None,
            valid_s: None,
            once: None,
        }
    }
}

/// A stored message with its surroundings.
#[derive(Debug, Clone)]
pub struct Sent {
    /// The conversation after it.
    pub conversation: Conversation,
    /// Whom it is with.
    pub contact: Contact,
    /// The message as it now stands.
    pub message: Message,
    /// Its files, with links.
    pub files: Vec<ShownFile>,
}

/// Where a message to somebody goes.
pub(crate) struct Route {
    pub(crate) account: Account,
    pub(crate) channel: Channel,
    pub(crate) contact: Contact,
    pub(crate) peer: Phone,
}

impl Route {
    /// The conversation there, found or made. The flag says whether it was made.
    pub(crate) fn open(&self, tx: &mut OrgTx<'_, '_>) -> Result<(Conversation, bool)> {
        let key = conversation::Key {
            account: &self.account,
            session_key: session_key(self.channel, &Address::Phone(self.peer.clone())),
            channel: self.channel,
            peer: self.peer.to_string(),
            contact: self.contact.id,
        };
        let (found, made) = conversation::find_or_create(tx, &key)?;
        if made {
            let act = Act::new(Action::ConversationOpen, found.id).with("channel", self.channel.as_str());
            tx.audit(&act.with("account_id", self.account.id.0).with("contact_id", self.contact.id.0))?;
        }
        Ok((found, made))
    }
}

impl App {
    /// Stores a message to be sent and, unless told not to, waits up to two seconds for the first outcome. One for later is
    /// answered at once.
    ///
    /// # Errors
    /// `not_found`; `validation_failed`; `recipient_opted_out`; `whatsapp_window_closed`; `not_answerable`; `no_account`; `sms_provider_off`;
    /// `forbidden`.
    pub async fn send(&self, who: &Principal, draft: Draft, wait: bool) -> Result<Sent> {
        let draft = checked(who, draft)?;
        check_time(&draft, self.now_ms())?;
        let wait = wait && draft.send_at_ms.is_none();
        let signals = self.store().bus().listen();
        let (caller, links) = (who.clone(), self.0.links.clone());
        let accepted = move |tx: &mut OrgTx<'_, '_>| {
            let (id, made) = once(tx, &caller, draft.once.as_deref(), |tx| accept(tx, &caller, &draft))?;
            Ok((sent(tx, id, &links)?, made))
        };
        let (sent, made) = self.write_as(who, accepted).await?;
        self.0.measured.sent.increment(u64::from(made));
        Ok(self.followed(who.org, signals, sent, wait).await)
    }

    /// The message once its first outcome is known, or after two seconds, or as soon as none can be known by then. It is stored:
    /// whatever goes wrong while waiting for more, the answer says so.
    pub(crate) async fn followed(&self, org: OrgId, mut signals: Receiver<Signal>, mut sent: Sent, wait: bool) -> Sent {
        let deadline = tokio::time::Instant::now() + Duration::from_millis(if wait { WAIT_MS.unsigned_abs() } else { 0 });
        loop {
            if sent.message.state.is_outcome() || tokio::time::Instant::now() >= deadline {
                return sent;
            }
            let look = (tokio::time::Instant::now() + LOOK).min(deadline);
            // A signal of another org says nothing; a lagging listener looks at once.
            while let Ok(signal) = tokio::time::timeout_at(look, signals.recv()).await {
                match signal {
                    Ok(Signal::Events(of)) if of == org => break,
                    Ok(_) => {}
                    Err(RecvError::Lagged(_) | RecvError::Closed) => break,
                }
            }
            let (message, links) = (sent.message.id, self.0.links.clone());
            let look = move |tx: &mut OrgTx<'_, '_>| {
                let sent = self::sent(tx, message, &links)?;
                let due_ms = job::first_due(tx, sent.message.lane())?;
                Ok((due_ms.is_some_and(|due_ms| due_ms > tx.now_ms() + WAIT_MS), sent))
            };
            match self.store().read(org, look).await {
                Ok((false, seen)) => sent = seen,
                Ok((true, seen)) => return seen,
                Err(error) => {
                    tracing::warn!(?error, message = %message, "a sent message could not be looked at");
                    return sent;
                }
            }
        }
    }
}

fn checked(who: &Principal, mut draft: Draft) -> Result<Draft> {
    draft.body = text::clean(&draft.body);
    let files = draft.media_ids.len() + draft.media_urls.len();
    if draft.body.trim().is_empty() && files == 0 && draft.template.is_none() {
        return Err(Error::invalid("message", "Must not be empty, unless there are `media_ids`, `media_urls` or a `template`."));
    }
    if draft.template.is_some() && files > 0 {
        return Err(Error::invalid("template", "Must not be given together with files: a template has its own."));
    }
    if files > FILES_LIMIT {
        let field = if draft.media_ids.is_empty() { "media_urls" } else { "media_ids" };
        return Err(Error::invalid(field, format!("Must be at most {FILES_LIMIT} files, `media_ids` and `media_urls` together.")));
    }
    if draft.body.chars().count() > BODY_LIMIT {
        return Err(Error::invalid("message", format!("Must be at most {BODY_LIMIT} characters. Split it into several messages.")));
    }
    if (draft.as_assistant || !draft.meta.0.is_empty()) && !who.scopes.has(Scope::Assistant) {
        return Err(Error::new(
            parlance_model::error::Kind::Forbidden,
            "forbidden",
            "This key may not speak as the assistant or set `meta`. Make one with --assistant.",
        ));
    }
    Ok(draft)
}

fn check_time(draft: &Draft, now_ms: i64) -> Result<()> {
    if draft.send_at_ms.is_some_and(|at_ms| at_ms <= now_ms || at_ms > now_ms + FURTHEST_MS) {
        return Err(Error::invalid("send_at", "Must be in the future, and at most 35 days ahead. Leave it out to send now."));
    }
    if draft.valid_s.is_some_and(|valid_s| !(1..=LONGEST_VALID_S).contains(&valid_s)) {
        return Err(Error::invalid("valid_for", format!("Must be 1 to {LONGEST_VALID_S} seconds.")));
    }
    Ok(())
}

pub(crate) fn sent(tx: &mut OrgTx<'_, '_>, id: MessageId, links: &Links) -> Result<Sent> {
    let message = message::get(tx, id)?;
    let conversation = conversation::get(tx, message.conversation_id)?;
    let contact = contact::get(tx, conversation.contact_id)?;
    let Shown { message, files } = links.show(tx.org(), message, tx.now_ms());
    Ok(Sent { conversation, contact, message, files })
}

/// Stores the message, its event and its job.
fn accept(tx: &mut OrgTx<'_, '_>, who: &Principal, draft: &Draft) -> Result<MessageId> {
    let before = target(tx, &draft.to)?;
    queue(tx, &before, who.user, draft)
}

/// Makes the message of a request, or finds the one that an earlier run of the same request made. The flag says whether it was made now.
pub(crate) fn once(
    tx: &mut OrgTx<'_, '_>,
    who: &Principal,
    key: Option<&str>,
    make: impl FnOnce(&mut OrgTx<'_, '_>) -> Result<MessageId>,
) -> Result<(MessageId, bool)> {
    let Some(key) = key.map(|key| once_key(who, key)) else { return Ok((make(tx)?, true)) };
    if let Some(made) = idempotency::message(tx, &key)? {
        return Ok((made, false));
    }
    let id = make(tx)?;
    idempotency::made(tx, &key, id)?;
    Ok((id, true))
}

/// Stores the message in this conversation, its event and its job.
pub(crate) fn queue(tx: &mut OrgTx<'_, '_>, before: &Conversation, user: Option<UserId>, draft: &Draft) -> Result<MessageId> {
    refuse_opted_out(tx, before)?;
    refuse_closed_window(before, draft.template.as_ref(), draft.send_at_ms.unwrap_or_else(|| tx.now_ms()))?;
    let mut after = before.clone();
    let sender = if draft.as_assistant { SenderKind::Assistant } else { SenderKind::Staff };
    let new = message::NewMessage {
        sender_user: user,
        attachments: attachments(tx, before, draft)?,
        meta: meta(before, draft)?,
        send_at_ms: draft.send_at_ms,
        valid_s: draft.valid_s,
        ..message::NewMessage::new(Direction::Outbound, sender, Kind::Text, &draft.body)
    };
    let id = message::append(tx, &mut after, &new, false)?;
    conversation::save(tx, before, &after)?;
    let (lane, run_at_ms) = match draft.send_at_ms {
        Some(at_ms) => (Lane::Message(id), at_ms),
        None => (Lane::Conversation(after.id), tx.now_ms()),
    };
    job::enqueue(tx, &Job::Send { message_id: id }, Some(lane), run_at_ms)?;
    let act = Act::new(Action::MessageSend, id).with("conversation_id", after.id.0).with("account_id", after.account_id.0);
    tx.audit(&act.with("channel", after.channel.as_str()).with("sender", new.sender.as_str()))?;
    Ok(id)
}

/// The caller's fields, with the template among them.
fn meta(conversation: &Conversation, draft: &Draft) -> Result<JsonObject> {
    let mut meta = draft.meta.clone();
    if conversation.channel == Channel::Whatsapp && meta.0.contains_key(TEMPLATE) {
        return Err(Error::invalid("meta", "Must not have a `template`. Give the field `template` in its place."));
    }
    if let Some(template) = &draft.template {
        if conversation.channel != Channel::Whatsapp {
            return Err(Error::invalid("template", format!("Is for WhatsApp. This conversation is {}.", conversation.channel)));
        }
        meta.0.insert(TEMPLATE.to_owned(), serde_json::to_value(template).map_err(Error::internal)?);
    }
    Ok(meta)
}

/// Ties the files to the message, and refuses those that its provider would refuse.
fn attachments(tx: &mut OrgTx<'_, '_>, conversation: &Conversation, draft: &Draft) -> Result<Vec<Attachment>> {
    let own = draft.media_ids.iter().map(|id| media::attach(tx, *id)).collect::<Result<Vec<_>>>()?;
    if own.is_empty() && draft.media_urls.is_empty() {
        return Ok(Vec::new());
    }
    let provider = parlance_channels::of(account::get(tx, conversation.account_id)?.provider());
    let limit = provider.files_limit(conversation.channel);
    if own.len() + draft.media_urls.len() > limit {
        let field = if own.is_empty() { "media_urls" } else { "media_ids" };
        let text = format!(
            "A message over {} may have {limit} of `media_ids` and `media_urls` together. Send more messages.",
            conversation.channel
        );
        return Err(Error::invalid(field, text));
    }
    provider.check_files(conversation.channel, &own.iter().map(|file| &file.facts).collect::<Vec<_>>())?;
    let own = own.into_iter().map(|file| Attachment::Stored {
        media_id: file.id,
        facts: file.facts,
        has_thumbnail: file.thumbnail_key.is_some(),
    });
    let linked = draft.media_urls.iter().map(|url| Attachment::Linked { url: url.clone() });
    Ok(own.chain(linked).collect())
}

/// The conversation that the message goes into, found or opened, where it can take one.
pub(crate) fn target(tx: &mut OrgTx<'_, '_>, to: &Recipient) -> Result<Conversation> {
    let id = match to {
        Recipient::Conversation(id) => *id,
        Recipient::Contact(_, channel) | Recipient::Phone(_, channel) => {
            takes_texts(*channel)?;
            return Ok(route(tx, to)?.open(tx)?.0);
        }
    };
    let found = conversation::get(tx, id)?;
    takes_texts(found.channel)?;
    sms_is_on(tx, found.channel)?;
    if account::get(tx, found.account_id).is_ok_and(|account| !account.enabled) {
        return Err(no_account(found.channel));
    }
    if Phone::parse(&found.peer, org::current(tx)?.region).is_err() && !found.peer.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Error::refused("not_answerable", "This sender has no number, so it cannot be answered."));
    }
    Ok(found)
}

/// Refuses a text among phone calls.
fn takes_texts(channel: Channel) -> Result<()> {
    if channel == Channel::Voice {
        let text = "No text goes into a conversation of phone calls. Call them with POST /conversations/{id}/calls, or write by SMS.";
        return Err(Error::refused("not_answerable", text));
    }
    Ok(())
}

pub(crate) fn refuse_opted_out(tx: &mut OrgTx<'_, '_>, conversation: &Conversation) -> Result<()> {
    if opt_out::is_opted_out(tx, &peer_identity(conversation))? {
        return Err(Error::refused(
            "recipient_opted_out",
            "This recipient asked for no more messages. They can write START to receive messages again.",
        ));
    }
    Ok(())
}

/// Refuses what WhatsApp would refuse: a free text to somebody who has not written for a day.
pub(crate) fn refuse_closed_window(conversation: &Conversation, template: Option<&Template>, leaves_ms: i64) -> Result<()> {
    if template.is_none() && conversation.is_window_closed(leaves_ms) {
        return Err(Error::refused("whatsapp_window_closed", window_closed(conversation)));
    }
    Ok(())
}

/// Why a free text is not sent.
pub(crate) fn window_closed(conversation: &Conversation) -> String {
    let since = match conversation.reply_window_ends_ms() {
        Some(ends_ms) => format!("Free texts could be sent until {}, 24 hours after the contact last wrote.", iso8601(ends_ms)),
        None => "The contact has not written on WhatsApp yet, so free texts cannot be sent.".to_owned(),
    };
    format!("{since} Send a `template`, or wait until they write.")
}

/// The identity that a conversation's messages go to.
pub(crate) fn peer_identity(conversation: &Conversation) -> Identity {
    Identity { kind: IdentityKind::Phone, value: conversation.peer.clone() }
}

fn sms_is_on(tx: &mut OrgTx<'_, '_>, channel: Channel) -> Result<()> {
    if channel == Channel::Sms && org::current(tx)?.sms_provider.is_none() {
        return Err(Error::refused("sms_provider_off", "SMS is switched off for this organisation. Add an account, or set sms_provider."));
    }
    Ok(())
}

fn no_account(channel: Channel) -> Error {
    let text = match channel {
        Channel::Whatsapp => {
            "No account of this organisation has a WhatsApp number. Set it with PUT /accounts/{id}, or `parlance account set`.".to_owned()
        }
        Channel::Voice => {
            "A conversation of phone calls begins with a call. Open one by SMS, and call with POST /conversations/{id}/calls.".to_owned()
        }
        _ => format!("This organisation has no account that carries {channel}. `parlance account create` makes one."),
    };
    Error::refused("no_account", text)
}

/// Which contact, address and account a message to somebody takes: the account of the latest conversation with that
/// address, else the org's first on which conversations of the medium begin.
pub(crate) fn route(tx: &mut OrgTx<'_, '_>, to: &Recipient) -> Result<Route> {
    let region = org::current(tx)?.region;
    let (contact, peer, channel) = match to {
        Recipient::Conversation(id) => {
            let found = conversation::get(tx, *id)?;
            (contact::get(tx, found.contact_id)?, Phone::parse(&found.peer, region)?, found.channel)
        }
        Recipient::Contact(id, channel) => {
            let contact = contact::get(tx, *id)?;
            let number = contact.phone.as_deref().map(|number| Phone::parse(number, region));
            let without = || Error::invalid("contact_id", "This contact has no phone number. Give a `phone` instead.");
            let peer = number.transpose().map_err(|_| without())?.ok_or_else(without)?;
            (contact, peer, *channel)
        }
        Recipient::Phone(number, channel) => {
            let peer = Phone::parse(number, region)?;
            let (contact, made) = contact::find_or_create(tx, &Identity::phone(&peer), &contact::Details::default())?;
            if made {
                tx.audit(&created(&contact))?;
            }
            (contact, peer, *channel)
        }
    };
    sms_is_on(tx, channel)?;
    let provider = org::current(tx)?.sms_provider;
    let fits = |account: &Account| {
        let chosen = channel != Channel::Sms || provider.as_deref() == Some(account.provider().as_str());
        account.enabled && chosen
    };
    let accounts: Vec<Account> = account::list(tx)?.into_iter().filter(fits).collect();
    let filter = conversation::Filter { contact_id: Some(contact.id), channel: Some(channel), ..conversation::Filter::default() };
    let used = conversation::list(tx, &filter, None, 20, 0)?.into_iter().find(|found| found.peer == peer.as_str());
    let used = used.and_then(|found| accounts.iter().find(|account| account.id == found.account_id));
    let first = accounts.iter().find(|account| account.begins(channel));
    let account = used.or(first).cloned().ok_or_else(|| no_account(channel))?;
    Ok(Route { account, channel, contact, peer })
}
