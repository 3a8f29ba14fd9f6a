//! The audit log's rows: written in the transaction of what they tell, read newest first, swept when they have aged.

use std::sync::Arc;

use parlance_model::audit::{Act, Action, Actor, ActorKind, Subject, SubjectKind};
use parlance_model::channel::JsonObject;
use parlance_model::id::{KeyId, UserId};
use parlance_model::{Error, Result};

use crate::OrgTx;
use crate::db::{Param, Row, params};
use crate::total::{COUNT_LIMIT, Total};

/// Something that was done, as its row has it.
#[derive(Debug, Clone)]
pub struct Record {
    /// Its id.
    pub id: i64,
    /// When, unix ms.
    pub at_ms: i64,
    /// Who did it.
    pub actor: Actor,
    /// What the person is called now.
    pub user_name: Option<String>,
    /// What the key is or was called.
    pub key_name: Option<String>,
    /// What was done, to what, and the facts of it.
    pub act: Act,
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
const KEY: Walk = walk!("AND a.key_id = $3");
const USER: Walk = walk!("AND a.user_id = $2");
const ACTION: Walk = walk!("AND a.action = $4");

impl Filter {
    fn walk(&self) -> Walk {
        match self {
            Self { subject: Some(_), .. } => SUBJECT,
            Self { key: Some(_), .. } => KEY,
            Self { user: Some(_), .. } => USER,
            Self { action: Some(_), .. } => ACTION,
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
    let request_id: Option<String> = row.get(5)?;
    let actor = Actor { kind: row.word::<ActorKind>(2)?, user: row.get(3)?, key: row.get(4)?, request_id: request_id.map(Arc::from) };
    let subject = Subject { kind: row.word::<SubjectKind>(7)?, id: row.get(8)? };
    let act = Act { action: row.word(6)?, subject, details: row.json::<JsonObject>(9)? };
    Ok(Record { id: row.get(0)?, at_ms: row.get(1)?, actor, user_name: row.get(10)?, key_name: row.get(11)?, act })
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

/// Every text of the lists with the index that it should walk.
#[cfg(test)]
pub(crate) fn plans() -> [(&'static str, &'static str); 10] {
    [
        (ALL.page, "audit_list"),
        (SUBJECT.page, "audit_subject"),
        (KEY.page, "audit_keys"),
        (USER.page, "audit_users"),
        (ACTION.page, "audit_action"),
        (ALL.count, "audit_"),
        (SUBJECT.count, "audit_subject"),
        (KEY.count, "audit_keys"),
        (USER.count, "audit_users"),
        (ACTION.count, "audit_action"),
    ]
}
