//! What events say must be indexed anew. What the index has not read yet is looked at by every search, so that a search
//! finds what was stored before it, however far behind the index is by a moment.

use std::collections::BTreeSet;

use parlance_model::event::Event;
use parlance_model::{Error, Result};

use crate::OrgTx;
use crate::db::params;

/// Events behind the index that a search reads.
const PENDING: i64 = 4000;

/// Rows that events are about, by id.
#[derive(Debug, Default)]
pub(crate) struct Touched {
    pub(crate) messages: BTreeSet<i64>,
    pub(crate) contacts: BTreeSet<i64>,
    /// Conversations whose visitor may have changed.
    pub(crate) conversations: BTreeSet<i64>,
}

impl Touched {
    /// Adds what an event of the log is about.
    pub(crate) fn add(&mut self, data: &str) -> Result<()> {
        match serde_json::from_str::<Event>(data).map_err(Error::internal)? {
            Event::MessageCreated { message_id, .. } | Event::MessageUpdated { message_id, .. } => self.messages.extend([message_id.0]),
            Event::ContactCreated { contact_id } | Event::ContactUpdated { contact_id } => self.contacts.extend([contact_id.0]),
            Event::ContactMerged { contact_id, merged_id } => self.contacts.extend([contact_id.0, merged_id.0]),
            Event::ConversationUpdated { conversation_id } => self.conversations.extend([conversation_id.0]),
            // What only a newer version knows is for that version's index.
            Event::ConversationCreated { .. }
            | Event::MessageStatus { .. }
            | Event::OptOutChanged { .. }
            | Event::AccountHealth { .. }
            | Event::Newer(_) => {}
        }
        Ok(())
    }
}

/// What the index has still to read; `None` when that is too much for a search to look at.
pub(crate) fn pending(tx: &mut OrgTx<'_, '_>) -> Result<Option<Touched>> {
    const PENDING_EVENTS: &str = "SELECT data FROM event WHERE org_id = $1
        AND seq > (SELECT COALESCE(MAX(seq), 0) FROM search_cursor WHERE org_id = $1) ORDER BY seq LIMIT $2";
    let events = tx.query(PENDING_EVENTS, params![PENDING + 1], |row| row.get::<String>(0))?;
    if i64::try_from(events.len()).map_err(Error::internal)? > PENDING {
        return Ok(None);
    }
    let mut touched = Touched::default();
    events.iter().try_for_each(|data| touched.add(data))?;
    Ok(Some(touched))
}
