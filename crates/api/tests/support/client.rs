//! A caller of the API, and what it is answered.

use std::net::SocketAddr;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use bytes::Bytes;
use http::{HeaderMap, Request};
use serde_json::Value;
use tower::ServiceExt as _;

/// Somebody with a key, or without one.
#[derive(Clone)]
pub(crate) struct Client {
    router: Router,
    token: Option<String>,
    /// Where the requests seem to come from.
    place: Option<SocketAddr>,
}

/// What came back.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// The body, if it is JSON.
    pub(crate) json: Value,
}

impl Client {
    pub(crate) fn new(router: Router, token: Option<String>) -> Self {
        Self { router, token, place: None }
    }

    /// The same caller at this address.
    pub(crate) fn at(&self, place: &str) -> Self {
        Self { place: Some(place.parse().unwrap()), ..self.clone() }
    }

    /// The same caller at another server.
    pub(crate) fn behind(&self, router: Router) -> Self {
        Self { router, ..self.clone() }
    }

    /// The same caller with this key.
    pub(crate) fn showing(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], "").await
    }

    pub(crate) async fn post(&self, path: &str, body: impl Into<Value>) -> Answer {
        self.post_with(path, &[], body).await
    }

    pub(crate) async fn post_with(&self, path: &str, headers: &[(&str, &str)], body: impl Into<Value>) -> Answer {
        let headers: Vec<_> = headers.iter().copied().chain([("content-type", "application/json")]).collect();
        self.send("POST", path, &headers, body.into().to_string()).await
    }

    pub(crate) async fn put(&self, path: &str, body: impl Into<Value>) -> Answer {
        self.send("PUT", path, &[("content-type", "application/json")], body.into().to_string()).await
    }

    /// Uploads a file.
    pub(crate) async fn upload(&self, name: &str, content: &[u8]) -> Answer {
        let head = format!("--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n");
        let form = [head.as_bytes(), content, b"\r\n--x--\r\n"].concat();
        self.send("POST", "/api/v1/media", &[("content-type", "multipart/form-data; boundary=x")], form).await
    }

    /// Any request at all.
    pub(crate) async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(place) = self.place {
            request = request.extension(ConnectInfo(place));
        }
        let response = self.router.clone().oneshot(request.body(body.into()).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        let json = serde_json::from_slice(&body).unwrap_or(Value::Null);
        let answer = Answer { status: parts.status.as_u16(), headers: parts.headers, body, json };
        answer.check();
        answer
    }
}

impl Answer {
    /// What is true of every answer.
    fn check(&self) {
        assert!(!self.header("x-request-id").is_empty(), "{self:?}");
        if self.status >= 400 {
            assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
            assert_eq!(self.json["status"], self.status, "{self:?}");
            assert_eq!(self.json["type"], format!("/problems/{}", self.code()), "{self:?}");
            assert!(["title", "detail", "request_id"].iter().all(|field| self.json[field].is_string()), "{self:?}");
        }
    }

    /// The same answer, once it has this status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }

    /// The same answer, once it is this problem.
    #[track_caller]
    pub(crate) fn expect_problem(self, status: u16, code: &str) -> Self {
        assert_eq!((self.status, self.code()), (status, code), "{}", self.text());
        self
    }

    /// The same answer, once it refuses this field.
    #[track_caller]
    pub(crate) fn expect_wrong(self, field: &str) -> Self {
        let answer = self.expect_problem(422, "validation_failed");
        assert_eq!(answer.json["errors"][0]["field"], field, "{}", answer.text());
        assert!(answer.json["errors"][0]["message"].as_str().is_some_and(|remedy| remedy.len() > 5), "{}", answer.text());
        answer
    }

    /// What was asked for.
    pub(crate) fn data(&self) -> &Value {
        &self.json["data"]
    }

    /// The problem's code.
    pub(crate) fn code(&self) -> &str {
        self.json["code"].as_str().unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap_or("(no text)")
    }
}
