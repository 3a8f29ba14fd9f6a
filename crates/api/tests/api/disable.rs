//! What whoever runs the server switches off: who is told what, and what providers are answered.

use parlance_model::id::MessageId;
use parlance_model::role::Role;
use parlance_testkit::both_databases;
use serde_json::json;

use crate::support::{CUSTOMER, NUMBER, TestApp, inbound_form, sid};

const PASSWORD: &str = "correct horse battery";

both_databases! {
    async fn a_disabled_org_is_closed_to_keys_and_sessions_and_says_so(database) {
        let (app, org, staff) = TestApp::new(database).await;
        app.app.create_user(&org.slug, "olga@example.com", "Olga", Role::Owner, Some(PASSWORD.into())).await.unwrap();
        let anonymous = app.anonymous();
        let sign_in = async || anonymous.post("/api/v1/session", json!({ "email": "olga@example.com", "password": PASSWORD })).await;
        let cookie = sign_in().await.expect(201).header("set-cookie").split(';').next().unwrap().to_owned();
        let me = async || anonymous.send("GET", "/api/v1/me", &[("cookie", &cookie)], "").await;
        me().await.expect(200);
        app.app.set_org_enabled(&org.slug, false).await.unwrap();
        staff.get("/api/v1/conversations").await.expect_problem(403, "org_disabled");
        me().await.expect_problem(403, "org_disabled");
        sign_in().await.expect_problem(403, "org_disabled");
        // With another org to go to, the person goes there.
        app.org("other").await;
        app.app.create_user("other", "olga@example.com", "Olga", Role::Agent, None).await.unwrap();
        assert_eq!(me().await.expect(200).data()["orgs"].as_array().unwrap().len(), 1);
        assert_eq!(sign_in().await.expect(201).data()["orgs"][0]["slug"], "other");
        app.app.set_org_enabled(&org.slug, true).await.unwrap();
        staff.get("/api/v1/conversations").await.expect(200);
    }

    async fn hooks_for_a_disabled_org_are_put_off_and_lost_to_nobody_who_repeats_them(database) {
        let (app, org, staff) = TestApp::new(database).await;
        let id = sid(1);
        let form = inbound_form(&id, CUSTOMER, NUMBER, "Hello!");
        app.app.set_org_enabled(&org.slug, false).await.unwrap();
        let refused = app.hook("/webhooks/twilio", &form).await.expect_problem(503, "put_off");
        assert_eq!(refused.header("retry-after"), "600");
        // Strangers learn nothing.
        app.hook_signed("/webhooks/twilio", &form, "bm90IGEgc2lnbmF0dXJl").await.expect_problem(403, "bad_signature");
        app.app.set_org_enabled(&org.slug, true).await.unwrap();
        assert_eq!(app.hook("/webhooks/twilio", &form).await.status, 200);
        assert_eq!(staff.get("/api/v1/conversations/unread").await.expect(200).data()["unread_count"], 1);
    }

    async fn a_number_that_moved_to_another_org_is_served_there(database) {
        let (app, org, _) = TestApp::new(database).await;
        app.app.set_org_enabled(&org.slug, false).await.unwrap();
        let heir = app.org("heir").await;
        app.account(&heir, NUMBER).await;
        app.inbound(&sid(1), CUSTOMER, "Hello!").await;
        let key = app.bare_key(&heir, false).await;
        assert_eq!(key.get("/api/v1/conversations/unread").await.expect(200).data()["unread_count"], 1);
    }

    async fn what_a_disabled_org_had_to_send_goes_out_when_it_is_enabled(database) {
        let (app, org, staff) = TestApp::new(database).await;
        // The worker would be faster than the switch.
        app.app.shutdown().await;
        let body = json!({ "phone": CUSTOMER, "message": "Later", "channel": "sms" });
        let sent = staff.post_with("/api/v1/conversations/send", &[("prefer", "respond-async")], body).await.expect(201);
        let id = MessageId(sent.data()["message"]["id"].as_i64().unwrap());
        app.app.set_org_enabled(&org.slug, false).await.unwrap();
        assert_eq!(app.app.run_jobs().await.unwrap(), 0);
        app.app.set_org_enabled(&org.slug, true).await.unwrap();
        assert_eq!(app.app.run_jobs().await.unwrap(), 1);
        let path = format!("/api/v1/conversations/{}/messages", sent.data()["conversation"]["id"]);
        let messages = staff.get(&path).await.expect(200);
        assert_eq!(messages.data()[0]["id"].as_i64(), Some(id.0));
        assert_ne!(messages.data()[0]["delivery_state"], "pending");
    }

    async fn a_disabled_person_is_out_until_they_are_enabled(database) {
        let (app, org, ann) = TestApp::new(database).await;
        let email = format!("ann@{}.example.com", org.slug);
        app.app.reset_password(&email, Some(PASSWORD.into())).await.unwrap();
        let anonymous = app.anonymous();
        let sign_in = async |password: &str| anonymous.post("/api/v1/session", json!({ "email": email, "password": password })).await;
        let cookie = sign_in(PASSWORD).await.expect(201).header("set-cookie").split(';').next().unwrap().to_owned();
        let me = async || anonymous.send("GET", "/api/v1/me", &[("cookie", &cookie)], "").await;
        me().await.expect(200);
        let key = app.bare_key(&org, false).await;
        let disabled_at = async || {
            let staff = key.get("/api/v1/staff").await.expect(200).data().as_array().unwrap().clone();
            staff.into_iter().find(|person| person["email"] == email.as_str()).unwrap()["disabled_at"].clone()
        };
        assert_eq!(disabled_at().await, json!(null));
        app.app.set_user_enabled(&email, false).await.unwrap();
        assert!(disabled_at().await.as_str().unwrap().ends_with('Z'));
        ann.get("/api/v1/me").await.expect_problem(401, "user_disabled");
        me().await.expect_problem(401, "unauthenticated");
        sign_in(PASSWORD).await.expect_problem(401, "user_disabled");
        // Who does not know the password learns nothing.
        sign_in("something else").await.expect_problem(401, "wrong_credentials");
        app.app.set_user_enabled(&email, true).await.unwrap();
        assert_eq!(disabled_at().await, json!(null));
        ann.get("/api/v1/me").await.expect(200);
        sign_in(PASSWORD).await.expect(201);
    }
}
