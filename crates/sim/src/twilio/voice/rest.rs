//! The REST API of calls: create, fetch, list, end.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use http::{HeaderMap, Uri};

use super::call::{self, CallStatus, SimCall};
use super::lock;
use super::outbound::CallDraft;
use crate::twilio::draft::Fields;
use crate::twilio::effects::Effects;
use crate::twilio::line::Line;
use crate::twilio::listing::{self, Asked};
use crate::twilio::refusal::Refusal;
use crate::twilio::rest::{answer, form, meet, stem};
use crate::twilio::state::{Account, Inner};

pub(super) fn router() -> Router<Arc<Inner>> {
    Router::new()
        .route("/2010-04-01/Accounts/{account}/Calls.json", get(list).post(create))
        .route("/2010-04-01/Accounts/{account}/Calls/{file}", get(fetch).post(update))
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
    let draft = CallDraft::read(&account, &form(request).await?)?;
    let mut effects = Effects::of(&inner.faults.take_for_call_create(&draft.to));
    meet(&effects, &line).await?;
    let (call, course) = inner.call_out(account, draft, std::mem::take(&mut effects.course));
    Ok(answer(&effects, &line, course, call::resource(&call)).await)
}

/// Which calls are wanted.
struct CallFilter {
    to: Option<String>,
    from: Option<String>,
    parent: Option<String>,
    status: Option<String>,
    /// Unix ms, first and last, that `start_time` may have.
    started: (i64, i64),
    ended: (i64, i64),
}

impl CallFilter {
    fn parse(fields: &Fields) -> Result<Self, Refusal> {
        let text = |name: &str| fields.get(name).map(str::to_owned);
        Ok(Self {
            to: text("To"),
            from: text("From"),
            parent: text("ParentCallSid"),
            status: text("Status"),
            started: listing::span(fields, "StartTime")?,
            ended: listing::span(fields, "EndTime")?,
        })
    }

    fn wants(&self, call: &SimCall) -> bool {
        let is = |wanted: &Option<String>, value: &str| wanted.as_deref().is_none_or(|wanted| wanted == value);
        is(&self.to, &call.to)
            && is(&self.from, &call.from)
            && is(&self.parent, call.parent.as_deref().unwrap_or_default())
            && is(&self.status, call.status.as_str())
            && (self.started.0..=self.started.1).contains(&call.created_ms)
            && (self.ended.0..=self.ended.1).contains(&call.ended_ms.unwrap_or(i64::MAX))
    }
}

async fn list(State(inner): State<Arc<Inner>>, asked: Asked) -> Result<Response, Refusal> {
    let filter = CallFilter::parse(&asked.fields)?;
    Ok(asked.answer(lock(&inner.voice.calls).iter(), |call| filter.wants(call), ("calls", call::resource)))
}

async fn fetch(
    State(inner): State<Arc<Inner>>,
    Path((account_sid, file)): Path<(String, String)>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, Refusal> {
    let account = inner.authenticate(&headers, &account_sid, uri.path())?;
    let call = inner.call_of(&account, stem(&file)).ok_or_else(|| Refusal::not_found(uri.path()))?;
    Ok(Json(call::resource(&call)).into_response())
}

/// Ends a call: `canceled` before it is answered, `completed` at any time. A leg that a `<Dial>` began ends with its call.
async fn update(
    State(inner): State<Arc<Inner>>,
    Path((account_sid, file)): Path<(String, String)>,
    request: Request,
) -> Result<Response, Refusal> {
    let path = request.uri().path().to_owned();
    let account = inner.authenticate(request.headers(), &account_sid, &path)?;
    let fields = form(request).await?;
    let call = inner.call_of(&account, stem(&file)).ok_or_else(|| Refusal::not_found(&path))?;
    let wish = match fields.get("Status") {
        Some("canceled") => CallStatus::Canceled,
        Some("completed") => CallStatus::Completed,
        _ => return Err(Refusal::saying(20001, "Invalid parameter: Status must be canceled or completed")),
    };
    let in_time = if wish == CallStatus::Canceled { call.status.is_early() } else { !call.status.is_over() };
    let sender = lock(&inner.voice.live).get(&call.sid).filter(|_| in_time).cloned();
    let sender = sender.ok_or_else(|| Refusal::of(21220))?;
    // The run may end in this instant: then there is nothing left to end.
    let _ = sender.send(Some(wish));
    Ok(Json(call::resource(&SimCall { status: wish, ..call })).into_response())
}

impl Inner {
    /// The account's own call of this SID.
    pub(super) fn call_of(&self, account: &Account, sid: &str) -> Option<SimCall> {
        self.voice.call(sid).filter(|call| call.account_sid == account.config.account_sid)
    }
}
