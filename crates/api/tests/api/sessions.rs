//! Signing in with a cookie: whom it stands for, what it may do from where, and how guessing is slowed down.

use parlance_model::role::Role;
use parlance_testkit::both_databases;
use serde_json::json;

use crate::support::{CUSTOMER, Client, TestApp};

const PASSWORD: &str = "correct horse battery";

async fn sign_in(anonymous: &Client, email: &str) -> String {
    let answer = anonymous.post("/api/v1/session", json!({ "email": email, "password": PASSWORD })).await.expect(201);
    let cookie = answer.header("set-cookie");
    assert!(cookie.ends_with("; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax"), "{cookie}");
    cookie.split(';').next().unwrap().to_owned()
}

both_databases! {
    async fn a_cookie_stands_for_its_person_and_changes_things_from_our_pages_only(database) {
        let (app, org, _) = TestApp::new(database).await;
        app.app.create_user(&org.slug, "olga@example.com", "Olga", Role::Owner, Some(PASSWORD.into())).await.unwrap();
        let anonymous = app.anonymous();
        let cookie = sign_in(&anonymous, "Olga@example.com").await;
        let call = async |method: &str, path: &str, origin: Option<&str>| {
            let headers: Vec<_> = [("cookie", cookie.as_str()), ("content-type", "application/json")].into_iter().chain(origin.map(|origin| ("origin", origin))).collect();
            anonymous.send(method, path, &headers, json!({ "phone": CUSTOMER }).to_string()).await
        };
        let me = call("GET", "/api/v1/me", None).await.expect(200);
        assert_eq!((&me.data()["user"]["email"], &me.data()["key"], &me.data()["orgs"][0]["role"]), (&json!("olga@example.com"), &json!(null), &json!("owner")));
        for origin in [None, Some("null"), Some("https://evil.example"), Some("http://127.0.0.1"), Some("")] {
            call("POST", "/api/v1/conversations", origin).await.expect_problem(403, "bad_origin");
        }
        call("POST", "/api/v1/conversations", Some(&app.public_url)).await.expect(201);
        call("DELETE", "/api/v1/session", None).await.expect_problem(403, "bad_origin");
        assert!(call("DELETE", "/api/v1/session", Some(&app.public_url)).await.expect(204).header("set-cookie").contains("Max-Age=0"));
        call("GET", "/api/v1/me", None).await.expect_problem(401, "unauthenticated");
    }

    async fn a_person_of_two_orgs_says_which(database) {
        let (app, org, _) = TestApp::new(database).await;
        let other = app.org("other").await;
        let third = app.org("third").await;
        for (org, role) in [(&org, Role::Agent), (&other, Role::Owner)] {
            app.app.create_user(&org.slug, "olga@example.com", "Olga", role, Some(PASSWORD.into())).await.unwrap();
        }
        let anonymous = app.anonymous();
        let cookie = sign_in(&anonymous, "olga@example.com").await;
        let me = async |org: &str| anonymous.send("GET", "/api/v1/me", &[("cookie", &cookie), ("x-org-id", org)], "").await;
        anonymous.send("GET", "/api/v1/me", &[("cookie", &cookie)], "").await.expect_problem(400, "org_needed");
        let id = async |slug: &str| app.app.org(slug).await.unwrap().id.to_string();
        assert_eq!(me(&id("other").await).await.expect(200).data()["org"]["role"], "owner");
        assert_eq!(me(&id(&org.slug).await).await.expect(200).data()["org"]["role"], "agent");
        me(&id(&third.slug).await).await.expect_problem(403, "not_in_org");
        me("x").await.expect_problem(400, "bad_header");
        let named = json!({ "email": "olga@example.com", "password": PASSWORD, "org": "other" });
        let answer = anonymous.post("/api/v1/session", named).await.expect(201);
        let cookie = answer.header("set-cookie").split(';').next().unwrap();
        assert_eq!(anonymous.send("GET", "/api/v1/me", &[("cookie", cookie)], "").await.expect(200).data()["org"]["slug"], "other");
    }

    async fn wrong_sign_ins_look_alike_and_are_slowed_down(database) {
        let (app, org, _) = TestApp::new(database).await;
        app.app.create_user(&org.slug, "olga@example.com", "Olga", Role::Owner, Some(PASSWORD.into())).await.unwrap();
        let anonymous = app.anonymous();
        let attempt = async |email: &str, password: &str| anonymous.post("/api/v1/session", json!({ "email": email, "password": password })).await;
        for _ in 0..5 {
            attempt("olga@example.com", "wrong").await.expect_problem(401, "wrong_credentials");
        }
        attempt("nobody@example.com", PASSWORD).await.expect_problem(401, "wrong_credentials");
        let refused = attempt("olga@example.com", PASSWORD).await.expect_problem(429, "too_many_failures");
        assert_eq!(refused.header("retry-after"), "901");
        app.clock.advance_ms(15 * 60 * 1000);
        attempt("olga@example.com", PASSWORD).await.expect(201);
        attempt("olga", PASSWORD).await.expect_wrong("email");
        let headers = [("origin", "https://evil.example"), ("content-type", "application/json")];
        anonymous.send("POST", "/api/v1/session", &headers, "{}").await.expect_problem(403, "bad_origin");
    }

    async fn wrong_sign_ins_are_counted_by_network(database) {
        let (app, org, _) = TestApp::new(database).await;
        app.app.create_user(&org.slug, "olga@example.com", "Olga", Role::Owner, Some(PASSWORD.into())).await.unwrap();
        let attempt = async |place: &str, password: &str| {
            app.anonymous().at(place).post("/api/v1/session", json!({ "email": "olga@example.com", "password": password })).await
        };
        for number in 0..5 {
            attempt(&format!("[2001:db8::{number}]:4000"), "wrong").await.expect_problem(401, "wrong_credentials");
        }
        attempt("[2001:db8::ffff:1]:4000", PASSWORD).await.expect_problem(429, "too_many_failures");
        attempt("[2001:db8:0:1::1]:4000", PASSWORD).await.expect(201);
    }
}
