//! What is measured of requests, and `/metrics`, where Prometheus reads all that is measured.
//!
//! With a token, whoever shows it may read. Without one, only a caller on this machine: and only while the public URL is this
//! machine too, because behind a proxy everybody seems to call from here.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::IntoResponse as _;
use axum::routing::get;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, FORWARDED, VIA};
use http::{HeaderMap, HeaderName, Method, StatusCode};
use metrics::{Counter, Histogram};
use parlance_app::App;
use parlance_model::Error;
use parlance_model::error::Kind;
use parlance_model::place::Place;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::limit::Limits;
use crate::problem::{self, Answer};
use crate::{auth, place};

/// Prometheus's text format.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
/// What proxies add to the requests that they hand on.
const HANDED_ON: [HeaderName; 6] = [
    FORWARDED,
    VIA,
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-proto"),
    HeaderName::from_static("x-real-ip"),
];

/// `/metrics`, which the OpenAPI document leaves out: it belongs to the machine and not to an org.
pub(crate) fn route(token: Option<&str>, limits: Arc<Limits>) -> Router<App> {
    let wanted: Option<[u8; 32]> = token.map(|token| Sha256::digest(token).into());
    let page = move |State(app): State<App>, request: Request| async move {
        let from = place::of(request.extensions());
        match &wanted {
            Some(wanted) => shows_token(&limits, from, wanted, request.headers())?,
            None => calls_from_here(&app, from, request.headers())?,
        }
        let page = app.metrics().await;
        Ok::<_, problem::Problem>(([(CONTENT_TYPE, TEXT), (CACHE_CONTROL, "no-store")], page).into_response())
    };
    Router::new().route("/metrics", get(page))
}

fn shows_token(limits: &Limits, from: Place, wanted: &[u8; 32], headers: &HeaderMap) -> Answer<()> {
    let missing = || Error::new(Kind::Unauthenticated, "unauthenticated", "This needs the token that --metrics-token sets.");
    let given = auth::bearer(headers).ok_or_else(missing)?;
    let hash: [u8; 32] = Sha256::digest(given).into();
    if bool::from(hash.ct_eq(wanted)) {
        return Ok(());
    }
    limits.wrong(from)?;
    Err(missing().into())
}

fn calls_from_here(app: &App, from: Place, headers: &HeaderMap) -> Answer<()> {
    let handed_on = HANDED_ON.iter().any(|name| headers.contains_key(name));
    if from.is_loopback() && !handed_on && is_here(app.public_url()) {
        return Ok(());
    }
    let text = "Metrics are for callers on this machine, without a proxy. --metrics-token opens them to those who have the token.";
    Err(Error::new(Kind::NotFound, "not_found", text).into())
}

/// Whether a URL names this machine's loopback.
fn is_here(url: &str) -> bool {
    let host = url.split_once("://").map_or("", |(_, rest)| rest.split('/').next().unwrap_or_default());
    let address = host.parse().map(|address: SocketAddr| address.ip()).or_else(|_| host.trim_matches(['[', ']']).parse());
    match address {
        Ok(address) => address.is_loopback(),
        Err(_) => host.split(':').next() == Some("localhost"),
    }
}

/// What is measured of requests. The labels are routes, methods and classes of status: all closed sets.
#[derive(Clone)]
pub(crate) struct Requests {
    app: App,
    routes: Arc<RwLock<HashMap<Box<str>, Arc<Route>>>>,
}

/// Methods that are told apart.
const METHODS: [Method; 7] = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];

/// The handles of a route: by method, with one more for all other methods.
#[derive(Default)]
struct Route([OnceLock<Handles>; METHODS.len() + 1]);

struct Handles {
    duration: Histogram,
    /// By the status's first digit.
    answered: [OnceLock<Counter>; 6],
}

impl Requests {
    pub(crate) fn new(app: &App) -> Self {
        Self { app: app.clone(), routes: Arc::default() }
    }

    /// Counts an answered request.
    pub(crate) fn count(&self, route: &str, method: &Method, status: StatusCode, took: Duration) {
        let found = self.routes.read().unwrap_or_else(PoisonError::into_inner).get(route).cloned();
        let handles = found.unwrap_or_else(|| {
            let mut routes = self.routes.write().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(routes.entry(route.into()).or_default())
        });
        let number = METHODS.iter().position(|known| known == method).unwrap_or(METHODS.len());
        let name = METHODS.get(number).map_or("other", Method::as_str);
        let registry = self.app.registry();
        let handles = handles.0[number].get_or_init(|| {
            let help = "Requests, until the answer began.";
            let labels = [("route", route), ("method", name)];
            Handles { duration: registry.histogram("parlance_http_request_duration_seconds", help, &labels), answered: Default::default() }
        });
        handles.duration.record(took);
        let class = usize::from(status.as_u16() / 100).min(5);
        let words = ["0xx", "1xx", "2xx", "3xx", "4xx", "5xx"];
        let counter = handles.answered[class].get_or_init(|| {
            let labels = [("route", route), ("method", name), ("status", words[class])];
            registry.counter("parlance_http_requests_total", "Requests, by the class of the answer's status.", &labels)
        });
        counter.increment(1);
    }
}

#[cfg(test)]
mod tests {
    use super::is_here;

    #[test]
    fn only_loopback_is_here() {
        for url in [
            "http://127.0.0.1:8080",
            "http://[::1]:8080",
            "http://127.0.0.1",
            "http://[::1]",
            "http://localhost",
            "http://localhost:8080/x",
        ] {
            assert!(is_here(url), "{url}");
        }
        for url in
            ["https://chat.example.com", "http://10.0.0.1:8080", "http://localhost.example.com", "http://127.0.0.1.example.com:80", ""]
        {
            assert!(!is_here(url), "{url}");
        }
    }
}
