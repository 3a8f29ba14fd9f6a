//! What is true of every request: ids, problems, paths, methods, keys, dialects.

use parlance_testkit::both_databases;
use serde_json::json;

use crate::support::TestApp;

both_databases! {
    async fn liveness_and_readiness_need_no_key(database) {
        let (app, _, _) = TestApp::new(database).await;
        for path in ["/health", "/ready"] {
            let answer = app.anonymous().get(path).await.expect(200);
            assert_eq!(answer.json, json!({ "status": "ok" }));
        }
    }

    async fn every_answer_carries_the_request_id(database) {
        let (app, _, staff) = TestApp::new(database).await;
        let answer = staff.send("GET", "/api/v1/conversations/99", &[("x-request-id", "My-id_1.2")], "").await.expect_problem(404, "not_found");
        assert_eq!((answer.header("x-request-id"), &answer.json["request_id"]), ("My-id_1.2", &json!("My-id_1.2")));
        let long = "x".repeat(65);
        let mut seen = std::collections::HashSet::new();
        for given in ["", "a b", "ä", "x\"y", &long] {
            let answer = app.anonymous().send("GET", "/health", &[("x-request-id", given)], "").await;
            assert_ne!(answer.header("x-request-id"), given);
            assert!(seen.insert(answer.header("x-request-id").to_owned()), "made twice");
        }
    }

    async fn what_is_not_there_is_a_problem(database) {
        let (app, _, staff) = TestApp::new(database).await;
        for path in ["/", "/nothing", "/api", "/api/v2/conversations", "/webhooks", "/webhooks/twilio/a/", "/health/", "/api/v1/"] {
            app.anonymous().get(path).await.expect_problem(404, "not_found");
        }
        for path in ["/api/v1", "/api/v1/nothing", "/api/v1/conversations/", "/api/v1/conversations//messages"] {
            app.anonymous().get(path).await.expect_problem(401, "unauthenticated");
            staff.get(path).await.expect_problem(404, "not_found");
        }
        for id in ["x", "0", "-1", "+1", "01", "1.0", "9223372036854775808", "99999999999999999999999", "%FF", "%00", "1%20", "conv_1"] {
            staff.get(&format!("/api/v1/conversations/{id}")).await.expect_problem(404, "not_found");
            staff.post(&format!("/api/v1/conversations/{id}/close"), json!({})).await.expect_problem(404, "not_found");
        }
    }

    async fn a_wrong_method_is_told_the_right_ones(database) {
        let (app, _, staff) = TestApp::new(database).await;
        for (path, allow) in [("/api/v1/conversations", "GET,HEAD,POST"), ("/api/v1/conversations/send", "POST"), ("/api/v1/conversations/1", "GET,HEAD,PUT")] {
            let answer = staff.send("DELETE", path, &[], "").await.expect_problem(405, "method_not_allowed");
            assert_eq!(answer.header("allow"), allow);
            app.anonymous().send("DELETE", path, &[], "").await.expect_problem(401, "unauthenticated");
        }
        let answer = app.anonymous().send("POST", "/health", &[], "").await.expect_problem(405, "method_not_allowed");
        assert_eq!(answer.header("allow"), "GET,HEAD");
        assert_eq!(app.anonymous().send("HEAD", "/health", &[], "").await.expect(200).text(), "");
    }

    async fn only_a_valid_key_opens_the_api(database) {
        let (app, _, staff) = TestApp::new(database).await;
        for header in ["", "Bearer", "Bearer ", "Basic YTpi", "bearer wrong", "Bearer \u{e4}", "Token x"] {
            let answer = app.anonymous().send("GET", "/api/v1/conversations", &[("authorization", header)], "").await;
            let answer = answer.expect_problem(401, "unauthenticated");
            assert_eq!(answer.header("www-authenticate"), "Bearer");
        }
        staff.get("/api/v1/conversations").await.expect(200);
        // Nothing else is looked at first: neither the dialect, nor the body, nor the key of idempotency.
        let headers = [("parlance-dialect", "x"), ("idempotency-key", ""), ("content-type", "text/plain")];
        app.anonymous().send("POST", "/api/v1/conversations/send", &headers, "{").await.expect_problem(401, "unauthenticated");
    }

    async fn an_unknown_dialect_is_refused(database) {
        let (_app, _, staff) = TestApp::new(database).await;
        let with = async |dialect: &str| staff.send("GET", "/api/v1/conversations", &[("parlance-dialect", dialect)], "").await;
        with("unified").await.expect(200);
        for dialect in ["leads", "crm", "campaign", "", "UNIFIED"] {
            with(dialect).await.expect_problem(400, "unknown_dialect");
        }
    }
}
