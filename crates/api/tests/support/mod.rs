//! A whole application in process: a fresh database, a simulated Twilio behind the org's account, the real router, seeded
//! randomness, and a clock that moves only when a test moves it.
//!
//! Requests go straight into the router. It is served on loopback too, so that the simulator's callbacks find it.

mod client;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use parlance_api::Options;
use parlance_app::account::VoiceChanges;
use parlance_app::directory::NewTwilio;
use parlance_app::media::{self, Files};
use parlance_app::{App, Config};
use parlance_model::clock::ManualClock;
use parlance_model::entropy::SeededEntropy;
use parlance_model::role::Role;
use parlance_net::{Client as HttpClient, Policy};
use parlance_sim::twilio::{AccountConfig, Config as SimConfig, Fault, FaultKind, Sim, signature};
use parlance_store::secret::SecretKey;
use parlance_store::{Place, Setup, Store};
use parlance_testkit::{Contents, Database, FreshDatabase};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::{JoinSet, spawn_blocking};

pub(crate) use client::{Answer, Client};

pub(crate) const SID: &str = "AC00000000000000000000000000000001";
pub(crate) const TOKEN: &str = "not-a-real-auth-token-0000000001";
/// The org's own number.
pub(crate) const NUMBER: &str = "+15551234567";
/// Somebody outside.
pub(crate) const CUSTOMER: &str = "+14152000001";
/// Somebody whose messages the provider takes later.
const BUSY: &str = "+14152000077";
/// Somebody whose messages the provider never takes.
const WRONG: &str = "+14152000078";
/// 2026-03-05T20:00:00Z.
pub(crate) const START_MS: i64 = 1_772_740_800_000;

/// The largest file that it takes: small, so that tests can be.
pub(crate) const MEDIA_LIMIT: u64 = 8 << 20;

/// The application under test. Keep it as long as its clients.
pub(crate) struct TestApp {
    pub(crate) app: App,
    pub(crate) sim: Sim,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) public_url: String,
    router: Router,
    _server: JoinSet<()>,
    database: FreshDatabase,
    /// The media store.
    pub(crate) files: TempDir,
}

/// An application on this database, with seeded randomness of its own.
async fn node(database: &FreshDatabase, clock: &Arc<ManualClock>, files: &TempDir, public_url: &str, seed: u64) -> App {
    let place = match database {
        FreshDatabase::Sqlite(folder) => Place::Sqlite { data: folder.path().to_owned(), durability: Default::default() },
        FreshDatabase::Postgres(url) => Place::Postgres { url: url.clone() },
    };
    let entropy = Arc::new(SeededEntropy::new(seed));
    let setup = Setup { clock: clock.clone(), entropy: entropy.clone(), secret: SecretKey::new([3; 32]) };
    let store = spawn_blocking(move || Store::open(&place, setup)).await.unwrap().unwrap();
    let media = media::Config { files: Files::in_folder(files.path()).unwrap(), limit: MEDIA_LIMIT, patience: Duration::ZERO };
    App::new(store, HttpClient::new(Policy::default()).unwrap(), entropy, Config { public_url: public_url.to_owned(), media })
}

/// An org of the application.
pub(crate) struct Org {
    pub(crate) slug: String,
}

impl TestApp {
    /// An application with the org Acme, its Twilio account, and Ann, an agent, whose key the client shows. Jobs run.
    pub(crate) async fn new(database: Database) -> (Self, Org, Client) {
        Self::with(database, Options::default()).await
    }

    /// The same with these options.
    pub(crate) async fn with(database: Database, options: Options) -> (Self, Org, Client) {
        let this = Self::empty_with(database, &options).await;
        let org = this.org("acme").await;
        this.account(&org, NUMBER).await;
        let staff = this.staff(&org, "ann", Role::Agent).await;
        this.app.start();
        (this, org, staff)
    }

    /// Every row that is stored.
    pub(crate) fn contents(&self) -> Contents {
        self.database.contents()
    }

    /// An application without an org, as it is before its first run.
    pub(crate) async fn empty(database: Database) -> Self {
        Self::empty_with(database, &Options::default()).await
    }

    async fn empty_with(database: Database, options: &Options) -> Self {
        let fresh = spawn_blocking(move || database.fresh()).await.unwrap();
        let clock = Arc::new(ManualClock::at(START_MS));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let public_url = format!("http://{}", listener.local_addr().unwrap());
        let files = tempfile::tempdir().unwrap();
        let app = node(&fresh, &clock, &files, &public_url, 1).await;
        let router = parlance_api::router(app.clone(), options);
        let (served, mut server) = (router.clone(), JoinSet::new());
        server.spawn(async move { axum::serve(listener, served).await.unwrap() });

        let sim = simulator(&clock).await;
        Self { app, sim, clock, public_url, router, _server: server, database: fresh, files }
    }

    /// Another server on the same database.
    pub(crate) async fn another_node(&self) -> App {
        self.node_at(&self.public_url).await
    }

    /// The same with this public URL.
    pub(crate) async fn node_at(&self, public_url: &str) -> App {
        node(&self.database, &self.clock, &self.files, public_url, 2).await
    }

    /// Another org, without an account.
    pub(crate) async fn org(&self, slug: &str) -> Org {
        self.app.create_org(slug, slug, "US").await.unwrap();
        Org { slug: slug.to_owned() }
    }

    /// A Twilio account of an org, with this number.
    pub(crate) async fn account(&self, org: &Org, number: &str) {
        let account = NewTwilio {
            account_sid: SID.into(),
            auth_token: TOKEN.into(),
            api_key: None,
            phone_number: number.into(),
            messaging_service_sid: None,
            whatsapp_number: None,
            base_url: Some(self.sim.base_url().to_string()),
            messages_per_second: Some(0),
            voice: VoiceChanges::default(),
        };
        self.app.create_twilio(&org.slug, account).await.unwrap();
    }

    /// A person of an org with a key of their own.
    pub(crate) async fn staff(&self, org: &Org, name: &str, role: Role) -> Client {
        let email = format!("{name}@{}.example.com", org.slug);
        self.app.create_user(&org.slug, &email, name, role, None).await.unwrap();
        let (_, token) = self.app.create_key(&org.slug, Some(email), name, None, false).await.unwrap();
        self.client(Some(token))
    }

    /// A key that speaks for no person.
    pub(crate) async fn bare_key(&self, org: &Org, may_assist: bool) -> Client {
        let (_, token) = self.app.create_key(&org.slug, None, "bare", None, may_assist).await.unwrap();
        self.client(Some(token))
    }

    /// A message that waits for its next try.
    pub(crate) async fn waiting_message(&self, org: &Org) -> String {
        self.sim.fault(Fault::new(FaultKind::Refuse { status: 503, code: 20503 }).for_number(BUSY));
        let sender = self.bare_key(org, false).await;
        let body = serde_json::json!({ "phone": BUSY, "message": "Hello!" });
        let sent = sender.post_with("/api/v1/conversations/send", &[("prefer", "respond-async")], body).await.expect(201);
        let (id, conversation) = (&sent.data()["message"]["id"], &sent.data()["conversation"]["id"]);
        // The message tells its reason once the first try is concluded; those after it in the conversation wait for it.
        let path = format!("/api/v1/messages/{id}/attempts");
        let first = sent.data()["conversation"]["message_count"] == 1;
        while first && sender.get(&path).await.json["data"][0]["error_code"] != "20503" {
            tokio::task::yield_now().await;
        }
        assert!(conversation.is_i64());
        id.to_string()
    }

    /// A message that was refused.
    pub(crate) async fn failed_message(&self, org: &Org) -> String {
        self.sim.fault(Fault::new(FaultKind::Refuse { status: 400, code: 21211 }).for_number(WRONG));
        let sender = self.bare_key(org, false).await;
        let body = serde_json::json!({ "phone": WRONG, "message": "Hello!" });
        let sent = sender.post("/api/v1/conversations/send", body).await.expect(201);
        assert_eq!(sent.data()["message"]["delivery_state"], "failed");
        sent.data()["message"]["id"].to_string()
    }

    /// A caller with this token, or none.
    pub(crate) fn client(&self, token: Option<String>) -> Client {
        Client::new(self.router.clone(), token)
    }

    /// A caller without a key.
    pub(crate) fn anonymous(&self) -> Client {
        self.client(None)
    }

    /// A customer writes to the org: a signed hook, which is taken.
    pub(crate) async fn inbound(&self, sid: &str, from: &str, body: &str) {
        let answer = self.hook("/webhooks/twilio", &inbound_form(sid, from, NUMBER, body)).await;
        assert_eq!((answer.status, answer.text()), (200, "<Response/>"));
    }

    /// A hook to this path and query with this form, signed as Twilio signs it.
    pub(crate) async fn hook(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        let signature = signature::sign(TOKEN, &format!("{}{path}", self.public_url), form.iter().copied());
        self.hook_signed(path, form, &signature).await
    }

    /// The same with this signature.
    pub(crate) async fn hook_signed(&self, path: &str, form: &[(&str, &str)], signature: &str) -> Answer {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let headers = [("x-twilio-signature", signature), ("content-type", "application/x-www-form-urlencoded")];
        self.anonymous().send("POST", path, &headers, body).await
    }
}

/// The fields of an inbound SMS.
pub(crate) fn inbound_form<'a>(sid: &'a str, from: &'a str, to: &'a str, body: &'a str) -> Vec<(&'static str, &'a str)> {
    vec![("AccountSid", SID), ("MessageSid", sid), ("From", from), ("To", to), ("Body", body), ("NumMedia", "0")]
}

/// `SM` and 32 hexadecimal digits.
pub(crate) fn sid(number: usize) -> String {
    format!("SM{number:032x}")
}

async fn simulator(clock: &Arc<ManualClock>) -> Sim {
    let account = AccountConfig { phone_numbers: vec![NUMBER.into()], ..AccountConfig::new(SID, TOKEN) };
    let config = SimConfig { accounts: vec![account], callback_step_ms: 0, ..SimConfig::default() };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    Sim::start(config, listener, clock.clone(), Arc::new(SeededEntropy::new(2))).await.unwrap()
}
