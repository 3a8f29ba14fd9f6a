//! A variant that listens, and one round of requests to it: timed, counted, and refused when less was stored than answered.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::IntoResponse;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method, StatusCode, Uri};
use parlance_api::Options;
use parlance_app::App;
use parlance_channels::{Hook, Parsed};
use parlance_model::account::Account;
use parlance_model::channel::Provider;
use parlance_model::{Error, Result};
use parlance_store::watch::Watch;
use parlance_store::{Place, measure};
use tokio::net::TcpListener;

use super::heeding;
use super::subject::{PUBLIC_URL, Subject};
use super::usage::Usage;
use crate::Door;
use crate::load::Sent;

/// What a hook is answered.
const ANSWER: &str = "<Response/>";

/// How much of the work is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Variant {
    /// The body is read and answered: axum alone.
    Bare,
    /// The same, after the form was read and its signature verified, with the account in memory.
    Verified,
    /// Everything: the product's own routes, layers and connections, and the message on disk.
    Durable,
}

/// A variant, listening.
pub(super) struct Target {
    pub(super) name: String,
    pub(super) variant: Variant,
    /// Which database, by its place in the list.
    pub(super) subject: usize,
    /// How many of its orgs are written to.
    pub(super) orgs: usize,
    pub(super) address: SocketAddr,
}

/// What a round came to.
#[derive(Debug)]
pub(super) struct Round {
    pub(super) sent: Sent,
    /// During the round and until every consumer had read it.
    pub(super) usage: Usage,
    /// The largest size of the write-ahead log that was seen, in bytes.
    pub(super) wal: Option<u64>,
    /// How long consumers took after the last answer.
    pub(super) drained: Duration,
}

/// Listens, and serves this variant of the hook.
pub(super) async fn listen(subject: &Subject, variant: Variant, door: Door) -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(Error::internal)?;
    let address = listener.local_addr().map_err(Error::internal)?;
    let app = &subject.app;
    match variant {
        Variant::Durable => door(app, parlance_api::router(app.clone(), &Options::default()), listener),
        Variant::Bare => serve(app, bare(), listener),
        Variant::Verified => serve(app, verified(subject.accounts[0].clone()), listener),
    }
    Ok(address)
}

/// Serves with axum's own loop, as long as the application runs.
pub(super) fn serve(app: &App, router: Router, listener: TcpListener) {
    let tasks = app.tasks().clone();
    app.tasks().spawn(async move {
        tokio::select! {
            _ = axum::serve(listener, router) => {}
            () = tasks.stopping() => {}
        }
    });
}

fn bare() -> Router {
    Router::new().fallback(async |_body: Bytes| ([(CONTENT_TYPE, "text/xml")], ANSWER))
}

fn verified(account: Account) -> Router {
    Router::new().fallback(verify).with_state(Arc::new(account))
}

async fn verify(State(account): State<Arc<Account>>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> impl IntoResponse {
    let channel = parlance_channels::of(Provider::Twilio);
    let urls = [format!("{PUBLIC_URL}{uri}")];
    let hook = Hook { method: method.as_str(), urls: &urls, headers: &headers, body: &body };
    let claim = channel.read(&hook);
    let genuine = claim.account_name().is_ok_and(|claimed| claimed == channel.account_name(&account));
    let fits = genuine && claim.verify(&account) && matches!(claim.parse(&account), Parsed::Apply(_));
    (if fits { StatusCode::OK } else { StatusCode::FORBIDDEN }, [(CONTENT_TYPE, "text/xml")], ANSWER)
}

/// Lets the client send, and measures. With `place`, every answer has to be a row there afterwards, seen through another connection.
///
/// # Errors
/// `requests_failed`, `not_all_stored`, `not_drained`; `cancelled`; those of the database.
pub(super) async fn round(
    app: &App,
    place: Option<&Place>,
    sending: impl Future<Output = Result<Sent>>,
    watch: &dyn Watch,
) -> Result<Round> {
    let stored = count(place).await?;
    let before = Usage::now(app.registry())?;
    let mut wal = None;
    let sent = heeding(watch, sending, || wal = wal.max(place.and_then(measure::wal_bytes))).await?;
    let ended = Instant::now();
    if place.is_some() {
        heeding(watch, app.drain_search(), || ()).await?;
    }
    let (drained, usage) = (ended.elapsed(), Usage::now(app.registry())?.since(before));
    all_answered(&sent)?;
    if let (Some(stored), Some(now)) = (stored, count(place).await?)
        && now - stored != sent.answered
    {
        let text =
            format!("{} requests were answered with 200, and {} messages are stored. Nothing is reported.", sent.answered, now - stored);
        return Err(Error::conflict("not_all_stored", text));
    }
    let behind = if place.is_some() { app.search_lag().await? } else { 0 };
    if behind != 0 {
        return Err(Error::conflict("not_drained", format!("A consumer of the event log lacks {behind} events. Nothing is reported.")));
    }
    Ok(Round { sent, usage, wal, drained })
}

/// Refuses a round in which something was answered otherwise than it has to be, or nothing at all.
///
/// # Errors
/// `requests_failed`.
pub(super) fn all_answered(sent: &Sent) -> Result<()> {
    if sent.failed == 0 && sent.answered > 0 {
        return Ok(());
    }
    let text = format!("{} requests were answered, and {} connections broke or were refused.", sent.answered, sent.failed);
    let text = [Some(text), sent.failure.clone()].into_iter().flatten().collect::<Vec<_>>().join(" ");
    Err(Error::conflict("requests_failed", text))
}

async fn count(place: Option<&Place>) -> Result<Option<u64>> {
    let Some(place) = place.cloned() else { return Ok(None) };
    tokio::task::spawn_blocking(move || measure::messages(&place)).await.map_err(Error::internal)?.map(Some)
}

#[cfg(test)]
mod tests {
    use parlance_store::watch::Unwatched;
    use parlance_testkit::{Database, both_databases};

    use super::super::fresh;
    use super::super::subject::{Home, Size, Subject};
    use super::{Round, Variant, listen, round};
    use crate::load::{Load, Plan, What};

    /// A round of so many requests at a variant that claims to store them, on a database with a hundred messages.
    async fn claimed(database: Database, variant: Variant, requests: u64) -> parlance_model::Result<Round> {
        let (fresh, place) = tokio::task::spawn_blocking(move || fresh(database)).await.unwrap();
        let size = Size { orgs: 2, messages: 100, conversations: 10, varied: false };
        let make = move || Subject::make(Home::Borrowed, place, size, &Unwatched::default());
        let mut subject = tokio::task::spawn_blocking(make).await.unwrap().unwrap();
        let address = listen(&subject, variant, super::serve).await.unwrap();
        let what = What::Hooks { traffic: subject.traffic(2, requests), count: requests };
        let plan = Plan { address, connections: 4, lasts_ms: 60_000, pause_ms: 0, again: false, what };
        let load = Load::ready(plan).await.unwrap();
        let result = round(&subject.app, Some(&subject.place), load.run(), &Unwatched::default()).await;
        drop(subject.end().await);
        drop(fresh);
        result
    }

    both_databases! {
        async fn what_was_answered_is_stored_and_counted_by_another_connection(database) {
            let round = claimed(database, Variant::Durable, 50).await.unwrap();
            assert_eq!((round.sent.answered, round.sent.failed), (50, 0));
            assert!(round.usage.commits > 0 && round.usage.cpu_us > 0, "{round:?}");
        }

        async fn answers_without_rows_are_never_reported(database) {
            let refused = claimed(database, Variant::Bare, 50).await.unwrap_err();
            assert_eq!(refused.code(), "not_all_stored", "{refused:?}");
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_request_that_is_refused_is_never_reported() {
        // Half of the requests are for the second org's account, which the variant does not know.
        let refused = claimed(Database::Sqlite, Variant::Verified, 50).await.unwrap_err();
        assert_eq!(refused.code(), "requests_failed", "{refused:?}");
    }
}
