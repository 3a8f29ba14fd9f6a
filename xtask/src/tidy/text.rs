//! What is written for people: no path of somebody's machine, no link that leads nowhere, no endless page.

use super::tree::{Finding, Tree, numbered};

/// Folders at the root of a machine that are nobody else's. Without slashes, so that this file may be checked as well.
const MACHINE_FOLDERS: [&str; 5] = ["home", "Users", "root", "tmp", "work"];

/// A bird's eye view that is longer is not read.
const ARCHITECTURE: (&str, usize) = ("ARCHITECTURE.md", 300);

/// A path of one machine is wrong on every other.
pub(super) fn machine_paths(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.texts() {
        for (number, line) in numbered(text) {
            if let Some(folder) = MACHINE_FOLDERS.into_iter().find(|folder| has_absolute(line, folder)) {
                let advice =
                    format!("a path in /{folder} is of one machine: write it relative to the repository, or make a temporary folder");
                findings.push(Finding::new(path, number, "machine-path", advice));
            }
        }
    }
    findings
}

/// Whether an absolute path begins here: the slash stands at a word's start, not inside a longer path or a URL.
fn has_absolute(line: &str, folder: &str) -> bool {
    line.match_indices(&format!("/{folder}/"))
        .any(|(at, _)| line[..at].chars().next_back().is_none_or(|before| before.is_whitespace() || "\"'`(<[=:,|".contains(before)))
}

/// Links between the documents lead somewhere.
pub(super) fn links(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.texts().filter(|(path, _)| path.ends_with(".md")) {
        let mut in_code = false;
        for (number, line) in numbered(text) {
            if line.trim_start().starts_with("```") {
                in_code = !in_code;
            }
            if in_code {
                continue;
            }
            for target in targets(line) {
                if resolve(path, &target).is_none_or(|file| !tree.has(&file)) {
                    let advice = format!("there is no {target}: mend the link");
                    findings.push(Finding::new(path, number, "link", advice));
                }
            }
        }
    }
    findings
}

/// The link targets of a line of Markdown that are files: not those in code, on other sites, on the same page, or (with a
/// slash before them) of the server that shows the text.
fn targets(line: &str) -> Vec<String> {
    let prose: String = line.split('`').step_by(2).collect::<Vec<_>>().join("`");
    let inline = prose.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
    let definition = prose.strip_prefix('[').and_then(|rest| rest.split_once("]: ")).map(|(_, target)| target.trim());
    let files = inline.chain(definition).map(|target| target.split('#').next().unwrap_or_default());
    files.filter(|target| !target.is_empty() && !target.contains(':') && !target.starts_with('/')).map(str::to_owned).collect()
}

/// The target as a path from the root; nothing when it leaves the repository.
fn resolve(from: &str, target: &str) -> Option<String> {
    let mut path: Vec<&str> = from.split('/').collect();
    path.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                path.pop()?;
            }
            name => path.push(name),
        }
    }
    Some(path.join("/"))
}

/// The architecture fits into one reading.
pub(super) fn architecture_length(tree: &Tree) -> Vec<Finding> {
    let (path, most) = ARCHITECTURE;
    let lines = tree.text(path).unwrap_or_default().lines().count();
    let advice = format!("{lines} lines, and {most} is the most: move detail to the modules it is about");
    if lines > most { vec![Finding::new(path, most + 1, "architecture", advice)] } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::super::tree::{Tree, places};
    use super::{MACHINE_FOLDERS, architecture_length, links, machine_paths};

    #[test]
    fn paths_of_one_machine_are_found() {
        for folder in MACHINE_FOLDERS {
            let text = format!("fine\nlet path = \"/{folder}/ann\";\nhttps://a.example/{folder}/ann and ./{folder}/x\n");
            assert_eq!(places(&machine_paths(&Tree::of(&[("docs/a.md", &text)]))), ["docs/a.md:2"]);
        }
    }

    #[test]
    fn links_that_lead_nowhere_are_found() {
        let text = "[a](../README.md#top) [b](https://x.example/y) [c](#here) `[d](none.md)`\n[e](gone.md) [s](/docs)\n```\n[f](none.md)\n```\n\
                    [g](../../outside.md)\n[h]: decisions\n[i]: lost.md\n";
        let tree = Tree::of(&[("docs/a.md", text), ("README.md", ""), ("docs/decisions/1.md", "")]);
        assert_eq!(places(&links(&tree)), ["docs/a.md:2", "docs/a.md:6", "docs/a.md:8"]);
    }

    #[test]
    fn an_endless_architecture_is_found() {
        assert!(architecture_length(&Tree::of(&[("ARCHITECTURE.md", &"line\n".repeat(300))])).is_empty());
        assert_eq!(places(&architecture_length(&Tree::of(&[("ARCHITECTURE.md", &"line\n".repeat(301))]))), ["ARCHITECTURE.md:301"]);
    }
}
