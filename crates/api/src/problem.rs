//! Errors on the wire: RFC 9457 problems, with the one mapping from kinds of failure to HTTP statuses.
//!
//! A handler answers with a [`Problem`], which rides in the response's extensions without a body. The outermost layer calls
//! [`finish`], which knows the request's id: it writes the body and logs, once.

mod known;

use std::any::Any;
use std::sync::Arc;

use aide::OperationOutput;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use parlance_model::Error;
use parlance_model::error::Kind;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

pub(crate) use known::{ALL as KNOWN, Known, of as known};

/// The media type of problems.
pub(crate) const MEDIA_TYPE: &str = "application/problem+json";

/// What a handler answers.
pub(crate) type Answer<T> = Result<T, Problem>;

/// A failure on its way out.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    status: StatusCode,
    error: Arc<Error>,
}

/// The HTTP status of a kind of failure.
pub(crate) const fn status_of(kind: Kind) -> StatusCode {
    match kind {
        Kind::Malformed => StatusCode::BAD_REQUEST,
        Kind::Unauthenticated => StatusCode::UNAUTHORIZED,
        Kind::Forbidden => StatusCode::FORBIDDEN,
        Kind::NotFound => StatusCode::NOT_FOUND,
        Kind::Conflict => StatusCode::CONFLICT,
        Kind::Gone => StatusCode::GONE,
        Kind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Kind::OutOfRange => StatusCode::RANGE_NOT_SATISFIABLE,
        Kind::UnsupportedMedia => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Kind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
        Kind::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self { status: status_of(error.kind()), error: Arc::new(error) }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// What operations answer in place of success is documented by the extractors and layers that refuse.
impl OperationOutput for Problem {
    type Inner = Self;
}

/// An RFC 9457 problem. Its `code` is stable and meant for programs, `detail` is meant for people.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub(crate) struct ProblemBody<'a> {
    /// A URI reference that names the kind of problem: the code behind `/problems/`.
    #[serde(rename = "type")]
    kind: String,
    /// The status in words.
    title: &'a str,
    /// The HTTP status.
    #[schemars(range(min = 400, max = 599))]
    status: u16,
    /// The stable code, such as `not_found`.
    code: &'a str,
    /// What is wrong and what to do about it.
    detail: &'a str,
    /// The id of the request, as in the header `X-Request-Id`.
    request_id: &'a str,
    /// The fields that were wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError<'a>>,
}

/// One wrong field.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "FieldError")]
pub(crate) struct FieldError<'a> {
    /// Its path in the body, or the name of the parameter.
    field: &'a str,
    /// What it should be.
    message: &'a str,
}

/// Gives a problem its body, and logs what is our fault. Any other response stays as it is.
pub(crate) fn finish(mut response: Response, request_id: &str) -> Response {
    let Some(Problem { status, error }) = response.extensions_mut().remove::<Problem>() else { return response };
    match error.kind() {
        Kind::Internal => tracing::error!(?error, "a request failed"),
        Kind::Unavailable => tracing::warn!(?error, "a request could not be served now"),
        _ => {}
    }
    let body = ProblemBody {
        kind: kind_of(error.code()),
        title: status.canonical_reason().unwrap_or("Problem"),
        status: status.as_u16(),
        code: error.code(),
        detail: error.message(),
        request_id,
        errors: error.fields().iter().map(|field| FieldError { field: &field.name, message: &field.message }).collect(),
    };
    // Strings and numbers always serialise.
    *response.body_mut() = Body::from(serde_json::to_vec(&body).unwrap_or_default());
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if let Some(seconds) = error.retry_after_s() {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// What a code looks like when it is answered.
pub(crate) fn example(known: &Known) -> Value {
    let field = FieldError { field: "limit", message: "Must be a whole number from 1 to 200." };
    let body = ProblemBody {
        kind: kind_of(known.code),
        title: known.status.canonical_reason().unwrap_or("Problem"),
        status: known.status.as_u16(),
        code: known.code,
        detail: &format!("{} {}", known.meaning, known.remedy),
        request_id: "checkout-7",
        errors: if known.code == "validation_failed" { vec![field] } else { Vec::new() },
    };
    // Strings and numbers always serialise.
    serde_json::to_value(body).unwrap_or_default()
}

/// The `type` of a problem: a page of the reference says what it means.
fn kind_of(code: &str) -> String {
    format!("/problems/{code}")
}

/// The answer for a path that nobody has.
pub(crate) async fn no_such_path() -> Problem {
    Error::new(Kind::NotFound, "not_found", "There is nothing at this path. /docs lists what there is.").into()
}

/// The answer for a method that a path does not have. axum adds `Allow`.
pub(crate) async fn method_not_allowed() -> Problem {
    let text = "This path does not take this method. The header Allow lists those that it takes.";
    Problem { status: StatusCode::METHOD_NOT_ALLOWED, error: Arc::new(Error::new(Kind::Malformed, "method_not_allowed", text)) }
}

/// The answer in place of a panic, which is a defect like any other.
pub(crate) fn of_panic(panic: Box<dyn Any + Send>) -> Response {
    // A text that was made may quote what was at hand; the log line of the panic itself says where it was.
    let text = panic.downcast_ref::<&'static str>().copied().unwrap_or("a panic whose text is left out");
    Problem::from(Error::internal(text)).into_response()
}

#[cfg(test)]
mod tests;
