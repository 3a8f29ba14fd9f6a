//! Conversations: one row per key, with counters, preview and the contact's name in it, so that lists never join.

use parlance_model::account::Account;
use parlance_model::channel::{Channel, JsonObject};
use parlance_model::conversation::{Conversation, Standing, Visitor};
use parlance_model::event::Event;
use parlance_model::id::{AccountId, ContactId, ConversationId, MessageId, UserId};
use parlance_model::{Error, Result, text};

use crate::db::{Param, Row, params, row};
use crate::{OrgTx, contact, counter};

mod few;
mod list;

pub use list::{After, Filter, list, total};

#[cfg(test)]
pub(crate) use {few::plans as plans_of_few, list::plans};

macro_rules! columns {
    () => {
        concat!(
            "SELECT id, account_id, session_key, channel, contact_id, contact_name, peer, state, archived, starred, assigned_to, ",
            "message_count, unread_count, read_through, last_message_ms, newest_id, preview, last_direction, metadata, ",
            "visitor_name, visitor_email, visitor_phone, created_ms, updated_ms, ",
            // Back from the newest message: on WhatsApp nobody may write much that is not answered.
            "CASE WHEN channel = 'whatsapp' THEN (SELECT m.at_ms FROM message m WHERE m.org_id = conversation.org_id ",
            "AND m.conversation_id = conversation.id AND m.direction = 'inbound' ORDER BY m.at_ms DESC, m.id DESC LIMIT 1) END ",
            "FROM conversation"
        )
    };
}
macro_rules! select {
    ($rest:expr) => {
        concat!($crate::conversation::columns!(), " WHERE org_id = $1 ", $rest)
    };
}
pub(crate) use {columns, select};

pub(crate) fn read(row: &Row<'_>) -> Result<Conversation> {
    Ok(Conversation {
        id: row.get(0)?,
        account_id: row.get(1)?,
        session_key: row.get(2)?,
        channel: row.word(3)?,
        contact_id: row.get(4)?,
        contact_name: row.get(5)?,
        peer: row.get(6)?,
        standing: Standing { state: row.word(7)?, archived: row.get(8)? },
        starred: row.get(9)?,
        assigned_to: row.get(10)?,
        message_count: row.get(11)?,
        unread_count: row.get(12)?,
        read_through: row.get(13)?,
        last_message_ms: row.get(14)?,
        newest_id: row.get(15)?,
        preview: row.get(16)?,
        last_direction: row.word_opt(17)?,
        metadata: row.json(18)?,
        visitor: Visitor { name: row.get(19)?, email: row.get(20)?, phone: row.get(21)? },
        created_ms: row.get(22)?,
        updated_ms: row.get(23)?,
        last_inbound_ms: row.get(24)?,
    })
}

/// One conversation.
///
/// # Errors
/// `not_found`.
pub fn get(tx: &mut OrgTx<'_, '_>, id: ConversationId) -> Result<Conversation> {
    const GET: &str = select!("AND id = $2");
    tx.query_opt(GET, params![id], read)?.ok_or_else(|| Error::not_found("conversation"))
}

/// What a conversation is made of.
#[derive(Clone)]
pub struct Key<'a> {
    /// The account that it runs over.
    pub account: &'a Account,
    /// Its key there.
    pub session_key: String,
    /// The medium.
    pub channel: Channel,
    /// Where messages go.
    pub peer: String,
    /// Whom it is with.
    pub contact: ContactId,
}

/// The conversation of a key, open or closed.
///
/// # Errors
/// Those of the database.
pub fn find(tx: &mut OrgTx<'_, '_>, account: &Account, session_key: &str) -> Result<Option<Conversation>> {
    Ok(find_all(tx, &[(account.id, session_key)])?.pop())
}

/// Those that there are of these, by account and key there.
///
/// # Errors
/// Those of the database.
pub fn find_all(tx: &mut OrgTx<'_, '_>, keys: &[(AccountId, &str)]) -> Result<Vec<Conversation>> {
    const FIND: &str = select!("AND account_id = $2 AND session_key = $3");
    let rows: Vec<[Param<'_>; 2]> = keys.iter().map(|(account, key)| row![*account, *key]).collect();
    tx.query_each(FIND, &rows, read)
}

/// The conversation of a key, made when there is none. The flag says whether it was made.
///
/// # Errors
/// `not_found` for the account or the contact; those of the database.
pub fn find_or_create(tx: &mut OrgTx<'_, '_>, key: &Key<'_>) -> Result<(Conversation, bool)> {
    if let Some(found) = find(tx, key.account, &key.session_key)? {
        return Ok((found, false));
    }
    let made = create_all(tx, std::slice::from_ref(key))?.pop();
    made.map(|made| (made, true)).ok_or_else(|| Error::internal("a conversation was made and is not there"))
}

/// Makes conversations that there are none of, in their order.
///
/// # Errors
/// `not_found` for an account or a contact; those of the database.
pub fn create_all(tx: &mut OrgTx<'_, '_>, keys: &[Key<'_>]) -> Result<Vec<Conversation>> {
    const INSERT: &str =
        "INSERT INTO conversation (org_id, account_id, session_key, channel, contact_id, contact_name, peer, state, archived,
            starred, message_count, unread_count, read_through, last_message_ms, newest_id, preview, metadata, created_ms, updated_ms)
        VALUES ($1, $2, $3, $4, $5, $6, $7, 'open', $8, $8, 0, 0, 0, $9, 0, '', '{}', $9, $9) RETURNING id";
    if keys.iter().any(|key| key.account.org != tx.org()) {
        return Err(Error::not_found("account"));
    }
    let contacts: Vec<ContactId> = keys.iter().map(|key| key.contact).collect();
    let (names, now_ms) = (contact::names(tx, &contacts)?, tx.now_ms());
    let values = |(key, name): (&Key<'_>, &Option<String>)| {
        row![key.account.id, key.session_key.clone(), key.channel.as_str(), key.contact, name.clone(), key.peer.clone(), false, now_ms]
    };
    let rows: Vec<_> = keys.iter().zip(&names).map(values).collect();
    let ids: Vec<ConversationId> = tx.query_each(INSERT, &rows, |row| row.get(0))?;
    let made: Vec<_> = keys.iter().zip(names).zip(ids).map(|((key, name), id)| new(key, name, id, now_ms)).collect();
    for made in &made {
        counter::moved(tx, None, Some(made));
        tx.emit(Event::ConversationCreated { conversation_id: made.id, contact_id: made.contact_id });
    }
    Ok(made)
}

/// A conversation as its row begins.
fn new(key: &Key<'_>, contact_name: Option<String>, id: ConversationId, now_ms: i64) -> Conversation {
    Conversation {
        id,
        account_id: key.account.id,
        session_key: key.session_key.clone(),
        channel: key.channel,
        contact_id: key.contact,
        contact_name,
        peer: key.peer.clone(),
        standing: Standing::NEW,
        starred: false,
        assigned_to: None,
        message_count: 0,
        unread_count: 0,
        read_through: MessageId(0),
        last_message_ms: now_ms,
        newest_id: MessageId(0),
        preview: String::new(),
        last_direction: None,
        last_inbound_ms: None,
        metadata: JsonObject::default(),
        visitor: Visitor::default(),
        created_ms: now_ms,
        updated_ms: now_ms,
    }
}

/// Writes what changed between two images of a row, and moves the counters with it.
///
/// # Errors
/// `not_found`; those of the database.
pub fn save(tx: &mut OrgTx<'_, '_>, before: &Conversation, after: &Conversation) -> Result<()> {
    save_all(tx, std::slice::from_ref(before), std::slice::from_ref(after))
}

/// The same for different rows, each with its images before and after.
///
/// # Errors
/// `not_found`; those of the database.
pub fn save_all(tx: &mut OrgTx<'_, '_>, before: &[Conversation], after: &[Conversation]) -> Result<()> {
    const UPDATE: &str =
        "UPDATE conversation SET contact_id = $3, contact_name = $4, state = $5, archived = $6, starred = $7, assigned_to = $8,
            message_count = $9, unread_count = $10, read_through = $11, last_message_ms = $12, newest_id = $13, preview = $14,
            last_direction = $15, metadata = $16, visitor_name = $17, visitor_email = $18, visitor_phone = $19, updated_ms = $20, visitor_search = $21
        WHERE org_id = $1 AND id = $2";
    let now_ms = tx.now_ms();
    let rows = after.iter().map(|after| changed(after, now_ms)).collect::<Result<Vec<_>>>()?;
    if tx.execute_each(UPDATE, &rows)? < after.len() as u64 {
        return Err(Error::not_found("conversation"));
    }
    before.iter().zip(after).for_each(|(before, after)| counter::moved(tx, Some(before), Some(after)));
    Ok(())
}

/// The values of a row that changes.
fn changed(after: &Conversation, now_ms: i64) -> Result<[Param<'_>; 20]> {
    let metadata = serde_json::to_string(&after.metadata).map_err(Error::internal)?;
    Ok(row![
        after.id,
        after.contact_id,
        after.contact_name.as_deref(),
        after.standing.state.as_str(),
        after.standing.archived,
        after.starred,
        after.assigned_to,
        after.message_count,
        after.unread_count,
        after.read_through,
        after.last_message_ms,
        after.newest_id,
        &after.preview,
        after.last_direction.map(|direction| direction.as_str()),
        metadata,
        after.visitor.name.as_deref(),
        after.visitor.email.as_deref(),
        after.visitor.phone.as_deref(),
        now_ms,
        visitor_search(&after.visitor),
    ])
}

/// The text that searches compare with: folded name and address, and the bare digits of the number.
fn visitor_search(visitor: &Visitor) -> String {
    let folded = |text: &Option<String>| text.as_deref().map(text::fold).unwrap_or_default();
    let digits: String = folded(&visitor.phone).chars().filter(char::is_ascii_digit).collect();
    [folded(&visitor.name), folded(&visitor.email), digits].join("\n")
}

/// Sets the team's read position to the newest message.
///
/// # Errors
/// `not_found`; those of the database.
pub fn mark_read(tx: &mut OrgTx<'_, '_>, conversation: &Conversation) -> Result<Conversation> {
    const MARK: &str = "INSERT INTO read_mark (org_id, conversation_id, through_id, at_ms) VALUES ($1, $2, $3, $4)
        ON CONFLICT (org_id, conversation_id, through_id) DO NOTHING";
    let mut after = conversation.clone();
    if conversation.read_through == conversation.newest_id {
        return Ok(after);
    }
    after.read_through = conversation.newest_id;
    after.unread_count = 0;
    after.updated_ms = tx.now_ms();
    save(tx, conversation, &after)?;
    tx.execute(MARK, params![after.id, after.read_through, after.updated_ms])?;
    tx.emit(Event::ConversationUpdated { conversation_id: after.id });
    Ok(after)
}

/// Takes up to `limit` conversations out of a person's hands. Answers how many it were.
///
/// # Errors
/// Those of the database.
pub fn unassign(tx: &mut OrgTx<'_, '_>, user: UserId, limit: usize) -> Result<usize> {
    const ASSIGNED: &str = select!("AND assigned_to = $2 ORDER BY last_message_ms, id LIMIT $3");
    let limit = i64::try_from(limit).map_err(Error::internal)?;
    let assigned = tx.query(ASSIGNED, params![user, limit], read)?;
    for before in &assigned {
        let after = Conversation { assigned_to: None, updated_ms: tx.now_ms(), ..before.clone() };
        save(tx, before, &after)?;
        tx.emit(Event::ConversationUpdated { conversation_id: after.id });
    }
    Ok(assigned.len())
}
