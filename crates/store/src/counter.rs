//! Counts that lists and badges show, kept in the transaction of what they count: lists never count rows.
//!
//! `counter(org, kind, key, n)`: the key is state, archived, channel and assignee of a conversation; the kind says
//! what is summed. `moved` is the only place that changes them, from a row's images before and after.

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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facets {
    /// State and archive flag.
    pub standing: Standing,
    /// The medium.
    pub channel: Channel,
    /// Who answers.
    pub assigned_to: Option<UserId>,
}

impl Facets {
    pub(crate) fn key(&self) -> String {
        let archived = if self.standing.archived { "archived" } else { "current" };
        format!("{}/{archived}/{}/{}", self.standing.state, self.channel, self.assigned_to.map_or(0, |user| user.0))
    }

    fn parse(key: &str) -> Result<Self> {
        let broken = || Error::internal(format!("counter key {key:?}"));
        let [state, archived, channel, assignee] = key.split('/').collect::<Vec<_>>().try_into().map_err(|_| broken())?;
        let state: State = state.parse()?;
        let assignee: i64 = assignee.parse().map_err(|_| broken())?;
        Ok(Self {
            standing: Standing { state, archived: archived == "archived" },
            channel: channel.parse()?,
            assigned_to: (assignee != 0).then_some(UserId(assignee)),
        })
    }

    fn of(conversation: &Conversation) -> Self {
        Self { standing: conversation.standing, channel: conversation.channel, assigned_to: conversation.assigned_to }
    }
}

/// Moves the counts from a conversation's image before to its image after.
pub(crate) fn moved(tx: &mut OrgTx<'_, '_>, before: Option<&Conversation>, after: Option<&Conversation>) {
    for (image, sign) in [(before, -1), (after, 1)] {
        let Some(image) = image else { continue };
        for (kind, n) in KINDS.into_iter().zip(sums(image)) {
            tx.count(kind, Facets::of(image).key(), sign * n);
        }
    }
}

/// Counts contacts that came to be or were merged away.
pub(crate) fn contacts_moved(tx: &mut OrgTx<'_, '_>, by: i64) {
    tx.count(CONTACTS, String::new(), by);
}

/// What one conversation adds to each kind.
fn sums(image: &Conversation) -> [i64; 3] {
    [1, i64::from(image.unread_count > 0), image.unread_count]
}

/// Adds to counters, each named by its kind and key.
pub(crate) fn add(tx: &mut OrgTx<'_, '_>, counts: BTreeMap<(&'static str, String), i64>) -> Result<()> {
    const ADD: &str = "INSERT INTO counter (org_id, kind, key, n) VALUES ($1, $2, $3, $4)
        ON CONFLICT (org_id, kind, key) DO UPDATE SET n = counter.n + excluded.n";
    let rows: Vec<_> = counts.into_iter().filter(|(_, by)| *by != 0).map(|((kind, key), by)| row![kind, key, by]).collect();
    tx.execute_each(ADD, &rows).map(drop)
}

fn sum(tx: &mut OrgTx<'_, '_>, kind: &str, counts: impl Fn(&Facets) -> bool) -> Result<i64> {
    const ALL: &str = "SELECT key, n FROM counter WHERE org_id = $1 AND kind = $2";
    let rows = tx.query(ALL, params![kind], |row| Ok((Facets::parse(&row.get::<String>(0)?)?, row.get::<i64>(1)?)))?;
    Ok(rows.into_iter().filter(|(facets, _)| counts(facets)).map(|(_, n)| n).sum())
}

/// How many conversations there are, narrowed by each facet that is given.
///
/// # Errors
/// Those of the database.
pub fn conversations(tx: &mut OrgTx<'_, '_>, status: Option<Status>, channel: Option<Channel>, assigned_to: Option<UserId>) -> Result<i64> {
    sum(tx, CONVERSATIONS, |facets| {
        status.is_none_or(|status| facets.standing.status() == status)
            && channel.is_none_or(|channel| facets.channel == channel)
            && assigned_to.is_none_or(|user| facets.assigned_to == Some(user))
    })
}

/// Unread inbound messages at the team's read position, and how many conversations hold them.
///
/// # Errors
/// Those of the database.
pub fn unread(tx: &mut OrgTx<'_, '_>) -> Result<(i64, i64)> {
    Ok((sum(tx, UNREAD_MESSAGES, |_| true)?, sum(tx, UNREAD_CONVERSATIONS, |_| true)?))
}

/// How many contacts there are, without those that were merged into another.
///
/// # Errors
/// Those of the database.
pub fn contacts(tx: &mut OrgTx<'_, '_>) -> Result<i64> {
    const CONTACTS_NOW: &str = "SELECT n FROM counter WHERE org_id = $1 AND kind = $2";
    Ok(tx.query_opt(CONTACTS_NOW, params![CONTACTS], |row| row.get(0))?.unwrap_or(0))
}
