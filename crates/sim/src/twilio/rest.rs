//! Twilio's REST API for messages: create, fetch, list, update, delete. What a create must be like is `draft.rs`; files are `media.rs`.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use http::{HeaderMap, StatusCode, Uri};
use parlance_model::segments::Segments;
use serde_json::Value;
use tokio::task::JoinHandle;

use super::draft::{Draft, Fields};
use super::effects::{Answer, Effects};
use super::line::Line;
use super::listing::{self, Asked};
use super::magic;
use super::message::{self, Direction, Media, SimMessage, Status};
use super::refusal::Refusal;
use super::resource;
use super::state::{Account, Inner};

/// The longest form that is read, in bytes.
const MAX_FORM_BYTES: usize = 1 << 20;

pub(crate) fn router() -> Router<Arc<Inner>> {
    Router::new()
        .route("/2010-04-01/Accounts/{account}/Messages.json", get(list).post(create))
        .route("/2010-04-01/Accounts/{account}/Messages/{file}", get(fetch).post(update).delete(remove))
        .fallback(nowhere)
}

async fn nowhere(uri: Uri) -> Refusal {
    Refusal::not_found(uri.path())
}

async fn create(
    State(inner): State<Arc<Inner>>,
    Extension(line): Extension<Line>,
    Path(account_sid): Path<String>,
    request: Request,
) -> Result<Response, Refusal> {
    if inner.faults.take_unread_drop() {
        match line.hang_up().await {}
    }
    let account = inner.authenticate(request.headers(), &account_sid, request.uri().path())?;
    let draft = inner.draft(&account, &form(request).await?)?;
    let faults: Vec<_> = magic::recipient_fault(&draft.to).into_iter().chain(inner.faults.take_for_create(&draft.to)).collect();
    let mut effects = Effects::of(&faults);
    meet(&effects, &line).await?;
    let message = inner.take(&account, draft);
    // From here on the message goes its way, whether or not the caller waits.
    let course = inner.start_course(account, &message, std::mem::take(&mut effects.course));
    Ok(answer(&effects, &line, course, resource::message(&message)).await)
}

/// What a create meets before anything is stored.
pub(crate) async fn meet(effects: &Effects, line: &Line) -> Result<(), Refusal> {
    match effects.answer {
        Answer::Refused { status, code } => {
            pause(effects.delay_ms).await;
            Err(Refusal::of(code).with_status(status))
        }
        Answer::Dropped => match line.hang_up().await {},
        Answer::Given | Answer::Withheld { .. } => Ok(()),
    }
}

/// The answer to a create whose course has begun.
pub(crate) async fn answer(effects: &Effects, line: &Line, course: JoinHandle<Option<()>>, resource: Value) -> Response {
    if effects.callbacks_first {
        // It only fails when the simulator stops.
        let _ = course.await;
    }
    pause(effects.delay_ms).await;
    if let Answer::Withheld { hold_ms } = effects.answer {
        pause(hold_ms).await;
        match line.hang_up().await {}
    }
    (StatusCode::CREATED, Json(resource)).into_response()
}

impl Inner {
    /// Stores a message that may be sent.
    fn take(&self, account: &Account, draft: Draft) -> SimMessage {
        let now_ms = self.clock.now_ms();
        let status = match (&draft.messaging_service_sid, draft.send_at_ms) {
            (_, Some(_)) => Status::Scheduled,
            (Some(_), None) => Status::Accepted,
            (None, None) => Status::Queued,
        };
        let media = draft.media_urls.into_iter().map(|url| Media {
            sid: message::sid("ME", &*self.entropy),
            // Twilio learns the type when it fetches the file, which the simulator does not do.
            content_type: "application/octet-stream".to_owned(),
            url,
            data: None,
        });
        let media: Vec<_> = media.collect();
        let message = SimMessage {
            sid: message::sid(if media.is_empty() { "SM" } else { "MM" }, &*self.entropy),
            account_sid: account.config.account_sid.clone(),
            direction: Direction::OutboundApi,
            num_segments: if draft.from.is_some() { Segments::of(&draft.body).count } else { 0 },
            from: draft.from,
            to: draft.to,
            body: draft.body,
            media,
            status,
            error_code: None,
            messaging_service_sid: draft.messaging_service_sid,
            content_sid: draft.content_sid,
            status_callback: draft.status_callback,
            send_at_ms: draft.send_at_ms,
            created_ms: now_ms,
            updated_ms: now_ms,
            sent_ms: None,
        };
        self.remember(message.clone());
        message
    }

    /// The account's own message of this SID.
    pub(crate) fn message_of(&self, account: &Account, sid: &str) -> Option<SimMessage> {
        self.messages().get(sid).filter(|message| message.account_sid == account.config.account_sid).cloned()
    }
}

async fn list(State(inner): State<Arc<Inner>>, asked: Asked) -> Result<Response, Refusal> {
    let filter = listing::MessageFilter::parse(&asked.fields)?;
    Ok(asked.answer(inner.messages().iter(), |message| filter.wants(message), ("messages", resource::message)))
}

async fn fetch(
    State(inner): State<Arc<Inner>>,
    Path((account_sid, file)): Path<(String, String)>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, Refusal> {
    let account = inner.authenticate(&headers, &account_sid, uri.path())?;
    let message = inner.message_of(&account, stem(&file)).ok_or_else(|| Refusal::not_found(uri.path()))?;
    Ok(Json(resource::message(&message)).into_response())
}

/// Cancels a scheduled message, or empties the text of a finished one.
async fn update(
    State(inner): State<Arc<Inner>>,
    Path((account_sid, file)): Path<(String, String)>,
    request: Request,
) -> Result<Response, Refusal> {
    let path = request.uri().path().to_owned();
    let account = inner.authenticate(request.headers(), &account_sid, &path)?;
    let fields = form(request).await?;
    let before = inner.message_of(&account, stem(&file)).ok_or_else(|| Refusal::not_found(&path))?;
    let cancel = match fields.get("Status") {
        None => false,
        Some("canceled") => true,
        Some(_) => return Err(Refusal::saying(20001, "Invalid parameter: Status must be canceled")),
    };
    if fields.given("Body").is_some_and(|body| !body.is_empty()) {
        return Err(Refusal::saying(20001, "Invalid parameter: Body must be empty"));
    }
    let message = inner.change(&before.sid, cancel, fields.given("Body").is_some()).ok_or_else(|| Refusal::not_found(&path))??;
    if cancel {
        inner.report_canceled(&account, &message);
    }
    Ok(Json(resource::message(&message)).into_response())
}

impl Inner {
    /// Cancels or empties in one step, so that a message cannot leave between the look and the change.
    fn change(&self, sid: &str, cancel: bool, empty: bool) -> Option<Result<SimMessage, Refusal>> {
        let now_ms = self.clock.now_ms();
        let mut messages = self.messages();
        let message = messages.get_mut(sid)?;
        if cancel && message.status != Status::Scheduled {
            return Some(Err(Refusal::of(30409)));
        }
        if cancel {
            message.status = Status::Canceled;
        }
        if empty {
            message.body.clear();
        }
        message.updated_ms = now_ms;
        Some(Ok(message.clone()))
    }
}

async fn remove(
    State(inner): State<Arc<Inner>>,
    Path((account_sid, file)): Path<(String, String)>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<StatusCode, Refusal> {
    let account = inner.authenticate(&headers, &account_sid, uri.path())?;
    let message = inner.message_of(&account, stem(&file)).ok_or_else(|| Refusal::not_found(uri.path()))?;
    inner.messages().remove(&message.sid);
    Ok(StatusCode::NO_CONTENT)
}

/// The form that was posted.
pub(crate) async fn form(request: Request) -> Result<Fields, Refusal> {
    let body = axum::body::to_bytes(request.into_body(), MAX_FORM_BYTES).await;
    body.map(|body| Fields::parse(&body)).map_err(|error| Refusal::saying(20001, format!("Invalid parameter: {error}")).with_status(413))
}

async fn pause(ms: u64) {
    if ms > 0 {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
}

/// A SID, with or without `.json`.
pub(crate) fn stem(file: &str) -> &str {
    file.strip_suffix(".json").unwrap_or(file)
}
