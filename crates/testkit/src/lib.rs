//! The test harness: a private PostgreSQL, a fresh database of either kind, the record of which cases ran on which, and the
//! stable run of fuzz targets.
//!
//! It knows no crate of the house, so every one of them can use it (in `[dev-dependencies]` only), and `cargo xtask` too.
//! What is opened on a [`FreshDatabase`] is the caller's business.

pub mod database;
pub mod fuzz;
pub mod postgres;

mod both_databases;
#[cfg(feature = "contents")]
mod contents;
mod programs;

#[cfg(feature = "contents")]
pub use contents::Contents;
pub use database::{Database, FreshDatabase, databases, record_case};
pub use postgres::{Cluster, postgres_url};

/// A PNG of one pixel.
pub const PIXEL: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89\0\0\0\rIDATx\x9cc\xf8\xcf\xc0\xf0\x1f\0\x05\0\x01\xff\x89\x99=\x1d\0\0\0\0IEND\xaeB`\x82";
