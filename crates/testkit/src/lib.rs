//! The test harness: a private PostgreSQL, a fresh database of either kind, and the record of which cases ran on which.
//!
//! It knows no crate of the house, so every one of them can use it (in `[dev-dependencies]` only), and `cargo xtask` too.
//! What is opened on a [`FreshDatabase`] is the caller's business.

pub mod database;
pub mod postgres;

mod both_databases;
#[cfg(feature = "contents")]
mod contents;
mod programs;

#[cfg(feature = "contents")]
pub use contents::Contents;
pub use database::{Database, FreshDatabase, databases, record_case};
pub use postgres::{Cluster, postgres_url};
