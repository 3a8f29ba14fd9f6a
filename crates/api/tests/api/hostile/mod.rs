//! Hostile input by enumeration: every parameter, header and body field of every operation of the OpenAPI document, with every
//! value that does not belong there. Each is answered with a documented problem that names the field, and writes nothing.
//!
//! What a field may hold is read from the document, so a new operation is attacked without a line here. What to put for the
//! ids of another org is in `world.rs`, what does not belong where in `values.rs`.

mod values;
mod world;

use parlance_testkit::both_databases;
use serde_json::{Map, Value};

use crate::openapi::{Operation, document, follow, operations};
use crate::support::Answer;
use values::Wrong;
use world::World;

/// What takes the place of a value in a body, until the raw bytes of the wrong one do.
const MARK: &str = "@@wrong@@";

/// Filters by a thing that is not there answer an empty list, as the contract's own lists do, and as the audit log must: it
/// tells of people and keys that are gone. The list may only shrink.
const FILTERS: [(&str, &str); 5] = [
    ("listConversations", "contact_id"),
    ("listConversations", "assigned_to"),
    ("listAudit", "user_id"),
    ("listAudit", "key_id"),
    ("listAudit", "subject_id"),
];

/// A request that must be refused.
struct Attempt {
    /// What is wrong with it.
    what: String,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    /// The field that the answer must name, where the operation read that far.
    field: Option<String>,
}

both_databases! {
    async fn nothing_wrong_is_taken_and_nothing_is_written(database) {
        let world = World::new(database).await;
        let document = document(&world.app.anonymous()).await;
        let mut failures = Vec::new();
        let mut tried = 0;
        for operation in &operations(&document) {
            let attempts = attempts(&world, &document, operation);
            let before = world.app.contents();
            for attempt in &attempts {
                let headers: Vec<_> = attempt.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
                let answer = world.owner.send(&operation.method, &attempt.path, &headers, attempt.body.clone()).await;
                failures.extend(complaint(&document, operation, attempt, &answer));
                tried += 1;
            }
            let mut written = world.app.contents().changes(&before);
            // Refused hooks are counted, and stored once a minute.
            written.retain(|line| !line.contains(" account_health: "));
            if !written.is_empty() {
                failures.push(format!("{} wrote:\n  {}", operation.id(), written.join("\n  ")));
            }
        }
        assert!(failures.is_empty(), "{} of {tried} attempts:\n{}", failures.len(), failures.join("\n"));
        assert!(tried > 1500, "only {tried} attempts");
    }

    async fn another_orgs_cursor_shows_nothing_of_theirs(database) {
        let world = World::new(database).await;
        let document = document(&world.app.anonymous()).await;
        let pages = |operation: &Operation| operation.parameters(&document).iter().any(|parameter| parameter["name"] == "cursor");
        let mut tried = 0;
        for operation in operations(&document).iter().filter(|operation| pages(operation)) {
            let theirs = match operation.path.contains("{id}") {
                true => operation.path.replace("{id}", &world.foreign_in_path(&operation.path).to_string()),
                false => operation.path.clone(),
            };
            let needed = operation.needed_query(&document, "");
            let cursor = world.other.get(&format!("{theirs}?limit=1{needed}")).await.expect(200).json["meta"]["next_cursor"].clone();
            let ours = world.path(&operation.path);
            let own = rows_of(&world.owner.get(&format!("{ours}?{needed}")).await.expect(200).json["data"]);
            let cursor = cursor.as_str().unwrap_or_else(|| panic!("{}: give the other org two rows in world.rs", operation.id()));
            let seen = world.owner.get(&format!("{ours}?cursor={cursor}{needed}")).await;
            let rows = rows_of(&seen.json["data"]);
            assert!(rows.iter().all(|row| own.contains(row)), "{}: {}", operation.id(), seen.text());
            tried += 1;
        }
        assert!(tried >= 4, "{tried}");
    }
}

/// The rows of a list, or of the lists that an answer has side by side.
fn rows_of(data: &Value) -> Vec<Value> {
    match data {
        Value::Array(rows) => rows.clone(),
        Value::Object(lists) => lists.values().flat_map(rows_of).collect(),
        _ => Vec::new(),
    }
}

/// What is wrong with the answer.
fn complaint(document: &Value, operation: &Operation, attempt: &Attempt, answer: &Answer) -> Option<String> {
    let say = |why: String| {
        let body: String = String::from_utf8_lossy(&attempt.body).chars().take(120).collect();
        let text: String = answer.text().chars().take(300).collect();
        Some(format!(
            "{} with {}: {why}\n    {} {body}\n    {} {text}",
            operation.id(),
            attempt.what,
            attempt.path.get(..120).unwrap_or(&attempt.path),
            answer.status
        ))
    };
    if !(400..500).contains(&answer.status) {
        return say("was not refused".to_owned());
    }
    if !operation.statuses().contains(&answer.status) {
        return say("is refused with a status that is not documented".to_owned());
    }
    if !operation.codes(document, answer.status).iter().any(|code| code == answer.code()) {
        return say(format!("is refused with a code that is not documented ({})", answer.code()));
    }
    let named = &answer.json["errors"][0]["field"];
    match &attempt.field {
        Some(field) if ["validation_failed", "bad_cursor"].contains(&answer.code()) => {
            let names = named
                .as_str()
                .is_some_and(|named| named == field || named.starts_with(&format!("{field}[")) || named.starts_with(&format!("{field}.")));
            if names { None } else { say(format!("names {named} and not {field}")) }
        }
        _ => None,
    }
}

fn attempts(world: &World, document: &Value, operation: &Operation) -> Vec<Attempt> {
    let mut attempts = Vec::new();
    for parameter in operation.parameters(document) {
        match parameter["in"].as_str().unwrap() {
            "path" => attempts.extend(in_path(world, operation, &parameter)),
            "query" => attempts.extend(in_query(world, document, operation, &parameter)),
            "header" => attempts.extend(in_header(world, operation, &parameter)),
            other => panic!("a parameter in {other}: attack it here"),
        }
    }
    let content = operation.value["requestBody"]["content"].as_object();
    for (media, body) in content.into_iter().flatten() {
        match media.as_str() {
            "application/json" => attempts.extend(in_json(world, document, operation, body)),
            "application/x-www-form-urlencoded" => attempts.extend(in_form(world, operation)),
            "multipart/form-data" => attempts.extend(in_parts(world, operation)),
            other => panic!("a body of {other}: attack it here"),
        }
    }
    attempts
}

fn base(world: &World, operation: &Operation) -> Attempt {
    Attempt { what: String::new(), path: world.path(&operation.path), headers: Vec::new(), body: Vec::new(), field: None }
}

fn json_headers() -> Vec<(&'static str, String)> {
    vec![("content-type", "application/json".to_owned())]
}

/// A body that the operation would take, as far as ids go.
fn good_body(world: &World, operation: &Operation) -> Vec<u8> {
    let example = operation.example();
    if example.is_null() { Vec::new() } else { world.owned(example).to_string().into_bytes() }
}

fn in_path(world: &World, operation: &Operation, parameter: &Value) -> Vec<Attempt> {
    let name = parameter["name"].as_str().unwrap();
    let foreign = (name == "id").then(|| ("the id of another org".to_owned(), world.foreign_in_path(&operation.path).to_string()));
    let wrong =
        values::in_path().into_iter().map(|value| (format!("{name} = {}", value.get(..40).unwrap_or(&value)), value)).chain(foreign);
    let of = |(what, value): (String, String)| {
        let path = world.path(&operation.path.replace(&format!("{{{name}}}"), &value));
        Attempt { what, path, headers: json_headers(), body: good_body(world, operation), field: None }
    };
    wrong.map(of).collect()
}

fn in_query(world: &World, document: &Value, operation: &Operation, parameter: &Value) -> Vec<Attempt> {
    let name = parameter["name"].as_str().unwrap();
    let mut wrong = values::in_query(name, &parameter["schema"]);
    if (name.ends_with("_id") || name == "assigned_to") && !FILTERS.contains(&(operation.id(), name)) {
        wrong.push(world.foreign(name).to_string());
    }
    let mut queries: Vec<_> = wrong.into_iter().map(|value| format!("{name}={value}")).collect();
    let example = parameter["example"].as_str().map_or_else(|| parameter["example"].to_string(), str::to_owned);
    queries.push(format!("{name}={example}&{name}={example}"));
    let others = operation.needed_query(document, name);
    let of = |query: String| {
        let base = base(world, operation);
        Attempt {
            what: query.get(..60).unwrap_or(&query).to_owned(),
            path: format!("{}?{query}{others}", base.path),
            field: Some(name.to_owned()),
            ..base
        }
    };
    queries.into_iter().map(of).collect()
}

fn in_header(world: &World, operation: &Operation, parameter: &Value) -> Vec<Attempt> {
    let name = match parameter["name"].as_str().unwrap() {
        "Idempotency-Key" => "idempotency-key",
        "X-Org-Id" => "x-org-id",
        "Parlance-Dialect" => "parlance-dialect",
        // Any text will do: a wrong one is replaced, or is another preference, or the tag of nothing.
        "X-Request-Id" | "Prefer" | "If-None-Match" => return Vec::new(),
        other => panic!("the header {other}: attack it here"),
    };
    let wrong = ["".to_owned(), "ä".to_owned(), "x y".to_owned(), "x".repeat(300)];
    let foreign = (name == "x-org-id").then(|| world.other_org.to_string());
    let of = |value: String| {
        let headers = [(name, value.clone())].into_iter().chain(json_headers()).collect();
        Attempt { what: format!("{name}: {value:.40}"), headers, body: good_body(world, operation), ..base(world, operation) }
    };
    wrong.into_iter().chain(foreign).map(of).collect()
}

fn in_form(world: &World, operation: &Operation) -> Vec<Attempt> {
    let of = |body: Vec<u8>| {
        let headers = vec![("content-type", "application/x-www-form-urlencoded".to_owned())];
        Attempt { what: "a form that is not signed".to_owned(), headers, body, ..base(world, operation) }
    };
    values::forms().into_iter().map(of).collect()
}

fn in_parts(world: &World, operation: &Operation) -> Vec<Attempt> {
    let of = |(what, content_type, body): (&str, &str, Vec<u8>)| {
        let headers = vec![("content-type", content_type.to_owned())];
        Attempt { what: what.to_owned(), headers, body, field: Some("file".to_owned()), ..base(world, operation) }
    };
    values::parts().into_iter().map(of).collect()
}

fn in_json(world: &World, document: &Value, operation: &Operation, body: &Value) -> Vec<Attempt> {
    let good = world.owned(operation.example());
    let attempt = |what: String, body: Vec<u8>, field: Option<&str>| Attempt {
        what,
        headers: json_headers(),
        body,
        field: field.map(str::to_owned),
        ..base(world, operation)
    };
    let mut attempts: Vec<_> = values::bodies().into_iter().map(|(what, body)| attempt(what.to_owned(), body, None)).collect();
    for media in ["", "text/plain", "application/x-www-form-urlencoded", "application/jsonx", "ä"] {
        let what = format!("content-type: {media}");
        attempts.push(Attempt { headers: vec![("content-type", media.to_owned())], ..attempt(what, good.to_string().into_bytes(), None) });
    }
    let schema = follow(document, &body["schema"]);
    let required: Vec<_> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, field) in schema["properties"].as_object().unwrap() {
        let mut with = good.as_object().unwrap().clone();
        if required.contains(&name.as_str()) {
            let mut without = with.clone();
            without.remove(name);
            attempts.push(attempt(format!("{name} left out"), Value::Object(without).to_string().into_bytes(), Some(name)));
        }
        with.insert(name.clone(), MARK.into());
        let marked = Value::Object(with.clone()).to_string();
        for Wrong { what, raw } in values::in_field(document, field) {
            attempts.push(attempt(format!("{name}: {what}"), put(&marked, &raw), Some(name)));
        }
        attempts.push(attempt(format!("{name} twice"), twice(good.as_object().unwrap(), name), Some(name)));
        if let Some(id) = world.foreign_field(name, field) {
            let mut with = good.as_object().unwrap().clone();
            if name == "contact_id" {
                with.remove("phone");
            }
            with.insert(name.clone(), id);
            attempts.push(attempt(format!("{name} of another org"), Value::Object(with).to_string().into_bytes(), Some(name)));
        }
    }
    attempts
}

/// The text with the raw bytes where the mark is.
fn put(marked: &str, raw: &[u8]) -> Vec<u8> {
    let (before, after) = marked.split_once(&format!("\"{MARK}\"")).unwrap();
    [before.as_bytes(), raw, after.as_bytes()].concat()
}

/// A body that has a field twice with the same value: null where it had none.
fn twice(with: &Map<String, Value>, name: &str) -> Vec<u8> {
    let mut rest = with.clone();
    let value = rest.remove(name).unwrap_or(Value::Null);
    let rest = Value::Object(rest).to_string();
    let comma = if rest == "{}" { "" } else { "," };
    format!("{{\"{name}\":{value},\"{name}\":{value}{comma}{}", &rest[1..]).into_bytes()
}
