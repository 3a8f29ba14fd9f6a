//! One step of the consumer: the next events into the index, and while the index is being made, the next chunk of it.

use std::collections::BTreeSet;

use parlance_model::id::OrgId;
use parlance_model::search::{KIND_CONTACT, KIND_VISITOR, VERSION};
use parlance_model::{Error, Result};

use super::cursor::{Cursor, Stage, anchor};
use super::rows::{Indexed, MESSAGE, PERSON, indexed_columns, message_tokens, person_tokens};
use super::touched::Touched;
use super::{by_id, id_list, rebuild};
use crate::db::{Sql, params};
use crate::{OrgTx, Store};

/// Events of a step.
const EVENTS: i64 = 1000;

/// Takes the index of an org a step further. Answers whether there is more to do. Several nodes may do it at once.
///
/// # Errors
/// Those of the database.
pub async fn step(store: &Store, org: OrgId) -> Result<bool> {
    store.index(org, advance).await
}

fn advance(tx: &mut OrgTx<'_, '_>) -> Result<bool> {
    let mut cursor = Cursor::take(tx)?;
    let Some(entries) = next(tx, &cursor)? else {
        let fresh = Cursor::anew(tx)?;
        if fresh.seq > 0 {
            tracing::info!(org = %tx.org(), from = cursor.seq, to = fresh.seq, "the search index does not fit the event log and is made anew");
        }
        fresh.save(tx)?;
        return Ok(true);
    };
    let full = entries.len() >= usize::try_from(EVENTS).map_err(Error::internal)?;
    if let Some(last) = entries.last() {
        (cursor.seq, cursor.anchor) = (last.seq, anchor(last.at_ms, &last.data));
    }
    apply(tx, &entries)?;
    if cursor.stage < Stage::Complete {
        rebuild::chunk(tx, &mut cursor)?;
    }
    cursor.save(tx)?;
    Ok(full || cursor.stage < Stage::Complete)
}

struct Entry {
    seq: i64,
    data: String,
    at_ms: i64,
}

/// The events after the cursor; `None` when the log is not the one that it was drawn from, or no longer has the next.
fn next(tx: &mut OrgTx<'_, '_>, cursor: &Cursor) -> Result<Option<Vec<Entry>>> {
    const AFTER: &str = "SELECT seq, data, at_ms FROM event WHERE org_id = $1 AND seq >= $2 ORDER BY seq LIMIT $3";
    if cursor.version != VERSION {
        return Ok(None);
    }
    // The last event that was read comes along, to be known again.
    let read = |row: &crate::db::Row<'_>| Ok(Entry { seq: row.get(0)?, data: row.get(1)?, at_ms: row.get(2)? });
    let mut entries = tx.query(AFTER, params![cursor.seq, EVENTS + 1], read)?;
    if cursor.seq == 0 {
        return Ok(entries.first().is_none_or(|first| first.seq == 1).then_some(entries));
    }
    if entries.is_empty() {
        return Ok(None);
    }
    let known = entries.remove(0);
    let same = known.seq == cursor.seq && anchor(known.at_ms, &known.data) == cursor.anchor;
    Ok(same.then_some(entries))
}

fn apply(tx: &mut OrgTx<'_, '_>, entries: &[Entry]) -> Result<()> {
    const MESSAGES: Sql = by_id!(concat!("SELECT ", indexed_columns!(), " FROM message"), "", "$2", "");
    let mut touched = Touched::default();
    entries.iter().try_for_each(|entry| touched.add(&entry.data))?;
    if !touched.messages.is_empty() {
        let new = tx.query(MESSAGES, params![id_list(touched.messages)], Indexed::read)?;
        insert_messages(tx, new)?;
    }
    refresh_contacts(tx, &touched.contacts)?;
    refresh_visitors(tx, &touched.conversations)
}

/// Adds messages. Some may be there already, because the making of the index met them before their events.
pub(super) fn insert_messages(tx: &mut OrgTx<'_, '_>, mut messages: Vec<Indexed>) -> Result<()> {
    messages.sort_by_key(|message| message.id);
    let rows: Vec<_> = messages.iter().map(|message| (message.id, message_tokens(message))).collect();
    MESSAGE.insert(tx, &rows)
}

/// Brings the rows of these contacts up to date. Who was merged away has none.
pub(super) fn refresh_contacts(tx: &mut OrgTx<'_, '_>, ids: &BTreeSet<i64>) -> Result<()> {
    const TEXTS: Sql = by_id!("SELECT id, search FROM contact", "", "$2", " AND redirect_to IS NULL");
    refresh(tx, TEXTS, ids, 0, KIND_CONTACT)
}

/// Brings the rows of these conversations' visitors up to date. Most have none.
pub(super) fn refresh_visitors(tx: &mut OrgTx<'_, '_>, ids: &BTreeSet<i64>) -> Result<()> {
    const TEXTS: Sql = by_id!("SELECT id, visitor_search FROM conversation", "", "$2", "");
    refresh(tx, TEXTS, ids, 1, KIND_VISITOR)
}

fn refresh(tx: &mut OrgTx<'_, '_>, texts: Sql, ids: &BTreeSet<i64>, bit: i64, kind: char) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let mut texts = tx.query(texts, params![id_list(ids.iter().copied())], |row| Ok((row.get::<i64>(0)?, row.get::<String>(1)?)))?;
    texts.sort_unstable();
    PERSON.delete(tx, ids.iter().map(|id| id * 2 + bit))?;
    let tokens = |(id, text): (i64, String)| Some((id * 2 + bit, person_tokens(&text, kind)?));
    PERSON.insert(tx, &texts.into_iter().filter_map(tokens).collect::<Vec<_>>())
}
