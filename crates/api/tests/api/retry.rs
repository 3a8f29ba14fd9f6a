//! Calling messages back and sending them once more, over the API; and how accounts do.

use parlance_model::id::AccountId;
use parlance_model::role::Role;
use parlance_sim::twilio::{Fault, FaultKind, Inbound};
use parlance_store::watch::Unwatched;
use parlance_testkit::both_databases;
use serde_json::json;

use crate::support::{CUSTOMER, NUMBER, TestApp, inbound_form, sid};

both_databases! {
    async fn a_message_that_waits_is_called_back_once(database) {
        let (app, org, staff) = TestApp::new(database).await;
        let path = format!("/api/v1/messages/{}/cancel", app.waiting_message(&org).await);
        let key = [("idempotency-key", "back")];
        let canceled = staff.post_with(&path, &key, json!({})).await.expect(200);
        assert_eq!((&canceled.data()["delivery_state"], &canceled.data()["delivery_status"]), (&json!("canceled"), &json!("failed")));
        assert_eq!(staff.post_with(&path, &key, json!({})).await.expect(200).data(), canceled.data());
        let refused = staff.post(&path, json!({})).await.expect_problem(409, "too_late");
        assert!(refused.json["detail"].as_str().unwrap().contains("canceled"), "{}", refused.text());
    }

    async fn a_refused_message_goes_out_once_more_and_its_attempts_are_listed(database) {
        let (app, _, staff) = TestApp::new(database).await;
        app.sim.fault(Fault::new(FaultKind::Refuse { status: 400, code: 21612 }).times(1));
        let sent = staff.post("/api/v1/conversations/send", json!({ "phone": CUSTOMER, "message": "Hello!" })).await.expect(201);
        assert_eq!(sent.data()["status"], "failed");
        let path = format!("/api/v1/messages/{}", sent.data()["message"]["id"]);
        // Without a body, and without a word of what it is.
        let again = staff.send("POST", &format!("{path}/retry"), &[], "").await.expect(200);
        assert_ne!(again.data()["delivery_state"], "failed");
        app.sim.settled().await;
        staff.post(&format!("{path}/retry"), json!({ "allow_duplicate": true })).await.expect_problem(409, "not_retryable");
        let list = staff.get(&format!("{path}/attempts")).await.expect(200);
        assert_eq!((&list.json["meta"], list.header("parlance-total")), (&json!({ "total": 2, "limit": 50, "offset": 0 }), "exact"));
        let second = staff.get(&format!("{path}/attempts?limit=1&offset=1")).await.expect(200).data().clone();
        let attempts = list.data().clone();
        assert_eq!(second, json!([attempts[1]]));
        assert_eq!((&attempts[0]["error_code"], &attempts[0]["delivery_state"], &attempts[1]["delivery_state"]), (&json!("21612"), &json!("failed"), &json!("delivered")));
        for (body, field) in [(json!({ "allow_duplicate": 1 }), "allow_duplicate"), (json!([]), "body")] {
            staff.post(&format!("{path}/retry"), body).await.expect_wrong(field);
        }
        staff.send("POST", &format!("{path}/retry"), &[("content-type", "text/plain")], "x").await.expect_problem(415, "unsupported_media_type");
    }

    async fn what_may_have_been_sent_needs_a_word_more(database) {
        let (app, _, staff) = TestApp::new(database).await;
        app.sim.fault(Fault::new(FaultKind::AcceptThenTimeout { hold_ms: 0 }).times(1));
        app.sim.fault(Fault::new(FaultKind::AcceptWithoutCallbacks).times(1));
        let sent = staff.post("/api/v1/conversations/send", json!({ "phone": CUSTOMER, "message": "Hello!" })).await.expect(201);
        assert_eq!(sent.data()["message"]["delivery_state"], "unknown");
        let path = format!("/api/v1/messages/{}/retry", sent.data()["message"]["id"]);
        let refused = staff.post(&path, json!({})).await.expect_problem(409, "may_have_been_sent");
        assert!(refused.json["detail"].as_str().unwrap().contains("allow_duplicate"), "{}", refused.text());
        staff.post(&path, json!({ "allow_duplicate": true })).await.expect(200);
        assert_eq!(app.sim.messages().len(), 2);
    }

    async fn what_came_in_is_neither_called_back_nor_retried(database) {
        let (app, _, staff) = TestApp::new(database).await;
        app.inbound(&sid(1), CUSTOMER, "Hello?").await;
        let conversation = staff.get("/api/v1/conversations").await.json["data"][0]["id"].clone();
        let id = staff.get(&format!("/api/v1/conversations/{conversation}/messages")).await.json["data"][0]["id"].clone();
        for what in ["cancel", "retry"] {
            staff.post(&format!("/api/v1/messages/{id}/{what}"), json!({})).await.expect_problem(422, "not_outbound");
            staff.post(&format!("/api/v1/messages/999/{what}"), json!({})).await.expect_problem(404, "not_found");
        }
        assert_eq!(staff.get(&format!("/api/v1/messages/{id}/attempts")).await.expect(200).data(), &json!([]));
    }

    async fn an_accounts_record_says_how_it_does(database) {
        let (app, org, staff) = TestApp::new(database).await;
        let ada = app.staff(&org, "ada", Role::Admin).await;
        let health = async || ada.get("/api/v1/accounts").await.expect(200).json["data"][0]["health"].clone();
        let unused = json!({ "state": "unused", "last_in_at": null, "last_out_at": null, "last_error": null, "refused_hooks": { "count": 0, "last_at": null }, "backfill": null });
        assert_eq!(health().await, unused);
        let form = inbound_form("SM1", CUSTOMER, NUMBER, "Hello?");
        app.hook_signed("/webhooks/twilio", &form, "forged").await.expect_problem(403, "bad_signature");
        assert_eq!((&health().await["refused_hooks"]["count"], &health().await["state"]), (&json!(1), &json!("unused")));
        app.sim.fault(Fault::new(FaultKind::Refuse { status: 401, code: 20003 }).times(1));
        let body = json!({ "phone": CUSTOMER, "message": "Hello!" });
        staff.post("/api/v1/conversations/send", body.clone()).await.expect(201);
        let failing = health().await;
        assert_eq!((&failing["state"], &failing["last_error"]["code"]), (&json!("failing"), &json!("20003")));
        assert!(failing["last_error"]["message"].as_str().unwrap().contains("auth token"), "{failing}");
        // The one that was refused finds out whether the account is taken again.
        app.clock.advance_ms(60_000);
        staff.post("/api/v1/conversations/send", body).await.expect(201);
        let works = health().await;
        assert_eq!((&works["state"], &works["last_out_at"]), (&json!("ok"), &json!("2026-03-05T20:01:00Z")));
        let kinds: Vec<_> = ada.get("/api/v1/events").await.expect(200).json["data"].as_array().unwrap().iter().filter(|event| event["kind"] == "account.health").cloned().collect();
        assert_eq!((kinds.len(), &kinds[0]["failing"], &kinds[1]["failing"]), (2, &json!(true), &json!(false)));
        let id = ada.get("/api/v1/accounts").await.json["data"][0]["id"].clone();
        let off = ada.put(&format!("/api/v1/accounts/{id}"), json!({ "enabled": false })).await.expect(200);
        assert_eq!(off.data()["health"]["state"], "off");
    }

    async fn an_accounts_record_says_how_far_its_lists_were_compared(database) {
        let (app, org, _) = TestApp::new(database).await;
        let ada = app.staff(&org, "ada", Role::Admin).await;
        let account = async || ada.get("/api/v1/accounts").await.expect(200).data()[0].clone();
        let id = AccountId(account().await["id"].as_i64().unwrap());
        let compare = async || app.app.backfill(&org.slug, id, None, &Unwatched::default()).await;
        // No hook of the simulator comes here.
        app.sim.inbound(Inbound::text(CUSTOMER, NUMBER, "Did you get this?")).await;
        app.clock.advance_ms(600_000);
        compare().await.unwrap();
        let found = json!({ "compared_through": "2026-03-05T20:08:00Z", "tried_at": "2026-03-05T20:10:00Z", "found": 1, "error": null });
        assert_eq!(account().await["health"]["backfill"], found);
        ada.put("/api/v1/settings/providers", json!({ "twilio_auth_token_encrypted": "a-wrong-token" })).await.expect(200);
        app.clock.advance_ms(60_000);
        compare().await.unwrap_err();
        let refused = account().await["health"]["backfill"].clone();
        assert_eq!((&refused["compared_through"], &refused["found"]), (&found["compared_through"], &found["found"]));
        assert_eq!((&refused["tried_at"], &refused["error"]["code"]), (&json!("2026-03-05T20:11:00Z"), &json!("20003")));
    }
}
