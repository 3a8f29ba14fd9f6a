//! The OpenAPI document: a golden file, and what must be true of every operation in it.

use std::path::Path;

use parlance_testkit::Database;
use serde_json::Value;

use crate::support::{Client, TestApp};

/// The document as the API serves it.
pub(crate) async fn document(client: &Client) -> Value {
    client.get("/openapi.json").await.expect(200).json
}

/// An operation of the document.
#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) value: Value,
}

impl Operation {
    pub(crate) fn id(&self) -> &str {
        self.value["operationId"].as_str().unwrap_or_default()
    }

    pub(crate) fn needs_key(&self) -> bool {
        self.value["security"].is_array()
    }

    pub(crate) fn statuses(&self) -> Vec<u16> {
        self.value["responses"].as_object().unwrap().keys().map(|status| status.parse().unwrap()).collect()
    }

    /// The example of its JSON body.
    pub(crate) fn example(&self) -> Value {
        self.value["requestBody"]["content"]["application/json"]["example"].clone()
    }
}

/// Every operation, in the document's order.
pub(crate) fn operations(document: &Value) -> Vec<Operation> {
    let items = document["paths"].as_object().unwrap().iter();
    let of = |(path, item): (&String, &Value)| {
        let operations = item.as_object().unwrap().iter();
        operations
            .map(|(method, value)| Operation { method: method.to_uppercase(), path: path.clone(), value: value.clone() })
            .collect::<Vec<_>>()
    };
    items.flat_map(of).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_document_is_the_one_that_was_agreed_on() {
    let (app, _, _) = TestApp::new(Database::Sqlite).await;
    let document = app.anonymous().get("/openapi.json").await.expect(200);
    assert_eq!(document.header("content-type"), "application/json");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/openapi.json");
    let text = format!("{}\n", document.text());
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    let first = text.lines().zip(golden.lines()).position(|(now, then)| now != then).map_or(golden.lines().count(), |line| line) + 1;
    assert!(
        text == golden,
        "The OpenAPI document differs from crates/api/tests/golden/openapi.json, first in line {first}. If that is meant, run \
         `UPDATE_GOLDEN=1 cargo test -p parlance-api --test api the_document` and look at the difference."
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_operation_says_what_it_is_and_what_it_answers() {
    let (app, _, _) = TestApp::new(Database::Sqlite).await;
    let document = document(&app.anonymous()).await;
    assert_eq!(document["openapi"], "3.1.0");
    let mut ids = std::collections::HashSet::new();
    for operation in operations(&document) {
        let (id, statuses) = (operation.id().to_owned(), operation.statuses());
        assert!(!id.is_empty() && ids.insert(id.clone()), "{operation:?} has no id of its own");
        assert!(operation.value["summary"].is_string() && operation.value["tags"][0].is_string(), "{id}");
        assert!(operation.value["responses"]["default"].is_null(), "{id}");
        assert!(statuses.iter().any(|status| *status < 300), "{id}");
        if operation.needs_key() {
            assert!(operation.value["x-permission"].is_string(), "{id}");
            assert!([400, 401, 503].iter().all(|status| statuses.contains(status)), "{id}");
            assert!(operation.method != "POST" || statuses.contains(&409), "{id}");
        }
        if operation.path.contains("{id}") {
            assert!(statuses.contains(&404), "{id}");
        }
        if operation.value["requestBody"].is_object() {
            assert!(statuses.contains(&413), "{id}");
        }
    }
    assert!(ids.len() >= 26, "{}", ids.len());
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
