//! The simulator's own HTTP, under `/sim/`: what the Rust handle can do, in JSON, for a person with curl and for the
//! demo. It has no credentials and answers connections from this machine only.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Query, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::fault::Fault;
use super::inbound::{DeliveryReport, Inbound};
use super::line::Line;
use super::state::Inner;
use super::voice::{CallReport, InboundCall, Phone};

/// The largest inbound message, files included, in bytes.
const MAX_INBOUND_BYTES: usize = 16 << 20;
/// How many entries a list has unless it is asked for more.
const LIMIT: usize = 1000;

pub(crate) fn router() -> Router<Arc<Inner>> {
    Router::new()
        .route("/sim/messages", get(messages))
        .route("/sim/deliveries", get(deliveries))
        .route("/sim/leaks", get(leaks))
        .route("/sim/inbound", post(inbound).layer(DefaultBodyLimit::max(MAX_INBOUND_BYTES)))
        .route("/sim/call", post(call))
        .route("/sim/calls", get(calls))
        .route("/sim/phones", get(phones).post(set_phone))
        .route("/sim/twiml-errors", get(twiml_errors))
        .route("/sim/faults", get(faults).post(add_fault).delete(clear_faults))
        .route_layer(middleware::from_fn(from_this_machine))
}

async fn from_this_machine(Extension(line): Extension<Line>, request: Request, next: Next) -> Response {
    if line.peer.ip().to_canonical().is_loopback() {
        return next.run(request).await;
    }
    (StatusCode::FORBIDDEN, Json(json!({ "message": "The simulator is controlled from the machine that it runs on." }))).into_response()
}

/// How many of the newest entries are wanted.
#[derive(Debug, Deserialize)]
struct Limit {
    limit: Option<usize>,
}

async fn messages(State(inner): State<Arc<Inner>>, Query(Limit { limit }): Query<Limit>) -> Json<Value> {
    let messages = inner.messages();
    let mut newest: Vec<_> = messages.iter().rev().take(limit.unwrap_or(LIMIT)).collect();
    newest.reverse();
    Json(json!({ "messages": newest }))
}

async fn deliveries(State(inner): State<Arc<Inner>>, Query(Limit { limit }): Query<Limit>) -> Json<Value> {
    let deliveries = inner.deliveries();
    let newest = &deliveries[deliveries.len().saturating_sub(limit.unwrap_or(LIMIT))..];
    Json(json!({ "deliveries": newest }))
}

async fn leaks(State(inner): State<Arc<Inner>>) -> Json<Value> {
    Json(json!({ "leaks": inner.leaks() }))
}

async fn inbound(State(inner): State<Arc<Inner>>, Json(inbound): Json<Inbound>) -> (StatusCode, Json<DeliveryReport>) {
    let report = inner.inbound(inbound).await;
    let status = if report.message_sid.is_some() { StatusCode::OK } else { StatusCode::NOT_FOUND };
    (status, Json(report))
}

async fn call(State(inner): State<Arc<Inner>>, Json(call): Json<InboundCall>) -> (StatusCode, Json<CallReport>) {
    let report = inner.call_in(call).await;
    let status = if report.calls.is_empty() { StatusCode::NOT_FOUND } else { StatusCode::OK };
    (status, Json(report))
}

async fn calls(State(inner): State<Arc<Inner>>, Query(Limit { limit }): Query<Limit>) -> Json<Value> {
    let calls = inner.voice.calls();
    let newest = &calls[calls.len().saturating_sub(limit.unwrap_or(LIMIT))..];
    Json(json!({ "calls": newest }))
}

/// A phone and its number.
#[derive(Debug, Deserialize)]
struct NumberedPhone {
    number: String,
    #[serde(flatten)]
    phone: Phone,
}

async fn phones(State(inner): State<Arc<Inner>>) -> Json<Value> {
    Json(json!({ "phones": inner.voice.phones() }))
}

async fn set_phone(State(inner): State<Arc<Inner>>, Json(NumberedPhone { number, phone }): Json<NumberedPhone>) -> StatusCode {
    inner.voice.set_phone(number, phone);
    StatusCode::NO_CONTENT
}

async fn twiml_errors(State(inner): State<Arc<Inner>>) -> Json<Value> {
    Json(json!({ "twiml_errors": inner.voice.errors() }))
}

async fn faults(State(inner): State<Arc<Inner>>) -> Json<Value> {
    Json(json!({ "faults": inner.faults.list() }))
}

async fn add_fault(State(inner): State<Arc<Inner>>, Json(fault): Json<Fault>) -> (StatusCode, Json<Fault>) {
    inner.faults.add(fault.clone());
    (StatusCode::CREATED, Json(fault))
}

async fn clear_faults(State(inner): State<Arc<Inner>>) -> StatusCode {
    inner.faults.clear();
    StatusCode::NO_CONTENT
}
