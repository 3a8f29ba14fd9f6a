//! `account test`: the trial of an account from its credentials to an answer, against a Twilio that has just enough.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use axum::{Form, Json, Router};
use parlance_testkit::both_databases;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::client::{Api, NUMBER, SID, TOKEN};
use crate::process::Place;

const PUBLIC_URL: &str = "https://chat.example.com";
const PHONE: &str = "+14152000001";
const MESSAGE: &str = "SM00000000000000000000000000000009";

type Fields = Vec<(String, String)>;

/// A Twilio account with one number.
#[derive(Clone)]
struct Twilio {
    set: Arc<Mutex<HashMap<String, String>>>,
    /// Where reports of a message that it took are to go.
    took: mpsc::UnboundedSender<String>,
}

impl Twilio {
    /// Its address, and where reports of messages are to go.
    async fn start() -> (String, mpsc::UnboundedReceiver<String>) {
        let (took, taken) = mpsc::unbounded_channel();
        let twilio = Self { set: Arc::default(), took };
        let router = Router::new()
            .route("/2010-04-01/Accounts/{file}", get(owner))
            .route("/2010-04-01/Accounts/{account}/IncomingPhoneNumbers.json", get(numbers))
            .route("/2010-04-01/Accounts/{account}/IncomingPhoneNumbers/PN1.json", post(set_number))
            .route("/2010-04-01/Accounts/{account}/Messages.json", post(create))
            .with_state(twilio);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (url, taken)
    }
}

async fn owner(Path(file): Path<String>, headers: HeaderMap) -> (StatusCode, Json<Value>) {
    // The second account of the test has another token.
    match file == format!("{SID}.json") && headers.contains_key("authorization") {
        true => (StatusCode::OK, Json(json!({ "sid": SID, "status": "active" }))),
        false => (StatusCode::UNAUTHORIZED, Json(json!({ "code": 20003, "status": 401 }))),
    }
}

async fn numbers(State(twilio): State<Twilio>) -> Json<Value> {
    let set = twilio.set.lock().unwrap().clone();
    let number = json!({
        "sid": "PN1", "phone_number": NUMBER, "sms_url": set.get("SmsUrl"), "sms_fallback_url": set.get("SmsFallbackUrl"),
        "voice_url": "", "status_callback": null
    });
    Json(json!({ "incoming_phone_numbers": [number] }))
}

async fn set_number(State(twilio): State<Twilio>, Form(fields): Form<Fields>) -> Json<Value> {
    twilio.set.lock().unwrap().extend(fields);
    Json(json!({ "sid": "PN1" }))
}

async fn create(State(twilio): State<Twilio>, Form(fields): Form<Fields>) -> (StatusCode, Json<Value>) {
    let (_, callback) = fields.into_iter().find(|(name, _)| name == "StatusCallback").unwrap();
    twilio.took.send(callback).unwrap();
    (StatusCode::CREATED, Json(json!({ "sid": MESSAGE, "status": "queued", "num_segments": "1" })))
}

/// An account of this SID at this address.
fn connect(place: &Place, url: &str, sid: &str, number: &str) {
    let account = ["account", "create", "--org", "acme", "twilio", "--account-sid", sid, "--auth-token", TOKEN];
    place.ok(&[&account[..], &["--phone-number", number, "--base-url", url]].concat());
}

/// The steps that were said, and whether each went well.
fn steps(stdout: &str) -> Vec<(String, bool)> {
    let step = |line: &str| {
        let said: Value = serde_json::from_str(line).unwrap();
        (said["step"].as_str().unwrap().to_owned(), said["ok"].as_bool().unwrap())
    };
    stdout.lines().map(step).collect()
}

both_databases! {
    async fn an_account_is_tried_from_its_credentials_to_an_answer(database) {
        let (url, mut taken) = Twilio::start().await;
        let place = Arc::new(Place::new(database).await);
        place.ok(&["org", "create", "Acme", "--slug", "acme"]);
        connect(&place, &url, SID, NUMBER);
        connect(&place, &url, "AC00000000000000000000000000000002", "+15557654321");
        let test = ["account", "test", "--org", "acme", "1", "--to", PHONE, "--public-url", PUBLIC_URL];

        let wrong = place.run(&["account", "test", "--org", "acme", "2", "--to", PHONE, "--public-url", PUBLIC_URL]);
        assert_eq!(wrong.status.code(), Some(1));
        assert!(wrong.stdout.starts_with("✗ credentials: ") && wrong.stdout.contains("auth token"), "{}", wrong.stdout);

        let elsewhere = place.run(&test);
        assert_eq!(elsewhere.status.code(), Some(1));
        let last = elsewhere.stdout.lines().last().unwrap();
        assert!(last.starts_with("✗ hooks: SmsUrl is not set, SmsFallbackUrl is not set. Set it to https://chat.example.com/webhooks/twilio/a/"), "{last}");

        let alone = place.run(&[&test[..], &["--configure", "--wait", "0", "--json"]].concat());
        let found = [("credentials", true), ("number", true), ("hooks", true), ("message", false)].map(|(step, ok)| (step.to_owned(), ok));
        assert_eq!((alone.status.code(), steps(&alone.stdout)), (Some(1), found.to_vec()), "no server runs");

        let server = place.serve(0, PUBLIC_URL).await;
        let api = Api::new(&server.url(), "");
        let trial = {
            let place = Arc::clone(&place);
            tokio::task::spawn_blocking(move || place.run(&[&test[..], &["--json"]].concat()))
        };
        let callback = taken.recv().await.unwrap();
        let report = [("AccountSid", SID), ("MessageSid", MESSAGE), ("MessageStatus", "delivered"), ("From", NUMBER), ("To", PHONE)];
        let path = callback.strip_prefix(PUBLIC_URL).unwrap();
        assert_eq!(api.hook(PUBLIC_URL, path, &report).await.unwrap(), 200);
        assert_eq!(api.inbound(PUBLIC_URL, "SM00000000000000000000000000000010", PHONE, "I am here").await.unwrap(), 200);
        let ended = trial.await.unwrap();
        let all = ["credentials", "number", "hooks", "message", "delivery_report", "answer"].map(|step| (step.to_owned(), true));
        assert_eq!(steps(&ended.stdout), all.to_vec(), "{}{}", ended.stdout, ended.stderr);
        assert!(ended.status.success() && taken.try_recv().is_err(), "what nobody sent was taken back");
        assert!(server.terminate().await.success());
    }
}
