//! Phone calls: what hooks tell of them goes into the one message of the call, and the answer says what the provider is to do
//! next. Whom to ring is decided here; how a provider is told is the adapter's. Calls that we make begin in `place`.

mod place;

use parlance_model::account::{Account, Ring, Settings, Voice};
use parlance_model::call::news::{CallNews, News};
use parlance_model::call::next::{Dial, Directed, Next};
use parlance_model::call::{Call, CallStatus};
use parlance_model::channel::{Channel, JsonObject};
use parlance_model::contact::Identity;
use parlance_model::conversation::{Conversation, session_key};
use parlance_model::id::MessageId;
use parlance_model::inbound::Receipt;
use parlance_model::job::{Job, Lane};
use parlance_model::message::{Attachment, Direction, Kind, Message, SenderKind};
use parlance_model::phone::{Address, Phone};
use parlance_model::{Error, Result};
use parlance_store::{OrgTx, attempt, call, contact, conversation, job, message, staff};

use crate::ingest;

pub use place::NewCall;
pub(crate) use place::run;

/// What a caller hears before the tone when the account has no greeting of its own.
const GREETING: &str = "Nobody can take your call right now. Please leave a message after the tone.";

/// How long the phone of a contact rings whom we call, in seconds: longer than most mailboxes wait.
const CONTACT_RING_S: i64 = 60;

/// What was taken of a hook about a call.
pub(crate) struct Taken {
    /// What the provider is to do next. `None`: nobody knows the call, and a job asks the provider for it.
    pub(crate) directed: Option<Directed>,
    /// Whether the call is stored now for the first time.
    pub(crate) stored: bool,
}

/// Takes what a hook told of a call.
///
/// # Errors
/// `not_found` for a call that is not this account's; those of the database.
pub(crate) fn take(tx: &mut OrgTx<'_, '_>, account: &Account, news: &CallNews) -> Result<Taken> {
    let (id, stored) = match (known(tx, account, news)?, &news.news) {
        (Some(id), _) => (id, false),
        (None, News::Incoming { from, provider_meta, missed_ms }) => (receive(tx, account, news, from, provider_meta, *missed_ms)?, true),
        (None, _) => {
            find_later(tx, account, &news.provider_id)?;
            return Ok(Taken { directed: None, stored: false });
        }
    };
    let before = message::get(tx, id)?;
    if let (Direction::Outbound, Some(outcome)) = (before.direction, news.news.outcome()) {
        attempt::record(tx, account.id, &Receipt::of(news.provider_id.clone(), news.attempt, outcome))?;
    }
    let with = conversation::get(tx, before.conversation_id)?;
    let call = apply(tx, account, &before, &with.peer, &news.news)?;
    let next = next(tx, account, before.direction, &call, &with, &news.news)?;
    Ok(Taken { directed: Some(Directed { call: id, attempt: news.attempt, next }), stored })
}

/// The message of the call.
fn known(tx: &mut OrgTx<'_, '_>, account: &Account, news: &CallNews) -> Result<Option<MessageId>> {
    if let Some(id) = news.message {
        // The URL names it. It is signed, but with the secret of an account that need not be the call's.
        let ours = |message: &Message| message.account_id == account.id && message.kind == Kind::Call;
        return match message::get(tx, id) {
            Ok(message) if ours(&message) => Ok(Some(id)),
            Ok(_) => Err(Error::not_found("call")),
            Err(error) => Err(error),
        };
    }
    call::find(tx, account.id, &news.provider_id)
}

fn receive(
    tx: &mut OrgTx<'_, '_>,
    account: &Account,
    news: &CallNews,
    from: &Address,
    facts: &JsonObject,
    missed_ms: Option<i64>,
) -> Result<MessageId> {
    let (channel, session_key) = (Channel::Voice, session_key(Channel::Voice, from));
    let (before, contact_created) = match conversation::find(tx, account, &session_key)? {
        Some(found) => (found, false),
        None => {
            let (contact, made) = contact::find_or_create(tx, &Identity::of(from), &contact::Details::default())?;
            let key = conversation::Key { account, session_key, channel, peer: from.key(), contact: contact.id };
            (conversation::find_or_create(tx, &key)?.0, made)
        }
    };
    let new = message::NewMessage {
        meta: ingest::meta(facts),
        inbound_id: Some(news.provider_id.clone()),
        call: told(tx, account, Direction::Inbound, &from.key(), &news.news)?,
        at_ms: missed_ms,
        history: missed_ms.is_some(),
        ..message::NewMessage::new(Direction::Inbound, SenderKind::Contact, Kind::Call, "")
    };
    let mut after = before.clone();
    let id = message::append(tx, &mut after, &new, contact_created)?;
    conversation::save(tx, &before, &after)?;
    Ok(id)
}

/// Adds what was told to what is known, and writes it where that is more.
fn apply(tx: &mut OrgTx<'_, '_>, account: &Account, before: &Message, peer: &str, news: &News) -> Result<Call> {
    let known = before.call.clone().ok_or_else(|| Error::internal("a call without its facts"))?;
    let Some(told) = told(tx, account, before.direction, peer, news)? else { return Ok(known) };
    let mut call = known.clone().fold(told);
    if call == known {
        return Ok(known);
    }
    let mut after = before.clone();
    if let News::Recorded { recording, url, content_type, .. } = news
        && let Some(new) = call.recordings.iter_mut().find(|new| new.id == recording.id && new.file.is_none())
    {
        let index = after.attachments.len();
        after.attachments.push(Attachment::remote(url.clone(), (*content_type).to_owned()));
        new.file = Some(index);
        let now_ms = tx.now_ms();
        job::enqueue(tx, &Job::FetchMedia { message_id: before.id, index }, None, now_ms)?;
    }
    if let Some(text) = &call.transcription {
        after.body.clone_from(text);
    }
    after.call = Some(call.clone());
    call::save(tx, &after)?;
    if call.answered && !known.answered {
        heard(tx, before)?;
    }
    Ok(call)
}

/// Somebody talked with the contact: nothing of their calls up to this one waits to be looked at.
fn heard(tx: &mut OrgTx<'_, '_>, call: &Message) -> Result<()> {
    let with = conversation::get(tx, call.conversation_id)?;
    if with.newest_id == call.id { conversation::mark_read(tx, &with).map(drop) } else { Ok(()) }
}

/// What the news says of the call, with what only we know: whose phone it was, and whether any is left to be rung.
fn told(tx: &mut OrgTx<'_, '_>, account: &Account, direction: Direction, peer: &str, news: &News) -> Result<Option<Call>> {
    let told = news.facts(direction);
    if direction == Direction::Outbound {
        return Ok(told);
    }
    let rung_next = match news {
        News::Incoming { .. } => Some(0),
        News::Dialed { n, bridged: false, .. } => Some(n + 1),
        _ => None,
    };
    if let Some(n) = rung_next
        && turn(tx, account, peer, n)?.is_none()
    {
        // From here on it is missed, unless the caller leaves a message.
        let missed = Call::of(CallStatus::NoAnswer);
        return Ok(Some(told.map_or_else(|| missed.clone(), |told| told.fold(missed.clone()))));
    }
    let answered_by = match news {
        News::Accepted { n } => voice(account).ring.get(*n).and_then(|ring| ring.user_id),
        _ => None,
    };
    Ok(told.map(|told| Call { answered_by, ..told }))
}

/// What the provider is to do next.
fn next(tx: &mut OrgTx<'_, '_>, account: &Account, direction: Direction, call: &Call, with: &Conversation, news: &News) -> Result<Next> {
    let inbound = direction == Direction::Inbound;
    Ok(match news {
        News::Incoming { .. } => ring(tx, account, &with.peer, 0)?,
        News::Answered { n } => {
            let question = if inbound {
                format!("There is a call for {}. Press any key to take it.", spoken(&account.name))
            } else {
                format!("Press any key to be connected to {}.", spoken(with.contact_name.as_deref().unwrap_or(&with.peer)))
            };
            Next::Ask { n: *n, question }
        }
        News::Accepted { .. } if inbound => Next::Bridge,
        News::Accepted { n } => Next::Dial(Dial {
            phone: Phone::parse(&with.peer, account.region)?,
            caller_id: own_number(account).clone(),
            ring_s: CONTACT_RING_S,
            record: voice(account).record,
            n: *n,
            screened: false,
        }),
        News::Dialed { n, .. } if inbound && !call.answered => ring(tx, account, &with.peer, n + 1)?,
        News::Dialed { .. } | News::Recorded { voicemail: true, .. } => Next::HangUp,
        News::Call { .. } | News::Leg { .. } | News::Recorded { .. } | News::Transcribed { .. } | News::Nothing => Next::Nothing,
    })
}

/// Rings the next phone of the staff from the `n`-th on; takes a message when none is left.
fn ring(tx: &mut OrgTx<'_, '_>, account: &Account, peer: &str, n: usize) -> Result<Next> {
    let voice = voice(account);
    let Some((n, ring)) = turn(tx, account, peer, n)? else {
        return Ok(Next::Voicemail { greeting: voice.greeting.clone().unwrap_or_else(|| GREETING.to_owned()) });
    };
    // Staff see who calls, where that can be shown.
    let caller_id = Phone::parse(peer, account.region).unwrap_or_else(|_| own_number(account).clone());
    Ok(Next::Dial(Dial { phone: ring.phone.clone(), caller_id, ring_s: voice.ring_s, record: voice.record, n, screened: true }))
}

/// The first phone from the `n`-th on that is to be rung: not of somebody who left the staff or is disabled, and not the one
/// that calls.
fn turn<'a>(tx: &mut OrgTx<'_, '_>, account: &'a Account, peer: &str, n: usize) -> Result<Option<(usize, &'a Ring)>> {
    for (n, ring) in voice(account).ring.iter().enumerate().skip(n) {
        let works_here = match ring.user_id {
            Some(user) => staff::find(tx, user)?.is_some_and(|staff| staff.user.disabled_ms.is_none()),
            None => true,
        };
        if works_here && ring.phone.as_str() != peer {
            return Ok(Some((n, ring)));
        }
    }
    Ok(None)
}

/// Asks the provider for the call later, once however many hooks name it.
fn find_later(tx: &mut OrgTx<'_, '_>, account: &Account, provider_id: &str) -> Result<()> {
    let job = Job::FindCall { account_id: account.id, provider_id: provider_id.to_owned() };
    job::enqueue_once(tx, &job, Lane::Account(account.id))
}

/// A name as it is; of a number each digit by itself, or it would be read as one large number.
fn spoken(text: &str) -> String {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'+');
    if is_number { text.chars().map(String::from).collect::<Vec<_>>().join(" ") } else { text.to_owned() }
}

/// Whether the account's calls are recorded.
pub(crate) fn records(account: &Account) -> bool {
    voice(account).record
}

fn voice(account: &Account) -> &Voice {
    let Settings::Twilio(settings) = &account.settings;
    &settings.voice
}

fn own_number(account: &Account) -> &Phone {
    let Settings::Twilio(settings) = &account.settings;
    &settings.phone_number
}
