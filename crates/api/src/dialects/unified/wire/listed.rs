//! What every list says in its headers: whether its total is exact, and its entity tag where it has one.

use aide::OperationOutput;
use aide::generate::GenContext;
use aide::openapi::{Operation, ReferenceOr, Response as Documented, StatusCode};
use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue};
use schemars::JsonSchema;
use serde::Serialize;

use crate::etag::Tag;

/// Whether a list's total is exact.
const TOTAL: HeaderName = HeaderName::from_static("parlance-total");

/// An answer with a list.
#[derive(Debug)]
pub(crate) struct Listed<T> {
    exact: bool,
    tag: Option<Tag>,
    body: T,
}

impl<T> Listed<T> {
    /// A list whose total is exact, or counted only so far.
    pub(super) fn new(exact: bool, body: T) -> Self {
        Self { exact, tag: None, body }
    }

    /// The same with its tag.
    pub(crate) fn tagged(self, tag: Option<Tag>) -> Self {
        Self { tag, ..self }
    }
}

impl<T: Serialize> IntoResponse for Listed<T> {
    fn into_response(self) -> Response {
        let mut response = Json(self.body).into_response();
        let total = if self.exact { "exact" } else { "bounded" };
        response.headers_mut().insert(TOTAL, HeaderValue::from_static(total));
        if let Some(tag) = self.tag {
            tag.put(response.headers_mut());
        }
        response
    }
}

impl<T: JsonSchema> OperationOutput for Listed<T> {
    type Inner = T;

    fn inferred_responses(ctx: &mut GenContext, operation: &mut Operation) -> Vec<(Option<StatusCode>, Documented)> {
        let mut response = Json::<T>::operation_response(ctx, operation).unwrap_or_default();
        response.headers.insert("Parlance-Total".to_owned(), ReferenceOr::ref_("#/components/headers/Parlance-Total"));
        vec![(Some(StatusCode::Code(200)), response)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_total_that_was_counted_only_so_far_says_so() {
        let said = |exact| Listed::new(exact, ()).into_response().headers()[TOTAL].clone();
        assert_eq!((said(true), said(false)), (HeaderValue::from_static("exact"), HeaderValue::from_static("bounded")));
    }
}
