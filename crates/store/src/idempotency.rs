//! Idempotency keys: what a POST was answered, kept for a day per API key, and the message that it made, written in
//! the message's own transaction, so that no crash between the two can make a second one.

use parlance_model::id::{KeyId, MessageId};
use parlance_model::{Error, Result};

use crate::db::params;
use crate::{OrgTx, SystemTx};

/// How long an answer is kept, in milliseconds.
pub const KEPT_MS: i64 = 24 * 60 * 60 * 1000;
/// After this long without an answer or a sign of life ([`go_on`]) a run is taken for dead and another may begin, in milliseconds.
pub const RUNNING_MS: i64 = 5000;

/// Which request this is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// The API key that asks.
    pub key: KeyId,
    /// The header's value.
    pub value: String,
}

/// What is known about a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// It is new, or its first run died: run it. The number names this run until it is answered or goes on under another, so that a
    /// late end of an earlier one does not end it.
    Run(i64),
    /// It was answered: answer the same again.
    Replay {
        /// The status.
        status: i64,
        /// The body.
        body: Vec<u8>,
    },
    /// The first one is still running.
    Running,
    /// The key was used for another request.
    Mismatch,
}

/// Begins a request. `request_hash` covers method, path and body; `asked_ms` is when it came, unix ms: a run is not taken for dead
/// because its signs of life and this had to wait in one queue.
///
/// # Errors
/// Those of the database.
pub fn begin(tx: &mut OrgTx<'_, '_>, key: &IdempotencyKey, request_hash: &[u8; 32], asked_ms: i64) -> Result<Begun> {
    const FIND: &str = "SELECT request_hash, status, body, started_ms FROM idempotency WHERE org_id = $1 AND key_id = $2 AND key = $3";
    const START: &str = "INSERT INTO idempotency (org_id, key_id, key, request_hash, started_ms) VALUES ($1, $2, $3, $4, $5)";
    const RESTART: &str = "UPDATE idempotency SET started_ms = $4 WHERE org_id = $1 AND key_id = $2 AND key = $3";
    const FORGET: &str = "DELETE FROM idempotency WHERE org_id = $1 AND key_id = $2 AND key = $3";
    let now_ms = tx.now_ms();
    let found = tx.query_opt(FIND, params![key.key, &key.value], |row| {
        Ok((row.get::<Vec<u8>>(0)?, row.get::<Option<i64>>(1)?, row.get::<Option<Vec<u8>>>(2)?, row.get::<i64>(3)?))
    })?;
    if let Some((_, _, _, started_ms)) = found
        && now_ms - started_ms >= KEPT_MS
    {
        tx.execute(FORGET, params![key.key, &key.value])?;
    } else if let Some((hash, status, body, started_ms)) = found {
        return Ok(match (status, body) {
            _ if hash != request_hash => Begun::Mismatch,
            (Some(status), Some(body)) => Begun::Replay { status, body },
            // A time in the future is of a clock that was set back.
            _ if started_ms <= now_ms && asked_ms - started_ms < RUNNING_MS => Begun::Running,
            _ => {
                tx.execute(RESTART, params![key.key, &key.value, now_ms])?;
                Begun::Run(now_ms)
            }
        });
    }
    tx.execute(START, params![key.key, &key.value, request_hash, now_ms])?;
    Ok(Begun::Run(now_ms))
}

/// Says that a run goes on. Answers the number that names it from now on; `None` when it was taken for dead, and another may run.
///
/// # Errors
/// Those of the database.
pub fn go_on(tx: &mut OrgTx<'_, '_>, key: &IdempotencyKey, run: i64) -> Result<Option<i64>> {
    const SET: &str = "UPDATE idempotency SET started_ms = $5
        WHERE org_id = $1 AND key_id = $2 AND key = $3 AND started_ms = $4 AND status IS NULL";
    let now_ms = tx.now_ms();
    let changed = tx.execute(SET, params![key.key, &key.value, run, now_ms])?;
    Ok((changed > 0).then_some(now_ms))
}

/// The message that an earlier run of this request made.
///
/// # Errors
/// Those of the database.
pub fn message(tx: &mut OrgTx<'_, '_>, key: &IdempotencyKey) -> Result<Option<MessageId>> {
    const FIND: &str = "SELECT message_id FROM idempotency WHERE org_id = $1 AND key_id = $2 AND key = $3";
    Ok(tx.query_opt(FIND, params![key.key, &key.value], |row| row.get(0))?.flatten())
}

/// Ties the request to the message that it makes, in the message's transaction.
///
/// # Errors
/// `unavailable` when the request's row is gone: the message must not be made then.
pub fn made(tx: &mut OrgTx<'_, '_>, key: &IdempotencyKey, message: MessageId) -> Result<()> {
    const SET: &str = "UPDATE idempotency SET message_id = $4 WHERE org_id = $1 AND key_id = $2 AND key = $3";
    match tx.execute(SET, params![key.key, &key.value, message])? {
        0 => Err(Error::unavailable("This request took too long. Nothing was changed; try again.", 1)),
        _ => Ok(()),
    }
}

/// Keeps what this run was answered.
///
/// # Errors
/// Those of the database.
pub fn answered(tx: &mut OrgTx<'_, '_>, key: &IdempotencyKey, run: i64, status: u16, body: &[u8]) -> Result<()> {
    const SET: &str = "UPDATE idempotency SET status = $5, body = $6 WHERE org_id = $1 AND key_id = $2 AND key = $3 AND started_ms = $4";
    tx.execute(SET, params![key.key, &key.value, run, i64::from(status), body]).map(drop)
}

/// Forgets a run that changed nothing, so that the key may be tried again (a 5xx or 429).
///
/// # Errors
/// Those of the database.
pub fn abandon(tx: &mut OrgTx<'_, '_>, key: &IdempotencyKey, run: i64) -> Result<()> {
    const DELETE: &str =
        "DELETE FROM idempotency WHERE org_id = $1 AND key_id = $2 AND key = $3 AND started_ms = $4 AND message_id IS NULL";
    tx.execute(DELETE, params![key.key, &key.value, run]).map(drop)
}

/// Deletes what is older than a day, a thousand rows at a time. Answers how many went.
///
/// # Errors
/// Those of the database.
pub fn sweep(tx: &mut SystemTx<'_, '_>) -> Result<u64> {
    const SWEEP: &str = "DELETE FROM idempotency WHERE (org_id, key_id, key) IN
        (SELECT org_id, key_id, key FROM idempotency WHERE started_ms < $1 LIMIT 1000)";
    let before = tx.now_ms() - KEPT_MS;
    tx.tx.execute(SWEEP, params![before])
}
