//! How often a key may ask, and how often an address may guess one.

use parlance_api::Options;
use parlance_model::role::Role;
use parlance_testkit::both_databases;
use serde_json::json;

use crate::support::{Answer, CUSTOMER, TestApp, sid};

fn limited(rate_limit: u32) -> Options {
    Options { rate_limit, ..Options::default() }
}

/// Limit, remaining, reset.
fn standing(answer: &Answer) -> [&str; 3] {
    ["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"].map(|name| answer.header(name))
}

both_databases! {
    async fn a_key_that_asks_too_often_waits_and_every_other_is_served(database) {
        let (app, org, ann) = TestApp::with(database, limited(5)).await;
        let bob = app.staff(&org, "bob", Role::Agent).await;
        assert_eq!(standing(&ann.get("/api/v1/me").await.expect(200)), ["5", "4", "12"]);
        assert_eq!(standing(&ann.get("/api/v1/conversations/7").await.expect(404)), ["5", "3", "24"]);
        assert_eq!(standing(&ann.post("/api/v1/conversations", json!({})).await.expect(422)), ["5", "2", "36"]);
        assert_eq!(standing(&ann.get("/api/v1/nothing").await.expect(404)), ["5", "1", "48"]);
        assert_eq!(standing(&ann.get("/api/v1/me").await.expect(200)), ["5", "0", "60"]);
        let refused = ann.get("/api/v1/me").await.expect_problem(429, "rate_limited");
        assert_eq!((standing(&refused), refused.header("retry-after")), (["5", "0", "60"], "12"));
        assert_eq!(standing(&bob.get("/api/v1/me").await.expect(200)), ["5", "4", "12"]);
        app.clock.advance_ms(11_999);
        assert_eq!(ann.get("/api/v1/me").await.expect(429).header("retry-after"), "1");
        app.clock.advance_ms(1);
        ann.get("/api/v1/me").await.expect(200);
        ann.get("/api/v1/me").await.expect(429);
        app.clock.advance_ms(60_000);
        assert_eq!(standing(&ann.get("/api/v1/me").await.expect(200)), ["5", "4", "12"]);
        for _ in 0..10 {
            app.anonymous().get("/api/v1/me").await.expect_problem(401, "unauthenticated");
            app.anonymous().get("/health").await.expect(200);
        }
    }

    async fn nothing_is_written_for_a_refused_request_and_a_repetition_counts(database) {
        let (app, _, ann) = TestApp::with(database, limited(2)).await;
        let open = async |key: &str| ann.post_with("/api/v1/conversations", &[("idempotency-key", key)], json!({ "phone": CUSTOMER })).await;
        let made = open("one").await.expect(201);
        let again = open("one").await.expect(201);
        assert_eq!((again.header("idempotent-replayed"), again.header("ratelimit-remaining")), ("true", "0"));
        assert_eq!(again.text(), made.text());
        let other = json!({ "phone": "+14152000009" });
        let send = async || ann.post_with("/api/v1/conversations", &[("idempotency-key", "two")], other.clone()).await;
        send().await.expect_problem(429, "rate_limited");
        app.clock.advance_ms(60_000);
        assert_eq!(ann.get("/api/v1/conversations").await.expect(200).json["meta"]["total"], 1);
        // The key is free: the refused request did not take it.
        assert_eq!(send().await.expect(201).header("idempotent-replayed"), "");
    }

    async fn a_clock_that_is_set_back_locks_nobody_out(database) {
        let (app, _, ann) = TestApp::with(database, limited(2)).await;
        ann.get("/api/v1/me").await.expect(200);
        app.clock.advance_ms(-3_600_000);
        ann.get("/api/v1/me").await.expect(200);
        ann.get("/api/v1/me").await.expect(429);
        app.clock.advance_ms(30_000);
        ann.get("/api/v1/me").await.expect(200);
    }

    async fn hooks_are_never_limited_and_sessions_count_for_themselves(database) {
        let (app, org, ann) = TestApp::with(database, limited(1)).await;
        for number in 0..5 {
            app.inbound(&sid(number), CUSTOMER, "Hello?").await;
        }
        app.app.create_user(&org.slug, "olga@example.com", "Olga", Role::Owner, Some("correct horse battery".into())).await.unwrap();
        let signed_in = app.anonymous().post("/api/v1/session", json!({ "email": "olga@example.com", "password": "correct horse battery" })).await;
        let cookie = signed_in.expect(201).header("set-cookie").split(';').next().unwrap().to_owned();
        let me = async || app.anonymous().send("GET", "/api/v1/me", &[("cookie", &cookie)], "").await;
        ann.get("/api/v1/me").await.expect(200);
        assert_eq!(standing(&me().await.expect(200)), ["1", "0", "60"]);
        me().await.expect_problem(429, "rate_limited");
    }

    async fn keys_cannot_be_guessed_at_speed_and_right_ones_go_on(database) {
        let (app, org, ann) = TestApp::with(database, limited(50)).await;
        let bob = app.staff(&org, "bob", Role::Agent).await;
        let here = "192.0.2.1:4000";
        ann.at(here).get("/api/v1/me").await.expect(200);
        for number in 0..5 {
            app.anonymous().at(here).showing(&format!("wrong-{number}")).get("/api/v1/me").await.expect_problem(401, "unauthenticated");
        }
        let refused = app.anonymous().at("192.0.2.1:4001").showing("wrong-5").get("/api/v1/me").await.expect_problem(429, "too_many_failures");
        assert_eq!(refused.header("retry-after"), "61");
        let cookie = [("cookie", "parlance_session=wrong")];
        app.anonymous().at(here).send("GET", "/api/v1/me", &cookie, "").await.expect_problem(429, "too_many_failures");
        // Behind a proxy everybody has its address: a stranger locks nobody out, not even who was never seen before.
        bob.at(here).get("/api/v1/me").await.expect(200);
        ann.at(here).get("/api/v1/me").await.expect(200);
        app.clock.advance_ms(60_000);
        app.anonymous().at(here).showing("wrong-6").get("/api/v1/me").await.expect_problem(401, "unauthenticated");
        // In IPv6 a network of 64 bits is one caller.
        for number in 0..5 {
            app.anonymous().at(&format!("[2001:db8::{number}]:4000")).showing("wrong").get("/api/v1/me").await.expect(401);
        }
        app.anonymous().at("[2001:db8::ffff:1]:4000").showing("wrong").get("/api/v1/me").await.expect(429);
        app.anonymous().at("[2001:db8:0:1::1]:4000").showing("wrong").get("/api/v1/me").await.expect(401);
    }
}
