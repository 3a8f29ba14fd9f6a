//! The files that the rules read, and what a rule says about a place in them.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::process::Command;

use crate::shell::Result;

/// Every file of the repository by its path from the root, with `/`. Ignored files are not in it; new ones are.
pub(super) struct Tree {
    /// `None` for what is not text.
    files: BTreeMap<String, Option<String>>,
}

impl Tree {
    /// Asks git for the names and reads the files as they are on disk.
    pub(super) fn of_repository(root: &Path) -> Result<Self> {
        let output = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(root)
            .output()
            .map_err(|error| format!("tidy asks git which files are ours: {error}"))?;
        if !output.status.success() {
            return Err(format!("tidy asks git which files are ours: {}", String::from_utf8_lossy(&output.stderr).trim()).into());
        }
        let mut files = BTreeMap::new();
        for name in String::from_utf8(output.stdout)?.split_terminator('\0') {
            // A file that git still lists may be deleted already.
            if let Ok(bytes) = std::fs::read(root.join(name)) {
                files.insert(name.to_owned(), String::from_utf8(bytes).ok());
            }
        }
        Ok(Self { files })
    }

    /// A small tree for a test.
    #[cfg(test)]
    pub(super) fn of(files: &[(&str, &str)]) -> Self {
        Self { files: files.iter().map(|(path, text)| ((*path).to_owned(), Some((*text).to_owned()))).collect() }
    }

    /// The text of one file.
    pub(super) fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path)?.as_deref()
    }

    /// Every text file with its path.
    pub(super) fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().filter_map(|(path, text)| Some((path.as_str(), text.as_deref()?)))
    }

    /// The Rust files among them.
    pub(super) fn rust(&self) -> impl Iterator<Item = (&str, &str)> {
        self.texts().filter(|(path, _)| path.ends_with(".rs"))
    }

    /// Every path, of text or not.
    pub(super) fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// Whether there is such a file or folder.
    pub(super) fn has(&self, path: &str) -> bool {
        let folder = format!("{path}/");
        path.is_empty() || self.files.contains_key(path) || self.paths().any(|other| other.starts_with(&folder))
    }
}

/// What is wrong, where, and what to do about it. Ordered by place.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Finding {
    path: String,
    line: usize,
    rule: &'static str,
    advice: String,
}

impl Finding {
    /// A finding at a line, counted from one.
    pub(super) fn new(path: &str, line: usize, rule: &'static str, advice: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, rule, advice: advice.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}: {}: {}", self.path, self.line, self.rule, self.advice)
    }
}

/// Lines with their numbers, counted from one.
pub(super) fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(index, line)| (index + 1, line))
}

/// Where each finding is, for tests.
#[cfg(test)]
pub(super) fn places(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(|finding| format!("{}:{}", finding.path, finding.line)).collect()
}

#[cfg(test)]
mod tests {
    use super::{Finding, Tree};

    #[test]
    fn a_finding_reads_as_a_place_a_rule_and_a_remedy() {
        assert_eq!(Finding::new("a/b.rs", 3, "length", "split it").to_string(), "a/b.rs:3: length: split it");
    }

    #[test]
    fn folders_are_there_as_their_files_are() {
        let tree = Tree::of(&[("docs/decisions/1.md", "")]);
        assert!(tree.has("docs/decisions") && tree.has("docs/decisions/1.md") && tree.has(""));
        assert!(!tree.has("docs/dec") && !tree.has("doc"));
    }
}
