//! The audit log's rows: written in the transaction of what they tell, read newest first, swept when they have aged.

use parlance_model::audit::{Act, Action, Actor, Subject};
use parlance_model::channel::JsonObject;
use parlance_model::id::{KeyId, UserId};
use parlance_model::{Error, Result};

use crate::OrgTx;
use crate::db::{Param, Row, params};
use crate::total::{COUNT_LIMIT, Total};

/// Something that was done, as its row has it. Words are text: a newer version beside this one may write others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its id.
    pub id: i64,
    /// When, unix ms.
    pub at_ms: i64,
    /// What kind of caller did it; a word of [`ActorKind`](parlance_model::audit::ActorKind).
    pub actor: String,
    /// The person, where there is one.
    pub user: Option<UserId>,
    /// What the person is called now.
    pub user_name: Option<String>,
    /// The key, where one was shown.
    pub key: Option<KeyId>,
    /// What the key is or was called.
    pub key_name: Option<String>,
    /// The id of the request.
    pub request_id: Option<String>,
    /// What was done; a word of [`Action`].
    pub action: String,
    /// To what kind of thing; a word of [`SubjectKind`](parlance_model::audit::SubjectKind).
    pub subject: String,
    /// To which of its kind.
    pub subject_id: i64,
    /// Facts of it.
    pub details: JsonObject,
}

/// What narrows the list. Absent facets narrow nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only what this person did, signed in or by a key of theirs.
    pub user: Option<UserId>,
    /// Only what this key did.
    pub key: Option<KeyId>,
    /// Only this.
    pub action: Option<Action>,
    /// Only what was done to this.
    pub subject: Option<Subject>,
    /// From this time on, unix ms.
    pub from_ms: Option<i64>,
    /// Before this time, unix ms.
    pub until_ms: Option<i64>,
}

/// Where a page starts: behind this row of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct After {
    /// Its time.
    pub at_ms: i64,
    /// Its id.
    pub id: i64,
}

pub(crate) fn append(tx: &mut OrgTx<'_, '_>, actor: &Actor, act: &Act) -> Result<()> {
    const INSERT: &str = "INSERT INTO audit (org_id, at_ms, actor, user_id, key_id, request_id, action, subject, subject_id, details)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    let details = serde_json::to_string(&act.details).map_err(Error::internal)?;
    let Subject { kind, id } = act.subject;
    let now_ms = tx.now_ms();
    let who = params![now_ms, actor.kind.as_str(), actor.user, actor.key, actor.request_id.as_deref()];
    let what = params![act.action.as_str(), kind.as_str(), id, details];
    tx.execute(INSERT, &[who, what].concat()).map(drop)
}

// Every text has the same parameters and the same residual filter; they differ in the condition that lets the planner walk
// the index of that list. The row behind which a page begins also says before which time: with a third bound SQLite takes the
// index of the whole log for as good as a narrower one.
macro_rules! filter {
    () => {
        " AND (CAST($2 AS BIGINT) IS NULL OR a.user_id = $2) AND (CAST($3 AS BIGINT) IS NULL OR a.key_id = $3)
          AND (CAST($4 AS TEXT) IS NULL OR a.action = $4)
          AND (CAST($5 AS TEXT) IS NULL OR a.subject = $5) AND (CAST($6 AS BIGINT) IS NULL OR a.subject_id = $6)
          AND a.at_ms >= $7"
    };
}
macro_rules! walk {
    ($narrow:literal) => {
        Walk {
            page: concat!(
                r#"SELECT a.id, a.at_ms, a.actor, a.user_id, a.key_id, a.request_id, a.action, a.subject, a.subject_id, a.details, u.name, k.name
                FROM audit a LEFT JOIN "user" u ON u.id = a.user_id LEFT JOIN api_key k ON k.id = a.key_id AND k.org_id = a.org_id
                WHERE a.org_id = $1 "#,
                $narrow,
                filter!(),
                " AND (a.at_ms, a.id) < ($8, $9) ORDER BY a.at_ms DESC, a.id DESC LIMIT $10"
            ),
            count: concat!("SELECT COUNT(*) FROM (SELECT 1 AS one FROM audit a WHERE a.org_id = $1 ", $narrow, filter!(), " AND a.at_ms < $8 LIMIT $9) AS found"),
        }
    };
}

/// The texts of one walk over an index.
struct Walk {
    page: &'static str,
    count: &'static str,
}

const ALL: Walk = walk!("");
const SUBJECT: Walk = walk!("AND a.subject = $5 AND a.subject_id = $6");
const SUBJECT_KEY: Walk = walk!("AND a.subject_id = $6 AND a.key_id = $3");
const SUBJECT_USER: Walk = walk!("AND a.subject_id = $6 AND a.user_id = $2");
const SUBJECT_ACTION: Walk = walk!("AND a.subject_id = $6 AND a.action = $4");
const KEY: Walk = walk!("AND a.key_id = $3");
const KEY_USER: Walk = walk!("AND a.key_id = $3 AND a.user_id = $2");
const KEY_ACTION: Walk = walk!("AND a.key_id = $3 AND a.action = $4");
const USER: Walk = walk!("AND a.user_id = $2");
const USER_ACTION: Walk = walk!("AND a.user_id = $2 AND a.action = $4");
const ACTION: Walk = walk!("AND a.action = $4");

impl Filter {
    /// Each facet and each two together have an index. Of more, the two that leave the fewest rows are walked, and those rows compared
    /// with the others.
    fn walk(&self) -> Walk {
        match (self.subject.is_some(), self.key.is_some(), self.user.is_some(), self.action.is_some()) {
            (true, true, ..) => SUBJECT_KEY,
            (true, _, true, _) => SUBJECT_USER,
            (true, _, _, true) => SUBJECT_ACTION,
            (true, ..) => SUBJECT,
            (_, true, _, true) => KEY_ACTION,
            (_, true, true, _) => KEY_USER,
            (_, true, ..) => KEY,
            (_, _, true, true) => USER_ACTION,
            (_, _, true, _) => USER,
            (_, _, _, true) => ACTION,
            _ => ALL,
        }
    }

    /// `$2` to `$7`.
    fn params(&self) -> Vec<Param<'static>> {
        let (kind, id) = (self.subject.map(|subject| subject.kind.as_str()), self.subject.map(|subject| subject.id));
        params![self.user, self.key, self.action.map(Action::as_str), kind, id, self.from_ms.unwrap_or(i64::MIN)].to_vec()
    }
}

fn read(row: &Row<'_>) -> Result<Record> {
    Ok(Record {
        id: row.get(0)?,
        at_ms: row.get(1)?,
        actor: row.get(2)?,
        user: row.get(3)?,
        key: row.get(4)?,
        request_id: row.get(5)?,
        action: row.get(6)?,
        subject: row.get(7)?,
        subject_id: row.get(8)?,
        details: row.json(9)?,
        user_name: row.get(10)?,
        key_name: row.get(11)?,
    })
}

/// A page of the log, newest first: up to `limit` rows behind `after`.
///
/// # Errors
/// Those of the database.
pub fn list(tx: &mut OrgTx<'_, '_>, filter: &Filter, after: Option<After>, limit: i64) -> Result<Vec<Record>> {
    // Ids begin at 1: what is behind this is before that time.
    let until = After { at_ms: filter.until_ms.unwrap_or(i64::MAX), id: 0 };
    let after = after.map_or(until, |after| After::min(after, until));
    let mut values = filter.params();
    values.extend_from_slice(params![after.at_ms, after.id, limit]);
    tx.query(filter.walk().page, &values, read)
}

/// How many rows the filter has, counted up to ten thousand.
///
/// # Errors
/// Those of the database.
pub fn total(tx: &mut OrgTx<'_, '_>, filter: &Filter) -> Result<Total> {
    let mut values = filter.params();
    values.extend_from_slice(params![filter.until_ms.unwrap_or(i64::MAX), COUNT_LIMIT + 1]);
    tx.query_one(filter.walk().count, &values, |row| row.get(0)).map(Total::counted)
}

/// Deletes the rows that are older than `before_ms`, at most a thousand, oldest first. Answers how many went.
///
/// # Errors
/// Those of the database.
pub fn sweep(tx: &mut OrgTx<'_, '_>, before_ms: i64) -> Result<u64> {
    const SWEEP: &str = "DELETE FROM audit WHERE org_id = $1 AND id IN
        (SELECT id FROM audit WHERE org_id = $1 AND at_ms < $2 ORDER BY at_ms, id LIMIT 1000)";
    tx.execute(SWEEP, params![before_ms])
}

/// The texts of every combination of facets, each with the columns by which its index is sought.
#[cfg(test)]
pub(crate) fn plans() -> Vec<(&'static str, &'static str)> {
    use parlance_model::audit::SubjectKind;
    let subject = Subject { kind: SubjectKind::Staff, id: 1 };
    let filter = |bits: u8| Filter {
        subject: (bits & 1 > 0).then_some(subject),
        key: (bits & 2 > 0).then_some(KeyId(1)),
        user: (bits & 4 > 0).then_some(UserId(1)),
        action: (bits & 8 > 0).then_some(Action::SignIn),
        ..Filter::default()
    };
    let sought = |bits: u8| match bits {
        0 => "(org_id=? AND at_ms",
        1 => "audit_subject (org_id=? AND subject=? AND subject_id=? AND at_ms",
        2 => "audit_keys (org_id=? AND key_id=? AND at_ms",
        4 => "audit_users (org_id=? AND user_id=? AND at_ms",
        8 => "audit_action (org_id=? AND action=? AND at_ms",
        6 => "audit_key_user (org_id=? AND key_id=? AND user_id=? AND at_ms",
        10 | 14 => "audit_key_action (org_id=? AND key_id=? AND action=? AND at_ms",
        12 => "audit_user_action (org_id=? AND user_id=? AND action=? AND at_ms",
        9 => "audit_subject_action (org_id=? AND subject_id=? AND action=? AND at_ms",
        5 | 13 => "audit_subject_user (org_id=? AND subject_id=? AND user_id=? AND at_ms",
        _ => "audit_key_subject (org_id=? AND subject_id=? AND key_id=? AND at_ms",
    };
    (0..16)
        .flat_map(|bits| {
            let walk = filter(bits).walk();
            [(walk.page, sought(bits)), (walk.count, sought(bits))]
        })
        .collect()
}
