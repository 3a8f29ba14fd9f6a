//! WhatsApp: conversations of their own with the contact of the number, and what goes out when.

use parlance_model::role::Role;
use parlance_testkit::both_databases;
use serde_json::{Value, json};

use crate::support::{CUSTOMER, Client, NUMBER, SID, TestApp, sid};

const SEND: &str = "/api/v1/conversations/send";
const DAY_MS: i64 = 24 * 60 * 60 * 1000;
const TEMPLATE: &str = "HX0123456789abcdef0123456789ABCDEF";

/// A message over WhatsApp from this address, with these fields beside.
async fn comes_in(app: &TestApp, number: usize, from: &str, fields: &[(&str, &str)]) {
    let (id, from, to) = (sid(number), format!("whatsapp:{from}"), format!("whatsapp:{NUMBER}"));
    let mut form =
        vec![("AccountSid", SID), ("MessageSid", &id), ("From", &from), ("To", &to), ("NumMedia", "0"), ("ProfileName", "Jane Smith")];
    form.extend_from_slice(fields);
    assert_eq!(app.hook("/webhooks/twilio", &form).await.status, 200);
}

async fn conversations(staff: &Client) -> Vec<Value> {
    staff.get("/api/v1/conversations").await.data().as_array().unwrap().clone()
}

/// The account's path, once it has a WhatsApp number.
async fn with_number(ada: &Client) -> String {
    let account = format!("/api/v1/accounts/{}", ada.get("/api/v1/accounts").await.data()[0]["id"]);
    let changed = ada.put(&account, json!({ "whatsapp_number": "(555) 000-1111" })).await.expect(200);
    assert_eq!(changed.data()["whatsapp_number"], "+15550001111");
    account
}

both_databases! {
    async fn a_message_opens_a_conversation_of_its_own_with_the_contact_of_the_number(database) {
        let (app, _, staff) = TestApp::new(database).await;
        comes_in(&app, 1, CUSTOMER, &[("Body", "Hallo!")]).await;
        app.inbound(&sid(2), CUSTOMER, "Over SMS").await;
        let [sms, whatsapp] = conversations(&staff).await.try_into().unwrap();
        assert_eq!((&whatsapp["channel"], &whatsapp["phone_number"], &whatsapp["contact_name"]), (&json!("whatsapp"), &json!(CUSTOMER), &json!("Jane Smith")));
        assert_eq!(whatsapp["reply_window_ends_at"], "2026-03-06T20:00:00Z");
        assert_eq!((&sms["channel"], &sms["reply_window_ends_at"]), (&json!("sms"), &Value::Null));
        assert_eq!(sms["contact_id"], whatsapp["contact_id"]);
    }

    async fn a_place_and_a_tapped_button_have_a_text(database) {
        let (app, _, staff) = TestApp::new(database).await;
        comes_in(&app, 1, CUSTOMER, &[("Body", ""), ("Latitude", "52.5200"), ("Longitude", "13.4050"), ("Address", "Alexanderplatz"), ("Label", "Office")]).await;
        let found = conversations(&staff).await[0].clone();
        assert_eq!(found["last_message_preview"], "Office, Alexanderplatz (52.5200, 13.4050)");
        let thread = staff.get(&format!("/api/v1/conversations/{}", found["id"])).await;
        assert_eq!(thread.data()["messages"][0]["meta"]["provider"]["location"]["latitude"], 52.52);
        comes_in(&app, 2, CUSTOMER, &[("Body", ""), ("ButtonText", "Yes"), ("ButtonPayload", "yes-1")]).await;
        assert_eq!(conversations(&staff).await[0]["last_message_preview"], "Yes");
    }

    async fn a_free_text_is_refused_once_a_day_has_passed_and_a_template_is_not(database) {
        let (app, _, staff) = TestApp::new(database).await;
        comes_in(&app, 1, CUSTOMER, &[("Body", "Hallo!")]).await;
        let thread = format!("/api/v1/conversations/{}/messages", conversations(&staff).await[0]["id"]);
        let quiet = [("prefer", "respond-async")];
        app.clock.advance_ms(DAY_MS);
        for (path, body) in [(thread.as_str(), json!({ "message": "Late" })), (SEND, json!({ "phone": CUSTOMER, "channel": "whatsapp", "message": "Late" }))] {
            let refused = staff.post(path, body).await.expect_problem(422, "whatsapp_window_closed");
            assert!(refused.text().contains("2026-03-06T20:00:00Z") && refused.text().contains("template"), "{}", refused.text());
        }
        assert_eq!(conversations(&staff).await[0]["message_count"], 1);
        let template = json!({ "id": TEMPLATE, "variables": { "1": "Jane", "when": "3 pm" } });
        let sent = staff.post_with(&thread, &quiet, json!({ "message": "See you at 3 pm", "template": template })).await.expect(201);
        assert_eq!((&sent.data()["message"]["body"], &sent.data()["message"]["meta"]["template"]), (&json!("See you at 3 pm"), &template));
        let bare = staff.post_with(SEND, &quiet, json!({ "phone": CUSTOMER, "channel": "whatsapp", "template": { "id": TEMPLATE } })).await.expect(201);
        assert_eq!((&bare.data()["message"]["body"], &bare.data()["message"]["meta"]["template"]["id"]), (&json!(""), &json!(TEMPLATE)));
    }

    async fn a_conversation_begins_only_where_an_account_has_a_number_for_it(database) {
        let (app, org, staff) = TestApp::new(database).await;
        let ada = app.staff(&org, "ada", Role::Admin).await;
        let (to, first) = (json!({ "phone": CUSTOMER, "channel": "whatsapp" }), json!({ "phone": CUSTOMER, "channel": "whatsapp", "message": "Hi", "template": { "id": TEMPLATE } }));
        staff.post("/api/v1/conversations", to.clone()).await.expect_problem(422, "no_account");
        staff.post(SEND, first.clone()).await.expect_problem(422, "no_account");
        let account = with_number(&ada).await;
        let free = json!({ "phone": CUSTOMER, "channel": "whatsapp", "message": "Hi" });
        assert!(staff.post(SEND, free).await.expect_problem(422, "whatsapp_window_closed").text().contains("has not written"));
        assert_eq!(conversations(&staff).await.len(), 0);
        let opened = staff.post("/api/v1/conversations", to).await.expect(201);
        assert_eq!((&opened.data()["channel"], &opened.data()["reply_window_ends_at"]), (&json!("whatsapp"), &Value::Null));
        // The switch of SMS is for SMS.
        ada.put("/api/v1/settings/providers", json!({ "sms_provider": null })).await.expect(200);
        staff.post_with(SEND, &[("prefer", "respond-async")], first).await.expect(201);
        // What the provider settings do not show stays.
        ada.put("/api/v1/settings/providers", json!({ "twilio_auth_token_encrypted": "another-made-up-token" })).await.expect(200);
        assert_eq!(ada.get(&account).await.data()["whatsapp_number"], "+15550001111");
        ada.put(&account, json!({ "whatsapp_number": "no number" })).await.expect_wrong("whatsapp_number");
        assert_eq!(ada.put(&account, json!({ "whatsapp_number": null })).await.expect(200).data()["whatsapp_number"], Value::Null);
    }

    async fn what_whatsapp_does_not_take_is_refused_and_nothing_is_written(database) {
        let (app, org, staff) = TestApp::new(database).await;
        comes_in(&app, 1, CUSTOMER, &[("Body", "Hallo!")]).await;
        let thread = format!("/api/v1/conversations/{}/messages", conversations(&staff).await[0]["id"]);
        let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
        let ids: Vec<_> = [staff.upload("a.png", png).await, staff.upload("b.png", png).await].iter().map(|file| file.data()["id"].clone()).collect();
        let gif = staff.upload("a.gif", b"GIF89a\x01\0\x01\0").await.data()["id"].clone();
        let url = "https://example.com/a.png";
        app.app.shutdown().await;
        let before = app.contents();
        for (body, field) in [
            (json!({ "media_ids": ids }), "media_ids"),
            (json!({ "media_ids": [ids[0]], "media_urls": [url] }), "media_ids"),
            (json!({ "media_urls": [url, url] }), "media_urls"),
            (json!({ "media_ids": [gif] }), "media_ids"),
            (json!({ "template": { "id": TEMPLATE }, "media_urls": [url] }), "template"),
            (json!({ "template": { "id": "HX1" } }), "template.id"),
            (json!({ "template": { "id": TEMPLATE, "variables": { "1": 1 } } }), "template.variables.1"),
            (json!({ "template": { "id": TEMPLATE, "variables": { "1": "a\0" } } }), "template.variables"),
            (json!({ "template": { "id": TEMPLATE, "variables": { "a b": "" } } }), "template.variables"),
            (json!({ "template": { "id": TEMPLATE, "variables": { "1": "x".repeat(1025) } } }), "template.variables"),
        ] {
            staff.post(&thread, body).await.expect_wrong(field);
        }
        staff.post(SEND, json!({ "phone": CUSTOMER, "template": { "id": TEMPLATE } })).await.expect_wrong("template");
        assert_eq!(app.contents(), before);
        let meta = json!({ "message": "x", "meta": { "template": { "id": TEMPLATE } } });
        app.bare_key(&org, true).await.post(&thread, meta).await.expect_wrong("meta");
        staff.post_with(&thread, &[("prefer", "respond-async")], json!({ "media_ids": [ids[0]] })).await.expect(201);
    }

    async fn somebody_without_a_number_is_a_contact_and_cannot_be_answered(database) {
        let (app, _, staff) = TestApp::new(database).await;
        comes_in(&app, 1, "US.13491208655302741918", &[("Body", "Hallo!")]).await;
        let found = conversations(&staff).await[0].clone();
        assert_eq!((&found["channel"], &found["contact_name"]), (&json!("whatsapp"), &json!("Jane Smith")));
        let thread = format!("/api/v1/conversations/{}/messages", found["id"]);
        staff.post(&thread, json!({ "message": "Hello?" })).await.expect_problem(422, "not_answerable");
    }
}
