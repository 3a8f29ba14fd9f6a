//! The operations on the organisation's provider settings.

use aide::transform::TransformOperation;
use axum::Json;
use axum::extract::State;
use parlance_app::App;

use super::{golden, operation_on, wire};
use crate::auth::Allowed;
use crate::json::Json as Body;
use crate::openapi;
use crate::permission::ManageSettings;
use crate::problem::Answer;
use wire::{ChangeProviderSettings, Data, ProviderSettings};

pub(super) async fn show(State(app): State<App>, caller: Allowed<ManageSettings>) -> Answer<Json<Data<ProviderSettings>>> {
    Ok(Data::of(app.providers(&caller.who).await?))
}

pub(super) fn show_docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    let op = operation_on("directory", op, "getProviderSettings", "Who carries messages. Of secrets, that they are set, and how they end");
    openapi::answer_example(op, &golden!("provider_settings"))
}

pub(super) async fn change(
    State(app): State<App>,
    caller: Allowed<ManageSettings>,
    Body(body): Body<ChangeProviderSettings>,
) -> Answer<Json<Data<ProviderSettings>>> {
    Ok(Data::of(app.change_providers(&caller.who, body.into()).await?))
}

pub(super) fn change_docs(mut op: TransformOperation<'_>) -> TransformOperation<'_> {
    openapi::codes(op.inner_mut(), &["account_exists"]);
    let op =
        operation_on("directory", op, "changeProviderSettings", "Change what is given; null clears. Writes the default Twilio account");
    let op = openapi::request_example(op, golden!("change_provider_settings"));
    openapi::answer_example(op, &golden!("provider_settings"))
}
