//! The log holds nothing of what people say, and nothing of who they are: the binary's whole output at the finest level,
//! through a message's life, its refusals and a database that fails.

use std::sync::Arc;

use http::Method;
use parlance_model::clock::SystemClock;
use parlance_model::entropy::SystemEntropy;
use parlance_sim::twilio::{AccountConfig, Config, Fault, FaultKind, Sim};
use parlance_testkit::{Database, both_databases};
use serde_json::{Value, json};

use crate::client::{Api, NUMBER, SID, TOKEN};
use crate::process::Place;

const PUBLIC_URL: &str = "https://chat.example.com";
const CUSTOMER: &str = "+14152000001";
/// What must be in no line: numbers, bodies, names, addresses, tokens, passwords, in whatever part of a request they come.
const SECRETS: [&str; 16] = [
    "4152000001",
    "4152000002",
    "14155550123",
    "sesame-inbound",
    "sesame-outbound",
    "sesame-quarantined",
    "Quillfeather",
    "Zebulon",
    "zebulon.q",
    "olga.secretive",
    "sesame-query",
    "sesame-json",
    "sesame-password",
    "sesame-metadata",
    "sesame-ghl-key",
    TOKEN,
];

fn assert_silent(log: &str, more: &[&str]) {
    for secret in SECRETS.iter().chain(more) {
        let line = log.lines().find(|line| line.contains(secret));
        assert!(line.is_none(), "{secret} is in the log: {}", line.unwrap_or_default());
    }
}

async fn life(api: &Api, sim: &Sim, hook_token: &str) {
    let post = async |path: &str, body: Value| api.call(Method::POST, path, Some(body), &[]).await.unwrap();
    assert_eq!(api.inbound(PUBLIC_URL, "SM00000000000000000000000000000001", CUSTOMER, "sesame-inbound").await.unwrap(), 200);
    assert_eq!(api.inbound(PUBLIC_URL, "SM00000000000000000000000000000001", CUSTOMER, "sesame-inbound").await.unwrap(), 200);
    // No SID: genuine, and kept.
    assert_eq!(api.inbound(PUBLIC_URL, "", CUSTOMER, "sesame-quarantined").await.unwrap(), 200);
    assert_eq!(api.inbound("https://wrong.example", "SM00000000000000000000000000000002", CUSTOMER, "sesame-inbound").await.unwrap(), 403);
    api.call(Method::GET, &format!("/webhooks/twilio/a/{hook_token}?From=%2B14152000001&Body=sesame-query"), None, &[]).await.unwrap();

    let sent = post("/api/v1/conversations/send", json!({ "phone": CUSTOMER, "message": "sesame-outbound" })).await;
    assert_eq!(sent.status, 201, "{:?}", sent.body);
    sim.fault(Fault::new(FaultKind::Refuse { status: 400, code: 21211 }).times(1));
    post("/api/v1/conversations/send", json!({ "phone": "+14152000002", "message": "sesame-outbound" })).await;
    sim.fault(Fault::new(FaultKind::AcceptThenTimeout { hold_ms: 0 }).times(1));
    post("/api/v1/conversations/send", json!({ "phone": "+14152000002", "message": "sesame-outbound" })).await;

    let john = json!({ "first_name": "Zebulon", "last_name": "Quillfeather", "phone": "+14155550123", "email": "zebulon.q@example.com" });
    assert_eq!(post("/api/v1/contacts", john.clone()).await.status, 201);
    assert_eq!(post("/api/v1/contacts", john).await.status, 409);
    post("/api/v1/contacts", json!({ "phone": "sesame-json Quillfeather +14155550123" })).await;
    post("/api/v1/conversations/send", json!({ "phone": CUSTOMER, "message": "x", "channel": "sesame-json" })).await;
    for path in
        ["/api/v1/contacts?search=Quillfeather", "/api/v1/conversations?search=4152000001", "/api/v1/conversations?limit=sesame-query"]
    {
        api.call(Method::GET, path, None, &[]).await.unwrap();
    }
    api.call(
        Method::PUT,
        "/api/v1/conversations/1",
        Some(json!({ "metadata": { "a": "sesame-metadata" }, "visitor_name": "Zebulon" })),
        &[],
    )
    .await
    .unwrap();
    api.call(Method::PUT, "/api/v1/opt_outs", Some(json!({ "phone": CUSTOMER, "opted_out": true })), &[]).await.unwrap();
    assert_eq!(post("/api/v1/conversations/send", json!({ "phone": CUSTOMER, "message": "sesame-outbound" })).await.status, 422);
    api.call(Method::PUT, "/api/v1/settings/providers", Some(json!({ "ghl_api_key_encrypted": "pit-sesame-ghl-key" })), &[]).await.unwrap();
    post("/api/v1/session", json!({ "email": "olga.secretive@example.com", "password": "sesame-password-wrong" })).await;
    post("/api/v1/session", json!({ "email": "olga.secretive@example.com", "password": "sesame-password" })).await;
    api.call(
        Method::GET,
        "/api/v1/me",
        None,
        &[("authorization", "Bearer sesame-password"), ("cookie", "parlance_session=sesame-password")],
    )
    .await
    .unwrap();
    api.call(Method::GET, "/nothing/sesame-query?phone=%2B14152000001", None, &[]).await.unwrap();
}

both_databases! {
    async fn a_messages_whole_life_leaves_no_word_of_it_in_the_log(database) {
        let place = Place::new(database).await;
        let account = AccountConfig { phone_numbers: vec![NUMBER.into()], ..AccountConfig::new(SID, TOKEN) };
        let config = Config { accounts: vec![account], callback_step_ms: 0, ..Config::default() };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let sim = Sim::start(config, listener, Arc::new(SystemClock), Arc::new(SystemEntropy)).await.unwrap();
        place.ok(&["org", "create", "Acme", "--slug", "acme"]);
        let account = ["account", "create", "--org", "acme", "twilio", "--account-sid", SID, "--auth-token", TOKEN, "--phone-number", NUMBER];
        place.ok(&[&account[..], &["--base-url", sim.base_url().as_str(), "--messages-per-second", "0"]].concat());
        let user = ["user", "create", "--org", "acme", "--email", "olga.secretive@example.com", "--name", "Olga", "--role", "owner", "--password-stdin"];
        assert!(place.run_with(&user, "sesame-password\n").status.success());
        let key = place.ok(&["key", "create", "--org", "acme", "--user", "olga.secretive@example.com", "--name", "ci"]);
        let server = place.serve(0, PUBLIC_URL).await;
        let api = Api::new(&server.url(), &key);
        let hook_url = api.get("/api/v1/accounts").await["data"][0]["hook_url"].as_str().unwrap().to_owned();
        let hook_token = hook_url.rsplit('/').next().unwrap();
        life(&api, &sim, hook_token).await;
        let log = server.log().await;
        // It was really written at the finest level, with a line for each request.
        assert!(log.matches("answered").count() >= 20 && log.contains("could not be applied; it is kept"), "{log}");
        assert!(log.contains("route=/api/v1/contacts") || log.contains("route=\"/api/v1/contacts\""), "{log}");
        assert_silent(&log, &[&key, hook_token]);
    }
}

#[tokio::test]
async fn a_database_that_fails_leaves_no_word_of_it_either() {
    let place = Place::new(Database::Sqlite).await;
    place.ok(&["org", "create", "Acme", "--slug", "acme"]);
    let account = ["account", "create", "--org", "acme", "twilio", "--account-sid", SID, "--auth-token", TOKEN, "--phone-number", NUMBER];
    place.ok(&account);
    let server = place.serve_with_small_files(1024, PUBLIC_URL).await;
    let api = Api::new(&server.url(), "sesame-password");
    let body = "sesame-inbound ".repeat(100);
    let mut refused = 0;
    for number in 0..2000 {
        let status = api.inbound(PUBLIC_URL, &format!("SM{number:032x}"), CUSTOMER, &body).await.unwrap();
        refused += u32::from(status == 503);
        if refused == 3 {
            break;
        }
    }
    let log = server.log().await;
    assert!(refused == 3 && log.contains("could not be served now"), "{log}");
    assert_silent(&log, &[]);
}
