//! HTTP: routes, extractors, dialects and the OpenAPI document.
//!
//! This crate turns requests into calls of `app` and answers into bytes. It decides nothing: no SQL, no provider's
//! format, no rule of conversations. [`router`] is all that the binary needs.
//!
//! A request passes, from the outside in: its id and log span (`request_id`), the panic guard, compression, and, in the API proper,
//! the caller (`auth`) and how often they may ask (`limit`), the dialect (`dialects`), the body's limit (`body`), the
//! idempotency key (`idempotency`), the handler.

mod auth;
mod body;
mod compression;
mod cookie;
mod cursor;
mod dialects;
mod etag;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod health;
mod hooks;
mod idempotency;
mod json;
mod limit;
mod media;
mod metrics;
mod moment;
mod openapi;
mod path;
mod permission;
mod place;
mod prefer;
mod problem;
mod query;
mod reference;
mod request_id;
mod setup;
mod upload;
mod value;

use std::sync::Arc;

use aide::openapi::OpenApi;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::{Extension, Router};
use parlance_app::App;
use serde_json::Value;
use tower_http::catch_panic::CatchPanicLayer;

use crate::etag::Form;
use crate::limit::Limits;
use crate::metrics::Requests;
use crate::request_id::Outermost;

/// Requests a minute for each key, when an operator says nothing.
pub const RATE_LIMIT: u32 = 600;

/// What an operator chooses.
#[derive(Clone, Default)]
pub struct Options {
    /// Requests that a key or a session may make in a minute; 0 for any number.
    pub rate_limit: u32,
    /// Opens `/metrics` to whoever shows it. Without one, `/metrics` answers to this machine alone.
    pub metrics_token: Option<String>,
}

/// Everything that is answered over HTTP, with all its layers, to be mounted at the root.
///
/// Describes itself at `/openapi.json` and, for people, at `/docs`, with a document that is made when it is first asked for.
pub fn router(app: App, options: &Options) -> Router {
    let limits = Arc::new(Limits::new(&app, options.rate_limit));
    let requests = Requests::new(&app);
    let (mut open_described, mut unified_described) = Default::default();
    let open = open(&mut open_described);
    let unified = dialects::router(&app, Arc::clone(&limits), &mut unified_described);
    let form = Form::of(&[open_described, unified_described], app.links_print());
    let routes = open
        .merge(openapi::route(document))
        .merge(reference::routes(document))
        .merge(setup::routes().layer(from_fn(body::take)))
        .merge(metrics::route(options.metrics_token.as_deref(), limits))
        .nest(dialects::unified::BASE, unified.layer(Extension(form)))
        .method_not_allowed_fallback(problem::method_not_allowed)
        .fallback(problem::no_such_path);
    compression::around(routes)
        .layer(CatchPanicLayer::custom(problem::of_panic))
        .layer(from_fn_with_state(Outermost { app: app.clone(), requests }, request_id::identify))
        .with_state(app)
}

/// The routes outside of the dialects, which describe themselves.
fn open(described: &mut OpenApi) -> Router<App> {
    health::routes().merge(media::routes()).merge(hooks::routes().layer(from_fn(body::take))).finish_api(described)
}

/// The OpenAPI document, of routes that are made for it alone: those that serve need not keep what they say of themselves.
fn document() -> Value {
    let (mut open_described, mut unified_described) = Default::default();
    drop((open(&mut open_described), dialects::routes(&mut unified_described)));
    openapi::document(vec![("", open_described), (dialects::unified::BASE, unified_described)])
}
