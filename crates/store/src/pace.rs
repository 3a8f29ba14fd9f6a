//! When an account may send: the turns that its jobs are given, and the pauses that its provider asks for.
//!
//! A row of `account_pace` says when the next turn is. Whoever takes one holds the org's lock, so no two jobs of any node have the
//! same. A job keeps the turn that it waits for; when the account pauses or goes on, a new epoch makes all turns void, and whoever
//! comes takes a new one.

use parlance_model::Result;
use parlance_model::id::AccountId;
use parlance_model::job::Claimed;

use crate::db::params;
use crate::{OrgTx, job};

/// How long an account waits after its provider said that it sends too fast: the first time, the second, and so on, in
/// milliseconds, unless the provider asks for more.
const TOO_FAST_MS: [i64; 6] = [1_000, 2_000, 5_000, 15_000, 30_000, 60_000];
/// When a message goes to find out whether the provider takes the account again, in milliseconds after the last was refused.
const PROBES_MS: [i64; 3] = [60_000, 300_000, 900_000];

/// What is known of an account's pace.
#[derive(Default)]
struct Pace {
    /// When the next turn is, unix µs.
    next_us: i64,
    epoch: i64,
    /// Until when it waits, unix ms.
    paused_until_ms: Option<i64>,
    /// Pauses since the provider last took a message.
    pauses: i64,
    /// The provider takes nothing from it.
    stopped: bool,
}

fn get(tx: &mut OrgTx<'_, '_>, account: AccountId) -> Result<Option<Pace>> {
    const GET: &str = "SELECT next_us, epoch, paused_until_ms, pauses, stopped FROM account_pace WHERE org_id = $1 AND account_id = $2";
    tx.query_opt(GET, params![account], |row| {
        Ok(Pace { next_us: row.get(0)?, epoch: row.get(1)?, paused_until_ms: row.get(2)?, pauses: row.get(3)?, stopped: row.get(4)? })
    })
}

fn save(tx: &mut OrgTx<'_, '_>, account: AccountId, pace: &Pace) -> Result<()> {
    const SAVE: &str = "INSERT INTO account_pace (org_id, account_id, next_us, epoch, paused_until_ms, pauses, stopped)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (org_id, account_id) DO UPDATE SET next_us = $3, epoch = $4, paused_until_ms = $5, pauses = $6, stopped = $7";
    let values = params![account, pace.next_us, pace.epoch, pace.paused_until_ms, pace.pauses, pace.stopped];
    tx.execute(SAVE, values).map(drop)
}

/// Takes the job's turn to send over the account, which sends at most `per_second` messages in a second (`None`: as many as there
/// are). Answers whether that is now. If not, the job is given back until then, and the turn is kept for it.
///
/// # Errors
/// Those of the database.
pub fn take_turn(tx: &mut OrgTx<'_, '_>, claimed: &Claimed, account: AccountId, per_second: Option<i64>) -> Result<bool> {
    let known = get(tx, account)?;
    if known.is_none() && per_second.is_none() {
        return Ok(true);
    }
    let (mut pace, now_ms) = (known.unwrap_or_default(), tx.now_ms());
    let kept = job::slot(tx, claimed)?;
    if pace.stopped {
        return match pace.paused_until_ms {
            Some(until_ms) if now_ms < until_ms => job::wait(tx, claimed, account, until_ms, pace.epoch).map(|()| false),
            // This one finds out. Whatever comes of it, the next one to do so goes after the next wait.
            _ => {
                pace.paused_until_ms = Some(now_ms + wait(&PROBES_MS, pace.pauses));
                pace.pauses += 1;
                save(tx, account, &pace)?;
                job::leave(tx, claimed).map(|()| true)
            }
        };
    }
    let slot_ms = match kept {
        Some((slot_ms, epoch)) if epoch == pace.epoch => slot_ms,
        _ => {
            let slot_us = pace.next_us.max(now_ms * 1000).max(pace.paused_until_ms.unwrap_or(0) * 1000);
            if let Some(per_second) = per_second {
                pace.next_us = slot_us + 1_000_000 / per_second;
                save(tx, account, &pace)?;
            }
            slot_us.div_euclid(1000) + i64::from(slot_us.rem_euclid(1000) > 0)
        }
    };
    if slot_ms > now_ms {
        return job::wait(tx, claimed, account, slot_ms, pace.epoch).map(|()| false);
    }
    if kept.is_some() {
        job::leave(tx, claimed)?;
    }
    Ok(true)
}

/// The provider said that the account sends too fast: all of its jobs wait, this refused one first among them. Calls that were
/// under way together are one pause.
///
/// # Errors
/// Those of the database.
pub fn too_fast(tx: &mut OrgTx<'_, '_>, claimed: &Claimed, account: AccountId, retry_after_ms: Option<i64>) -> Result<()> {
    let (mut pace, now_ms) = (get(tx, account)?.unwrap_or_default(), tx.now_ms());
    let wished_ms = now_ms + retry_after_ms.unwrap_or(0);
    match pace.paused_until_ms.filter(|until_ms| now_ms < *until_ms) {
        Some(until_ms) if until_ms >= wished_ms => {}
        Some(_) => pause(tx, account, &mut pace, wished_ms)?,
        None => {
            let until_ms = wished_ms.max(now_ms + wait(&TOO_FAST_MS, pace.pauses));
            pace.pauses += 1;
            pause(tx, account, &mut pace, until_ms)?;
        }
    }
    job::wait(tx, claimed, account, pace.paused_until_ms.unwrap_or(now_ms), pace.epoch - 1)
}

/// The provider takes nothing from the account: all of its jobs wait, and one after another goes to find out whether it does again.
///
/// # Errors
/// Those of the database.
pub fn stop(tx: &mut OrgTx<'_, '_>, claimed: &Claimed, account: AccountId) -> Result<()> {
    let (mut pace, now_ms) = (get(tx, account)?.unwrap_or_default(), tx.now_ms());
    if !pace.stopped {
        (pace.stopped, pace.pauses) = (true, 1);
        pause(tx, account, &mut pace, now_ms + PROBES_MS[0])?;
    }
    job::wait(tx, claimed, account, pace.paused_until_ms.unwrap_or(now_ms), pace.epoch - 1)
}

/// The provider took a message of the account: a queue that had stopped goes on, and pauses begin small again.
///
/// # Errors
/// Those of the database.
pub fn works(tx: &mut OrgTx<'_, '_>, account: AccountId) -> Result<()> {
    let Some(mut pace) = get(tx, account)? else { return Ok(()) };
    if pace.stopped {
        return release(tx, account).map(drop);
    }
    // What was taken while the account waits had left before.
    let waits = pace.paused_until_ms.is_some_and(|until_ms| tx.now_ms() < until_ms);
    if pace.pauses > 0 && !waits {
        (pace.paused_until_ms, pace.pauses) = (None, 0);
        save(tx, account, &pace)?;
    }
    Ok(())
}

/// Ends the pause of an account, so that what waits takes its turns from now on: somebody changed its credentials, or switched it
/// on. What is to be sent later waits for its time. Answers whether there was a pause.
///
/// # Errors
/// Those of the database.
pub fn release(tx: &mut OrgTx<'_, '_>, account: AccountId) -> Result<bool> {
    let Some(pace) = get(tx, account)?.filter(|pace| pace.paused_until_ms.is_some()) else { return Ok(false) };
    let now_ms = tx.now_ms();
    save(tx, account, &Pace { next_us: now_ms * 1000, epoch: pace.epoch + 1, ..Pace::default() })?;
    job::recall(tx, account, now_ms).map(|()| true)
}

/// Makes all turns void until then.
fn pause(tx: &mut OrgTx<'_, '_>, account: AccountId, pace: &mut Pace, until_ms: i64) -> Result<()> {
    (pace.paused_until_ms, pace.next_us) = (Some(until_ms), until_ms * 1000);
    pace.epoch += 1;
    save(tx, account, pace)?;
    job::recall(tx, account, until_ms)
}

fn wait(waits: &[i64], before: i64) -> i64 {
    let at = usize::try_from(before).unwrap_or(0).min(waits.len() - 1);
    waits[at]
}
