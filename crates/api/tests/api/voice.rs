//! What becomes of an account's phone calls: what may be set, and what is refused.

use parlance_model::role::Role;
use parlance_testkit::both_databases;
use serde_json::{Value, json};

use crate::support::{NUMBER, SID, TOKEN, TestApp};

const PHONE: &str = "+14152000011";

both_databases! {
    async fn what_becomes_of_calls_is_set_field_by_field_and_written_down(database) {
        let (app, org, ann) = TestApp::new(database).await;
        let ada = app.staff(&org, "ada", Role::Admin).await;
        let user = ann.get("/api/v1/me").await.data()["user"]["id"].clone();
        let account = format!("/api/v1/accounts/{}", ada.get("/api/v1/accounts").await.data()[0]["id"]);
        let set = async |voice: Value| ada.put(&account, json!({ "voice": voice })).await.expect(200).data()["voice"].clone();
        let new = json!({ "ring": [], "ring_seconds": 20, "greeting": null, "record": false });
        assert_eq!(ada.get(&account).await.data()["voice"], new);
        let ring = json!([{ "phone": "(415) 200-0011", "user_id": user }, { "phone": "+14152000012" }]);
        let rung = json!([{ "phone": PHONE, "user_id": user }, { "phone": "+14152000012", "user_id": null }]);
        assert_eq!(set(json!({ "ring": ring })).await, json!({ "ring": rung, "ring_seconds": 20, "greeting": null, "record": false }));
        let audit = async || ada.get("/api/v1/audit?action=account.update&limit=1").await.data()[0]["details"]["changes"].clone();
        assert_eq!(audit().await, json!({ "voice.ring": { "from": [], "to": rung } }));
        let rest = json!({ "ring_seconds": 5, "greeting": "  We are at lunch.  ", "record": true });
        assert_eq!(set(rest).await, json!({ "ring": rung, "ring_seconds": 5, "greeting": "We are at lunch.", "record": true }));
        assert_eq!(audit().await["voice.greeting"], json!({ "from": null, "to": "We are at lunch." }));
        // What the provider settings do not show stays, and what is sent back as it was shown is no change.
        ada.put("/api/v1/settings/providers", json!({ "twilio_auth_token_encrypted": "another-made-up-token" })).await.expect(200);
        let shown = ada.get(&account).await.data()["voice"].clone();
        app.app.shutdown().await;
        let before = app.contents();
        assert_eq!(set(shown.clone()).await, shown);
        assert_eq!(app.contents().changes(&before), Vec::<String>::new());
        let cleared = set(json!({ "ring": [], "greeting": null })).await;
        assert_eq!(cleared, json!({ "ring": [], "ring_seconds": 5, "greeting": null, "record": true }));
        assert_eq!(set(json!({ "greeting": " \n " })).await["greeting"], Value::Null);
    }

    async fn an_account_is_connected_with_what_becomes_of_its_calls(database) {
        let (app, org, _) = TestApp::new(database).await;
        let ada = app.staff(&org, "ada", Role::Admin).await;
        let new = |voice: Value| json!({ "provider": "twilio", "account_sid": SID, "auth_token": TOKEN, "phone_number": "+15551234568", "voice": voice });
        for phone in ["+15551234568", "no number"] {
            ada.post("/api/v1/accounts", new(json!({ "ring": [{ "phone": phone }] }))).await.expect_wrong("voice.ring[0].phone");
        }
        let made = ada.post("/api/v1/accounts", new(json!({ "ring": [{ "phone": PHONE }], "record": true }))).await.expect(201);
        let voice = json!({ "ring": [{ "phone": PHONE, "user_id": null }], "ring_seconds": 20, "greeting": null, "record": true });
        assert_eq!(made.data()["voice"], voice);
        let written = ada.get("/api/v1/audit?action=account.create&limit=1").await.data()[0]["details"]["changes"].clone();
        assert_eq!(written["voice.record"], json!({ "from": false, "to": true }));
    }

    async fn what_cannot_ring_is_refused_and_nothing_is_written(database) {
        let (app, org, _) = TestApp::new(database).await;
        let ada = app.staff(&org, "ada", Role::Admin).await;
        let account = format!("/api/v1/accounts/{}", ada.get("/api/v1/accounts").await.data()[0]["id"]);
        let elsewhere = app.org("other").await;
        let stranger = app.staff(&elsewhere, "bob", Role::Owner).await.get("/api/v1/me").await.data()["user"]["id"].clone();
        let numbers = |count: usize| (0..count).map(|number| json!({ "phone": format!("+1415200{number:04}") })).collect::<Value>();
        app.app.shutdown().await;
        let before = app.contents();
        for (voice, field) in [
            (json!({ "ring": numbers(11) }), "voice.ring"),
            (json!({ "ring": [{ "phone": PHONE }, { "phone": "(415) 200-0011" }] }), "voice.ring[1].phone"),
            (json!({ "ring": [{ "phone": PHONE }, { "phone": NUMBER }] }), "voice.ring[1].phone"),
            (json!({ "ring": [{ "phone": PHONE }, { "phone": "12" }] }), "voice.ring[1].phone"),
            (json!({ "ring": [{ "phone": "anonymous" }] }), "voice.ring[0].phone"),
            // Costs by the minute.
            (json!({ "ring": [{ "phone": "+19002345678" }] }), "voice.ring[0].phone"),
            (json!({ "ring": [{ "phone": "" }] }), "voice.ring[0].phone"),
            (json!({ "ring": [{ "user_id": 1 }] }), "voice.ring[0].phone"),
            (json!({ "ring": [[PHONE, null]] }), "voice.ring[0]"),
            (json!({ "ring": [PHONE] }), "voice.ring[0]"),
            (json!({ "ring": [{ "phone": PHONE, "user_id": stranger }] }), "voice.ring[0].user_id"),
            (json!({ "ring": [{ "phone": PHONE, "user_id": 999_999 }] }), "voice.ring[0].user_id"),
            (json!({ "ring": [{ "phone": PHONE, "user_id": 0 }] }), "voice.ring[0].user_id"),
            (json!({ "ring": null }), "voice.ring"),
            (json!({ "ring_seconds": 4 }), "voice.ring_seconds"),
            (json!({ "ring_seconds": 121 }), "voice.ring_seconds"),
            (json!({ "ring_seconds": null }), "voice.ring_seconds"),
            (json!({ "greeting": "x".repeat(501) }), "voice.greeting"),
            (json!({ "greeting": "\u{0}" }), "voice.greeting"),
            (json!({ "record": null }), "voice.record"),
            (json!([[], 20, null, false]), "voice"),
            (json!(null), "voice"),
        ] {
            ada.put(&account, json!({ "name": "Changed", "voice": voice })).await.expect_wrong(field);
        }
        assert_eq!(app.contents().changes(&before), Vec::<String>::new());
        let most = ada.put(&account, json!({ "voice": { "ring": numbers(10), "ring_seconds": 120, "greeting": "é".repeat(500) } })).await.expect(200);
        assert_eq!(most.data()["voice"]["ring"].as_array().map(Vec::len), Some(10));
    }
}
