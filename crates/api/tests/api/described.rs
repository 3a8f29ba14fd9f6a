//! What the OpenAPI document says of every operation, and that it leaves nothing out.

use std::collections::HashSet;

use parlance_testkit::Database;
use serde_json::Value;

use crate::openapi::{Operation, document, follow, operations};
use crate::support::TestApp;

/// What is missing, a line each.
type Missing = Vec<String>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_operation_says_everything() {
    let (app, _, _) = TestApp::new(Database::Sqlite).await;
    let document = document(&app.anonymous()).await;
    assert_eq!(document["openapi"], "3.1.0");
    let operations = operations(&document);
    let ids: HashSet<_> = operations.iter().map(Operation::id).collect();
    assert!(ids.len() == operations.len() && ids.len() >= 40, "an operationId is used twice: {}", ids.len());
    let mut missing = Missing::new();
    for operation in &operations {
        let mut one = Missing::new();
        heads(&document, operation, &mut one);
        parameters(&document, operation, &mut one);
        bodies(operation, &mut one);
        successes(&document, operation, &mut one);
        problems(&document, operation, &mut one);
        missing.extend(one.into_iter().map(|what| format!("{}: {what}", operation.id())));
    }
    assert!(missing.is_empty(), "the document leaves out:\n{}", missing.join("\n"));
}

/// Notes what is not there.
fn want(fact: bool, what: impl Into<String>, missing: &mut Missing) {
    if !fact {
        missing.push(what.into());
    }
}

fn text(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.trim().is_empty())
}

fn heads(document: &Value, operation: &Operation, missing: &mut Missing) {
    let value = &operation.value;
    want(text(&value["operationId"]) && text(&value["summary"]), "operationId and summary", missing);
    want(value["security"].is_array(), "security, empty for what is open to all", missing);
    want(!operation.needs_key() || text(&value["x-permission"]), "x-permission", missing);
    let tags: Vec<_> =
        document["tags"].as_array().unwrap().iter().filter(|tag| text(&tag["description"])).map(|tag| &tag["name"]).collect();
    want(tags.contains(&&value["tags"][0]), "a tag that the document describes", missing);
    for scheme in value["security"].as_array().into_iter().flatten().flat_map(|scheme| scheme.as_object().unwrap().keys()) {
        want(document["components"]["securitySchemes"][scheme].is_object(), format!("the security scheme {scheme}"), missing);
    }
}

fn parameters(document: &Value, operation: &Operation, missing: &mut Missing) {
    let parameters = operation.parameters(document);
    for parameter in &parameters {
        let name = &parameter["name"];
        want(text(&parameter["description"]), format!("a description of the parameter {name}"), missing);
        want(!parameter["example"].is_null(), format!("an example of the parameter {name} (openapi/example.rs)"), missing);
        want(parameter["schema"].is_object(), format!("a schema of the parameter {name}"), missing);
    }
    for name in operation.path.split('{').skip(1).filter_map(|rest| rest.split('}').next()) {
        let found = parameters.iter().any(|parameter| parameter["in"] == "path" && parameter["name"] == name);
        want(found, format!("the path's parameter {name}"), missing);
    }
}

fn bodies(operation: &Operation, missing: &mut Missing) {
    for (media, body) in operation.value["requestBody"]["content"].as_object().into_iter().flatten() {
        want(!body["example"].is_null(), format!("an example of the {media} body"), missing);
        want(operation.statuses().contains(&413), "413, because it has a body", missing);
    }
}

fn successes(document: &Value, operation: &Operation, missing: &mut Missing) {
    let responses = operation.value["responses"].as_object().unwrap();
    want(!responses.contains_key("default"), "nothing: but `default` says nothing and must go", missing);
    let good: Vec<_> = operation.statuses().into_iter().filter(|status| *status < 400).collect();
    want(!good.is_empty(), "an answer of success", missing);
    for status in good {
        let response = follow(document, &responses[&status.to_string()]);
        want(text(&response["description"]), format!("a description of {status}"), missing);
        want(response["headers"]["X-Request-Id"].is_object(), format!("the headers of {status}"), missing);
        for (media, content) in response["content"].as_object().into_iter().flatten() {
            want(!content["example"].is_null(), format!("an example of {status} {media}"), missing);
            want(content["schema"].is_object(), format!("a schema of {status} {media}"), missing);
        }
        for (name, header) in response["headers"].as_object().into_iter().flatten() {
            let header = follow(document, header);
            let whole = text(&header["description"]) && header["schema"].is_object() && !header["example"].is_null();
            want(whole, format!("description, schema and example of the header {name}"), missing);
        }
    }
}

fn problems(document: &Value, operation: &Operation, missing: &mut Missing) {
    let statuses = operation.statuses();
    for status in statuses.iter().copied().filter(|status| *status >= 400) {
        let reference = &operation.value["responses"][status.to_string()]["$ref"];
        let shared = reference.as_str().and_then(|reference| document.pointer(reference.trim_start_matches('#')));
        if shared.is_none() {
            missing.push(format!("the codes of {status}: name them with openapi::codes (problem/known.rs has them all)"));
            continue;
        }
        let response = follow(document, &operation.value["responses"][status.to_string()]);
        for (code, example) in response["content"]["application/problem+json"]["examples"].as_object().unwrap() {
            let problem = &follow(document, example)["value"];
            want(problem["code"] == **code && problem["status"] == status, format!("a fitting example of {status} {code}"), missing);
        }
    }
    let by_rule: &[(bool, u16)] = &[
        (operation.needs_key(), 400),
        (operation.needs_key(), 401),
        (operation.needs_key(), 403),
        (operation.needs_key(), 503),
        (operation.needs_key() && operation.method == "POST", 409),
        (operation.path.contains("{id}"), 404),
    ];
    for (_, status) in by_rule.iter().filter(|(applies, _)| *applies) {
        want(statuses.contains(status), format!("{status}"), missing);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_field_says_what_it_is() {
    let (app, _, _) = TestApp::new(Database::Sqlite).await;
    let document = document(&app.anonymous()).await;
    let mut missing = Missing::new();
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        want(text(&schema["description"]), name, &mut missing);
        for (field, schema) in schema["properties"].as_object().into_iter().flatten() {
            want(text(&schema["description"]), format!("{name}.{field}"), &mut missing);
        }
    }
    assert!(missing.is_empty(), "without a description:\n{}", missing.join("\n"));
    for reference in references(&document) {
        assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference} leads nowhere");
    }
}

fn references(value: &Value) -> Vec<String> {
    match value {
        Value::Object(object) => {
            let own = object.get("$ref").and_then(Value::as_str).map(str::to_owned);
            own.into_iter().chain(object.values().flat_map(references)).collect()
        }
        Value::Array(items) => items.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}
