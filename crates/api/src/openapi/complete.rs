//! What is true of every operation because of the layers around it, written into the document in one place.

use aide::openapi::OpenApi;
use parlance_model::error::Kind;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::KEY;
use crate::problem::{MEDIA_TYPE, ProblemBody, status_of};
use crate::{dialects, idempotency};

/// Puts documents together, each behind its base path, and adds what the layers do.
pub(super) fn complete(documents: Vec<(&'static str, OpenApi)>) -> Value {
    let (mut paths, mut schemas) = (Map::new(), problem_schemas());
    for (base, document) in documents {
        let Ok(Value::Object(mut document)) = serde_json::to_value(document) else { continue };
        for (path, mut item) in entries(document.remove("paths")) {
            item.as_object_mut().into_iter().flatten().for_each(|(method, operation)| describe_layers(method, operation));
            paths.insert(format!("{base}{path}"), item);
        }
        schemas.extend(entries(document.get_mut("components").and_then(|components| components.get_mut("schemas")).map(Value::take)));
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Parlance",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "One inbox, one API: the unified dialect.",
            "description": "Success is `{\"data\": …}`, lists add `meta`. Errors are RFC 9457 problems with a stable `code`. Times are \
                ISO 8601 in UTC. Fields may be added to answers at any time; unknown fields of requests are ignored.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "tags": [
            { "name": "conversations", "description": "Conversations and their messages." },
            { "name": "contacts", "description": "People outside, how they are reached, and who opted out." },
            { "name": "directory", "description": "The organisation: people, keys, accounts, settings, and its log of events." },
            { "name": "hooks", "description": "Where providers call." },
            { "name": "system", "description": "For supervisors and load balancers." },
        ],
        "paths": paths,
        "components": {
            "securitySchemes": { (KEY): { "type": "http", "scheme": "bearer", "description": "A key, as `parlance key create` makes it." } },
            "parameters": parameters(),
            "headers": headers(),
            "responses": responses(),
            "schemas": schemas,
        },
    })
}

fn entries(object: Option<Value>) -> Map<String, Value> {
    match object {
        Some(Value::Object(object)) => object,
        _ => Map::new(),
    }
}

/// The parameters and answers of the layers, by the rules by which the layers are put around the handlers.
fn describe_layers(method: &str, operation: &mut Value) {
    let Value::Object(operation) = operation else { return };
    let needs_key = operation.contains_key("security");
    let once = needs_key && method == "post";
    let mut taken = vec!["RequestId"];
    let mut sent = vec!["X-Request-Id"];
    let mut refused = Vec::new();
    if needs_key {
        taken.push("Dialect");
        refused.extend([Kind::Malformed, Kind::Unauthenticated, Kind::Unavailable]);
    }
    if needs_key && method != "get" {
        refused.push(Kind::TooLarge);
    }
    if once {
        taken.push("IdempotencyKey");
        sent.push("Idempotent-Replayed");
        refused.extend([Kind::Conflict, Kind::Invalid]);
    }
    if let Value::Array(parameters) = operation.entry("parameters").or_insert_with(|| json!([])) {
        parameters.extend(taken.into_iter().map(|name| reference("parameters", name)));
    }
    if let Some(Value::Object(responses)) = operation.get_mut("responses") {
        for response in responses.values_mut().filter(|response| response.get("$ref").is_none()) {
            response["headers"] = sent.iter().map(|name| ((*name).to_owned(), reference("headers", name))).collect();
        }
        for kind in refused {
            responses.insert(status_of(kind).as_str().to_owned(), reference("responses", &format!("{kind:?}")));
        }
        responses.sort_keys();
    }
}

fn reference(section: &str, name: &str) -> Value {
    json!({ "$ref": format!("#/components/{section}/{name}") })
}

fn parameters() -> Value {
    json!({
        "RequestId": {
            "name": "X-Request-Id", "in": "header", "schema": { "type": "string" },
            "description": "A name for the request: 1 to 64 of A-Z, a-z, 0-9, `.`, `_` and `-`. Any other is replaced by one of ours.",
        },
        "Dialect": {
            "name": "Parlance-Dialect", "in": "header", "description": "The dialect of this one request, in place of the key's own.",
            "schema": { "type": "string", "enum": dialects::words() },
        },
        "Prefer": {
            "name": "Prefer", "in": "header", "example": "respond-async",
            "description": "`respond-async` (RFC 7240): answer once the message is stored, without waiting for the provider.",
            "schema": { "type": "string" },
        },
        "IdempotencyKey": {
            "name": "Idempotency-Key", "in": "header",
            "description": "Repetitions with the same key and the same request act once, and are answered what the first was, for 24 hours.",
            "schema": { "type": "string", "minLength": 1, "maxLength": idempotency::LONGEST, "pattern": "^[!-~]+$" },
        },
    })
}

fn headers() -> Value {
    json!({
        "X-Request-Id": { "description": "The request's id, as in the log.", "required": true, "schema": { "type": "string" } },
        "Idempotent-Replayed": {
            "description": "`true` when this is the stored answer to an earlier request with the same Idempotency-Key.",
            "schema": { "type": "string", "enum": ["true"] },
        },
        "Retry-After": { "description": "Seconds after which trying again makes sense.", "schema": { "type": "integer", "minimum": 0 } },
        "WWW-Authenticate": { "description": "The scheme that is wanted.", "schema": { "type": "string", "enum": ["Bearer"] } },
    })
}

fn responses() -> Value {
    let said = [
        (Kind::Malformed, "The request cannot be read: malformed JSON, cursor or header.", None),
        (Kind::Unauthenticated, "No key, or none that is valid.", Some("WWW-Authenticate")),
        (Kind::Forbidden, "The caller may not do this.", None),
        (Kind::NotFound, "There is no such thing in this organisation.", None),
        (
            Kind::Conflict,
            "It clashes with what is there; `code` says with what. Or the first request with this Idempotency-Key is still running.",
            Some("Retry-After"),
        ),
        (Kind::Gone, "What was asked for is no longer kept.", None),
        (Kind::TooLarge, "The body is larger than 1 MiB.", None),
        (Kind::UnsupportedMedia, "The body is not JSON.", None),
        (Kind::Invalid, "A value is not acceptable; `errors` says which. Or the Idempotency-Key was used for another request.", None),
        (Kind::RateLimited, "Too many of these; Retry-After says when again.", Some("Retry-After")),
        (Kind::Unavailable, "Not now, and nothing was changed: the database cannot be reached or is overloaded.", Some("Retry-After")),
    ];
    let response = |(kind, description, header): (Kind, &str, Option<&str>)| {
        let headers: Map<String, Value> =
            ["X-Request-Id"].into_iter().chain(header).map(|name| (name.to_owned(), reference("headers", name))).collect();
        let content = json!({ (MEDIA_TYPE): { "schema": reference("schemas", "Problem") } });
        (format!("{kind:?}"), json!({ "description": description, "headers": headers, "content": content }))
    };
    said.into_iter().map(response).collect()
}

/// The schemas of problems, which no handler names.
fn problem_schemas() -> Map<String, Value> {
    let settings = SchemaSettings::draft2020_12().for_serialize().with(|settings| settings.definitions_path = "/components/schemas".into());
    let mut generator = settings.into_generator();
    generator.subschema_for::<ProblemBody<'_>>();
    generator.take_definitions(true)
}
