//! The dialects, one folder each, and the layer that picks the one of a request before its path is matched.

pub(crate) mod unified;

use std::sync::Arc;

use aide::openapi::OpenApi;
use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use http::HeaderMap;
use parlance_app::App;
use parlance_model::error::Kind;
use parlance_model::key::{Dialect, Principal};
use parlance_model::{Error, Result};

use crate::auth::{Caller, Gate};
use crate::limit::Limits;
use crate::problem::{self, Answer};
use crate::{auth, body, idempotency};

pub(crate) const HEADER: &str = "parlance-dialect";

/// The routes under the base path, with the layers of everything that needs a key.
pub(crate) fn router(app: &App, limits: Arc<Limits>, described: &mut OpenApi) -> Router<App> {
    let (routes, streamed) = routes(described);
    routes
        .method_not_allowed_fallback(problem::method_not_allowed)
        .fallback(problem::no_such_path)
        .layer(from_fn_with_state(app.clone(), idempotency::once))
        .layer(from_fn(body::take))
        // Files are larger than any body that is held in memory: these read theirs as it comes.
        .merge(streamed.method_not_allowed_fallback(problem::method_not_allowed))
        .layer(from_fn(pick))
        .layer(from_fn_with_state(Gate { app: app.clone(), limits }, auth::authenticate))
}

/// The routes without their layers, which describe themselves: those whose bodies are held in memory, and those that read theirs as it comes.
pub(crate) fn routes(described: &mut OpenApi) -> (Router<App>, Router<App>) {
    (unified::routes().finish_api(described), unified::streamed().finish_api(described))
}

/// The words of the header.
pub(crate) fn words() -> Vec<&'static str> {
    Dialect::ALL.iter().map(|dialect| dialect.as_str()).collect()
}

/// The layer: hands the request to the routes of its dialect.
async fn pick(Caller(who): Caller, request: Request, next: Next) -> Answer<Response> {
    match spoken(request.headers(), who.as_ref())? {
        Dialect::Unified => Ok(next.run(request).await),
    }
}

/// The dialect of a request: the header's, else the key's own, else `unified`.
fn spoken(headers: &HeaderMap, who: Option<&Principal>) -> Result<Dialect> {
    let Some(given) = headers.get(HEADER) else { return Ok(who.and_then(|who| who.dialect).unwrap_or(Dialect::Unified)) };
    let given = given.to_str().unwrap_or_default();
    given.parse().map_err(|_| {
        let text = match given {
            "leads" | "crm" => {
                format!("This version does not speak the dialect {given} yet. `Parlance-Dialect` must be: {}.", words().join(", "))
            }
            _ => format!("`Parlance-Dialect` must be one of: {}.", words().join(", ")),
        };
        Error::new(Kind::Malformed, "unknown_dialect", text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_dialects_that_are_spoken_are_taken() {
        let of = |given: Option<&'static str>| {
            let headers = given.map(|given| (http::HeaderName::from_static(HEADER), http::HeaderValue::from_static(given)));
            spoken(&headers.into_iter().collect(), None)
        };
        assert_eq!(of(None).unwrap(), Dialect::Unified);
        assert_eq!(of(Some("unified")).unwrap(), Dialect::Unified);
        for word in ["", "Unified", "leads", "crm", "campaign", "x"] {
            let error = of(Some(word)).unwrap_err();
            assert_eq!((error.kind(), error.code()), (Kind::Malformed, "unknown_dialect"), "{word}");
        }
        assert!(of(Some("crm")).unwrap_err().message().contains("does not speak"));
    }
}
