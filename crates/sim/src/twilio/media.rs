//! Files of messages: their resources, and the way to the bytes as at Twilio, Basic auth first and then a redirect to a
//! link that needs none.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::{HeaderMap, StatusCode, Uri, header};

use super::listing;
use super::refusal::Refusal;
use super::resource;
use super::rest::stem;
use super::state::Inner;

/// The length of a SID.
const SID_LEN: usize = 34;

pub(crate) fn router() -> Router<Arc<Inner>> {
    Router::new()
        .route("/2010-04-01/Accounts/{account}/Messages/{file}/Media.json", get(list))
        .route("/2010-04-01/Accounts/{account}/Messages/{file}/Media/{media}", get(fetch))
        .route("/sim-media/{sids}", get(content))
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
    // The link carries both SIDs, which nobody can guess: that is its signature.
    let location = match media.data {
        Some(_) => format!("{}sim-media/{}{}", inner.base_url, message.sid, media.sid),
        None => media.url.clone(),
    };
    Ok((StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, location)]).into_response())
}

/// What a customer sent, without credentials: Twilio's own redirect leads to such a link.
async fn content(State(inner): State<Arc<Inner>>, Path(sids): Path<String>, uri: Uri) -> Result<Response, Refusal> {
    let missing = || Refusal::not_found(uri.path());
    let (message_sid, media_sid) = sids.split_at_checked(SID_LEN).ok_or_else(missing)?;
    let messages = inner.messages();
    let media = messages.get(message_sid).and_then(|message| message.media.iter().find(|media| media.sid == media_sid));
    let media = media.ok_or_else(missing)?;
    let data = media.data.clone().ok_or_else(missing)?;
    Ok(([(header::CONTENT_TYPE, media.content_type.clone())], data).into_response())
}
