//! Each message's state against its latest attempt, its work, and its references. Attempts are checked in `attempts`.

use std::collections::HashSet;

use parlance_model::Result;
use parlance_model::delivery::{DeliveryState, Outcome};
use parlance_model::id::{AttemptId, ConversationId, MessageId, OrgId};
use parlance_model::job::Job;

use super::{CHUNK, Finding, Report, finding};
use crate::db::params;
use crate::watch::{self, Watch};
use crate::{OrgTx, Store, attempt};

pub(super) async fn check(store: &Store, org: OrgId, report: &mut Report, watch: &dyn Watch) -> Result<()> {
    let mut after = (ConversationId(0), i64::MIN, MessageId(0));
    loop {
        let (count, last, findings) = store.read(org, move |tx| chunk(tx, after)).await?;
        report.messages += count;
        report.findings.extend(findings);
        watch::advance(watch, count as u64)?;
        match last {
            Some(last) => after = last,
            None => return Ok(()),
        }
    }
}

const FOREIGN: &str = "no row points into another org";
const FOLD: &str = "a message's status is the fold of its receipts";

/// A message's place in its thread: the order of the index that begins with the org.
type Place = (ConversationId, i64, MessageId);

type Chunk = (usize, Option<Place>, Vec<Finding>);

/// A message's row, with what only the doctor reads of it.
struct Row {
    id: MessageId,
    place: Place,
    outbound: bool,
    shown: Outcome,
    attempt: Option<AttemptId>,
    latest: Option<AttemptId>,
    attempts: i64,
    /// What the attempt's own row keeps.
    kept: Option<Outcome>,
    conversations: i64,
    /// Messages before it with the same provider id.
    doubles: i64,
}

fn chunk(tx: &mut OrgTx<'_, '_>, after: Place) -> Result<Chunk> {
    const ROWS: &str = "SELECT m.id, m.direction, m.state, m.error_state, m.error_code, m.error_message, m.attempt_id,
            (SELECT COUNT(*) FROM conversation c WHERE c.org_id = m.org_id AND c.id = m.conversation_id AND c.account_id = m.account_id),
            (SELECT MAX(a.id) FROM attempt a WHERE a.org_id = m.org_id AND a.message_id = m.id),
            (SELECT COUNT(*) FROM message d WHERE d.org_id = m.org_id AND d.account_id = m.account_id
                AND d.inbound_id IS NOT NULL AND d.inbound_id = m.inbound_id AND d.id < m.id),
            a.state, a.error_state, a.error_code, a.error_message, m.conversation_id, m.at_ms,
            (SELECT COUNT(*) FROM attempt t WHERE t.org_id = m.org_id AND t.message_id = m.id)
        FROM message m LEFT JOIN attempt a ON a.org_id = m.org_id AND a.id = m.attempt_id AND a.message_id = m.id
        WHERE m.org_id = $1 AND (m.conversation_id, m.at_ms, m.id) > ($2, $3, $4)
        ORDER BY m.conversation_id, m.at_ms, m.id LIMIT $5";
    let rows = tx.query(ROWS, params![after.0, after.1, after.2, CHUNK], |row| {
        Ok(Row {
            id: row.get(0)?,
            place: (row.get(14)?, row.get(15)?, row.get(0)?),
            outbound: row.get::<String>(1)? == "outbound",
            shown: attempt::outcome(row, 2)?,
            attempt: row.get(6)?,
            conversations: row.get(7)?,
            latest: row.get(8)?,
            doubles: row.get(9)?,
            attempts: row.get(16)?,
            kept: row.get::<Option<String>>(10)?.map(|_| attempt::outcome(row, 10)).transpose()?,
        })
    })?;
    let waits = |row: &Row| row.outbound && row.shown.state == DeliveryState::Pending;
    let jobs = if rows.iter().any(waits) { queued(tx)? } else { HashSet::new() };
    let org = tx.org();
    let mut findings = Vec::new();
    for row in &rows {
        let id = row.id;
        if row.conversations != 1 {
            findings.push(finding(org, FOREIGN, format!("{id:?}: its conversation is not in its org and account")));
        }
        if row.doubles > 0 {
            findings.push(finding(org, "provider ids are unique", format!("{id:?}: its provider id is also that of an earlier message")));
        }
        // Whichever attempt arrived, the message did.
        let expected = match &row.kept {
            Some(kept) if row.attempts == 1 => kept.clone(),
            kept if row.attempts > 0 => attempt::arrived(tx, id, kept.as_ref().unwrap_or(&row.shown).clone())?,
            _ => row.shown.clone(),
        };
        findings.extend(row.shows(org, &expected));
        if let (None, Some(latest)) = (row.attempt, row.latest)
            && !may_be_retried(tx, latest)?
        {
            findings.push(finding(org, FOLD, format!("{id:?} names no attempt, and its latest {latest:?} is none that may be retried")));
        }
        if waits(row) && !jobs.contains(&id) {
            findings.push(finding(org, "every message has its job or outcome", format!("{id:?} is pending and has no job")));
        }
    }
    Ok((rows.len(), rows.last().map(|row| row.place), findings))
}

impl Row {
    /// A message shows its latest attempt, or that any of them arrived. Between a person's retry and the attempt that comes of it, it
    /// names none.
    fn shows(&self, org: OrgId, expected: &Outcome) -> Option<Finding> {
        let Self { id, shown, attempt, latest, kept, .. } = self;
        let detail = match (attempt, kept) {
            (Some(attempt), None) => return Some(finding(org, FOREIGN, format!("{id:?}: its attempt {attempt:?} is not its own"))),
            (Some(_), _) if attempt != latest => format!("{id:?} names {attempt:?}, and its latest attempt is {latest:?}"),
            _ if expected != shown => format!("{id:?} shows {shown:?}, its attempts say {expected:?}"),
            _ => return None,
        };
        Some(finding(org, FOLD, detail))
    }
}

/// Whether a person may have retried the message after this attempt: it came to an end, or its answer was lost, whatever was heard of
/// it since.
fn may_be_retried(tx: &mut OrgTx<'_, '_>, attempt: AttemptId) -> Result<bool> {
    const STATES: &str = "SELECT outcome, state FROM attempt WHERE org_id = $1 AND id = $2";
    let states = tx.query_opt(STATES, params![attempt], |row| Ok((row.word::<DeliveryState>(0)?, row.word::<DeliveryState>(1)?)))?;
    Ok(states.is_some_and(|(own, state)| own == DeliveryState::Unknown || state > DeliveryState::Sent))
}

/// The messages that a job hands over.
pub(super) fn queued(tx: &mut OrgTx<'_, '_>) -> Result<HashSet<MessageId>> {
    const JOBS: &str = "SELECT payload FROM job WHERE org_id = $1 AND kind IN ('send', 'call')";
    let jobs = tx.query(JOBS, &[], |row| row.json::<Job>(0))?;
    Ok(jobs.iter().filter_map(Job::hands_over).collect())
}
