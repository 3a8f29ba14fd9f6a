//! The operations on the organisation's people.

use aide::transform::TransformOperation;
use axum::Json;
use axum::extract::State;
use parlance_app::App;

use super::{golden, operation_on, wire};
use crate::auth::Allowed;
use crate::json::Json as Body;
use crate::openapi;
use crate::path::InStaff;
use crate::permission::{ManageStaff, ReadStaff};
use crate::problem::Answer;
use crate::query::Query;
use crate::value::Text;
use wire::{AddStaff, AddedStaff, ChangeStaff, Data, Done, Listed, RowList, Rows, ShownOnce, Staff};

pub(super) async fn list(
    State(app): State<App>,
    caller: Allowed<ReadStaff>,
    Query(request): Query<RowList>,
) -> Answer<Listed<Rows<Staff>>> {
    let (rows, total) = app.staff(&caller.who, request.limit(), request.offset()).await?;
    Ok(Rows::of(&request, rows, total))
}

pub(super) fn list_docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    let op = operation_on("directory", op, "listStaff", "The people of the organisation");
    openapi::answer_example(op, &golden!("staff_list"))
}

pub(super) async fn add(State(app): State<App>, caller: Allowed<ManageStaff>, Body(body): Body<AddStaff>) -> Answer<ShownOnce<AddedStaff>> {
    let (added, password) = app.add_staff(&caller.who, body.into()).await?;
    Ok(ShownOnce { kept: Data::of((added.clone(), None)), shown: Data::of((added, password)) })
}

pub(super) fn add_docs(mut op: TransformOperation<'_>) -> TransformOperation<'_> {
    openapi::codes(op.inner_mut(), &["already_staff"]);
    let op = operation_on("directory", op, "addStaff", "Let a person in. A generated password is shown once");
    let op = openapi::request_example(op, golden!("add_staff"));
    openapi::answer_example(op, &golden!("added_staff"))
}

pub(super) async fn change(
    State(app): State<App>,
    caller: Allowed<ManageStaff>,
    InStaff(id): InStaff,
    Body(body): Body<ChangeStaff>,
) -> Answer<Json<Data<Staff>>> {
    let (role, name) = (body.role.map(|word| word.0), body.name.map(Text::into_inner));
    Ok(Data::of(app.change_staff(&caller.who, id, role, name).await?))
}

pub(super) fn change_docs(mut op: TransformOperation<'_>) -> TransformOperation<'_> {
    openapi::codes(op.inner_mut(), &["last_owner", "user_is_shared"]);
    let op = operation_on("directory", op, "changeStaff", "Change a person's role or name. The last owner stays one");
    let op = openapi::request_example(op, golden!("change_staff"));
    openapi::answer_example(op, &golden!("staff"))
}

pub(super) async fn remove(State(app): State<App>, caller: Allowed<ManageStaff>, InStaff(id): InStaff) -> Answer<Done> {
    app.remove_staff(&caller.who, id).await?;
    Ok(Done)
}

pub(super) fn remove_docs(mut op: TransformOperation<'_>) -> TransformOperation<'_> {
    openapi::codes(op.inner_mut(), &["last_owner"]);
    let summary = "Take a person out: their keys stop at once, their conversations become nobody's soon after";
    operation_on("directory", op, "removeStaff", summary)
}
