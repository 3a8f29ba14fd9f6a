//! The operations on API keys.

use aide::transform::TransformOperation;
use axum::extract::State;
use parlance_app::App;

use super::{golden, operation_on, wire};
use crate::auth::Allowed;
use crate::json::Json as Body;
use crate::openapi;
use crate::path::InKey;
use crate::permission::ManageKeys;
use crate::problem::Answer;
use crate::query::Query;
use wire::{Data, Done, Key, Listed, MakeKey, NewKey, RowList, Rows, ShownOnce};

pub(super) async fn list(State(app): State<App>, caller: Allowed<ManageKeys>, Query(request): Query<RowList>) -> Answer<Listed<Rows<Key>>> {
    let (rows, total) = app.keys(&caller.who, request.limit(), request.offset()).await?;
    Ok(Rows::of(&request, rows, total))
}

pub(super) fn list_docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    let op = operation_on("directory", op, "listKeys", "The keys that are not revoked");
    openapi::answer_example(op, &golden!("keys"))
}

pub(super) async fn make(State(app): State<App>, caller: Allowed<ManageKeys>, Body(body): Body<MakeKey>) -> Answer<ShownOnce<NewKey>> {
    let (made, token) = app.add_key(&caller.who, body.into()).await?;
    Ok(ShownOnce { kept: Data::of((made.clone(), None)), shown: Data::of((made, Some(token))) })
}

pub(super) fn make_docs(mut op: TransformOperation<'_>) -> TransformOperation<'_> {
    openapi::codes(op.inner_mut(), &["not_found"]);
    let op = operation_on("directory", op, "makeKey", "Make a key. Its token is shown once");
    let op = openapi::request_example(op, golden!("make_key"));
    openapi::answer_example(op, &golden!("made_key"))
}

pub(super) async fn revoke(State(app): State<App>, caller: Allowed<ManageKeys>, InKey(id): InKey) -> Answer<Done> {
    app.revoke_key(&caller.who, id).await?;
    Ok(Done)
}

pub(super) fn revoke_docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    operation_on("directory", op, "revokeKey", "End a key at once")
}
