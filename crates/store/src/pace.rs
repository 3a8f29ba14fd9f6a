//! When an account may send: the turns that its jobs are given, and the pauses that its provider asks for.
//!
//! Each channel of an account has turns of its own, for each goes out from a number of its own: a row of `account_turn` says when the
//! next is. Whoever takes one holds the org's lock, so no two jobs of any node have the same. A job keeps the turn that it waits for.
//! When one is not used after all, the first that waits takes its place, and so on.
//!
//! Pauses are the whole account's, in `account_pace`. When the account pauses or goes on, or is given another pace, a new epoch makes
//! all turns void, and whoever comes takes a new one.

use parlance_model::Result;
use parlance_model::channel::Channel;
use parlance_model::id::AccountId;
use parlance_model::job::Claimed;

use crate::db::params;
use crate::{OrgTx, job};

/// How long an account waits after its provider said that it sends too fast: the first time, the second, and so on, in
/// milliseconds, unless the provider asks for more.
const TOO_FAST_MS: [i64; 6] = [1_000, 2_000, 5_000, 15_000, 30_000, 60_000];
/// When a message goes to find out whether the provider takes the account again, in milliseconds after the last was refused.
const PROBES_MS: [i64; 3] = [60_000, 300_000, 900_000];
/// How far two turns are apart at most, in microseconds: nobody sends less than one message in a second.
const LONGEST_APART_US: i64 = 1_000_000;

/// What is known of an account's pace.
#[derive(Default)]
struct Pace {
    epoch: i64,
    /// Until when it waits, unix ms.
    paused_until_ms: Option<i64>,
    /// Pauses since the provider last took a message.
    pauses: i64,
    /// The provider takes nothing from it.
    stopped: bool,
}

fn get(tx: &mut OrgTx<'_, '_>, account: AccountId) -> Result<Option<Pace>> {
    const GET: &str = "SELECT epoch, paused_until_ms, pauses, stopped FROM account_pace WHERE org_id = $1 AND account_id = $2";
    tx.query_opt(GET, params![account], |row| {
        Ok(Pace { epoch: row.get(0)?, paused_until_ms: row.get(1)?, pauses: row.get(2)?, stopped: row.get(3)? })
    })
}

fn save(tx: &mut OrgTx<'_, '_>, account: AccountId, pace: &Pace) -> Result<()> {
    const SAVE: &str = "INSERT INTO account_pace (org_id, account_id, epoch, paused_until_ms, pauses, stopped)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (org_id, account_id) DO UPDATE SET epoch = $3, paused_until_ms = $4, pauses = $5, stopped = $6";
    let values = params![account, pace.epoch, pace.paused_until_ms, pace.pauses, pace.stopped];
    tx.execute(SAVE, values).map(drop)
}

/// The turns of an account's channel, unix µs.
#[derive(Default, Clone, Copy)]
struct Turns {
    /// When the next is given, after those that wait.
    next_us: i64,
    /// When the next can be used, after the last that was.
    free_us: i64,
}

impl Turns {
    fn get(tx: &mut OrgTx<'_, '_>, account: AccountId, channel: Channel) -> Result<Option<Self>> {
        const GET: &str = "SELECT next_us, free_us FROM account_turn WHERE org_id = $1 AND account_id = $2 AND channel = $3";
        tx.query_opt(GET, params![account, channel.as_str()], |row| Ok(Self { next_us: row.get(0)?, free_us: row.get(1)? }))
    }

    fn save(self, tx: &mut OrgTx<'_, '_>, account: AccountId, channel: Channel) -> Result<()> {
        const SAVE: &str = "INSERT INTO account_turn (org_id, account_id, channel, next_us, free_us) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (org_id, account_id, channel) DO UPDATE SET next_us = $4, free_us = $5";
        tx.execute(SAVE, params![account, channel.as_str(), self.next_us, self.free_us]).map(drop)
    }
}

/// Takes the job's turn to send over the account's channel, which sends at most `per_second` messages in a second (`None`: as many as
/// there are). Answers whether that is now. If not, the job is given back until then, and the turn is kept for it.
///
/// # Errors
/// Those of the database.
pub fn take_turn(
    tx: &mut OrgTx<'_, '_>,
    claimed: &Claimed,
    (account, channel): (AccountId, Channel),
    per_second: Option<i64>,
) -> Result<bool> {
    let known = get(tx, account)?;
    if known.is_none() && per_second.is_none() {
        return Ok(true);
    }
    let (mut pace, now_ms) = (known.unwrap_or_default(), tx.now_ms());
    let kept = job::slot(tx, claimed)?;
    if pace.stopped {
        return match pace.paused_until_ms {
            Some(until_ms) if now_ms < until_ms => job::wait(tx, claimed, (account, channel), (until_ms, pace.epoch)).map(|()| false),
            // This one finds out. Whatever comes of it, the next one to do so goes after the next wait.
            _ => {
                pace.paused_until_ms = Some(now_ms + wait(&PROBES_MS, pace.pauses));
                pace.pauses += 1;
                save(tx, account, &pace)?;
                job::leave(tx, claimed).map(|()| true)
            }
        };
    }
    let valid = kept.filter(|(_, epoch)| *epoch == pace.epoch);
    let paused_us = pace.paused_until_ms.unwrap_or(0) * 1000;
    let Some(apart_us) = per_second.map(|per_second| 1_000_000 / per_second) else {
        let slot_ms = valid.map_or(0, |(slot_ms, _)| slot_ms).max(pace.paused_until_ms.unwrap_or(0));
        return use_or_wait(tx, claimed, (account, channel), (slot_ms, pace.epoch), kept.is_some());
    };
    let mut turns = Turns::get(tx, account, channel)?.unwrap_or_default();
    // However fast its clock was that wrote it.
    turns.free_us = turns.free_us.min(now_ms * 1000 + apart_us);
    let slot_us = match valid {
        Some((slot_ms, _)) => slot_ms * 1000,
        None => {
            // Turns that were given and will not be used hold nobody up.
            let last_ms = job::last_turn(tx, (account, channel), pace.epoch)?;
            let end_us = last_ms.map_or(turns.free_us, |last_ms| last_ms * 1000 + apart_us);
            let slot_us = turns.next_us.min(end_us).max(now_ms * 1000).max(paused_us);
            turns.next_us = slot_us + apart_us;
            slot_us
        }
    };
    let slot_ms = whole_ms(slot_us);
    if slot_ms <= now_ms {
        turns.free_us = turns.free_us.max(slot_us + apart_us);
    }
    turns.save(tx, account, channel)?;
    let now = use_or_wait(tx, claimed, (account, channel), (slot_ms, pace.epoch), kept.is_some())?;
    move_up(tx, account, channel, &pace, turns)?;
    Ok(now)
}

/// Uses the turn, or gives the job back until it comes.
fn use_or_wait(
    tx: &mut OrgTx<'_, '_>,
    claimed: &Claimed,
    of: (AccountId, Channel),
    (slot_ms, epoch): (i64, i64),
    kept: bool,
) -> Result<bool> {
    if slot_ms > tx.now_ms() {
        return job::wait(tx, claimed, of, (slot_ms, epoch)).map(|()| false);
    }
    if kept {
        job::leave(tx, claimed)?;
    }
    Ok(true)
}

/// Gives the next turn that can be used to the first that waits, where it has a later one: those before it are not used any more.
fn move_up(tx: &mut OrgTx<'_, '_>, account: AccountId, channel: Channel, pace: &Pace, turns: Turns) -> Result<()> {
    if pace.stopped {
        return Ok(());
    }
    let now_us = tx.now_ms() * 1000;
    let free_us = turns.free_us.clamp(now_us, now_us + LONGEST_APART_US).max(pace.paused_until_ms.unwrap_or(0) * 1000);
    job::move_up(tx, (account, channel), (whole_ms(free_us), pace.epoch))
}

/// A job that waited for a turn is no more.
pub(crate) fn vacated(tx: &mut OrgTx<'_, '_>, account: AccountId, channel: Channel) -> Result<()> {
    let Some(turns) = Turns::get(tx, account, channel)? else { return Ok(()) };
    let pace = get(tx, account)?.unwrap_or_default();
    move_up(tx, account, channel, &pace, turns)
}

/// The provider said that the account sends too fast: all of its jobs wait, this refused one first among them. Calls that were
/// under way together are one pause.
///
/// # Errors
/// Those of the database.
pub fn too_fast(
    tx: &mut OrgTx<'_, '_>,
    claimed: &Claimed,
    (account, channel): (AccountId, Channel),
    retry_after_ms: Option<i64>,
) -> Result<()> {
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
    job::wait(tx, claimed, (account, channel), (pace.paused_until_ms.unwrap_or(now_ms), pace.epoch - 1))
}

/// The provider takes nothing from the account: all of its jobs wait, and one after another goes to find out whether it does again.
///
/// # Errors
/// Those of the database.
pub fn stop(tx: &mut OrgTx<'_, '_>, claimed: &Claimed, (account, channel): (AccountId, Channel)) -> Result<()> {
    let (mut pace, now_ms) = (get(tx, account)?.unwrap_or_default(), tx.now_ms());
    if !pace.stopped {
        (pace.stopped, pace.pauses) = (true, 1);
        pause(tx, account, &mut pace, now_ms + PROBES_MS[0])?;
    }
    job::wait(tx, claimed, (account, channel), (pace.paused_until_ms.unwrap_or(now_ms), pace.epoch - 1))
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
    save(tx, account, &Pace { epoch: pace.epoch + 1, ..Pace::default() })?;
    job::recall(tx, account, now_ms).map(|()| true)
}

/// Makes all turns of an account void that were given at another pace: whoever waits takes one at the pace that holds from now on.
///
/// # Errors
/// Those of the database.
pub fn changes(tx: &mut OrgTx<'_, '_>, account: AccountId) -> Result<()> {
    let mut pace = get(tx, account)?.unwrap_or_default();
    pace.epoch += 1;
    save(tx, account, &pace)?;
    let now_ms = tx.now_ms();
    job::recall(tx, account, pace.paused_until_ms.unwrap_or(now_ms).max(now_ms))
}

/// Makes all turns void until then.
fn pause(tx: &mut OrgTx<'_, '_>, account: AccountId, pace: &mut Pace, until_ms: i64) -> Result<()> {
    pace.paused_until_ms = Some(until_ms);
    pace.epoch += 1;
    save(tx, account, pace)?;
    job::recall(tx, account, until_ms)
}

/// The millisecond at which a time in microseconds has come.
const fn whole_ms(us: i64) -> i64 {
    us.div_euclid(1000) + (us.rem_euclid(1000) > 0) as i64
}

fn wait(waits: &[i64], before: i64) -> i64 {
    let at = usize::try_from(before).unwrap_or(0).min(waits.len() - 1);
    waits[at]
}
