//! The binary itself, from outside: commands, real HTTP, two processes on one database, `kill -9`.

mod client;
mod cluster;
mod commands;
mod crash;
mod process;
