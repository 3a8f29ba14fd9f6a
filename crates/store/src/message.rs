//! Messages. Appending one also moves its conversation's counters, preview and place in the lists, in the same
//! transaction; the conversation's row is written once by whoever appends, however many messages there were.

use std::collections::HashSet;

use parlance_model::call::Call;
use parlance_model::channel::JsonObject;
use parlance_model::conversation::Conversation;
use parlance_model::delivery::{DeliveryState, Outcome};
use parlance_model::event::Event;
use parlance_model::id::{AccountId, AttemptId, ConversationId, MessageId, UserId};
use parlance_model::message::{Attachment, Direction, Kind, Message, SenderKind};
use parlance_model::{Error, Result, media, text};

use crate::db::{Param, Row, params, row};
use crate::{OrgTx, attempt, call, conversation};

/// A message to be stored.
#[derive(Clone)]
pub struct NewMessage {
    /// Which way it goes.
    pub direction: Direction,
    /// Who wrote it.
    pub sender: SenderKind,
    /// The person in the org who wrote it.
    pub sender_user: Option<UserId>,
    /// What kind of touchpoint.
    pub kind: Kind,
    /// The text.
    pub body: String,
    /// Files.
    pub attachments: Vec<Attachment>,
    /// Usage, tools, analysis, and so on.
    pub meta: JsonObject,
    /// The provider's id of an inbound message.
    pub inbound_id: Option<String>,
    /// The provider's time, unix ms; clamped to now. `None`: now.
    pub at_ms: Option<i64>,
    /// Of calls: how it went so far.
    pub call: Option<Call>,
    /// Of sends for later: when, unix ms.
    pub send_at_ms: Option<i64>,
    /// How long it is worth delivering once it may go, in seconds.
    pub valid_s: Option<i64>,
    /// How many SMS the provider says it is.
    pub segments: Option<i64>,
    /// Whether it was found in the provider's list long after it came: it moves no unread number and opens nothing again.
    pub history: bool,
}

impl NewMessage {
    /// A message of now, with nothing but its text.
    #[must_use]
    pub fn new(direction: Direction, sender: SenderKind, kind: Kind, body: impl Into<String>) -> Self {
        Self {
            direction,
            sender,
            sender_user: None,
            kind,
            body: body.into(),
            attachments: Vec::new(),
            meta: JsonObject::default(),
            inbound_id: None,
            at_ms: None,
            call: None,
            send_at_ms: None,
            valid_s: None,
            segments: None,
            history: false,
        }
    }
}

parlance_model::show_only!(NewMessage { direction, sender, kind, at_ms });

/// Characters of a message that lists show.
const PREVIEW: usize = 140;

/// One line of a message, as lists show it. A call says how it went, and one of files alone what they are.
pub(crate) fn preview(direction: Direction, body: &str, attachments: &[Attachment], call: Option<&Call>) -> String {
    let line = match call.map(|call| call.line(direction)) {
        Some(line) if body.is_empty() => line,
        Some(line) => text::preview(&format!("{line}: {body}"), PREVIEW),
        None => text::preview(body, PREVIEW),
    };
    if line.is_empty() { media::summary(attachments.iter().map(Attachment::content_type)).unwrap_or_default() } else { line }
}

/// Stores a message and moves the conversation's image; the caller saves the image. `contact_created` goes into the
/// event.
///
/// # Errors
/// Those of the database.
pub fn append(tx: &mut OrgTx<'_, '_>, conversation: &mut Conversation, new: &NewMessage, contact_created: bool) -> Result<MessageId> {
    let addition = Addition { conversation: 0, message: new, contact_created };
    let ids = append_all(tx, std::slice::from_mut(conversation), &[addition])?;
    ids.first().copied().ok_or_else(|| Error::internal("a message was stored and has no id"))
}

/// A message of a slice.
#[derive(Debug, Clone, Copy)]
pub struct Addition<'m> {
    /// Its conversation, by its place among those of the slice.
    pub conversation: usize,
    /// What is stored.
    pub message: &'m NewMessage,
    /// Whether it made its contact.
    pub contact_created: bool,
}

/// Stores messages in their order and moves their conversations' images; the caller saves the images. Answers the ids in the same order.
///
/// # Errors
/// Those of the database.
pub fn append_all(tx: &mut OrgTx<'_, '_>, conversations: &mut [Conversation], additions: &[Addition<'_>]) -> Result<Vec<MessageId>> {
    const INSERT: &str = "INSERT INTO message (org_id, conversation_id, account_id, channel, direction, sender, sender_user_id, kind, body,
            attachments, meta, inbound_id, state, at_ms, received_ms, updated_ms, call_facts, send_at_ms, valid_s, segments, history)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $15, $16, $17, $18, $19, $20) RETURNING id";
    let now_ms = tx.now_ms();
    let mut rows = Vec::with_capacity(additions.len());
    for Addition { conversation, message, .. } in additions {
        let conversation = conversations.get(*conversation).ok_or_else(|| Error::internal("a message of no conversation"))?;
        rows.push(values(conversation, message, now_ms)?);
    }
    let ids: Vec<MessageId> = tx.query_each(INSERT, &rows, |row| row.get(0))?;
    for (Addition { conversation, message, contact_created }, id) in additions.iter().zip(&ids) {
        let conversation = &mut conversations[*conversation];
        moved(conversation, message, *id, now_ms);
        let (conversation_id, direction) = (conversation.id, message.direction);
        tx.emit(Event::MessageCreated { conversation_id, message_id: *id, direction, contact_created: *contact_created });
    }
    Ok(ids)
}

/// The values of a message's row.
fn values<'m>(conversation: &Conversation, new: &'m NewMessage, now_ms: i64) -> Result<[Param<'m>; 19]> {
    let state = match new.direction {
        Direction::Inbound => DeliveryState::Delivered,
        Direction::Outbound => DeliveryState::Pending,
    };
    let json = |empty: bool, text: &dyn Fn() -> serde_json::Result<String>| {
        if empty { Ok(None) } else { text().map(Some).map_err(Error::internal) }
    };
    Ok(row![
        conversation.id,
        conversation.account_id,
        conversation.channel.as_str(),
        new.direction.as_str(),
        new.sender.as_str(),
        new.sender_user,
        new.kind.as_str(),
        &new.body,
        json(new.attachments.is_empty(), &|| serde_json::to_string(&new.attachments))?,
        json(new.meta.0.is_empty(), &|| serde_json::to_string(&new.meta))?,
        new.inbound_id.as_deref(),
        state.as_str(),
        at(new, now_ms),
        now_ms,
        json(new.call.is_none(), &|| serde_json::to_string(&new.call))?,
        new.send_at_ms,
        new.valid_s,
        new.segments,
        new.history,
    ])
}

/// The provider's time, clamped to now.
fn at(new: &NewMessage, now_ms: i64) -> i64 {
    new.at_ms.unwrap_or(now_ms).min(now_ms)
}

/// What a new message changes in its conversation.
fn moved(conversation: &mut Conversation, new: &NewMessage, id: MessageId, now_ms: i64) {
    let at_ms = at(new, now_ms);
    conversation.message_count += 1;
    conversation.newest_id = id;
    if new.direction == Direction::Inbound && !new.history {
        conversation.unread_count += 1;
        conversation.standing = conversation.standing.after_inbound();
    }
    if at_ms >= conversation.last_message_ms || conversation.message_count == 1 {
        conversation.last_message_ms = at_ms;
        conversation.preview = preview(new.direction, &new.body, &new.attachments, new.call.as_ref());
        conversation.last_direction = Some(new.direction);
    }
}

/// Puts what became of a file in its place: it is here now, or why it is not. Where the message is the newest, its line in the lists
/// follows.
///
/// # Errors
/// Those of the database.
pub fn set_attachment(tx: &mut OrgTx<'_, '_>, mut message: Message, index: usize, attachment: Attachment) -> Result<()> {
    const SET: &str = "UPDATE message SET attachments = $3, updated_ms = $4 WHERE org_id = $1 AND id = $2";
    let place = message.attachments.get_mut(index).ok_or_else(|| Error::internal("a message has no such file"))?;
    *place = attachment;
    let attachments = serde_json::to_string(&message.attachments).map_err(Error::internal)?;
    let now_ms = tx.now_ms();
    tx.execute(SET, params![message.id, attachments, now_ms])?;
    tx.emit(Event::MessageUpdated { conversation_id: message.conversation_id, message_id: message.id });
    if list(tx, message.conversation_id, None, 1, 0)?.first().is_some_and(|newest| newest.id == message.id) {
        let before = conversation::get(tx, message.conversation_id)?;
        let preview = preview(message.direction, &message.body, &message.attachments, message.call.as_ref());
        if before.preview != preview {
            conversation::save(tx, &before, &Conversation { preview, ..before.clone() })?;
        }
    }
    Ok(())
}

/// Moves a message that waited for its time to now, to the end of its thread, and its conversation's image with it; the caller
/// saves the image.
///
/// # Errors
/// Those of the database.
pub fn leaves(tx: &mut OrgTx<'_, '_>, conversation: &mut Conversation, message: &Message) -> Result<()> {
    const MOVE: &str = "UPDATE message SET at_ms = $3, updated_ms = $4 WHERE org_id = $1 AND id = $2";
    let now_ms = tx.now_ms();
    // Of two of one time the newer row comes last, and this one may be older.
    let at_ms = now_ms.max(conversation.last_message_ms + 1);
    tx.execute(MOVE, params![message.id, at_ms, now_ms])?;
    conversation.last_message_ms = at_ms;
    conversation.preview = preview(message.direction, &message.body, &message.attachments, message.call.as_ref());
    conversation.last_direction = Some(message.direction);
    tx.emit(Event::MessageUpdated { conversation_id: conversation.id, message_id: message.id });
    Ok(())
}

/// Writes down how many SMS the provider made of a message. `None` leaves what is known.
///
/// # Errors
/// Those of the database.
pub fn made_of(tx: &mut OrgTx<'_, '_>, id: MessageId, segments: Option<i64>) -> Result<()> {
    const MADE_OF: &str = "UPDATE message SET segments = $3 WHERE org_id = $1 AND id = $2";
    match segments {
        Some(segments) => tx.execute(MADE_OF, params![id, segments]).map(drop),
        None => Ok(()),
    }
}

/// Which of these inbound messages, by account and provider's id, are stored already.
///
/// # Errors
/// Those of the database.
pub fn known(tx: &mut OrgTx<'_, '_>, ids: &[(AccountId, &str)]) -> Result<HashSet<(AccountId, String)>> {
    const FIND: &str = "SELECT account_id, inbound_id FROM message WHERE org_id = $1 AND account_id = $2 AND inbound_id = $3";
    let rows: Vec<[Param<'_>; 2]> = ids.iter().map(|(account, id)| row![*account, *id]).collect();
    tx.query_each(FIND, &rows, |row| Ok((row.get(0)?, row.get(1)?))).map(HashSet::from_iter)
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT m.id, m.conversation_id, m.account_id, m.channel, m.direction, m.sender, m.sender_user_id, m.kind, m.body, m.attachments, m.meta, ",
            "m.state, m.error_code, m.error_message, m.at_ms, m.received_ms, m.updated_ms, ",
            // An inbound message was read when the team's read position first reached it.
            "COALESCE(m.read_ms, CASE WHEN m.direction = 'inbound' THEN (SELECT r.at_ms FROM read_mark r WHERE r.org_id = m.org_id ",
            "AND r.conversation_id = m.conversation_id AND r.through_id >= m.id ORDER BY r.through_id LIMIT 1) END), ",
            "m.call_facts, m.send_at_ms, m.valid_s, m.segments, m.history ",
            "FROM message m WHERE m.org_id = $1 ",
            $rest
        )
    };
}

fn read(row: &Row<'_>) -> Result<Message> {
    Ok(Message {
        id: row.get(0)?,
        conversation_id: row.get(1)?,
        account_id: row.get(2)?,
        channel: row.word(3)?,
        direction: row.word(4)?,
        sender: row.word(5)?,
        sender_user: row.get(6)?,
        kind: row.word(7)?,
        body: row.get(8)?,
        attachments: row.json_opt(9)?.unwrap_or_default(),
        meta: row.json_opt(10)?.unwrap_or_default(),
        state: row.word(11)?,
        error_code: row.get(12)?,
        error_message: row.get(13)?,
        at_ms: row.get(14)?,
        received_ms: row.get(15)?,
        updated_ms: row.get(16)?,
        read_ms: row.get(17)?,
        call: row.json_opt(18)?,
        send_at_ms: row.get(19)?,
        valid_s: row.get(20)?,
        segments: row.get(21)?,
        history: row.get(22)?,
    })
}

/// One message.
///
/// # Errors
/// `not_found`.
pub fn get(tx: &mut OrgTx<'_, '_>, id: MessageId) -> Result<Message> {
    const GET: &str = select!("AND m.id = $2");
    tx.query_opt(GET, params![id], read)?.ok_or_else(|| Error::not_found("message"))
}

/// Where a page of a thread starts: behind this message, going back in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct After {
    /// The message's time.
    pub at_ms: i64,
    /// Its id.
    pub id: MessageId,
}

pub(crate) const LIST: &str =
    select!("AND m.conversation_id = $2 AND (m.at_ms, m.id) < ($3, $4) ORDER BY m.at_ms DESC, m.id DESC LIMIT $5 OFFSET $6");

/// A page of a thread, newest first.
///
/// # Errors
/// Those of the database.
pub fn list(tx: &mut OrgTx<'_, '_>, conversation: ConversationId, after: Option<After>, limit: i64, offset: i64) -> Result<Vec<Message>> {
    let after = after.unwrap_or(After { at_ms: i64::MAX, id: MessageId(i64::MAX) });
    tx.query(LIST, params![conversation, after.at_ms, after.id, limit, offset], read)
}

/// State and reason as the message shows them, and the attempt that they are of. There is none before the first, and none
/// between a person's retry and the attempt that comes of it.
pub(crate) fn shown(tx: &mut OrgTx<'_, '_>, id: MessageId) -> Result<(Outcome, Option<AttemptId>)> {
    const SHOWN: &str = "SELECT state, error_state, error_code, error_message, attempt_id FROM message WHERE org_id = $1 AND id = $2";
    let found = tx.query_opt(SHOWN, params![id], |row| Ok((attempt::outcome(row, 0)?, row.get(4)?)))?;
    found.ok_or_else(|| Error::not_found("message"))
}

/// Shows an attempt's outcome on its message. Emits the event of the state where it rose, else that of a change: the
/// reason is another.
///
/// # Errors
/// Those of the database.
pub(crate) fn show(tx: &mut OrgTx<'_, '_>, message: &Message, outcome: &Outcome) -> Result<()> {
    const SHOW: &str = "UPDATE message SET state = $3, error_state = $4, error_code = $5, error_message = $6, updated_ms = $7,
            read_ms = CASE WHEN $3 = 'read' AND read_ms IS NULL THEN $7 ELSE read_ms END
        WHERE org_id = $1 AND id = $2";
    let now_ms = tx.now_ms();
    let (state, code, text) = attempt::error_columns(outcome);
    tx.execute(SHOW, params![message.id, outcome.state.as_str(), state, code, text, now_ms])?;
    if outcome.state != message.state {
        tx.emit(Event::MessageStatus { conversation_id: message.conversation_id, message_id: message.id, state: outcome.state });
    } else {
        tx.emit(Event::MessageUpdated { conversation_id: message.conversation_id, message_id: message.id });
    }
    Ok(())
}

/// Ends a message without handing it over: the recipient opted out, or the account is gone. Where it shows an attempt, that
/// ends with it, so that a late receipt is folded in and cannot undo the end.
///
/// # Errors
/// `not_found`; those of the database.
pub fn end(tx: &mut OrgTx<'_, '_>, id: MessageId, outcome: &Outcome) -> Result<()> {
    let message = get(tx, id)?;
    match shown(tx, id)?.1 {
        Some(attempt) => attempt::finish(tx, attempt, None, outcome),
        None => {
            show(tx, &message, outcome)?;
            call::not_placed(tx, id, outcome.state)
        }
    }
}

/// Puts a message that came to an end back among those that wait. It shows none of its attempts until the next is made, so
/// that late news of the last one does not speak for it. One that was to go later goes now.
///
/// # Errors
/// `not_found`; those of the database.
pub fn begin_anew(tx: &mut OrgTx<'_, '_>, id: MessageId) -> Result<()> {
    const DETACH: &str = "UPDATE message SET attempt_id = NULL, send_at_ms = NULL WHERE org_id = $1 AND id = $2";
    let message = get(tx, id)?;
    tx.execute(DETACH, params![id])?;
    show(tx, &message, &Outcome::of(DeliveryState::Pending))
}
