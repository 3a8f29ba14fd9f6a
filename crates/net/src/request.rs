//! What is asked, and what came of it.

use std::fmt;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use url::Url;

/// One request. It has no `Debug`, because its URL, headers and body carry secrets.
#[derive(Clone)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Where to, `http` or `https`. A user and password in it are sent as Basic authentication.
    pub url: Url,
    /// Headers, sent as they are.
    pub headers: HeaderMap,
    /// The body; empty for none.
    pub body: Bytes,
    /// The limit for everything together: name, connection, request and the whole answer.
    ///
    /// A connection has at most [`Client::CONNECT_TIMEOUT`](crate::Client::CONNECT_TIMEOUT) of it. With a shorter limit
    /// than that, a slow connection is reported as [`Failure::Lost`], which is cautious rather than exact.
    pub timeout: Duration,
    /// Answers with more bytes in their body are [`Failure::Lost`].
    pub max_response_bytes: usize,
    /// Whether an operator configured this origin: then the guard lets private and loopback addresses pass.
    pub trusted: bool,
}

impl Request {
    /// A request without headers and body: ten seconds, an answer of at most 1 MiB, not trusted.
    #[must_use]
    pub fn new(method: Method, url: Url) -> Self {
        Self {
            method,
            url,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            timeout: Duration::from_secs(10),
            max_response_bytes: 1 << 20,
            trusted: false,
        }
    }

    /// [`Request::new`] with `GET`.
    #[must_use]
    pub fn get(url: Url) -> Self {
        Self::new(Method::GET, url)
    }

    /// [`Request::new`] with `POST`.
    #[must_use]
    pub fn post(url: Url) -> Self {
        Self::new(Method::POST, url)
    }

    /// Adds Basic authentication (RFC 7617).
    #[must_use]
    pub fn basic_auth(mut self, user: &str, password: &str) -> Self {
        let credentials = STANDARD.encode(format!("{user}:{password}"));
        #[expect(clippy::expect_used, reason = "base64 is visible ASCII, which every header value may be")]
        let mut value = HeaderValue::try_from(format!("Basic {credentials}")).expect("base64 is ASCII");
        value.set_sensitive(true);
        self.headers.insert(AUTHORIZATION, value);
        self
    }

    /// Makes the body a form (`application/x-www-form-urlencoded`), its fields in the given order.
    #[must_use]
    pub fn form<'a>(mut self, fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        self.body = form.into();
        self
    }

    /// Sets [`Request::timeout`].
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets [`Request::max_response_bytes`].
    #[must_use]
    pub fn max_response_bytes(mut self, max: usize) -> Self {
        self.max_response_bytes = max;
        self
    }

    /// Sets [`Request::trusted`].
    #[must_use]
    pub fn trusted(mut self, trusted: bool) -> Self {
        self.trusted = trusted;
        self
    }
}

/// A whole answer, of any status. Redirects are answers: none is followed.
#[derive(Clone)]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, as it came over the wire.
    pub body: Bytes,
}

impl fmt::Debug for Response {
    /// Headers and body may hold secrets, so only the status and the length are told.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Response({}, {} bytes)", self.status, self.body.len())
    }
}

/// Why there is no answer. The sentences name the origin and never more of the URL, so they may be shown and logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The guard refused the address. Says which, and that `--allow-outbound` opens it.
    Blocked(String),
    /// The request certainly never reached the other side: no such name, no connection, no TLS. Trying again is safe.
    NotSent(String),
    /// The request may have arrived: the time ran out, the connection broke, or the answer was cut or too large.
    Lost(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blocked(why) | Self::NotSent(why) | Self::Lost(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for Failure {}
