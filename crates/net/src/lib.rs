//! The one guarded HTTP client: everything that Parlance asks of another server goes through [`Client`].
//!
//! Two things are owned here and nowhere else. The address guard (server-side request forgery): URLs come from
//! providers, from staff and from strangers, so private, loopback and other special addresses are refused, whether
//! written in the URL or found by resolving a name. And the honest outcome: whoever hands a message to a provider
//! must know whether the request certainly never left, or may have arrived ([`Failure`]).
//!
//! What is not here: retries (jobs own them), and the meaning of any answer.

mod client;
mod guard;
mod names;
mod request;
mod streamed;
#[cfg(test)]
mod tests;

pub use client::Client;
pub use guard::{Policy, is_local};
pub use request::{Failure, Request, Response};
pub use streamed::Streamed;
