//! How many tests passed and failed, read off what the runners print.

use std::fmt;

/// The sum over all suites.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) passed: u64,
    pub(super) failed: u64,
}

impl Tally {
    /// Adds a line of output, if it closes a run: libtest's `test result: ok. 3 passed; 0 failed; …`, or our own
    /// `3 passed, 0 failed`.
    pub(super) fn read(&mut self, line: &str) {
        let counts = match line.strip_prefix("test result: ") {
            Some(result) => result.split_once(". ").map(|(_, counts)| counts.split("; ")).and_then(two_counts),
            None => two_counts(line.split(", ")).filter(|_| line.matches(", ").count() == 1),
        };
        if let Some((passed, failed)) = counts {
            self.passed += passed;
            self.failed += failed;
        }
    }
}

/// `N passed` and `N failed`, in this order.
fn two_counts<'a>(mut parts: impl Iterator<Item = &'a str>) -> Option<(u64, u64)> {
    let passed = parts.next()?.strip_suffix(" passed")?.parse().ok()?;
    let failed = parts.next()?.strip_suffix(" failed")?.parse().ok()?;
    Some((passed, failed))
}

impl fmt::Display for Tally {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} passed, {} failed", self.passed, self.failed)
    }
}

#[cfg(test)]
mod tests {
    use super::Tally;

    fn read(lines: &[&str]) -> Tally {
        let mut tally = Tally::default();
        for line in lines {
            tally.read(line);
        }
        tally
    }

    #[test]
    fn closing_lines_are_summed() {
        let tally = read(&[
            "test result: ok. 9 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.66s",
            "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s",
            "4 passed, 1 failed",
        ]);
        assert_eq!(tally, Tally { passed: 14, failed: 3 });
        assert_eq!(tally.to_string(), "14 passed, 3 failed");
    }

    #[test]
    fn other_lines_count_nothing() {
        let lines =
            ["test a::b ... ok", "running 9 tests", "12 passed", "test result: 3 passed", "3 passed, 1 failed, 2 skipped by hand", ""];
        assert_eq!(read(&lines), Tally::default());
    }
}
