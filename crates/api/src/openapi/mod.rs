//! The OpenAPI 3.1 document, derived from the handlers when it is first asked for.
//!
//! Each extractor documents what it takes and how it refuses ([`refuses`]); what the layers around the handlers take and
//! answer is added to every operation by rule (`layers.rs`, `answers.rs`), so that no handler can forget it.

mod answers;
mod call;
mod complete;
mod example;
mod layers;

use std::sync::{Arc, OnceLock};

use aide::openapi::{OpenApi, Operation, ReferenceOr, StatusCode};
use aide::transform::TransformOperation;
use axum::Router;
use axum::routing::get;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use parlance_model::error::Kind;
use parlance_model::key::Scope;
use serde_json::Value;

use crate::problem::{self, status_of};

/// The security schemes' names.
const KEY: &str = "key";
const SESSION: &str = "session";
const PROVIDER: &str = "provider";

/// Where an operation notes its own codes until the document is complete.
const CODES: &str = "x-codes";

/// Documents that the operation answers these codes, beside those that it has by rule.
pub(crate) fn codes(operation: &mut Operation, codes: &[&'static str]) {
    debug_assert!(codes.iter().all(|code| problem::known(code).is_some()), "{codes:?}: add a line to problem/known.rs");
    if let Value::Array(noted) = operation.extensions.entry(CODES.to_owned()).or_insert_with(|| Value::Array(Vec::new())) {
        noted.extend(codes.iter().map(|code| Value::from(*code)));
    }
}

/// Documents that the operation answers these kinds of failure, with the codes that the kinds have by rule.
pub(crate) fn refuses(operation: &mut Operation, kinds: &[Kind]) {
    let responses = &mut operation.responses.get_or_insert_default().responses;
    for kind in kinds {
        let reference = ReferenceOr::ref_(&format!("#/components/responses/{kind:?}"));
        responses.insert(StatusCode::Code(status_of(*kind).as_u16()), reference);
    }
}

/// Documents that the operation wants a key whose role has this permission, and which has this scope.
pub(crate) fn require_key(operation: &mut Operation, permission: &str, scope: Option<Scope>) {
    operation.security.extend([KEY, SESSION].map(|scheme| [(scheme.to_owned(), Vec::new())].into_iter().collect()));
    operation.extensions.insert("x-permission".to_owned(), permission.into());
    if let Some(scope) = scope {
        operation.extensions.insert("x-scope".to_owned(), scope.as_str().into());
    }
}

/// Documents that the operation wants a provider's signature.
pub(crate) fn require_signature(operation: &mut Operation) {
    operation.security.push([(PROVIDER.to_owned(), Vec::new())].into_iter().collect());
}

/// Adds an example to the JSON request body.
pub(crate) fn request_example<'a>(mut op: TransformOperation<'a>, example: Value) -> TransformOperation<'a> {
    if let Some(ReferenceOr::Item(body)) = &mut op.inner_mut().request_body {
        for media in body.content.values_mut() {
            media.example = Some(example.clone());
        }
    }
    op
}

/// Adds an example to the answers of success.
pub(crate) fn answer_example<'a>(mut op: TransformOperation<'a>, example: &Value) -> TransformOperation<'a> {
    for response in op.inner_mut().responses.get_or_insert_default().responses.values_mut() {
        let ReferenceOr::Item(response) = response else { continue };
        for media in response.content.values_mut() {
            media.example = Some(example.clone());
        }
    }
    op
}

/// The whole document.
pub(crate) fn document(documents: Vec<(&'static str, OpenApi)>) -> Value {
    complete::complete(documents)
}

/// `/openapi.json`, which does not describe itself.
pub(crate) fn route<S: Clone + Send + Sync + 'static>(document: fn() -> Value) -> Router<S> {
    let kept = Arc::new(OnceLock::new());
    let show = move || async move { ([(CONTENT_TYPE, "application/json")], kept.get_or_init(|| text(&document())).clone()) };
    Router::new().route("/openapi.json", get(show))
}

/// The document's text.
fn text(document: &Value) -> Bytes {
    // A document is made of strings, numbers and maps with string keys, which always serialise.
    serde_json::to_vec_pretty(document).unwrap_or_default().into()
}
