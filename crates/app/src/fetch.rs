//! Copies files of inbound messages, and recordings of calls, from their provider into the media store.
//!
//! The file comes first, as an upload does; then one transaction lets its row be seen, puts it into the message and ends the job. A run
//! that stops before leaves a row that nobody sees, which the sweeper finds; the next run fetches the file anew.

use bytes::Bytes;
use futures::{Stream, stream};
use parlance_channels::Fetched;
use parlance_model::account::Account;
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

/// Waits before the next try, in milliseconds. After the last the file is given up.
const WAITS_MS: [i64; 7] = [1_000, 5_000, 30_000, 120_000, 600_000, 3_600_000, 21_600_000];

/// How long a file waits for one of its account's places, in milliseconds.
const PLACE_WAIT_MS: i64 = 2_000;

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
    /// Asking again may help.
    Later(DeliveryError),
    /// The same, once somebody has put the account right.
    Account(DeliveryError),
    /// It will not.
    Gone(DeliveryError),
}

/// Runs a job to its end. An error leaves the job to its lease.
pub(crate) async fn run(app: &App, claimed: &Claimed, id: MessageId, index: usize) -> Result<()> {
    let (job, shares) = (claimed.clone(), app.0.file_shares.clone());
    let Some(wanted) = app.store().write(claimed.org, move |tx| prepare(tx, &job, id, index, &shares)).await? else { return Ok(()) };
    let file = match fetch(app, &wanted).await {
        Ok(file) => file,
        Err(missing) => {
            let job = claimed.clone();
            return app.store().write(claimed.org, move |tx| without(tx, &job, id, index, &missing)).await;
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
    let Some(_place) = shares.take(account.id) else {
        let run_at_ms = tx.now_ms() + PLACE_WAIT_MS;
        return job::decline(tx, claimed, run_at_ms).map(|()| None);
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
    if !account.enabled {
        return Err(Missing::Later(because("account_disabled", "The account that the message came over is switched off.")));
    }
    let opened = match parlance_channels::of(account.provider()).fetch(&app.0.http, account, &wanted.url).await {
        Fetched::Here(opened) => opened,
        Fetched::Later { error } => return Err(Missing::Later(error)),
        Fetched::Account { error } => return Err(Missing::Account(error)),
        Fetched::Gone { error } => return Err(Missing::Gone(error)),
    };
    let file = app.take_file(account.org, content(opened)).await.map_err(not_taken)?;
    if is_page(&wanted.content_type, file.content_type) {
        app.drop_file(file).await;
        return Err(Missing::Gone(not_the_file()));
    }
    Ok(file)
}

fn content(opened: Streamed) -> impl Stream<Item = Result<Bytes>> + Send {
    stream::try_unfold(opened, async |mut opened| {
        let chunk = opened.chunk().await.map_err(|lost| Error::unavailable(lost.to_string(), 1))?;
        Ok(chunk.map(|chunk| (chunk, opened)))
    })
}

fn not_taken(error: Error) -> Missing {
    match error.kind() {
        Kind::TooLarge => Missing::Gone(because("file_too_large", "The file is larger than this installation takes.")),
        Kind::Invalid => Missing::Gone(not_the_file()),
        _ => Missing::Later(because("not_fetched", error.message())),
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

/// Tries again later, or writes down why there will be no file.
fn without(tx: &mut OrgTx<'_, '_>, claimed: &Claimed, id: MessageId, index: usize, missing: &Missing) -> Result<()> {
    let Some(message) = waiting(tx, claimed, id, index)? else { return Ok(()) };
    if let Missing::Account(error) = missing {
        health::fails(tx, message.account_id, error)?;
    }
    let tries = usize::try_from(claimed.attempt - 1).unwrap_or(usize::MAX);
    let error = match (missing, WAITS_MS.get(tries)) {
        (Missing::Later(_) | Missing::Account(_), Some(wait_ms)) => {
            let now_ms = tx.now_ms();
            return job::postpone(tx, claimed, now_ms + wait_ms);
        }
        (Missing::Later(error) | Missing::Account(error) | Missing::Gone(error), _) => error.clone(),
    };
    if let Some(Attachment::Remote { provider_url, content_type, .. }) = message.attachments.get(index).cloned() {
        message::set_attachment(tx, message, index, Attachment::Remote { provider_url, content_type, error: Some(error) })?;
    }
    job::finish(tx, claimed)
}
