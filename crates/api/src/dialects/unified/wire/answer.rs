//! The envelopes: `{"data": …}`, with `meta` beside it in lists, and the statuses that are not 200.

use aide::OperationOutput;
use aide::generate::GenContext;
use aide::openapi::{Operation, Response as Documented, StatusCode};
use axum::Json;
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::CACHE_CONTROL;
use parlance_app::page;
use schemars::JsonSchema;
use serde::Serialize;

use super::Listed;
use super::list::RowList;
use crate::cursor::{self, List};
use crate::idempotency::Kept;

/// What every success that is no list looks like.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "{T}Answer")]
pub(crate) struct Data<T> {
    /// What was asked for.
    pub(crate) data: T,
}

impl<T> Data<T> {
    /// Wraps it, ready to be answered.
    pub(crate) fn of(data: impl Into<T>) -> Json<Self> {
        Json(Self { data: data.into() })
    }
}

/// A page of a list.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "{T}Page")]
pub(crate) struct Page<T> {
    /// The rows.
    data: Vec<T>,
    /// Where the page is in the list.
    meta: Meta,
}

/// Where a page is in its list.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "PageMeta")]
pub(crate) struct Meta {
    /// How many rows the list has.
    total: i64,
    /// The most rows of a page.
    limit: i64,
    /// How many rows were skipped; 0 when a cursor was given.
    offset: i64,
    /// The `cursor` of the next page; null at the end.
    next_cursor: Option<String>,
    /// Counting stopped at `total`: there are more.
    total_bounded: bool,
}

impl<T> Page<T> {
    /// The page that was asked for by `request`.
    pub(crate) fn of<R: Into<T>>(list: List, request: page::PageRequest, page: page::Page<R>) -> Listed<Self> {
        let offset = match request.start {
            page::Start::Offset(offset) => offset,
            page::Start::After(_) => 0,
        };
        let next_cursor = page.next.map(|place| cursor::write(list, place));
        let meta = Meta { total: page.total, limit: request.limit, offset, next_cursor, total_bounded: page.total_bounded };
        Listed::new(!page.total_bounded, Self { data: page.items.into_iter().map(Into::into).collect(), meta })
    }
}

/// 201.
#[derive(Debug)]
pub(crate) struct Created<T>(pub(crate) Json<Data<T>>);

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        (http::StatusCode::CREATED, self.0).into_response()
    }
}

impl<T: JsonSchema> OperationOutput for Created<T> {
    type Inner = Data<T>;

    fn inferred_responses(ctx: &mut GenContext, operation: &mut Operation) -> Vec<(Option<StatusCode>, Documented)> {
        described::<T>(ctx, operation, &[(201, "Made.")])
    }
}

/// 201 for what is new, 200 for what was there.
#[derive(Debug)]
pub(crate) struct Opened<T> {
    /// What it is.
    pub(crate) answer: Json<Data<T>>,
    /// Whether it is new.
    pub(crate) new: bool,
}

impl<T: Serialize> IntoResponse for Opened<T> {
    fn into_response(self) -> Response {
        if self.new { Created(self.answer).into_response() } else { self.answer.into_response() }
    }
}

impl<T: JsonSchema> OperationOutput for Opened<T> {
    type Inner = Data<T>;

    fn inferred_responses(ctx: &mut GenContext, operation: &mut Operation) -> Vec<(Option<StatusCode>, Documented)> {
        described::<T>(ctx, operation, &[(200, "It was there already, and is left as it was."), (201, "Made.")])
    }
}

/// 201 for what has a secret in it that is shown this once. A repetition with the same Idempotency-Key is answered without it.
#[derive(Debug)]
pub(crate) struct ShownOnce<T> {
    /// With the secret.
    pub(crate) shown: Json<Data<T>>,
    /// Without it.
    pub(crate) kept: Json<Data<T>>,
}

impl<T: Serialize> IntoResponse for ShownOnce<T> {
    fn into_response(self) -> Response {
        // Strings and numbers always serialise.
        let kept = serde_json::to_vec(&self.kept.0).unwrap_or_default();
        let mut response = Created(self.shown).into_response();
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response.extensions_mut().insert(Kept(kept.into()));
        response
    }
}

impl<T: JsonSchema> OperationOutput for ShownOnce<T> {
    type Inner = Data<T>;

    fn inferred_responses(ctx: &mut GenContext, operation: &mut Operation) -> Vec<(Option<StatusCode>, Documented)> {
        described::<T>(ctx, operation, &[(201, "Made.")])
    }
}

/// 204.
#[derive(Debug)]
pub(crate) struct Done;

impl IntoResponse for Done {
    fn into_response(self) -> Response {
        http::StatusCode::NO_CONTENT.into_response()
    }
}

impl OperationOutput for Done {
    type Inner = ();

    fn inferred_responses(_: &mut GenContext, _: &mut Operation) -> Vec<(Option<StatusCode>, Documented)> {
        vec![(Some(StatusCode::Code(204)), Documented { description: "Done.".to_owned(), ..Documented::default() })]
    }
}

/// A part of a short list, by offset.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "{T}Rows")]
pub(crate) struct Rows<T> {
    /// The rows.
    data: Vec<T>,
    /// Which part it is.
    meta: RowsMeta,
}

/// Which part of a list it is.
#[derive(Debug, Serialize, JsonSchema)]
struct RowsMeta {
    /// How many rows the list has.
    total: i64,
    /// The most rows of the answer.
    limit: i64,
    /// How many rows were skipped.
    offset: i64,
}

impl<T> Rows<T> {
    /// The rows that were asked for by `request`, out of `total`.
    pub(crate) fn of<R: Into<T>>(request: &RowList, rows: Vec<R>, total: i64) -> Listed<Self> {
        let meta = RowsMeta { total, limit: request.limit(), offset: request.offset() };
        Listed::new(true, Self { data: rows.into_iter().map(Into::into).collect(), meta })
    }
}

fn described<T: JsonSchema>(
    ctx: &mut GenContext,
    operation: &mut Operation,
    statuses: &[(u16, &str)],
) -> Vec<(Option<StatusCode>, Documented)> {
    let response = Json::<Data<T>>::operation_response(ctx, operation).unwrap_or_default();
    let of = |(status, description): &(u16, &str)| {
        (Some(StatusCode::Code(*status)), Documented { description: (*description).to_owned(), ..response.clone() })
    };
    statuses.iter().map(of).collect()
}
