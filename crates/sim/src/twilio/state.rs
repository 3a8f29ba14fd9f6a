//! What every part of the simulated Twilio shares: accounts, what is remembered, the tasks and how they end.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use parlance_model::clock::SharedClock;
use parlance_model::entropy::SharedEntropy;
use tokio::sync::{broadcast, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

use super::config::{AccountConfig, Config};
use super::fault::Faults;
use super::log::{Deliveries, Log};
use super::message::SimMessage;
use super::voice::Voice;
use super::webhook::Delivery;
use super::whatsapp;

/// How many delivered messages may wait for a customer who is slow to look.
const UNREAD_BY_CUSTOMERS: usize = 1024;

/// Where the hooks of a number go.
#[derive(Debug, Clone, Default)]
pub(crate) struct Urls {
    pub(crate) sms: Option<Url>,
    pub(crate) sms_fallback: Option<Url>,
    pub(crate) voice: Option<Url>,
    pub(crate) status_callback: Option<Url>,
}

/// An account and what may change of it.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) config: AccountConfig,
    urls: RwLock<HashMap<String, Urls>>,
}

impl Account {
    fn new(config: AccountConfig) -> Self {
        let urls = Urls {
            sms: config.inbound_url.clone(),
            sms_fallback: config.fallback_url.clone(),
            voice: config.voice_url.clone(),
            status_callback: config.voice_status_callback.clone(),
        };
        let urls = config.phone_numbers.iter().map(|number| (number.clone(), urls.clone())).collect();
        Self { config, urls: RwLock::new(urls) }
    }

    /// Whether this number or short code is the account's own. A channel prefix such as `whatsapp:` does not count.
    pub(crate) fn owns(&self, number: &str) -> bool {
        let bare = whatsapp::bare(number);
        self.config.phone_numbers.iter().any(|own| own == bare)
    }

    /// Where the hooks of one of its numbers go.
    pub(crate) fn urls(&self, number: &str) -> Urls {
        let urls = self.urls.read().unwrap_or_else(PoisonError::into_inner);
        urls.get(whatsapp::bare(number)).cloned().unwrap_or_default()
    }

    pub(crate) fn set_urls(&self, number: &str, new: Urls) {
        self.urls.write().unwrap_or_else(PoisonError::into_inner).insert(number.to_owned(), new);
    }

    /// Changes where the hooks of all its numbers go.
    pub(crate) fn change_urls(&self, change: impl Fn(&mut Urls)) {
        self.urls.write().unwrap_or_else(PoisonError::into_inner).values_mut().for_each(change);
    }
}

/// What is known of the people outside.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    /// (own number, customer) pairs that must not be written to.
    pub(crate) opted_out: HashSet<(String, String)>,
    /// The number that a customer last wrote to: a Messaging Service answers from it (sticky sender).
    pub(crate) last_number: HashMap<String, String>,
    /// Unix ms at which a customer last wrote, by (own number, customer).
    pub(crate) wrote_ms: HashMap<(String, String), i64>,
}

/// The simulator's inside.
pub(crate) struct Inner {
    pub(crate) config: Config,
    pub(crate) base_url: Url,
    /// Where files lie. It ends with a slash.
    pub(crate) cdn_url: Url,
    pub(crate) accounts: Vec<Arc<Account>>,
    pub(crate) clock: SharedClock,
    pub(crate) entropy: SharedEntropy,
    pub(crate) client: parlance_net::Client,
    pub(crate) faults: Faults,
    pub(crate) voice: Voice,
    /// Unix ms at which the simulator began.
    pub(crate) started_ms: i64,
    /// Messages whose last callback is done and that a simulated customer may answer.
    pub(crate) arrived: broadcast::Sender<SimMessage>,
    pub(crate) stop: CancellationToken,
    pub(crate) tasks: TaskTracker,
    messages: Mutex<Log<SimMessage>>,
    deliveries: Mutex<Deliveries>,
    leaks: Mutex<Vec<String>>,
    peers: Mutex<Peers>,
    outstanding: watch::Sender<usize>,
}

impl Inner {
    pub(crate) fn new(
        mut config: Config,
        (base_url, cdn_url): (Url, Url),
        client: parlance_net::Client,
        clock: SharedClock,
        entropy: SharedEntropy,
    ) -> Self {
        let accounts = std::mem::take(&mut config.accounts).into_iter().map(|account| Arc::new(Account::new(account))).collect();
        let started_ms = clock.now_ms();
        Self {
            config,
            base_url,
            cdn_url,
            accounts,
            clock,
            entropy,
            client,
            faults: Faults::default(),
            voice: Voice::default(),
            started_ms,
            arrived: broadcast::Sender::new(UNREAD_BY_CUSTOMERS),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
            messages: Mutex::default(),
            deliveries: Mutex::default(),
            leaks: Mutex::default(),
            peers: Mutex::default(),
            outstanding: watch::Sender::new(0),
        }
    }

    pub(crate) fn account(&self, account_sid: &str) -> Option<&Arc<Account>> {
        self.accounts.iter().find(|account| account.config.account_sid == account_sid)
    }

    pub(crate) fn owner_of(&self, number: &str) -> Option<&Arc<Account>> {
        self.accounts.iter().find(|account| account.owns(number))
    }

    /// The messages. The guard must not be held across an await; the compiler sees to it, as it is not `Send`.
    pub(crate) fn messages(&self) -> MutexGuard<'_, Log<SimMessage>> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn peers(&self) -> MutexGuard<'_, Peers> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn remember(&self, message: SimMessage) {
        self.messages().push(message, self.config.kept);
    }

    pub(crate) fn record_delivery(&self, delivery: Delivery) {
        self.deliveries.lock().unwrap_or_else(PoisonError::into_inner).push(delivery, self.config.kept);
    }

    pub(crate) fn deliveries(&self) -> Vec<Delivery> {
        self.deliveries.lock().unwrap_or_else(PoisonError::into_inner).to_vec()
    }

    /// Notes that credentials were sent to where files lie.
    pub(crate) fn record_leak(&self, path: &str) {
        let mut leaks = self.leaks.lock().unwrap_or_else(PoisonError::into_inner);
        if leaks.len() < self.config.kept {
            leaks.push(path.to_owned());
        }
    }

    pub(crate) fn leaks(&self) -> Vec<String> {
        self.leaks.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Runs a task until it is done or the simulator stops.
    pub(crate) fn spawn<F>(&self, task: F) -> JoinHandle<Option<F::Output>>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.tasks.spawn(self.stop.clone().run_until_cancelled_owned(task))
    }

    /// Counts as outstanding until it is dropped.
    pub(crate) fn begin(&self) -> Outstanding {
        self.outstanding.send_modify(|count| *count += 1);
        Outstanding(self.outstanding.clone())
    }

    /// Waits until nothing is outstanding.
    pub(crate) async fn settled(&self) {
        // The sender lives in `self`, so the channel cannot be closed.
        let _ = self.outstanding.subscribe().wait_for(|count| *count == 0).await;
    }
}

/// A piece of work that `settled` waits for.
#[derive(Debug)]
pub(crate) struct Outstanding(watch::Sender<usize>);

impl Drop for Outstanding {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count = count.saturating_sub(1));
    }
}
