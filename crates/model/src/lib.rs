//! The vocabulary of Parlance: ids, values, entities, state machines and errors.
//!
//! Everything here is pure and synchronous. This crate knows no SQL, no HTTP and no runtime; the clock and
//! randomness are traits that the binary fills in and tests steer.

pub mod account;
pub mod audit;
pub mod call;
pub mod channel;
pub mod clock;
pub mod contact;
pub mod conversation;
pub mod delivery;
pub mod entropy;
pub mod error;
pub mod event;
pub mod failpoint;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod id;
pub mod inbound;
pub mod job;
pub mod key;
pub mod listed;
pub mod masked;
pub mod media;
pub mod message;
pub mod opt_out;
pub mod org;
pub mod outbound;
pub mod phone;
pub mod place;
pub mod role;
pub mod search;
pub mod segments;
pub mod text;

pub use error::{Error, Result};
