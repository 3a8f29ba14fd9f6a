//! What Parlance does: use cases that the API and the command line call, and the jobs that run behind them.
//!
//! Knows no HTTP and no wire format: it takes the model's values and answers with them. Every use case that needs
//! somebody's rights takes a [`Principal`]; every query below it is bound to that principal's org.

pub mod account;
pub mod audit;
pub mod auth;
pub mod backfill;
pub mod call;
pub mod check;
pub mod contact;
pub mod conversation;
mod deliver;
pub mod directory;
pub mod event;
pub mod failures;
mod fetch;
pub mod first_run;
pub mod health;
mod indexer;
pub mod ingest;
pub mod key;
pub mod media;
pub mod message;
mod metrics;
pub mod operator;
mod opt_out;
pub mod page;
mod password;
mod reconcile;
pub mod search;
pub mod send;
pub mod session;
pub mod settings;
mod share;
pub mod staff;
mod tasks;
mod worker;

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use parlance_model::Result;
use parlance_model::account::Account;
use parlance_model::entropy::{self, SharedEntropy};
use parlance_model::id::{KeyId, OrgId};
use parlance_model::key::{Credential, Principal};
use parlance_model::place::Network;
use parlance_store::metrics::Registry;
use parlance_store::recent::Recent;
use parlance_store::{Joint, Store, idempotency, version};

use crate::failures::Failures;

pub use metrics::Sockets;
pub use parlance_store::idempotency::{Begun, RUNNING_MS};
pub use tasks::Tasks;

/// What the use cases need to know of the installation.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// Where providers and browsers reach us, without a trailing slash: `https://chat.example.com`.
    pub public_url: String,
    /// Where files are kept.
    pub media: media::Config,
}

/// The application: cheap to clone, shared by every request.
#[derive(Clone)]
pub struct App(Arc<Inner>);

struct Inner {
    store: Store,
    http: parlance_net::Client,
    entropy: SharedEntropy,
    config: Config,
    links: media::Links,
    uploads: media::Places,
    tasks: Tasks,
    /// Who shows a token, by its hash.
    keys: Recent<[u8; 32], parlance_store::key::Shown>,
    /// Whose cookie it is and what they are there, by its hash and the org that the request names.
    sessions: Recent<([u8; 32], Option<OrgId>), session::Owner>,
    /// The accounts that a hook may be for, by the kind of name that it carries, and that name.
    accounts: Recent<ingest::Route, Vec<Account>>,
    /// Keys whose use is just being written down.
    noting: Mutex<HashSet<KeyId>>,
    /// Failed sign-ins, by e-mail address and network.
    wrong_passwords: Failures<(String, Network)>,
    /// Wrong tokens of the first run.
    wrong_tokens: Failures<Network>,
    seen: health::Memory,
    shares: share::Shares,
    file_shares: share::Shares,
    measured: metrics::Measured,
    /// What hooks said and is still to be written: many at once.
    hooks: Joint<ingest::Said, ingest::Recorded>,
}

impl App {
    /// Puts the parts together. Nothing runs before [`App::start`].
    #[must_use]
    pub fn new(store: Store, http: parlance_net::Client, entropy: SharedEntropy, config: Config) -> Self {
        // Without the secret key nothing is served: then a key that nobody knows, so that no link opens.
        let link_key = store.derived_key("media links").unwrap_or_else(|_| entropy::bytes(entropy.as_ref()));
        let links = media::Links::new(link_key, config.public_url.clone());
        let measured = metrics::Measured::new(store.registry());
        let (shares, file_shares) = (share::Shares::of_messages(store.clock()), share::Shares::of_files(store.clock()));
        Self(Arc::new(Inner {
            store,
            http,
            entropy,
            config,
            links,
            uploads: media::Places::default(),
            tasks: Tasks::default(),
            keys: Recent::default(),
            sessions: Recent::default(),
            accounts: Recent::default(),
            noting: Mutex::default(),
            wrong_passwords: session::failures(),
            wrong_tokens: session::failures(),
            seen: health::Memory::default(),
            shares,
            file_shares,
            measured,
            hooks: ingest::joint(),
        }))
    }

    /// Starts the job worker, the sweeper and the consumers of the event log.
    pub fn start(&self) {
        worker::start(self);
        indexer::start(self);
        metrics::start(self);
    }

    /// Stops claiming work, waits for what is under way, and stores what was only in memory.
    pub async fn shutdown(&self) {
        self.0.tasks.shutdown().await;
        self.flush_health().await;
    }

    /// The store, for commands that work below the use cases.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// Where tasks are spawned, so that shutdown can wait for them.
    #[must_use]
    pub fn tasks(&self) -> &Tasks {
        &self.0.tasks
    }

    /// The time, unix ms, as everything here reads it.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.0.store.clock().now_ms()
    }

    /// What is measured: whoever answers over the network counts there, too.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        self.0.store.registry()
    }

    /// The version of what the org's lists show: unchanged, they are unchanged. One row is read.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn version(&self, who: &Principal) -> Result<i64> {
        self.0.store.read(who.org, version::current).await
    }

    /// Where providers and browsers reach us, without a trailing slash.
    #[must_use]
    pub fn public_url(&self) -> &str {
        &self.0.config.public_url
    }

    /// A print of what links to files are made with, the public URL and the key that signs them: while it is the same, they are.
    #[must_use]
    pub fn links_print(&self) -> [u8; 32] {
        self.0.links.print()
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// `unavailable`.
    pub async fn ready(&self) -> Result<()> {
        self.0.store.system_read(parlance_store::installation::ping).await
    }

    /// A name for a request that came without one: it stands in the answer and in the log.
    #[must_use]
    pub fn new_request_id(&self) -> String {
        entropy::token(self.0.entropy.as_ref(), 20)
    }

    /// Begins a request that carries an idempotency key.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn begin_once(&self, who: &Principal, key: &str, request_hash: [u8; 32]) -> Result<Begun> {
        let (key, asked_ms) = (once_key(who, key), self.now_ms());
        self.0.store.write(who.org, move |tx| idempotency::begin(tx, &key, &request_hash, asked_ms)).await
    }

    /// Says that such a request's run goes on. Unless it does so again within [`RUNNING_MS`], the run is taken for dead. Answers the
    /// run's number from now on; `None` when it was taken for dead already.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn go_on_once(&self, who: &Principal, key: &str, run: i64) -> Result<Option<i64>> {
        let key = once_key(who, key);
        self.0.store.write(who.org, move |tx| idempotency::go_on(tx, &key, run)).await
    }

    /// Keeps the answer of such a request's run, or forgets the request when it changed nothing and may be tried again.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn end_once(&self, who: &Principal, key: &str, run: i64, answer: Option<(u16, Vec<u8>)>) -> Result<()> {
        let key = once_key(who, key);
        self.0
            .store
            .write(who.org, move |tx| match &answer {
                Some((status, body)) => idempotency::answered(tx, &key, run, *status, body),
                None => idempotency::abandon(tx, &key, run),
            })
            .await
    }
}

/// The store's name of a request: the same header value of two callers is two requests.
fn once_key(who: &Principal, key: &str) -> idempotency::IdempotencyKey {
    // Keys count up from 1, so the numbers of sessions are below 0.
    let caller = match who.credential {
        Credential::Key(id) => id,
        Credential::Session(id) => KeyId(-id.0),
    };
    idempotency::IdempotencyKey { key: caller, value: key.to_owned() }
}
