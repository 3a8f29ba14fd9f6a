//! The API in process, on both databases, with a simulated Twilio behind it.
#![expect(clippy::unwrap_used, reason = "a test crate; clippy knows only its test functions")]

#[path = "../support/mod.rs"]
mod support;

mod access;
mod audit;
mod basics;
mod calls;
mod compression;
mod contacts;
mod conversations;
mod described;
mod directory;
mod disable;
mod hooks;
mod hostile;
mod idempotency;
mod limits;
mod media;
mod metrics;
mod openapi;
mod placing;
mod problems;
mod reference;
mod retry;
mod search;
mod sending;
mod sessions;
mod settings;
mod setup;
mod surface;
mod tags;
mod voice;
mod whatsapp;
