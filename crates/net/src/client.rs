//! The client: checks the address, sends once, reads a bounded answer, and says honestly what is known when there is none.

use std::error::Error as StdError;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use parlance_model::error::{Error, Kind, Result};
use tokio::time::timeout;
use url::{Host, Url};

use crate::guard::{Policy, Refusal};
use crate::names::{GuardedNames, LookUp, SystemNames};
use crate::request::{Failure, Request, Response};
use crate::streamed::Streamed;

/// The guarded HTTP client. Cheap to clone; clones share their connections.
#[derive(Clone)]
pub struct Client {
    policy: Arc<Policy>,
    guarded: reqwest::Client,
    /// Apart, because an open connection is not checked again: a trusted request to a private address would leave one
    /// behind for whoever names the same host next.
    trusted: reqwest::Client,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("policy", &self.policy).finish_non_exhaustive()
    }
}

impl Client {
    /// How long name, connection and TLS handshake may take together. Whatever fails within it was not sent.
    pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

    /// A client that resolves names as the system does. Needs no runtime yet.
    ///
    /// # Errors
    /// `outbound_tls` when the system has no CA certificates.
    pub fn new(policy: Policy) -> Result<Self> {
        Self::with_names(policy, Arc::new(SystemNames::default()), Self::CONNECT_TIMEOUT)
    }

    /// A client with its own source of names.
    pub(crate) fn with_names(policy: Policy, names: Arc<dyn LookUp>, connect_timeout: Duration) -> Result<Self> {
        let policy = Arc::new(policy);
        let build = |trusted| {
            let names = GuardedNames { names: Arc::clone(&names), policy: Arc::clone(&policy), trusted };
            inner_client(names, connect_timeout)
        };
        Ok(Self { guarded: build(false)?, trusted: build(true)?, policy })
    }

    /// Sends the request once and reads the whole answer, whatever its status. Follows no redirect.
    ///
    /// # Errors
    /// [`Failure`], which tells a request that certainly never left from one that may have arrived.
    pub async fn execute(&self, request: Request) -> Result<Response, Failure> {
        let (timeout, max) = (request.timeout, request.max_response_bytes);
        let (origin, answer) = self.send(request, timeout).await?;
        read(&origin, answer, max).await
    }

    /// Sends the request once and answers as soon as the answer's head is there; its body comes chunk by chunk. Follows no
    /// redirect. The request's timeout limits the wait for the head and for each chunk, and `whole` limits everything together.
    /// How many bytes are read is for the reader to end: the request's own limit does not count.
    ///
    /// # Errors
    /// Those of [`Client::execute`].
    pub async fn open(&self, request: Request, whole: Duration) -> Result<Streamed, Failure> {
        let (origin, pause) = (request.url.origin().ascii_serialization(), request.timeout);
        match timeout(pause, self.send(request, whole)).await {
            Ok(sent) => sent.map(|(origin, answer)| Streamed::new(origin, answer, pause)),
            Err(_) => Err(Failure::Lost(format!("{origin} was asked and gave no answer: the time ran out."))),
        }
    }

    /// Sends the request, if its address may be reached. The origin comes with the answer, for failures that are still to come.
    async fn send(&self, request: Request, limit: Duration) -> Result<(String, reqwest::Response), Failure> {
        let origin = request.url.origin().ascii_serialization();
        self.check(&request.url, request.trusted)?;
        let client = if request.trusted { &self.trusted } else { &self.guarded };
        let sending = client.request(request.method, request.url).headers(request.headers).body(request.body).timeout(limit).send();
        match sending.await {
            Ok(answer) => Ok((origin, answer)),
            Err(error) => Err(failure(&origin, &error)),
        }
    }

    /// Checks what can be seen in the URL itself. Literal addresses are checked here, since the resolver is never asked
    /// for them; `url` has already turned forms such as `0x7f.1` into plain ones.
    fn check(&self, url: &Url, trusted: bool) -> Result<(), Failure> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Failure::Blocked(format!("Only http and https addresses can be reached, not {}.", url.scheme())));
        }
        let literal = match url.host() {
            Some(Host::Ipv4(address)) => IpAddr::V4(address),
            Some(Host::Ipv6(address)) => IpAddr::V6(address),
            Some(Host::Domain(_)) => return Ok(()),
            None => return Err(Failure::Blocked("An address without a host cannot be reached.".to_owned())),
        };
        self.policy.admit(literal, trusted).map_err(|refusal| blocked(&url.origin().ascii_serialization(), &refusal))
    }
}

fn inner_client(names: GuardedNames, connect_timeout: Duration) -> Result<reqwest::Client> {
    #[expect(clippy::disallowed_methods, reason = "this is the guard that the lint sends everybody else to")]
    let builder = reqwest::Client::builder();
    builder
        .user_agent(concat!("Parlance/", env!("CARGO_PKG_VERSION")))
        .dns_resolver(names)
        // A proxy would resolve the name itself, out of the guard's sight.
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        // Sending again is a decision of jobs, never of the transport.
        .retry(reqwest::retry::never())
        .connect_timeout(connect_timeout)
        // Shorter than the idle limit of common servers: a request on a connection that the other side is just closing
        // is lost, and a lost send costs a person's time.
        .pool_idle_timeout(Duration::from_secs(15))
        .build()
        .map_err(|error| {
            let remedy = "Outbound TLS cannot be set up. Install the system's CA certificates (the package ca-certificates).";
            Error::new(Kind::Internal, "outbound_tls", remedy).with_source(error)
        })
}

/// Reads at most `max` bytes. The request's timeout covers this too.
async fn read(origin: &str, mut answer: reqwest::Response, max: usize) -> Result<Response, Failure> {
    let too_large = || Failure::Lost(format!("{origin} answered with more than {max} bytes."));
    let announced = answer.content_length().unwrap_or(0);
    if announced > max as u64 {
        return Err(too_large());
    }
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| failure(origin, &error))? {
        if body.len() + chunk.len() > max {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Response { status: answer.status(), headers: std::mem::take(answer.headers_mut()), body: body.into() })
}

fn blocked(origin: &str, refusal: &Refusal) -> Failure {
    Failure::Blocked(format!("{origin} was not asked: {refusal}"))
}

/// What an error of the HTTP library means. Only the origin and the innermost cause are told: the library's own text
/// has the whole URL in it.
pub(crate) fn failure(origin: &str, error: &reqwest::Error) -> Failure {
    let mut cause: &(dyn StdError + 'static) = error;
    while let Some(source) = cause.source() {
        if let Some(refusal) = source.downcast_ref::<Refusal>() {
            return blocked(origin, refusal);
        }
        cause = source;
    }
    let why = if error.is_timeout() { "the time ran out".to_owned() } else { innermost(error, cause) };
    if error.is_connect() || error.is_builder() {
        Failure::NotSent(format!("{origin} could not be reached: {why}."))
    } else {
        Failure::Lost(format!("{origin} was asked and gave no whole answer: {why}."))
    }
}

fn innermost(error: &reqwest::Error, cause: &(dyn StdError + 'static)) -> String {
    // An error without a source would print the URL.
    if error.source().is_none() { "the request could not be made".to_owned() } else { cause.to_string() }
}
