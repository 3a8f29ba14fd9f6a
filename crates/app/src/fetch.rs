//! Copies files of inbound messages, and recordings of calls, from their provider into the media store.
//!
//! The file comes first, as an upload does; then one transaction lets its row be seen, puts it into the message and ends the job. A run
//! that stops before leaves a row that nobody sees, which the sweeper finds; the next run fetches the file anew.

use bytes::Bytes;
use futures::{Stream, stream};
use parlance_channels::Fetched;
use parlance_model::account::{Account, Settings};
use parlance_model::delivery::DeliveryError;
use parlance_model::error::Kind;
use parlance_model::id::MessageId;
use parlance_model::job::{Claimed, Job};
use parlance_model::message::{Attachment, Message};
use parlance_model::{Error, Result};
use parlance_net::Streamed;
use parlance_store::{OrgTx, account, health, job, media, message};

use crate::App;
use crate::media::Arrived;
use crate::share::{Place, Shares};

/// Waits before the next try, in milliseconds, while the provider has only just told of the file.
const WAITS_MS: [i64; 6] = [1_000, 5_000, 30_000, 120_000, 600_000, 3_600_000];
/// The wait before each further try, in milliseconds: 6 hours.
const LATER_WAIT_MS: i64 = 6 * 60 * 60 * 1000;
/// How many of these there are: 7 days. After the last the file is given up.
const LATER_TRIES: usize = 28;
/// How long a file waits that the account stands in the way of, in milliseconds: 6 hours, unless somebody puts the account right before.
const ACCOUNT_WAIT_MS: i64 = 6 * 60 * 60 * 1000;
/// How long a file waits that there is no room for here, in milliseconds.
const ROOM_WAIT_MS: i64 = 60_000;

/// Queues a job for each file of a message that is at its provider.
pub(crate) fn enqueue(tx: &mut OrgTx<'_, '_>, message_id: MessageId, files: &[Attachment]) -> Result<()> {
    let now_ms = tx.now_ms();
    for (index, file) in files.iter().enumerate() {
        if let Attachment::Remote { .. } = file {
            job::enqueue(tx, &Job::FetchMedia { message_id, index }, None, now_ms)?;
        }
    }
    Ok(())
}

/// A file that is still to be had.
struct Wanted {
    account: Account,
    url: String,
    content_type: String,
    /// Held until the file is here.
    _place: Place,
}

/// Why there is no file.
enum Missing {
    /// The provider did not give it. Asking again may help.
    Later(DeliveryError),
    /// The provider refuses the account. Asking again helps once somebody has put that right.
    Refused(DeliveryError),
    /// It could not be kept here just now.
    NoRoom,
    /// Asking again will not help.
    Gone(DeliveryError),
}

/// Runs a job to its end. An error leaves the job to its lease.
pub(crate) async fn run(app: &App, claimed: &Claimed, id: MessageId, index: usize) -> Result<()> {
    let (job, shares) = (claimed.clone(), app.0.file_shares.clone());
    let Some(wanted) = app.store().write(claimed.org, move |tx| prepare(tx, &job, id, index, &shares)).await? else { return Ok(()) };
    let file = match fetch(app, &wanted).await {
        Ok(file) => file,
        Err(missing) => {
            let (job, account) = (claimed.clone(), wanted.account.clone());
            return app.store().write(claimed.org, move |tx| without(tx, &job, (id, index), &account, &missing)).await;
        }
    };
    let uploaded = app.look_at(&file, None).await;
    let (job, media_id) = (claimed.clone(), file.id);
    let write = move |tx: &mut OrgTx<'_, '_>| {
        let Some(message) = waiting(tx, &job, id, index)? else { return Ok(false) };
        media::finish(tx, media_id, &uploaded)?;
        let kept = media::attach(tx, media_id)?;
        let stored = Attachment::Stored { media_id, facts: kept.facts, has_thumbnail: kept.thumbnail_key.is_some() };
        message::set_attachment(tx, message, index, stored)?;
        job::finish(tx, &job)?;
        Ok(true)
    };
    // An error may hide a commit, so the file stays then: where nothing was committed, the sweeper takes it.
    if !app.store().write(claimed.org, write).await? {
        app.drop_file(file).await;
    }
    Ok(())
}

fn prepare(tx: &mut OrgTx<'_, '_>, claimed: &Claimed, id: MessageId, index: usize, shares: &Shares) -> Result<Option<Wanted>> {
    let Some(message) = waiting(tx, claimed, id, index)? else { return Ok(None) };
    let account = account::get(tx, message.account_id)?;
    if !account.enabled {
        let run_at_ms = tx.now_ms() + ACCOUNT_WAIT_MS;
        return job::hold_up(tx, claimed, account.id, run_at_ms).map(|()| None);
    }
    let _place = match shares.take(account.id) {
        Ok(place) => place,
        Err(at_ms) => return job::decline(tx, claimed, at_ms).map(|()| None),
    };
    match message.attachments.into_iter().nth(index) {
        Some(Attachment::Remote { provider_url, content_type, .. }) => {
            Ok(Some(Wanted { account, url: provider_url, content_type, _place }))
        }
        _ => Ok(None),
    }
}

/// The message, while this claim holds and the file is still to be had. A claim that holds for nothing is ended.
fn waiting(tx: &mut OrgTx<'_, '_>, claimed: &Claimed, id: MessageId, index: usize) -> Result<Option<Message>> {
    if !job::holds(tx, claimed)? {
        return Ok(None);
    }
    let message = message::get(tx, id)?;
    if matches!(message.attachments.get(index), Some(Attachment::Remote { error: None, .. })) {
        return Ok(Some(message));
    }
    job::finish(tx, claimed).map(|()| None)
}

async fn fetch(app: &App, wanted: &Wanted) -> Result<Arrived, Missing> {
    let account = &wanted.account;
    let opened = match parlance_channels::of(account.provider()).fetch(&app.0.http, account, &wanted.url).await {
        Fetched::Here(opened) => opened,
        Fetched::Later { error } => return Err(Missing::Later(error)),
        Fetched::Account { error } => return Err(Missing::Refused(error)),
        Fetched::Gone { error } => return Err(Missing::Gone(error)),
    };
    let file = app.take_file(account.org, content(opened)).await.map_err(not_taken)?;
    if is_page(&wanted.content_type, file.content_type) {
        app.drop_file(file).await;
        return Err(Missing::Gone(not_the_file()));
    }
    Ok(file)
}

/// The code of a file that its provider began and did not end.
const NOT_FETCHED: &str = "not_fetched";

fn content(opened: Streamed) -> impl Stream<Item = Result<Bytes>> + Send {
    stream::try_unfold(opened, async |mut opened| {
        let chunk = opened.chunk().await.map_err(|lost| Error::new(Kind::Unavailable, NOT_FETCHED, lost.to_string()))?;
        Ok(chunk.map(|chunk| (chunk, opened)))
    })
}

fn not_taken(error: Error) -> Missing {
    match error.kind() {
        Kind::TooLarge => Missing::Gone(because("file_too_large", "The file is larger than this installation takes.")),
        Kind::Invalid => Missing::Gone(not_the_file()),
        Kind::RateLimited => Missing::NoRoom,
        Kind::Unavailable if error.code() != NOT_FETCHED => Missing::NoRoom,
        _ => Missing::Later(because(NOT_FETCHED, error.message())),
    }
}

/// Whether a text came in the place of a picture, a sound or a film: a page that tells of an error, with a status that does not.
fn is_page(announced: &str, found: &str) -> bool {
    let is_of = |kinds: [&str; 3]| kinds.iter().any(|kind| announced.starts_with(kind));
    found.starts_with("text/") && is_of(["image/", "audio/", "video/"]) && !announced.contains("xml")
}

fn not_the_file() -> DeliveryError {
    because("not_the_file", "The provider gave something else in place of the file.")
}

fn because(code: &str, message: &str) -> DeliveryError {
    DeliveryError { code: code.to_owned(), message: message.to_owned() }
}

/// Tries again later, or writes down why there will be no file. What is not the provider's doing is no try.
fn without(tx: &mut OrgTx<'_, '_>, claimed: &Claimed, (id, index): (MessageId, usize), asked: &Account, missing: &Missing) -> Result<()> {
    let Some(message) = waiting(tx, claimed, id, index)? else { return Ok(()) };
    let now_ms = tx.now_ms();
    let error = match missing {
        Missing::NoRoom => return job::decline(tx, claimed, now_ms + ROOM_WAIT_MS),
        // Somebody put it right meanwhile.
        Missing::Refused(_) if !is_asked_alike(asked, &account::get(tx, asked.id)?) => return job::decline(tx, claimed, now_ms),
        Missing::Refused(error) => {
            health::fails(tx, asked.id, error)?;
            return job::hold_up(tx, claimed, asked.id, now_ms + ACCOUNT_WAIT_MS);
        }
        Missing::Later(error) => match wait_ms(claimed.attempt) {
            Some(wait_ms) => return job::postpone(tx, claimed, now_ms + wait_ms),
            None => error,
        },
        Missing::Gone(error) => error,
    };
    if let Some(Attachment::Remote { provider_url, content_type, .. }) = message.attachments.get(index).cloned() {
        let error = Some(error.clone());
        message::set_attachment(tx, message, index, Attachment::Remote { provider_url, content_type, error })?;
    }
    job::finish(tx, claimed)
}

/// Whether the provider is asked with the same credentials.
fn is_asked_alike(before: &Account, now: &Account) -> bool {
    let (Settings::Twilio(before), Settings::Twilio(now)) = (&before.settings, &now.settings);
    before.credentials() == now.credentials()
}

/// The wait after so many tries, in milliseconds. `None`: it was the last.
fn wait_ms(tries: i64) -> Option<i64> {
    let before = usize::try_from(tries - 1).unwrap_or(usize::MAX);
    let later = (WAITS_MS.len()..WAITS_MS.len() + LATER_TRIES).contains(&before);
    WAITS_MS.get(before).copied().or(later.then_some(LATER_WAIT_MS))
}
