//! Recordings: their resources, and the way to the sound, Basic auth and then a redirect to where files lie.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::{HeaderMap, StatusCode, Uri, header};
use serde::Serialize;
use serde_json::{Value, json};

use super::{lock, sound};
use crate::twilio::cdn;
use crate::twilio::draft::Fields;
use crate::twilio::listing::{self, Asked, Entry};
use crate::twilio::refusal::Refusal;
use crate::twilio::resource::date;
use crate::twilio::rest::stem;
use crate::twilio::state::{Account, Inner};

/// What made a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum RecordingSource {
    /// `<Record>`.
    RecordVerb,
    /// `<Dial record=…>`.
    DialVerb,
    /// `Record=true` of a create.
    #[serde(rename = "OutboundAPI")]
    OutboundApi,
}

impl RecordingSource {
    /// Twilio's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RecordVerb => "RecordVerb",
            Self::DialVerb => "DialVerb",
            Self::OutboundApi => "OutboundAPI",
        }
    }
}

/// A recording.
#[derive(Debug, Clone, Serialize)]
pub struct SimRecording {
    /// `RE` and 32 hexadecimal digits.
    pub sid: String,
    /// The account that it belongs to.
    pub account_sid: String,
    /// The leg that it is of.
    pub call_sid: String,
    /// What made it.
    pub source: RecordingSource,
    /// 1, or 2 when each side has its own.
    pub channels: u8,
    /// Its length in seconds.
    pub duration_s: u64,
    /// Unix ms of its beginning, on the call's own clock.
    pub started_ms: i64,
    /// The number on the other side of the call.
    pub customer: String,
}

impl Entry for SimRecording {
    fn sid(&self) -> &str {
        &self.sid
    }

    fn account_sid(&self) -> &str {
        &self.account_sid
    }
}

impl Inner {
    /// `RecordingUrl`: the sound is there, with `.mp3` or `.wav` behind it, too.
    pub(super) fn recording_url(&self, recording: &SimRecording) -> String {
        format!("{}2010-04-01/Accounts/{}/Recordings/{}", self.base_url, recording.account_sid, recording.sid)
    }

    fn recording_of(&self, account: &Account, sid: &str) -> Option<SimRecording> {
        self.voice.recording(sid).filter(|recording| recording.account_sid == account.config.account_sid)
    }
}

pub(super) fn router() -> Router<Arc<Inner>> {
    Router::new()
        .route("/2010-04-01/Accounts/{account}/Recordings.json", get(list))
        .route("/2010-04-01/Accounts/{account}/Recordings/{file}", get(fetch).delete(remove))
        .route("/2010-04-01/Accounts/{account}/Calls/{call}/Recordings.json", get(list_of_call))
}

async fn list(State(inner): State<Arc<Inner>>, asked: Asked) -> Result<Response, Refusal> {
    let wanted = Wanted::parse(&asked.fields, asked.fields.get("CallSid"))?;
    Ok(asked.answer(lock(&inner.voice.recordings).iter(), |one| wanted.holds(one), ("recordings", |one| resource(&inner, one))))
}

async fn list_of_call(
    State(inner): State<Arc<Inner>>,
    Path((_, call_sid)): Path<(String, String)>,
    uri: Uri,
    asked: Asked,
) -> Result<Response, Refusal> {
    let call = inner.call_of(&asked.account, &call_sid).ok_or_else(|| Refusal::not_found(uri.path()))?;
    let wanted = Wanted::parse(&asked.fields, Some(&call.sid))?;
    Ok(asked.answer(lock(&inner.voice.recordings).iter(), |one| wanted.holds(one), ("recordings", resource_of_call)))
}

/// The recordings that a list asks for.
struct Wanted {
    call_sid: Option<String>,
    /// Unix ms, first and last, of their beginning.
    created: (i64, i64),
}

impl Wanted {
    fn parse(fields: &Fields, call_sid: Option<&str>) -> Result<Self, Refusal> {
        Ok(Self { call_sid: call_sid.map(str::to_owned), created: listing::span(fields, "DateCreated")? })
    }

    fn holds(&self, recording: &SimRecording) -> bool {
        self.call_sid.as_ref().is_none_or(|sid| *sid == recording.call_sid)
            && (self.created.0..=self.created.1).contains(&recording.started_ms)
    }
}

/// The resource with `.json`; else the sound, by way of a redirect that needs no credentials.
async fn fetch(
    State(inner): State<Arc<Inner>>,
    Path((account_sid, file)): Path<(String, String)>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, Refusal> {
    let account = inner.authenticate(&headers, &account_sid, uri.path())?;
    let (sid, kind) = file.split_once('.').unwrap_or((&file, "wav"));
    let recording = inner.recording_of(&account, sid).ok_or_else(|| Refusal::not_found(uri.path()))?;
    if kind == "json" {
        return Ok(Json(resource(&inner, &recording)).into_response());
    }
    if !["wav", "mp3"].contains(&kind) || inner.faults.take_recording_late(&recording.customer) {
        return Err(Refusal::not_found(uri.path()));
    }
    let link = cdn::recording_url(&inner, &recording.sid, kind);
    let location = inner.faults.take_media_redirect(&recording.customer).unwrap_or(link);
    Ok((StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, location)]).into_response())
}

async fn remove(
    State(inner): State<Arc<Inner>>,
    Path((account_sid, file)): Path<(String, String)>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<StatusCode, Refusal> {
    let account = inner.authenticate(&headers, &account_sid, uri.path())?;
    let recording = inner.recording_of(&account, stem(&file)).ok_or_else(|| Refusal::not_found(uri.path()))?;
    lock(&inner.voice.recordings).remove(&recording.sid);
    Ok(StatusCode::NO_CONTENT)
}

/// What lies behind a link: the customer, the content type and the bytes. `file` is the SID with `.wav` or `.mp3`.
pub(crate) fn audio(inner: &Inner, file: &str) -> Option<(String, &'static str, Vec<u8>)> {
    let (sid, kind) = file.split_once('.')?;
    let recording = inner.voice.recording(sid)?;
    let (content_type, bytes) = match kind {
        "wav" => ("audio/x-wav", sound::wav(recording.duration_s)),
        "mp3" => ("audio/mpeg", sound::mp3(recording.duration_s)),
        _ => return None,
    };
    Some((recording.customer, content_type, bytes))
}

/// The Recording resource.
fn resource(inner: &Inner, recording: &SimRecording) -> Value {
    let uri = format!("/2010-04-01/Accounts/{}/Recordings/{}", recording.account_sid, recording.sid);
    let mut all = common(recording, &format!("{uri}.json"));
    all["media_url"] = inner.recording_url(recording).into();
    all["subresource_uris"] = json!({ "transcriptions": format!("{uri}/Transcriptions.json") });
    all
}

/// The Recording resource below its call.
fn resource_of_call(recording: &SimRecording) -> Value {
    let SimRecording { account_sid, call_sid, sid, .. } = recording;
    let mut all = common(recording, &format!("/2010-04-01/Accounts/{account_sid}/Calls/{call_sid}/Recordings/{sid}.json"));
    all["track"] = "both".into();
    all
}

fn common(recording: &SimRecording, uri: &str) -> Value {
    json!({
        "account_sid": recording.account_sid,
        "api_version": "2010-04-01",
        "call_sid": recording.call_sid,
        "conference_sid": null,
        "date_created": date(recording.started_ms),
        "date_updated": date(recording.started_ms),
        "start_time": date(recording.started_ms),
        "duration": recording.duration_s.to_string(),
        "sid": recording.sid,
        "price": null,
        "price_unit": "USD",
        "status": "completed",
        "channels": recording.channels,
        "source": recording.source,
        "error_code": null,
        "uri": uri,
        "encryption_details": null,
    })
}
