//! HTTP: routes, extractors, dialects and the OpenAPI document.
//!
//! This crate turns requests into calls of `app` and answers into bytes. It decides nothing: no SQL, no provider's
//! format, no rule of conversations. [`router`] is all that the binary needs.
//!
//! A request passes, from the outside in: its id and log span (`request_id`), the panic guard, and, in the API proper, the
//! caller (`auth`), the dialect (`dialects`), the body's limit (`body`), the idempotency key (`idempotency`), the handler.

mod auth;
mod body;
mod cookie;
mod cursor;
mod dialects;
mod health;
mod hooks;
mod idempotency;
mod json;
mod media;
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

use aide::openapi::OpenApi;
use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use parlance_app::App;
use tower_http::catch_panic::CatchPanicLayer;

/// Everything that is answered over HTTP, with all its layers, to be mounted at the root.
///
/// Describes itself at `/openapi.json` and, for people, at `/docs`; the document is built here, once.
pub fn router(app: App) -> Router {
    let mut described = OpenApi::default();
    let open = health::routes().merge(media::routes()).merge(hooks::routes().layer(from_fn(body::take))).finish_api(&mut described);
    let (unified, unified_described) = dialects::router(&app);
    let document = openapi::document(vec![("", described), (dialects::unified::BASE, unified_described)]);
    open.merge(openapi::route(openapi::text(&document)))
        .merge(reference::routes(document.into()))
        .merge(setup::routes().layer(from_fn(body::take)))
        .nest(dialects::unified::BASE, unified)
        .method_not_allowed_fallback(problem::method_not_allowed)
        .fallback(problem::no_such_path)
        .layer(CatchPanicLayer::custom(problem::of_panic))
        .layer(from_fn_with_state(app.clone(), request_id::identify))
        .with_state(app)
}
