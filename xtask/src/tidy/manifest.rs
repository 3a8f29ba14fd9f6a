//! The crates' manifests: how they are read, why each dependency is there, and what they inherit.

use toml::{Table, Value};

use super::tree::{Finding, Tree, numbered};

/// What a dependency is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It is in the product (or builds it).
    Product,
    /// It is in tests only.
    Tests,
}

/// One line of a manifest.
#[derive(Debug)]
pub(super) struct Dependency {
    /// The package, also where it is used under another name.
    pub(super) package: String,
    pub(super) kind: Kind,
    pub(super) line: usize,
    /// Whether version and features come from the workspace.
    inherited: bool,
}

/// The manifest of a crate of the workspace.
pub(super) struct Manifest<'a> {
    pub(super) path: &'a str,
    pub(super) package: String,
    table: Table,
    text: &'a str,
}

/// Every crate's manifest. One that does not parse is cargo's to complain about.
pub(super) fn all(tree: &Tree) -> Vec<Manifest<'_>> {
    let of_a_crate = |path: &str| path == "xtask/Cargo.toml" || (path.starts_with("crates/") && path.ends_with("/Cargo.toml"));
    let texts = tree.texts().filter(|(path, _)| of_a_crate(path));
    texts
        .filter_map(|(path, text)| {
            let table: Table = text.parse().ok()?;
            let package = table.get("package")?.get("name")?.as_str()?.to_owned();
            Some(Manifest { path, package, table, text })
        })
        .collect()
}

impl Manifest<'_> {
    /// Its dependencies of every kind and platform.
    pub(super) fn dependencies(&self) -> Vec<Dependency> {
        let platforms = self.table.get("target").and_then(Value::as_table).into_iter().flat_map(Table::values);
        let tables = platforms.filter_map(Value::as_table).chain([&self.table]);
        let mut found = Vec::new();
        for table in tables {
            for (section, kind) in
                [("dependencies", Kind::Product), ("build-dependencies", Kind::Product), ("dev-dependencies", Kind::Tests)]
            {
                for (key, value) in table.get(section).and_then(Value::as_table).into_iter().flatten() {
                    let package = value.get("package").and_then(Value::as_str).unwrap_or(key).to_owned();
                    let inherited = value.get("workspace").and_then(Value::as_bool).unwrap_or(false);
                    found.push(Dependency { package, kind, line: self.line_of(section, key), inherited });
                }
            }
        }
        found
    }

    /// The line on which a section (of any platform) has this key.
    fn line_of(&self, section: &str, key: &str) -> usize {
        let mut inside = false;
        for (number, line) in numbered(self.text) {
            if let Some(header) = line.trim().strip_prefix('[') {
                let header = header.trim_end_matches(']');
                inside = header == section || header.ends_with(&format!(".{section}"));
            } else if inside && key_of(line) == Some(key) {
                return number;
            }
        }
        1
    }
}

/// The bare key that a line of TOML sets.
fn key_of(line: &str) -> Option<&str> {
    let end = line.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_')).filter(|end| *end > 0)?;
    line[end..].trim_start().starts_with(['=', '.']).then_some(&line[..end])
}

/// Every dependency from outside says in a comment on its line why it is there.
pub(super) fn reasons(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut inside = false;
    for (number, line) in numbered(tree.text("Cargo.toml").unwrap_or_default()) {
        if line.starts_with('[') {
            inside = line == "[workspace.dependencies]";
        }
        let Some(key) = key_of(line).filter(|key| inside && !key.starts_with("parlance-")) else { continue };
        let reason = line.rsplit_once('#').filter(|(_, reason)| !reason.contains('"') && !reason.trim().is_empty());
        if reason.is_none() {
            let advice = format!("say at the end of the line, after `#`, what {key} is for");
            findings.push(Finding::new("Cargo.toml", number, "dependency-reason", advice));
        }
    }
    findings
}

/// Versions and lints live in the workspace's manifest alone.
pub(super) fn inheritance(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for manifest in all(tree) {
        for dependency in manifest.dependencies().iter().filter(|dependency| !dependency.inherited) {
            let advice =
                format!("declare {} in [workspace.dependencies] with its reason, and write `workspace = true` here", dependency.package);
            findings.push(Finding::new(manifest.path, dependency.line, "dependency-home", advice));
        }
        let lints = manifest.table.get("lints").and_then(|lints| lints.get("workspace")).and_then(Value::as_bool);
        if lints != Some(true) {
            findings.push(Finding::new(manifest.path, 1, "lints", "add `[lints]` with `workspace = true`"));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::tree::{Tree, places};
    use super::{Kind, all, inheritance, reasons};

    #[test]
    fn a_dependency_without_a_reason_is_found() {
        let text = "[workspace.dependencies]\nparlance-model = { path = \"m\" }\nurl = \"2\" # URLs\nhttp = \"1\"\nodd = \"#1\"\n\n[profile.dev]\ndebug = 1\n";
        assert_eq!(places(&reasons(&Tree::of(&[("Cargo.toml", text)]))), ["Cargo.toml:4", "Cargo.toml:5"]);
    }

    #[test]
    fn versions_and_lints_outside_the_workspace_are_found() {
        let text = "[package]\nname = \"a\"\n[dependencies]\nurl.workspace = true\nhttp = \"1\"\n[lints.rust]\nunsafe_code = \"allow\"\n";
        assert_eq!(places(&inheritance(&Tree::of(&[("crates/a/Cargo.toml", text)]))), ["crates/a/Cargo.toml:5", "crates/a/Cargo.toml:1"]);
    }

    #[test]
    fn dependencies_are_read_under_every_name_kind_and_platform() {
        let text = "[package]\nname = \"a\"\n[target.'cfg(unix)'.dependencies]\nsql = { package = \"rusqlite\", version = \"1\" }\n\
                    [dev-dependencies]\naxum.workspace = true\n";
        let tree = Tree::of(&[("crates/a/Cargo.toml", text)]);
        let manifests = all(&tree);
        let found: Vec<_> = manifests[0].dependencies().into_iter().map(|it| (it.package, it.kind, it.line)).collect();
        assert_eq!(found, [("rusqlite".to_owned(), Kind::Product, 4), ("axum".to_owned(), Kind::Tests, 6)]);
    }
}
