//! Calls that we make: one transaction stores the message, its event and its job; the job rings the phone of the staff member.
//! The rest of the call is told and asked by hooks.

use parlance_model::account::Account;
use parlance_model::audit::{Act, Action};
use parlance_model::call::{Call, CallStatus};
use parlance_model::channel::Channel;
use parlance_model::conversation::Conversation;
use parlance_model::delivery::DeliveryState;
use parlance_model::id::{ConversationId, MessageId};
use parlance_model::job::{Claimed, Job, Lane};
use parlance_model::key::Principal;
use parlance_model::message::{Direction, Kind, SenderKind};
use parlance_model::outbound::OutgoingCall;
use parlance_model::phone::Phone;
use parlance_model::{Error, Result};
use parlance_store::{OrgTx, account, attempt, contact, conversation, job, message};

use super::voice;
use crate::App;
use crate::deliver::{begin, end, hand_over, prepared};
use crate::send::{Route, Sent, once, sent};
use crate::share::{Place, Shares};

/// How long a call may wait for being placed, in milliseconds: 5 minutes. Whoever asked for one does not sit by the phone for longer.
const LONGEST_WAIT_MS: i64 = 5 * 60 * 1000;

/// A call that somebody asks for.
#[derive(Debug, Clone)]
pub struct NewCall {
    /// Whom to call: the other side of this conversation.
    pub conversation: ConversationId,
    /// The phone that rings first. `None`: the caller's own among the account's.
    pub staff_phone: Option<String>,
    /// The request's idempotency key.
    pub once: Option<String>,
}

impl App {
    /// Stores a call to be placed and, unless told not to, waits up to two seconds for the first outcome. The phone of whoever asks
    /// rings first, and then the contact's. An opt-out does not forbid it: that is about messages.
    ///
    /// # Errors
    /// `not_found`; `validation_failed`; `no_staff_phone`; `not_answerable`; `no_account`.
    pub async fn call(&self, who: &Principal, new: NewCall, wait: bool) -> Result<Sent> {
        let signals = self.store().bus().listen();
        let (caller, links) = (who.clone(), self.0.links.clone());
        let accepted = move |tx: &mut OrgTx<'_, '_>| {
            let (id, made) = once(tx, &caller, new.once.as_deref(), |tx| accept(tx, &caller, &new))?;
            Ok((sent(tx, id, &links)?, made))
        };
        let (sent, made) = self.write_as(who, accepted).await?;
        self.0.measured.sent.increment(u64::from(made));
        Ok(self.followed(who.org, signals, sent, wait).await)
    }
}

/// Stores the call, its event and its job.
fn accept(tx: &mut OrgTx<'_, '_>, who: &Principal, new: &NewCall) -> Result<MessageId> {
    let about = conversation::get(tx, new.conversation)?;
    let account = account::get(tx, about.account_id)?;
    if !account.enabled {
        let text = "The account that carries this conversation is switched off. Switch it on, or call from a conversation of another one.";
        return Err(Error::refused("no_account", text));
    }
    let staff_phone = staff_phone(&account, who, new.staff_phone.as_deref())?;
    let (before, _) = route(tx, account, &about)?.open(tx)?;
    let mut after = before.clone();
    let message = message::NewMessage {
        sender_user: who.user,
        call: Some(Call { staff_phone: Some(staff_phone), ..Call::of(CallStatus::Queued) }),
        ..message::NewMessage::new(Direction::Outbound, SenderKind::Staff, Kind::Call, "")
    };
    let id = message::append(tx, &mut after, &message, false)?;
    conversation::save(tx, &before, &after)?;
    let now_ms = tx.now_ms();
    job::enqueue(tx, &Job::Call { message_id: id }, Some(Lane::Conversation(after.id)), now_ms)?;
    let act = Act::new(Action::MessageCall, id).with("conversation_id", after.id.0).with("account_id", after.account_id.0);
    tx.audit(&act.with("channel", after.channel.as_str()))?;
    Ok(id)
}

/// The phone that rings first: the one that was given, else the caller's own among the account's.
fn staff_phone(account: &Account, who: &Principal, given: Option<&str>) -> Result<Phone> {
    if let Some(given) = given {
        let wrong = |_| Error::invalid("staff_phone", "Must be a phone number, best in E.164 form, such as +15551234567.");
        let phone = Phone::parse(given, account.region).map_err(wrong)?;
        if phone.is_premium() {
            return Err(Error::invalid("staff_phone", "Must not be a number that costs by the minute."));
        }
        return Ok(phone);
    }
    let own = voice(account).ring.iter().find(|ring| ring.user_id.is_some() && ring.user_id == who.user);
    own.map(|ring| ring.phone.clone()).ok_or_else(|| {
        let text = "It is not known which phone of yours to ring first. Give `staff_phone`, or have an admin add your number to the account's `voice.ring`.";
        Error::refused("no_staff_phone", text)
    })
}

/// Where a call to the other side of a conversation goes: over the same account.
fn route(tx: &mut OrgTx<'_, '_>, account: Account, about: &Conversation) -> Result<Route> {
    let on_the_telephone = matches!(about.channel, Channel::Sms | Channel::Voice | Channel::Whatsapp);
    let peer = Phone::parse(&about.peer, account.region).ok().filter(|_| on_the_telephone);
    let peer = peer.ok_or_else(|| {
        let text = "There is no number in this conversation that could be called. Call from a conversation with the contact's number.";
        Error::refused("not_answerable", text)
    })?;
    if peer.is_premium() {
        let text = "This number costs by the minute, so it is not called. Ask the contact for another one, or call from your own phone.";
        return Err(Error::refused("not_answerable", text));
    }
    let contact = contact::get(tx, about.contact_id)?;
    Ok(Route { account, channel: Channel::Voice, contact, peer })
}

/// A call that is about to be placed.
struct Ready {
    account: Account,
    outgoing: OutgoingCall,
    /// Held until the outcome is written down.
    _place: Place,
}

/// Runs a call's job to its end. An error leaves the job to its lease.
pub(crate) async fn run(app: &App, claimed: &Claimed, id: MessageId) -> Result<()> {
    let (job, shares) = (claimed.clone(), app.0.shares.clone());
    let Some(Ready { account, outgoing, _place }) = prepared(app, claimed, id, move |tx| prepare(tx, &job, id, &shares)).await? else {
        return Ok(());
    };
    let channel = parlance_channels::of(account.provider());
    let placing = channel.call(&app.0.http, &app.0.config.public_url, &account, &outgoing);
    hand_over(app, claimed, &account, outgoing.attempt, placing).await
}

/// Checks and writes down everything that must be known before the call is placed. `None`: there is nothing to place.
fn prepare(tx: &mut OrgTx<'_, '_>, claimed: &Claimed, id: MessageId, shares: &Shares) -> Result<Option<Ready>> {
    let Some(message) = begin(tx, claimed, id)? else { return Ok(None) };
    if tx.now_ms() - claimed.created_ms > LONGEST_WAIT_MS {
        let text = "It could not be placed within 5 minutes, and was not after that. Call again.";
        return end(tx, claimed, id, DeliveryState::Expired, "expired", text);
    }
    let account = account::get(tx, message.account_id)?;
    if !account.enabled {
        let text = "The account that carries this conversation is switched off.";
        return end(tx, claimed, id, DeliveryState::Failed, "account_disabled", text);
    }
    let place = match shares.take(account.id) {
        Ok(place) => place,
        Err(at_ms) => return job::postpone(tx, claimed, at_ms).map(|()| None),
    };
    let staff_phone = message.call.and_then(|call| call.staff_phone);
    let staff_phone = staff_phone.ok_or_else(|| Error::internal("a call to be placed names no phone of the staff"))?;
    let attempt = attempt::start(tx, id, account.id)?;
    let outgoing = OutgoingCall { attempt, call: id, staff_phone, ring_s: voice(&account).ring_s };
    Ok(Some(Ready { account, outgoing, _place: place }))
}
