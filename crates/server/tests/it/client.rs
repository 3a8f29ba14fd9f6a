//! A real HTTP client: calls of the API with a key, and hooks signed as Twilio signs them.

use std::time::Duration;

use http::Method;
use parlance_net::{Client, Failure, Policy, Request};
use parlance_sim::twilio::signature;
use serde_json::Value;

pub(crate) const SID: &str = "AC00000000000000000000000000000001";
pub(crate) const TOKEN: &str = "not-a-real-auth-token-0000000001";
pub(crate) const NUMBER: &str = "+15551234567";

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

#[derive(Clone)]
pub(crate) struct Api {
    http: Client,
    url: String,
    key: String,
}

impl Api {
    pub(crate) fn new(url: &str, key: &str) -> Self {
        Self { http: Client::new(Policy::default()).unwrap(), url: url.to_owned(), key: key.to_owned() }
    }

    /// The same caller at another copy of the server.
    pub(crate) fn at(&self, url: &str) -> Self {
        Self { url: url.to_owned(), ..self.clone() }
    }

    pub(crate) async fn call(&self, method: Method, path: &str, body: Option<Value>, headers: &[(&str, &str)]) -> Result<Answer, Failure> {
        let Some(body) = body else { return self.send(method, path, Vec::new(), headers).await };
        let headers: Vec<_> = headers.iter().copied().chain([("content-type", "application/json")]).collect();
        self.send(method, path, body.to_string().into_bytes(), &headers).await
    }

    /// A call with any body.
    pub(crate) async fn send(&self, method: Method, path: &str, body: Vec<u8>, headers: &[(&str, &str)]) -> Result<Answer, Failure> {
        let mut request = Request::get(format!("{}{path}", self.url).parse().unwrap());
        request.method = method;
        request.trusted = true;
        request.timeout = Duration::from_secs(30);
        request.headers.insert("authorization", format!("Bearer {}", self.key).parse().unwrap());
        for (name, value) in headers {
            request.headers.insert(http::HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        }
        request.body = body.into();
        let answer = self.http.execute(request).await?;
        Ok(Answer { status: answer.status.as_u16(), body: serde_json::from_slice(&answer.body).unwrap_or(Value::Null) })
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let answer = self.call(Method::GET, path, None, &[]).await.unwrap();
        assert_eq!(answer.status, 200, "{path}: {:?}", answer.body);
        answer.body
    }

    /// Every row of a list, page by page.
    pub(crate) async fn all(&self, path: &str) -> Vec<Value> {
        let (mut rows, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = self.get(&format!("{path}?limit=200{cursor}")).await;
            rows.extend(page["data"].as_array().unwrap().iter().cloned());
            match page["meta"]["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return rows,
            }
        }
    }

    /// An inbound SMS, signed for `public_url`.
    pub(crate) async fn inbound(&self, public_url: &str, sid: &str, from: &str, text: &str) -> Result<u16, Failure> {
        let form = [("AccountSid", SID), ("MessageSid", sid), ("From", from), ("To", NUMBER), ("Body", text), ("NumMedia", "0")];
        self.hook(public_url, "/webhooks/twilio", &form).await
    }

    /// A hook with this form, signed for `public_url`.
    pub(crate) async fn hook(&self, public_url: &str, path: &str, form: &[(&str, &str)]) -> Result<u16, Failure> {
        let signed = signature::sign(TOKEN, &format!("{public_url}{path}"), form.iter().copied());
        let mut request = Request::post(format!("{}{path}", self.url).parse().unwrap()).form(form.iter().copied());
        request.trusted = true;
        request.headers.insert("x-twilio-signature", signed.parse().unwrap());
        Ok(self.http.execute(request).await?.status.as_u16())
    }
}
