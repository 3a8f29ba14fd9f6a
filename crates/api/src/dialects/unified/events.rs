//! The operation on the event log.

use aide::transform::TransformOperation;
use axum::Json;
use axum::extract::State;
use parlance_app::App;

use super::{golden, operation_on, wire};
use crate::auth::Allowed;
use crate::openapi;
use crate::permission::ReadEvents;
use crate::problem::Answer;
use crate::query::Query;
use wire::{EventList, Events};

pub(super) async fn list(State(app): State<App>, caller: Allowed<ReadEvents>, Query(parameters): Query<EventList>) -> Answer<Json<Events>> {
    let (after, limit) = parameters.read();
    Ok(Events::of(app.events(&caller.who, after, limit).await?))
}

pub(super) fn list_docs(mut op: TransformOperation<'_>) -> TransformOperation<'_> {
    openapi::codes(op.inner_mut(), &["events_gone"]);
    let op = operation_on("directory", op, "listEvents", "What happened after an event, oldest first. Kept for 30 days, then 410");
    openapi::answer_example(op, &golden!("events"))
}
