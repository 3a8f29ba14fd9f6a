//! Entity tags of lists: an unchanged list is not sent again, and no change is ever missed.

use std::collections::HashMap;

use parlance_api::Options;
use parlance_model::role::Role;
use parlance_testkit::both_databases;
use serde_json::json;

use crate::support::{CUSTOMER, Client, NUMBER, SID, TestApp, sid};

/// The body and the tag of each list.
async fn seen(staff: &Client, lists: &[String]) -> HashMap<String, (String, String)> {
    let mut seen = HashMap::new();
    for list in lists {
        let answer = staff.get(list).await.expect(200);
        assert_eq!(answer.header("cache-control"), "private, no-cache", "{list}");
        assert_eq!(answer.header("parlance-total"), "exact", "{list}");
        let tag = answer.header("etag").to_owned();
        assert!(tag.starts_with("W/\""), "{list}: {tag}");
        let unchanged = staff.send("GET", list, &[("if-none-match", &tag)], "").await.expect(304);
        assert_eq!((unchanged.header("etag"), unchanged.body.len(), unchanged.header("content-type")), (tag.as_str(), 0, ""), "{list}");
        seen.insert(list.clone(), (answer.text().to_owned(), tag));
    }
    seen
}

/// How many lists changed. A list that changed has a new tag.
async fn changed(staff: &Client, what: &str, before: &mut HashMap<String, (String, String)>) -> usize {
    let lists: Vec<_> = before.keys().cloned().collect();
    let now = seen(staff, &lists).await;
    let differing = lists.iter().filter(|list| now[*list].0 != before[*list].0).inspect(|list| {
        assert_ne!(now[*list].1, before[*list].1, "{list} changed with {what}, and its tag did not");
    });
    let count = differing.count();
    *before = now;
    count
}

both_databases! {
    async fn whatever_changes_a_list_changes_its_tag(database) {
        let (app, _, staff) = TestApp::new(database).await;
        app.inbound(&sid(1), CUSTOMER, "Hello?").await;
        let row = staff.get("/api/v1/conversations").await.json["data"][0].clone();
        let (id, contact) = (row["id"].to_string(), row["contact_id"].to_string());
        let path = |rest: &str| format!("/api/v1/conversations/{id}{rest}");
        let lists = ["/api/v1/conversations", "/api/v1/conversations?status=open&limit=2", "/api/v1/contacts", "/api/v1/opt_outs"].map(str::to_owned);
        let lists: Vec<_> = lists.into_iter().chain([path("/messages"), path("/messages?offset=1")]).collect();
        let mut before = seen(&staff, &lists).await;
        assert_eq!(changed(&staff, "nothing", &mut before).await, 0);

        app.inbound(&sid(2), CUSTOMER, "Anybody there?").await;
        assert_eq!(changed(&staff, "a message", &mut before).await, 4);
        staff.post(&path("/read"), json!({})).await.expect(200);
        assert_eq!(changed(&staff, "reading", &mut before).await, 4);
        staff.post(&path("/assign"), json!({})).await.expect(200);
        assert_eq!(changed(&staff, "assigning", &mut before).await, 2);
        staff.put(&path(""), json!({ "metadata": { "a": 1 }, "visitor_name": "Vera" })).await.expect(200);
        assert_eq!(changed(&staff, "fields", &mut before).await, 2);
        staff.post(&path("/close"), json!({})).await.expect(200);
        assert_eq!(changed(&staff, "closing", &mut before).await, 2);
        staff.post(&path("/reopen"), json!({})).await.expect(200);
        assert_eq!(changed(&staff, "opening", &mut before).await, 2);
        staff.put(&format!("/api/v1/contacts/{contact}"), json!({ "first_name": "John" })).await.expect(200);
        assert_eq!(changed(&staff, "a name", &mut before).await, 3);
        staff.put("/api/v1/opt_outs", json!({ "phone": CUSTOMER, "opted_out": true })).await.expect(200);
        assert_eq!(changed(&staff, "an opt-out", &mut before).await, 2);
        staff.put("/api/v1/opt_outs", json!({ "phone": CUSTOMER, "opted_out": false })).await.expect(200);
        assert_eq!(changed(&staff, "an opt-in", &mut before).await, 2);
        let other = staff.post("/api/v1/contacts", json!({ "email": "jane@example.com" })).await.expect(201).data()["id"].clone();
        assert_eq!(changed(&staff, "a contact", &mut before).await, 1);
        staff.post(&format!("/api/v1/contacts/{contact}/merge"), json!({ "contact_id": other })).await.expect(200);
        assert!(changed(&staff, "a merger", &mut before).await >= 1);
    }

    async fn what_a_provider_says_changes_the_tag_of_the_thread(database) {
        let (app, _, staff) = TestApp::new(database).await;
        let sent = staff.post("/api/v1/conversations/send", json!({ "phone": CUSTOMER, "message": "Hi" })).await.expect(201);
        let id = sent.data()["conversation"]["id"].to_string();
        let provider_id = app.sim.messages().last().unwrap().sid.clone();
        app.sim.settled().await;
        let mut before = seen(&staff, &[format!("/api/v1/conversations/{id}/messages")]).await;
        let mut changes = 0;
        // The second changes the reason and not the status: no event tells it, and the list shows it.
        for (status, code) in [("undelivered", "30003"), ("undelivered", "30005"), ("failed", "30008"), ("delivered", ""), ("read", "")] {
            let form = [("AccountSid", SID), ("MessageSid", &provider_id), ("MessageStatus", status), ("ErrorCode", code), ("From", NUMBER), ("To", CUSTOMER)];
            app.hook("/webhooks/twilio", &form).await.expect(200);
            changes += changed(&staff, status, &mut before).await;
        }
        assert!(changes >= 1, "{changes}");
    }

    async fn a_tag_is_good_for_one_caller_one_list_and_one_query(database) {
        let (app, org, ann) = TestApp::new(database).await;
        let other = app.org("other").await;
        let bob = app.staff(&other, "bob", Role::Agent).await;
        let owner = app.staff(&org, "olga", Role::Owner).await;
        let list = "/api/v1/contacts";
        let tag = ann.get(list).await.expect(200).header("etag").to_owned();
        let with = async |client: &Client, path: &str, tag: &str| client.send("GET", path, &[("if-none-match", tag)], "").await.status;
        assert_eq!(with(&ann, list, &tag).await, 304);
        assert_eq!(with(&ann, list, &format!("\"x\", {tag}")).await, 304);
        assert_eq!(with(&ann, list, tag.trim_start_matches("W/")).await, 304);
        for (client, path) in [(&bob, list), (&owner, list), (&ann, "/api/v1/contacts?limit=1"), (&ann, "/api/v1/conversations"), (&ann, "/api/v1/opt_outs")] {
            assert_eq!(with(client, path, &tag).await, 200, "{path}");
        }
        for wrong in ["*", "W/\"x\"", "", "x"] {
            assert_eq!(with(&ann, list, wrong).await, 200, "{wrong}");
        }
        assert_eq!(with(&app.anonymous(), list, &tag).await, 401);
        // Links to files that a list shows are new every hour.
        app.clock.advance_ms(3_600_000);
        assert_eq!(with(&ann, list, &tag).await, 200);
        app.clock.advance_ms(-3_600_000);
        assert_eq!(with(&ann, "/api/v1/conversations/7/messages", "*").await, 404);
        for path in ["/api/v1/contacts?search=john", "/api/v1/conversations?search=john", "/api/v1/staff", "/api/v1/conversations/unread"] {
            assert_eq!(ann.get(path).await.expect(200).header("etag"), "", "{path}");
        }
        let vary = ann.get(list).await.headers.get_all("vary").iter().map(|value| value.to_str().unwrap().to_owned()).collect::<Vec<_>>().join(", ");
        assert!(["authorization", "cookie", "x-org-id"].iter().all(|name| vary.contains(name)), "{vary}");
    }

    async fn a_tag_is_good_at_every_node_that_makes_the_same_links(database) {
        let (app, _, ann) = TestApp::new(database).await;
        let list = "/api/v1/conversations";
        let tag = ann.get(list).await.expect(200).header("etag").to_owned();
        for (public_url, status) in [(app.public_url.as_str(), 304), ("https://elsewhere.example.com", 200)] {
            let there = ann.behind(parlance_api::router(app.node_at(public_url).await, &Options::default()));
            assert_eq!(there.send("GET", list, &[("if-none-match", &tag)], "").await.status, status, "{public_url}");
        }
    }

    async fn every_list_says_whether_its_total_is_exact(database) {
        let (_app, _, staff) = TestApp::new(database).await;
        for path in ["conversations", "conversations?search=x", "contacts", "contacts?search=x", "opt_outs", "staff"] {
            assert_eq!(staff.get(&format!("/api/v1/{path}")).await.expect(200).header("parlance-total"), "exact", "{path}");
        }
        assert_eq!(staff.get("/api/v1/me").await.header("parlance-total"), "");
    }
}
