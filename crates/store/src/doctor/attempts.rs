//! Each attempt against what was said of it, and the work that the unfinished ones need.

use std::collections::HashSet;

use parlance_model::Result;
use parlance_model::delivery::Outcome;
use parlance_model::id::{AccountId, AttemptId, JobId, MessageId, OrgId};
use parlance_model::job::Job;

use super::{CHUNK, Finding, finding};
use crate::db::params;
use crate::watch::{self, Watch};
use crate::{OrgTx, Store, attempt};

/// An attempt's row, with what only the doctor reads of it.
struct Row {
    id: AttemptId,
    message: MessageId,
    account: AccountId,
    provider_id: Option<String>,
    own: Outcome,
    kept: Outcome,
    finished: bool,
    /// Outbound messages that are its own, and attempts before it with the same provider id.
    messages: i64,
    doubles: i64,
}

type Chunk = (u64, Option<(MessageId, AttemptId)>, Vec<Finding>);

pub(super) async fn check(store: &Store, org: OrgId, watch: &dyn Watch) -> Result<Vec<Finding>> {
    let mut findings = store.read(org, jobs).await?;
    // In the order of the index that begins with the org.
    let mut after = Some((MessageId(0), AttemptId(0)));
    while let Some(start) = after {
        let (count, last, found) = store.read(org, move |tx| chunk(tx, start)).await?;
        findings.extend(found);
        watch::advance(watch, count)?;
        after = last;
    }
    Ok(findings)
}

fn chunk(tx: &mut OrgTx<'_, '_>, after: (MessageId, AttemptId)) -> Result<Chunk> {
    const ROWS: &str = "SELECT a.id, a.message_id, a.account_id, a.provider_id, a.outcome, a.outcome_code, a.outcome_message,
            a.state, a.error_state, a.error_code, a.error_message, a.finished_ms,
            (SELECT COUNT(*) FROM message m WHERE m.org_id = a.org_id AND m.id = a.message_id AND m.direction = 'outbound'
                AND m.account_id = a.account_id),
            (SELECT COUNT(*) FROM attempt d WHERE d.org_id = a.org_id AND d.account_id = a.account_id
                AND d.provider_id IS NOT NULL AND d.provider_id = a.provider_id AND d.id < a.id)
        FROM attempt a WHERE a.org_id = $1 AND (a.message_id, a.id) > ($2, $3) ORDER BY a.message_id, a.id LIMIT $4";
    let rows = tx.query(ROWS, params![after.0, after.1, CHUNK], |row| {
        Ok(Row {
            id: row.get(0)?,
            message: row.get(1)?,
            account: row.get(2)?,
            provider_id: row.get(3)?,
            own: attempt::own_outcome(row, 4)?,
            kept: attempt::outcome(row, 7)?,
            finished: row.get::<Option<i64>>(11)?.is_some(),
            messages: row.get(12)?,
            doubles: row.get(13)?,
        })
    })?;
    let queued = if rows.iter().all(|row| row.finished) { HashSet::new() } else { super::messages::queued(tx)? };
    let mut findings = Vec::new();
    for row in &rows {
        let id = row.id;
        if row.messages != 1 {
            findings.push(finding(
                tx.org(),
                "no row points into another org",
                format!("{id:?}: its message is not in its org and account"),
            ));
        }
        if row.doubles > 0 {
            let detail = format!("{id:?}: its provider id is also that of an earlier attempt");
            findings.push(finding(tx.org(), "provider ids are unique", detail));
        }
        if !row.finished && !queued.contains(&row.message) {
            let detail = format!("{id:?} is under way, and {:?} has no job", row.message);
            findings.push(finding(tx.org(), "every message has its job or outcome", detail));
        }
        let folded = match &row.provider_id {
            Some(provider_id) => attempt::receipts(tx, row.account, provider_id, row.own.clone())?,
            None => row.own.clone(),
        };
        if folded != row.kept {
            let detail = format!("{id:?} keeps {:?}, its receipts say {folded:?}", row.kept);
            findings.push(finding(tx.org(), "an attempt's state is the fold of its receipts", detail));
        }
    }
    Ok((rows.len() as u64, rows.last().map(|row| (row.message, row.id)), findings))
}

/// Send jobs whose message is not there, or cannot be sent.
fn jobs(tx: &mut OrgTx<'_, '_>) -> Result<Vec<Finding>> {
    const JOBS: &str = "SELECT id, payload FROM job WHERE org_id = $1 AND kind IN ('send', 'call')";
    const FIND: &str = "SELECT COUNT(*) FROM message WHERE org_id = $1 AND id = $2 AND direction = 'outbound'";
    let jobs = tx.query(JOBS, &[], |row| Ok((row.get::<JobId>(0)?, row.json::<Job>(1)?)))?;
    let mut findings = Vec::new();
    for (id, job) in jobs {
        let Some(message_id) = job.hands_over() else { continue };
        if tx.query_one(FIND, params![message_id], |row| row.get::<i64>(0))? != 1 {
            findings.push(finding(
                tx.org(),
                "no row points into another org",
                format!("{id:?}: {message_id:?} is no outbound message here"),
            ));
        }
    }
    Ok(findings)
}
