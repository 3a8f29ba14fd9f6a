//! The document as a whole: the dialects' documents put together, with what is true of every operation added to each.

use aide::openapi::OpenApi;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::call::Call;
use super::{KEY, PROVIDER, SESSION, answers, example, layers};
use crate::problem::ProblemBody;

/// Puts documents together, each behind its base path, and adds what the layers do.
pub(super) fn complete(documents: Vec<(&'static str, OpenApi)>) -> Value {
    let (mut paths, mut schemas, mut responses) = (Map::new(), problem_schemas(), Map::new());
    for (base, document) in documents {
        let Ok(Value::Object(mut document)) = serde_json::to_value(document) else { continue };
        for (path, mut item) in entries(document.remove("paths")) {
            for (method, operation) in item.as_object_mut().into_iter().flatten() {
                let Value::Object(operation) = operation else { continue };
                finish(&Call::of(&path, method, operation), operation, &mut responses);
            }
            paths.insert(format!("{base}{path}"), item);
        }
        schemas.extend(entries(document.get_mut("components").and_then(|components| components.get_mut("schemas")).map(Value::take)));
    }
    responses.sort_keys();
    schemas.values_mut().for_each(absent_is_not_null);
    json!({
        "openapi": "3.1.0",
        "info": info(),
        "servers": [{ "url": "/", "description": "The server that this document came from." }],
        "tags": tags(),
        "paths": paths,
        "components": {
            "securitySchemes": security(),
            "parameters": layers::parameters(),
            "headers": layers::headers(),
            "responses": responses,
            "examples": answers::examples(),
            "schemas": schemas,
        },
    })
}

/// Adds to an operation what it has by rule.
fn finish(call: &Call, operation: &mut Map<String, Value>, responses: &mut Map<String, Value>) {
    operation.entry("security").or_insert_with(|| json!([]));
    answers::add(call, operation, responses);
    layers::add(call, operation);
    example::of_parameters(operation);
}

/// Takes away the defaults that the generator makes of `Option`: a field that is left out stays as it is, and null may clear it.
fn absent_is_not_null(schema: &mut Value) {
    for (_, field) in schema.get_mut("properties").and_then(Value::as_object_mut).into_iter().flatten() {
        if field.get("default").is_some_and(Value::is_null) {
            field.as_object_mut().map(|field| field.remove("default"));
        }
    }
}

pub(super) fn reference(section: &str, name: &str) -> Value {
    json!({ "$ref": format!("#/components/{section}/{name}") })
}

fn entries(object: Option<Value>) -> Map<String, Value> {
    match object {
        Some(Value::Object(object)) => object,
        _ => Map::new(),
    }
}

fn info() -> Value {
    json!({
        "title": "Parlance",
        "version": env!("CARGO_PKG_VERSION"),
        "summary": "One inbox, one API: the unified dialect.",
        "description": "Success is `{\"data\": …}`, lists add `meta`. Errors are RFC 9457 problems with a stable `code`. Times are \
            ISO 8601 in UTC. Fields may be added to answers at any time; unknown fields of requests are ignored. A page to read, with \
            guides and every code, is at `/docs`; what changed is at `/docs/changelog`.",
        "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
    })
}

fn tags() -> Value {
    json!([
        { "name": "conversations", "description": "Conversations and their messages." },
        { "name": "contacts", "description": "People outside, how they are reached, and who opted out." },
        { "name": "media", "description": "Files: upload, and fetch by links that end." },
        { "name": "search", "description": "People and messages by what was written." },
        { "name": "directory", "description": "The organisation: people, keys, accounts, settings, and its log of events." },
        { "name": "hooks", "description": "Where providers call." },
        { "name": "system", "description": "For supervisors and load balancers." },
    ])
}

fn security() -> Value {
    json!({
        (KEY): { "type": "http", "scheme": "bearer", "description": "A key, as `parlance key create` and `makeKey` make it." },
        (SESSION): {
            "type": "apiKey", "in": "cookie", "name": crate::cookie::NAME,
            "description": "The session of a person who signed in, for Parlance's own pages.",
        },
        (PROVIDER): {
            "type": "apiKey", "in": "header", "name": "X-Twilio-Signature",
            "description": "Twilio's signature over the public URL and the parameters, made with the account's auth token.",
        },
    })
}

/// The schemas of problems, which no handler names.
fn problem_schemas() -> Map<String, Value> {
    let settings = SchemaSettings::draft2020_12().for_serialize().with(|settings| settings.definitions_path = "/components/schemas".into());
    let mut generator = settings.into_generator();
    generator.subschema_for::<ProblemBody<'_>>();
    generator.take_definitions(true)
}
