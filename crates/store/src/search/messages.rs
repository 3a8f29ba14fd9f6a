//! Searching messages, the newest first: the index names candidates, each is compared with its row, and after a bounded
//! number of them the answer says that it stopped and where to go on.

use std::collections::BTreeSet;
use std::ops::Range;

use parlance_model::Result;
use parlance_model::channel::Channel;
use parlance_model::id::{ContactId, ConversationId, MessageId, UserId};
use parlance_model::message::{Direction, SenderKind};
use parlance_model::search::{Phrase, Query, Sender, Token, between, of_channel, outbound, tokens, with_media};
use parlance_model::text::{self, Needle};

use super::rows::{MESSAGE, Wanted};
use super::touched::pending;
use super::{Stage, among, by_id, id_list, people, stage};
use crate::db::{Row, Sql, params};
use crate::{OrgTx, org};

/// Candidates that one request looks at.
const VISITS: usize = 10_000;
/// Candidates that are fetched at once, at most.
const BATCH: usize = 1000;
/// Contacts of a `from:` whose conversations are walked; of more, every message is compared.
const WALKED: usize = 100;
/// Messages of these conversations at most, because each page walks all of them.
const MESSAGES_WALKED: i64 = 50_000;
/// Words of a query that narrow it down; the rest is compared.
const TERMS: usize = 64;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Request {
    /// The query.
    pub query: Query,
    /// Whom `from:me` means.
    pub me: Option<UserId>,
    /// Only messages with an id below this.
    pub before: Option<MessageId>,
    /// The most hits.
    pub limit: usize,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Messages, newest first.
    pub hits: Vec<Hit>,
    /// Go on below this; `None` at the end.
    pub next: Option<MessageId>,
    /// Everything was looked at, up to `next` or to the end. `false`: looking stopped at `next`, or the index is being made.
    pub complete: bool,
}

/// A message that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// Its id.
    pub id: MessageId,
    /// Where it belongs.
    pub conversation_id: ConversationId,
    /// The medium.
    pub channel: Channel,
    /// Which way it went.
    pub direction: Direction,
    /// Who wrote it.
    pub sender: SenderKind,
    /// The person in the org who wrote it.
    pub sender_user: Option<UserId>,
    /// The text.
    pub body: String,
    /// Whether it has files.
    pub has_media: bool,
    /// Its time, unix ms.
    pub at_ms: i64,
    /// Whom the conversation is with.
    pub contact_id: ContactId,
    /// Their name.
    pub contact_name: Option<String>,
    /// The address that the conversation is with.
    pub peer: String,
    /// The bytes of the body that matched.
    pub places: Vec<Range<usize>>,
}

/// Messages that the query finds, newest first by id, which is the order in which they were stored.
///
/// # Errors
/// Those of the database.
pub fn messages(tx: &mut OrgTx<'_, '_>, request: &Request) -> Result<Found> {
    let query = &request.query;
    let built = stage(tx)? == Stage::Complete;
    let bare = Query { text: query.text.clone(), ..Query::default() };
    if *query == bare {
        // Nothing but signs, which messages are not searched for.
        return Ok(Found { hits: Vec::new(), next: None, complete: built });
    }
    let senders = query.from.iter().map(|sender| Wrote::read(tx, sender, request.me)).collect::<Result<Vec<_>>>()?;
    let new = pending(tx)?;
    let built = built && new.is_some();
    let mut source = Source::of(tx, query, &senders, new.map(|new| new.messages).unwrap_or_default())?;
    let mut before = request.before.map_or(i64::MAX, |id| id.0);
    let (mut hits, mut visited, mut batch) = (Vec::new(), 0, request.limit + 1);
    loop {
        let ids = source.next(tx, before, batch)?;
        let ended = ids.len() < batch;
        for candidate in rows(tx, &ids)? {
            before = candidate.hit.id.0;
            if let Some(hit) = compare(candidate, query, &senders) {
                hits.push(hit);
            }
            if hits.len() > request.limit {
                hits.truncate(request.limit);
                return Ok(Found { next: hits.last().map(|hit| hit.id), hits, complete: built });
            }
        }
        visited += ids.len();
        if ended {
            return Ok(Found { hits, next: None, complete: built });
        }
        if visited >= VISITS {
            return Ok(Found { hits, next: Some(MessageId(before)), complete: false });
        }
        batch = (batch * 4).min(BATCH).min(VISITS - visited);
    }
}

/// A `from:`, with what it stands for.
enum Wrote {
    /// This person of the org; nobody for a key that speaks for none.
    User(Option<UserId>),
    Staff,
    /// A contact with this, or one of these of the org.
    Person {
        needle: Needle,
        users: Vec<UserId>,
    },
    Nobody,
}

impl Wrote {
    fn read(tx: &mut OrgTx<'_, '_>, sender: &Sender, me: Option<UserId>) -> Result<Self> {
        const USERS: &str = r#"SELECT u.id, u.name, u.email FROM staff s JOIN "user" u ON u.id = s.user_id WHERE s.org_id = $1"#;
        let typed = match sender {
            Sender::Me => return Ok(Self::User(me)),
            Sender::Staff => return Ok(Self::Staff),
            Sender::Person(typed) => typed,
        };
        let Some(needle) = text::needle(typed, org::current(tx)?.region) else { return Ok(Self::Nobody) };
        let all = tx.query(USERS, &[], |row| {
            Ok((row.get::<UserId>(0)?, text::fold(&format!("{}\n{}", row.get::<String>(1)?, row.get::<String>(2)?))))
        })?;
        let users = all.into_iter().filter(|(_, text)| text.contains(&needle.text)).map(|(user, _)| user).collect();
        Ok(Self::Person { needle, users })
    }

    fn is(&self, row: &Candidate) -> bool {
        let inbound = row.hit.direction == Direction::Inbound;
        match self {
            Self::User(user) => user.is_some() && row.hit.sender_user == *user,
            Self::Staff => matches!(row.hit.sender, SenderKind::Staff | SenderKind::Assistant),
            Self::Person { needle, users } => {
                let number = needle.number.as_ref();
                let contact = row.contact.contains(&needle.text) || number.is_some_and(|number| row.contact.contains(number));
                inbound && contact || row.hit.sender_user.is_some_and(|user| users.contains(&user))
            }
            Self::Nobody => false,
        }
    }
}

const IDS: Sql = among!("SELECT id FROM message WHERE org_id = $1 AND conversation_id", "$2", "");

/// Where candidates come from.
enum Source {
    /// The index, and what it has not read yet.
    Index { wanted: Wanted, new: BTreeSet<i64> },
    /// The messages of a few conversations, newest first; fetched at the first call.
    Walk { conversations: String, ids: Option<Vec<i64>> },
}

impl Source {
    fn of(tx: &mut OrgTx<'_, '_>, query: &Query, senders: &[Wrote], new: BTreeSet<i64>) -> Result<Self> {
        for sender in senders {
            if let Wrote::Person { needle, users } = sender
                && users.is_empty()
                && let Some(conversations) = conversations_of(tx, needle)?
            {
                return Ok(Self::Walk { conversations, ids: None });
            }
        }
        let went_out = senders.iter().any(|sender| matches!(sender, Wrote::User(_) | Wrote::Staff));
        let terms = query.phrases.iter().flat_map(Phrase::terms).take(TERMS);
        let wanted = Wanted::terms(terms)
            .one_of(query.channel.map(of_channel).into_iter().collect())
            .one_of(query.has_media.then(with_media).into_iter().collect())
            .one_of(went_out.then(outbound).into_iter().collect())
            .one_of(between(query.after_ms, query.before_ms));
        // Nothing narrows it down: every message has a year.
        let wanted = if wanted.is_empty() { wanted.one_of(between(Some(i64::MIN), None)) } else { wanted };
        Ok(Self::Index { wanted, new })
    }

    fn next(&mut self, tx: &mut OrgTx<'_, '_>, before: i64, limit: usize) -> Result<Vec<i64>> {
        match self {
            Self::Index { wanted, new } => {
                let found = MESSAGE.find(tx, wanted, before, limit)?;
                let all: BTreeSet<i64> = new.range(..before).copied().chain(found).collect();
                Ok(all.into_iter().rev().take(limit).collect())
            }
            Self::Walk { conversations, ids } => {
                let ids = match ids {
                    Some(ids) => ids,
                    None => {
                        let mut all = tx.query(IDS, params![&*conversations], |row| row.get::<i64>(0))?;
                        all.sort_unstable_by(|a, b| b.cmp(a));
                        ids.insert(all)
                    }
                };
                Ok(ids.iter().copied().filter(|id| *id < before).take(limit).collect())
            }
        }
    }
}

/// The conversations with the contacts of a needle, where these and their messages are few.
fn conversations_of(tx: &mut OrgTx<'_, '_>, needle: &Needle) -> Result<Option<String>> {
    const FOUND: Sql = among!("SELECT id, message_count FROM conversation WHERE org_id = $1 AND contact_id", "$2", " LIMIT 1001");
    let Some(contacts) = people::contacts(tx, needle, WALKED)? else { return Ok(None) };
    let found: Vec<(i64, i64)> = tx.query(FOUND, params![id_list(contacts)], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let few = found.len() <= 1000 && found.iter().map(|(_, messages)| messages).sum::<i64>() <= MESSAGES_WALKED;
    Ok(few.then(|| id_list(found.into_iter().map(|(id, _)| id))))
}

/// A message that may be what is looked for.
struct Candidate {
    hit: Hit,
    /// The contact's names, numbers and addresses, folded.
    contact: String,
}

const ROWS: Sql = by_id!(
    "SELECT m.id, m.conversation_id, m.channel, m.direction, m.sender, m.sender_user_id, m.body, m.attachments IS NOT NULL, m.at_ms,
        c.contact_id, c.contact_name, c.peer, k.search
    FROM message m JOIN conversation c ON c.org_id = m.org_id AND c.id = m.conversation_id
    JOIN contact k ON k.org_id = c.org_id AND k.id = c.contact_id",
    "m.",
    "$2",
    ""
);

/// The rows of candidates, newest first.
fn rows(tx: &mut OrgTx<'_, '_>, ids: &[i64]) -> Result<Vec<Candidate>> {
    let mut rows = tx.query(ROWS, params![id_list(ids.iter().copied())], read)?;
    rows.sort_by_key(|row| std::cmp::Reverse(row.hit.id.0));
    Ok(rows)
}

fn read(row: &Row<'_>) -> Result<Candidate> {
    let hit = Hit {
        id: row.get(0)?,
        conversation_id: row.get(1)?,
        channel: row.word(2)?,
        direction: row.word(3)?,
        sender: row.word(4)?,
        sender_user: row.get(5)?,
        body: row.get(6)?,
        has_media: row.get(7)?,
        at_ms: row.get(8)?,
        contact_id: row.get(9)?,
        contact_name: row.get(10)?,
        peer: row.get(11)?,
        places: Vec::new(),
    };
    Ok(Candidate { hit, contact: row.get(12)? })
}

/// The candidate with what matched in it, if it is what is looked for.
fn compare(candidate: Candidate, query: &Query, senders: &[Wrote]) -> Option<Hit> {
    let hit = &candidate.hit;
    let fits = query.channel.is_none_or(|channel| hit.channel == channel)
        && (!query.has_media || hit.has_media)
        && query.before_ms.is_none_or(|before| hit.at_ms < before)
        && query.after_ms.is_none_or(|after| hit.at_ms >= after)
        && senders.iter().all(|sender| sender.is(&candidate));
    if !fits {
        return None;
    }
    let places = places(&query.phrases, &tokens(&hit.body))?;
    Some(Hit { places, ..candidate.hit })
}

/// Where every phrase stands; `None` when one does not.
fn places(phrases: &[Phrase], text: &[Token]) -> Option<Vec<Range<usize>>> {
    let mut all = Vec::new();
    for phrase in phrases {
        let own = phrase.places(text);
        if own.is_empty() {
            return None;
        }
        all.extend(own);
    }
    Some(all)
}

/// The texts with the index that each should read.
#[cfg(test)]
pub(crate) fn plans() -> [(Sql, &'static str); 2] {
    [(ROWS, "INTEGER PRIMARY KEY"), (IDS, "message_thread (org_id=? AND conversation_id=?)")]
}
