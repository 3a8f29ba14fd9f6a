//! The outermost layer: every request has an id, which stands in its answer, in its problem and on its log lines; one line of the log,
//! at `debug`, for each; and is measured. The query is never logged: it has names and numbers that people search for.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue};
use parlance_app::App;
use tracing::Instrument as _;
use tracing::field::Empty;

use crate::metrics::Requests;
use crate::problem;

/// The header, in requests and answers.
pub(crate) const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// What the layer needs.
#[derive(Clone)]
pub(crate) struct Outermost {
    pub(crate) app: App,
    pub(crate) requests: Requests,
}

/// The id of the request that it is an extension of.
#[derive(Debug, Clone)]
pub(crate) struct RequestId(pub(crate) Arc<str>);

/// Takes the caller's id, or makes one, and gives it to everything inside.
pub(crate) async fn identify(State(Outermost { app, requests }): State<Outermost>, mut request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let id = given(request.headers()).unwrap_or_else(|| app.new_request_id().into());
    // The route and not the path: the path of a hook has a token in it.
    let matched = request.extensions().get::<MatchedPath>().cloned();
    let method = request.method().clone();
    let route = matched.as_ref().map_or("none", MatchedPath::as_str);
    let span = tracing::info_span!("request", request_id = &*id, %method, route, org = Empty, caller = Empty);
    request.extensions_mut().insert(RequestId(Arc::clone(&id)));
    let answered = async {
        let mut response = problem::finish(next.run(request).await, &id);
        let took = begun.elapsed();
        requests.count(route, &method, response.status(), took);
        tracing::debug!(status = response.status().as_u16(), duration_ms = took.as_secs_f64() * 1000.0, "answered");
        if let Ok(value) = HeaderValue::from_str(&id) {
            response.headers_mut().insert(HEADER, value);
        }
        response
    };
    answered.instrument(span).await
}

/// The caller's own id, if it is short and harmless in a log.
pub(crate) fn given(headers: &HeaderMap) -> Option<Arc<str>> {
    let id = headers.get(HEADER)?.to_str().ok()?;
    let harmless = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    ((1..=64).contains(&id.len()) && id.bytes().all(harmless)).then(|| id.into())
}
