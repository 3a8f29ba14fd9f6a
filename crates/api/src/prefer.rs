//! `Prefer: respond-async` (RFC 7240): the caller does not want to wait for the provider.

use std::convert::Infallible;

use aide::OperationInput;
use aide::generate::GenContext;
use aide::openapi::{Operation, ReferenceOr};
use axum::extract::FromRequestParts;
use http::HeaderMap;
use http::request::Parts;

/// Whether the answer waits for the first outcome of a send.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wait(pub(crate) bool);

impl<S: Sync> FromRequestParts<S> for Wait {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(!prefers_async(&parts.headers)))
    }
}

impl OperationInput for Wait {
    fn operation_input(_: &mut GenContext, operation: &mut Operation) {
        operation.parameters.push(ReferenceOr::ref_("#/components/parameters/Prefer"));
    }
}

pub(crate) fn prefers_async(headers: &HeaderMap) -> bool {
    let values = headers.get_all("prefer").into_iter().filter_map(|value| value.to_str().ok());
    let mut preferences = values.flat_map(|value| value.split(',')).map(|preference| preference.split(';').next().unwrap_or_default());
    preferences.any(|name| name.trim().eq_ignore_ascii_case("respond-async"))
}

#[cfg(test)]
mod tests {
    use super::prefers_async;

    #[test]
    fn the_preference_is_found_among_others() {
        let of = |value: &'static str| {
            prefers_async(&[(http::HeaderName::from_static("prefer"), http::HeaderValue::from_static(value))].into_iter().collect())
        };
        assert!(of("respond-async"));
        assert!(of("return=minimal, Respond-Async; x=1"));
        assert!(!of("wait=10"));
        assert!(!of(""));
    }
}
