//! Where files lie: another origin than the API, with links that need no credentials. Whoever follows a redirect
//! with the API's password in hand has given it away, so a request that brings credentials is refused and noted.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{StatusCode, header};

use super::message::{Media, SimMessage};
use super::state::Inner;
use super::voice::audio;

/// The length of a SID.
const SID_LEN: usize = 34;

pub(crate) fn router(inner: &Arc<Inner>) -> Router {
    Router::new()
        .route("/media/{sids}", get(media))
        .route("/recordings/{file}", get(recording))
        .layer(middleware::from_fn_with_state(Arc::clone(inner), without_credentials))
        .with_state(Arc::clone(inner))
}

/// The link to a file. It carries both SIDs, which nobody can guess: that is its signature.
pub(crate) fn media_url(inner: &Inner, message: &SimMessage, media: &Media) -> String {
    format!("{}media/{}{}", inner.cdn_url, message.sid, media.sid)
}

/// The link to a recording as `wav` or `mp3`.
pub(crate) fn recording_url(inner: &Inner, sid: &str, kind: &str) -> String {
    format!("{}recordings/{sid}.{kind}", inner.cdn_url)
}

async fn without_credentials(State(inner): State<Arc<Inner>>, request: Request, next: Next) -> Response {
    if [header::AUTHORIZATION, header::COOKIE].iter().any(|name| request.headers().contains_key(name)) {
        inner.record_leak(request.uri().path());
        return (StatusCode::BAD_REQUEST, "Credentials do not belong here.").into_response();
    }
    next.run(request).await
}

async fn media(State(inner): State<Arc<Inner>>, Path(sids): Path<String>) -> Response {
    let file = sids.split_at_checked(SID_LEN).and_then(|(message_sid, media_sid)| {
        let messages = inner.messages();
        let message = messages.get(message_sid)?;
        let media = message.media.iter().find(|media| media.sid == media_sid)?;
        Some((message.customer().to_owned(), media.content_type.clone(), media.data.clone()?))
    });
    let Some((customer, content_type, data)) = file else { return StatusCode::NOT_FOUND.into_response() };
    gone(&inner, &customer).unwrap_or_else(|| ([(header::CONTENT_TYPE, content_type)], data).into_response())
}

async fn recording(State(inner): State<Arc<Inner>>, Path(file): Path<String>) -> Response {
    let Some((customer, content_type, data)) = audio(&inner, &file) else { return StatusCode::NOT_FOUND.into_response() };
    gone(&inner, &customer).unwrap_or_else(|| ([(header::CONTENT_TYPE, content_type)], data).into_response())
}

/// The answer of a link that is dead, if it is to be one.
fn gone(inner: &Inner, customer: &str) -> Option<Response> {
    let status = inner.faults.take_media_gone(customer)?;
    Some(StatusCode::from_u16(status).unwrap_or(StatusCode::NOT_FOUND).into_response())
}
