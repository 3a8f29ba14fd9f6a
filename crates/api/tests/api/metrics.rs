//! The page of metrics: who may read it, what it says after real traffic, and that the documentation lists all of it.

use std::collections::{BTreeMap, BTreeSet};

use parlance_api::Options;
use parlance_testkit::both_databases;
use serde_json::json;

use crate::support::{CUSTOMER, NUMBER, TestApp, inbound_form, sid};

const OPERATING: &str = include_str!("../../../../docs/operating.md");
const HERE: &str = "127.0.0.1:4000";

/// Every sample: the name with its labels, and the value.
async fn samples(app: &TestApp) -> BTreeMap<String, f64> {
    let page = app.anonymous().at(HERE).get("/metrics").await.expect(200);
    assert_eq!(page.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    let lines = page.text().lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines.map(|line| line.rsplit_once(' ').map(|(name, value)| (name.to_owned(), value.parse().unwrap())).unwrap()).collect()
}

/// The names that the page describes.
fn described(page: &str) -> BTreeSet<String> {
    page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).map(str::to_owned).collect()
}

async fn traffic(app: &TestApp, staff: &crate::support::Client) {
    app.inbound(&sid(1), CUSTOMER, "Hello?").await;
    app.inbound(&sid(1), CUSTOMER, "Hello?").await;
    app.inbound(&sid(2), CUSTOMER, "Anybody there?").await;
    app.hook_signed("/webhooks/twilio", &inbound_form(&sid(3), CUSTOMER, NUMBER, "x"), "wrong").await.expect(403);
    staff.post("/api/v1/conversations/send", json!({ "phone": CUSTOMER, "message": "Hi" })).await.expect(201);
    staff.get("/api/v1/conversations").await.expect(200);
    staff.get("/api/v1/conversations/77").await.expect(404);
    staff.get("/api/v1/conversations/78").await.expect(404);
    app.anonymous().get("/nothing/here").await.expect(404);
}

both_databases! {
    async fn the_page_counts_what_happened(database) {
        let (app, _, staff) = TestApp::new(database).await;
        traffic(&app, &staff).await;
        let seen = samples(&app).await;
        let value = |name: &str| *seen.get(name).unwrap_or_else(|| panic!("no {name} in {seen:#?}"));
        for (name, expected) in [
            (r#"parlance_hooks_total{provider="twilio",outcome="applied"}"#, None),
            (r#"parlance_hooks_total{provider="twilio",outcome="bad_signature"}"#, Some(1.0)),
            (r#"parlance_hooks_total{provider="twilio",outcome="failed"}"#, Some(0.0)),
            (r#"parlance_messages_total{direction="inbound"}"#, Some(2.0)),
            (r#"parlance_messages_total{direction="outbound"}"#, Some(1.0)),
            ("parlance_messages_duplicate_total", Some(1.0)),
            (r#"parlance_provider_call_duration_seconds_count{provider="twilio",outcome="accepted"}"#, Some(1.0)),
            (r#"parlance_provider_call_duration_seconds_count{provider="twilio",outcome="unknown"}"#, Some(0.0)),
            (r#"parlance_http_requests_total{route="/api/v1/conversations/{id}",method="GET",status="4xx"}"#, Some(2.0)),
            (r#"parlance_http_requests_total{route="/api/v1/conversations",method="GET",status="2xx"}"#, Some(1.0)),
            (r#"parlance_http_request_duration_seconds_count{route="/api/v1/conversations/{id}",method="GET"}"#, Some(2.0)),
            (r#"parlance_http_requests_total{route="none",method="GET",status="4xx"}"#, Some(1.0)),
            ("parlance_database_up", Some(1.0)),
            ("parlance_write_refused_total", Some(0.0)),
            (r#"parlance_write_batches_failed_total{of="main"}"#, Some(0.0)),
            (r#"parlance_write_batches_failed_total{of="index"}"#, Some(0.0)),
        ] {
            assert!(expected.map_or(value(name) >= 3.0, |expected| value(name) == expected), "{name}: {}", value(name));
        }
        let (commits, writes) = (value(r#"parlance_write_commit_duration_seconds_count{of="main"}"#), value(r#"parlance_write_batch_size_sum{of="main"}"#));
        assert!(commits >= 5.0 && writes >= commits && value("parlance_write_duration_seconds_count") >= 5.0);
        assert!(value("process_resident_memory_bytes") > 1e6);
        // No label has an id, a number or a token in it.
        assert!(!seen.keys().any(|name| name.contains("4152000001") || name.contains("/77") || name.contains("nothing/here")), "{seen:#?}");
    }

    async fn the_documentation_lists_every_metric_and_no_other(database) {
        let (app, _, staff) = TestApp::with(database, Options { rate_limit: 1000, ..Options::default() }).await;
        traffic(&app, &staff).await;
        let page = app.anonymous().at(HERE).get("/metrics").await.expect(200);
        let rows = OPERATING.lines().filter_map(|line| line.strip_prefix("| `"));
        let listed: BTreeSet<_> = rows.filter(|row| row.starts_with("parlance_") || row.starts_with("process_")).filter_map(|row| row.split_once("` | ")).map(|(name, _)| name.to_owned()).collect();
        let listed: BTreeSet<_> = listed.into_iter().filter(|name| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')).collect();
        assert_eq!(described(page.text()), listed, "docs/operating.md and /metrics differ");
        for name in &listed {
            assert!(page.text().contains(&format!("# HELP {name} ")), "{name} is not described");
        }
    }

    async fn without_a_token_only_this_machine_reads_it(database) {
        let (app, _, staff) = TestApp::new(database).await;
        let read = async |place: &str, headers: &[(&str, &str)]| app.anonymous().at(place).send("GET", "/metrics", headers, "").await.status;
        assert_eq!((read(HERE, &[]).await, read("[::1]:4000", &[]).await, read("[::ffff:127.0.0.1]:4000", &[]).await), (200, 200, 200));
        for header in ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "via"] {
            assert_eq!(read(HERE, &[(header, "x")]).await, 404, "{header}");
        }
        assert_eq!((read("192.0.2.1:4000", &[]).await, read("10.0.0.1:4000", &[]).await), (404, 404));
        app.anonymous().get("/metrics").await.expect_problem(404, "not_found");
        staff.get("/metrics").await.expect_problem(404, "not_found");
    }

    async fn with_a_token_whoever_shows_it_reads_it(database) {
        let token = "not-a-real-metrics-token-00000001";
        let options = Options { metrics_token: Some(token.into()), rate_limit: 20 };
        let (app, _, staff) = TestApp::with(database, options).await;
        let far = app.anonymous().at("192.0.2.1:4000");
        far.showing(token).send("GET", "/metrics", &[("x-forwarded-for", "192.0.2.7")], "").await.expect(200);
        app.anonymous().at(HERE).get("/metrics").await.expect_problem(401, "unauthenticated");
        staff.get("/metrics").await.expect_problem(401, "unauthenticated");
        for _ in 0..2 {
            far.showing("wrong").get("/metrics").await.expect_problem(401, "unauthenticated");
        }
        far.showing("wronger").get("/metrics").await.expect_problem(429, "too_many_failures");
        far.showing(token).get("/metrics").await.expect(200);
    }
}
