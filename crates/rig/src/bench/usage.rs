//! What the process has used so far: processor time, bytes handed to the disk, and what the store counted.

use std::fs;

use parlance_model::Result;
use parlance_store::metrics::Registry;
use rustix::time::{ClockId, clock_gettime};

use super::unreadable;

/// Sums since the process began, or what came between two of them.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Usage {
    /// Processor time of all threads, in microseconds.
    pub(super) cpu_us: u64,
    /// Bytes that went to storage for this process (`write_bytes` of `/proc/self/io`).
    pub(super) written: u64,
    /// Commits of the rows and of the search index.
    pub(super) commits: u64,
    /// Times that a write-ahead log was moved into its database.
    pub(super) checkpoints: u64,
}

impl Usage {
    /// Now.
    ///
    /// # Errors
    /// `unavailable` without `/proc`.
    pub(super) fn now(registry: &Registry) -> Result<Self> {
        let time = clock_gettime(ClockId::ProcessCPUTime);
        let cpu_us = time.tv_sec * 1_000_000 + time.tv_nsec / 1000;
        let io = fs::read_to_string("/proc/self/io").map_err(unreadable)?;
        let written = io.lines().find_map(|line| line.strip_prefix("write_bytes: ")?.parse().ok());
        let page = registry.render();
        Ok(Self {
            cpu_us: u64::try_from(cpu_us).unwrap_or_default(),
            written: written.ok_or_else(|| unreadable("/proc/self/io has no write_bytes"))?,
            commits: sum(&page, "parlance_write_commit_duration_seconds_count"),
            checkpoints: sum(&page, "parlance_sqlite_checkpoints_total") + sum(&page, "parlance_sqlite_wal_restarts_total"),
        })
    }

    /// What came between an earlier moment and this one.
    pub(super) const fn since(self, earlier: Self) -> Self {
        Self {
            cpu_us: self.cpu_us - earlier.cpu_us,
            written: self.written - earlier.written,
            commits: self.commits - earlier.commits,
            checkpoints: self.checkpoints - earlier.checkpoints,
        }
    }
}

/// The sum of a whole-numbered metric over its labels, in Prometheus's text format.
fn sum(page: &str, name: &str) -> u64 {
    let value = |line: &str| -> Option<u64> {
        let rest = line.strip_prefix(name)?;
        rest.starts_with(['{', ' ']).then(|| rest.rsplit(' ').next()?.parse().ok()).flatten()
    };
    page.lines().filter_map(value).sum()
}

#[cfg(test)]
mod tests {
    use super::sum;

    #[test]
    fn a_metric_is_summed_over_its_labels_and_no_other_is_taken_for_it() {
        let page = "# HELP a_total x\na_total{of=\"main\"} 3\na_total{of=\"index\"} 4\na_total_more 100\na_total 5\n";
        assert_eq!(sum(page, "a_total"), 12);
    }
}
