//! Sending: to somebody, in a conversation, and what is refused.

use parlance_sim::twilio::{Fault, FaultKind};
use parlance_testkit::both_databases;
use serde_json::{Value, json};

use crate::support::{CUSTOMER, NUMBER, TestApp, sid};

both_databases! {
    async fn a_message_goes_out_and_its_delivery_is_seen(database) {
        let (app, _, staff) = TestApp::new(database).await;
        let answer = staff.post("/api/v1/conversations/send", json!({ "phone": CUSTOMER, "message": "Hello!" })).await.expect(201);
        let data = answer.data();
        assert_eq!((&data["conversation"]["contact"]["phone"], &data["conversation"]["phone_number"]), (&json!(CUSTOMER), &json!(CUSTOMER)));
        assert_eq!((&data["message"]["body"], &data["message"]["sender_type"]), (&json!("Hello!"), &json!("staff")));
        assert_eq!(data["status"], data["message"]["delivery_status"]);
        assert!(data["message"]["sender_id"].is_i64());
        app.sim.settled().await;
        let path = format!("/api/v1/conversations/{}", data["conversation"]["id"]);
        let messages = staff.get(&format!("{path}/messages")).await.expect(200).json;
        assert_eq!((&messages["data"][0]["delivery_status"], &messages["meta"]["total"]), (&json!("delivered"), &json!(1)));
        let sent = app.sim.messages();
        assert_eq!((sent.len(), sent[0].to.as_str(), sent[0].from.as_deref(), sent[0].body.as_str()), (1, CUSTOMER, Some(NUMBER), "Hello!"));

        let reply = staff.post(&format!("{path}/messages"), json!({ "message": "Still there?", "media_ids": [], "sender": "staff" })).await.expect(201);
        assert_eq!(reply.data()["conversation"]["id"], data["conversation"]["id"]);
        let to_contact = json!({ "contact_id": data["conversation"]["contact"]["id"], "message": "Hi", "channel": "sms" });
        let third = staff.post("/api/v1/conversations/send", to_contact).await.expect(201);
        assert_eq!((&third.data()["conversation"]["id"], &third.data()["conversation"]["message_count"]), (&data["conversation"]["id"], &json!(3)));
    }

    async fn respond_async_does_not_wait(database) {
        let (app, _, staff) = TestApp::new(database).await;
        app.sim.fault(Fault::new(FaultKind::Delay { ms: 60_000 }));
        let body = json!({ "phone": CUSTOMER, "message": "Hello!" });
        let answer = staff.post_with("/api/v1/conversations/send", &[("prefer", "respond-async")], body).await.expect(201);
        assert_eq!((&answer.data()["status"], &answer.data()["message"]["delivery_state"]), (&json!("pending"), &json!("pending")));
    }

    async fn a_refusal_is_shown_with_code_and_remedy(database) {
        let (app, _, staff) = TestApp::new(database).await;
        app.sim.fault(Fault::new(FaultKind::Refuse { status: 400, code: 21211 }).times(1));
        let answer = staff.post("/api/v1/conversations/send", json!({ "phone": CUSTOMER, "message": "Hello!" })).await.expect(201);
        let message = &answer.data()["message"];
        assert_eq!((&answer.data()["status"], &message["delivery_state"], &message["error_code"]), (&json!("failed"), &json!("failed"), &json!("21211")));
        assert!(message["error_message"].is_string());
    }

    async fn an_earlier_doubt_is_not_shown_beside_delivered(database) {
        let (app, _, staff) = TestApp::new(database).await;
        app.sim.fault(Fault::new(FaultKind::AcceptThenTimeout { hold_ms: 0 }).times(1));
        let answer = staff.post("/api/v1/conversations/send", json!({ "phone": CUSTOMER, "message": "Hello!" })).await.expect(201);
        app.sim.settled().await;
        let path = format!("/api/v1/conversations/{}/messages", answer.data()["conversation"]["id"]);
        let message = staff.get(&path).await.expect(200).json["data"][0].clone();
        assert_eq!((&message["delivery_state"], &message["error_code"], &message["error_message"]), (&json!("delivered"), &json!(null), &json!(null)));
    }

    async fn bad_messages_name_field_and_remedy(database) {
        let (_app, _, staff) = TestApp::new(database).await;
        let id = staff.post("/api/v1/conversations", json!({ "phone": CUSTOMER })).await.data()["id"].clone();
        for (body, field) in [
            (json!({}), "message"),
            (json!({ "message": null }), "message"),
            (json!({ "message": " \n" }), "message"),
            (json!({ "message": "\u{0}" }), "message"),
            (json!({ "message": "x".repeat(1601) }), "message"),
            (json!({ "message": ["x"] }), "message"),
            (json!({ "message": "x", "sender": "system" }), "sender"),
            (json!({ "message": "x", "meta": 5 }), "meta"),
            (json!({ "message": "x", "media_urls": "https://example.com/a.png" }), "media_urls"),
        ] {
            staff.post(&format!("/api/v1/conversations/{id}/messages"), body.clone()).await.expect_wrong(field);
            let mut to_somebody = body;
            to_somebody["phone"] = json!(CUSTOMER);
            staff.post("/api/v1/conversations/send", to_somebody).await.expect_wrong(field);
        }
        for (body, field) in [
            (json!({ "message": "x" }), "contact_id"),
            (json!({ "message": "x", "contact_id": 1, "phone": CUSTOMER }), "contact_id"),
            (json!({ "message": "x", "phone": "12" }), "phone"),
            (json!({ "message": "x", "phone": CUSTOMER, "channel": 1 }), "channel"),
        ] {
            staff.post("/api/v1/conversations/send", body).await.expect_wrong(field);
        }
        staff.post("/api/v1/conversations/send", json!({ "message": "x", "contact_id": 999 })).await.expect_problem(404, "not_found");
        staff.post("/api/v1/conversations/send", json!({ "message": "x", "phone": CUSTOMER, "channel": "email" })).await.expect_problem(422, "no_account");
        assert_eq!(staff.get(&format!("/api/v1/conversations/{id}/messages")).await.json["meta"]["total"], 0);
    }

    async fn what_is_no_json_is_refused_before_it_is_read(database) {
        let (_app, _, staff) = TestApp::new(database).await;
        let post = async |content_type: &str, body: Vec<u8>| {
            staff.send("POST", "/api/v1/conversations/send", &[("content-type", content_type)], body).await
        };
        for body in [&b""[..], b"{", b"{\"message\": }", b"\xff", b"{\"message\": \"\xff\"}", b"hello", b"{} {}"] {
            post("application/json", body.to_vec()).await.expect_problem(400, "malformed_json");
        }
        let body = br#"{"message": "x", "phone": "+14152000001"}"#;
        for content_type in ["text/plain", "", "application/x-www-form-urlencoded", "application/jsonx"] {
            post(content_type, body.to_vec()).await.expect_problem(415, "unsupported_media_type");
        }
        post("application/json; charset=utf-8", body.to_vec()).await.expect(201);
        post("application/json", vec![b' '; 1024 * 1024 + 1]).await.expect_problem(413, "body_too_large");
        post("application/json", vec![b' '; 1024 * 1024]).await.expect_problem(400, "malformed_json");
        post("application/json", "[".repeat(100_000).into_bytes()).await.expect_problem(400, "malformed_json");
        staff.send("POST", "/api/v1/conversations/1/close", &[], vec![0; 1024 * 1024 + 1]).await.expect_problem(413, "body_too_large");
    }

    async fn only_keys_with_the_scope_speak_as_the_assistant(database) {
        let (app, org, staff) = TestApp::new(database).await;
        for body in [json!({ "sender": "assistant" }), json!({ "meta": { "usage": 1 } })] {
            let mut body = body;
            body["phone"] = json!(CUSTOMER);
            body["message"] = json!("Hello!");
            staff.post("/api/v1/conversations/send", body).await.expect_problem(403, "forbidden");
        }
        let assistant = app.bare_key(&org, true).await;
        let body = json!({ "phone": CUSTOMER, "message": "Hello!", "sender": "assistant", "meta": { "usage": { "tokens": 5 } } });
        let answer = assistant.post("/api/v1/conversations/send", body).await.expect(201);
        let message = &answer.data()["message"];
        assert_eq!((&message["sender"], &message["sender_type"], &message["sender_id"]), (&json!("assistant"), &json!("staff"), &Value::Null));
        assert_eq!(message["meta"], json!({ "usage": { "tokens": 5 } }));
    }

    async fn who_opted_out_is_not_written_to(database) {
        let (app, _, staff) = TestApp::new(database).await;
        app.inbound(&sid(1), CUSTOMER, "STOP").await;
        let body = json!({ "phone": CUSTOMER, "message": "Hello!" });
        staff.post("/api/v1/conversations/send", body.clone()).await.expect_problem(422, "recipient_opted_out");
        assert_eq!(staff.get("/api/v1/conversations").await.json["data"][0]["message_count"], 1);
        app.inbound(&sid(2), CUSTOMER, "START").await;
        staff.post("/api/v1/conversations/send", body).await.expect(201);
    }
}
