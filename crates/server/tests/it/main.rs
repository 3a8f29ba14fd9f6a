//! The binary itself, from outside: commands, real HTTP, two processes on one database, `kill -9`.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test panics where it cannot go on, and waits for its own tasks")]

mod acme;
mod backup;
mod bench;
mod client;
mod cluster;
mod commands;
mod demo;
mod fsync;
mod https;
mod logs;
mod media;
mod process;
mod schema;
mod settings;
mod shell;
mod switches;
mod tls;
mod torture;
mod trial;
