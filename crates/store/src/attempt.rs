//! Attempts and receipts: every handing of a message to a provider, and everything that the provider said about it.
//!
//! Receipts are kept by account and provider id without a foreign key, because they may come before we know that
//! id. An attempt's state is the fold of its own outcome and its receipts, so any order leads to the same end.

use parlance_model::delivery::{DeliveryError, DeliveryState, Outcome};
use parlance_model::id::{AccountId, AttemptId, MessageId};
use parlance_model::inbound::Receipt;
use parlance_model::message::Message;
use parlance_model::{Error, Result};

use crate::db::{Row, params};
use crate::{OrgTx, call, message};

/// An attempt as its row has it.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// Its id.
    pub id: AttemptId,
    /// What was handed over.
    pub message_id: MessageId,
    /// Over which account.
    pub account_id: AccountId,
    /// Whom the provider was asked to reach: of a call that we make, the phone of the staff.
    pub recipient: String,
    /// The provider's id, once known.
    pub provider_id: Option<String>,
    /// The fold of outcome and receipts.
    pub outcome: Outcome,
    /// When it was begun, unix ms.
    pub started_ms: i64,
    /// When the call's answer was written down, unix ms; `None` while it is under way or when it was lost.
    pub finished_ms: Option<i64>,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, message_id, account_id, provider_id, state, error_state, error_code, error_message, started_ms, finished_ms, recipient ",
            "FROM attempt WHERE org_id = $1 ",
            $rest
        )
    };
}

fn read(row: &Row<'_>) -> Result<Attempt> {
    Ok(Attempt {
        id: row.get(0)?,
        message_id: row.get(1)?,
        account_id: row.get(2)?,
        provider_id: row.get(3)?,
        outcome: outcome(row, 4)?,
        started_ms: row.get(8)?,
        finished_ms: row.get(9)?,
        recipient: row.get(10)?,
    })
}

/// Four columns: state, the reason's state, code and text.
pub(crate) fn outcome(row: &Row<'_>, at: usize) -> Result<Outcome> {
    let error = match row.word_opt::<DeliveryState>(at + 1)? {
        Some(state) => Some((state, DeliveryError { code: row.get(at + 2)?, message: row.get(at + 3)? })),
        None => None,
    };
    Ok(Outcome { state: row.word(at)?, error })
}

/// The reason's three columns.
pub(crate) fn error_columns(outcome: &Outcome) -> (Option<&'static str>, Option<&str>, Option<&str>) {
    match &outcome.error {
        Some((state, error)) => (Some(state.as_str()), Some(&error.code), Some(&error.message)),
        None => (None, None, None),
    }
}

/// The latest attempt of a message.
///
/// # Errors
/// Those of the database.
pub fn latest(tx: &mut OrgTx<'_, '_>, message: MessageId) -> Result<Option<Attempt>> {
    const LATEST: &str = select!("AND message_id = $2 ORDER BY id DESC LIMIT 1");
    tx.query_opt(LATEST, params![message], read)
}

/// The attempts of a message of which no outcome was written down, in their order: under way, or their answer was lost.
///
/// # Errors
/// Those of the database.
pub fn unfinished(tx: &mut OrgTx<'_, '_>, message: MessageId) -> Result<Vec<Attempt>> {
    const UNFINISHED: &str = select!("AND message_id = $2 AND finished_ms IS NULL ORDER BY id");
    tx.query(UNFINISHED, params![message], read)
}

/// The attempts of a message in their order, and how many there are.
///
/// # Errors
/// Those of the database.
pub fn list(tx: &mut OrgTx<'_, '_>, message: MessageId, limit: i64, offset: i64) -> Result<(Vec<Attempt>, i64)> {
    const LIST: &str = select!("AND message_id = $2 ORDER BY id LIMIT $3 OFFSET $4");
    const COUNT: &str = "SELECT COUNT(*) FROM attempt WHERE org_id = $1 AND message_id = $2";
    Ok((tx.query(LIST, params![message, limit, offset], read)?, tx.query_one(COUNT, params![message], |row| row.get(0))?))
}

/// One attempt.
///
/// # Errors
/// Those of the database.
pub fn get(tx: &mut OrgTx<'_, '_>, id: AttemptId) -> Result<Option<Attempt>> {
    const GET: &str = select!("AND id = $2");
    tx.query_opt(GET, params![id], read)
}

/// The attempt that the provider knows by this id.
///
/// # Errors
/// Those of the database.
pub fn by_provider_id(tx: &mut OrgTx<'_, '_>, account: AccountId, provider_id: &str) -> Result<Option<Attempt>> {
    const FIND: &str = select!("AND account_id = $2 AND provider_id = $3");
    tx.query_opt(FIND, params![account, provider_id], read)
}

/// The attempts over this one's account at this one's recipient of which nobody knows yet whether they went out, with the messages that
/// they are of, first to last: those whose answers were lost, and those that are under way.
///
/// # Errors
/// Those of the database.
pub fn alike(tx: &mut OrgTx<'_, '_>, attempt: &Attempt) -> Result<Vec<(Attempt, Message)>> {
    const OPEN: &str = select!(
        "AND account_id = $2 AND recipient = $3 AND provider_id IS NULL AND (state = 'unknown' OR finished_ms IS NULL) ORDER BY id"
    );
    let open = tx.query(OPEN, params![attempt.account_id, &attempt.recipient], read)?;
    open.into_iter().map(|attempt| message::get(tx, attempt.message_id).map(|message| (attempt, message))).collect()
}

/// Says in other words why an attempt is unknown, where it still is.
///
/// # Errors
/// Those of the database.
pub fn explain(tx: &mut OrgTx<'_, '_>, id: AttemptId, error: &DeliveryError) -> Result<()> {
    const EXPLAIN: &str =
        "UPDATE attempt SET outcome_code = $3, outcome_message = $4 WHERE org_id = $1 AND id = $2 AND outcome = 'unknown'";
    tx.execute(EXPLAIN, params![id, &error.code, &error.message])?;
    refold(tx, id)
}

/// Writes down that a message is about to be handed over. Committed before the provider is called. From here on the
/// message shows this attempt, and no longer how an earlier one ended.
///
/// # Errors
/// `not_found` for the message; those of the database.
pub fn start(tx: &mut OrgTx<'_, '_>, message: MessageId, account: AccountId) -> Result<AttemptId> {
    const INSERT: &str = "INSERT INTO attempt (org_id, message_id, account_id, outcome, state, started_ms, recipient)
        SELECT c.org_id, CAST($2 AS BIGINT), CAST($3 AS BIGINT), 'pending', 'pending', CAST($4 AS BIGINT), COALESCE(CAST($5 AS TEXT), c.peer)
        FROM conversation c WHERE c.org_id = $1 AND c.id = $6 RETURNING id";
    const LATEST: &str = "UPDATE message SET attempt_id = $3 WHERE org_id = $1 AND id = $2";
    let Message { call, conversation_id, .. } = message::get(tx, message)?;
    let now_ms = tx.now_ms();
    let rung_first = call.and_then(|call| call.staff_phone).map(|phone| phone.to_string());
    let id: AttemptId = tx.query_one(INSERT, params![message, account, now_ms, rung_first, conversation_id], |row| row.get(0))?;
    tx.execute(LATEST, params![message, id])?;
    show(tx, message)?;
    Ok(id)
}

/// Writes down what came of a call: the provider's id where it took the message, and the outcome. Receipts that came
/// first are folded in, and so is what was written down before: a worker that was taken for dead may still report. A provider's id
/// that another attempt was found to have meanwhile stays with that one: the two are alike.
///
/// # Errors
/// `not_found`; those of the database.
pub fn finish(tx: &mut OrgTx<'_, '_>, id: AttemptId, provider_id: Option<&str>, outcome: &Outcome) -> Result<()> {
    const FINISH: &str = "UPDATE attempt SET provider_id = COALESCE(provider_id, $3), finished_ms = COALESCE(finished_ms, $4),
        outcome = $5, outcome_code = $6, outcome_message = $7 WHERE org_id = $1 AND id = $2";
    let Attempt { account_id, message_id, provider_id: placed, outcome: before, .. } =
        own(tx, id)?.ok_or_else(|| Error::not_found("attempt"))?;
    let own = before.fold(outcome.clone());
    let provider_id = match provider_id {
        Some(known) if by_provider_id(tx, account_id, known)?.is_none() => Some(known),
        _ => None,
    };
    let now_ms = tx.now_ms();
    let (_, code, text) = error_columns(&own);
    tx.execute(FINISH, params![id, provider_id, now_ms, own.state.as_str(), code, text])?;
    refold(tx, id)?;
    if placed.is_some() || provider_id.is_some() { Ok(()) } else { call::not_placed(tx, message_id, own.state) }
}

/// Writes down that a call was refused for the account's sake: the message waits on, and its tries are not fewer for it.
///
/// # Errors
/// `not_found`; those of the database.
pub fn hold(tx: &mut OrgTx<'_, '_>, id: AttemptId, error: &DeliveryError) -> Result<()> {
    const HOLD: &str = "UPDATE attempt SET held = TRUE WHERE org_id = $1 AND id = $2";
    tx.execute(HOLD, params![id])?;
    finish(tx, id, None, &Outcome::with_error(DeliveryState::Pending, error.clone()))
}

/// Keeps a receipt and applies it where its attempt is known. The same receipt again changes nothing, and is answered
/// `false`.
///
/// # Errors
/// Those of the database.
pub fn record(tx: &mut OrgTx<'_, '_>, account: AccountId, receipt: &Receipt) -> Result<bool> {
    const INSERT: &str = "INSERT INTO receipt (org_id, account_id, provider_id, state, error_code, error_message, received_ms)
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (org_id, account_id, provider_id, state, error_code) DO NOTHING";
    // Of two texts for one code the greater is kept, whichever came first.
    const REWORD: &str = "UPDATE receipt SET error_message = $6 WHERE org_id = $1 AND account_id = $2 AND provider_id = $3 AND state = $4
        AND error_code = $5 AND error_message < $6";
    const SETTLE: &str = "UPDATE attempt SET provider_id = $4 WHERE org_id = $1 AND id = $2 AND account_id = $3 AND provider_id IS NULL";
    let now_ms = tx.now_ms();
    let (code, text) = receipt.error.as_ref().map_or(("", ""), |error| (error.code.as_str(), error.message.as_str()));
    let new = tx.execute(INSERT, params![account, &receipt.provider_id, receipt.state.as_str(), code, text, now_ms])? > 0;
    if !new {
        tx.execute(REWORD, params![account, &receipt.provider_id, receipt.state.as_str(), code, text])?;
    }
    let mut attempt = by_provider_id(tx, account, &receipt.provider_id)?;
    if attempt.is_none()
        && let Some(ours) = receipt.attempt
    {
        // The callback carries our own id: it names the provider's, even when the call's answer was lost.
        tx.execute(SETTLE, params![ours, account, &receipt.provider_id])?;
        attempt = get(tx, ours)?.filter(|attempt| attempt.provider_id.as_deref() == Some(receipt.provider_id.as_str()));
    }
    if let Some(attempt) = attempt {
        refold(tx, attempt.id)?;
    }
    Ok(new)
}

/// How often a message was tried to be handed over since an attempt last came to an end: what a person began anew is counted
/// anew. Those that were held do not count.
///
/// # Errors
/// Those of the database.
pub fn tries(tx: &mut OrgTx<'_, '_>, message: MessageId) -> Result<i64> {
    const TRIES: &str = "SELECT COUNT(*) FROM attempt WHERE org_id = $1 AND message_id = $2 AND NOT held AND id >
        COALESCE((SELECT MAX(id) FROM attempt WHERE org_id = $1 AND message_id = $2 AND outcome <> 'pending'), 0)";
    tx.query_one(TRIES, params![message], |row| row.get(0))
}

/// What the receipts of a provider id say together.
pub(crate) fn receipts(tx: &mut OrgTx<'_, '_>, account: AccountId, provider_id: &str, start: Outcome) -> Result<Outcome> {
    const LIST: &str = "SELECT state, error_code, error_message FROM receipt WHERE org_id = $1 AND account_id = $2 AND provider_id = $3";
    let said = tx.query(LIST, params![account, provider_id], |row| {
        let (state, code) = (row.word(0)?, row.get::<String>(1)?);
        Ok(match code.as_str() {
            "" => Outcome::of(state),
            _ => Outcome::with_error(state, DeliveryError { code, message: row.get(2)? }),
        })
    })?;
    Ok(said.into_iter().fold(start, Outcome::fold))
}

/// The call's own outcome, without receipts: three columns.
pub(crate) fn own_outcome(row: &Row<'_>, at: usize) -> Result<Outcome> {
    let state = row.word(at)?;
    Ok(match row.get::<Option<String>>(at + 1)? {
        Some(code) => Outcome::with_error(state, DeliveryError { code, message: row.get(at + 2)? }),
        None => Outcome::of(state),
    })
}

/// An attempt with the call's own outcome in place of the fold.
fn own(tx: &mut OrgTx<'_, '_>, id: AttemptId) -> Result<Option<Attempt>> {
    const OWN: &str = "SELECT id, message_id, account_id, provider_id, outcome, outcome_code, outcome_message, started_ms, finished_ms,
            recipient FROM attempt WHERE org_id = $1 AND id = $2";
    tx.query_opt(OWN, params![id], |row| {
        Ok(Attempt {
            id: row.get(0)?,
            message_id: row.get(1)?,
            account_id: row.get(2)?,
            provider_id: row.get(3)?,
            outcome: own_outcome(row, 4)?,
            started_ms: row.get(7)?,
            finished_ms: row.get(8)?,
            recipient: row.get(9)?,
        })
    })
}

/// Folds again, and writes where that says something new: what comes a second time changes nothing.
fn refold(tx: &mut OrgTx<'_, '_>, id: AttemptId) -> Result<()> {
    const UPDATE: &str =
        "UPDATE attempt SET state = $3, error_state = $4, error_code = $5, error_message = $6 WHERE org_id = $1 AND id = $2";
    let (Some(kept), Some(own)) = (get(tx, id)?, own(tx, id)?) else { return Err(Error::not_found("attempt")) };
    let folded = match own.provider_id {
        Some(provider_id) => receipts(tx, own.account_id, &provider_id, own.outcome)?,
        None => own.outcome,
    };
    if folded == kept.outcome {
        return Ok(());
    }
    let (state, code, text) = error_columns(&folded);
    tx.execute(UPDATE, params![id, folded.state.as_str(), state, code, text])?;
    show(tx, kept.message_id)
}

/// Shows on a message what its attempts say. News of an earlier attempt stays on that attempt, unless it is that the message
/// arrived.
fn show(tx: &mut OrgTx<'_, '_>, id: MessageId) -> Result<()> {
    let (shown, current) = message::shown(tx, id)?;
    let latest = match current {
        Some(attempt) => get(tx, attempt)?.ok_or_else(|| Error::not_found("attempt"))?.outcome,
        None => shown.clone(),
    };
    let outcome = arrived(tx, id, latest)?;
    if outcome != shown {
        let message = message::get(tx, id)?;
        message::show(tx, &message, &outcome)?;
    }
    Ok(())
}

/// What the message shows when its latest attempt says this: whichever attempt arrived, it did arrive
/// (`docs/decisions/0009`).
pub(crate) fn arrived(tx: &mut OrgTx<'_, '_>, message: MessageId, latest: Outcome) -> Result<Outcome> {
    const ARRIVED: &str = "SELECT state, error_state, error_code, error_message FROM attempt
        WHERE org_id = $1 AND message_id = $2 AND state IN ('delivered', 'read')";
    let arrived = tx.query(ARRIVED, params![message], |row| outcome(row, 0))?;
    Ok(arrived.into_iter().fold(latest, Outcome::fold))
}

/// The message of an attempt.
///
/// # Errors
/// `not_found`.
pub fn message_of(tx: &mut OrgTx<'_, '_>, id: AttemptId) -> Result<Message> {
    let attempt = get(tx, id)?.ok_or_else(|| Error::not_found("attempt"))?;
    message::get(tx, attempt.message_id)
}
