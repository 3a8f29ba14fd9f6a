//! The send job, and what the call job has in common with it: opt-out checked again, the attempt written down, the provider
//! called, the outcome recorded.
//!
//! The attempt is committed before the call. A job that is claimed again and finds an attempt without an outcome
//! knows that the message may have gone out: it becomes `unknown` and is never sent again silently.

use parlance_model::account::{Account, Settings};
use parlance_model::conversation::Conversation;
use parlance_model::delivery::{DeliveryError, DeliveryState, Outcome};
use parlance_model::failpoint::{self, Step};
use parlance_model::id::{AttemptId, MessageId};
use parlance_model::job::Claimed;
use parlance_model::message::Message;
use parlance_model::opt_out::OptSource;
use parlance_model::outbound::{Outgoing, Refusal, SendOutcome};
use parlance_model::{Result, entropy};
use parlance_store::{OrgTx, account, attempt, conversation, health, job, message, opt_out, pace};

use crate::App;
use crate::media::Links;
use crate::reconcile;
use crate::send::{peer_identity, window_closed};
use crate::share::{Place, Shares};

/// How long a claim holds, in milliseconds: longer than a provider's call may take with the writes around it.
pub(crate) const LEASE_MS: i64 = 60_000;
/// Waits before the next try of a message that was certainly not taken, in milliseconds. After the last it fails.
const BACKOFF_MS: [i64; 8] = [1_000, 5_000, 30_000, 120_000, 600_000, 1_800_000, 3_600_000, 7_200_000];
/// How long a message may wait for its hand-over since it was accepted or retried by a person, in milliseconds: 24 hours. One that
/// comes later answers what nobody asks any more. Longer than all waits between tries together.
const LONGEST_WAIT_MS: i64 = 24 * 60 * 60 * 1000;

/// A message that is about to be handed over.
struct Ready {
    account: Account,
    outgoing: Outgoing,
    /// Held until the outcome is written down.
    _place: Place,
}

/// What preparing needs of this node.
#[derive(Clone)]
struct Node {
    links: Links,
    shares: Shares,
}

/// Runs a send job to its end. An error leaves the job to its lease.
pub(crate) async fn run(app: &App, claimed: &Claimed, id: MessageId) -> Result<()> {
    failpoint::reach(Step::Claimed);
    let (job, node) = (claimed.clone(), Node { links: app.0.links.clone(), shares: app.0.shares.clone() });
    let Some(Ready { account, outgoing, _place }) = prepared(app, claimed, id, move |tx| prepare(tx, &job, id, &node)).await? else {
        return Ok(());
    };
    failpoint::reach(Step::Attempted);
    let sending = parlance_channels::of(account.provider()).send(&app.0.http, &account, &outgoing);
    hand_over(app, claimed, &account, outgoing.attempt, sending).await
}

/// Commits what must be known before the provider is called.
pub(crate) async fn prepared<T, F>(app: &App, claimed: &Claimed, id: MessageId, prepare: F) -> Result<Option<T>>
where
    F: Fn(&mut OrgTx<'_, '_>) -> Result<Option<T>> + Send + 'static,
    T: Send + 'static,
{
    let prepared = app.store().write(claimed.org, prepare).await;
    if prepared.is_err() {
        // It may have been committed all the same. Nothing was called by us, and only we know that.
        let job = claimed.clone();
        surely(app, claimed, move |tx| not_called(tx, &job, id)).await?;
    }
    prepared
}

/// Waits for what the provider says, and records it.
pub(crate) async fn hand_over(
    app: &App,
    claimed: &Claimed,
    account: &Account,
    attempt: AttemptId,
    sending: impl Future<Output = SendOutcome>,
) -> Result<()> {
    let begun = std::time::Instant::now();
    let outcome = sending.await;
    failpoint::reach(Step::Called);
    app.0.measured.call(account.provider(), begun, &outcome);
    if let SendOutcome::Accepted { .. } = outcome {
        app.0.seen.went_out((account.org, account.id), app.store().now_ms());
    }
    conclude_surely(app, claimed, attempt, outcome).await
}

/// The message, if its job is still ours and nothing was handed over that may have arrived. `None`: there is nothing to do.
pub(crate) fn begin(tx: &mut OrgTx<'_, '_>, claimed: &Claimed, id: MessageId) -> Result<Option<Message>> {
    if !job::holds(tx, claimed)? {
        return Ok(None);
    }
    for lost in attempt::unfinished(tx, id)? {
        let error = DeliveryError {
            code: "answer_lost".to_owned(),
            message: "The server stopped while the provider was being called, so it may have gone out. It is being found out.".to_owned(),
        };
        attempt::finish(tx, lost.id, None, &Outcome::with_error(DeliveryState::Unknown, error))?;
        reconcile::begin(tx, &lost)?;
    }
    // The message is unknown now if the attempt was its own. Behind one of before a person's retry it still waits.
    let message = message::get(tx, id)?;
    if message.state == DeliveryState::Pending { Ok(Some(message)) } else { done(tx, claimed) }
}

/// Checks and writes down everything that must be known before the call. `None`: there is nothing to call.
fn prepare(tx: &mut OrgTx<'_, '_>, claimed: &Claimed, id: MessageId, node: &Node) -> Result<Option<Ready>> {
    let Some(message) = begin(tx, claimed, id)? else { return Ok(None) };
    let conversation = conversation::get(tx, message.conversation_id)?;
    if opt_out::is_opted_out(tx, &peer_identity(&conversation))? {
        return end(
            tx,
            claimed,
            id,
            DeliveryState::OptedOut,
            "recipient_opted_out",
            "The recipient asked for no more messages before this one left.",
        );
    }
    let template = message.template();
    if template.is_none() && conversation.is_window_closed(tx.now_ms()) {
        return end(tx, claimed, id, DeliveryState::Failed, "whatsapp_window_closed", &window_closed(&conversation));
    }
    let waited_ms = tx.now_ms() - claimed.created_ms.max(message.send_at_ms.unwrap_or(0));
    let left_ms = message.valid_s.map_or(LONGEST_WAIT_MS, |valid_s| valid_s * 1000) - waited_ms;
    if left_ms < 0 {
        let text = match message.valid_s {
            Some(_) => "It could not be handed over for as long as it was worth delivering. Retry it if it should still go out.",
            None => "It could not be handed over within 24 hours, and was not sent after that. Retry it if it should still go out.",
        };
        return end(tx, claimed, id, DeliveryState::Expired, "expired", text);
    }
    let account = account::get(tx, message.account_id)?;
    if !account.enabled {
        return end(
            tx,
            claimed,
            id,
            DeliveryState::Failed,
            "account_disabled",
            "The account that carries this conversation is switched off.",
        );
    }
    let place = match node.shares.take(account.id) {
        Ok(place) => place,
        Err(at_ms) => return job::postpone(tx, claimed, at_ms).map(|()| None),
    };
    let Settings::Twilio(settings) = &account.settings;
    if !pace::take_turn(tx, claimed, (account.id, message.channel), settings.pace(message.channel))? {
        return Ok(None);
    }
    let conversation = take_place(tx, conversation, &message)?;
    let links = &node.links;
    let attempt = attempt::start(tx, id, account.id)?;
    let outgoing = Outgoing {
        attempt,
        channel: message.channel,
        to: conversation.peer,
        body: message.body,
        template,
        media_urls: message.attachments.iter().filter_map(|file| links.for_provider(tx.org(), file, tx.now_ms())).collect(),
        status_callback: Some(parlance_channels::twilio::status_callback(&links.public_url, &account.hook_token, attempt)),
        valid_for_s: message.valid_s.map(|_| (left_ms / 1000).max(1)),
    };
    Ok(Some(Ready { account, outgoing, _place: place }))
}

/// Puts a message that was sent for later where it belongs in its thread, now that it leaves for the first time.
fn take_place(tx: &mut OrgTx<'_, '_>, before: Conversation, message: &Message) -> Result<Conversation> {
    if message.send_at_ms.is_none_or(|send_at_ms| message.at_ms >= send_at_ms) {
        return Ok(before);
    }
    let mut after = before.clone();
    message::leaves(tx, &mut after, message)?;
    conversation::save(tx, &before, &after)?;
    Ok(after)
}

fn jitter(app: &App) -> u8 {
    entropy::bytes::<1>(app.0.entropy.as_ref())[0]
}

/// Up to a quarter more, so that many jobs given back together do not come back together.
fn spread(wait_ms: i64, jitter: u8) -> i64 {
    wait_ms + wait_ms * i64::from(jitter) / 1024
}

fn done<T>(tx: &mut OrgTx<'_, '_>, claimed: &Claimed) -> Result<Option<T>> {
    job::finish(tx, claimed).map(|()| None)
}

/// Ends a message that is not to be handed over, and its job.
pub(crate) fn end<T>(
    tx: &mut OrgTx<'_, '_>,
    claimed: &Claimed,
    id: MessageId,
    state: DeliveryState,
    code: &str,
    text: &str,
) -> Result<Option<T>> {
    let error = DeliveryError { code: code.to_owned(), message: text.to_owned() };
    message::end(tx, id, &Outcome::with_error(state, error))?;
    done(tx, claimed)
}

async fn conclude_surely(app: &App, claimed: &Claimed, attempt: AttemptId, outcome: SendOutcome) -> Result<()> {
    let (job, jitter) = (claimed.clone(), jitter(app));
    surely(app, claimed, move |tx| conclude(tx, &job, attempt, &outcome, jitter)).await
}

/// Writes, trying again while the database is away: what only this worker knows must not be lost to that.
async fn surely<F>(app: &App, claimed: &Claimed, write: F) -> Result<()>
where
    F: Fn(&mut OrgTx<'_, '_>) -> Result<()> + Clone + Send + 'static,
{
    let mut pause = std::time::Duration::from_millis(100);
    let until = tokio::time::Instant::now() + std::time::Duration::from_millis(LEASE_MS.unsigned_abs() / 2);
    loop {
        match app.store().write(claimed.org, write.clone()).await {
            Err(error) if error.kind() == parlance_model::error::Kind::Unavailable && tokio::time::Instant::now() < until => {
                tracing::warn!(?error, job = %claimed.id, "what became of a job could not be stored yet");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(std::time::Duration::from_secs(2));
            }
            result => return result,
        }
    }
}

fn conclude(tx: &mut OrgTx<'_, '_>, claimed: &Claimed, id: AttemptId, outcome: &SendOutcome, jitter: u8) -> Result<()> {
    let message = attempt::message_of(tx, id)?;
    match outcome {
        SendOutcome::Accepted { provider_id, state, segments } => {
            message::made_of(tx, message.id, *segments)?;
            attempt::finish(tx, id, Some(provider_id), &Outcome::of(*state))?;
            health::works(tx, message.account_id)?;
            pace::works(tx, message.account_id)?;
        }
        SendOutcome::Unknown { error } => {
            attempt::finish(tx, id, None, &Outcome::with_error(DeliveryState::Unknown, error.clone()))?;
            if let Some(lost) = attempt::get(tx, id)? {
                reconcile::begin(tx, &lost)?;
            }
        }
        SendOutcome::TooFast { error, retry_after_ms } => {
            attempt::hold(tx, id, error)?;
            return pace::too_fast(tx, claimed, (message.account_id, message.channel), *retry_after_ms);
        }
        SendOutcome::Refused { error, why: Refusal::Stopped } => {
            attempt::hold(tx, id, error)?;
            health::fails(tx, message.account_id, error)?;
            return pace::stop(tx, claimed, (message.account_id, message.channel));
        }
        SendOutcome::Refused { error, why } => {
            attempt::finish(tx, id, None, &Outcome::with_error(DeliveryState::Failed, error.clone()))?;
            match why {
                Refusal::Message | Refusal::Stopped => {}
                Refusal::Account => health::fails(tx, message.account_id, error)?,
                Refusal::OptedOut => {
                    let conversation = conversation::get(tx, message.conversation_id)?;
                    opt_out::set(tx, &peer_identity(&conversation), true, OptSource::Provider)?;
                }
            }
        }
        SendOutcome::NotTaken { error, retry_after_ms } => {
            // Tries are counted by attempts: claims that an outage took are none.
            let tries = usize::try_from(attempt::tries(tx, message.id)? - 1).unwrap_or(usize::MAX);
            if let Some(backoff_ms) = BACKOFF_MS.get(tries) {
                attempt::finish(tx, id, None, &Outcome::with_error(DeliveryState::Pending, error.clone()))?;
                let run_at_ms = tx.now_ms() + spread(retry_after_ms.unwrap_or(*backoff_ms).max(*backoff_ms), jitter);
                return job::postpone(tx, claimed, run_at_ms);
            }
            attempt::finish(tx, id, None, &Outcome::with_error(DeliveryState::Failed, error.clone()))?;
        }
    }
    job::finish(tx, claimed)
}

/// Takes back an attempt that was written down and never made, so that nobody takes it for a lost answer. Only a claim before
/// which none was lost can: else an attempt without an outcome may be the lost one's, and that may have gone out.
fn not_called(tx: &mut OrgTx<'_, '_>, claimed: &Claimed, id: MessageId) -> Result<()> {
    if claimed.lost > 0 || !job::holds(tx, claimed)? {
        return Ok(());
    }
    if let Some(unmade) = attempt::latest(tx, id)?.filter(|attempt| attempt.finished_ms.is_none()) {
        attempt::finish(tx, unmade.id, None, &Outcome::of(DeliveryState::Pending))?;
    }
    let now_ms = tx.now_ms();
    job::postpone(tx, claimed, now_ms + BACKOFF_MS[0])
}

/// Ends a message whose job has failed again and again, so that it does not hold up its conversation for ever.
pub(crate) async fn give_up(app: &App, claimed: &Claimed, id: MessageId) -> Result<()> {
    let job = claimed.clone();
    let write = move |tx: &mut OrgTx<'_, '_>| {
        if job::holds(tx, &job)? {
            let text = "It could not be sent, for a reason of our own. The server's log says which.";
            end::<()>(tx, &job, id, DeliveryState::Failed, "gave_up", text)?;
        }
        Ok(())
    };
    app.store().write(claimed.org, write).await
}

#[cfg(test)]
mod tests;
