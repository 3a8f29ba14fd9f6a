//! `Idempotency-Key`: a POST that is repeated with the same key acts once, and is answered what the first was answered.
//!
//! The layer runs the handler in a task of its own, so that a client that goes away does not stop what it has begun. While it runs, the
//! key is kept taken by signs of life, so that only a run whose process died is run again. A message that was made is tied to
//! the key in its own transaction (`store::idempotency`), so not even a crash between the handler and the stored answer
//! makes a second one.

use std::time::Duration;

use aide::OperationInput;
use axum::body::Body;
use axum::extract::{FromRequestParts, OriginalUri, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use parlance_app::{App, Begun, RUNNING_MS};
use parlance_model::error::Kind;
use parlance_model::key::Principal;
use parlance_model::{Error, Result};
use sha2::{Digest as _, Sha256};
use tokio::sync::oneshot;
use tracing::Instrument as _;

use crate::auth::Caller;
use crate::body;
use crate::problem::{self, Answer, Problem};
use crate::request_id::RequestId;

/// The most characters of a key.
pub(crate) const LONGEST: usize = 255;

/// Between two signs of life: two may be lost before the run is taken for dead.
const BEAT: Duration = Duration::from_millis(RUNNING_MS.unsigned_abs() / 3);

const HEADER: &str = "idempotency-key";
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// The layer. It stands inside `body::take`: the body is in memory.
pub(crate) async fn once(State(app): State<App>, Caller(who): Caller, request: Request, next: Next) -> Answer<Response> {
    let (Some(who), Some(key)) = (who, key_of(request.method(), request.headers())?) else { return Ok(next.run(request).await) };
    let (parts, body) = request.into_parts();
    let body = body::read(body).await?;
    let called = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |original| &original.0);
    let hash = hash(&[parts.method.as_str(), called.path_and_query().map_or("", |called| called.as_str())], &body);
    // Once the key is taken, the handler runs: both in a task of their own, so that no client goes away in between.
    let once = run_once(app.clone(), who, key, hash, Request::from_parts(parts, Body::from(body)), next);
    match app.tasks().spawn(once.in_current_span()).await {
        Ok(answer) => answer,
        // The panic guard outside makes an answer of it. The key stays taken until its time as a running request is over.
        Err(ended) => match ended.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(Error::unavailable("The server is stopping. Try again in a moment.", 2).into()),
        },
    }
}

async fn run_once(app: App, who: Principal, key: String, hash: [u8; 32], request: Request, next: Next) -> Answer<Response> {
    match begin(&app, &who, &key, hash).await? {
        Turn::Run(number) => {
            let id = request.extensions().get::<RequestId>().cloned();
            Ok(run(&app, &who, (&key, number), id.as_ref(), next.run(request)).await)
        }
        Turn::Replay(response) => Ok(response),
    }
}

/// Whose turn it is.
pub(crate) enum Turn {
    /// This request's: it is to be given to [`run`] with this number.
    Run(i64),
    /// It was run before, and answered this.
    Replay(Response),
}

/// Begins a request with this key. `hash` says what it asks for.
///
/// # Errors
/// `idempotency_running`; `idempotency_mismatch`; those of the database.
pub(crate) async fn begin(app: &App, who: &Principal, key: &str, hash: [u8; 32]) -> Result<Turn> {
    match app.begin_once(who, key, hash).await? {
        Begun::Run(number) => Ok(Turn::Run(number)),
        Begun::Replay { status, body } => Ok(Turn::Replay(replay(status, body))),
        Begun::Running => {
            let text = "The first request with this Idempotency-Key is still running. Ask again in a moment.";
            Err(Error::conflict("idempotency_running", text).with_retry_after(1))
        }
        Begun::Mismatch => {
            let text = "This Idempotency-Key was used for another request. Use a new one for each request.";
            Err(Error::refused("idempotency_mismatch", text))
        }
    }
}

/// Runs a request whose turn it is, and keeps its answer or frees the key. `id` is the request's.
pub(crate) async fn run(
    app: &App,
    who: &Principal,
    (key, number): (&str, i64),
    id: Option<&RequestId>,
    handler: impl Future<Output = Response>,
) -> Response {
    let (ended, end_of_handler) = oneshot::channel::<()>();
    let handled = async {
        let response = handler.await;
        drop(ended);
        response
    };
    // Side by side in one task: a panic ends both, and a sign of life that is under way is waited for, since it changes the number.
    let (response, number) = tokio::join!(handled, stay_alive(app, who, (key, number), end_of_handler));
    end(app, who, (key, number), id, response).await
}

/// Keeps the key taken until the handler has ended. Answers the run's number by then.
async fn stay_alive(app: &App, who: &Principal, (key, mut number): (&str, i64), mut end: oneshot::Receiver<()>) -> i64 {
    while tokio::time::timeout(BEAT, &mut end).await.is_err() {
        match app.go_on_once(who, key, number).await {
            Ok(Some(next)) => number = next,
            Ok(None) => {
                tracing::warn!("a request with an idempotency key was taken for dead while it ran; a repetition may run beside it");
                break;
            }
            Err(error) => tracing::warn!(?error, "a request with an idempotency key could not show that it goes on; trying again"),
        }
    }
    number
}

/// In a response's extensions: the body that is kept in place of the one that is sent, where that has a secret in it.
#[derive(Debug, Clone)]
pub(crate) struct Kept(pub(crate) Bytes);

/// The request's key, for a handler that ties what it makes to it.
#[derive(Debug)]
pub(crate) struct Once(pub(crate) Option<String>);

impl<S: Sync> FromRequestParts<S> for Once {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Answer<Self> {
        Ok(Self(key_of(&parts.method, &parts.headers)?))
    }
}

/// The header is documented with the layer.
impl OperationInput for Once {}

pub(crate) fn key_of(method: &Method, headers: &HeaderMap) -> Result<Option<String>> {
    if *method != Method::POST {
        return Ok(None);
    }
    let mut given = headers.get_all(HEADER).into_iter();
    let Some(first) = given.next() else { return Ok(None) };
    let key = first.to_str().ok().filter(|key| (1..=LONGEST).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic()));
    match key {
        Some(key) if given.next().is_none() => Ok(Some(key.to_owned())),
        _ => {
            let text = format!("`Idempotency-Key` must be given once, as 1 to {LONGEST} visible ASCII characters.");
            Err(Error::new(Kind::Malformed, "bad_header", text))
        }
    }
}

/// What makes two requests the same: the texts, each ended by a byte that they cannot hold, and the body.
pub(crate) fn hash(texts: &[&str], body: &[u8]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for text in texts {
        hasher.update(text.as_bytes());
        hasher.update([0]);
    }
    hasher.update(body);
    hasher.finalize().into()
}

/// Keeps the answer of a run, or frees the key when trying again makes sense.
async fn end(app: &App, who: &Principal, (key, number): (&str, i64), id: Option<&RequestId>, response: Response) -> Response {
    let response = problem::finish(response, id.map_or("", |id| &id.0));
    let (parts, body) = response.into_parts();
    // Answers are made in memory, so reading one cannot fail.
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    // What says when to ask again must not be answered for a day.
    let limited = parts.status == StatusCode::TOO_MANY_REQUESTS;
    let again = limited || parts.status.is_server_error() || parts.headers.contains_key(RETRY_AFTER);
    let kept = parts.extensions.get::<Kept>().map_or(&body, |kept| &kept.0);
    let answer = (!again).then(|| (parts.status.as_u16(), kept.to_vec()));
    if let Err(error) = app.end_once(who, key, number, answer).await {
        tracing::warn!(?error, "the answer to a request with an idempotency key could not be kept; a repetition runs again");
    }
    Response::from_parts(parts, Body::from(body))
}

fn replay(status: i64, body: Vec<u8>) -> Response {
    let status = u16::try_from(status).ok().and_then(|status| StatusCode::from_u16(status).ok()).unwrap_or(StatusCode::OK);
    let content_type = if status.is_success() { "application/json" } else { problem::MEDIA_TYPE };
    let headers = [(CONTENT_TYPE, HeaderValue::from_static(content_type)), (REPLAYED, HeaderValue::from_static("true"))];
    (status, headers, Bytes::from(body)).into_response()
}

#[cfg(test)]
mod tests;
