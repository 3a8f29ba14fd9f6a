//! Idempotency keys over the whole API. What happens between the first request and its answer is tested beside the layer,
//! where a handler can be held.

use parlance_testkit::both_databases;
use serde_json::json;
use tokio::task::JoinSet;

use crate::support::{CUSTOMER, TestApp};

const SEND: &str = "/api/v1/conversations/send";

both_databases! {
    async fn a_repetition_is_answered_the_same_and_does_nothing(database) {
        let (app, org, staff) = TestApp::new(database).await;
        let body = json!({ "phone": CUSTOMER, "message": "Hello!" });
        let key = [("idempotency-key", "order-42")];
        let first = staff.post_with(SEND, &key, body.clone()).await.expect(201);
        assert_eq!(first.header("idempotent-replayed"), "");
        app.sim.settled().await;
        let again = staff.post_with(SEND, &key, body.clone()).await.expect(201);
        assert_eq!((again.header("idempotent-replayed"), again.header("content-type")), ("true", "application/json"));
        assert_eq!(again.body, first.body);
        assert_eq!(app.sim.messages().len(), 1);

        staff.post_with(SEND, &key, json!({ "phone": CUSTOMER, "message": "Other" })).await.expect_problem(422, "idempotency_mismatch");
        staff.post_with("/api/v1/conversations", &key, body.clone()).await.expect_problem(422, "idempotency_mismatch");
        staff.post_with(&format!("{SEND}?x=1"), &key, body.clone()).await.expect_problem(422, "idempotency_mismatch");
        // Another key of the same org is another caller.
        app.bare_key(&org, false).await.post_with(SEND, &key, body.clone()).await.expect(201);
        // The day after it may be used again.
        app.clock.advance_ms(24 * 60 * 60 * 1000);
        assert_eq!(staff.post_with(SEND, &key, body).await.expect(201).header("idempotent-replayed"), "");
        assert_eq!(app.sim.messages().len(), 3);
    }

    async fn a_refusal_is_repeated_too(database) {
        let (_app, _, staff) = TestApp::new(database).await;
        let key = [("idempotency-key", "k")];
        let first = staff.post_with(SEND, &key, json!({ "phone": "12", "message": "x" })).await.expect_problem(422, "validation_failed");
        let again = staff.post_with(SEND, &key, json!({ "phone": "12", "message": "x" })).await.expect_problem(422, "validation_failed");
        assert_eq!((again.header("idempotent-replayed"), &again.body), ("true", &first.body));
        assert_ne!(again.header("x-request-id"), first.header("x-request-id"));
    }

    async fn the_same_key_at_once_sends_once(database) {
        let (app, _, staff) = TestApp::new(database).await;
        let mut requests = JoinSet::new();
        for _ in 0..32 {
            let staff = staff.clone();
            requests.spawn(async move {
                staff.post_with(SEND, &[("idempotency-key", "k")], json!({ "phone": CUSTOMER, "message": "Hello!" })).await
            });
        }
        let answers = requests.join_all().await;
        let made: Vec<_> = answers.iter().filter(|answer| answer.status == 201).collect();
        assert!(!made.is_empty() && made.iter().all(|answer| answer.body == made[0].body));
        for answer in answers.iter().filter(|answer| answer.status != 201) {
            answer.clone().expect_problem(409, "idempotency_running");
            assert_eq!(answer.header("retry-after"), "1");
        }
        assert_eq!(app.sim.messages().len(), 1);
    }

    async fn a_key_that_cannot_be_one_is_refused(database) {
        let (app, _, staff) = TestApp::new(database).await;
        let long = "k".repeat(256);
        for key in ["", "a b", "ä", "\t", &long] {
            staff.post_with(SEND, &[("idempotency-key", key)], json!({})).await.expect_problem(400, "bad_header");
        }
        let twice = [("idempotency-key", "a"), ("idempotency-key", "b")];
        staff.post_with(SEND, &twice, json!({})).await.expect_problem(400, "bad_header");
        let fits = "k".repeat(255);
        staff.post_with(SEND, &[("idempotency-key", &fits)], json!({ "phone": CUSTOMER, "message": "x" })).await.expect(201);
        staff.send("GET", "/api/v1/conversations", &[("idempotency-key", "")], "").await.expect(200);
        assert_eq!(app.sim.messages().len(), 1);
    }
}
