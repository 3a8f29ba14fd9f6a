//! Webhooks: signed forms that are posted to the business, and the record of what came of each.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use http::{HeaderMap, HeaderValue, Method, header};
use parlance_model::entropy;
use parlance_net::{Failure, Request, Response};
use serde::Serialize;
use url::Url;

use super::effects::Copies;
use super::retry::Retries;
use super::signature;
use super::state::{Account, Inner};

/// The fields of a webhook.
pub type Form = BTreeMap<String, String>;

/// The most that is read of an answer, in bytes.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// Why a webhook was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HookKind {
    /// One of the business's messages moved forward.
    StatusCallback,
    /// A customer wrote.
    Inbound,
    /// A customer wrote, and the first URL had failed.
    InboundFallback,
    /// A call asks for TwiML.
    Voice,
    /// A leg of a call moved forward.
    CallStatus,
    /// A recording was made.
    Recording,
    /// A recording was written down.
    Transcription,
}

/// What came of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum Outcome {
    /// It was answered.
    Answered {
        /// The HTTP status.
        status: u16,
    },
    /// Nobody listened, or the address was refused.
    NotConnected {
        /// What was seen.
        reason: String,
    },
    /// It was sent, and no answer came in time.
    NoAnswer {
        /// What was seen.
        reason: String,
    },
}

/// One call of a webhook.
#[derive(Debug, Clone, Serialize)]
pub struct Delivery {
    /// Unix ms at which the call began.
    pub at_ms: i64,
    /// Why it was called.
    pub kind: HookKind,
    /// The message, or the leg of a call, that it is about.
    pub sid: String,
    /// The URL, as it was configured.
    pub url: String,
    /// `I-Twilio-Idempotency-Token`: the same for retries and copies.
    pub idempotency_token: String,
    /// What was posted.
    pub form: Form,
    /// What came of it.
    pub outcome: Outcome,
}

impl Delivery {
    /// Whether it was answered with a 2xx.
    #[must_use]
    pub const fn accepted(&self) -> bool {
        matches!(self.outcome, Outcome::Answered { status: 200..=299 })
    }

    /// A field that was posted.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.form.get(name).map(String::as_str)
    }
}

/// A call that is about to be made.
#[derive(Debug, Clone)]
pub(crate) struct Hook {
    pub(crate) kind: HookKind,
    pub(crate) account: Arc<Account>,
    pub(crate) sid: String,
    pub(crate) url: String,
    pub(crate) idempotency_token: String,
    pub(crate) form: Form,
}

impl Inner {
    /// A fresh `I-Twilio-Idempotency-Token`.
    pub(crate) fn idempotency_token(&self) -> String {
        uuid::Builder::from_random_bytes(entropy::bytes(&*self.entropy)).into_uuid().to_string()
    }

    /// Makes the call so many times, each with its retries. Returns every call, copies one after the other.
    pub(crate) async fn deliver(&self, hook: &Hook, copies: Copies) -> Vec<Delivery> {
        self.exchange(hook, copies).await.into_iter().map(|(delivery, _)| delivery).collect()
    }

    /// The same with what was answered.
    pub(crate) async fn exchange(&self, hook: &Hook, copies: Copies) -> Vec<(Delivery, Option<Response>)> {
        if copies.concurrent {
            return join_all((0..copies.count).map(|_| self.deliver_once(hook))).await.into_iter().flatten().collect();
        }
        let mut exchanges = Vec::new();
        for _ in 0..copies.count {
            exchanges.extend(self.deliver_once(hook).await);
        }
        exchanges
    }

    /// Makes the call, and again as often as its URL asks for. Returns each try.
    async fn deliver_once(&self, hook: &Hook) -> Vec<(Delivery, Option<Response>)> {
        let retries = Retries::of(&hook.url, hook.kind);
        let mut tries = Vec::new();
        loop {
            let (delivery, response) = self.call(hook).await;
            let again = tries.len() < retries.count && retries.covers(&delivery.outcome);
            tries.push((delivery, response));
            if !again {
                return tries;
            }
        }
    }

    async fn call(&self, hook: &Hook) -> (Delivery, Option<Response>) {
        let at_ms = self.clock.now_ms();
        let (outcome, response) = match self.post(hook).await {
            Ok(response) => (Outcome::Answered { status: response.status.as_u16() }, Some(response)),
            Err(outcome) => (outcome, None),
        };
        let delivery = Delivery {
            at_ms,
            kind: hook.kind,
            sid: hook.sid.clone(),
            url: hook.url.clone(),
            idempotency_token: hook.idempotency_token.clone(),
            form: hook.form.clone(),
            outcome,
        };
        tracing::debug!(kind = ?delivery.kind, sid = %delivery.sid, outcome = ?delivery.outcome, "called a webhook");
        self.record_delivery(delivery.clone());
        (delivery, response)
    }

    async fn post(&self, hook: &Hook) -> Result<Response, Outcome> {
        let url = match Url::parse(&hook.url) {
            Ok(url) => url,
            Err(error) => return Err(Outcome::NotConnected { reason: error.to_string() }),
        };
        let fields = hook.form.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let signature = signature::sign(&hook.account.config.auth_token, &hook.url, fields.clone());
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = Request {
            method: Method::POST,
            url,
            headers: headers(&signature, &hook.idempotency_token),
            body: Bytes::from(body),
            timeout: Duration::from_millis(self.config.webhook_timeout_ms),
            max_response_bytes: MAX_ANSWER_BYTES,
            trusted: true,
        };
        self.client.execute(request).await.map_err(|failure| match failure {
            Failure::Blocked(reason) | Failure::NotSent(reason) => Outcome::NotConnected { reason },
            Failure::Lost(reason) => Outcome::NoAnswer { reason },
        })
    }
}

/// The headers that Twilio sends. Values are hexadecimal or base64, so each of them is a legal header.
fn headers(signature: &str, idempotency_token: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded; charset=UTF-8"));
    headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
    headers.insert(header::USER_AGENT, HeaderValue::from_static("TwilioProxy/1.1"));
    for (name, value) in [(signature::HEADER, signature), ("i-twilio-idempotency-token", idempotency_token)] {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
    headers
}
