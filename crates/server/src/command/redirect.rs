//! The plain http listener beside https (`--redirect-http`): sends browsers on, and refuses what must not have come unencrypted.

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::header::{AUTHORIZATION, LOCATION};
use http::{HeaderValue, StatusCode};
use parlance_model::{Error, Result};
use url::Url;

/// Answers everything with the way to the public URL's host. The request's own Host is never used: anybody may write into it.
///
/// # Errors
/// `internal` for a public URL that is none.
pub(crate) fn router(public_url: &str) -> Result<Router> {
    let origin = Url::parse(public_url).map_err(Error::internal)?.origin().ascii_serialization();
    Ok(Router::new().fallback(move |request: Request| std::future::ready(answer(&origin, &request))))
}

fn answer(origin: &str, request: &Request) -> Response {
    // A provider that called http was told the wrong URL, and signs that one: the redirected hook would be refused, so say it here.
    if request.uri().path().starts_with("/webhooks/") {
        return refused("Hooks are taken over https only. Give the provider the https URL.\n");
    }
    // The key has been seen by everybody on the way already; sending it on quietly would hide that.
    if request.headers().contains_key(AUTHORIZATION) {
        return refused("Call the API over https only. This key went over the network unencrypted: revoke it.\n");
    }
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    match HeaderValue::try_from(format!("{origin}{path}")) {
        Ok(location) => (StatusCode::PERMANENT_REDIRECT, [(LOCATION, location)]).into_response(),
        Err(_) => StatusCode::BAD_REQUEST.into_response(),
    }
}

fn refused(text: &'static str) -> Response {
    (StatusCode::FORBIDDEN, text).into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use http::Request;
    use tower::ServiceExt as _;

    use super::router;

    async fn asked(request: http::request::Builder) -> (u16, String) {
        let router = router("https://chat.example.com:8443/base").unwrap();
        let response = router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let location = response.headers().get("location").map(|value| value.to_str().unwrap().to_owned());
        (response.status().as_u16(), location.unwrap_or_default())
    }

    #[tokio::test]
    async fn browsers_are_sent_to_the_same_page_of_the_public_host() {
        for path in ["/", "/setup?token=x%20y", "//evil.example.com/", "/a/../b"] {
            let to = format!("https://chat.example.com:8443{path}");
            assert_eq!(asked(Request::get(path).header("host", "evil.example.com")).await, (308, to), "{path}");
        }
        assert_eq!(asked(Request::post("http://evil.example.com/x")).await, (308, "https://chat.example.com:8443/x".to_owned()));
    }

    #[tokio::test]
    async fn hooks_and_keys_are_refused() {
        assert_eq!(asked(Request::post("/webhooks/twilio")).await, (403, String::new()));
        assert_eq!(asked(Request::get("/webhooks/twilio/a/x")).await, (403, String::new()));
        assert_eq!(asked(Request::get("/api/v1/me").header("authorization", "Bearer x")).await, (403, String::new()));
    }
}
