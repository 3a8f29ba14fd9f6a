//! What each command does.

pub(crate) mod account;
pub(crate) mod audit;
pub(crate) mod backup;
pub(crate) mod bench;
pub(crate) mod config;
mod connections;
pub(crate) mod database;
pub(crate) mod demo;
pub(crate) mod key;
mod open_files;
pub(crate) mod org;
mod redirect;
pub(crate) mod serve;
pub(crate) mod shell;
pub(crate) mod simulate;
pub(crate) mod torture;
pub(crate) mod user;

use std::io::Read as _;

use parlance_model::clock::iso8601;
use parlance_model::{Error, Result};
use serde_json::Value;

/// A password from standard input, without the line's end.
fn from_stdin() -> Result<String> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).map_err(|cause| Error::invalid("stdin", "Must be UTF-8 text.").with_source(cause))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// A time as commands show it.
fn moment(at_ms: Option<i64>) -> Value {
    at_ms.map(iso8601).into()
}
