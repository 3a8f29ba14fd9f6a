//! The clients of the server: staff and programs with a key, and the provider's hooks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method};
use parlance_model::{Error, Result};
use parlance_net::{Policy, Request};
use parlance_sim::twilio::signature;
use serde_json::Value;
use tokio::time::{Instant, sleep};

/// The simulated provider's account. Visibly not secrets.
pub(super) const ACCOUNT_SID: &str = "AC00000000000000000000000000000001";
pub(super) const AUTH_TOKEN: &str = "not-a-real-auth-token-0000000001";
pub(super) const NUMBER: &str = "+15551234567";

/// How long whoever was not served waits before asking again.
const AGAIN: Duration = Duration::from_millis(15);
/// After how long nobody asks any more.
const PATIENCE: Duration = Duration::from_secs(120);
/// What says that nothing was done, and to come again: another request with the same key is running, too fast, not now.
const COME_AGAIN: [u16; 3] = [409, 429, 503];

/// What was answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Value,
}

impl Answer {
    pub(super) fn is_ok(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// A client of one server, through its door.
#[derive(Clone)]
pub(super) struct Client {
    http: parlance_net::Client,
    url: String,
    key: String,
    /// How often a client was told to come again since the server can take nothing.
    refused: Arc<AtomicU64>,
}

impl Client {
    pub(super) fn new(url: &str, key: &str) -> Result<Self> {
        Ok(Self { http: parlance_net::Client::new(Policy::default())?, url: url.to_owned(), key: key.to_owned(), refused: Arc::default() })
    }

    /// A call of the API with a JSON body, or none. It is made again until it is answered.
    pub(super) async fn call(&self, method: Method, path: &str, body: Option<&Value>, headers: &[(&'static str, &str)]) -> Result<Answer> {
        let json = [("content-type", "application/json")];
        let headers = [headers, if body.is_some() { &json } else { &[] }].concat();
        self.send(method, path, body.map_or_else(Bytes::new, |body| body.to_string().into()), &headers).await
    }

    /// The same with any body.
    pub(super) async fn send(&self, method: Method, path: &str, body: Bytes, headers: &[(&'static str, &str)]) -> Result<Answer> {
        let mut request = self.request(path)?;
        request.method = method;
        request.body = body;
        request.headers.insert(http::header::AUTHORIZATION, value(&format!("Bearer {}", self.key))?);
        for (name, text) in headers {
            request.headers.insert(HeaderName::from_static(name), value(text)?);
        }
        self.insist(request).await
    }

    /// A customer's message as the provider posts it, again until it is acknowledged.
    pub(super) async fn inbound(&self, sid: &str, from: &str, text: &str) -> Result<Answer> {
        let form = [("AccountSid", ACCOUNT_SID), ("MessageSid", sid), ("From", from), ("To", NUMBER), ("Body", text), ("NumMedia", "0")];
        let mut request = self.request("/webhooks/twilio")?.form(form);
        request.method = Method::POST;
        let signed = signature::sign(AUTH_TOKEN, request.url.as_str(), form);
        request.headers.insert("x-twilio-signature", value(&signed)?);
        self.insist(request).await
    }

    /// What a link leads to, without a key.
    pub(super) async fn file(&self, link: &str) -> Option<Bytes> {
        let request = Request::get(link.parse().ok()?).trusted(true).max_response_bytes(64 << 20);
        for _ in 0..20 {
            match self.http.execute(request.clone()).await {
                Ok(answer) if answer.status == 200 => return Some(answer.body),
                Ok(answer) if !COME_AGAIN.contains(&answer.status.as_u16()) => return None,
                _ => sleep(AGAIN).await,
            }
        }
        None
    }

    /// Every row of a list, page by page.
    pub(super) async fn all(&self, path: &str) -> Result<Vec<Value>> {
        let (mut rows, mut cursor) = (Vec::new(), String::new());
        loop {
            let mut page = self.get(&format!("{path}?limit=200{cursor}")).await?;
            if let Value::Array(more) = page["data"].take() {
                rows.extend(more);
            }
            match page["meta"]["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return Ok(rows),
            }
        }
    }

    pub(super) async fn get(&self, path: &str) -> Result<Value> {
        let answer = self.call(Method::GET, path, None, &[]).await?;
        if answer.is_ok() { Ok(answer.body) } else { Err(Error::internal(format!("GET {path}: {}", answer.status))) }
    }

    fn request(&self, path: &str) -> Result<Request> {
        let url = format!("{}{path}", self.url).parse().map_err(Error::internal)?;
        Ok(Request::get(url).trusted(true).timeout(Duration::from_secs(30)).max_response_bytes(16 << 20))
    }

    /// Makes the request again until it is answered.
    async fn insist(&self, request: Request) -> Result<Answer> {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            match self.http.execute(request.clone()).await {
                Ok(answer) if !COME_AGAIN.contains(&answer.status.as_u16()) => {
                    let body = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
                    return Ok(Answer { status: answer.status.as_u16(), body });
                }
                Ok(answer) => {
                    self.refused.fetch_add(u64::from(answer.status == 503), Ordering::Relaxed);
                    sleep(AGAIN).await;
                }
                Err(_) => sleep(AGAIN).await,
            }
        }
        Err(Error::unavailable(format!("Nobody answered {} in {} s.", request.url.path(), PATIENCE.as_secs()), 1))
    }

    /// How often clients were answered 503.
    pub(super) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

fn value(text: &str) -> Result<HeaderValue> {
    HeaderValue::from_str(text).map_err(Error::internal)
}
