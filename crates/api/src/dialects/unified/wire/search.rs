//! The search on the wire: its parameters, and what was found with the matches set apart.

use axum::Json;
use parlance_app::page::Cursor;
use parlance_app::search::{Findings, Hit};
use parlance_model::Result;
use parlance_model::channel::Channel;
use parlance_model::clock::iso8601;
use parlance_model::message::{Direction, SenderKind};
use parlance_model::search::{Part, snippet};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::contact::Contact;
use super::message::SenderType;
use crate::cursor::{self, List};
use crate::value::{Text, Within, Word};

/// Messages of a page when nothing is said.
const LIMIT: i64 = 20;

/// What is looked for.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct Search {
    /// Words, quoted phrases and operators: `refund "last week" from:john has:media`.
    q: Text<200>,
    /// The most messages of the page; 20 when not given.
    limit: Option<Within<1, 200>>,
    /// The `meta.next_cursor` of the page before.
    cursor: Option<String>,
}

impl Search {
    /// What is typed, where it goes on, and how many messages are wanted.
    ///
    /// # Errors
    /// `bad_cursor`.
    pub(crate) fn read(self) -> Result<(String, Option<Cursor>, usize)> {
        let after = self.cursor.as_deref().map(|token| cursor::read(List::Search, token)).transpose()?;
        let limit = self.limit.map_or(LIMIT, Within::get);
        Ok((self.q.into_inner(), after, usize::try_from(limit).unwrap_or(1)))
    }
}

/// People and messages.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct SearchAnswer {
    /// What was found.
    data: SearchData,
    /// Where the page is.
    meta: SearchMeta,
}

/// What was found.
#[derive(Debug, Serialize, JsonSchema)]
struct SearchData {
    /// Up to ten contacts with the words in their name, number or e-mail address; those where it begins so first, then the
    /// newest. Only on the first page, and when the query has no operators.
    people: Vec<Contact>,
    /// Messages with all of the words, newest first.
    messages: Vec<Match>,
}

/// Where a page of a search is.
#[derive(Debug, Serialize, JsonSchema)]
struct SearchMeta {
    /// The most messages of a page.
    limit: i64,
    /// The `cursor` of the next page of messages; null at the end.
    next_cursor: Option<String>,
    /// Everything was looked at, up to the next page or to the end. False when looking stopped after ten thousand candidates, to
    /// go on at `next_cursor`, or while the index is being made.
    complete: bool,
}

/// A message that was found.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "SearchMatch")]
struct Match {
    /// The message's id.
    id: i64,
    /// Its conversation.
    conversation_id: i64,
    /// The medium.
    channel: Word<Channel>,
    /// Which way it went.
    direction: Word<Direction>,
    /// Who wrote it, in the contract's words.
    sender_type: Word<SenderType>,
    /// Who wrote it, exactly.
    sender: Word<SenderKind>,
    /// The user who wrote it.
    sender_id: Option<i64>,
    /// Whether it has files.
    has_media: bool,
    /// When it was sent or received.
    inserted_at: String,
    /// Whom the conversation is with.
    contact: MatchContact,
    /// About two lines of the message around the first match, in pieces of plain text.
    snippet: Vec<Piece>,
}

/// Whom a conversation is with, in few words.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "SearchMatchContact")]
struct MatchContact {
    /// Their id.
    id: i64,
    /// Both names; null when unknown.
    name: Option<String>,
    /// The address that the conversation is with: a number, in most cases.
    phone_number: String,
}

/// A piece of a snippet.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "SnippetPiece")]
struct Piece {
    /// The text.
    text: String,
    /// Whether it is what was looked for.
    matched: bool,
}

impl From<Part> for Piece {
    fn from(from: Part) -> Self {
        Self { text: from.text, matched: from.matched }
    }
}

impl From<Hit> for Match {
    fn from(from: Hit) -> Self {
        Self {
            id: from.id.0,
            conversation_id: from.conversation_id.0,
            channel: Word(from.channel),
            direction: Word(from.direction),
            sender_type: Word(from.sender.into()),
            sender: Word(from.sender),
            sender_id: from.sender_user.map(|user| user.0),
            has_media: from.has_media,
            inserted_at: iso8601(from.at_ms),
            snippet: snippet(&from.body, &from.places).into_iter().map(Into::into).collect(),
            contact: MatchContact { id: from.contact_id.0, name: from.contact_name, phone_number: from.peer },
        }
    }
}

impl SearchAnswer {
    pub(crate) fn of(found: Findings, limit: usize) -> Json<Self> {
        let data = SearchData {
            people: found.people.into_iter().map(Into::into).collect(),
            messages: found.messages.into_iter().map(Into::into).collect(),
        };
        let next_cursor = found.next.map(|place| cursor::write(List::Search, place));
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        Json(Self { data, meta: SearchMeta { limit, next_cursor, complete: found.complete } })
    }
}
