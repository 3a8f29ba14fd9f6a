//! The operations on files. Fetching one by its link is `crate::media`, which needs no key.

use aide::OperationOutput;
use aide::generate::GenContext;
use aide::openapi::{Operation, Response as Documented, StatusCode};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use parlance_app::App;
use parlance_app::media::Received;
use parlance_model::key::Principal;
use parlance_model::{Error, Result};
use tracing::Instrument as _;

use super::{golden, operation_on, wire};
use crate::auth::Allowed;
use crate::idempotency::{self, Once, Turn};
use crate::openapi;
use crate::path::InMedia;
use crate::permission::{ReadConversations, SendMessages};
use crate::problem::{Answer, Problem};
use crate::request_id::RequestId;
use crate::upload::Upload;
use wire::{Created, Data, Media};

pub(super) async fn upload(
    State(app): State<App>,
    caller: Allowed<SendMessages>,
    Once(once): Once,
    Extension(id): Extension<RequestId>,
    upload: Upload,
) -> Answer<Uploaded> {
    let (tasks, who) = (app.tasks().clone(), caller.who);
    // In a task of its own: a client that goes away stops the upload, and not the tidying up after it.
    let taken = async move {
        let (received, name) = upload.take(&app, &who).await?;
        match once {
            Some(key) => keep_once(&app, &who, &key, &id, (received, name)).await,
            None => Ok(keep(&app, received, name).await?),
        }
    };
    match tasks.spawn(taken.in_current_span()).await {
        Ok(answer) => answer.map(Uploaded),
        Err(ended) => match ended.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(Error::unavailable("The server is stopping. Try again in a moment.", 2).into()),
        },
    }
}

async fn keep(app: &App, received: Received, name: Option<String>) -> Result<Response> {
    Ok(Created(Data::<Media>::of(app.keep(received, name.as_deref()).await?)).into_response())
}

/// The same under an idempotency key. What makes two uploads the same is the file and its name, not how the form is put together.
///
/// The file is not tied to the key as a message is. Where the server dies between the file and the stored answer, a repetition
/// makes a second file; nobody was told of the first, so no message names it, and it is removed after a day.
async fn keep_once(app: &App, who: &Principal, key: &str, id: &RequestId, file: (Received, Option<String>)) -> Answer<Response> {
    let (received, name) = file;
    let hash = idempotency::hash(&["upload", name.as_deref().unwrap_or_default()], received.sha256());
    let number = match idempotency::begin(app, who, key, hash).await {
        Ok(Turn::Run(number)) => number,
        Ok(Turn::Replay(response)) => {
            app.discard(received).await;
            return Ok(response);
        }
        Err(error) => {
            app.discard(received).await;
            return Err(error.into());
        }
    };
    let kept = async { keep(app, received, name).await.unwrap_or_else(|error| Problem::from(error).into_response()) };
    Ok(idempotency::run(app, who, (key, number), Some(id), kept).await)
}

/// 201 with the file's record, or an earlier answer again.
#[derive(Debug)]
pub(super) struct Uploaded(Response);

impl axum::response::IntoResponse for Uploaded {
    fn into_response(self) -> Response {
        self.0
    }
}

impl OperationOutput for Uploaded {
    type Inner = Data<Media>;

    fn inferred_responses(ctx: &mut GenContext, operation: &mut Operation) -> Vec<(Option<StatusCode>, Documented)> {
        Created::<Media>::inferred_responses(ctx, operation)
    }
}

pub(super) fn upload_docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    let op = operation_on("media", op, "uploadMedia", "Upload a file, to be sent with `media_ids`");
    openapi::answer_example(op, &golden!("media")).description(
        "The part `file` of a multipart form, with its name. 201 once the file is durable. Its type is found out by its content, whatever \
         the form says. A file that no message names within a day is removed. What a provider takes in a message is checked when it is sent.",
    )
}

pub(super) async fn show(State(app): State<App>, caller: Allowed<ReadConversations>, InMedia(id): InMedia) -> Answer<Json<Data<Media>>> {
    Ok(Data::of(app.media(&caller.who, id).await?))
}

pub(super) fn show_docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    let op = operation_on("media", op, "getMedia", "A file's record, with fresh links");
    openapi::answer_example(op, &golden!("media"))
}
