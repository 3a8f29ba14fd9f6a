//! Each message's state against its attempts and receipts, its work, and its references.

use std::collections::HashSet;

use parlance_model::Result;
use parlance_model::delivery::Outcome;
use parlance_model::id::{AccountId, AttemptId, MessageId, OrgId};
use parlance_model::job::Job;

use super::{CHUNK, Finding, Report, finding};
use crate::db::params;
use crate::{OrgTx, Store, attempt};

pub(super) async fn check(store: &Store, org: OrgId, report: &mut Report) -> Result<()> {
    let mut after = MessageId(0);
    loop {
        let (count, last, findings) = store.read(org, move |tx| chunk(tx, after)).await?;
        report.messages += count;
        report.findings.extend(findings);
        match last {
            Some(last) => after = last,
            None => return Ok(()),
        }
    }
}

type Chunk = (usize, Option<MessageId>, Vec<Finding>);

fn chunk(tx: &mut OrgTx<'_, '_>, after: MessageId) -> Result<Chunk> {
    const ROWS: &str = "SELECT m.id, m.direction, m.state, m.error_state, m.error_code, m.error_message, m.attempt_id,
            (SELECT COUNT(*) FROM conversation c WHERE c.org_id = m.org_id AND c.id = m.conversation_id AND c.account_id = m.account_id)
        FROM message m WHERE m.org_id = $1 AND m.id > $2 ORDER BY m.id LIMIT $3";
    let jobs = queued(tx)?;
    let rows = tx.query(ROWS, params![after, CHUNK], |row| {
        let outbound = row.get::<String>(1)? == "outbound";
        Ok((row.get::<MessageId>(0)?, outbound, attempt::outcome(row, 2)?, row.get::<Option<AttemptId>>(6)?, row.get::<i64>(7)?))
    })?;
    let mut findings = Vec::new();
    for (id, outbound, shown, attempt, conversations) in &rows {
        if *conversations != 1 {
            findings.push(finding(tx, "no row points into another org", format!("{id:?}: its conversation is not in its org and account")));
        }
        if !outbound {
            continue;
        }
        if let Some(attempt) = attempt {
            findings.extend(folded(tx, *id, *attempt, shown)?);
        }
        if shown.state == parlance_model::delivery::DeliveryState::Pending && !jobs.contains(id) {
            findings.push(finding(tx, "every message has its job or outcome", format!("{id:?} is pending and has no job")));
        }
    }
    Ok((rows.len(), rows.last().map(|row| row.0), findings))
}

/// The messages that a send job names.
fn queued(tx: &mut OrgTx<'_, '_>) -> Result<HashSet<MessageId>> {
    const JOBS: &str = "SELECT payload FROM job WHERE org_id = $1 AND kind = 'send'";
    let jobs = tx.query(JOBS, &[], |row| row.json(0))?;
    let of = |job| match job {
        Job::Send { message_id } => Some(message_id),
        Job::Unassign { .. } => None,
    };
    Ok(jobs.into_iter().filter_map(of).collect())
}

fn folded(tx: &mut OrgTx<'_, '_>, message: MessageId, id: AttemptId, shown: &Outcome) -> Result<Option<Finding>> {
    const OWN: &str = "SELECT account_id, provider_id, outcome, outcome_code, outcome_message FROM attempt
        WHERE org_id = $1 AND id = $2 AND message_id = $3";
    let own = tx.query_opt(OWN, params![id, message], |row| {
        Ok((row.get::<AccountId>(0)?, row.get::<Option<String>>(1)?, attempt::own_outcome(row, 2)?))
    })?;
    let Some((account, provider_id, own)) = own else {
        return Ok(Some(finding(tx, "no row points into another org", format!("{message:?}: its attempt {id:?} is not its own"))));
    };
    let folded = match provider_id {
        Some(provider_id) => attempt::receipts(tx, account, &provider_id, own)?,
        None => own,
    };
    Ok((folded != *shown).then(|| {
        finding(tx, "a message's status is the fold of its receipts", format!("{message:?} shows {shown:?}, its receipts say {folded:?}"))
    }))
}
