//! What each command does.

mod connections;
pub(crate) mod database;
pub(crate) mod demo;
pub(crate) mod directory;
pub(crate) mod serve;
pub(crate) mod simulate;
