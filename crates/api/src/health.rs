//! Whether this process lives, and whether it can serve: what supervisors and load balancers ask.

use aide::axum::ApiRouter;
use aide::axum::routing::get_with;
use aide::transform::TransformOperation;
use axum::Json;
use axum::extract::State;
use parlance_app::App;
use parlance_model::error::Kind;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use crate::openapi;
use crate::problem::Answer;

/// All is well.
#[derive(Debug, Serialize, JsonSchema)]
struct Health {
    /// Always `ok`; anything else is a problem.
    status: &'static str,
}

const OK: Health = Health { status: "ok" };

pub(crate) fn routes() -> ApiRouter<App> {
    ApiRouter::new()
        .api_route(
            "/health",
            get_with(health, |op| shows_ok(op).id("health").summary("Whether the process lives, without a look at the database")),
        )
        .api_route(
            "/ready",
            get_with(ready, |mut op| {
                openapi::refuses(op.inner_mut(), &[Kind::Unavailable]);
                shows_ok(op).id("ready").summary("Whether the database answers")
            }),
        )
}

fn shows_ok(op: TransformOperation<'_>) -> TransformOperation<'_> {
    openapi::answer_example(op.tag("system"), &json!(OK))
}

async fn health() -> Json<Health> {
    Json(OK)
}

async fn ready(State(app): State<App>) -> Answer<Json<Health>> {
    app.ready().await?;
    Ok(Json(OK))
}
