//! Who may do what: `docs/permissions.md` against the OpenAPI document and against what is really answered, and another
//! org's ids against every operation that takes one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};

use parlance_model::role::Role;
use parlance_testkit::both_databases;
use serde_json::{Value, json};

use crate::openapi::{Operation, document, operations};
use crate::support::{Answer, CUSTOMER, Client, Org, SID, TestApp, sid};

const TABLE: &str = include_str!("../../../../docs/permissions.md");
const CALLERS: [&str; 5] = ["anonymous", "agent", "admin", "owner", "key without user"];

/// The table: an operation's permission, and what each caller is answered.
fn table() -> BTreeMap<String, (String, Vec<String>)> {
    let rows = TABLE.lines().filter(|line| line.starts_with("| `"));
    let of = |line: &str| {
        let mut cells = line.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`').to_owned());
        let (id, permission) = (cells.next().unwrap(), cells.next().unwrap());
        (id, (permission, cells.collect()))
    };
    rows.map(of).collect()
}

/// A body that the operation takes, about what exists in the org.
pub(crate) fn body(operation: &Operation) -> Value {
    let mut body = operation.example();
    if operation.id() == "createContact" {
        // Each caller makes one: without a number or address, which only one of them could have.
        return json!({ "first_name": "John" });
    }
    if operation.id() == "mergeContacts" {
        // Into the first contact the second, whom `hook_token` made; again and again, which is harmless.
        body["contact_id"] = json!(2);
    }
    let fresh = fresh();
    if operation.id() == "addStaff" {
        body["email"] = json!(format!("new-{fresh}@example.com"));
    }
    if operation.id() == "connectAccount" {
        body["phone_number"] = json!(format!("+1555765{fresh:04}"));
    }
    if let Some(phone) = body.get_mut("phone") {
        *phone = json!(CUSTOMER);
    }
    body
}

/// A number that no call had before.
pub(crate) fn fresh() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// The id that an operation is tried on: what it takes away, the next caller must find again.
pub(crate) async fn target(app: &TestApp, org: &Org, agent: &Client, operation: &Operation, id: &str) -> String {
    match operation.id() {
        "changeStaff" | "removeStaff" => {
            let email = format!("leaver-{}@example.com", fresh());
            app.app.create_user(&org.slug, &email, "Lee", Role::Agent, None).await.unwrap().0.to_string()
        }
        "getMedia" => agent.upload("a.txt", b"Hello").await.data()["id"].to_string(),
        "cancelMessage" => app.waiting_message(org).await,
        "retryMessage" => app.failed_message(org).await,
        "revokeKey" => app.app.create_key(&org.slug, None, "old", None, false).await.unwrap().0.to_string(),
        _ => id.to_owned(),
    }
}

async fn call(client: &Client, operation: &Operation, id: &str, token: &str) -> Answer {
    if operation.id() == "uploadMedia" {
        return client.upload("a.txt", b"Hello").await;
    }
    let fixed = [("{id}", id), ("{token}", token), ("{org}", "1"), ("{media}", "1"), ("{variant}", "file")];
    let mut path = fixed.iter().fold(operation.path.clone(), |path, (name, value)| path.replace(name, value));
    if operation.id() == "search" {
        path.push_str("?q=hello");
    }
    match (operation.method.as_str(), body(operation)) {
        ("GET", _) if path.starts_with("/webhooks") => client.get(&format!("{path}?AccountSid={SID}")).await,
        ("POST", Value::Null) if path.starts_with("/webhooks") => client.send("POST", &path, &[], format!("AccountSid={SID}")).await,
        (method, Value::Null) => client.send(method, &path, &[], "").await,
        (method, body) => client.send(method, &path, &[("content-type", "application/json")], body.to_string()).await,
    }
}

both_databases! {
    async fn every_operation_answers_each_caller_as_the_table_says(database) {
        let (app, org, agent) = TestApp::new(database).await;
        let callers = [
            app.anonymous(),
            agent.clone(),
            app.staff(&org, "ada", Role::Admin).await,
            app.staff(&org, "olga", Role::Owner).await,
            app.bare_key(&org, false).await,
        ];
        let id = agent.post("/api/v1/conversations", json!({ "phone": CUSTOMER })).await.data()["id"].to_string();
        let token = hook_token(&app, &agent).await;
        let table = table();
        let document = document(&app.anonymous()).await;
        let operations = operations(&document);
        let described: BTreeSet<_> = operations.iter().map(Operation::id).collect();
        assert_eq!(described, table.keys().map(String::as_str).collect(), "docs/permissions.md and the OpenAPI document differ");
        for operation in &operations {
            let (permission, cells) = &table[operation.id()];
            let public = if ["/webhooks", "/media"].iter().any(|base| operation.path.starts_with(base)) { "signature" } else { "none" };
            assert_eq!(operation.value["x-permission"].as_str().unwrap_or(public), permission, "{}", operation.id());
            assert_eq!(cells.len(), CALLERS.len(), "{}", operation.id());
            for ((who, client), cell) in CALLERS.iter().zip(&callers).zip(cells) {
                let id = target(&app, &org, &agent, operation, &id).await;
                let status = call(client, operation, &id, &token).await.status;
                let as_said = if cell == "yes" { status < 300 } else { status.to_string() == *cell };
                assert!(as_said, "{} by {who}: {status}, and docs/permissions.md says {cell}", operation.id());
                assert!(operation.statuses().contains(&status), "{} answered {status}, which its description does not have", operation.id());
            }
        }
    }

    async fn another_orgs_ids_are_not_found_anywhere(database) {
        let (app, _, ours) = TestApp::new(database).await;
        let other = app.org("other").await;
        let theirs = app.staff(&other, "bob", Role::Owner).await;
        app.inbound(&sid(1), CUSTOMER, "Hello?").await;
        let row = ours.get("/api/v1/conversations").await.json["data"][0].clone();
        let (id, contact) = (row["id"].to_string(), row["contact_id"].clone());
        let document = document(&app.anonymous()).await;
        let mut tried = 0;
        for operation in operations(&document).iter().filter(|operation| operation.path.contains("{id}")) {
            call(&theirs, operation, &id, "").await.expect_problem(404, "not_found");
            call(&app.anonymous(), operation, &id, "").await.expect_problem(401, "unauthenticated");
            tried += 1;
        }
        assert!(tried >= 11, "{tried}");
        for path in ["/api/v1/conversations", "/api/v1/conversations/send"] {
            theirs.post(path, json!({ "contact_id": contact, "message": "x" })).await.expect_problem(404, "not_found");
        }
        for query in [format!("contact_id={contact}"), "search=4152000001".to_owned(), "limit=200".to_owned()] {
            let page = theirs.get(&format!("/api/v1/conversations?{query}")).await.expect(200).json;
            assert_eq!((&page["data"], &page["meta"]["total"]), (&json!([]), &json!(0)));
        }
        assert_eq!(theirs.get("/api/v1/conversations/unread").await.data()["unread_count"], 0);
        assert_eq!(ours.get(&format!("/api/v1/conversations/{id}")).await.expect(200).data()["unread_count"], 1);
    }

    async fn a_person_of_another_org_cannot_be_assigned(database) {
        let (app, _, ours) = TestApp::new(database).await;
        let other = app.org("other").await;
        let theirs = app.staff(&other, "bob", Role::Owner).await;
        app.account(&other, "+15551234568").await;
        let made = theirs.post("/api/v1/conversations", json!({ "phone": CUSTOMER })).await.expect(201).data()["id"].clone();
        let bob = theirs.post(&format!("/api/v1/conversations/{made}/assign"), json!({})).await.data()["assigned_to"].clone();
        let id = ours.post("/api/v1/conversations", json!({ "phone": CUSTOMER })).await.data()["id"].clone();
        ours.put(&format!("/api/v1/conversations/{id}"), json!({ "assigned_to": bob })).await.expect_problem(404, "not_found");
        let contact = theirs.get(&format!("/api/v1/conversations/{made}")).await.data()["contact_id"].clone();
        ours.put(&format!("/api/v1/conversations/{id}"), json!({ "contact_id": contact })).await.expect_problem(404, "not_found");
    }
}

/// The token of the account's own hook URL, as the simulator was given it.
async fn hook_token(app: &TestApp, staff: &Client) -> String {
    staff.post("/api/v1/conversations/send", json!({ "phone": "+14152000099", "message": "Hello!" })).await.expect(201);
    let callback = app.sim.messages()[0].status_callback.clone().unwrap();
    callback.rsplit('/').next().unwrap().split('?').next().unwrap().to_owned()
}
