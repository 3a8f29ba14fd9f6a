//! Contacts: making, finding, changing, merging; and the ledger of opt-outs.

use parlance_model::role::Role;
use parlance_testkit::both_databases;
use serde_json::{Value, json};

use crate::support::{CUSTOMER, Client, TestApp, sid};

const CONTACTS: &str = "/api/v1/contacts";
const OPT_OUTS: &str = "/api/v1/opt_outs";

async fn make(staff: &Client, body: Value) -> Value {
    staff.post(CONTACTS, body).await.expect(201).data().clone()
}

fn path(contact: &Value) -> String {
    format!("{CONTACTS}/{}", contact["id"])
}

async fn ids(staff: &Client, query: &str) -> Vec<Value> {
    let page = staff.get(&format!("{CONTACTS}?{query}")).await.expect(200).json;
    page["data"].as_array().unwrap().iter().map(|row| row["id"].clone()).collect()
}

both_databases! {
    async fn a_contact_is_made_once_and_reads_back(database) {
        let (_app, _, staff) = TestApp::new(database).await;
        let body = json!({ "first_name": " John ", "last_name": "Doe", "phone": "(415) 200-0001", "email": "John@Example.com", "x": 1 });
        let made = make(&staff, body.clone()).await;
        let identities = json!([{ "kind": "phone", "value": CUSTOMER }, { "kind": "email", "value": "john@example.com" }]);
        let expected = json!({ "id": made["id"], "first_name": "John", "last_name": "Doe", "name": "John Doe", "phone": CUSTOMER,
            "email": "john@example.com", "identities": identities, "opted_out": false, "inserted_at": "2026-03-05T20:00:00Z",
            "updated_at": "2026-03-05T20:00:00Z" });
        assert_eq!(made, expected);
        assert_eq!(staff.get(&path(&made)).await.expect(200).data(), &made);
        let taken = staff.post(CONTACTS, body).await.expect_problem(409, "identity_taken");
        assert!(taken.json["detail"].as_str().unwrap().contains(&format!("contact {}", made["id"])));
        let same = [("idempotency-key", "once")];
        let first = staff.post_with(CONTACTS, &same, json!({ "first_name": "Eve" })).await.expect(201);
        assert_eq!(staff.post_with(CONTACTS, &same, json!({ "first_name": "Eve" })).await.expect(201).data(), first.data());
        assert_eq!(ids(&staff, "").await, [first.data()["id"].clone(), made["id"].clone()]);
    }

    async fn bad_bodies_and_parameters_are_refused_and_change_nothing(database) {
        let (_app, _, staff) = TestApp::new(database).await;
        let made = make(&staff, json!({ "first_name": "Ann", "phone": CUSTOMER })).await;
        for (body, field) in [
            (json!({}), "first_name"),
            (json!({ "first_name": " ", "last_name": null }), "first_name"),
            (json!({ "first_name": 5 }), "first_name"),
            (json!({ "last_name": "x".repeat(201) }), "last_name"),
            (json!({ "phone": "" }), "phone"),
            (json!({ "phone": "hello" }), "phone"),
            (json!({ "phone": 14_152_000_001_i64 }), "phone"),
            (json!({ "email": "ann" }), "email"),
            (json!({ "email": format!("{}@x.io", "x".repeat(254)) }), "email"),
            (json!(["x"]), "body"),
        ] {
            staff.post(CONTACTS, body.clone()).await.expect_wrong(field);
            if body.as_object().is_some_and(|body| !body.is_empty() && field != "first_name") {
                staff.put(&path(&made), body).await.expect_wrong(field);
            }
        }
        for (body, field) in [(json!({}), "contact_id"), (json!({ "contact_id": null }), "contact_id"), (json!({ "contact_id": "1" }), "contact_id"), (json!({ "contact_id": made["id"] }), "contact_id")] {
            staff.post(&format!("{}/merge", path(&made)), body).await.expect_wrong(field);
        }
        staff.post(&format!("{}/merge", path(&made)), json!({ "contact_id": 999 })).await.expect_problem(404, "not_found");
        for (body, field) in [(json!({}), "phone"), (json!({ "phone": CUSTOMER }), "opted_out"), (json!({ "phone": "x", "opted_out": true }), "phone"), (json!({ "phone": CUSTOMER, "opted_out": "yes" }), "opted_out")] {
            staff.put(OPT_OUTS, body.clone()).await.expect_wrong(field);
            staff.post(OPT_OUTS, body).await.expect_wrong(field);
        }
        for list in [CONTACTS, OPT_OUTS] {
            for (query, field) in [("limit=0", "limit"), ("limit=x", "limit"), ("offset=-1", "offset"), ("cursor=x&offset=0", "cursor")] {
                staff.get(&format!("{list}?{query}")).await.expect_wrong(field);
            }
            for cursor in ["", "x", "%00"] {
                staff.get(&format!("{list}?cursor={cursor}")).await.expect_problem(400, "bad_cursor");
            }
        }
        staff.get(&format!("{CONTACTS}?search={}", "x".repeat(201))).await.expect_wrong("search");
        for id in ["x", "0", "-1", "01", "9223372036854775808", "%FF"] {
            staff.get(&format!("{CONTACTS}/{id}")).await.expect_problem(404, "not_found");
        }
        assert_eq!(staff.get(&path(&made)).await.data(), &made);
        assert_eq!(ids(&staff, "").await, [made["id"].clone()]);
        assert_eq!(staff.get(OPT_OUTS).await.json["data"], json!([]));
    }

    async fn people_are_found_by_name_number_and_address(database) {
        let (_app, _, staff) = TestApp::new(database).await;
        let ann = make(&staff, json!({ "first_name": "Ann", "last_name": "Öz", "phone": CUSTOMER, "email": "ann@example.com" })).await["id"].clone();
        let bob = make(&staff, json!({ "first_name": "Bob", "phone": "+49 30 901820" })).await["id"].clone();
        for (query, expected) in [
            ("", vec![&bob, &ann]),
            ("search=", vec![&bob, &ann]),
            ("search=ANN%20%C3%B6z", vec![&ann]),
            ("search=ann@", vec![&ann]),
            ("search=(415)%20200-0001", vec![&ann]),
            ("search=0049%2030%20901820", vec![&bob]),
            ("search=nobody", vec![]),
            ("limit=1", vec![&bob]),
            ("limit=1&offset=1", vec![&ann]),
            ("offset=9223372036854775807", vec![]),
        ] {
            assert_eq!(ids(&staff, query).await.iter().collect::<Vec<_>>(), expected, "{query}");
        }
        let first = staff.get(&format!("{CONTACTS}?limit=1")).await.json;
        assert_eq!((&first["meta"]["total"], &first["meta"]["total_bounded"]), (&json!(2), &json!(false)));
        let next = format!("limit=1&cursor={}", first["meta"]["next_cursor"].as_str().unwrap());
        assert_eq!(ids(&staff, &next).await, [ann]);
        assert_eq!(staff.get(&format!("{CONTACTS}?{next}")).await.json["meta"]["next_cursor"], Value::Null);
    }

    async fn a_change_leaves_clears_or_sets_each_field(database) {
        let (app, _, staff) = TestApp::new(database).await;
        app.inbound(&sid(1), CUSTOMER, "Hello?").await;
        let conversation = staff.get("/api/v1/conversations").await.json["data"][0].clone();
        let contact = staff.get(&format!("{CONTACTS}/{}", conversation["contact_id"])).await.expect(200).data().clone();
        let renamed = staff.put(&path(&contact), json!({ "first_name": "Ann", "last_name": "Lee", "email": "ann@example.com" })).await.expect(200);
        assert_eq!((&renamed.data()["name"], &renamed.data()["phone"]), (&json!("Ann Lee"), &json!(CUSTOMER)));
        let shown = staff.get(&format!("/api/v1/conversations/{}", conversation["id"])).await.data().clone();
        assert_eq!(shown["contact_name"], "Ann Lee");
        // What was shown may be sent back as it is.
        assert_eq!(staff.put(&path(&contact), renamed.data().clone()).await.expect(200).data(), renamed.data());
        assert_eq!(staff.put(&path(&contact), json!({})).await.expect(200).data(), renamed.data());
        let other = make(&staff, json!({ "phone": "+14152000002" })).await;
        let taken = staff.put(&path(&contact), json!({ "phone": "+14152000002", "first_name": "Eve" })).await.expect_problem(409, "identity_taken");
        assert!(taken.json["detail"].as_str().unwrap().contains(&format!("contact {}", other["id"])));
        let cleared = staff.put(&path(&contact), json!({ "last_name": null, "email": null, "phone": "415 200 0009" })).await.expect(200);
        assert_eq!((&cleared.data()["name"], &cleared.data()["phone"]), (&json!("Ann"), &json!("+14152000009")));
        assert_eq!(cleared.data()["identities"], json!([{ "kind": "phone", "value": "+14152000009" }]));
        // The number is free for somebody else.
        make(&staff, json!({ "phone": CUSTOMER })).await;
    }

    async fn merged_contacts_are_one_under_both_ids(database) {
        let (app, _, staff) = TestApp::new(database).await;
        app.inbound(&sid(1), CUSTOMER, "Hello?").await;
        app.inbound(&sid(2), "+14152000002", "It's me again").await;
        let [newest, oldest] = ids(&staff, "").await.try_into().unwrap();
        let merge = format!("{CONTACTS}/{oldest}/merge");
        let merged = staff.post(&merge, json!({ "contact_id": newest })).await.expect(200);
        assert_eq!((&merged.data()["id"], merged.data()["identities"].as_array().unwrap().len()), (&oldest, 2));
        for _ in 0..2 {
            assert_eq!(staff.post(&merge, json!({ "contact_id": newest })).await.expect(200).data(), merged.data());
        }
        assert_eq!(staff.get(&format!("{CONTACTS}/{newest}")).await.expect(200).data(), merged.data());
        assert_eq!(ids(&staff, "").await, std::slice::from_ref(&oldest));
        assert_eq!(staff.get(CONTACTS).await.json["meta"]["total"], 1);
        for id in [&newest, &oldest] {
            let page = staff.get(&format!("/api/v1/conversations?contact_id={id}")).await.expect(200).json;
            assert_eq!(page["meta"]["total"], 2);
            assert!(page["data"].as_array().unwrap().iter().all(|row| row["contact_id"] == oldest));
        }
        let sent = staff.post("/api/v1/conversations/send", json!({ "contact_id": newest, "message": "Hi" })).await.expect(201);
        assert_eq!(sent.data()["conversation"]["contact"]["id"], oldest);
        staff.post(&format!("{CONTACTS}/{newest}/merge"), json!({ "contact_id": newest })).await.expect_wrong("contact_id");
    }

    async fn staff_write_the_ledger_and_sends_obey_it(database) {
        let (app, _, staff) = TestApp::new(database).await;
        let contact = make(&staff, json!({ "phone": CUSTOMER })).await;
        let opted_out = staff.put(OPT_OUTS, json!({ "phone": "(415) 200-0001", "opted_out": true })).await.expect(200);
        let expected = json!({ "kind": "phone", "value": CUSTOMER, "opted_out": true, "source": "staff", "at": "2026-03-05T20:00:00Z",
            "contact_id": contact["id"] });
        assert_eq!(opted_out.data(), &expected);
        assert_eq!(staff.get(&path(&contact)).await.data()["opted_out"], true);
        staff.post("/api/v1/conversations/send", json!({ "phone": CUSTOMER, "message": "Hi" })).await.expect_problem(422, "recipient_opted_out");
        app.clock.advance_ms(1000);
        app.inbound(&sid(1), "+14152000002", "STOP").await;
        assert_eq!(staff.put(OPT_OUTS, json!({ "phone": CUSTOMER, "opted_out": true })).await.expect(200).data(), &expected, "unchanged");
        let page = staff.get(OPT_OUTS).await.expect(200).json;
        assert_eq!((&page["data"][0]["value"], &page["data"][0]["source"], &page["data"][1]), (&json!("+14152000002"), &json!("keyword"), &expected));
        assert_eq!(page["meta"], json!({ "total": 2, "limit": 50, "offset": 0, "next_cursor": null, "total_bounded": false }));
        let first = staff.get(&format!("{OPT_OUTS}?limit=1")).await.json;
        let next = format!("{OPT_OUTS}?limit=1&cursor={}", first["meta"]["next_cursor"].as_str().unwrap());
        assert_eq!(staff.get(&next).await.expect(200).json["data"], json!([expected]));
        staff.post(OPT_OUTS, json!({ "phone": CUSTOMER, "opted_out": false })).await.expect(200);
        staff.post("/api/v1/conversations/send", json!({ "phone": CUSTOMER, "message": "Hi" })).await.expect(201);
        let unknown = staff.put(OPT_OUTS, json!({ "phone": "+14152000003", "opted_out": false })).await.expect(200);
        assert_eq!((&unknown.data()["source"], &unknown.data()["at"]), (&Value::Null, &Value::Null));
    }

    async fn another_org_sees_and_touches_none_of_ours(database) {
        let (app, _, ours) = TestApp::new(database).await;
        let other = app.org("other").await;
        let theirs = app.staff(&other, "bob", Role::Owner).await;
        let (ann, eve) = (make(&ours, json!({ "first_name": "Ann", "phone": CUSTOMER })).await, make(&ours, json!({ "first_name": "Eve" })).await);
        ours.put(OPT_OUTS, json!({ "phone": CUSTOMER, "opted_out": true })).await.expect(200);
        let bob = make(&theirs, json!({ "first_name": "Bob", "phone": CUSTOMER })).await;
        assert_eq!((&bob["opted_out"], ids(&theirs, "search=ann").await), (&json!(false), vec![]));
        assert_eq!(theirs.get(OPT_OUTS).await.json["data"], json!([]));
        let merge = |contact: &Value| format!("{}/merge", path(contact));
        theirs.post(&merge(&ann), json!({ "contact_id": eve["id"] })).await.expect_problem(404, "not_found");
        theirs.post(&merge(&ann), json!({ "contact_id": ann["id"] })).await.expect_problem(404, "not_found");
        theirs.post(&merge(&bob), json!({ "contact_id": ann["id"] })).await.expect_problem(404, "not_found");
        ours.post(&merge(&ann), json!({ "contact_id": bob["id"] })).await.expect_problem(404, "not_found");
        theirs.put(&path(&ann), json!({ "first_name": "Mine" })).await.expect_problem(404, "not_found");
        assert_eq!(ours.get(&path(&ann)).await.data()["first_name"], "Ann");
    }
}
