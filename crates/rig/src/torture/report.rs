//! What came of it.

use std::path::PathBuf;
use std::time::Duration;

/// The result of a run.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Where the randomness began.
    pub seed: u64,
    /// How often the server was killed.
    pub kills: u32,
    /// How many of these kills were at a named step, where the build has such steps.
    pub kills_at_steps: u32,
    /// How often the server met a full disk, and room on it again.
    pub full_disks: u32,
    /// Connections that were cut in the middle: of clients, to the provider and to PostgreSQL.
    pub cuts: u64,
    /// What the server answered 2xx to.
    pub acknowledged: usize,
    /// How much of it was there at the end.
    pub found: usize,
    /// What was stored or sent twice.
    pub doubled: usize,
    /// Messages of which nobody can say whether they were sent.
    pub unknown: usize,
    /// Messages that the provider took.
    pub sent: usize,
    /// The longest that a start after a kill took, until the server listened.
    pub slowest_start: Duration,
    /// Each promise that was broken. Empty: all were kept.
    pub wrong: Vec<String>,
    /// Where data folder, journal and log of a run with broken promises are.
    pub evidence: Option<PathBuf>,
}
