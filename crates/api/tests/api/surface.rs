//! The API's changelog against the API: what differs from the last release is named in the topmost entry of
//! `docs/api-changelog.md`, operations by their id, schemas by their name, codes by themselves.
//!
//! The last release is `golden/surface.txt`, a line for each thing that a client could depend on. Wording is none of them. When an
//! entry gets its version, `RELEASE_API=1 cargo test -p parlance-api --test api the_changelog` writes the file anew.

use std::collections::BTreeSet;
use std::path::Path;

use parlance_testkit::Database;
use serde_json::{Value, json};

use crate::openapi::{document, operations};
use crate::support::TestApp;

const CHANGELOG: &str = include_str!("../../../../docs/api-changelog.md");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_changelog_names_what_has_changed() {
    let (app, _, _) = TestApp::new(Database::Sqlite).await;
    let now = surface(&document(&app.anonymous()).await);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/surface.txt");
    if std::env::var_os("RELEASE_API").is_some() {
        let text: String = now.iter().map(|line| format!("{line}\n")).collect();
        std::fs::write(&path, text).unwrap();
    }
    let released: BTreeSet<_> = std::fs::read_to_string(&path).unwrap().lines().map(str::to_owned).collect();
    let unnamed = unnamed(&released, &now, newest_entry(CHANGELOG));
    assert!(
        unnamed.is_empty(),
        "The topmost entry of docs/api-changelog.md does not name these in backticks. Say there what a client can notice.\n{}",
        unnamed.join("\n")
    );
}

#[test]
fn a_change_that_nobody_named_is_found() {
    let of = |required: bool, status: &str| {
        let parameter = json!({ "name": "limit", "in": "query", "required": required, "description": "Rows." });
        let responses = json!({ status: { "description": "Fine." } });
        surface(&json!({ "paths": { "/x": { "get": { "operationId": "listX", "parameters": [parameter], "responses": responses } } },
            "components": { "schemas": { "X": { "properties": { "id": { "type": "integer", "description": "Its id." } } } }, "examples": {} } }))
    };
    let (before, stricter, other) = (of(false, "200"), of(true, "200"), of(false, "201"));
    assert!(unnamed(&before, &before, "").is_empty());
    assert_eq!(unnamed(&before, &stricter, "`listY`").len(), 2);
    assert_eq!(unnamed(&before, &other, ""), ["- listX: answers 200", "+ listX: answers 201"]);
    assert!(unnamed(&before, &other, "Now `listX` makes.").is_empty());
    assert_eq!(newest_entry("# T\n\nx\n\n## New\n\na `b`\n\n## Old\n\n`c`\n").trim(), "New\n\na `b`");
}

/// The topmost entry.
fn newest_entry(changelog: &str) -> &str {
    changelog.split("\n## ").nth(1).unwrap_or_default()
}

/// The lines that came and went, except those whose subject the entry names.
fn unnamed(before: &BTreeSet<String>, now: &BTreeSet<String>, entry: &str) -> Vec<String> {
    let named: BTreeSet<_> =
        entry.split('`').skip(1).step_by(2).flat_map(|code| code.split(|c: char| !c.is_alphanumeric() && c != '_')).collect();
    let of = |lines: &BTreeSet<String>, others: &BTreeSet<String>, sign: char| {
        let changed = lines.difference(others).filter(|line| !named.contains(line.split(':').next().unwrap_or_default()));
        changed.map(|line| format!("{sign} {line}")).collect::<Vec<_>>()
    };
    [of(before, now, '-'), of(now, before, '+')].concat()
}

/// What a client could depend on, a line each: its subject, a colon, and what is true of it.
fn surface(document: &Value) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    for operation in operations(document) {
        let id = operation.id();
        lines.insert(format!("{id}: {} {}", operation.method, operation.path));
        for parameter in operation.parameters(document) {
            let needed = if parameter["required"] == true { "needs" } else { "takes" };
            lines.insert(format!("{id}: {needed} {} in {} {}", parameter["name"], parameter["in"], bare(&parameter["schema"])));
        }
        for media in operation.value["requestBody"]["content"].as_object().into_iter().flatten() {
            lines.insert(format!("{id}: takes {}", media.0));
        }
        lines.extend(operation.statuses().iter().map(|status| format!("{id}: answers {status}")));
    }
    for (name, schema) in document["components"]["schemas"].as_object().into_iter().flatten() {
        lines.insert(format!("{name}: {}", bare(&json!({ "type": schema["type"], "required": schema["required"] }))));
        for (field, schema) in schema["properties"].as_object().into_iter().flatten() {
            lines.insert(format!("{name}: {field} {}", bare(schema)));
        }
    }
    lines.extend(document["components"]["examples"].as_object().into_iter().flatten().map(|(code, _)| format!("{code}: a code")));
    lines
}

/// A schema without its words.
fn bare(schema: &Value) -> Value {
    match schema {
        Value::Object(object) => {
            let kept = object
                .iter()
                .filter(|(key, value)| !["description", "example", "examples", "title"].contains(&key.as_str()) && !value.is_null());
            kept.map(|(key, value)| (key.clone(), bare(value))).collect::<serde_json::Map<_, _>>().into()
        }
        Value::Array(items) => items.iter().map(bare).collect::<Vec<_>>().into(),
        other => other.clone(),
    }
}
