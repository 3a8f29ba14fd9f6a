//! Where a request comes from, as the connection says. Whoever wants to know a caller's address asks here.

use std::net::SocketAddr;

use axum::extract::ConnectInfo;
use http::Extensions;
use parlance_model::place::Place;

/// The caller's place; unknown in process.
pub(crate) fn of(extensions: &Extensions) -> Place {
    extensions.get::<ConnectInfo<SocketAddr>>().map_or(Place::UNKNOWN, |ConnectInfo(address)| Place::of(address.ip()))
}
