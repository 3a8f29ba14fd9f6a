//! The operations on the ledger of opt-outs.

use aide::transform::TransformOperation;
use axum::Json;
use axum::extract::State;
use parlance_app::App;

use super::{golden, wire};
use crate::auth::Allowed;
use crate::cursor::List;
use crate::etag::Tag;
use crate::json::Json as Body;
use crate::openapi;
use crate::permission::{ReadContacts, SetOptOuts};
use crate::problem::Answer;
use crate::query::Query;
use wire::{Data, Listed, OptOut, Page};

pub(super) async fn list(
    State(app): State<App>,
    caller: Allowed<ReadContacts>,
    tag: Tag,
    Query(parameters): Query<wire::OptOutList>,
) -> Answer<Listed<Page<OptOut>>> {
    let request = parameters.read()?;
    let page = app.opt_outs(&caller.who, request).await?;
    Ok(Page::of(List::OptOuts, request, page).tagged(Some(tag)))
}

pub(super) fn list_docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    let op = operation(op, "listOptOuts", "Who opted out, and who in again, latest first");
    openapi::answer_example(op, &golden!("opt_outs"))
}

pub(super) async fn set(
    State(app): State<App>,
    caller: Allowed<SetOptOuts>,
    Body(body): Body<wire::SetOptOut>,
) -> Answer<Json<Data<OptOut>>> {
    let (phone, opted_out) = body.read();
    Ok(Data::of(app.set_opt_out(&caller.who, phone, opted_out).await?))
}

pub(super) fn put_docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    sets(operation(op, "setOptOut", "Write down that a number opted out, or in again"))
}

pub(super) fn post_docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    sets(operation(op, "postOptOut", "The same as PUT, for those who only POST"))
}

/// What every operation's documentation begins with.
fn operation<'a>(op: TransformOperation<'a>, id: &str, summary: &str) -> TransformOperation<'a> {
    op.id(id).summary(summary).tag("contacts")
}

/// What both ways to write have in common.
fn sets(op: TransformOperation<'_>) -> TransformOperation<'_> {
    openapi::request_example(openapi::answer_example(op, &golden!("opt_out")), golden!("set_opt_out"))
}
