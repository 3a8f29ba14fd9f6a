//! Uploads: a multipart form whose part `file` is handed on as it arrives, never held whole. A body that is too long, too slow or cut
//! short ends, and leaves nothing.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use aide::OperationInput;
use aide::generate::GenContext;
use aide::openapi::{MediaType, Operation, ReferenceOr, RequestBody, SchemaObject};
use axum::body::{Body, BodyDataStream};
use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use futures::stream::{self, Stream, StreamExt as _};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use multer::Multipart;
use parlance_app::App;
use parlance_app::media::Received;
use parlance_model::error::Kind;
use parlance_model::key::Principal;
use parlance_model::{Error, Result};
use schemars::json_schema;
use tokio::time::Instant;

use crate::openapi;
use crate::problem::{Answer, Problem};

/// The part that is the file.
pub(crate) const PART: &str = "file";
/// What may stand around the file, in bytes: the form's own lines and other fields.
const AROUND: u64 = 64 << 10;
/// How slowly an upload may arrive: some 6.5 KB a second, with pauses.
const PACE: Pace = Pace { whole: Duration::from_secs(600), piece: 192 << 10, wait: Duration::from_secs(30) };

/// What an upload has to keep up with. Only waiting for the sender counts: a slow media store is not the sender's fault.
#[derive(Debug, Clone, Copy)]
struct Pace {
    /// How long all of it may take.
    whole: Duration,
    /// How many bytes have to come...
    piece: u64,
    /// ...before they were waited for as long as this.
    wait: Duration,
}

/// What has come of an upload.
struct Arriving {
    body: BodyDataStream,
    /// Bytes.
    taken: u64,
    /// The turn in which the last chunk came.
    turn: u64,
    /// Bytes of the piece that is under way, and how long it may still be waited for.
    piece: u64,
    left: Duration,
}

/// The form of an upload, not read yet.
pub(crate) struct Upload {
    form: Multipart<'static>,
    /// Whether the file has begun: what comes before it is held in memory, and may be less.
    begun: Arc<AtomicBool>,
    /// How often the form was gone on with. The parser takes all that is ready into its memory, so each turn has one chunk only.
    turn: Arc<AtomicU64>,
}

impl FromRequest<App> for Upload {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Answer<Self> {
        let (parts, body) = request.into_parts();
        let content_type = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let boundary = multer::parse_boundary(content_type).map_err(|_| {
            let text = "The body must be a form with the part `file`, with `Content-Type: multipart/form-data; boundary=…`.";
            Error::new(Kind::UnsupportedMedia, "unsupported_media_type", text)
        })?;
        let announced = parts.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        if announced.is_some_and(|length| length > app.media_limit().saturating_add(AROUND)) {
            return Err(app.file_too_large().into());
        }
        Ok(Self::of(body, boundary, app, PACE))
    }
}

impl Upload {
    fn of(body: Body, boundary: String, app: &App, pace: Pace) -> Self {
        let begun = Arc::new(AtomicBool::new(false));
        let (limit, too_large) = (app.media_limit().saturating_add(AROUND), app.clone());
        let (started, gate) = (Instant::now(), Arc::clone(&begun));
        let turn = Arc::new(AtomicU64::new(0));
        let arriving = Arriving { body: body.into_data_stream(), taken: 0, turn: 0, piece: 0, left: pace.wait };
        let turns = Arc::clone(&turn);
        let stream = stream::unfold(Some(arriving), move |arriving| {
            let (gate, turns, app) = (Arc::clone(&gate), Arc::clone(&turns), too_large.clone());
            async move {
                let mut at = arriving?;
                while turns.load(Ordering::Relaxed) == at.turn {
                    tokio::task::yield_now().await;
                }
                let most = if gate.load(Ordering::Relaxed) { limit } else { AROUND };
                if at.taken > most {
                    return Some((Err(if most == limit { app.file_too_large() } else { crowded() }), None));
                }
                let asked = Instant::now();
                if asked > started + pace.whole {
                    return Some((Err(slow()), None));
                }
                let until = (started + pace.whole).min(asked + at.left);
                match tokio::time::timeout_at(until, at.body.next()).await {
                    Ok(Some(Ok(chunk))) => {
                        at.taken += chunk.len() as u64;
                        at.piece += chunk.len() as u64;
                        if at.piece >= pace.piece {
                            (at.piece, at.left) = (0, pace.wait);
                        } else if let Some(left) = at.left.checked_sub(asked.elapsed()) {
                            at.left = left;
                        } else {
                            return Some((Err(slow()), None));
                        }
                        at.turn = turns.load(Ordering::Relaxed);
                        Some((Ok(chunk), Some(at)))
                    }
                    Ok(Some(Err(error))) => Some((Err(broken().with_source(error)), None)),
                    Ok(None) => None,
                    Err(_) => Some((Err(slow()), None)),
                }
            }
        });
        Self { form: Multipart::new(stream, boundary), begun, turn }
    }

    /// Reads the form to its end, and its file into the media store. Answers the file and the name that the form gives it.
    ///
    /// # Errors
    /// `validation_failed` without a file, with an empty one or with two; `broken_body`; `file_too_large`; `too_many_uploads`;
    /// `unavailable`.
    pub(crate) async fn take(mut self, app: &App, who: &Principal) -> Result<(Received, Option<String>)> {
        let mut taken: Option<(Received, Option<String>)> = None;
        let read = async {
            while let Some(field) = self.form.next_field().await.map_err(failed)? {
                if field.name() != Some(PART) {
                    continue;
                }
                if taken.is_some() {
                    return Err(Error::invalid(PART, "Must be given once. Upload files one by one."));
                }
                self.begun.store(true, Ordering::Relaxed);
                let name = field.file_name().map(str::to_owned);
                taken = Some((app.receive(who, content(field)).await?, name));
            }
            Ok(())
        };
        let read = in_turns(&self.turn, read).await;
        match (read, taken) {
            (Ok(()), Some(taken)) => Ok(taken),
            (Ok(()), None) => Err(Error::invalid(PART, "Is required: a part of the form with a file.")),
            (Err(error), Some((received, _))) => {
                app.discard(received).await;
                Err(error)
            }
            (Err(error), None) => Err(error),
        }
    }
}

/// Runs this to its end, and counts how often it is gone on with.
async fn in_turns<F: Future>(turn: &AtomicU64, run: F) -> F::Output {
    let mut run = pin!(run);
    poll_fn(|context| {
        turn.fetch_add(1, Ordering::Relaxed);
        run.as_mut().poll(context)
    })
    .await
}

fn content(field: multer::Field<'static>) -> impl Stream<Item = Result<Bytes>> + Send {
    field.map(|chunk| chunk.map_err(failed))
}

/// What went wrong with the form: an error of ours that came through the parser, or a form that is none.
pub(crate) fn failed(error: multer::Error) -> Error {
    match error {
        multer::Error::StreamReadFailed(cause) => match cause.downcast::<Error>() {
            Ok(ours) => *ours,
            Err(cause) => broken().with_source(cause),
        },
        other => broken().with_source(other),
    }
}

fn broken() -> Error {
    Error::new(Kind::Malformed, "broken_body", "The request's body ended too early, or is not the form that it says it is. Send it again.")
}

fn slow() -> Error {
    Error::new(Kind::Malformed, "broken_body", "The file did not arrive in time. Send it again over a faster connection, or a smaller one.")
}

fn crowded() -> Error {
    Error::new(Kind::TooLarge, "body_too_large", "The parts before `file` must be at most 64 KiB together. Put `file` first.")
}

impl OperationInput for Upload {
    fn operation_input(_: &mut GenContext, operation: &mut Operation) {
        let json_schema = json_schema!({
            "type": "object",
            "properties": { "file": { "type": "string", "format": "binary", "description": "The file, with its name." } },
            "required": ["file"],
        });
        let schema = SchemaObject { json_schema, example: None, external_docs: None };
        let example = serde_json::json!({ "file": "(the bytes of the file)" });
        let form = MediaType { schema: Some(schema), example: Some(example), ..MediaType::default() };
        let body = RequestBody {
            content: [("multipart/form-data".to_owned(), form)].into_iter().collect(),
            required: true,
            ..RequestBody::default()
        };
        operation.request_body = Some(ReferenceOr::Item(body));
        openapi::refuses(operation, &[Kind::Malformed, Kind::TooLarge, Kind::UnsupportedMedia, Kind::Invalid]);
        openapi::codes(operation, &["file_too_large", "too_many_uploads", "validation_failed"]);
    }
}

#[cfg(test)]
mod tests;
