//! Provider settings: a view of the default Twilio account and of GoHighLevel's fields.

use parlance_model::role::Role;
use parlance_testkit::both_databases;
use serde_json::{Value, json};

use crate::support::{CUSTOMER, NUMBER, TestApp};

const PATH: &str = "/api/v1/settings/providers";

both_databases! {
    async fn what_is_given_is_set_and_what_is_not_stays(database) {
        let (app, org, _) = TestApp::new(database).await;
        let ada = app.staff(&org, "ada", Role::Admin).await;
        let before = ada.get(PATH).await.expect(200);
        let secret = json!({ "set": true, "last4": "0001" });
        assert_eq!((&before.data()["sms_provider"], &before.data()["twilio_phone_number"]), (&json!("twilio"), &json!(NUMBER)));
        assert_eq!((&before.data()["twilio_auth_token_encrypted"], &before.data()["ghl_api_key_encrypted"]), (&secret, &json!({ "set": false, "last4": null })));
        let ghl = json!({ "ghl_api_key_encrypted": "pit-not-a-real-token-0009", "ghl_location_id": "loc_9" });
        let after = ada.put(PATH, ghl).await.expect(200);
        assert_eq!((&after.data()["ghl_api_key_encrypted"]["last4"], &after.data()["ghl_location_id"]), (&json!("0009"), &json!("loc_9")));
        assert!(!after.text().contains("pit-"));
        let number = json!({ "twilio_phone_number": "+15551234500", "twilio_messaging_service_sid": format!("MG{:032x}", 5) });
        let after = ada.put(PATH, number).await.expect(200);
        assert_eq!((&after.data()["twilio_phone_number"], &after.data()["twilio_auth_token_encrypted"]), (&json!("+15551234500"), &secret));
        assert_eq!(ada.get("/api/v1/accounts").await.json["meta"]["total"], 1);
        assert_eq!(ada.get(PATH).await.expect(200).data(), after.data());
    }

    async fn null_clears_and_the_account_can_be_set_up_again(database) {
        let (app, org, _) = TestApp::new(database).await;
        let ada = app.staff(&org, "ada", Role::Admin).await;
        ada.put(PATH, json!({ "twilio_auth_token_encrypted": null })).await.expect_wrong("twilio_auth_token_encrypted");
        let account = format!("/api/v1/accounts/{}", ada.get("/api/v1/accounts").await.json["data"][0]["id"]);
        let rest = json!({ "voice": { "ring": [{ "phone": "+14152000011" }] }, "whatsapp_number": "+14152000012", "messages_per_second": 5 });
        let before = ada.put(&account, rest).await.expect(200).data().clone();
        let none = json!({ "twilio_account_sid_encrypted": null, "twilio_auth_token_encrypted": null, "twilio_phone_number": null });
        let cleared = ada.put(PATH, none).await.expect(200);
        assert_eq!((&cleared.data()["twilio_auth_token_encrypted"]["set"], &cleared.data()["twilio_phone_number"]), (&json!(false), &Value::Null));
        let message = json!({ "phone": CUSTOMER, "message": "Hello!" });
        ada.post("/api/v1/conversations/send", message.clone()).await.expect_problem(422, "no_account");
        ada.put(&account, json!({ "enabled": true })).await.expect_wrong("enabled");
        let all = json!({ "twilio_account_sid_encrypted": format!("AC{:032x}", 7), "twilio_auth_token_encrypted": "another-made-up-token", "twilio_phone_number": NUMBER });
        assert_eq!(ada.put(PATH, all).await.expect(200).data()["twilio_auth_token_encrypted"]["last4"], "oken");
        assert_eq!(ada.get("/api/v1/accounts").await.json["meta"]["total"], 1);
        let after = ada.get(&account).await.data().clone();
        for kept in ["voice", "whatsapp_number", "messages_per_second"] {
            assert_eq!(after[kept], before[kept], "{kept}");
        }
        assert_eq!(ada.put(PATH, json!({ "sms_provider": null })).await.expect(200).data()["sms_provider"], Value::Null);
        ada.post("/api/v1/conversations/send", message).await.expect_problem(422, "sms_provider_off");
    }

    async fn an_api_key_goes_with_its_account_and_stays_beside_another_token(database) {
        let (app, org, _) = TestApp::new(database).await;
        let ada = app.staff(&org, "ada", Role::Admin).await;
        let account = format!("/api/v1/accounts/{}", ada.get("/api/v1/accounts").await.data()[0]["id"]);
        let key = format!("SK{:032x}", 1);
        let changed = json!({ "api_key": { "sid": key, "secret": "not-a-real-secret" }, "messages_per_second": 3 });
        ada.put(&account, changed).await.expect(200);
        let kept = async || {
            let shown = ada.get(&account).await;
            (shown.data()["api_key_sid"].clone(), shown.data()["messages_per_second"].clone())
        };
        ada.put(PATH, json!({ "twilio_auth_token_encrypted": "another-made-up-token" })).await.expect(200);
        assert_eq!(kept().await, (json!(key), json!(3)));
        ada.put(PATH, json!({ "twilio_account_sid_encrypted": format!("AC{:032x}", 7) })).await.expect(200);
        assert_eq!(kept().await, (Value::Null, json!(3)));
    }

    async fn wrong_values_change_nothing(database) {
        let (app, org, _) = TestApp::new(database).await;
        let ada = app.staff(&org, "ada", Role::Admin).await;
        let before = ada.get(PATH).await.expect(200);
        for (field, value) in [
            ("sms_provider", json!("fax")), ("ghl_api_key_encrypted", json!("sk-1")), ("ghl_api_key_encrypted", json!("pit-")), ("ghl_location_id", json!("9")),
            ("twilio_account_sid_encrypted", json!("AC9")), ("twilio_phone_number", json!("555 123 4567")), ("twilio_messaging_service_sid", json!("AC9")),
            ("twilio_auth_token_encrypted", json!("")), ("twilio_auth_token_encrypted", json!(7)),
        ] {
            let mut body = json!({ "ghl_location_id": "loc_1" });
            body[field] = value;
            ada.put(PATH, body).await.expect_wrong(field);
        }
        assert_eq!(ada.get(PATH).await.expect(200).data(), before.data());
    }
}
