//! The source files: what they open with, how long they are, what is left lying in them, what they are called.

use super::tree::{Finding, Tree, numbered};

/// A file owns one thing; past this it owns two.
const LONGEST: usize = 500;

/// Written in two halves, so that this file may be checked as well.
const LEFTOVERS: [&str; 6] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("X", "XX"),
    concat!("to", "do!"),
    concat!("unimple", "mented!"),
    concat!("#[ig", "nore"),
];

/// Names of kinds, which say nothing about what is owned.
const KINDS: [&str; 9] = ["utils", "util", "helpers", "helper", "common", "models", "manager", "managers", "misc"];

/// Each file says first what it owns.
pub(super) fn opening(tree: &Tree) -> Vec<Finding> {
    let in_src = |path: &str| path.starts_with("xtask/src/") || (path.starts_with("crates/") && path.contains("/src/"));
    let files = tree.rust().filter(|(path, text)| in_src(path) && !text.starts_with("//!"));
    files.map(|(path, _)| Finding::new(path, 1, "opening", "begin with `//!` lines: what this file owns, and what it does not")).collect()
}

/// Sources stay short; tests, in a file of their own or at the end, may be longer.
pub(super) fn length(tree: &Tree) -> Vec<Finding> {
    let files = tree.rust().filter(|(path, _)| !is_test(path));
    files
        .filter_map(|(path, text)| {
            let lines = lines_before_tests(text);
            let advice = format!("{lines} lines, and {LONGEST} is the most: split it by what is owned");
            (lines > LONGEST).then(|| Finding::new(path, LONGEST + 1, "length", advice))
        })
        .collect()
}

fn is_test(path: &str) -> bool {
    path.contains("/tests/") || path.ends_with("/tests.rs")
}

fn lines_before_tests(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    let tests = lines.windows(2).position(|pair| pair[0] == "#[cfg(test)]" && pair[1].starts_with("mod ") && pair[1].ends_with('{'));
    tests.unwrap_or(lines.len())
}

/// What is unfinished is an issue, not a comment; a test that does not run is no test.
pub(super) fn leftovers(tree: &Tree) -> Vec<Finding> {
    let is_source = |path: &str| {
        let extension = path.rsplit_once('.').map_or("", |(_, extension)| extension);
        ["rs", "sh", "py", "sql", "ts", "tsx", "js", "css", "toml", "yml"].contains(&extension) || path.starts_with(".ci/")
    };
    let mut findings = Vec::new();
    for (path, text) in tree.texts().filter(|(path, _)| is_source(path)) {
        for (number, line) in numbered(text) {
            for word in LEFTOVERS.iter().filter(|word| has_word(line, word)) {
                let advice = format!("`{word}` stays behind: finish it, or open an issue and leave it out");
                findings.push(Finding::new(path, number, "leftovers", advice));
            }
        }
    }
    findings
}

/// Whether the line has this text and it is not part of a longer word.
fn has_word(line: &str, word: &str) -> bool {
    let part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    line.match_indices(word).any(|(at, _)| !part(line[..at].chars().next_back()) && !part(line[at + word.len()..].chars().next()))
}

/// Modules are named by what they own.
pub(super) fn module_names(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, _) in tree.rust() {
        // The crate's own folder is not a module.
        let Some(at) = path.find("/src/").or_else(|| path.find("/tests/")) else { continue };
        let modules = path[at + 1..].trim_end_matches(".rs").split('/');
        if let Some(kind) = modules.into_iter().find(|name| KINDS.contains(name)) {
            let advice = format!("`{kind}` names a kind: name the module by the thing it owns");
            findings.push(Finding::new(path, 1, "module-name", advice));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::tree::{Tree, places};
    use super::{LEFTOVERS, LONGEST, leftovers, length, module_names, opening};

    #[test]
    fn a_source_that_does_not_say_what_it_owns_is_found() {
        let tree = Tree::of(&[("crates/a/src/lib.rs", "//! Owns a.\n"), ("crates/a/src/b.rs", "use c;\n"), ("crates/a/tests/d.rs", "")]);
        assert_eq!(places(&opening(&tree)), ["crates/a/src/b.rs:1"]);
    }

    #[test]
    fn a_long_source_is_found_and_long_tests_are_not() {
        let long = "//\n".repeat(LONGEST + 1);
        let long_tests = format!("//! Short.\n#[cfg(test)]\nmod tests {{\n{long}}}\n");
        let tree = Tree::of(&[("crates/a/src/b.rs", &long), ("crates/a/src/b/tests.rs", &long), ("crates/a/src/c.rs", &long_tests)]);
        assert_eq!(places(&length(&tree)), [format!("crates/a/src/b.rs:{}", LONGEST + 1)]);
    }

    #[test]
    fn each_leftover_is_found() {
        for word in LEFTOVERS {
            let tree = Tree::of(&[("crates/a/src/b.rs", &format!("//! B.\n{word} later\n")), ("notes.md", word)]);
            assert_eq!(places(&leftovers(&tree)), ["crates/a/src/b.rs:2"], "{word}");
        }
    }

    #[test]
    fn a_longer_word_is_no_leftover() {
        assert!(leftovers(&Tree::of(&[("a/b.rs", "ACXXXXXXXX mastodon toTODOlist")])).is_empty());
    }

    #[test]
    fn modules_named_by_their_kind_are_found() {
        let tree = Tree::of(&[
            ("crates/model/src/model.rs", ""),
            ("crates/a/src/utils.rs", ""),
            ("crates/a/src/helpers/mod.rs", ""),
            ("crates/a/tests/common/mod.rs", ""),
            ("crates/misc/src/lib.rs", ""),
        ]);
        assert_eq!(
            places(&module_names(&tree)),
            ["crates/a/src/helpers/mod.rs:1", "crates/a/src/utils.rs:1", "crates/a/tests/common/mod.rs:1"]
        );
    }
}
