//! The store's cases: every public function, on SQLite and on PostgreSQL. One binary, a module for each aggregate.
#![expect(clippy::unwrap_used, reason = "a test crate; clippy knows only its test functions")]

mod accounts;
mod attempts;
mod audit;
mod backups;
mod contacts;
mod conversations;
mod counters;
mod dice;
mod differential;
mod disable;
mod doctor;
mod events;
mod fixture;
mod health;
mod hooks;
mod idempotency;
mod jobs;
mod keys;
mod lists;
mod media;
mod messages;
mod migrations;
mod opt_outs;
mod orgs;
mod outages;
mod raw;
mod restores;
mod scratch;
mod search;
mod search_index;
mod sessions;
mod staff;
mod tls;
mod transactions;
mod versions;
