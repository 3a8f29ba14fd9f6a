//! The operation that says who one is.

use aide::transform::TransformOperation;
use axum::Json;
use axum::extract::State;
use parlance_app::App;

use super::{golden, operation_on, wire};
use crate::auth::Allowed;
use crate::openapi;
use crate::permission::KnowSelf;
use crate::problem::Answer;
use wire::{Data, Me};

pub(super) async fn show(State(app): State<App>, caller: Allowed<KnowSelf>) -> Answer<Json<Data<Me>>> {
    Ok(Data::of(app.me(&caller.who).await?))
}

pub(super) fn show_docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    let op = operation_on("directory", op, "getMe", "The person and their organisations, or the key");
    openapi::answer_example(op, &golden!("me"))
}
