//! Files of messages: their resources, and the first half of the way to the bytes, Basic auth and then a redirect to
//! another host. The second half is `cdn.rs`.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::{HeaderMap, StatusCode, Uri, header};

use super::cdn;
use super::listing;
use super::refusal::Refusal;
use super::resource;
use super::rest::stem;
use super::state::Inner;

pub(crate) fn router() -> Router<Arc<Inner>> {
    Router::new()
        .route("/2010-04-01/Accounts/{account}/Messages/{file}/Media.json", get(list))
        .route("/2010-04-01/Accounts/{account}/Messages/{file}/Media/{media}", get(fetch))
}

async fn list(
    State(inner): State<Arc<Inner>>,
    Path((account_sid, message_sid)): Path<(String, String)>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, Refusal> {
    let account = inner.authenticate(&headers, &account_sid, uri.path())?;
    let message = inner.message_of(&account, &message_sid).ok_or_else(|| Refusal::not_found(uri.path()))?;
    Ok(Json(listing::media(uri.path(), &message)).into_response())
}

/// The resource with `.json`; without it the file itself, by way of a redirect that needs no credentials.
async fn fetch(
    State(inner): State<Arc<Inner>>,
    Path((account_sid, message_sid, file)): Path<(String, String, String)>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, Refusal> {
    let account = inner.authenticate(&headers, &account_sid, uri.path())?;
    let message = inner.message_of(&account, &message_sid);
    let media = message.iter().flat_map(|message| &message.media).find(|media| media.sid == stem(&file));
    let (Some(message), Some(media)) = (&message, media) else { return Err(Refusal::not_found(uri.path())) };
    if file.ends_with(".json") {
        return Ok(Json(resource::media(message, media)).into_response());
    }
    if inner.faults.take_media_late(message.customer()) {
        return Err(Refusal::not_found(uri.path()));
    }
    let location = match media.data {
        Some(_) => cdn::media_url(&inner, message, media),
        None => media.url.clone(),
    };
    let location = inner.faults.take_media_redirect(message.customer()).unwrap_or(location);
    Ok((StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, location)]).into_response())
}
