//! Where a request comes from, as far as it is known: failed tries are counted by it.

use std::net::SocketAddr;

use axum::extract::ConnectInfo;
use http::request::Parts;

/// The caller's address, without its port. Empty in process.
pub(crate) fn of(parts: &Parts) -> String {
    parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip().to_string()).unwrap_or_default()
}
