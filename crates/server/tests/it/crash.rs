//! `kill -9` under load: what was acknowledged is there, once, and nothing is sent twice.
//!
//! The journal of acknowledgements lives in this process, outside the server. A kill leaves the page cache, so this
//! proves the order of commit and answer between processes, not the fsync; that is another test.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use http::Method;
use parlance_model::clock::SystemClock;
use parlance_model::entropy::SystemEntropy;
use parlance_sim::twilio::{AccountConfig, Config, Sim};
use parlance_testkit::both_databases;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::client::{Api, NUMBER, SID, TOKEN};
use crate::process::Place;

const KILLS: usize = 12;
const HOOKERS: usize = 6;
const SENDERS: usize = 3;

/// What was acknowledged, and who is told when more was.
#[derive(Default)]
struct Journal {
    acknowledged: AtomicUsize,
    more: Notify,
    stop: AtomicBool,
}

impl Journal {
    fn acknowledge(&self) {
        self.acknowledged.fetch_add(1, Ordering::SeqCst);
        self.more.notify_waiters();
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    /// Resolves once `more` acknowledgements were written after now.
    async fn wait_for(&self, more: usize) {
        let until = self.acknowledged.load(Ordering::SeqCst) + more;
        loop {
            let notified = self.more.notified();
            if self.acknowledged.load(Ordering::SeqCst) >= until {
                return;
            }
            notified.await;
        }
    }
}

/// Delivers messages one after the other, again until each is acknowledged, as a provider does. Answers the SIDs.
async fn hook(api: Api, public_url: String, journal: Arc<Journal>, lane: usize) -> Vec<String> {
    let mut acknowledged = Vec::new();
    for number in 0.. {
        let sid = format!("SM{lane:016x}{number:016x}");
        let from = format!("+1415200{:04}", lane * 100 + number % 100);
        while !matches!(api.inbound(&public_url, &sid, &from, &sid).await, Ok(200)) {
            tokio::task::yield_now().await;
        }
        acknowledged.push(sid);
        journal.acknowledge();
        if journal.stopped() {
            break;
        }
    }
    acknowledged
}

/// Sends messages one after the other, each under its own key until it is answered. Answers body and id.
async fn send(api: Api, journal: Arc<Journal>, lane: usize) -> BTreeMap<String, Value> {
    let mut acknowledged = BTreeMap::new();
    for number in 0.. {
        let text = format!("send-{lane}-{number}");
        let body = json!({"phone": format!("+1415201{:04}", lane * 100 + number % 100), "message": text});
        let headers = [("idempotency-key", text.as_str()), ("prefer", "respond-async")];
        let id = loop {
            match api.call(Method::POST, "/api/v1/conversations/send", Some(body.clone()), &headers).await {
                Ok(answer) if answer.status == 201 => break answer.body["data"]["message"]["id"].clone(),
                Ok(answer) => assert!([409, 503].contains(&answer.status), "{answer:?}"),
                Err(_) => {}
            }
            tokio::task::yield_now().await;
        };
        acknowledged.insert(text, id);
        journal.acknowledge();
        if journal.stopped() {
            break;
        }
    }
    acknowledged
}

async fn simulator() -> Sim {
    let account = AccountConfig { phone_numbers: vec![NUMBER.into()], ..AccountConfig::new(SID, TOKEN) };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    Sim::start(Config { accounts: vec![account], ..Config::default() }, listener, Arc::new(SystemClock), Arc::new(SystemEntropy))
        .await
        .unwrap()
}

both_databases! {
    async fn twelve_kills_under_load_lose_and_double_nothing(database) {
        let place = Place::new(database).await;
        let sim = simulator().await;
        place.ok(&["org", "create", "Acme", "--slug", "acme"]);
        let account = ["account", "create", "--org", "acme", "twilio", "--account-sid", SID, "--auth-token", TOKEN, "--phone-number", NUMBER];
        place.ok(&[&account[..], &["--base-url", sim.base_url().as_str(), "--messages-per-second", "0"]].concat());
        let key = place.ok(&["key", "create", "--org", "acme", "--name", "ci"]);

        let mut server = place.serve(0, "http://127.0.0.1:0").await;
        let (port, public_url) = (server.port, server.url());
        server.kill().await;
        server = place.serve(port, &public_url).await;
        let (api, journal) = (Api::new(&public_url, &key), Arc::new(Journal::default()));
        let hooks: Vec<_> = (0..HOOKERS).map(|lane| tokio::task::spawn(hook(api.clone(), public_url.clone(), journal.clone(), lane))).collect();
        let sends: Vec<_> = (0..SENDERS).map(|lane| tokio::task::spawn(send(api.clone(), journal.clone(), lane))).collect();
        for kill in 0..KILLS {
            journal.wait_for(20 + kill * 7).await;
            server.kill().await;
            server = place.serve(port, &public_url).await;
        }
        journal.wait_for(50).await;
        journal.stop.store(true, Ordering::SeqCst);

        let (mut hooked, mut sent) = (BTreeSet::new(), BTreeMap::new());
        for lane in hooks {
            hooked.extend(lane.await.unwrap());
        }
        for lane in sends {
            sent.extend(lane.await.unwrap());
        }
        let stored = everything(&api).await;
        let inbound: Vec<_> = stored.iter().filter(|message| message["direction"] == "inbound").map(|message| text(message, "body")).collect();
        let unique: BTreeSet<_> = inbound.iter().cloned().collect();
        assert_eq!(inbound.len(), unique.len(), "an inbound message is there twice");
        assert_eq!(hooked.difference(&unique).count(), 0, "an acknowledged inbound message is lost");
        let outbound: Vec<_> = stored.iter().filter(|message| message["direction"] == "outbound").collect();
        assert_eq!(outbound.len(), sent.len(), "a send is lost or doubled");
        for message in outbound {
            assert_eq!(sent.get(&text(message, "body")), Some(&message["id"]));
        }
        let taken: Vec<_> = sim.messages().into_iter().map(|message| message.body).collect();
        assert_eq!(taken.iter().collect::<BTreeSet<_>>().len(), taken.len(), "a message was handed over twice");
        server.kill().await;
        assert!(place.ok(&["doctor", "--deep"]).starts_with("ok"));
    }
}

fn text(message: &Value, field: &str) -> String {
    message[field].as_str().unwrap().to_owned()
}

/// Every message of every conversation.
async fn everything(api: &Api) -> Vec<Value> {
    let mut messages = Vec::new();
    for conversation in api.all("/api/v1/conversations").await {
        messages.extend(api.all(&format!("/api/v1/conversations/{}/messages", conversation["id"])).await);
    }
    messages
}
