//! The audit log over the API: no operation changes anything without a row there, and who may read it how.

use parlance_model::role::Role;
use parlance_testkit::both_databases;
use serde_json::{Value, json};

use crate::access::{body, fresh, target};
use crate::openapi::{Operation, document, operations};
use crate::support::{Client, Org, TestApp, sid};

/// Operations that change nothing of an org's for a caller with a key; signing in and out is seen in the tests of the use cases.
/// The list may only shrink.
const CHANGE_NOTHING: [&str; 2] = ["signIn", "signOut"];

/// Somebody new, whose first message nobody has read yet: the ids of the conversation and of the contact.
async fn newcomer(app: &TestApp, reader: &Client) -> (String, String) {
    let number = fresh();
    app.inbound(&sid(10_000 + number), &format!("+1415202{number:04}"), "Hello?").await;
    let row = reader.get("/api/v1/conversations?limit=1").await.expect(200).json["data"][0].clone();
    (row["id"].to_string(), row["contact_id"].to_string())
}

/// A path of the operation on something that it changes, and a body that does.
async fn real_change(app: &TestApp, org: &Org, reader: &Client, operation: &Operation) -> (String, Value) {
    let mut body = body(operation);
    if let Some(phone) = body.get_mut("phone") {
        *phone = json!(format!("+1415203{:04}", fresh()));
    }
    let (conversation, contact) = newcomer(app, reader).await;
    let id = match operation.path.trim_start_matches("/api/v1/").split('/').next().unwrap() {
        "conversations" => conversation,
        "contacts" => contact,
        "accounts" => reader.get("/api/v1/accounts").await.json["data"][0]["id"].to_string(),
        _ => target(app, org, reader, operation, "").await,
    };
    match operation.id() {
        "reopenConversation" => drop(reader.post(&format!("/api/v1/conversations/{id}/close"), json!({})).await.expect(200)),
        "mergeContacts" => body["contact_id"] = newcomer(app, reader).await.1.parse().unwrap(),
        _ => {}
    }
    (operation.path.replace("{id}", &id), body)
}

both_databases! {
    async fn no_operation_changes_anything_without_a_row(database) {
        let (app, org, _) = TestApp::new(database).await;
        let olga = app.staff(&org, "olga", Role::Owner).await;
        let me = olga.get("/api/v1/me").await.data().clone();
        let document = document(&app.anonymous()).await;
        let mut changed = 0;
        for operation in operations(&document).iter().filter(|operation| operation.method != "GET" && !operation.path.starts_with("/webhooks")) {
            if CHANGE_NOTHING.contains(&operation.id()) {
                continue;
            }
            if operation.id() == "uploadMedia" {
                olga.upload("a.txt", b"Hello").await.expect(201);
                let row = olga.get("/api/v1/audit?action=media.upload").await.expect(200).json["data"][0].clone();
                assert_eq!(row["actor"]["user_id"], me["user"]["id"], "{row}");
                continue;
            }
            let (path, body) = real_change(&app, &org, &olga, operation).await;
            let name = format!("walk-{}", operation.id());
            let mut headers = vec![("x-request-id", name.as_str())];
            if !body.is_null() {
                headers.push(("content-type", "application/json"));
            }
            let text = if body.is_null() { String::new() } else { body.to_string() };
            let answer = olga.send(&operation.method, &path, &headers, text).await;
            assert!(answer.status < 300, "{name}: {}", answer.text());
            let rows = olga.get("/api/v1/audit?limit=10").await.expect(200).json["data"].clone();
            let row = rows.as_array().unwrap().iter().find(|row| row["request_id"] == *name);
            let row = row.unwrap_or_else(|| panic!("{name} changed something, and the audit log does not say what: {rows:#}"));
            assert_eq!((&row["actor"]["user_id"], &row["actor"]["key_id"]), (&me["user"]["id"], &me["key"]["id"]), "{row}");
            assert_eq!((&row["actor"]["kind"], &row["actor"]["user_name"]), (&json!("key"), &json!("olga")), "{row}");
            changed += 1;
        }
        assert!(changed >= 23, "{changed}");
    }

    async fn it_is_filtered_and_paged(database) {
        let (app, org, ann) = TestApp::new(database).await;
        let ada = app.staff(&org, "ada", Role::Admin).await;
        let (id, _) = newcomer(&app, &ada).await;
        let path = format!("/api/v1/conversations/{id}");
        ann.post(&format!("{path}/close"), json!({})).await.expect(200);
        app.clock.advance_ms(60_000);
        ada.put(&path, json!({ "status": "open", "metadata": { "a": 1 } })).await.expect(200);
        let of = async |query: &str| {
            let page = ada.get(&format!("/api/v1/audit?{query}")).await.expect(200).json;
            page["data"].as_array().unwrap().iter().map(|row| row["action"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let subject = format!("subject=conversation&subject_id={id}");
        assert_eq!(of(&subject).await, ["conversation.update", "conversation.close"]);
        assert_eq!(of(&format!("{subject}&action=conversation.close")).await, ["conversation.close"]);
        assert_eq!(of(&format!("{subject}&after=2026-03-05T20:01:00Z")).await, ["conversation.update"]);
        assert_eq!(of(&format!("{subject}&before=2026-03-05T21:01:00%2B01:00")).await, ["conversation.close"]);
        let ann_id = ann.get("/api/v1/me").await.data()["user"]["id"].clone();
        assert_eq!(of(&format!("user_id={ann_id}")).await, ["conversation.close"]);
        let key = ada.get("/api/v1/me").await.data()["key"]["id"].clone();
        assert_eq!(of(&format!("key_id={key}")).await, ["conversation.update"]);

        let all = ada.get("/api/v1/audit").await.expect(200).json;
        let (mut seen, mut query) = (Vec::new(), "limit=2".to_owned());
        loop {
            let page = ada.get(&format!("/api/v1/audit?{query}")).await.expect(200).json;
            seen.extend(page["data"].as_array().unwrap().clone());
            let Some(cursor) = page["meta"]["next_cursor"].as_str() else { break };
            query = format!("limit=2&cursor={cursor}");
        }
        assert_eq!((json!(seen), &json!(seen.len())), (all["data"].clone(), &all["meta"]["total"]));

        for (query, field) in [
            ("action=conversation.explode", "action"), ("subject=conversation", "subject_id"), ("subject_id=1", "subject"), ("subject=x&subject_id=1", "subject"),
            ("after=yesterday", "after"), ("user_id=x", "user_id"), ("limit=0", "limit"),
        ] {
            ada.get(&format!("/api/v1/audit?{query}")).await.expect_wrong(field);
        }
        let other = ada.get("/api/v1/contacts?limit=1").await.json["meta"]["next_cursor"].clone();
        assert!(other.is_null());
        ada.get("/api/v1/audit?cursor=AQAAAZnMi6wAAAAAAAAAAcg").await.expect_problem(400, "bad_cursor");
    }

    async fn only_those_who_run_the_org_read_it_and_of_their_own_org_only(database) {
        let (app, org, agent) = TestApp::new(database).await;
        agent.get("/api/v1/audit").await.expect_problem(403, "forbidden");
        let ada = app.staff(&org, "ada", Role::Admin).await;
        let reader = ada.post("/api/v1/keys", json!({ "name": "Reader", "scopes": ["read"] })).await.expect(201);
        let reader = app.client(Some(reader.data()["token"].as_str().unwrap().to_owned()));
        reader.get("/api/v1/audit").await.expect_problem(403, "forbidden");
        let other = app.org("other").await;
        let theirs = app.staff(&other, "bob", Role::Owner).await;
        let rows = theirs.get("/api/v1/audit").await.expect(200).json["data"].clone();
        let actions: Vec<_> = rows.as_array().unwrap().iter().map(|row| row["action"].as_str().unwrap()).collect();
        assert_eq!(actions, ["key.create", "staff.add", "org.create"]);
        assert!(rows.as_array().unwrap().iter().all(|row| row["actor"] == json!({ "kind": "command", "user_id": null, "user_name": null, "key_id": null, "key_name": null })));
    }
}
