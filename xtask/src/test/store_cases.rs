//! The record of the store's cases: the proof that each ran on both databases. Testkit writes it, a line a passed case.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use parlance_testkit::{Database, databases};

use crate::shell::Result;

/// Other crates' cases are on record too, and are not the store's.
const PACKAGE: &str = "parlance-store/";

/// The store's cases that passed, by database.
#[derive(Debug)]
pub(super) struct StoreCases {
    sqlite: BTreeSet<String>,
    postgres: BTreeSet<String>,
}

impl StoreCases {
    /// Reads the record.
    pub(super) fn read(file: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(file).map_err(|error| format!("the record of the store cases {}: {error}", file.display()))?;
        Ok(Self::parse(&text))
    }

    fn parse(text: &str) -> Self {
        let on = |database: Database| {
            let lines = text.lines().filter_map(|line| line.split_once(' ')).filter(|(word, _)| *word == database.name());
            lines.map(|(_, name)| name).filter(|name| name.starts_with(PACKAGE)).map(str::to_owned).collect()
        };
        let [sqlite, postgres] = databases().map(on);
        Self { sqlite, postgres }
    }

    /// What is wrong with the record of a full run.
    pub(super) fn complaints(&self) -> Vec<String> {
        if self.sqlite.is_empty() && self.postgres.is_empty() {
            return vec!["no store case ran: tests of the store are written with both_databases!".to_owned()];
        }
        let lonely = |one: &BTreeSet<String>, other: &BTreeSet<String>, missing: Database| {
            let names = one.difference(other);
            names.map(|name| format!("store case {name} did not pass on {}", missing.name())).collect::<Vec<_>>()
        };
        let mut complaints = lonely(&self.sqlite, &self.postgres, Database::Postgres);
        complaints.extend(lonely(&self.postgres, &self.sqlite, Database::Sqlite));
        complaints
    }
}

impl fmt::Display for StoreCases {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "store cases: sqlite {}, postgres {}", self.sqlite.len(), self.postgres.len())
    }
}

#[cfg(test)]
mod tests {
    use super::StoreCases;

    #[test]
    fn equal_cases_are_counted_and_other_packages_are_not() {
        let cases = StoreCases::parse("sqlite parlance-store/a\npostgres parlance-store/a\nsqlite parlance-testkit/b\n");
        assert_eq!(cases.to_string(), "store cases: sqlite 1, postgres 1");
        assert!(cases.complaints().is_empty());
    }

    #[test]
    fn a_case_on_one_database_only_is_named() {
        let cases = StoreCases::parse("sqlite parlance-store/a\npostgres parlance-store/b\n");
        assert_eq!(
            cases.complaints(),
            ["store case parlance-store/a did not pass on postgres", "store case parlance-store/b did not pass on sqlite"]
        );
    }

    #[test]
    fn no_case_at_all_is_a_complaint() {
        assert_eq!(StoreCases::parse("").complaints().len(), 1);
    }
}
