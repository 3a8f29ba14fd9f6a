//! Finds out by the provider's own list whether an attempt whose answer was lost went out.
//!
//! The callback that carries our attempt is the first way, and settles most. This is the second: the messages that the provider has
//! for the recipient are matched with the attempts that nothing has settled, one to one. What cannot be told apart, and what is
//! not there after the last look, stays `unknown` with words for a person; it is never sent again by itself.

use parlance_model::Result;
use parlance_model::account::Account;
use parlance_model::clock::iso8601;
use parlance_model::conversation::Conversation;
use parlance_model::delivery::{DeliveryError, DeliveryState};
use parlance_model::id::AttemptId;
use parlance_model::inbound::Receipt;
use parlance_model::job::{Claimed, Job};
use parlance_model::listed::{ListFailure, Listed, Listing, Went};
use parlance_model::message::{Kind, Message};
use parlance_store::attempt::Attempt;
use parlance_store::{OrgTx, account, attempt, conversation, job, message};

use crate::App;
use crate::ingest::acknowledge;

/// When the list is looked at, in milliseconds since the attempt was begun: the callback comes first as a rule, and a list may be
/// behind for a while.
const LOOKS_MS: [i64; 4] = [30_000, 120_000, 600_000, 3_600_000];
/// How far the provider's time of a message may be from the attempt's, in milliseconds: clocks differ, and a request may linger.
const APART_MS: i64 = 300_000;
/// How long a list that cannot be had is asked for again, in milliseconds since the attempt was begun, and how often.
const UNREADABLE_MS: i64 = 24 * 60 * 60 * 1000;
const AGAIN_MS: i64 = 30 * 60 * 1000;
/// Pages of the list of one recipient's messages that are read at most.
const PAGES: usize = 20;

/// Queues the search for an attempt that has just become unknown.
///
/// # Errors
/// Those of the database.
pub(crate) fn begin(tx: &mut OrgTx<'_, '_>, lost: &Attempt) -> Result<()> {
    job::enqueue(tx, &Job::Reconcile { attempt_id: lost.id }, None, lost.started_ms + LOOKS_MS[0]).map(drop)
}

/// What a look needs to know.
struct Look {
    attempt: Attempt,
    account: Account,
    conversation: Conversation,
    message: Message,
}

/// Runs a job to its end.
pub(crate) async fn run(app: &App, claimed: &Claimed, id: AttemptId) -> Result<()> {
    let Some(look) = app.store().read(claimed.org, move |tx| look(tx, id)).await? else {
        let job = claimed.clone();
        return app.store().write(claimed.org, move |tx| job::finish(tx, &job)).await;
    };
    // A provider that hangs keeps a look for minutes.
    let _place = match app.0.shares.take(look.account.id) {
        Ok(place) => place,
        Err(at_ms) => {
            let job = claimed.clone();
            return app.store().write(claimed.org, move |tx| job::decline(tx, &job, at_ms)).await;
        }
    };
    let found = list(app, &look).await;
    let job = claimed.clone();
    app.store().write(claimed.org, move |tx| conclude(tx, &job, id, &found)).await
}

/// `None` where nothing is to be found out any more.
fn look(tx: &mut OrgTx<'_, '_>, id: AttemptId) -> Result<Option<Look>> {
    let Some(attempt) = attempt::get(tx, id)?.filter(is_open) else { return Ok(None) };
    let message = message::get(tx, attempt.message_id)?;
    let (account, conversation) = (account::get(tx, attempt.account_id)?, conversation::get(tx, message.conversation_id)?);
    Ok(Some(Look { attempt, account, conversation, message }))
}

fn is_open(attempt: &Attempt) -> bool {
    attempt.outcome.state == DeliveryState::Unknown && attempt.provider_id.is_none()
}

/// What the provider has for the recipient since shortly before the attempt.
async fn list(app: &App, look: &Look) -> Result<Vec<Went>, ListFailure> {
    let channel = parlance_channels::of(look.account.provider());
    let sent_to = Some((look.conversation.channel, look.attempt.recipient.clone()));
    let wanted = Listing { since_ms: look.attempt.started_ms - APART_MS, sent_to };
    let (mut went, mut page) = (Vec::new(), None);
    for _ in 0..PAGES {
        let listed = channel.list(&app.0.http, &look.account, &wanted, page.as_deref()).await?;
        went.extend(listed.items.into_iter().filter_map(|item| match item {
            Listed::Went(went) => Some(went),
            Listed::Called(called) => called.went(),
            Listed::Came(_) => None,
        }));
        page = listed.next;
        if page.is_none() {
            break;
        }
    }
    Ok(went)
}

fn conclude(tx: &mut OrgTx<'_, '_>, claimed: &Claimed, id: AttemptId, found: &Result<Vec<Went>, ListFailure>) -> Result<()> {
    if !job::holds(tx, claimed)? {
        return Ok(());
    }
    // A callback may have settled it meanwhile.
    let Some(Look { attempt, account, message, .. }) = look(tx, id)? else { return job::finish(tx, claimed) };
    let mut open = attempt::alike(tx, &attempt)?;
    open.retain(|(_, other)| other.channel == message.channel);
    let matched = match found {
        Ok(went) => matched((&attempt, &message), &open, &unclaimed(tx, &account, went)?),
        Err(failure) => Matched::NotLooked(failure.error().clone()),
    };
    if let Matched::One(went) = &matched {
        acknowledge(tx, &account, &Receipt { attempt: Some(id), ..went.receipt.clone() })?;
        return job::finish(tx, claimed);
    }
    let now_ms = tx.now_ms();
    let next = LOOKS_MS.iter().map(|after_ms| attempt.started_ms + after_ms).find(|at_ms| *at_ms > now_ms);
    let goes_on = matches!(matched, Matched::NotLooked(_)) && now_ms < attempt.started_ms + UNREADABLE_MS;
    if let Some(next) = next.or_else(|| goes_on.then_some(now_ms + AGAIN_MS)) {
        return job::postpone(tx, claimed, next);
    }
    attempt::explain(tx, id, &matched.words(message.kind, claimed.attempt, now_ms))?;
    job::finish(tx, claimed)
}

/// Those that are no attempt's yet.
fn unclaimed(tx: &mut OrgTx<'_, '_>, account: &Account, went: &[Went]) -> Result<Vec<Went>> {
    let mut unclaimed = Vec::new();
    for went in went {
        if attempt::by_provider_id(tx, account.id, &went.receipt.provider_id)?.is_none() {
            unclaimed.push(went.clone());
        }
    }
    unclaimed.sort_by_key(|went| went.created_ms);
    Ok(unclaimed)
}

/// What a look has found.
#[derive(Debug)]
enum Matched {
    /// This one is the attempt's, and no other can be.
    One(Went),
    /// None.
    Nothing,
    /// Several attempts and messages are alike, and not equally many.
    Several,
    /// The list could not be had.
    NotLooked(DeliveryError),
}

impl Matched {
    /// What a person is told after the last look: fewer were made where the server was away.
    fn words(&self, kind: Kind, looks: i64, now_ms: i64) -> DeliveryError {
        let looks = format!("(looked {looks} times, last at {})", iso8601(now_ms / 1000 * 1000));
        let advice = match kind {
            Kind::Call => "Call again, if nobody was called.",
            _ => "Ask the recipient, or retry it and accept that it may arrive twice.",
        };
        let (code, message) = match self {
            Self::NotLooked(error) => {
                let text = format!("No delivery report came, and the provider's list could not be read: {} {advice}", error.message);
                ("list_unavailable", text)
            }
            Self::Several => {
                let text = format!(
                    "Several messages alike were sent at the same time, and the provider has another number of them {looks}. {advice}"
                );
                ("several_alike", text)
            }
            Self::One(_) | Self::Nothing => {
                let text = format!(
                    "No delivery report came, and the provider's list does not have it {looks}. Most likely it was not sent. {advice}"
                );
                ("not_in_list", text)
            }
        };
        DeliveryError { code: code.to_owned(), message }
    }
}

/// Matches what the provider has with the attempts that nothing has settled, one to one. What differs in text, in the number of
/// files or by more than minutes is not alike; of those alike there must be as many messages as attempts, in the same order.
fn matched((attempt, own): (&Attempt, &Message), open: &[(Attempt, Message)], went: &[Went]) -> Matched {
    // The provider makes the text of a template, and a call has none: the time alone tells which it is.
    let any = own.template().is_some() || own.kind == Kind::Call;
    let alike = |message: &Message| any || message.body == own.body && message.attachments.len() == own.attachments.len();
    let near = |went: &Went, attempt: &Attempt| {
        let ended_ms = attempt.finished_ms.unwrap_or(attempt.started_ms);
        (attempt.started_ms - APART_MS..=ended_ms + APART_MS).contains(&went.created_ms)
    };
    let fits = |went: &&Went| any || went.body == own.body && went.files == own.attachments.len();
    let went: Vec<&Went> = went.iter().filter(fits).collect();
    // Whoever could be meant by one of the messages that could be this attempt's.
    let candidates: Vec<&Went> = went.iter().copied().filter(|went| near(went, attempt)).collect();
    let rivals: Vec<&Attempt> = open
        .iter()
        .filter(|(_, message)| alike(message))
        .map(|(rival, _)| rival)
        .filter(|rival| rival.id == attempt.id || candidates.iter().any(|went| near(went, rival)))
        .collect();
    let messages: Vec<&Went> = went.into_iter().filter(|went| rivals.iter().any(|rival| near(went, rival))).collect();
    if candidates.is_empty() {
        return Matched::Nothing;
    }
    // What is under way may be any of them, and will say so itself.
    if rivals.iter().any(|rival| rival.finished_ms.is_none()) {
        return Matched::Several;
    }
    let place = rivals.iter().position(|rival| rival.id == attempt.id);
    match place.and_then(|place| messages.get(place)) {
        Some(went) if messages.len() == rivals.len() && near(went, attempt) => Matched::One((*went).clone()),
        _ => Matched::Several,
    }
}
