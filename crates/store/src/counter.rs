//! Counts that lists and badges show, kept in the transaction of what they count: lists never count rows.
//!
//! `counter(org, kind, key, n)`: the kind says what is summed, and of whose conversations; the key is their state, whether they are
//! archived, and their channel. Each conversation is counted among all and among those of whoever answers, so that a count reads a few rows,
//! however many people there are.
//! `moved` is the only place that changes them, from a row's images before and after.

use std::collections::BTreeMap;

use parlance_model::channel::Channel;
use parlance_model::conversation::{Conversation, Standing, State, Status};
use parlance_model::id::UserId;
use parlance_model::{Error, Result};

use crate::OrgTx;
use crate::db::{params, row};

/// Conversations.
const CONVERSATIONS: &str = "conversations";
/// Conversations that hold unread messages.
const UNREAD_CONVERSATIONS: &str = "unread_conversations";
/// Unread messages.
const UNREAD_MESSAGES: &str = "unread_messages";
/// Contacts that live, all under one key.
pub(crate) const CONTACTS: &str = "contacts";
/// Every kind of a conversation's facets, in the order in which [`sums`] has them.
pub(crate) const KINDS: [&str; 3] = [CONVERSATIONS, UNREAD_CONVERSATIONS, UNREAD_MESSAGES];

/// What a conversation is counted under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facets {
    /// State and archive flag.
    pub standing: Standing,
    /// The medium.
    pub channel: Channel,
    /// Who answers.
    pub assigned_to: Option<UserId>,
}

impl Facets {
    /// Kind and key of the rows that count it: among all, and among those of whoever answers.
    pub(crate) fn rows(self, kind: &str) -> [(String, String); 2] {
        let archived = if self.standing.archived { "archived" } else { "current" };
        let key = format!("{}/{archived}/{}", self.standing.state, self.channel);
        [(kind.to_owned(), key.clone()), (kind_of(kind, self.assigned_to), key)]
    }

    fn of(conversation: &Conversation) -> Self {
        let Conversation { standing, channel, assigned_to, .. } = *conversation;
        Self { standing, channel, assigned_to }
    }
}

/// The kind that counts the conversations of one person, or those that nobody answers.
fn kind_of(kind: &str, assigned_to: Option<UserId>) -> String {
    format!("{kind}/{}", assigned_to.map_or(0, |user| user.0))
}

/// Moves the counts from a conversation's image before to its image after.
pub(crate) fn moved(tx: &mut OrgTx<'_, '_>, before: Option<&Conversation>, after: Option<&Conversation>) {
    let images = [before, after].map(|image| image.map(|image| (Facets::of(image), sums(image))));
    if let [Some((facets, was)), Some((same, is))] = images
        && facets == same
    {
        // Most messages change nothing but what is unread.
        return count(tx, facets, [0, 1, 2].map(|kind| is[kind] - was[kind]));
    }
    for ((facets, n), sign) in images.into_iter().zip([-1, 1]).filter_map(|(image, sign)| Some((image?, sign))) {
        count(tx, facets, n.map(|n| sign * n));
    }
}

fn count(tx: &mut OrgTx<'_, '_>, facets: Facets, by: [i64; 3]) {
    for (kind, n) in KINDS.into_iter().zip(by).filter(|(_, n)| *n != 0) {
        for (kind, key) in facets.rows(kind) {
            tx.count(kind, key, n);
        }
    }
}

/// Counts contacts that came to be or were merged away.
pub(crate) fn contacts_moved(tx: &mut OrgTx<'_, '_>, by: i64) {
    tx.count(CONTACTS.to_owned(), String::new(), by);
}

/// What one conversation adds to each kind.
fn sums(image: &Conversation) -> [i64; 3] {
    [1, i64::from(image.unread_count > 0), image.unread_count]
}

/// Adds to counters, each named by its kind and key.
pub(crate) fn add(tx: &mut OrgTx<'_, '_>, counts: BTreeMap<(String, String), i64>) -> Result<()> {
    const ADD: &str = "INSERT INTO counter (org_id, kind, key, n) VALUES ($1, $2, $3, $4)
        ON CONFLICT (org_id, kind, key) DO UPDATE SET n = counter.n + excluded.n";
    let rows: Vec<_> = counts.into_iter().filter(|(_, by)| *by != 0).map(|((kind, key), by)| row![kind, key, by]).collect();
    tx.execute_each(ADD, &rows).map(drop)
}

/// A few rows of one kind: as many as there are states, archived or not, of each channel, at most.
fn sum(tx: &mut OrgTx<'_, '_>, kind: &str, counts: impl Fn(Standing, Channel) -> bool) -> Result<i64> {
    const ALL: &str = "SELECT key, n FROM counter WHERE org_id = $1 AND kind = $2";
    let rows = tx.query(ALL, params![kind], |row| Ok((parse(&row.get::<String>(0)?)?, row.get::<i64>(1)?)))?;
    Ok(rows.into_iter().filter(|((standing, channel), _)| counts(*standing, *channel)).map(|(_, n)| n).sum())
}

fn parse(key: &str) -> Result<(Standing, Channel)> {
    let mut words = key.split('/');
    let (Some(state), Some(archived), Some(channel), None) = (words.next(), words.next(), words.next(), words.next()) else {
        return Err(Error::internal(format!("counter key {key:?}")));
    };
    Ok((Standing { state: state.parse::<State>()?, archived: archived == "archived" }, channel.parse()?))
}

/// How many conversations there are, narrowed by each facet that is given.
///
/// # Errors
/// Those of the database.
pub fn conversations(tx: &mut OrgTx<'_, '_>, status: Option<Status>, channel: Option<Channel>, assigned_to: Option<UserId>) -> Result<i64> {
    let kind = assigned_to.map_or(CONVERSATIONS.to_owned(), |user| kind_of(CONVERSATIONS, Some(user)));
    sum(tx, &kind, |standing, medium| {
        status.is_none_or(|status| standing.status() == status) && channel.is_none_or(|channel| medium == channel)
    })
}

/// Unread inbound messages at the team's read position, and how many conversations hold them.
///
/// # Errors
/// Those of the database.
pub fn unread(tx: &mut OrgTx<'_, '_>) -> Result<(i64, i64)> {
    Ok((sum(tx, UNREAD_MESSAGES, |_, _| true)?, sum(tx, UNREAD_CONVERSATIONS, |_, _| true)?))
}

/// How many contacts there are, without those that were merged into another.
///
/// # Errors
/// Those of the database.
pub fn contacts(tx: &mut OrgTx<'_, '_>) -> Result<i64> {
    const CONTACTS_NOW: &str = "SELECT n FROM counter WHERE org_id = $1 AND kind = $2";
    Ok(tx.query_opt(CONTACTS_NOW, params![CONTACTS], |row| row.get(0))?.unwrap_or(0))
}
