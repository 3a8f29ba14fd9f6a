//! Conversations: opening, listing, paging, changing, assigning, reading.

use std::collections::HashSet;

use parlance_model::role::Role;
use parlance_testkit::both_databases;
use serde_json::{Value, json};

use crate::support::{CUSTOMER, Client, TestApp, sid};

/// The id of the conversation with this number, opened if need be.
async fn open(staff: &Client, phone: &str) -> i64 {
    let answer = staff.post("/api/v1/conversations", json!({ "phone": phone })).await;
    answer.data()["id"].as_i64().unwrap()
}

fn ids(page: &Value) -> Vec<i64> {
    page["data"].as_array().unwrap().iter().map(|row| row["id"].as_i64().unwrap()).collect()
}

both_databases! {
    async fn opening_twice_finds_the_same(database) {
        let (_app, _, staff) = TestApp::new(database).await;
        let body = json!({ "phone": "(415) 200-0001", "status": "archived", "visitor_name": "John", "visitor_email": "j@example.com",
            "visitor_phone": "0", "metadata": { "a": [1, "x"] } });
        let first = staff.post("/api/v1/conversations", body).await.expect(201);
        let data = first.data();
        assert_eq!((&data["channel"], &data["status"], &data["phone_number"]), (&json!("sms"), &json!("archived"), &json!(CUSTOMER)));
        assert_eq!((&data["visitor_name"], &data["visitor_email"], &data["visitor_phone"]), (&json!("John"), &json!("j@example.com"), &json!("0")));
        assert_eq!((&data["metadata"], &data["last_message_at"]), (&json!({ "a": [1, "x"] }), &Value::Null));
        assert_eq!((&data["inserted_at"], &data["message_count"]), (&json!("2026-03-05T20:00:00Z"), &json!(0)));
        let again = staff.post("/api/v1/conversations", json!({ "contact_id": data["contact_id"], "status": "open" })).await.expect(200);
        assert_eq!(again.data(), data);
        assert_eq!(staff.get(&format!("/api/v1/conversations/{}", data["id"])).await.expect(200).data()["messages"], json!([]));
    }

    async fn bad_bodies_name_field_and_remedy(database) {
        let (app, _, staff) = TestApp::new(database).await;
        let id = open(&staff, CUSTOMER).await;
        let long = "x".repeat(201);
        for (body, field) in [
            (json!({}), "contact_id"),
            (json!({ "contact_id": 1, "phone": CUSTOMER }), "contact_id"),
            (json!({ "contact_id": "1" }), "contact_id"),
            (json!({ "contact_id": 1.5 }), "contact_id"),
            (json!({ "phone": 14_152_000_001_i64 }), "phone"),
            (json!({ "phone": "hello" }), "phone"),
            (json!({ "phone": "\u{0}" }), "phone"),
            (json!({ "phone": CUSTOMER, "channel": "fax" }), "channel"),
            (json!({ "phone": CUSTOMER, "status": "done" }), "status"),
            (json!({ "phone": CUSTOMER, "assigned_to": "me" }), "assigned_to"),
            (json!({ "phone": CUSTOMER, "visitor_name": long }), "visitor_name"),
            (json!({ "phone": CUSTOMER, "metadata": [] }), "metadata"),
            (json!({ "phone": CUSTOMER, "metadata": { "x": "x".repeat(16 * 1024) } }), "metadata"),
            (json!(["x"]), "body"),
        ] {
            staff.post("/api/v1/conversations", body).await.expect_wrong(field);
        }
        for (body, field) in [
            (json!({ "status": null }), "status"),
            (json!({ "status": "" }), "status"),
            (json!({ "contact_id": null }), "contact_id"),
            (json!({ "assigned_to": true }), "assigned_to"),
            (json!({ "visitor_phone": 5 }), "visitor_phone"),
            (json!({ "metadata": "x" }), "metadata"),
        ] {
            staff.put(&format!("/api/v1/conversations/{id}"), body).await.expect_wrong(field);
        }
        staff.post("/api/v1/conversations", json!({ "contact_id": i64::MAX })).await.expect_problem(404, "not_found");
        staff.post("/api/v1/conversations", json!({ "phone": "+14152000009", "assigned_to": 99 })).await.expect_problem(404, "not_found");
        staff.post("/api/v1/conversations", json!({ "phone": CUSTOMER, "channel": "web" })).await.expect_problem(422, "no_account");
        let other = app.org("other").await;
        let theirs = app.staff(&other, "bob", Role::Admin).await;
        theirs.post("/api/v1/conversations", json!({ "phone": CUSTOMER })).await.expect_problem(422, "sms_provider_off");
    }

    async fn a_change_leaves_clears_or_sets_each_field(database) {
        let (_app, _, staff) = TestApp::new(database).await;
        let path = format!("/api/v1/conversations/{}", open(&staff, CUSTOMER).await);
        let me = staff.post(&format!("{path}/assign"), json!({})).await.expect(200).data()["assigned_to"].clone();
        assert!(me.is_i64());
        let set = json!({ "visitor_name": "A", "visitor_email": "B", "visitor_phone": "C", "metadata": { "x": 1 }, "unknown": [1] });
        let answer = staff.put(&path, set).await.expect(200);
        assert_eq!((&answer.data()["visitor_phone"], &answer.data()["assigned_to"]), (&json!("C"), &me));
        let answer = staff.put(&path, json!({})).await.expect(200);
        assert_eq!((&answer.data()["visitor_name"], &answer.data()["metadata"]), (&json!("A"), &json!({ "x": 1 })));
        let cleared = json!({ "visitor_name": null, "visitor_email": null, "assigned_to": null, "metadata": null });
        let answer = staff.put(&path, cleared).await.expect(200);
        let data = answer.data();
        assert_eq!([&data["visitor_name"], &data["visitor_email"], &data["assigned_to"]], [&Value::Null; 3]);
        assert_eq!((&data["visitor_phone"], &data["metadata"]), (&json!("C"), &json!({})));
        staff.put(&path, json!({ "assigned_to": 12_345 })).await.expect_problem(404, "not_found");
        staff.put(&path, json!({ "contact_id": 12_345 })).await.expect_problem(404, "not_found");
        let other = open(&staff, "+14152000002").await;
        let contact = staff.get(&format!("/api/v1/conversations/{other}")).await.data()["contact_id"].clone();
        assert_eq!(staff.put(&path, json!({ "contact_id": contact })).await.expect(200).data()["contact_id"], contact);
    }

    async fn every_way_to_a_status_shows_that_status(database) {
        let (app, _, staff) = TestApp::new(database).await;
        let path = format!("/api/v1/conversations/{}", open(&staff, CUSTOMER).await);
        let ways = [("PUT open", "open", "open"), ("PUT closed", "closed", "completed"), ("close", "closed", "completed"), ("reopen", "open", "open")];
        for (from, before) in [("open", "open"), ("closed", "completed"), ("archived", "open")] {
            for (way, status, state) in ways {
                staff.put(&path, json!({ "status": "open" })).await.expect(200);
                let start = staff.put(&path, json!({ "status": from })).await.expect(200);
                assert_eq!((&start.data()["status"], &start.data()["state"]), (&json!(from), &json!(before)));
                let answer = match way.strip_prefix("PUT ") {
                    Some(word) => staff.put(&path, json!({ "status": word })).await,
                    None => staff.post(&format!("{path}/{way}"), json!({})).await,
                };
                let answer = answer.expect(200);
                assert_eq!((&answer.data()["status"], &answer.data()["state"]), (&json!(status), &json!(state)), "{from} {way}");
            }
        }
        // The archive keeps what was there, and a new message brings it back.
        staff.post(&format!("{path}/close"), json!({})).await.expect(200);
        let archived = staff.put(&path, json!({ "status": "archived" })).await.expect(200);
        assert_eq!((&archived.data()["status"], &archived.data()["state"]), (&json!("archived"), &json!("completed")));
        app.inbound(&sid(1), CUSTOMER, "Still there?").await;
        assert_eq!(staff.get(&path).await.data()["status"], "open");
    }

    async fn a_list_is_narrowed_by_each_filter(database) {
        let (app, org, staff) = TestApp::new(database).await;
        let mut all = Vec::new();
        for n in 1..=4 {
            app.clock.advance_ms(1000);
            all.insert(0, open(&staff, &format!("+1415200000{n}")).await);
        }
        let [fourth, third, second, first] = all[..] else { panic!("four were made") };
        staff.post(&format!("/api/v1/conversations/{first}/close"), json!({})).await.expect(200);
        staff.put(&format!("/api/v1/conversations/{second}"), json!({ "status": "archived" })).await.expect(200);
        let visitor = json!({ "visitor_name": "Zebedee Öz", "visitor_email": "zeb@x.io", "visitor_phone": "(030) 1234" });
        staff.put(&format!("/api/v1/conversations/{first}"), visitor).await.expect(200);
        let me = staff.post(&format!("/api/v1/conversations/{third}/assign"), json!({})).await.data()["assigned_to"].clone();
        let contact = staff.get(&format!("/api/v1/conversations/{fourth}")).await.data()["contact_id"].clone();
        for (query, expected) in [
            (String::new(), vec![fourth, third, second, first]),
            ("channel=sms".into(), vec![fourth, third, second, first]),
            ("channel=web".into(), vec![]),
            ("status=open".into(), vec![fourth, third]),
            ("status=closed".into(), vec![first]),
            ("status=archived".into(), vec![second]),
            (format!("assigned_to={me}"), vec![third]),
            (format!("assigned_to={me}&status=closed"), vec![]),
            (format!("contact_id={contact}"), vec![fourth]),
            ("contact_id=-1".into(), vec![]),
            ("search=%2B1%20415%20200-0003".into(), vec![third]),
            ("search=ZEBEDEE%20%C3%B6".into(), vec![first]),
            ("search=zeb@x".into(), vec![first]),
            ("search=030%2F1234".into(), vec![first]),
            ("search=nobody".into(), vec![]),
            ("search=%25".into(), vec![]),
            ("search=&unknown=1".into(), vec![fourth, third, second, first]),
            ("limit=2&offset=1".into(), vec![third, second]),
            ("offset=9223372036854775807&limit=200".into(), vec![]),
        ] {
            let page = staff.get(&format!("/api/v1/conversations?{query}")).await.expect(200).json;
            assert_eq!(ids(&page), expected, "{query}");
            if !query.contains("offset") {
                assert_eq!((&page["meta"]["total"], &page["meta"]["total_bounded"]), (&json!(expected.len()), &json!(false)), "{query}");
            }
        }
        let meta = staff.get("/api/v1/conversations").await.json["meta"].clone();
        assert_eq!(meta, json!({ "total": 4, "limit": 50, "offset": 0, "next_cursor": null, "total_bounded": false }));
        assert!(app.staff(&org, "cy", Role::Agent).await.get("/api/v1/conversations").await.json["data"][0]["id"] == fourth);
    }

    async fn bad_parameters_name_parameter_and_remedy(database) {
        let (_app, _, staff) = TestApp::new(database).await;
        let id = open(&staff, CUSTOMER).await;
        let long = format!("search={}", "x".repeat(201));
        for (query, field) in [
            ("limit=0", "limit"),
            ("limit=201", "limit"),
            ("limit=", "limit"),
            ("limit=x", "limit"),
            ("limit=1&limit=2", "limit"),
            ("offset=-1", "offset"),
            ("offset=9223372036854775808", "offset"),
            ("channel=fax", "channel"),
            ("status=done", "status"),
            ("contact_id=x", "contact_id"),
            ("assigned_to=me", "assigned_to"),
            (&long, "search"),
            ("cursor=x&offset=0", "cursor"),
        ] {
            staff.get(&format!("/api/v1/conversations?{query}")).await.expect_wrong(field);
            if ["limit", "offset", "cursor"].contains(&field) {
                staff.get(&format!("/api/v1/conversations/{id}/messages?{query}")).await.expect_wrong(field);
            }
        }
        for path in ["conversations".to_owned(), format!("conversations/{id}/messages")] {
            for cursor in ["", "x", "AAAA", "%00"] {
                staff.get(&format!("/api/v1/{path}?cursor={cursor}")).await.expect_problem(400, "bad_cursor");
            }
        }
    }

    async fn walking_by_cursor_sees_what_walking_by_offset_sees(database) {
        let (app, _, staff) = TestApp::new(database).await;
        for n in 0..7 {
            // Pairs with the same time: the id decides.
            app.clock.advance_ms(if n % 2 == 0 { 1000 } else { 0 });
            open(&staff, &format!("+1415200001{n}")).await;
            app.inbound(&sid(n), CUSTOMER, &format!("message {n}")).await;
        }
        let thread = format!("conversations/{}/messages", open(&staff, CUSTOMER).await);
        for (path, total) in [("conversations", 8), (thread.as_str(), 7)] {
            let (mut by_offset, mut by_cursor, mut cursor) = (Vec::new(), Vec::new(), String::new());
            for offset in (0..total).step_by(3) {
                by_offset.extend(ids(&staff.get(&format!("/api/v1/{path}?limit=3&offset={offset}")).await.expect(200).json));
            }
            loop {
                let page = staff.get(&format!("/api/v1/{path}?limit=3{cursor}")).await.expect(200).json;
                assert_eq!(page["meta"]["total"], total);
                by_cursor.extend(ids(&page));
                let Some(next) = page["meta"]["next_cursor"].as_str() else { break };
                cursor = format!("&cursor={next}");
            }
            assert_eq!(by_cursor, by_offset, "{path}");
            assert_eq!(by_cursor.iter().collect::<HashSet<_>>().len(), total, "{path}");
        }
    }

    async fn reading_counts_down_and_stamps_the_messages(database) {
        let (app, _, staff) = TestApp::new(database).await;
        for (n, from) in [(1, CUSTOMER), (2, CUSTOMER), (3, "+14152000002")] {
            app.inbound(&sid(n), from, "Hello?").await;
        }
        assert_eq!(staff.get("/api/v1/conversations/unread").await.expect(200).data(), &json!({ "unread_count": 3, "conversations": 2 }));
        let path = format!("/api/v1/conversations/{}", open(&staff, CUSTOMER).await);
        let before = staff.get(&path).await.data().clone();
        assert_eq!((&before["unread_count"], &before["last_direction"], &before["last_message_preview"]), (&json!(2), &json!("inbound"), &json!("Hello?")));
        assert!(before["messages"].as_array().unwrap().iter().all(|message| message["read_at"].is_null()));
        app.clock.advance_ms(60_000);
        assert_eq!(staff.post(&format!("{path}/read"), json!({})).await.expect(200).data()["unread_count"], 0);
        app.clock.advance_ms(60_000);
        app.inbound(&sid(4), CUSTOMER, "And now?").await;
        let read: Vec<_> = staff.get(&path).await.data()["messages"].as_array().unwrap().iter().map(|message| message["read_at"].clone()).collect();
        assert_eq!(read, [json!("2026-03-05T20:01:00Z"), json!("2026-03-05T20:01:00Z"), Value::Null]);
        assert_eq!(staff.get("/api/v1/conversations/unread").await.data(), &json!({ "unread_count": 2, "conversations": 2 }));
    }

    async fn a_key_without_a_user_has_nobody_to_assign_to(database) {
        let (app, org, staff) = TestApp::new(database).await;
        let id = open(&staff, CUSTOMER).await;
        let key = app.bare_key(&org, false).await;
        key.post(&format!("/api/v1/conversations/{id}/assign"), json!({})).await.expect_problem(422, "key_has_no_user");
        key.post("/api/v1/conversations/999/assign", json!({})).await.expect_problem(404, "not_found");
    }
}
