//! Conversations as staff and programs handle them: lists, reading, assigning, closing, changing, opening.

use parlance_model::audit::{Act, Action};
use parlance_model::channel::JsonObject;
use parlance_model::conversation::{Conversation, Status, Visitor};
use parlance_model::event::Event;
use parlance_model::id::{ContactId, ConversationId, MessageId, UserId};
use parlance_model::key::Principal;
use parlance_model::{Error, Result};
use parlance_store::{OrgTx, contact, conversation, counter, message, staff};

pub use parlance_store::conversation::Filter;

use crate::App;
use crate::media::Shown;
use crate::page::{Cursor, Page, PageRequest};
use crate::send::{Recipient, route};

/// Messages that come with a conversation.
pub const LATEST: i64 = 50;

/// What a change sets. `None` leaves a field alone; `Some(None)` clears it.
#[derive(Clone, Default)]
pub struct Changes {
    /// The status.
    pub status: Option<Status>,
    /// Who answers.
    pub assigned_to: Option<Option<UserId>>,
    /// With whom.
    pub contact_id: Option<ContactId>,
    /// The visitor's name.
    pub visitor_name: Option<Option<String>>,
    /// The visitor's e-mail address.
    pub visitor_email: Option<Option<String>>,
    /// The visitor's number.
    pub visitor_phone: Option<Option<String>>,
    /// The caller's own fields: replaced as a whole.
    pub metadata: Option<JsonObject>,
}

parlance_model::show_only!(Changes { status, assigned_to, contact_id });

/// Unread inbound messages of an org.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unread {
    /// Messages.
    pub messages: i64,
    /// Conversations that hold them.
    pub conversations: i64,
}

impl App {
    /// A page of the org's conversations, newest activity first.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn conversations(&self, who: &Principal, filter: Filter, page: PageRequest) -> Result<Page<Conversation>> {
        let read = move |tx: &mut OrgTx<'_, '_>| {
            let filter = Filter { contact_id: filter.contact_id.map(|id| contact::living(tx, id)).transpose()?, ..filter.clone() };
            let after = page.after().map(|cursor| conversation::After { last_message_ms: cursor.at_ms, id: ConversationId(cursor.id) });
            let total = conversation::total(tx, &filter)?;
            // Where the counters know that there is nothing, nobody walks a whole org to find it.
            let rows = if total.n == 0 { Vec::new() } else { conversation::list(tx, &filter, after, page.limit + 1, page.offset())? };
            Ok(Page::cut(rows, page.limit, (total.n, total.bounded), |row| Cursor { at_ms: row.last_message_ms, id: row.id.0 }))
        };
        self.store().read(who.org, read).await
    }

    /// A conversation and its latest messages, oldest first.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn conversation(&self, who: &Principal, id: ConversationId) -> Result<(Conversation, Vec<Shown>)> {
        let links = self.0.links.clone();
        let read = move |tx: &mut OrgTx<'_, '_>| {
            let found = conversation::get(tx, id)?;
            let latest = message::list(tx, id, None, LATEST, 0)?.into_iter().rev();
            let latest = latest.map(|message| links.show(tx.org(), message, tx.now_ms())).collect();
            Ok((found, latest))
        };
        self.store().read(who.org, read).await
    }

    /// A page of a conversation's messages, newest first.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn messages(&self, who: &Principal, id: ConversationId, page: PageRequest) -> Result<Page<Shown>> {
        let links = self.0.links.clone();
        let read = move |tx: &mut OrgTx<'_, '_>| {
            let found = conversation::get(tx, id)?;
            let after = page.after().map(|cursor| message::After { at_ms: cursor.at_ms, id: MessageId(cursor.id) });
            let rows = message::list(tx, id, after, page.limit + 1, page.offset())?;
            let page = Page::cut(rows, page.limit, (found.message_count, false), |row| Cursor { at_ms: row.at_ms, id: row.id.0 });
            Ok(page.map(|message| links.show(tx.org(), message, tx.now_ms())))
        };
        self.store().read(who.org, read).await
    }

    /// What nobody has read yet.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn unread(&self, who: &Principal) -> Result<Unread> {
        let (messages, conversations) = self.store().read(who.org, counter::unread).await?;
        Ok(Unread { messages, conversations })
    }

    /// Sets the team's read position to the newest message.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn mark_read(&self, who: &Principal, id: ConversationId) -> Result<Conversation> {
        let write = move |tx: &mut OrgTx<'_, '_>| {
            let found = conversation::get(tx, id)?;
            let after = conversation::mark_read(tx, &found)?;
            if after.read_through != found.read_through {
                let act = Act::new(Action::ConversationRead, id).with("unread", found.unread_count);
                tx.audit(&act.with("through_message_id", after.read_through.0))?;
            }
            Ok(after)
        };
        self.write_as(who, write).await
    }

    /// Assigns it to the calling person.
    ///
    /// # Errors
    /// `not_found`; `key_has_no_user`.
    pub async fn assign_to_me(&self, who: &Principal, id: ConversationId) -> Result<Conversation> {
        // The conversation is looked for first: another org's id is not found, whatever the key.
        let changes = Changes { assigned_to: who.user.map(Some), ..Changes::default() };
        let has_user = who.user.is_some();
        let write = move |tx: &mut OrgTx<'_, '_>| {
            let before = conversation::get(tx, id)?;
            if !has_user {
                return Err(Error::refused(
                    "key_has_no_user",
                    "This key speaks for no person, so there is nobody to assign to. Use a key made with --user, or PUT assigned_to.",
                ));
            }
            change(tx, &before, &changes)
        };
        self.write_as(who, write).await
    }

    /// Changes what is given.
    ///
    /// # Errors
    /// `not_found` for the conversation, the person or the contact.
    pub async fn update(&self, who: &Principal, id: ConversationId, changes: Changes) -> Result<Conversation> {
        let write = move |tx: &mut OrgTx<'_, '_>| {
            let before = conversation::get(tx, id)?;
            change(tx, &before, &changes)
        };
        self.write_as(who, write).await
    }

    /// Opens the conversation with a contact or a number, or finds it. The flag says whether it is new.
    ///
    /// # Errors
    /// `not_found` for the contact; `no_account`; `sms_provider_off`; `validation_failed`.
    pub async fn open(&self, who: &Principal, to: Recipient, changes: Changes) -> Result<(Conversation, bool)> {
        let write = move |tx: &mut OrgTx<'_, '_>| {
            // Whoever is named must be there, also where the conversation is and stays as it was.
            assignable(tx, &changes)?;
            let (found, made) = route(tx, &to)?.open(tx)?;
            let found = if made { change(tx, &found, &changes)? } else { found };
            Ok((found, made))
        };
        self.write_as(who, write).await
    }
}

/// Refuses an answerer who is not of the org.
fn assignable(tx: &mut OrgTx<'_, '_>, changes: &Changes) -> Result<()> {
    match changes.assigned_to.flatten() {
        Some(user) if staff::find(tx, user)?.is_none() => Err(Error::not_found("staff member")),
        _ => Ok(()),
    }
}

fn change(tx: &mut OrgTx<'_, '_>, before: &Conversation, changes: &Changes) -> Result<Conversation> {
    let mut after = before.clone();
    if let Some(status) = changes.status {
        after.standing = after.standing.set(status);
    }
    if let Some(assigned_to) = changes.assigned_to {
        assignable(tx, changes)?;
        after.assigned_to = assigned_to;
    }
    if let Some(contact_id) = changes.contact_id {
        let contact = contact::get(tx, contact_id)?;
        after.contact_id = contact.id;
        after.contact_name = contact.name();
    }
    let Visitor { name, email, phone } = &mut after.visitor;
    for (field, change) in [(name, &changes.visitor_name), (email, &changes.visitor_email), (phone, &changes.visitor_phone)] {
        if let Some(value) = change {
            field.clone_from(value);
        }
    }
    if let Some(metadata) = &changes.metadata {
        after.metadata = metadata.clone();
    }
    let act = act(before, &after);
    if !act.changes_something() {
        return Ok(after);
    }
    after.updated_ms = tx.now_ms();
    conversation::save(tx, before, &after)?;
    tx.emit(Event::ConversationUpdated { conversation_id: after.id });
    tx.audit(&act)?;
    Ok(after)
}

/// What a change changes. The word is that of its one field, where it has a word of its own, however the change was asked for.
fn act(before: &Conversation, after: &Conversation) -> Act {
    let (from, to) = (before.standing.status(), after.standing.status());
    let act = Act::new(Action::ConversationUpdate, after.id)
        .changed("status", from.as_str(), to.as_str())
        .changed("state", before.standing.state.as_str(), after.standing.state.as_str())
        .changed("assigned_to", before.assigned_to.map(|user| user.0), after.assigned_to.map(|user| user.0))
        .changed("contact_id", before.contact_id.0, after.contact_id.0)
        .changed("visitor_name", before.visitor.name.as_deref(), after.visitor.name.as_deref())
        .changed("visitor_email", before.visitor.email.as_deref(), after.visitor.email.as_deref())
        .changed("visitor_phone", before.visitor.phone.as_deref(), after.visitor.phone.as_deref())
        .hidden("metadata", before.metadata != after.metadata);
    let action = match (act.changes().as_slice(), to) {
        (["assigned_to"], _) => Action::ConversationAssign,
        (["status"] | ["status", "state"], Status::Closed) => Action::ConversationClose,
        (["status"] | ["status", "state"], Status::Open) => Action::ConversationReopen,
        (["status"] | ["status", "state"], Status::Archived) => Action::ConversationArchive,
        _ => Action::ConversationUpdate,
    };
    Act { action, ..act }
}
