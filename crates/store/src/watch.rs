//! Whoever watches work that takes its time: told how far it is, and asked whether to stop. Shows nothing itself.

use std::sync::atomic::{AtomicBool, Ordering};

use parlance_model::error::Kind;
use parlance_model::{Error, Result};

/// What a stage's numbers count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Bytes.
    Bytes,
    /// Rows of the database.
    Rows,
}

/// Is told how far long work is.
pub trait Watch: Send + Sync {
    /// The next stage begins: what it does, and how much there is of it where that is known.
    fn stage(&self, what: &'static str, total: Option<u64>, unit: Unit);

    /// So much more is done.
    fn advance(&self, by: u64);

    /// Whether to stop. What was begun is then taken away again.
    fn is_cancelled(&self) -> bool;
}

/// Nobody watches; the work can still be stopped.
#[derive(Debug, Default)]
pub struct Unwatched(AtomicBool);

impl Unwatched {
    /// Asks the work to stop.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Watch for Unwatched {
    fn stage(&self, _what: &'static str, _total: Option<u64>, _unit: Unit) {}

    fn advance(&self, _by: u64) {}

    fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// Tells of progress and ends the work when that was asked for.
///
/// # Errors
/// `cancelled`.
pub fn advance(watch: &dyn Watch, by: u64) -> Result<()> {
    watch.advance(by);
    go_on(watch)
}

/// Ends the work when that was asked for.
///
/// # Errors
/// `cancelled`.
pub fn go_on(watch: &dyn Watch) -> Result<()> {
    match watch.is_cancelled() {
        true => Err(Error::new(Kind::Conflict, "cancelled", "Stopped. Nothing half-made was left behind.")),
        false => Ok(()),
    }
}
