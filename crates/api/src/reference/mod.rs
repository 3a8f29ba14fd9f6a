//! The reference at `/docs`, for people: rendered from the OpenAPI document when it is first asked for, readable without
//! scripts, and made of nothing that another host would have to send. `decisions/0014` says why it is not a bundled viewer.
//!
//! `view.rs` turns the document into what the templates show; the guides are the Markdown files in `guides/`.

mod guide;
mod schema;
mod view;

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::Path;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderName, HeaderValue, StatusCode};
use minijinja::value::Serde;
use minijinja::{Environment, context};
use parlance_model::error::Kind;
use parlance_model::{Error, Result};
use serde_json::Value;

use crate::problem::{self, Answer, Problem};

/// Nothing from elsewhere, nothing inline, no frame around it.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";
const HTML: &str = "text/html; charset=utf-8";
const CHANGELOG: &str = include_str!("../../../../docs/api-changelog.md");

/// The routes of the reference.
pub(crate) fn routes<S: Clone + Send + Sync + 'static>(document: fn() -> Value) -> Router<S> {
    let (page, log) = (Arc::new(OnceLock::new()), Arc::new(OnceLock::new()));
    let reference = move || async move { rendered(&page, || render_reference(&document())) };
    let changelog = move || async move { rendered(&log, render_changelog) };
    Router::new()
        .route("/docs", get(reference.clone()))
        .route("/docs/", get(reference))
        .route("/docs/changelog", get(changelog))
        .route("/docs/page.css", get(async || file("text/css; charset=utf-8", include_str!("page.css").into())))
        .route("/docs/page.js", get(async || file("text/javascript; charset=utf-8", include_str!("page.js").into())))
        .route("/problems/{code}", get(meaning))
}

/// The `type` of every problem leads to what it means.
async fn meaning(Path(code): Path<String>) -> Answer<Response> {
    match problem::known(&code) {
        Some(known) => Ok((StatusCode::FOUND, [(LOCATION, format!("/docs#problem-{}", known.code))]).into_response()),
        None => Err(Error::new(Kind::NotFound, "not_found", "No problem has this code. /docs#problems lists those that there are.").into()),
    }
}

/// A page that is rendered once.
fn rendered(page: &OnceLock<Bytes>, render: impl FnOnce() -> Result<String>) -> Answer<Response> {
    if let Some(bytes) = page.get() {
        return Ok(file(HTML, bytes.clone()));
    }
    let made = render().map_err(Problem::from)?;
    Ok(file(HTML, page.get_or_init(|| made.into()).clone()))
}

fn file(content_type: &'static str, bytes: Bytes) -> Response {
    let headers: [(HeaderName, HeaderValue); 5] = [
        (CONTENT_TYPE, HeaderValue::from_static(content_type)),
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        // A new version of the server shows its own page at once.
        (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    (headers, bytes).into_response()
}

fn render_reference(document: &Value) -> Result<String> {
    render("reference.html", &context! { page => Serde(view::page(document)) })
}

fn render_changelog() -> Result<String> {
    render("changelog.html", &context! { text => guide::html(CHANGELOG), version => env!("CARGO_PKG_VERSION") })
}

fn render(name: &str, values: &minijinja::Value) -> Result<String> {
    let mut templates = Environment::new();
    for (name, source) in [
        ("frame.html", include_str!("frame.html")),
        ("reference.html", include_str!("reference.html")),
        ("changelog.html", include_str!("changelog.html")),
        ("rows.html", include_str!("rows.html")),
    ] {
        templates.add_template(name, source).map_err(Error::internal)?;
    }
    templates.get_template(name).and_then(|template| template.render(values)).map_err(Error::internal)
}
