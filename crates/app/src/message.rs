//! Messages after they were taken for sending: called back before they leave, or given to their provider once more.
//!
//! Both are decided under the org's lock, in one transaction with the message's job. A worker commits its attempt under the
//! same lock before it calls the provider, so of a call-back and a claim one comes first and the other sees it.

use parlance_model::audit::{Act, Action};
use parlance_model::delivery::{DeliveryState, Outcome};
use parlance_model::id::MessageId;
use parlance_model::job::{Job, Lane};
use parlance_model::key::Principal;
use parlance_model::message::{Direction, Kind, Message};
use parlance_model::{Error, Result};
use parlance_store::{OrgTx, attempt, idempotency, job, message};

pub use parlance_store::attempt::Attempt;

use crate::media::Shown;
use crate::send::{Recipient, Sent, refuse_closed_window, refuse_opted_out, sent, target};
use crate::{App, once_key};

/// A person's wish to send a message once more.
#[derive(Debug, Clone, Default)]
pub struct Retry {
    /// Whether it may go out a second time, where it is not known whether it did a first.
    pub allow_duplicate: bool,
    /// The request's idempotency key.
    pub once: Option<String>,
}

impl App {
    /// Calls a message back that waits to be sent. It is `canceled`, and its job is gone.
    ///
    /// # Errors
    /// `not_found`; `not_outbound`; `too_late` once it is being handed over or has come to an end.
    pub async fn cancel(&self, who: &Principal, id: MessageId, once: Option<String>) -> Result<Shown> {
        let (caller, links) = (who.clone(), self.0.links.clone());
        let write = move |tx: &mut OrgTx<'_, '_>| {
            if !done(tx, &caller, once.as_deref(), id)? {
                cancel(tx, id)?;
            }
            let message = message::get(tx, id)?;
            Ok(links.show(tx.org(), message, tx.now_ms()))
        };
        self.write_as(who, write).await
    }

    /// Gives a message that did not arrive to its provider once more, as a new attempt, and waits for the first outcome as
    /// sending does. Of two who ask at once, one is refused.
    ///
    /// # Errors
    /// `not_found`; `not_outbound`; `not_retryable` while it waits, is on its way or has arrived; `may_have_been_sent` for one of
    /// which that is not known, unless a duplicate is allowed; `under_way`; and what refuses a send: `recipient_opted_out`,
    /// `no_account`, `sms_provider_off`, `not_answerable`.
    pub async fn retry(&self, who: &Principal, id: MessageId, wish: Retry, wait: bool) -> Result<Shown> {
        let signals = self.store().bus().listen();
        let (caller, links) = (who.clone(), self.0.links.clone());
        let write = move |tx: &mut OrgTx<'_, '_>| {
            if !done(tx, &caller, wish.once.as_deref(), id)? {
                retry(tx, id, wish.allow_duplicate)?;
            }
            sent(tx, id, &links)
        };
        let sent = self.write_as(who, write).await?;
        let Sent { message, files, .. } = self.followed(who.org, signals, sent, wait).await;
        Ok(Shown { message, files })
    }

    /// The attempts of a message, first to last, and how many there are.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn attempts(&self, who: &Principal, id: MessageId, limit: i64, offset: i64) -> Result<(Vec<Attempt>, i64)> {
        let read = move |tx: &mut OrgTx<'_, '_>| {
            message::get(tx, id)?;
            attempt::list(tx, id, limit, offset)
        };
        self.store().read(who.org, read).await
    }
}

/// Whether an earlier run of the same request did it; if not, this one ties itself to the message.
fn done(tx: &mut OrgTx<'_, '_>, who: &Principal, once: Option<&str>, id: MessageId) -> Result<bool> {
    let Some(key) = once.map(|once| once_key(who, once)) else { return Ok(false) };
    if idempotency::message(tx, &key)?.is_some() {
        return Ok(true);
    }
    // Undone with the rest where that is refused.
    idempotency::made(tx, &key, id).map(|()| false)
}

pub(crate) fn cancel(tx: &mut OrgTx<'_, '_>, id: MessageId) -> Result<()> {
    let message = outbound(tx, id)?;
    if message.state != DeliveryState::Pending {
        return Err(Error::conflict("too_late", format!("Too late: it is {} already.", message.state)));
    }
    if is_being_called(tx, id)? {
        return Err(Error::conflict("too_late", "Too late: it is just being handed to the provider."));
    }
    message::end(tx, id, &Outcome::of(DeliveryState::Canceled))?;
    let job = if message.kind == Kind::Call { Job::Call { message_id: id } } else { Job::Send { message_id: id } };
    job::withdraw(tx, &job, message.lane())?;
    tx.audit(&Act::new(Action::MessageCancel, id).with("conversation_id", message.conversation_id.0))
}

fn retry(tx: &mut OrgTx<'_, '_>, id: MessageId, allow_duplicate: bool) -> Result<()> {
    let message = outbound(tx, id)?;
    if message.kind == Kind::Call {
        return Err(Error::conflict("not_retryable", "This is a phone call. Make a new one in its place."));
    }
    may_go_again(message.state, allow_duplicate)?;
    let job = Job::Send { message_id: id };
    // A receipt may come before the call's own answer is written down.
    if job::is_queued(tx, &job, message.lane())? {
        let text = "The last attempt is just being concluded. Look at the message again in a moment.";
        return Err(Error::conflict("under_way", text).with_retry_after(1));
    }
    let conversation = target(tx, &Recipient::Conversation(message.conversation_id))?;
    refuse_opted_out(tx, &conversation)?;
    refuse_closed_window(&conversation, message.template().as_ref(), tx.now_ms())?;
    message::begin_anew(tx, id)?;
    let now_ms = tx.now_ms();
    job::enqueue(tx, &job, Some(Lane::Conversation(message.conversation_id)), now_ms)?;
    let act =
        Act::new(Action::MessageRetry, id).with("conversation_id", message.conversation_id.0).with("allow_duplicate", allow_duplicate);
    tx.audit(&act.changed("delivery_state", message.state.as_str(), DeliveryState::Pending.as_str()))
}

/// The message, if it is one that a provider is given.
fn outbound(tx: &mut OrgTx<'_, '_>, id: MessageId) -> Result<Message> {
    let message = message::get(tx, id)?;
    match (message.direction, message.kind) {
        (Direction::Outbound, Kind::Text | Kind::Email | Kind::Call) => Ok(message),
        (Direction::Inbound, _) => Err(Error::refused("not_outbound", "It came in. Only what goes out can be canceled or retried.")),
        (Direction::Outbound, kind) => {
            let text = format!("This is a {kind}, which no provider is given. Only messages that go out can be canceled or retried.");
            Err(Error::refused("not_outbound", text))
        }
    }
}

/// Whether a worker has written its attempt down and not yet what came of it.
fn is_being_called(tx: &mut OrgTx<'_, '_>, id: MessageId) -> Result<bool> {
    Ok(attempt::latest(tx, id)?.is_some_and(|attempt| attempt.finished_ms.is_none()))
}

fn may_go_again(state: DeliveryState, allow_duplicate: bool) -> Result<()> {
    use DeliveryState as S;
    match state {
        S::Expired | S::Undelivered | S::Failed | S::OptedOut | S::Canceled => Ok(()),
        S::Unknown if allow_duplicate => Ok(()),
        S::Unknown => Err(Error::conflict(
            "may_have_been_sent",
            "It is not known whether this message was sent, so it may arrive twice. Ask the recipient, or retry with \"allow_duplicate\": true.",
        )),
        S::Pending => Err(Error::conflict("not_retryable", "This message waits to be sent already.")),
        S::Queued | S::Sending | S::Sent => {
            Err(Error::conflict("not_retryable", format!("This message is {state}: its provider has it, and may still deliver it.")))
        }
        S::Delivered | S::Read => Err(Error::conflict("not_retryable", format!("This message is {state}. Send a new one in its place."))),
    }
}
