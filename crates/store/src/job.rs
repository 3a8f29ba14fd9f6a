//! Jobs: leased, in order within a lane, by priority across lanes.

use parlance_model::channel::Channel;
use parlance_model::id::{AccountId, JobId, OrgId};
use parlance_model::job::{Claimed, Job, Lane};
use parlance_model::{Error, Result};

use crate::db::{Param, Row, Sql, params};
use crate::{OrgTx, SystemTx, pace};

/// What people wait for comes first.
const PRIORITY_PERSON: i64 = 0;
/// What is fetched from providers, files and lists: however much there is, no message of ours waits behind it.
const PRIORITY_FETCH: i64 = 10;
/// Every priority, in the order of claims.
const PRIORITIES: [i64; 2] = [PRIORITY_PERSON, PRIORITY_FETCH];

/// Queues a job, in the transaction of what it is about. Jobs of one lane run in order, one at a time.
///
/// # Errors
/// Those of the database.
pub fn enqueue(tx: &mut OrgTx<'_, '_>, job: &Job, lane: Option<Lane>, run_at_ms: i64) -> Result<JobId> {
    const INSERT: &str = "INSERT INTO job (org_id, kind, payload, lane, priority, run_at_ms, attempt, created_ms)
        VALUES ($1, $2, $3, $4, $5, $6, 0, $7) RETURNING id";
    let payload = serde_json::to_string(job).map_err(Error::internal)?;
    let now_ms = tx.now_ms();
    tx.mark_jobs();
    tx.query_one(INSERT, params![job.kind(), payload, lane.map(Lane::number), priority(job), run_at_ms, now_ms], |row| row.get(0))
}

/// Queues a job that is due at once, unless such a one waits or runs already.
///
/// # Errors
/// Those of the database.
pub fn enqueue_once(tx: &mut OrgTx<'_, '_>, job: &Job, lane: Lane) -> Result<()> {
    if is_queued(tx, job, lane)? {
        return Ok(());
    }
    let now_ms = tx.now_ms();
    enqueue(tx, job, Some(lane), now_ms).map(drop)
}

const fn priority(job: &Job) -> i64 {
    match job {
        Job::FetchMedia { .. } | Job::Reconcile { .. } | Job::Backfill { .. } | Job::FindCall { .. } => PRIORITY_FETCH,
        Job::Send { .. } | Job::Call { .. } | Job::Unassign { .. } => PRIORITY_PERSON,
    }
}

/// Claims up to `limit` due jobs for `lease_ms`. A job whose lease ran out is due again, with a higher `attempt`.
/// Jobs of an org that is switched off rest. Those that rest or are due later cost a claim nothing.
///
/// # Errors
/// Those of the database.
pub fn claim(tx: &mut SystemTx<'_, '_>, limit: i64, lease_ms: i64) -> Result<Vec<Claimed>> {
    let now_ms = tx.now_ms();
    let mut claimed = Vec::new();
    for priority in PRIORITIES {
        let free = limit - i64::try_from(claimed.len()).map_err(Error::internal)?;
        claimed.extend(tx.tx.query(CLAIM, params![now_ms, now_ms + lease_ms, priority, free], |row| {
            let (id, org): (JobId, OrgId) = (row.get(0)?, row.get(1)?);
            // A job of a newer version must not stop everybody else's: it stays leased, for a node that knows it.
            let job = row.json(2).inspect_err(|error| tracing::error!(?error, job = %id, "a job of an unknown kind is left alone"));
            let (attempt, created_ms) = (row.get(3)?, row.get(4)?);
            let lost = attempt - 1 - row.get::<i64>(5)?;
            Ok(job.ok().map(|job| Claimed { id, org, job, attempt, lost, created_ms }))
        })?);
    }
    let mut claimed: Vec<_> = claimed.into_iter().flatten().collect();
    claimed.sort_by_key(|job| job.id);
    Ok(claimed)
}

/// When the next job that waits for its time comes due, unix ms. A look at the end of an index.
///
/// # Errors
/// Those of the database.
pub fn next_due(tx: &mut SystemTx<'_, '_>) -> Result<Option<i64>> {
    let (now_ms, mut next) = (tx.now_ms(), None);
    for priority in PRIORITIES {
        let due: Option<i64> = tx.tx.query_one(NEXT_DUE, params![priority, now_ms], |row| row.get(0))?;
        next = due.into_iter().chain(next).min();
    }
    Ok(next)
}
pub(crate) const NEXT_DUE: &str = "SELECT MIN(run_at_ms) FROM job WHERE NOT resting AND priority = $1 AND run_at_ms > $2";

macro_rules! claim {
    ($lock:literal) => {
        concat!(
            // Materialized, because a plan that asked again for each row would get other rows, past the limit.
            "WITH due AS MATERIALIZED (SELECT j.id FROM job j
                WHERE NOT j.resting AND j.priority = $3 AND j.run_at_ms <= $1 AND (j.lease_until_ms IS NULL OR j.lease_until_ms <= $1)
                  AND j.org_id NOT IN (SELECT o.id FROM org o WHERE o.disabled_ms IS NOT NULL)
                  AND NOT EXISTS (SELECT 1 FROM job e WHERE e.org_id = j.org_id AND e.lane = j.lane AND e.id < j.id)
                ORDER BY j.run_at_ms, j.id LIMIT $4",
            $lock,
            ") UPDATE job SET lease_until_ms = $2, attempt = attempt + 1 WHERE id IN (SELECT id FROM due)
            RETURNING id, org_id, payload, attempt, created_ms, given_back"
        )
    };
}
/// The due jobs of one priority: its part of the index is walked from the longest due, and no further than to what is due now.
/// Several nodes claim at once on PostgreSQL; SQLite has one writer.
pub(crate) const CLAIM: Sql = Sql::differs(claim!(""), claim!(" FOR UPDATE SKIP LOCKED"));

/// Jobs that [`follow_switch`] marks at once.
pub const CHUNK: u64 = 1000;

/// Marks the jobs of the org as resting or as awake, as the org's switch says, at most [`CHUNK`] of them. Answers how many were
/// marked otherwise. A claim heeds the switch itself; the mark keeps jobs that rest out of its way.
///
/// # Errors
/// Those of the database.
pub fn follow_switch(tx: &mut OrgTx<'_, '_>) -> Result<u64> {
    // Awake jobs may be due.
    tx.mark_jobs();
    tx.execute(FOLLOW, params![i64::try_from(CHUNK).map_err(Error::internal)?])
}

/// By the ids: SQLite would rather walk the org's jobs, were it not for the plus.
pub(crate) const FOLLOW: &str = "UPDATE job SET resting = NOT resting WHERE +org_id = $1 AND id IN (SELECT j.id FROM job j
        WHERE j.org_id = $1 AND j.resting = (SELECT o.disabled_ms IS NULL FROM org o WHERE o.id = $1) ORDER BY j.id LIMIT $2)";

/// The orgs that have jobs for [`follow_switch`] to mark.
///
/// # Errors
/// Those of the database.
pub fn behind_switch(tx: &mut SystemTx<'_, '_>) -> Result<Vec<OrgId>> {
    const BEHIND: &str = "SELECT o.id FROM org o
        WHERE EXISTS (SELECT 1 FROM job j WHERE j.org_id = o.id AND j.resting = (o.disabled_ms IS NULL)) ORDER BY o.id";
    tx.tx.query(BEHIND, &[], |row| row.get(0))
}

/// Whether this claim still holds: nobody claimed the job after us, and it is not finished.
///
/// # Errors
/// Those of the database.
pub fn holds(tx: &mut OrgTx<'_, '_>, job: &Claimed) -> Result<bool> {
    const HOLDS: &str = "SELECT id FROM job WHERE org_id = $1 AND id = $2 AND attempt = $3";
    Ok(tx.query_opt(HOLDS, params![job.id, job.attempt], |row| row.get::<JobId>(0))?.is_some())
}

/// Removes a finished job, in the transaction of its outcome. Nothing happens when somebody claimed it since: it is theirs.
///
/// # Errors
/// Those of the database.
pub fn finish(tx: &mut OrgTx<'_, '_>, job: &Claimed) -> Result<()> {
    const DELETE: &str = "DELETE FROM job WHERE org_id = $1 AND id = $2 AND attempt = $3 RETURNING account_id, slot_channel";
    remove(tx, DELETE, params![job.id, job.attempt])
}

/// Removes a job. What waits behind it, in its lane or for a turn, moves up.
fn remove(tx: &mut OrgTx<'_, '_>, delete: &'static str, params: &[Param<'_>]) -> Result<()> {
    tx.mark_jobs();
    let turn = |row: &Row<'_>| Ok(row.get::<Option<AccountId>>(0)?.zip(row.word_opt::<Channel>(1)?));
    match tx.query_opt(delete, params, turn)?.flatten() {
        Some((account, channel)) => pace::vacated(tx, account, channel),
        None => Ok(()),
    }
}

/// When the first job of a lane may be claimed at the earliest, unix ms. `None`: there is none, or somebody has it.
///
/// # Errors
/// Those of the database.
pub fn first_due(tx: &mut OrgTx<'_, '_>, lane: Lane) -> Result<Option<i64>> {
    const FIRST: &str = "SELECT run_at_ms, lease_until_ms FROM job WHERE org_id = $1 AND lane = $2 ORDER BY id LIMIT 1";
    let first = tx.query_opt(FIRST, params![lane.number()], |row| Ok((row.get(0)?, row.get::<Option<i64>>(1)?)))?;
    Ok(first.and_then(|(run_at_ms, lease)| lease.is_none().then_some(run_at_ms)))
}

/// Whether such a job waits or runs.
///
/// # Errors
/// Those of the database.
pub fn is_queued(tx: &mut OrgTx<'_, '_>, job: &Job, lane: Lane) -> Result<bool> {
    const FIND: &str = "SELECT id FROM job WHERE org_id = $1 AND lane = $2 AND kind = $3 AND payload = $4";
    let payload = serde_json::to_string(job).map_err(Error::internal)?;
    Ok(tx.query_opt(FIND, params![lane.number(), job.kind(), payload], |row| row.get::<JobId>(0))?.is_some())
}

/// Takes a job back that is not to be done. A worker that has claimed it finds that it does not hold it any more.
///
/// # Errors
/// Those of the database.
pub fn withdraw(tx: &mut OrgTx<'_, '_>, job: &Job, lane: Lane) -> Result<()> {
    const DELETE: &str =
        "DELETE FROM job WHERE org_id = $1 AND lane = $2 AND kind = $3 AND payload = $4 RETURNING account_id, slot_channel";
    let payload = serde_json::to_string(job).map_err(Error::internal)?;
    remove(tx, DELETE, params![lane.number(), job.kind(), payload])
}

/// Holds a job for another `lease_ms`, by whoever still has it. Answers whether they do.
///
/// # Errors
/// Those of the database.
pub fn hold(tx: &mut OrgTx<'_, '_>, job: &Claimed, lease_ms: i64) -> Result<bool> {
    const HOLD: &str = "UPDATE job SET lease_until_ms = $3 WHERE org_id = $1 AND id = $2 AND attempt = $4";
    let until_ms = tx.now_ms() + lease_ms;
    Ok(tx.execute(HOLD, params![job.id, until_ms, job.attempt])? > 0)
}

/// Gives a job back, to be claimed again at `run_at_ms`. Nothing happens when somebody claimed it since.
///
/// # Errors
/// Those of the database.
pub fn postpone(tx: &mut OrgTx<'_, '_>, job: &Claimed, run_at_ms: i64) -> Result<()> {
    const POSTPONE: &str =
        "UPDATE job SET run_at_ms = $3, lease_until_ms = NULL, given_back = given_back + 1 WHERE org_id = $1 AND id = $2 AND attempt = $4";
    tx.execute(POSTPONE, params![job.id, run_at_ms, job.attempt]).map(drop)
}

/// Gives a job back that was not begun, to be claimed again at `run_at_ms`: this claim counts as none. Nothing happens when
/// somebody claimed it since.
///
/// # Errors
/// Those of the database.
pub fn decline(tx: &mut OrgTx<'_, '_>, job: &Claimed, run_at_ms: i64) -> Result<()> {
    const DECLINE: &str =
        "UPDATE job SET run_at_ms = $3, lease_until_ms = NULL, attempt = attempt - 1 WHERE org_id = $1 AND id = $2 AND attempt = $4";
    tx.execute(DECLINE, params![job.id, run_at_ms, job.attempt]).map(drop)
}

/// Gives back the job of a file that its account stands in the way of, as [`decline`] does, until then or until the account is put
/// right ([`recall_files`]).
///
/// # Errors
/// Those of the database.
pub fn hold_up(tx: &mut OrgTx<'_, '_>, job: &Claimed, account: AccountId, run_at_ms: i64) -> Result<()> {
    const HOLD_UP: &str = "UPDATE job SET account_id = $3 WHERE org_id = $1 AND id = $2 AND attempt = $4";
    tx.execute(HOLD_UP, params![job.id, account, job.attempt])?;
    decline(tx, job, run_at_ms)
}

/// Makes the files due that their account stood in the way of: it was put right.
///
/// # Errors
/// Those of the database.
pub fn recall_files(tx: &mut OrgTx<'_, '_>, account: AccountId) -> Result<()> {
    let now_ms = tx.now_ms();
    tx.mark_jobs();
    tx.execute(RECALL_FILES, params![account, now_ms]).map(drop)
}
pub(crate) const RECALL_FILES: &str =
    "UPDATE job SET run_at_ms = $3, account_id = NULL WHERE org_id = $1 AND account_id = $2 AND kind = 'fetch_media'";

/// The turn that a job waits for, unix ms, and the epoch in which it was given.
pub(crate) fn slot(tx: &mut OrgTx<'_, '_>, job: &Claimed) -> Result<Option<(i64, i64)>> {
    const SLOT: &str = "SELECT slot_ms, slot_epoch FROM job WHERE org_id = $1 AND id = $2 AND slot_ms IS NOT NULL";
    tx.query_opt(SLOT, params![job.id], |row| Ok((row.get(0)?, row.get(1)?)))
}

/// Gives a job back until its turn (unix ms, and its epoch) at an account's channel.
pub(crate) fn wait(
    tx: &mut OrgTx<'_, '_>,
    job: &Claimed,
    (account, channel): (AccountId, Channel),
    (slot_ms, epoch): (i64, i64),
) -> Result<()> {
    const WAIT: &str =
        "UPDATE job SET account_id = $3, slot_channel = $4, slot_ms = $5, slot_epoch = $6 WHERE org_id = $1 AND id = $2 AND attempt = $7";
    // The worker is to know when it comes.
    tx.mark_jobs();
    tx.execute(WAIT, params![job.id, account, channel.as_str(), slot_ms, epoch, job.attempt])?;
    postpone(tx, job, slot_ms)
}

/// Writes down that a job has used its turn.
pub(crate) fn leave(tx: &mut OrgTx<'_, '_>, job: &Claimed) -> Result<()> {
    const LEAVE: &str = "UPDATE job SET slot_channel = NULL, slot_ms = NULL, slot_epoch = NULL WHERE org_id = $1 AND id = $2";
    tx.execute(LEAVE, params![job.id]).map(drop)
}

/// The last turn of an epoch at an account's channel that a job waits for, unix ms.
pub(crate) fn last_turn(tx: &mut OrgTx<'_, '_>, (account, channel): (AccountId, Channel), epoch: i64) -> Result<Option<i64>> {
    tx.query_one(LAST_TURN, params![account, channel.as_str(), epoch], |row| row.get(0))
}
pub(crate) const LAST_TURN: &str = "SELECT MAX(slot_ms) FROM job
    WHERE org_id = $1 AND account_id = $2 AND slot_channel = $3 AND slot_epoch = $4 AND slot_ms IS NOT NULL";

/// Gives the first job that waits for a turn of an epoch at an account's channel this one (unix ms), unless its own comes before.
pub(crate) fn move_up(tx: &mut OrgTx<'_, '_>, (account, channel): (AccountId, Channel), (slot_ms, epoch): (i64, i64)) -> Result<()> {
    if tx.execute(MOVE_UP, params![account, channel.as_str(), epoch, slot_ms])? > 0 {
        tx.mark_jobs();
    }
    Ok(())
}
pub(crate) const MOVE_UP: &str =
    "UPDATE job SET slot_ms = $5, run_at_ms = $5 WHERE org_id = $1 AND slot_ms > $5 AND id = (SELECT j.id FROM job j
        WHERE j.org_id = $1 AND j.account_id = $2 AND j.slot_channel = $3 AND j.slot_epoch = $4 AND j.slot_ms IS NOT NULL
        ORDER BY j.slot_ms, j.id LIMIT 1)";

/// Makes what waits for a turn at an account due at one time, so that it comes in the order in which it was queued.
pub(crate) fn recall(tx: &mut OrgTx<'_, '_>, account: AccountId, run_at_ms: i64) -> Result<()> {
    const RECALL: &str = "UPDATE job SET run_at_ms = $3 WHERE org_id = $1 AND account_id = $2 AND slot_ms IS NOT NULL";
    tx.mark_jobs();
    tx.execute(RECALL, params![account, run_at_ms]).map(drop)
}

/// How many jobs there are, and when the next one can be claimed, unix ms: at its time, or when its lease ends.
///
/// # Errors
/// Those of the database.
pub fn waiting(tx: &mut SystemTx<'_, '_>) -> Result<(i64, Option<i64>)> {
    const WAITING: &str = "SELECT COUNT(*), MIN(CASE
            WHEN EXISTS (SELECT 1 FROM job e WHERE e.org_id = j.org_id AND e.lane = j.lane AND e.id < j.id) THEN NULL
            ELSE COALESCE(j.lease_until_ms, j.run_at_ms) END)
        FROM job j";
    tx.tx.query_one(WAITING, &[], |row| Ok((row.get(0)?, row.get(1)?)))
}

/// How many jobs an org has, for tests that look for leftovers.
///
/// # Errors
/// Those of the database.
pub fn of_org(tx: &mut SystemTx<'_, '_>, org: OrgId) -> Result<i64> {
    const COUNT: &str = "SELECT COUNT(*) FROM job WHERE org_id = $1";
    tx.tx.query_one(COUNT, params![org], |row| row.get(0))
}

/// How many jobs of a kind stand so.
#[derive(Debug, Clone)]
pub struct Standing {
    /// The word of their kind, perhaps of a newer version.
    pub kind: String,
    /// `leased`; `due`, when one can be claimed; or `waiting` for its time, for an earlier job of its lane, or with its org that is disabled.
    pub state: String,
    /// How many.
    pub count: i64,
    /// Since when the first of them has stood so (`due`), or its time, unix ms.
    pub since_ms: i64,
}

pub(crate) const STANDING: &str = "SELECT kind, state, COUNT(*), CAST(MIN(since_ms) AS BIGINT) FROM (SELECT j.kind AS kind,
        CASE WHEN j.lease_until_ms > $1 THEN 'leased'
            WHEN j.resting OR j.run_at_ms > $1 OR j.org_id IN (SELECT o.id FROM org o WHERE o.disabled_ms IS NOT NULL)
                OR EXISTS (SELECT 1 FROM job e WHERE e.org_id = j.org_id AND e.lane = j.lane AND e.id < j.id) THEN 'waiting'
            ELSE 'due' END AS state,
        COALESCE(j.lease_until_ms, j.run_at_ms) AS since_ms FROM job j) AS standing
    GROUP BY kind, state";

/// How many jobs there are by kind and state. Walks the table, which holds what is yet to be done: for a look now and then.
///
/// # Errors
/// Those of the database.
pub fn standing(tx: &mut SystemTx<'_, '_>) -> Result<Vec<Standing>> {
    let now_ms = tx.now_ms();
    tx.tx.query(STANDING, params![now_ms], |row| {
        Ok(Standing { kind: row.get(0)?, state: row.get(1)?, count: row.get(2)?, since_ms: row.get(3)? })
    })
}
