//! The search over people and messages.

use aide::transform::TransformOperation;
use axum::Json;
use axum::extract::State;
use parlance_app::App;

use super::{golden, operation_on, wire};
use crate::auth::Allowed;
use crate::openapi;
use crate::permission::ReadConversations;
use crate::problem::Answer;
use crate::query::Query;
use wire::{Search, SearchAnswer};

const HOW: &str = "A word finds words that begin with it, a \"quoted phrase\" finds exactly its words. Case, accents and full width \
    make no difference. Operators: `from:` a name, number or e-mail address, `me` or `staff`; `channel:sms`; `before:2026-03-05` and \
    `after:2026-03-01` (a day in UTC, or an instant; `after` includes it); `has:media`. What is no operator is a word. Messages come \
    newest first, in the order in which they were stored. A message can be found a moment after it was stored.";

pub(super) async fn search(
    State(app): State<App>,
    caller: Allowed<ReadConversations>,
    Query(parameters): Query<Search>,
) -> Answer<Json<SearchAnswer>> {
    let (typed, after, limit) = parameters.read()?;
    let found = app.search(&caller.who, &typed, after, limit).await?;
    Ok(SearchAnswer::of(found, limit))
}

pub(super) fn search_docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    let op = operation_on("search", op, "search", "Search people and messages").description(HOW);
    openapi::answer_example(op, &golden!("search"))
}
