//! The store's SQL: texts that differ by database are counted, and migrations come in pairs.

use std::collections::BTreeMap;

use super::tree::{Finding, Tree, numbered};

/// How many SQL texts differ by database. It may only fall, so it is exact: who removes one lowers it.
const DIFFERING: usize = 9;

/// This file, which the advice names.
const HERE: &str = "xtask/src/tidy/sql.rs";

/// Texts that differ are the exception: one SQL text serves both databases.
pub(super) fn differing_texts(tree: &Tree) -> Vec<Finding> {
    differing_against(tree, DIFFERING)
}

fn differing_against(tree: &Tree, budget: usize) -> Vec<Finding> {
    let sources = tree.rust().filter(|(path, _)| path.starts_with("crates/store/src/") && !path.ends_with("/tests.rs"));
    let lines = sources.flat_map(|(path, text)| numbered(text).map(move |(number, line)| (path, number, line)));
    let places: Vec<_> = lines.filter(|(_, _, line)| line.contains("Sql::differs(") && !line.trim_start().starts_with("//")).collect();
    match (places.len(), places.last()) {
        (count, Some((path, number, _))) if count > budget => {
            let advice = format!("SQL texts that differ by database: {count}, and {budget} may; write one text for both");
            vec![Finding::new(path, *number, "sql-differs", advice)]
        }
        (count, _) if count < budget => {
            let advice = format!("SQL texts that differ by database: {count}; lower DIFFERING from {budget} to {count}");
            vec![Finding::new(HERE, 1, "sql-differs", advice)]
        }
        _ => Vec::new(),
    }
}

/// A migration is a numbered folder with one file a database.
pub(super) fn migrations(tree: &Tree) -> Vec<Finding> {
    let mut folders: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for path in tree.paths().filter(|path| path.starts_with("crates/store/") && path.contains("/migrations/")) {
        if let Some((folder, file)) = path.rsplit_once('/').filter(|(folder, _)| !folder.ends_with("/migrations")) {
            folders.entry(folder).or_default().push(file);
        }
    }
    let mut findings = Vec::new();
    let mut numbers = BTreeMap::new();
    for (folder, files) in folders {
        for file in ["sqlite.sql", "postgres.sql"].iter().filter(|file| !files.contains(file)) {
            findings.push(Finding::new(folder, 1, "migrations", format!("add {file}: each migration runs on both databases")));
        }
        let name = folder.rsplit_once('/').map_or(folder, |(_, name)| name);
        let number = name.split(['_', '-']).next().and_then(|digits| digits.parse::<u32>().ok());
        match number {
            None => findings.push(Finding::new(folder, 1, "migrations", "begin the folder's name with the migration's number")),
            Some(number) => {
                if let Some(other) = numbers.insert(number, folder) {
                    findings.push(Finding::new(folder, 1, "migrations", format!("number {number} is taken by {other}: take the next")));
                }
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::tree::{Tree, places};
    use super::{HERE, differing_against, migrations};

    #[test]
    fn the_number_of_differing_texts_is_held_in_both_directions() {
        let two =
            "//! `Sql::differs(` explained.\nconst A: Sql = Sql::differs(\"a\", \"b\");\nconst B: Sql = Sql::differs(\"a\", \"b\");\n";
        let tree = Tree::of(&[("crates/store/src/message.rs", two), ("crates/store/src/db/tests.rs", two)]);
        assert_eq!(places(&differing_against(&tree, 1)), ["crates/store/src/message.rs:3"]);
        assert_eq!(places(&differing_against(&tree, 2)), [""; 0]);
        assert_eq!(places(&differing_against(&tree, 3)), [format!("{HERE}:1")]);
    }

    #[test]
    fn a_migration_without_its_twin_number_or_place_is_found() {
        let tree = Tree::of(&[
            ("crates/store/migrations/0001_first/sqlite.sql", ""),
            ("crates/store/migrations/0001_first/postgres.sql", ""),
            ("crates/store/migrations/0001_again/sqlite.sql", ""),
            ("crates/store/migrations/0001_again/postgres.sql", ""),
            ("crates/store/migrations/0002_half/sqlite.sql", ""),
            ("crates/store/migrations/later/sqlite.sql", ""),
            ("crates/store/migrations/later/postgres.sql", ""),
        ]);
        let at = |folder: &str| format!("crates/store/migrations/{folder}:1");
        assert_eq!(places(&migrations(&tree)), [at("0001_first"), at("0002_half"), at("later")]);
    }
}
