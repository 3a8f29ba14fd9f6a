//! The OpenAPI document as tests read it, and its golden file.

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
        self.value["security"].as_array().is_some_and(|schemes| schemes.iter().any(|scheme| scheme.get("key").is_some()))
    }

    pub(crate) fn statuses(&self) -> Vec<u16> {
        self.value["responses"].as_object().unwrap().keys().map(|status| status.parse().unwrap()).collect()
    }

    /// Its parameters, with references followed.
    pub(crate) fn parameters(&self, document: &Value) -> Vec<Value> {
        let parameters = self.value["parameters"].as_array().into_iter().flatten();
        parameters.map(|parameter| follow(document, parameter).clone()).collect()
    }

    /// The parameters of the query that it cannot do without, with their examples, except one.
    pub(crate) fn needed_query(&self, document: &Value, except: &str) -> String {
        let needed = self.parameters(document).into_iter().filter(|parameter| parameter["in"] == "query" && parameter["required"] == true);
        let pairs = needed.filter(|parameter| parameter["name"] != except).map(|parameter| {
            let example = parameter["example"].as_str().map_or_else(|| parameter["example"].to_string(), str::to_owned);
            format!("&{}={example}", parameter["name"].as_str().unwrap())
        });
        pairs.collect()
    }

    /// The codes of the problems that it answers with a status.
    pub(crate) fn codes(&self, document: &Value, status: u16) -> Vec<String> {
        let response = follow(document, &self.value["responses"][status.to_string()]);
        let examples = response["content"]["application/problem+json"]["examples"].as_object();
        examples.into_iter().flatten().map(|(code, _)| code.clone()).collect()
    }

    /// The example of its JSON body.
    pub(crate) fn example(&self) -> Value {
        self.value["requestBody"]["content"]["application/json"]["example"].clone()
    }
}

/// What a reference leads to; anything else is itself.
pub(crate) fn follow<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let Some(reference) = value["$ref"].as_str() else { return value };
    let found = document.pointer(reference.trim_start_matches('#'));
    follow(document, found.unwrap_or_else(|| panic!("{reference} leads nowhere")))
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
