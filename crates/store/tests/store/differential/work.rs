//! What the worker and providers do: jobs, attempts, receipts in any order, turns, the health of the account.

use parlance_model::Result;
use parlance_model::account::{Backfill, Seen};
use parlance_model::channel::Channel;
use parlance_model::contact::Identity;
use parlance_model::conversation::Conversation;
use parlance_model::delivery::{DeliveryError, DeliveryState, DeliveryStatus, Outcome};
use parlance_model::id::{AccountId, AttemptId, MessageId};
use parlance_model::inbound::Receipt;
use parlance_model::job::{Claimed, Job};
use parlance_model::message::{Attachment, Direction, Message};
use parlance_store::hook::NewHook;
use parlance_store::{OrgTx, attempt, backfill, conversation, event, health, hook, job, message, opt_out, pace};

use super::side::{Side, ended};
use crate::dice::Dice;

const CODES: [&str; 3] = ["30003", "30006", "63016"];

fn reason(dice: &Dice) -> DeliveryError {
    let code = dice.pick(&CODES).unwrap();
    DeliveryError { code: code.to_owned(), message: format!("Said {code} {}.", dice.below(2)) }
}

impl Side {
    pub(super) async fn work(&mut self, dice: &Dice) -> String {
        match dice.below(18) {
            0..=3 => self.claim(dice).await,
            4..=10 => self.run(dice).await,
            11..=13 => self.report(dice).await,
            14 => self.again(dice).await,
            15 => self.cancel(dice).await,
            16 => self.account(dice).await,
            _ => self.sweep(dice).await,
        }
    }

    async fn claim(&mut self, dice: &Dice) -> String {
        let (limit, lease_ms) = (1 + dice.below(6), 5000 + dice.below(90_000));
        let result = self.system(move |tx| job::claim(tx, limit, lease_ms)).await;
        self.claimed.extend(result.iter().flatten().cloned());
        let jobs = result.map(|jobs| jobs.iter().map(shown).collect::<Vec<_>>());
        ended("claim", &jobs)
    }

    /// Runs one claimed job, or gives it back.
    async fn run(&mut self, dice: &Dice) -> String {
        if dice.chance(4) {
            // Late, so that somebody else may have the job by now.
            self.claimed.reverse();
        }
        let Some(claimed) = self.claimed.pop() else { return "no job".to_owned() };
        let (now_ms, account) = (self.f.store.now_ms(), self.f.account.id);
        match dice.below(16) {
            0 => return ended("postpone", &self.write(move |tx| job::postpone(tx, &claimed, now_ms + 3000)).await),
            1 => return ended("decline", &self.write(move |tx| job::decline(tx, &claimed, now_ms + 1000)).await),
            2 => {
                self.claimed.push(claimed.clone());
                return ended("hold", &self.write(move |tx| job::hold(tx, &claimed, 9000)).await);
            }
            // Its worker died.
            3 => return "lost".to_owned(),
            _ => {}
        }
        match claimed.job.clone() {
            Job::Send { message_id } | Job::Call { message_id } => self.hand_over(dice, claimed, message_id).await,
            Job::FetchMedia { message_id, index } => {
                let (way, error) = (dice.below(3), reason(dice));
                ended("fetch", &self.write(move |tx| fetch(tx, &claimed, account, (message_id, index), way, &error)).await)
            }
            Job::Unassign { user_id } => {
                let result = self
                    .write(move |tx| {
                        let taken = conversation::unassign(tx, user_id, 1000)?;
                        job::finish(tx, &claimed).map(|()| taken)
                    })
                    .await;
                ended("unassign", &result)
            }
            Job::Reconcile { .. } | Job::Backfill { .. } | Job::FindCall { .. } => {
                ended("finish", &self.write(move |tx| job::finish(tx, &claimed)).await)
            }
        }
    }

    async fn hand_over(&mut self, dice: &Dice, claimed: Claimed, id: MessageId) -> String {
        let (account, per_second) = (self.f.account.id, dice.maybe(&[1, 20]));
        let job = claimed.clone();
        let begun = self.write(move |tx| begin(tx, &job, id, account, per_second)).await;
        let first = ended("begin", &begun);
        let Ok(Some(attempt)) = begun else { return first };
        self.attempts.push(attempt);
        if dice.chance(5) {
            // The answer is lost: whoever claims the job next makes the message unknown.
            return first;
        }
        let (provider_id, error, way) = (format!("SM-{}", self.attempts.len()), reason(dice), dice.below(6));
        let done = self.write(move |tx| finish(tx, &claimed, attempt, &provider_id, &error, way)).await;
        first + &ended(" and finish", &done)
    }

    /// What the provider says of a message, perhaps before we know its id, perhaps again.
    async fn report(&mut self, dice: &Dice) -> String {
        let account = self.f.account.id;
        let n = 1 + dice.below(self.attempts.len() as i64 + 2);
        let state = dice.pick(DeliveryState::ALL).unwrap();
        let outcome = if dice.chance(3) { Outcome::with_error(state, reason(dice)) } else { Outcome::of(state) };
        let ours = dice.pick(&self.attempts).filter(|_| dice.chance(4));
        let receipt = Receipt::of(format!("SM-{n}"), ours, outcome);
        ended("report", &self.write(move |tx| attempt::record(tx, account, &receipt)).await)
    }

    /// A person's retry of a message that came to an end.
    async fn again(&mut self, dice: &Dice) -> String {
        let Some(id) = dice.pick(&self.messages) else { return "no message".to_owned() };
        let segments = dice.maybe(&[1, 3]);
        let result = self
            .write(move |tx| {
                let found = message::get(tx, id)?;
                message::made_of(tx, id, segments)?;
                if found.call.is_some() || found.direction == Direction::Inbound || found.state.status() != DeliveryStatus::Failed {
                    return Ok(false);
                }
                message::begin_anew(tx, id)?;
                let (lane, now_ms) = (message::get(tx, id)?.lane(), tx.now_ms());
                job::withdraw(tx, &Job::Send { message_id: id }, found.lane())?;
                job::enqueue(tx, &Job::Send { message_id: id }, Some(lane), now_ms).map(|_| true)
            })
            .await;
        ended("again", &result)
    }

    async fn cancel(&mut self, dice: &Dice) -> String {
        let Some(id) = dice.pick(&self.messages) else { return "no message".to_owned() };
        let result = self
            .write(move |tx| {
                let found = message::get(tx, id)?;
                let waits = found.direction == Direction::Outbound && found.state == DeliveryState::Pending && found.call.is_none();
                if !waits || attempt::latest(tx, id)?.is_some() {
                    return Ok(false);
                }
                job::withdraw(tx, &Job::Send { message_id: id }, found.lane())?;
                message::end(tx, id, &Outcome::of(DeliveryState::Canceled)).map(|()| true)
            })
            .await;
        ended("cancel", &result)
    }

    async fn account(&mut self, dice: &Dice) -> String {
        let (id, error, now_ms) = (self.f.account.id, reason(dice), self.f.store.now_ms());
        match dice.below(8) {
            0 => ended("works", &self.write(move |tx| pace::works(tx, id)).await),
            1 => ended("release", &self.write(move |tx| pace::release(tx, id)).await),
            2 => ended("pace changes", &self.write(move |tx| pace::changes(tx, id)).await),
            3 => ended("fails", &self.write(move |tx| health::fails(tx, id, &error)).await),
            4 => ended("warns", &self.write(move |tx| health::warns(tx, id, &error)).await),
            5 => ended("is well", &self.write(move |tx| health::works(tx, id)).await),
            6 => {
                let seen = Seen {
                    last_in_ms: dice.maybe(&[now_ms - 5]),
                    last_out_ms: dice.maybe(&[now_ms]),
                    refused_hooks: dice.below(3),
                    last_refused_ms: dice.maybe(&[now_ms - 9]),
                };
                ended("seen", &self.write(move |tx| health::merge(tx, id, &seen)).await)
            }
            _ => {
                let state = Backfill { through_ms: now_ms - 60_000, looked_ms: now_ms, found: dice.below(5), error: dice.maybe(&[error]) };
                ended("backfill", &self.write(move |tx| backfill::save(tx, id, &state)).await)
            }
        }
    }

    async fn sweep(&mut self, dice: &Dice) -> String {
        let (id, before_ms) = (self.f.account.id, self.f.store.now_ms() - 900_000);
        if dice.chance(4) {
            return ended("sweep events", &self.write(move |tx| event::sweep(tx, before_ms)).await);
        }
        let body = [u8::try_from(dice.below(20)).unwrap(), 0, 255];
        let result = self
            .write(move |tx| {
                let new =
                    NewHook { account: id, reason: "unknown", request: "POST /webhooks/twilio", content_type: "text/plain", body: &body };
                hook::quarantine(tx, &new)
            })
            .await;
        ended("quarantine", &result)
    }
}

/// A job without the raw numbers of rows in it.
pub(super) fn shown(claimed: &Claimed) -> String {
    let Claimed { id, org, job, attempt, lost, created_ms } = claimed;
    format!("{id:?} {org:?} {job:?} {attempt} {lost} {created_ms}")
}

/// The worker's first transaction. `None`: nothing is to be handed over now.
fn begin(tx: &mut OrgTx<'_, '_>, claimed: &Claimed, id: MessageId, account: AccountId, pace: Option<i64>) -> Result<Option<AttemptId>> {
    if !job::holds(tx, claimed)? {
        return Ok(None);
    }
    let found = message::get(tx, id)?;
    let unfinished = attempt::unfinished(tx, id)?;
    for lost in &unfinished {
        attempt::finish(tx, lost.id, None, &Outcome::of(DeliveryState::Unknown))?;
    }
    let talk = conversation::get(tx, found.conversation_id)?;
    let refused = opt_out::is_opted_out(tx, &Identity { kind: parlance_model::contact::IdentityKind::Phone, value: talk.peer.clone() })?;
    if !unfinished.is_empty() || found.state != DeliveryState::Pending || refused {
        if refused && unfinished.is_empty() {
            message::end(tx, id, &Outcome::of(DeliveryState::OptedOut))?;
        }
        return job::finish(tx, claimed).map(|()| None);
    }
    if found.call.is_none() && !pace::take_turn(tx, claimed, (account, found.channel), pace)? {
        return Ok(None);
    }
    if found.send_at_ms.is_some() && attempt::tries(tx, id)? == 0 {
        leave(tx, &talk, &found)?;
    }
    attempt::start(tx, id, account).map(Some)
}

fn leave(tx: &mut OrgTx<'_, '_>, before: &Conversation, message: &Message) -> Result<()> {
    let mut after = before.clone();
    message::leaves(tx, &mut after, message)?;
    conversation::save(tx, before, &after)
}

/// The worker's second transaction.
fn finish(tx: &mut OrgTx<'_, '_>, claimed: &Claimed, id: AttemptId, provider_id: &str, error: &DeliveryError, way: i64) -> Result<()> {
    let failed = Outcome::with_error(DeliveryState::Failed, error.clone());
    let Message { account_id, channel, .. } = attempt::message_of(tx, id)?;
    let over = (account_id, channel);
    match way {
        0 | 1 => {
            attempt::finish(tx, id, Some(provider_id), &Outcome::of(DeliveryState::Queued))?;
            pace::works(tx, account_id)?;
            job::finish(tx, claimed)
        }
        2 => {
            attempt::finish(tx, id, None, &failed)?;
            job::finish(tx, claimed)
        }
        3 if channel != Channel::Voice => {
            attempt::hold(tx, id, error)?;
            pace::too_fast(tx, claimed, over, Some(2000))
        }
        4 if channel != Channel::Voice => {
            attempt::hold(tx, id, error)?;
            pace::stop(tx, claimed, over)
        }
        _ => {
            attempt::finish(tx, id, None, &Outcome::with_error(DeliveryState::Pending, error.clone()))?;
            let later_ms = tx.now_ms() + 2000;
            job::postpone(tx, claimed, later_ms)
        }
    }
}

/// A file of a message is here, or will not come, or its account is in the way.
fn fetch(
    tx: &mut OrgTx<'_, '_>,
    claimed: &Claimed,
    account: AccountId,
    (id, index): (MessageId, usize),
    way: i64,
    error: &DeliveryError,
) -> Result<()> {
    if !job::holds(tx, claimed)? {
        return Ok(());
    }
    let later_ms = tx.now_ms() + 60_000;
    if way == 0 {
        return job::hold_up(tx, claimed, account, later_ms);
    }
    let found = message::get(tx, id)?;
    let failed = Attachment::Remote {
        provider_url: "https://example.com/file".to_owned(),
        content_type: "image/jpeg".to_owned(),
        error: Some(error.clone()),
    };
    message::set_attachment(tx, found, index, failed)?;
    job::finish(tx, claimed)
}
