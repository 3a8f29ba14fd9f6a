//! The simulator over real HTTP on loopback: a bench with a business on one side and a REST client on the other.

mod control;
mod create;
mod faults;
mod inbound;
mod lifecycle;
mod list;
mod media;
pub(crate) mod schema;
mod whatsapp;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::response::IntoResponse;
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, Uri};
use parlance_model::clock::ManualClock;
use parlance_model::entropy::SeededEntropy;
use parlance_net::{Client, Failure, Policy, Request, Response};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use url::Url;

use super::{AccountConfig, ApiKey, Config, Fault, FaultKind, Sim};

pub(crate) const ACCOUNT: &str = "AC00000000000000000000000000000001";
pub(crate) const TOKEN: &str = "0123456789abcdef0123456789abcdef";
pub(crate) const SERVICE: &str = "MG00000000000000000000000000000001";
pub(crate) const NUMBER: &str = "+15551234567";
pub(crate) const SECOND_NUMBER: &str = "+15551234568";
pub(crate) const OTHER_ACCOUNT: &str = "AC00000000000000000000000000000002";
pub(crate) const OTHER_TOKEN: &str = "fedcba9876543210fedcba9876543210";
pub(crate) const OTHER_NUMBER: &str = "+15557654321";
pub(crate) const CUSTOMER: &str = "+15559876543";

/// 2026-03-05T20:00:00Z.
pub(crate) const START_MS: i64 = 1_772_740_800_000;

/// A call that reached the business.
#[derive(Debug)]
pub(crate) struct Hook {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) form: BTreeMap<String, String>,
}

impl Hook {
    pub(crate) fn field(&self, name: &str) -> &str {
        self.form.get(name).map_or("", String::as_str)
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// The content type and text that the business answers with, by path.
type Pages = Arc<Mutex<BTreeMap<String, (&'static str, String)>>>;

/// What the business answers, and where it tells of what it was sent.
type Business = (Arc<AtomicU16>, Pages, mpsc::UnboundedSender<Hook>);

async fn take_hook(State((status, pages, hooks)): State<Business>, uri: Uri, headers: HeaderMap, body: Bytes) -> impl IntoResponse {
    let form = form_urlencoded::parse(&body).into_owned().collect();
    hooks.send(Hook { path: uri.to_string(), headers, form }).unwrap();
    let (content_type, page) = pages.lock().unwrap().get(uri.path()).cloned().unwrap_or(("text/plain", String::new()));
    (StatusCode::from_u16(status.load(Ordering::SeqCst)).unwrap(), [("content-type", content_type)], page)
}

/// A simulator, a business that it calls, and a client.
pub(crate) struct Bench {
    pub(crate) sim: Sim,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) business: Url,
    pub(crate) answer: Arc<AtomicU16>,
    pub(crate) pages: Pages,
    hooks: mpsc::UnboundedReceiver<Hook>,
    client: Client,
    _server: JoinSet<()>,
}

impl Bench {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let business = Url::parse(&format!("http://{}/hook", listener.local_addr().unwrap())).unwrap();
        let (sender, hooks) = mpsc::unbounded_channel();
        let answer = Arc::new(AtomicU16::new(200));
        let pages = Pages::default();
        let router = axum::Router::new().fallback(take_hook).with_state((Arc::clone(&answer), Arc::clone(&pages), sender));
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, router).await.unwrap() });

        let mut config = Config { callback_step_ms: 0, accounts: accounts(&business), ..Config::default() };
        change(&mut config);
        let clock = Arc::new(ManualClock::at(START_MS));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let sim = Sim::start(config, listener, clock.clone(), Arc::new(SeededEntropy::new(1))).await.unwrap();
        Self { sim, clock, business, answer, pages, hooks, client: Client::new(Policy::default()).unwrap(), _server: server }
    }

    /// The next call that reached the business.
    pub(crate) async fn hook(&mut self) -> Hook {
        self.hooks.recv().await.unwrap()
    }

    /// All calls that have reached the business, once nothing is outstanding.
    pub(crate) async fn settled_hooks(&mut self) -> Vec<Hook> {
        self.sim.settled().await;
        std::iter::from_fn(|| self.hooks.try_recv().ok()).collect()
    }

    /// The statuses that were called back, in the order of their arrival.
    pub(crate) async fn called_back(&mut self) -> Vec<String> {
        self.settled_hooks().await.iter().map(|hook| hook.field("MessageStatus").to_owned()).collect()
    }

    pub(crate) fn callback(&self) -> String {
        format!("{}?m=att_1", self.business)
    }

    pub(crate) fn fault(&self, kind: FaultKind) {
        self.sim.fault(Fault::new(kind).times(1));
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> Request {
        Request::new(method, self.sim.base_url().join(path).unwrap()).trusted(true)
    }

    pub(crate) async fn execute(&self, request: Request) -> Result<Response, Failure> {
        self.client.execute(request).await
    }

    /// A call of the REST API with the first account's credentials.
    pub(crate) async fn call(&self, method: Method, path: &str, form: &[(&str, &str)]) -> (u16, Value) {
        let request = self.request(method.clone(), path).basic_auth(ACCOUNT, TOKEN);
        let request = if method == Method::POST { request.form(form.iter().copied()) } else { request };
        let response = self.execute(request).await.unwrap();
        (response.status.as_u16(), serde_json::from_slice(&response.body).unwrap_or(Value::Null))
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        self.call(Method::GET, path, &[]).await
    }

    pub(crate) async fn try_create(&self, form: &[(&str, &str)]) -> Result<Response, Failure> {
        let path = format!("2010-04-01/Accounts/{ACCOUNT}/Messages.json");
        self.execute(self.request(Method::POST, &path).basic_auth(ACCOUNT, TOKEN).form(form.iter().copied())).await
    }

    pub(crate) async fn create(&self, form: &[(&str, &str)]) -> (u16, Value) {
        let response = self.try_create(form).await.unwrap();
        (response.status.as_u16(), serde_json::from_slice(&response.body).unwrap())
    }

    /// A text from the account's number to the customer, with callbacks.
    pub(crate) async fn create_text(&self) -> Result<Response, Failure> {
        self.try_create(&[("To", CUSTOMER), ("From", NUMBER), ("Body", "Hi"), ("StatusCallback", &self.callback())]).await
    }
}

fn accounts(business: &Url) -> Vec<AccountConfig> {
    vec![
        AccountConfig {
            phone_numbers: vec![NUMBER.to_owned(), SECOND_NUMBER.to_owned()],
            messaging_service_sid: Some(SERVICE.to_owned()),
            inbound_url: Some(business.clone()),
            api_keys: vec![ApiKey { sid: "SK00000000000000000000000000000001".to_owned(), secret: "secret".to_owned() }],
            ..AccountConfig::new(ACCOUNT, TOKEN)
        },
        AccountConfig {
            phone_numbers: vec![OTHER_NUMBER.to_owned()],
            advanced_opt_out: true,
            inbound_url: Some(business.clone()),
            ..AccountConfig::new(OTHER_ACCOUNT, OTHER_TOKEN)
        },
    ]
}
