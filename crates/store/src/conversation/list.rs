//! Lists of conversations, newest activity first, paged by keyset or offset, and how many there are.

use parlance_model::channel::Channel;
use parlance_model::conversation::{Conversation, Status};
use parlance_model::id::{ContactId, ConversationId, UserId};
use parlance_model::{Error, Result};

use super::{few, read, select};
use crate::db::{Param, params};
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
macro_rules! page {
    ($narrow:literal) => {
        select!(concat!(
            $narrow,
            filter!(),
            " AND (last_message_ms, id) < ($8, $9) ORDER BY last_message_ms DESC, id DESC LIMIT $10 OFFSET $11"
        ))
    };
}
macro_rules! count {
    ($narrow:literal) => {
        concat!("SELECT COUNT(*) FROM (SELECT 1 AS one FROM conversation WHERE org_id = $1 ", $narrow, filter!(), " LIMIT $8) AS found")
    };
}

/// The texts of one walk over an index.
struct Walk {
    page: &'static str,
    count: &'static str,
}

const ALL: Walk = Walk { page: page!(""), count: count!("") };
const OPEN: Walk = Walk {
    page: page!("AND state IN ('open', 'escalated') AND NOT archived"),
    count: count!("AND state IN ('open', 'escalated') AND NOT archived"),
};
const ASSIGNED: Walk = Walk { page: page!("AND assigned_to = $4"), count: count!("AND assigned_to = $4") };
const CONTACT: Walk = Walk { page: page!("AND contact_id = $5"), count: count!("AND contact_id = $5") };

impl Filter {
    fn walk(&self) -> Walk {
        match self {
            Self { contact_id: Some(_), .. } => CONTACT,
            Self { assigned_to: Some(_), .. } => ASSIGNED,
            Self { status: Some(Status::Open), .. } => OPEN,
            _ => ALL,
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
        return few::page(tx, found, after, limit, offset);
    }
    let Some(mut values) = filter.params(tx)? else { return Ok(Vec::new()) };
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
    tx.query_one(filter.walk().count, &values, |row| row.get(0)).map(Total::counted)
}

/// Every text of the lists with the index that it should walk. Counting all of an org needs no order, so any will do.
#[cfg(test)]
pub(crate) fn plans() -> [(&'static str, &'static str); 8] {
    [
        (ALL.page, "conversation_list"),
        (OPEN.page, "conversation_open"),
        (ASSIGNED.page, "conversation_assigned"),
        (CONTACT.page, "conversation_contact"),
        (ALL.count, "conversation_"),
        (OPEN.count, "conversation_"),
        (ASSIGNED.count, "conversation_assigned"),
        (CONTACT.count, "conversation_contact"),
    ]
}
