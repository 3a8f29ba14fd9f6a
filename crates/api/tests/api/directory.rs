//! The organisation over the API: events, people, keys, accounts, and who one is.

use parlance_model::role::Role;
use parlance_testkit::both_databases;
use serde_json::{Value, json};

use crate::support::{CUSTOMER, SID, TOKEN, TestApp, sid};

both_databases! {
    async fn events_are_read_from_where_one_stands_and_are_gone_when_swept(database) {
        let (app, org, _) = TestApp::new(database).await;
        let ada = app.staff(&org, "ada", Role::Admin).await;
        app.inbound(&sid(1), CUSTOMER, "Hello?").await;
        let all = ada.get("/api/v1/events").await.expect(200).json;
        let rows = all["data"].as_array().unwrap();
        assert_eq!(rows.iter().map(|row| row["kind"].as_str().unwrap()).collect::<Vec<_>>(), ["contact.created", "conversation.created", "message.created"]);
        assert_eq!((&rows[0]["seq"], &rows[0]["at"], &all["meta"]["last_seq"]), (&json!(1), &json!("2026-03-05T20:00:00Z"), &json!(3)));
        assert!(rows[2]["message_id"].is_i64() && rows[2]["direction"] == "inbound", "{all}");
        let rest = ada.get("/api/v1/events?after=1&limit=1").await.expect(200).json;
        assert_eq!((&rest["data"][0], rest["data"].as_array().unwrap().len()), (&rows[1], 1));
        for (query, field) in [("after=-1", "after"), ("after=x", "after"), ("limit=0", "limit"), ("limit=1001", "limit")] {
            ada.get(&format!("/api/v1/events?{query}")).await.expect_wrong(field);
        }
        app.clock.advance_ms(parlance_app::event::KEPT_MS + 1);
        app.app.sweep_events().await.unwrap();
        ada.get("/api/v1/events").await.expect_problem(410, "events_gone");
        assert_eq!(ada.get("/api/v1/events?after=2").await.expect(200).json["data"][0]["seq"], 3);
        assert_eq!(ada.get("/api/v1/events?after=99").await.expect(200).json["data"], json!([]));
    }

    async fn a_person_comes_with_a_password_shown_once_and_goes_with_keys_and_conversations(database) {
        let (app, org, _) = TestApp::new(database).await;
        let ada = app.staff(&org, "ada", Role::Admin).await;
        let new = json!({ "email": "Ben@Example.com", "name": " Ben ", "role": "agent" });
        let added = ada.post_with("/api/v1/staff", &[("idempotency-key", "one")], new.clone()).await.expect(201);
        let (data, id) = (added.data(), added.data()["id"].clone());
        assert_eq!((&data["email"], &data["name"], &data["role"]), (&json!("ben@example.com"), &json!("Ben"), &json!("agent")));
        assert_eq!((data["password"].as_str().unwrap().len(), added.header("cache-control")), (20, "no-store"));
        let again = ada.post_with("/api/v1/staff", &[("idempotency-key", "one")], new.clone()).await.expect(201);
        assert_eq!((again.header("idempotent-replayed"), &again.data()["id"], &again.data()["password"]), ("true", &id, &Value::Null));
        ada.post("/api/v1/staff", new).await.expect_problem(409, "already_staff");

        let key = ada.post("/api/v1/keys", json!({ "name": "Ben\'s", "user_id": id })).await.expect(201);
        let ben = app.client(Some(key.data()["token"].as_str().unwrap().to_owned()));
        let conversation = ben.post("/api/v1/conversations", json!({ "phone": CUSTOMER, "assigned_to": id })).await.expect(201).data()["id"].clone();
        ada.send("DELETE", &format!("/api/v1/staff/{id}"), &[], "").await.expect(204);
        ben.get("/api/v1/me").await.expect_problem(401, "unauthenticated");
        ada.send("DELETE", &format!("/api/v1/staff/{id}"), &[], "").await.expect_problem(404, "not_found");
        while ada.get(&format!("/api/v1/conversations/{conversation}")).await.data()["assigned_to"] == id {
            app.app.run_jobs().await.unwrap();
        }
        assert_eq!(ada.get("/api/v1/staff").await.expect(200).json["meta"]["total"], 2);
    }

    async fn only_owners_reach_owners_and_the_last_one_stays(database) {
        let (app, org, _) = TestApp::new(database).await;
        let (ada, olga) = (app.staff(&org, "ada", Role::Admin).await, app.staff(&org, "olga", Role::Owner).await);
        let owner = json!({ "email": "pat@example.com", "name": "Pat", "role": "owner", "password": "long enough 1" });
        let path = format!("/api/v1/staff/{}", olga.get("/api/v1/me").await.data()["user"]["id"]);
        ada.post("/api/v1/staff", owner.clone()).await.expect_problem(403, "forbidden");
        ada.put(&path, json!({ "name": "O" })).await.expect_problem(403, "forbidden");
        ada.send("DELETE", &path, &[], "").await.expect_problem(403, "forbidden");
        let user_id = path.rsplit('/').next().unwrap().parse::<i64>().unwrap();
        ada.post("/api/v1/keys", json!({ "name": "x", "user_id": user_id })).await.expect_problem(403, "forbidden");
        olga.send("DELETE", &path, &[], "").await.expect_problem(409, "last_owner");
        olga.put(&path, json!({ "role": "admin" })).await.expect_problem(409, "last_owner");
        let pat = olga.post("/api/v1/staff", owner).await.expect(201);
        assert_eq!(pat.data()["password"], Value::Null);
        assert_eq!(olga.put(&path, json!({ "role": "admin", "name": "Olga B" })).await.expect(200).data()["name"], "Olga B");
        let wrong = |field: &str, value: Value| {
            let mut body = json!({ "email": "x@example.com", "name": "X", "role": "agent" });
            body[field] = value;
            body
        };
        for (field, value) in [("email", json!("x")), ("email", json!(5)), ("name", json!(" ")), ("name", json!("x".repeat(201))), ("role", json!("boss")), ("password", json!("short"))] {
            olga.post("/api/v1/staff", wrong(field, value)).await.expect_wrong(field);
        }
    }

    async fn a_key_does_what_its_scopes_say_until_it_ends(database) {
        let (app, org, _) = TestApp::new(database).await;
        let ada = app.staff(&org, "ada", Role::Admin).await;
        let make = async |body: Value| {
            let made = ada.post("/api/v1/keys", body).await.expect(201);
            (made.data()["id"].clone(), app.client(Some(made.data()["token"].as_str().unwrap().to_owned())))
        };
        let (id, reader) = make(json!({ "name": "Reader", "scopes": ["read"], "expires_at": "2026-03-05T20:05:00Z" })).await;
        reader.get("/api/v1/conversations").await.expect(200);
        let refused = reader.post("/api/v1/conversations", json!({ "phone": CUSTOMER })).await.expect_problem(403, "forbidden");
        assert!(refused.json["detail"].as_str().unwrap().contains("scope write"), "{}", refused.text());
        reader.get("/api/v1/keys").await.expect_problem(403, "forbidden");
        assert_eq!(reader.get("/api/v1/me").await.expect(200).data()["key"]["scopes"], json!(["read"]));
        let row = async || ada.get("/api/v1/keys").await.json["data"].as_array().unwrap().iter().find(|row| row["id"] == id).cloned();
        while row().await.unwrap()["last_used_at"].is_null() {
            tokio::task::yield_now().await;
        }
        app.clock.advance_ms(300_000);
        reader.get("/api/v1/me").await.expect_problem(401, "unauthenticated");
        let (id, admin) = make(json!({ "name": "Manager", "scopes": ["admin"] })).await;
        admin.get("/api/v1/conversations").await.expect_problem(403, "forbidden");
        admin.post("/api/v1/keys", json!({ "name": "x", "scopes": ["write"] })).await.expect_problem(403, "forbidden");
        assert_eq!(admin.post("/api/v1/keys", json!({ "name": "x" })).await.expect(201).data()["scopes"], json!(["admin"]));
        ada.send("DELETE", &format!("/api/v1/keys/{id}"), &[], "").await.expect(204);
        admin.get("/api/v1/me").await.expect_problem(401, "unauthenticated");
        ada.send("DELETE", &format!("/api/v1/keys/{id}"), &[], "").await.expect_problem(404, "not_found");
        for (body, field) in [
            (json!({}), "name"), (json!({ "name": "x", "scopes": [] }), "scopes"), (json!({ "name": "x", "scopes": ["root"] }), "scopes[0]"),
            (json!({ "name": "x", "expires_at": "tomorrow" }), "expires_at"), (json!({ "name": "x", "expires_at": "2020-01-01T00:00:00Z" }), "expires_at"),
            (json!({ "name": "x", "dialect": "klingon" }), "dialect"),
        ] {
            ada.post("/api/v1/keys", body).await.expect_wrong(field);
        }
        ada.post("/api/v1/keys", json!({ "name": "x", "user_id": 999 })).await.expect_problem(404, "not_found");
    }

    async fn an_account_is_connected_renamed_and_switched_off_and_keeps_its_secrets(database) {
        let (app, org, _) = TestApp::new(database).await;
        let ada = app.staff(&org, "ada", Role::Admin).await;
        let new = json!({ "provider": "twilio", "name": "Desk", "account_sid": SID, "auth_token": TOKEN, "phone_number": "(555) 123-4599" });
        let made = ada.post("/api/v1/accounts", new.clone()).await.expect(201);
        let data = made.data();
        assert_eq!((&data["phone_number"], &data["auth_token"]), (&json!("+15551234599"), &json!({ "set": true, "last4": "0001" })));
        assert!(data["hook_url"].as_str().unwrap().starts_with(&format!("{}/webhooks/twilio/a/", app.public_url)), "{data}");
        assert!(!made.text().contains(TOKEN) && !made.text().contains(SID));
        let path = format!("/api/v1/accounts/{}", data["id"]);
        let changed = ada.put(&path, json!({ "name": "Front desk", "enabled": false })).await.expect(200);
        assert_eq!((&changed.data()["name"], &changed.data()["enabled"]), (&json!("Front desk"), &json!(false)));
        assert_eq!(ada.get(&path).await.expect(200).data(), changed.data());
        assert_eq!(ada.get("/api/v1/accounts?limit=1&offset=1").await.expect(200).json["data"], json!([changed.data()]));
        ada.post("/api/v1/accounts", new.clone()).await.expect_problem(409, "account_exists");
        for (field, value) in [("provider", json!("fax")), ("account_sid", json!("AC1")), ("auth_token", json!(" ")), ("phone_number", json!("x")), ("messaging_service_sid", json!("MG"))] {
            let mut body = new.clone();
            body[field] = value;
            ada.post("/api/v1/accounts", body).await.expect_wrong(field);
        }
        ada.put(&path, json!({ "name": "" })).await.expect_wrong("name");
        ada.put(&path, json!({ "enabled": null })).await.expect_wrong("enabled");
    }

    async fn a_messaging_service_is_one_accounts_while_that_is_switched_on(database) {
        let (app, org, _) = TestApp::new(database).await;
        let ada = app.staff(&org, "ada", Role::Admin).await;
        let service = format!("MG{:032x}", 9);
        let on = |number: &str| json!({ "provider": "twilio", "account_sid": SID, "auth_token": TOKEN, "phone_number": number, "messaging_service_sid": service });
        let first = format!("/api/v1/accounts/{}", ada.post("/api/v1/accounts", on("+15551234597")).await.expect(201).data()["id"]);
        ada.post("/api/v1/accounts", on("+15551234598")).await.expect_problem(409, "account_exists");
        ada.put(&first, json!({ "enabled": false })).await.expect(200);
        ada.post("/api/v1/accounts", on("+15551234598")).await.expect(201);
        ada.put(&first, json!({ "enabled": true })).await.expect_problem(409, "account_exists");
        ada.put(&first, json!({ "name": "Old desk" })).await.expect(200);
    }

    async fn an_api_key_goes_in_and_its_secret_never_comes_out(database) {
        const SECRET: &str = "visibly-fake-secret-0123456789";
        let (app, org, _) = TestApp::new(database).await;
        let ada = app.staff(&org, "ada", Role::Admin).await;
        let (first, second) = (format!("SK{:032x}", 1), format!("SK{:032x}", 2));
        let key = |sid: &str| json!({ "sid": sid, "secret": SECRET });
        let new = json!({ "provider": "twilio", "account_sid": SID, "auth_token": TOKEN, "phone_number": "+15551234599", "api_key": key(&first) });
        let made = ada.post("/api/v1/accounts", new).await.expect(201);
        assert_eq!(made.data()["api_key_sid"], json!(first));
        let path = format!("/api/v1/accounts/{}", made.data()["id"]);
        for (api_key, field) in [
            (json!({ "sid": second }), "api_key.secret"), (json!({ "secret": SECRET }), "api_key.sid"), (json!({ "sid": second, "secret": "" }), "api_key.secret"),
            (json!({ "sid": second, "secret": null }), "api_key.secret"), (json!({ "sid": "SK1", "secret": SECRET }), "api_key.sid"), (json!(second), "api_key"),
        ] {
            ada.put(&path, json!({ "api_key": api_key })).await.expect_wrong(field);
        }
        let changed = ada.put(&path, json!({ "api_key": key(&second) })).await.expect(200);
        assert_eq!(ada.put(&path, json!({ "name": "Desk" })).await.expect(200).data()["api_key_sid"], json!(second), "what is not given stays");
        let written = ada.get("/api/v1/audit").await.expect(200);
        let (listed, cleared) = (ada.get("/api/v1/accounts").await, ada.put(&path, json!({ "api_key": null })).await.expect(200));
        assert_eq!(cleared.data()["api_key_sid"], Value::Null);
        for answer in [made, changed, written, listed, cleared] {
            assert!(!answer.text().contains("visibly-fake"), "{}", answer.text());
        }
    }
}
