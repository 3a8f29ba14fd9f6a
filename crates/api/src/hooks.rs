//! Inbound hooks of providers. They carry no key of ours: the provider's signature is checked, over the URL and the bytes
//! exactly as they came, by `app` and the provider's adapter.

use aide::OperationInput;
use aide::axum::ApiRouter;
use aide::axum::routing::get_with;
use aide::generate::GenContext;
use aide::openapi::{MediaType, Operation, ReferenceOr, RequestBody, Response as Documented, SchemaObject, StatusCode};
use aide::transform::TransformOperation;
use axum::extract::{FromRequestParts, OriginalUri, Path, Request, State};
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use parlance_app::App;
use parlance_app::ingest::HookRequest;
use parlance_model::Error;
use parlance_model::channel::Provider;
use parlance_model::error::Kind;
use schemars::{JsonSchema, json_schema};

use crate::problem::{Answer, Problem};
use crate::{body, openapi};

const BY_FORM: &str = "A hook of Twilio: an inbound message or call, or what became of one";
const BY_QUERY: &str = "The same for an account that is set to call by GET, with the parameters in the query";

pub(crate) fn routes() -> ApiRouter<App> {
    let shared_hook = get_with(shared, |op| document(op, "twilioHookByQuery", BY_QUERY))
        .post_with(shared, |op| form(document(op, "twilioHook", BY_FORM)));
    let own_hook = get_with(own, |op| document(op, "twilioAccountHookByQuery", BY_QUERY))
        .post_with(own, |op| form(document(op, "twilioAccountHook", BY_FORM)));
    ApiRouter::new().api_route("/webhooks/twilio", shared_hook).api_route("/webhooks/twilio/a/{token}", own_hook)
}

/// The URL that all accounts share: the account is found by the AccountSid in the parameters.
async fn shared(State(app): State<App>, request: Request) -> Answer<Response> {
    take(&app, None, request).await
}

/// An account's own URL, the one that we register.
async fn own(State(app): State<App>, AccountToken(token): AccountToken, request: Request) -> Answer<Response> {
    take(&app, Some(token), request).await
}

async fn take(app: &App, token: Option<String>, request: Request) -> Answer<Response> {
    let (parts, body) = request.into_parts();
    let called = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |original| &original.0);
    let hook = HookRequest {
        provider: Provider::Twilio,
        token,
        method: parts.method.to_string(),
        path_and_query: called.path_and_query().map(ToString::to_string).unwrap_or_default(),
        body: body::read(body).await?,
        headers: parts.headers,
    };
    let answer = app.hook(hook).await?;
    Ok(([(CONTENT_TYPE, answer.content_type)], answer.body).into_response())
}

/// The token in an account's own URL.
#[derive(Debug)]
struct AccountToken(String);

/// The parameter as it is documented.
#[derive(JsonSchema)]
#[schemars(inline)]
struct Parameters {
    /// The account's token.
    #[expect(dead_code, reason = "only its schema is used")]
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[A-Za-z0-9]+$"))]
    token: String,
}

impl<S: Send + Sync> FromRequestParts<S> for AccountToken {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Answer<Self> {
        let token = Path::<String>::from_request_parts(parts, state).await.ok().map(|Path(token)| token);
        // Tokens of ours are letters and digits. Anything else need not reach the database, which refuses NUL.
        let token = token.filter(|token| token.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        Ok(Self(token.ok_or_else(|| Error::not_found("account"))?))
    }
}

impl OperationInput for AccountToken {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        Path::<Parameters>::operation_input(ctx, operation);
    }
}

fn document<'a>(mut op: TransformOperation<'a>, id: &str, summary: &str) -> TransformOperation<'a> {
    let operation = op.inner_mut();
    openapi::require_signature(operation);
    openapi::refuses(operation, &[Kind::Malformed, Kind::Forbidden, Kind::NotFound, Kind::Unavailable]);
    let taken = Documented {
        description: "Taken: what it says is on disk. Of a call, what to do next.".to_owned(),
        content: [("text/xml".to_owned(), media(json_schema!({ "type": "string" }), "<Response/>".into()))].into_iter().collect(),
        ..Documented::default()
    };
    operation.responses.get_or_insert_default().responses.insert(StatusCode::Code(200), ReferenceOr::Item(taken));
    op.id(id)
        .summary(summary)
        .tag("hooks")
        .description("For the provider only: the request must carry the provider's signature (`X-Twilio-Signature`) over the public URL.")
}

/// The body as it is documented: Twilio adds fields at any time, so the object stays open.
fn form(mut op: TransformOperation<'_>) -> TransformOperation<'_> {
    let operation = op.inner_mut();
    openapi::refuses(operation, &[Kind::TooLarge]);
    let example = serde_json::json!({ "AccountSid": "AC00000000000000000000000000000001", "MessageSid": "SM00000000000000000000000000000001",
        "From": "+15559876543", "To": "+15551234567", "Body": "Hello!" });
    let fields = media(json_schema!({ "type": "object", "additionalProperties": { "type": "string" } }), example);
    operation.request_body = Some(ReferenceOr::Item(RequestBody {
        content: [("application/x-www-form-urlencoded".to_owned(), fields)].into_iter().collect(),
        required: true,
        ..RequestBody::default()
    }));
    op
}

fn media(json_schema: schemars::Schema, example: serde_json::Value) -> MediaType {
    let schema = SchemaObject { json_schema, example: None, external_docs: None };
    MediaType { schema: Some(schema), example: Some(example), ..MediaType::default() }
}
