//! `cargo xtask tidy`: the rules of the house that a machine can check.
//!
//! A rule is a function from the [`Tree`] to its [`Finding`]s and has a line in [`RULES`] and a test that shows it can
//! fail. Formatting is rustfmt's business, and what one function does is clippy's.

mod manifest;
mod source;
mod sql;
mod text;
mod tree;
mod walls;

use self::tree::{Finding, Tree};
use crate::shell::{Result, root};

/// A rule: what it finds wrong.
type Rule = fn(&Tree) -> Vec<Finding>;

const RULES: &[Rule] = &[
    walls::house,
    walls::outside,
    manifest::reasons,
    manifest::inheritance,
    source::opening,
    source::length,
    source::leftovers,
    source::module_names,
    sql::differing_texts,
    sql::migrations,
    text::machine_paths,
    text::links,
    text::architecture_length,
];

/// Prints every finding as `path:line: rule: what to do`.
pub(crate) fn run() -> Result {
    let tree = Tree::of_repository(root())?;
    let mut findings: Vec<Finding> = RULES.iter().flat_map(|rule| rule(&tree)).collect();
    findings.sort();
    for finding in &findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => Ok(()),
        1 => Err("tidy found 1 thing to mend".into()),
        count => Err(format!("tidy found {count} things to mend").into()),
    }
}
