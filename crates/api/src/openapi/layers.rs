//! The headers that layers take and answer, each on one line with the rule of where it occurs: the rules by which the layers
//! are put around the handlers.

use serde_json::{Map, Value, json};

use super::call::Call;
use super::complete::reference;
use crate::{dialects, idempotency, limit};

/// How an entity tag looks.
const TAG: &str = "W/\"6WTHGbkw1VYDx0cG0OQKJA\"";

/// A header of requests.
struct Taken {
    /// Its name among the parameters of the document.
    key: &'static str,
    rule: fn(&Call) -> bool,
    said: fn() -> Value,
}

/// A header of answers.
struct Sent {
    name: &'static str,
    /// Whether an answer with this status, and with one of these codes if it is a problem, carries it.
    rule: fn(&Call, u16, &[&str]) -> bool,
    said: fn() -> Value,
}

const TAKEN: &[Taken] = &[
    Taken { key: "RequestId", rule: |_| true, said: request_id },
    Taken { key: "Dialect", rule: |call| call.needs_key, said: dialect },
    Taken { key: "OrgId", rule: |call| call.needs_key, said: org_id },
    Taken { key: "IfNoneMatch", rule: |call| call.is_tagged, said: if_none_match },
    Taken { key: "IdempotencyKey", rule: |call| call.once, said: idempotency_key },
    // Named by the extractor that reads it.
    Taken { key: "Prefer", rule: |_| false, said: prefer },
];

const SENT: &[Sent] = &[
    Sent { name: "X-Request-Id", rule: |_, _, _| true, said: sent_request_id },
    Sent { name: "Idempotent-Replayed", rule: |call, status, _| call.once && status < 300, said: replayed },
    Sent { name: limit::HEADERS[0], rule: is_counted, said: limit_of },
    Sent { name: limit::HEADERS[1], rule: is_counted, said: remaining },
    Sent { name: limit::HEADERS[2], rule: is_counted, said: reset },
    Sent { name: "ETag", rule: is_tagged, said: etag },
    Sent { name: "Cache-Control", rule: is_tagged, said: cache_control },
    // Named by the type of lists.
    Sent { name: "Parlance-Total", rule: |_, _, _| false, said: total },
    Sent { name: "WWW-Authenticate", rule: |_, status, _| status == 401, said: authenticate },
    Sent {
        name: "Retry-After",
        rule: |_, status, codes| {
            status == 429 || status == 503 || codes.iter().any(|code| ["idempotency_running", "under_way"].contains(code))
        },
        said: retry_after,
    },
];

/// Whoever shows no key is not counted.
fn is_counted(call: &Call, status: u16, _: &[&str]) -> bool {
    call.needs_key && status != 401
}

fn is_tagged(call: &Call, status: u16, _: &[&str]) -> bool {
    call.is_tagged && [200, 304].contains(&status)
}

/// Adds the parameters to an operation, and the headers to its answers of success.
pub(super) fn add(call: &Call, operation: &mut Map<String, Value>) {
    if let Value::Array(parameters) = operation.entry("parameters").or_insert_with(|| json!([])) {
        parameters.extend(TAKEN.iter().filter(|taken| (taken.rule)(call)).map(|taken| reference("parameters", taken.key)));
    }
    for (status, response) in operation.get_mut("responses").and_then(Value::as_object_mut).into_iter().flatten() {
        let status = status.parse().unwrap_or_default();
        if response.get("$ref").is_none() {
            let headers = response.as_object_mut().map(|response| response.entry("headers").or_insert_with(|| json!({})));
            if let Some(Value::Object(headers)) = headers {
                headers.extend(sent(call, status, &[]));
            }
        }
    }
}

/// The headers of an answer.
pub(super) fn sent(call: &Call, status: u16, codes: &[&str]) -> Map<String, Value> {
    let of = SENT.iter().filter(|sent| (sent.rule)(call, status, codes));
    of.map(|sent| (sent.name.to_owned(), reference("headers", sent.name))).collect()
}

/// The document's section of parameters.
pub(super) fn parameters() -> Map<String, Value> {
    TAKEN.iter().map(|taken| (taken.key.to_owned(), (taken.said)())).collect()
}

/// The document's section of headers.
pub(super) fn headers() -> Map<String, Value> {
    SENT.iter().map(|sent| (sent.name.to_owned(), (sent.said)())).collect()
}

fn request_id() -> Value {
    json!({
        "name": "X-Request-Id", "in": "header", "schema": { "type": "string" }, "example": "checkout-7",
        "description": "A name for the request: 1 to 64 of A-Z, a-z, 0-9, `.`, `_` and `-`. Any other is replaced by one of ours.",
    })
}

fn dialect() -> Value {
    json!({
        "name": "Parlance-Dialect", "in": "header", "description": "The dialect of this one request, in place of the key's own.",
        "schema": { "type": "string", "enum": dialects::words() }, "example": "unified",
    })
}

fn org_id() -> Value {
    json!({
        "name": "X-Org-Id", "in": "header", "schema": { "type": "integer", "format": "int64", "minimum": 1 }, "example": 1,
        "description": "The organisation that is meant, for people who work in several. A key opens one only, and may leave it out.",
    })
}

fn idempotency_key() -> Value {
    json!({
        "name": "Idempotency-Key", "in": "header", "example": "order-4711",
        "description": "Repetitions with the same key and the same request act once, and are answered what the first was, for 24 hours.",
        "schema": { "type": "string", "minLength": 1, "maxLength": idempotency::LONGEST, "pattern": "^[!-~]+$" },
    })
}

fn if_none_match() -> Value {
    json!({
        "name": "If-None-Match", "in": "header", "example": TAG,
        "description": "Entity tags of answers that the caller has: 304 without a body when nothing has changed since.",
        "schema": { "type": "string" },
    })
}

fn prefer() -> Value {
    json!({
        "name": "Prefer", "in": "header", "example": "respond-async",
        "description": "`respond-async` (RFC 7240): answer once the message is stored, without waiting for the provider.",
        "schema": { "type": "string" },
    })
}

fn sent_request_id() -> Value {
    json!({ "description": "The request's id, as in the log.", "required": true, "schema": { "type": "string" }, "example": "checkout-7" })
}

fn replayed() -> Value {
    json!({
        "description": "`true` when this is the stored answer to an earlier request with the same Idempotency-Key.",
        "schema": { "type": "string", "enum": ["true"] }, "example": "true",
    })
}

fn limit_of() -> Value {
    json!({
        "description": "Requests that the caller may make in a minute. These three are left out where the server sets no limit.",
        "schema": { "type": "integer", "minimum": 1 }, "example": crate::RATE_LIMIT,
    })
}

fn remaining() -> Value {
    json!({ "description": "Requests that the caller has in hand now.", "schema": { "type": "integer", "minimum": 0 }, "example": 599 })
}

fn reset() -> Value {
    json!({ "description": "Seconds until all of them are in hand again.", "schema": { "type": "integer", "minimum": 0 }, "example": 1 })
}

fn etag() -> Value {
    json!({
        "description": "Names this state of the list, for `If-None-Match`. A list that is searched has none.",
        "schema": { "type": "string" }, "example": TAG,
    })
}

fn cache_control() -> Value {
    json!({ "description": "Keep it, and ask each time.", "schema": { "type": "string" }, "example": "private, no-cache" })
}

fn total() -> Value {
    json!({
        "description": "Whether `meta.total` is `exact`, or `bounded`: counting stopped there, and there are more.",
        "required": true, "schema": { "type": "string", "enum": ["exact", "bounded"] }, "example": "exact",
    })
}

fn authenticate() -> Value {
    json!({ "description": "The scheme that is wanted.", "schema": { "type": "string", "enum": ["Bearer"] }, "example": "Bearer" })
}

fn retry_after() -> Value {
    json!({ "description": "Seconds after which trying again makes sense.", "schema": { "type": "integer", "minimum": 0 }, "example": 2 })
}
