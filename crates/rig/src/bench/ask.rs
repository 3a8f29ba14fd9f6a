//! One question about conversations: asked of the application, as the API does, and over HTTP; and what its answer has to show.

use form_urlencoded::Serializer;
use http::header::ETAG;
use parlance_app::App;
use parlance_app::conversation::Filter;
use parlance_app::page::{PageRequest, Start};
use parlance_model::id::ConversationId;
use parlance_model::key::Principal;
use parlance_model::{Error, Result};
use serde_json::Value;

use super::office::Office;
use crate::load::{self, Answer, NOT_MODIFIED, Request};

/// Rows of a page.
pub(super) const ROWS: i64 = 50;

/// What is asked.
#[derive(Debug, Clone)]
pub(super) enum Question {
    /// A page of a list; the cursor where it begins, over HTTP.
    List(Filter, Start, Option<String>),
    /// A conversation's latest messages.
    Thread(ConversationId),
    /// How many messages nobody has read.
    Unread,
    /// Messages with a word.
    Search(String),
}

/// What an answer shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shown {
    /// Rows of the page; of unread messages, their conversations.
    pub(super) rows: i64,
    /// How many the whole has, where the answer says so.
    pub(super) total: Option<i64>,
}

/// A question, and what its answer has to show.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    pub(super) question: Question,
    pub(super) expected: Shown,
}

impl Question {
    /// Asks the use case that the API would call.
    pub(super) async fn app(&self, app: &App, who: &Principal) -> Result<Shown> {
        let rows = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        match self {
            Self::List(filter, start, _) => {
                let page = app.conversations(who, filter.clone(), PageRequest { limit: ROWS, start: *start }).await?;
                Ok(Shown { rows: rows(page.items.len()), total: Some(page.total) })
            }
            Self::Thread(id) => {
                let page = app.messages(who, *id, PageRequest { limit: ROWS, start: Start::Offset(0) }).await?;
                Ok(Shown { rows: rows(page.items.len()), total: Some(page.total) })
            }
            Self::Unread => {
                let unread = app.unread(who).await?;
                Ok(Shown { rows: unread.conversations, total: Some(unread.messages) })
            }
            Self::Search(word) => {
                let found = app.search(who, word, None, usize::try_from(ROWS).unwrap_or(1)).await?;
                Ok(Shown { rows: rows(found.messages.len()), total: None })
            }
        }
    }

    /// The same over HTTP.
    fn path(&self) -> String {
        let mut query = Serializer::new(String::new());
        query.append_pair("limit", &ROWS.to_string());
        let path = match self {
            Self::List(Filter { channel, status, contact_id, assigned_to, search }, _, cursor) => {
                let fields = [
                    ("channel", channel.map(|channel| channel.to_string())),
                    ("status", status.map(|status| status.to_string())),
                    ("contact_id", contact_id.map(|id| id.to_string())),
                    ("assigned_to", assigned_to.map(|id| id.to_string())),
                    ("search", search.clone()),
                    ("cursor", cursor.clone()),
                ];
                query.extend_pairs(fields.into_iter().filter_map(|(name, value)| Some((name, value?))));
                "/conversations".to_owned()
            }
            Self::Thread(id) => format!("/conversations/{id}/messages"),
            Self::Unread => return "/api/v1/conversations/unread".to_owned(),
            Self::Search(word) => {
                query.append_pair("q", word);
                "/search".to_owned()
            }
        };
        format!("/api/v1{path}?{}", query.finish())
    }

    /// What a body shows.
    fn read(&self, body: &[u8]) -> Option<Shown> {
        let body: Value = serde_json::from_slice(body).ok()?;
        let (data, meta) = (&body["data"], &body["meta"]);
        let rows = |list: &Value| i64::try_from(list.as_array()?.len()).ok();
        Some(match self {
            Self::List(..) | Self::Thread(_) => Shown { rows: rows(data)?, total: Some(meta["total"].as_i64()?) },
            Self::Unread => Shown { rows: data["conversations"].as_i64()?, total: Some(data["unread_count"].as_i64()?) },
            Self::Search(_) => Shown { rows: rows(&data["messages"])?, total: None },
        })
    }
}

/// A page of the whole list over HTTP: its ids, and the cursor of the next.
///
/// # Errors
/// `unavailable`.
pub(super) async fn step(office: &Office, limit: i64, cursor: Option<&str>) -> Result<(Vec<i64>, Option<String>)> {
    let cursor = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
    let answer = get(office, &format!("/api/v1/conversations?limit={limit}{cursor}"), "").await?;
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let ids = body["data"].as_array().into_iter().flatten().filter_map(|row| row["id"].as_i64()).collect();
    Ok((ids, body["meta"]["next_cursor"].as_str().map(ToOwned::to_owned)))
}

/// A request as it goes over the connection.
fn request(office: &Office, path: &str, header: &str) -> String {
    let token = &office.token;
    format!("GET {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {token}\r\naccept: application/json\r\n{header}\r\n")
}

async fn get(office: &Office, path: &str, header: &str) -> Result<Answer> {
    let broken = |cause| Error::unavailable("The bench's server broke a connection.", 1).with_source(cause);
    load::ask(office.address, &request(office, path, header)).await.map_err(broken)
}

impl Ask {
    /// Asks both ways and compares both answers with what they have to show. Answers the request with the length that its answer has to
    /// have from now on, as long as nothing is written.
    ///
    /// # Errors
    /// `requests_failed`, `wrong_page`.
    pub(super) async fn checked(&self, office: &Office) -> Result<Request> {
        self.fits(&self.question.app(&office.subject.app, &office.who).await?)?;
        let path = self.question.path();
        let answer = get(office, &path, "").await?;
        if answer.status != 200 {
            let text = format!("{path} was answered with {}. Nothing is reported.", answer.status);
            return Err(Error::conflict("requests_failed", text));
        }
        let shown = self.question.read(&answer.body).ok_or_else(|| Error::internal("an answer of the bench's server cannot be read"))?;
        self.fits(&shown)?;
        Ok(Request { text: request(office, &path, ""), status: answer.status, length: Some(answer.body.len()) })
    }

    /// The same request by a client that has its answer.
    ///
    /// # Errors
    /// `requests_failed` when the answer has no entity tag.
    pub(super) async fn unchanged(&self, office: &Office) -> Result<Request> {
        let path = self.question.path();
        let answer = get(office, &path, "").await?;
        let tag = answer.head.lines().filter_map(|line| line.split_once(':')).find(|(name, _)| name.eq_ignore_ascii_case(ETAG.as_str()));
        let (_, tag) = tag.ok_or_else(|| Error::conflict("requests_failed", "A list has no entity tag. Nothing is reported."))?;
        let text = request(office, &path, &format!("if-none-match: {}\r\n", tag.trim()));
        Ok(Request { text, status: NOT_MODIFIED, length: Some(0) })
    }

    /// # Errors
    /// `wrong_page`.
    pub(super) fn fits(&self, shown: &Shown) -> Result<()> {
        if *shown == self.expected {
            return Ok(());
        }
        let told = |shown: &Shown| match shown.total {
            Some(total) => format!("{} rows of {total}", shown.rows),
            None => format!("{} rows", shown.rows),
        };
        let text = format!(
            "{} shows {}, where another connection counts {}. Nothing is reported.",
            self.question.path(),
            told(shown),
            told(&self.expected)
        );
        Err(Error::conflict("wrong_page", text))
    }
}
