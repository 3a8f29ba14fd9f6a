//! Bodies: read whole and once, before anything looks at them, and never larger than the limit.

use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use http::{Method, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use parlance_model::error::Kind;
use parlance_model::{Error, Result};

use crate::problem::Answer;

/// The largest body of a request, in bytes.
pub(crate) const LIMIT: usize = 1024 * 1024;
/// How long a body may take to arrive.
const LONGEST: Duration = Duration::from_secs(30);

/// The layer: hands the request on with its whole body in memory. `GET` and `HEAD` have none.
pub(crate) async fn take(request: Request, next: Next) -> Answer<Response> {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return Ok(next.run(request).await);
    }
    let (parts, body) = request.into_parts();
    let announced = parts.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > LIMIT as u64) {
        return Err(too_large().into());
    }
    let bytes = read(body).await?;
    Ok(next.run(Request::from_parts(parts, Body::from(bytes))).await)
}

/// The whole of a body.
///
/// # Errors
/// `body_too_large`; `broken_body` when the client stopped in the middle.
pub(crate) async fn read(body: Body) -> Result<Bytes> {
    let Ok(collected) = tokio::time::timeout(LONGEST, Limited::new(body, LIMIT).collect()).await else {
        let text = "The request's body did not arrive in time. Send it again.";
        return Err(Error::new(Kind::Malformed, "broken_body", text));
    };
    match collected {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large()),
        Err(error) => {
            Err(Error::new(Kind::Malformed, "broken_body", "The request's body ended too early. Send it again.").with_source(error))
        }
    }
}

fn too_large() -> Error {
    Error::new(Kind::TooLarge, "body_too_large", "The request's body must be at most 1 MiB.")
}
