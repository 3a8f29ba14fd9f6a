//! The first run in the browser: `/setup?token=…`, the form that makes the first org and its owner. Outside of the API and of its
//! description, because it exists until there is an org and never again.

mod countries;
mod page;

use std::convert::Infallible;

use axum::Router;
use axum::extract::{FromRequestParts, State};
use axum::response::Response;
use axum::routing::get;
use bytes::Bytes;
use http::header::{RETRY_AFTER, SET_COOKIE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Uri};
use parlance_app::App;
use parlance_app::first_run::Founding;
use parlance_model::Error;
use parlance_model::error::Kind;
use parlance_model::place::Place;

use crate::problem::{Answer, status_of};
use crate::{cookie, place};

/// Where it is.
const PATH: &str = "/setup";

pub(crate) fn routes() -> Router<App> {
    Router::new().route(PATH, get(show).post(found))
}

/// Where a request comes from: wrong tokens are counted by it.
struct Whence(Place);

impl<S: Sync> FromRequestParts<S> for Whence {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(place::of(&parts.extensions)))
    }
}

async fn show(State(app): State<App>, Whence(from): Whence, uri: Uri, headers: HeaderMap) -> Answer<Response> {
    let (token, _) = read(uri.query().unwrap_or_default().as_bytes());
    match app.check_first_run(&token, from).await {
        Ok(()) => {
            let typed = Founding { region: countries::likely(&headers).to_owned(), ..Founding::default() };
            Ok(page::form(&token, &typed, None)?)
        }
        Err(error) => refused(&error),
    }
}

/// The form's own token stands for the caller, so no `Origin` is asked for: under our referrer policy browsers send `null`.
async fn found(State(app): State<App>, Whence(from): Whence, body: Bytes) -> Answer<Response> {
    let (token, typed) = read(&body);
    match app.found(&token, from, typed.clone()).await {
        Ok(founded) => {
            let mut response = page::done(&founded, app.public_url())?;
            response.headers_mut().append(SET_COOKIE, cookie::set(&app, Some(&founded.session))?);
            Ok(response)
        }
        Err(error) if [Kind::NotFound, Kind::RateLimited].contains(&error.kind()) => refused(&error),
        Err(error) => {
            log(&error);
            Ok(page::form(&token, &typed, Some(&error))?)
        }
    }
}

/// The token and what was typed, of a body or a query. A field that is missing is empty.
fn read(body: &[u8]) -> (String, Founding) {
    let (mut token, mut typed) = (String::new(), Founding::default());
    for (name, value) in form_urlencoded::parse(body) {
        let field = match &*name {
            "token" => &mut token,
            "org_name" => &mut typed.org_name,
            "slug" => &mut typed.slug,
            "region" => &mut typed.region,
            "name" => &mut typed.name,
            "email" => &mut typed.email,
            "password" => &mut typed.password,
            "password_again" => &mut typed.password_again,
            _ => continue,
        };
        *field = value.into_owned();
    }
    (token, typed)
}

/// The page in place of the form.
fn refused(error: &Error) -> Answer<Response> {
    let heading = match error.kind() {
        Kind::NotFound => "This link is not valid",
        Kind::RateLimited => "Please wait",
        _ => "Not now",
    };
    log(error);
    let mut response = page::message(status_of(error.kind()), heading, error.message())?;
    if let Some(seconds) = error.retry_after_s() {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    Ok(response)
}

/// Logs what is our fault: these pages are no problems, which log themselves.
fn log(error: &Error) {
    match error.kind() {
        Kind::Internal => tracing::error!(?error, "the first run failed"),
        Kind::Unavailable => tracing::warn!(?error, "the first run cannot be served now"),
        _ => {}
    }
}
