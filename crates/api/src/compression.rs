//! Compressed answers, for those who ask: JSON and text of a kilobyte and more, with brotli or gzip at their cheapest.
//!
//! Compressing a secret beside what an attacker chooses tells its length (BREACH). So nothing is compressed that must not be kept
//! (`no-store`: tokens and passwords that are shown once) or that sets a cookie, nor any answer to a request that
//! carries a cookie and was started by another site. Files go out as they are: most are compressed already.

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use http::header::{ACCEPT_ENCODING, ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_RANGE, CONTENT_TYPE, COOKIE, SET_COOKIE};
use http::{Extensions, HeaderMap, HeaderName, StatusCode, Version};
use tower_http::compression::predicate::{Predicate, SizeAbove};
use tower_http::compression::{CompressionLayer, CompressionLevel};

/// Smaller bodies fit into a packet as they are.
const WORTH_IT: u64 = 1024;
/// Which site started a request (W3C Fetch Metadata); browsers alone send it.
const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Puts the layer around the routes.
pub(crate) fn around<S: Clone + Send + Sync + 'static>(routes: Router<S>) -> Router<S> {
    let worth_it = SizeAbove::new(WORTH_IT).and(may_be_compressed);
    let layer = CompressionLayer::new().quality(CompressionLevel::Fastest).compress_when(worth_it);
    routes.layer(layer).layer(from_fn(guard))
}

/// Takes away the wish where granting it would tell something to another site.
async fn guard(mut request: Request, next: Next) -> Response {
    let headers = request.headers_mut();
    let elsewhere = headers.get(SITE).is_some_and(|site| site != "same-origin" && site != "none");
    if elsewhere && headers.contains_key(COOKIE) {
        headers.remove(ACCEPT_ENCODING);
    }
    next.run(request).await
}

fn may_be_compressed(_: StatusCode, _: Version, headers: &HeaderMap, _: &Extensions) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = text(CONTENT_TYPE).split(';').next().unwrap_or_default().trim();
    let is_text = match kind.split_once('/') {
        Some(("text", subtype)) => subtype != "event-stream",
        Some(("application", subtype)) => ["json", "javascript", "xml"].contains(&subtype) || subtype.ends_with("+json"),
        Some(("image", subtype)) => subtype == "svg+xml",
        _ => false,
    };
    let is_file = [CONTENT_DISPOSITION, CONTENT_RANGE, ACCEPT_RANGES].iter().any(|name| headers.contains_key(name));
    let control = text(CACHE_CONTROL);
    is_text && !is_file && !headers.contains_key(SET_COOKIE) && !control.contains("no-store") && !control.contains("no-transform")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_compressed_and_files_streams_and_secrets_are_not() {
        let may = |pairs: &[(&HeaderName, &str)]| {
            let headers = pairs.iter().map(|(name, value)| ((*name).clone(), value.parse().unwrap())).collect();
            may_be_compressed(StatusCode::OK, Version::HTTP_11, &headers, &Extensions::new())
        };
        for kind in ["application/json", "application/problem+json", "text/html; charset=utf-8", "text/css", "image/svg+xml"] {
            assert!(may(&[(&CONTENT_TYPE, kind)]), "{kind}");
        }
        for kind in ["image/jpeg", "video/mp4", "text/event-stream", "application/octet-stream", "application/zip", ""] {
            assert!(!may(&[(&CONTENT_TYPE, kind)]), "{kind}");
        }
        for (name, value) in [
            (&CACHE_CONTROL, "no-store"),
            (&CACHE_CONTROL, "private, no-transform"),
            (&SET_COOKIE, "a=b"),
            (&CONTENT_DISPOSITION, "attachment"),
            (&ACCEPT_RANGES, "bytes"),
        ] {
            assert!(!may(&[(&CONTENT_TYPE, "application/json"), (name, value)]), "{name}: {value}");
        }
    }
}
