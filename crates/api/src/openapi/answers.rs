//! The problems that an operation answers: which codes, by rule or by its own word, and an example of each.
//!
//! Operations that answer the same codes share one entry of the document's responses, which is named after status and codes.

use parlance_model::error::Kind;
use serde_json::{Map, Value, json};

use super::call::Call;
use super::complete::reference;
use super::{CODES, layers};
use crate::problem::{self, Known, MEDIA_TYPE, status_of};

/// Every kind that has a status of its own.
const KINDS: [Kind; 12] = [
    Kind::Malformed,
    Kind::Unauthenticated,
    Kind::Forbidden,
    Kind::NotFound,
    Kind::Conflict,
    Kind::Gone,
    Kind::TooLarge,
    Kind::OutOfRange,
    Kind::UnsupportedMedia,
    Kind::Invalid,
    Kind::RateLimited,
    Kind::Unavailable,
];

/// Puts the operation's problems among its answers, and into the document's responses.
pub(super) fn add(call: &Call, operation: &mut Map<String, Value>, shared: &mut Map<String, Value>) {
    let own = operation.remove(CODES).unwrap_or_default();
    let Some(Value::Object(responses)) = operation.get_mut("responses") else { return };
    for kind in KINDS {
        let status = status_of(kind);
        let refuses = responses.get(status.as_str()).is_some();
        let mut codes = by_rule(call, kind, refuses);
        codes.extend(own.as_array().into_iter().flatten().filter_map(|code| known(code, kind)));
        let codes: Vec<&Known> = problem::KNOWN.iter().filter(|known| codes.contains(&known.code)).collect();
        if codes.is_empty() {
            continue;
        }
        let names: Vec<&str> = codes.iter().map(|known| known.code).collect();
        let name = format!("{}.{}", status.as_str(), names.join("."));
        let mut headers = layers::sent(call, status.as_u16(), &names);
        headers.sort_keys();
        responses.insert(status.as_str().to_owned(), reference("responses", &name));
        shared.insert(name, response(kind, &codes, headers));
    }
    responses.sort_keys();
}

fn known(code: &Value, kind: Kind) -> Option<&'static str> {
    problem::known(code.as_str()?).filter(|known| known.status == status_of(kind)).map(|known| known.code)
}

/// The codes that an operation answers because of its extractors and the layers around it. `refuses`: an extractor or the
/// operation itself named the kind.
fn by_rule(call: &Call, kind: Kind, refuses: bool) -> Vec<&'static str> {
    let when = |fact: bool, codes: &[&'static str]| if fact { codes.to_vec() } else { Vec::new() };
    match kind {
        Kind::Malformed => [
            when(call.needs_key, &["bad_header", "unknown_dialect", "org_needed"]),
            when(call.takes_cursor, &["bad_cursor"]),
            when(call.takes_json, &["malformed_json"]),
            when(!call.reads && (call.needs_key || refuses), &["broken_body"]),
            when(call.is_hook, &["malformed"]),
        ]
        .concat(),
        Kind::Unauthenticated => when(call.needs_key, &["unauthenticated", "user_disabled"]),
        Kind::Forbidden => [
            when(call.needs_key, &["not_in_org", "org_disabled"]),
            when(call.needs_key && !call.reads, &["bad_origin"]),
            when(call.needs_key && refuses, &["forbidden"]),
            when(call.is_hook, &["bad_signature"]),
        ]
        .concat(),
        Kind::NotFound => when(refuses, &["not_found"]),
        Kind::Conflict => when(call.once, &["idempotency_running"]),
        Kind::TooLarge => when(refuses || (call.needs_key && !call.reads), &["body_too_large"]),
        Kind::UnsupportedMedia => when(refuses, &["unsupported_media_type"]),
        Kind::Invalid => {
            [when(call.once, &["idempotency_mismatch"]), when(call.takes_json || call.takes_query, &["validation_failed"])].concat()
        }
        Kind::Unavailable => [when(refuses || call.needs_key, &["unavailable"]), when(call.is_hook, &["put_off"])].concat(),
        Kind::RateLimited => when(call.needs_key, &["rate_limited", "too_many_failures"]),
        Kind::Gone | Kind::OutOfRange | Kind::Internal => Vec::new(),
    }
}

fn response(kind: Kind, codes: &[&Known], headers: Map<String, Value>) -> Value {
    let examples: Map<String, Value> = codes.iter().map(|known| (known.code.to_owned(), reference("examples", known.code))).collect();
    json!({
        "description": description(kind),
        "headers": headers,
        "content": { (MEDIA_TYPE): { "schema": reference("schemas", "Problem"), "examples": examples } },
    })
}

const fn description(kind: Kind) -> &'static str {
    match kind {
        Kind::Malformed => "The request cannot be read.",
        Kind::Unauthenticated => "No key, or none that is valid.",
        Kind::Forbidden => "The caller may not do this.",
        Kind::NotFound => "There is no such thing in this organisation.",
        Kind::Conflict => "It clashes with what is there; `code` says with what.",
        Kind::Gone => "What was asked for is no longer kept.",
        Kind::TooLarge => "The body is larger than is taken here.",
        Kind::OutOfRange => "It has no such part; `Content-Range` says how long it is.",
        Kind::UnsupportedMedia => "The body is of a type that is not taken here.",
        Kind::Invalid => "The request was understood and is not acceptable; `errors` names the fields.",
        Kind::RateLimited => "Too many of these; `Retry-After` says when again.",
        Kind::Unavailable => "Not now, and nothing was changed.",
        Kind::Internal => "A defect on the server's side.",
    }
}

/// The document's section of examples: a problem for each published code.
pub(super) fn examples() -> Map<String, Value> {
    problem::KNOWN
        .iter()
        .map(|known| (known.code.to_owned(), json!({ "summary": known.meaning, "value": problem::example(known) })))
        .collect()
}
