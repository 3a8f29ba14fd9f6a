//! Making an org's index out of its tables, a chunk a transaction: what is there is taken away, then come contacts,
//! visitors, and messages, those of the newest conversations first. New messages come with their events meanwhile.

use std::collections::BTreeSet;

use parlance_model::{Error, Result};

use super::cursor::{Cursor, Stage};
use super::follow::{insert_messages, refresh_contacts, refresh_visitors};
use super::rows::{Indexed, MESSAGE, PERSON, indexed_columns};
use crate::OrgTx;
use crate::db::params;

/// Rows of a chunk.
const CHUNK: i64 = 1000;

/// Before every place, and behind every place.
const START: [i64; 3] = [0; 3];
const END: [i64; 3] = [i64::MAX; 3];

/// Takes the making of the index one chunk further.
pub(super) fn chunk(tx: &mut OrgTx<'_, '_>, cursor: &mut Cursor) -> Result<()> {
    match cursor.stage {
        Stage::Clearing => {
            if !MESSAGE.clear(tx, CHUNK)? && !PERSON.clear(tx, CHUNK)? {
                (cursor.stage, cursor.place) = (Stage::Contacts, START);
            }
        }
        Stage::Contacts => {
            let place = contacts(tx, cursor.place)?;
            go_on(cursor, place, Stage::Visitors, START);
        }
        Stage::Visitors => {
            let place = visitors(tx, cursor.place)?;
            go_on(cursor, place, Stage::Messages, END);
        }
        Stage::Messages => {
            let place = messages(tx, cursor.place)?;
            go_on(cursor, place, Stage::Complete, START);
            if cursor.stage == Stage::Complete && cursor.seq > 0 {
                tracing::info!(org = %tx.org(), "the search index is complete");
            }
        }
        Stage::Complete => {}
    }
    Ok(())
}

/// A full chunk may have another behind it.
fn go_on(cursor: &mut Cursor, place: Option<[i64; 3]>, next: Stage, from: [i64; 3]) {
    match place {
        Some(place) => cursor.place = place,
        None => (cursor.stage, cursor.place) = (next, from),
    }
}

/// Where a chunk ended, if it was full.
fn end_of<T>(rows: &[T], place: impl Fn(&T) -> [i64; 3]) -> Result<Option<[i64; 3]>> {
    let full = i64::try_from(rows.len()).map_err(Error::internal)? >= CHUNK;
    Ok(rows.last().filter(|_| full).map(place))
}

fn contacts(tx: &mut OrgTx<'_, '_>, [after, ..]: [i64; 3]) -> Result<Option<[i64; 3]>> {
    const IDS: &str = "SELECT id FROM contact WHERE org_id = $1 AND id > $2 ORDER BY id LIMIT $3";
    let ids = tx.query(IDS, params![after, CHUNK], |row| row.get::<i64>(0))?;
    refresh_contacts(tx, &ids.iter().copied().collect())?;
    end_of(&ids, |id| [*id, 0, 0])
}

fn visitors(tx: &mut OrgTx<'_, '_>, [contact, id, old]: [i64; 3]) -> Result<Option<[i64; 3]>> {
    // A place of an earlier version has a time in the middle and the id behind it: it begins with the contact again.
    let id = if old == 0 { id } else { 0 };
    const ROWS: &str = "SELECT contact_id, id, visitor_search FROM conversation
        WHERE org_id = $1 AND (contact_id, id) > ($2, $3) ORDER BY contact_id, id LIMIT $4";
    let rows = tx.query(ROWS, params![contact, id, CHUNK], |row| Ok(([row.get::<i64>(0)?, row.get(1)?, 0], row.get::<String>(2)?)))?;
    let named: BTreeSet<i64> = rows.iter().filter(|(_, text)| !text.trim().is_empty()).map(|([_, id, _], _)| *id).collect();
    refresh_visitors(tx, &named)?;
    end_of(&rows, |(place, _)| *place)
}

fn messages(tx: &mut OrgTx<'_, '_>, [conversation, at_ms, id]: [i64; 3]) -> Result<Option<[i64; 3]>> {
    const ROWS: &str = concat!(
        "SELECT ",
        indexed_columns!(),
        ", conversation_id FROM message WHERE org_id = $1 AND (conversation_id, at_ms, id) < ($2, $3, $4)
         ORDER BY conversation_id DESC, at_ms DESC, id DESC LIMIT $5"
    );
    let rows = tx.query(ROWS, params![conversation, at_ms, id, CHUNK], |row| Ok((Indexed::read(row)?, row.get::<i64>(6)?)))?;
    let end = end_of(&rows, |(message, conversation)| [*conversation, message.at_ms, message.id])?;
    insert_messages(tx, rows.into_iter().map(|(message, _)| message).collect())?;
    Ok(end)
}
