//! Searching people and messages, as callers ask for it.

use parlance_model::contact::Profile;
use parlance_model::id::MessageId;
use parlance_model::key::Principal;
use parlance_model::search::Query;
use parlance_model::{Error, Result};
use parlance_store::{OrgTx, search};

pub use parlance_store::search::Hit;

use crate::App;
use crate::page::Cursor;

/// People of an answer.
const PEOPLE: usize = 10;

/// What a search found.
#[derive(Debug, Clone)]
pub struct Findings {
    /// Contacts with the words of the query in a name, number or address; on the first page only.
    pub people: Vec<Profile>,
    /// Messages, newest first.
    pub messages: Vec<Hit>,
    /// Where the next page of messages starts; `None` at the end.
    pub next: Option<Cursor>,
    /// Whether everything was looked at, up to the next page.
    pub complete: bool,
}

impl App {
    /// Finds contacts and messages. `limit` is of messages, 1 to 200.
    ///
    /// # Errors
    /// `validation_failed` when there is nothing to look for.
    pub async fn search(&self, who: &Principal, typed: &str, after: Option<Cursor>, limit: usize) -> Result<Findings> {
        let query = Query::parse(typed);
        if query.is_empty() {
            return Err(Error::invalid("q", "Must hold a word, a \"quoted phrase\" or an operator, such as from:me."));
        }
        let request = search::Request { query, me: who.user, before: after.map(|cursor| MessageId(cursor.id)), limit };
        let read = move |tx: &mut OrgTx<'_, '_>| {
            let query = &request.query;
            // Operators narrow messages down, and a contact has no channel, time or sender.
            let bare = Query { text: query.text.clone(), phrases: query.phrases.clone(), ..Query::default() } == *query;
            let people = if bare && request.before.is_none() { search::people(tx, &query.text, PEOPLE)? } else { Vec::new() };
            let found = search::messages(tx, &request)?;
            let next = found.next.map(|id| Cursor { at_ms: 0, id: id.0 });
            Ok(Findings { people, messages: found.hits, next, complete: found.complete })
        };
        self.store().read_apart(who.org, read).await
    }
}
