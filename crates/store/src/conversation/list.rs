//! Lists of conversations, newest activity first, paged by keyset or offset, and how many there are.

use parlance_model::channel::Channel;
use parlance_model::conversation::{Conversation, Status};
use parlance_model::id::{ContactId, ConversationId, UserId};
use parlance_model::{Error, Result};

use super::{few, read, select};
use crate::db::{Param, Sql, params};
use crate::total::{COUNT_LIMIT, Total};
use crate::{OrgTx, contact, counter};

/// What narrows a list. Absent facets narrow nothing.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// The medium.
    pub channel: Option<Channel>,
    /// The word that dialects show.
    pub status: Option<Status>,
    /// With whom.
    pub contact_id: Option<ContactId>,
    /// Who answers.
    pub assigned_to: Option<UserId>,
    /// A piece of the contact's or the visitor's name, number or e-mail address.
    pub search: Option<String>,
}

parlance_model::show_only!(Filter { channel, status, contact_id, assigned_to });

/// Where a page starts: behind this row of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct After {
    /// The row's `last_message_ms`.
    pub last_message_ms: i64,
    /// The row's id.
    pub id: ConversationId,
}

// Every text has the same parameters and the same residual filter; they differ in the condition that lets the
// planner walk the index of that list.
macro_rules! facets {
    () => {
        " AND (CAST($2 AS TEXT) IS NULL OR channel = $2)
          AND (CAST($3 AS TEXT) IS NULL OR ($3 = 'archived' AND archived)
            OR ($3 = 'open' AND state IN ('open', 'escalated') AND NOT archived)
            OR ($3 = 'closed' AND state IN ('completed', 'abandoned') AND NOT archived))
          AND (CAST($4 AS BIGINT) IS NULL OR assigned_to = $4)
          AND (CAST($5 AS BIGINT) IS NULL OR contact_id = $5)"
    };
}
macro_rules! filter {
    () => {
        concat!(
            facets!(),
            " AND (CAST($6 AS TEXT) IS NULL OR visitor_search LIKE $6 ESCAPE '\\' OR contact_id IN
            (SELECT c.id FROM contact c WHERE c.org_id = $1 AND (c.search LIKE $6 ESCAPE '\\' OR c.search LIKE $7 ESCAPE '\\')))"
        )
    };
}
macro_rules! walk {
    ($narrow:expr) => {
        select!(concat!($narrow, filter!(), " AND (last_message_ms, id) < ($8, $9)"))
    };
}
macro_rules! ordered {
    ($walk:expr) => {
        concat!($walk, " ORDER BY last_message_ms DESC, id DESC")
    };
}
macro_rules! page {
    ($walks:expr) => {
        concat!(ordered!($walks), " LIMIT $10 OFFSET $11")
    };
}
macro_rules! count {
    ($narrow:expr) => {
        concat!("SELECT COUNT(*) FROM (SELECT 1 AS one FROM conversation WHERE org_id = $1 ", $narrow, filter!(), " LIMIT $8) AS found")
    };
}
// A conversation is in one of these lists, each with an index of its own.
macro_rules! open {
    () => {
        "AND state IN ('open', 'escalated') AND NOT archived"
    };
}
macro_rules! closed {
    () => {
        "AND state IN ('completed', 'abandoned') AND NOT archived"
    };
}
macro_rules! archived {
    () => {
        "AND archived"
    };
}

/// The texts of one walk over an index.
struct Walk {
    page: Sql,
    count: &'static str,
}

impl Walk {
    const fn of(page: &'static str, count: &'static str) -> Self {
        Self { page: Sql::same(page), count }
    }
}

/// The three lists as one, read side by side: SQLite knows by itself that each is in order, and takes no word about it.
const ALL: Walk = Walk {
    page: Sql::differs(
        page!(concat!(walk!(open!()), " UNION ALL ", walk!(closed!()), " UNION ALL ", walk!(archived!()))),
        page!(concat!(
            "(",
            ordered!(walk!(open!())),
            ") UNION ALL (",
            ordered!(walk!(closed!())),
            ") UNION ALL (",
            ordered!(walk!(archived!())),
            ")"
        )),
    ),
    count: count!(""),
};
const OPEN: Walk = Walk::of(page!(walk!(open!())), count!(open!()));
const CLOSED: Walk = Walk::of(page!(walk!(closed!())), count!(closed!()));
const ARCHIVED: Walk = Walk::of(page!(walk!(archived!())), count!(archived!()));
const ASSIGNED: Walk = Walk::of(page!(walk!("AND assigned_to = $4")), count!("AND assigned_to = $4"));
/// Where the conversations of a filter with a contact are in the lists, and how many they are.
const OF_CONTACT: &str =
    concat!("SELECT last_message_ms, id FROM conversation WHERE org_id = $1 AND contact_id = $5", filter!(), " LIMIT $8");
const COUNT_OF_CONTACT: &str = count!("AND contact_id = $5");

impl Filter {
    fn walk(&self) -> Walk {
        match self {
            Self { assigned_to: Some(_), .. } => ASSIGNED,
            Self { status: Some(Status::Open), .. } => OPEN,
            Self { status: Some(Status::Closed), .. } => CLOSED,
            Self { status: Some(Status::Archived), .. } => ARCHIVED,
            Self { status: None, .. } => ALL,
        }
    }

    /// `$2` to `$5`.
    pub(super) fn facets(&self) -> Vec<Param<'static>> {
        params![self.channel.map(Channel::as_str), self.status.map(Status::as_str), self.assigned_to, self.contact_id].to_vec()
    }

    /// `$2` to `$7`. `None`: nothing can be found.
    fn params(&self, tx: &mut OrgTx<'_, '_>) -> Result<Option<Vec<Param<'static>>>> {
        let patterns = contact::search::patterns(tx, self.search.as_deref())?;
        Ok(patterns.map(|patterns| self.facets().into_iter().chain(patterns).collect()))
    }
}
pub(super) use facets;

/// A page of the list: up to `limit` rows behind `after`, or from `offset` on.
///
/// # Errors
/// Those of the database.
pub fn list(tx: &mut OrgTx<'_, '_>, filter: &Filter, after: Option<After>, limit: i64, offset: i64) -> Result<Vec<Conversation>> {
    let after = after.unwrap_or(After { last_message_ms: i64::MAX, id: ConversationId(i64::MAX) });
    if let Some(found) = few::few(tx, filter)? {
        return few::page(tx, &found, after, limit, offset);
    }
    let Some(mut values) = filter.params(tx)? else { return Ok(Vec::new()) };
    if filter.contact_id.is_some() {
        values.push(Param::from(COUNT_LIMIT + 1));
        let found = tx.query(OF_CONTACT, &values, |row| Ok((row.get(0)?, row.get(1)?)))?;
        if i64::try_from(found.len()).is_ok_and(|found| found <= COUNT_LIMIT) {
            return few::page(tx, &found.into_iter().collect(), after, limit, offset);
        }
        // So many of one contact that the lists are full of them.
        values.pop();
    }
    values.extend_from_slice(params![after.last_message_ms, after.id, limit, offset]);
    tx.query(filter.walk().page, &values, read)
}

/// How many rows the filter has: exact where counters know, else counted up to ten thousand.
///
/// # Errors
/// Those of the database.
pub fn total(tx: &mut OrgTx<'_, '_>, filter: &Filter) -> Result<Total> {
    if filter.contact_id.is_none() && filter.search.is_none() {
        let n = counter::conversations(tx, filter.status, filter.channel, filter.assigned_to)?;
        return Ok(Total::exact(n));
    }
    if let Some(found) = few::few(tx, filter)? {
        return i64::try_from(found.len()).map(Total::counted).map_err(Error::internal);
    }
    let Some(mut values) = filter.params(tx)? else { return Ok(Total::exact(0)) };
    values.push(Param::from(COUNT_LIMIT + 1));
    let count = if filter.contact_id.is_some() { COUNT_OF_CONTACT } else { filter.walk().count };
    tx.query_one(count, &values, |row| row.get(0)).map(Total::counted)
}

/// Every text of the lists with the indexes that it should walk. Counting all of an org needs no order, so any will do.
#[cfg(test)]
pub(crate) fn plans() -> [(&'static str, &'static [&'static str]); 12] {
    [
        (ALL.page.on_sqlite(), &["conversation_open", "conversation_closed", "conversation_archived"]),
        (OPEN.page.on_sqlite(), &["conversation_open"]),
        (CLOSED.page.on_sqlite(), &["conversation_closed"]),
        (ARCHIVED.page.on_sqlite(), &["conversation_archived"]),
        (ASSIGNED.page.on_sqlite(), &["conversation_assigned"]),
        (OF_CONTACT, &["conversation_contact"]),
        (ALL.count, &["conversation_"]),
        (OPEN.count, &["conversation_"]),
        (CLOSED.count, &["conversation_"]),
        (ARCHIVED.count, &["conversation_"]),
        (ASSIGNED.count, &["conversation_assigned"]),
        (COUNT_OF_CONTACT, &["conversation_contact"]),
    ]
}
