//! The simulated Twilio: its REST API for messages and calls, its signed webhooks, its keywords, the TwiML that calls are
//! answered with, and its bad days on request.
//!
//! [`Sim`] is the handle. What it leaves out is in `README.md`.

mod auth;
mod cdn;
mod config;
mod control;
mod draft;
mod effects;
mod fault;
mod inbound;
mod line;
mod listing;
mod log;
mod magic;
mod media;
mod message;
mod number;
mod opt_out;
mod place;
mod progress;
mod refusal;
mod resource;
mod rest;
mod retry;
pub mod signature;
mod state;
#[cfg(test)]
pub(crate) mod tests;
mod voice;
mod webhook;
mod whatsapp;

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use parlance_model::clock::SharedClock;
use parlance_model::entropy::SharedEntropy;
use parlance_model::{Error, Result};
use tokio::net::TcpListener;
use url::Url;

pub use config::{AccountConfig, ApiKey, Config};
pub use fault::{Ending, Fault, FaultKind, Order};
pub use inbound::{DeliveryReport, Inbound, InboundMedia, MediaContent};
pub use message::{Direction, Media, SimMessage, Status};
pub use voice::{Behaviour, CallDirection, CallReport, CallStatus, InboundCall, Phone, RecordingSource, SimCall, SimRecording, TwimlError};
pub use webhook::{Delivery, Form, HookKind, Outcome};
pub use whatsapp::{Button, Location, WhatsApp};

pub(crate) use state::Inner;

/// A running simulator. Dropping it stops it; [`Sim::shutdown`] also waits until it has stopped.
pub struct Sim {
    inner: Arc<Inner>,
}

impl Sim {
    /// Starts to answer on `listener`. Webhooks may go to private and loopback addresses: whoever runs a simulator
    /// means their own machine.
    ///
    /// # Errors
    /// `internal` when the listener has no address, no second one can be opened on loopback, or the HTTP client cannot
    /// be made.
    pub async fn start(config: Config, listener: TcpListener, clock: SharedClock, entropy: SharedEntropy) -> Result<Self> {
        // As at Twilio, files lie on another origin.
        let cdn = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(Error::internal)?;
        let urls = (url_of(listener.local_addr().map_err(Error::internal)?)?, url_of(cdn.local_addr().map_err(Error::internal)?)?);
        let client = parlance_net::Client::new(parlance_net::Policy::default())?;
        let inner = Arc::new(Inner::new(config, urls, client, clock, entropy));
        inner.spawn(line::listen(Arc::clone(&inner), cdn, cdn::router(&inner)));
        let router = rest::router().merge(media::router()).merge(number::router()).merge(voice::router()).merge(control::router());
        let router = router.with_state(Arc::clone(&inner));
        inner.spawn(line::listen(Arc::clone(&inner), listener, router));
        tracing::info!(url = %inner.base_url, "the simulated Twilio answers");
        Ok(Self { inner })
    }

    /// Where it answers, in place of `https://api.twilio.com/`.
    #[must_use]
    pub fn base_url(&self) -> Url {
        self.inner.base_url.clone()
    }

    /// Sets where messages to an account's numbers are posted, or nowhere. An account that does not exist is left alone.
    pub fn set_inbound_url(&self, account_sid: &str, url: impl Into<Option<Url>>) {
        if let Some(account) = self.inner.account(account_sid) {
            let url = url.into();
            account.change_urls(|urls| urls.sms.clone_from(&url));
        }
    }

    /// Sets where calls to an account's numbers ask for TwiML, and where their end is reported. An account that does not
    /// exist is left alone.
    pub fn set_voice_urls(&self, account_sid: &str, voice_url: impl Into<Option<Url>>, status_callback: impl Into<Option<Url>>) {
        if let Some(account) = self.inner.account(account_sid) {
            let (voice, status_callback) = (voice_url.into(), status_callback.into());
            account.change_urls(|urls| {
                urls.voice.clone_from(&voice);
                urls.status_callback.clone_from(&status_callback);
            });
        }
    }

    /// Says how the phone of this number (E.164) behaves when it is called. Phones that nobody has spoken of ring unanswered.
    pub fn phone(&self, number: impl Into<String>, phone: Phone) {
        self.inner.voice.set_phone(number.into(), phone);
    }

    /// A customer calls. Returns when the call is over and its last callback is answered.
    pub async fn call(&self, call: InboundCall) -> CallReport {
        self.inner.call_in(call).await
    }

    /// All legs of calls that are remembered, oldest first.
    #[must_use]
    pub fn calls(&self) -> Vec<SimCall> {
        self.inner.voice.calls()
    }

    /// All recordings that are remembered, oldest first.
    #[must_use]
    pub fn recordings(&self) -> Vec<SimRecording> {
        self.inner.voice.recordings()
    }

    /// Answers of the business that were not TwiML, or that nobody could carry out, oldest first.
    #[must_use]
    pub fn twiml_errors(&self) -> Vec<TwimlError> {
        self.inner.voice.errors()
    }

    /// A customer writes. Returns when the business has answered, or retries and fallback are used up.
    pub async fn inbound(&self, inbound: Inbound) -> DeliveryReport {
        self.inner.inbound(inbound).await
    }

    /// Lets something go wrong.
    pub fn fault(&self, fault: Fault) {
        self.inner.faults.add(fault);
    }

    /// Takes back all faults that wait. What already met one goes on as it was meant to.
    pub fn clear_faults(&self) {
        self.inner.faults.clear();
    }

    /// All messages that are remembered, oldest first.
    #[must_use]
    pub fn messages(&self) -> Vec<SimMessage> {
        self.inner.messages().iter().cloned().collect()
    }

    /// All calls of webhooks that are remembered, oldest first, in the order they ended.
    #[must_use]
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.inner.deliveries()
    }

    /// The path of each request that brought credentials (an `Authorization` header or a cookie) to where files lie,
    /// oldest first. Those links need none, so a client that sends them gives its password away.
    #[must_use]
    pub fn leaks(&self) -> Vec<String> {
        self.inner.leaks()
    }

    /// Waits until no callback, no call and no inbound message is outstanding. A message that is scheduled for later, and a
    /// simulated customer who is still thinking, are not.
    pub async fn settled(&self) {
        self.inner.settled().await;
    }

    /// Stops, and waits until every connection and every task has ended.
    pub async fn shutdown(self) {
        self.inner.stop.cancel();
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
    }

    pub(crate) fn inner(&self) -> &Arc<Inner> {
        &self.inner
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        self.inner.stop.cancel();
    }
}

impl fmt::Debug for Sim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sim").field("base_url", &self.inner.base_url.as_str()).finish_non_exhaustive()
    }
}

/// The URL of a listener. One that listens everywhere is reached on loopback.
fn url_of(mut address: SocketAddr) -> Result<Url> {
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() });
    }
    Url::parse(&format!("http://{address}/")).map_err(Error::internal)
}
