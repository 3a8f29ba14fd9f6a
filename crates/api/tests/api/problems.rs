//! The published codes: each has a line that says what it means, and nothing is answered that has none.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use parlance_testkit::Database;

use crate::openapi::document;
use crate::support::TestApp;

/// Codes of commands and of start-up, which no client of the API meets.
const NEVER_ANSWERED: &[&str] = &[
    "account_disabled",
    "account_failed",
    "backup_cut_short",
    "backup_damaged",
    "backup_foreign",
    "backup_too_new",
    "bad_certificate",
    "cancelled",
    "config_unreadable",
    "data_in_use",
    "database_in_use",
    "doctor_found",
    "file_exists",
    "files_missing",
    "no_backup",
    "no_database",
    "provider_refused",
    "no_room",
    "not_a_backup",
    "not_a_demo_folder",
    "other_secret_key",
    "place_not_empty",
    "promise_broken",
    "restore_unfinished",
    "schema_too_new",
    "schema_too_old",
    "search_unfit",
    "slug_taken",
    "usage",
    "wrong_secret_key",
    "wrong_setting",
];
/// Failures inside, which are answered as something else.
const INSIDE: [&str; 1] = ["outbound_tls"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_code_in_the_sources_is_published() {
    let (app, _, _) = TestApp::new(Database::Sqlite).await;
    let document = document(&app.anonymous()).await;
    let published: BTreeSet<_> = document["components"]["examples"].as_object().unwrap().keys().cloned().collect();
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut found = BTreeSet::new();
    for name in ["api", "app", "channels", "model", "net", "server", "store"] {
        for file in sources(&crates.join(name).join("src")) {
            found.extend(codes(&std::fs::read_to_string(&file).unwrap()));
        }
    }
    let unpublished: Vec<_> = found.iter().filter(|code| !published.contains(*code)).map(String::as_str).collect();
    let excused: BTreeSet<_> = NEVER_ANSWERED.iter().copied().chain(INSIDE).collect();
    let wrong: Vec<_> = unpublished.iter().filter(|code| !excused.contains(*code)).collect();
    assert!(wrong.is_empty(), "{wrong:?}: say in crates/api/src/problem/known.rs what these mean");
    let idle: Vec<_> = excused.iter().filter(|code| !unpublished.contains(*code)).collect();
    assert!(idle.is_empty(), "{idle:?} are no exceptions any more");
    let gone: Vec<_> = published.difference(&found).collect();
    assert!(gone.is_empty(), "{gone:?} are published, and nothing makes them");
}

/// The Rust files below a folder, without tests.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let of = |path: PathBuf| {
        if path.is_dir() && !path.ends_with("tests") {
            return sources(&path);
        }
        let is_source = path.extension().is_some_and(|kind| kind == "rs") && !path.ends_with("tests.rs") && !path.ends_with("known.rs");
        if is_source { vec![path] } else { Vec::new() }
    };
    entries.flat_map(of).collect()
}

/// The codes that a file makes errors with.
fn codes(source: &str) -> Vec<String> {
    let of_kind = source.match_indices("Kind::").filter_map(|(at, _)| {
        let rest = source[at + "Kind::".len()..].trim_start_matches(|c: char| c.is_ascii_alphabetic());
        rest.strip_prefix(',').and_then(quoted)
    });
    let named = ["Error::refused(", "Error::conflict("].into_iter();
    let named = named.flat_map(|call| source.match_indices(call).filter_map(move |(at, _)| quoted(&source[at + call.len()..])));
    of_kind.chain(named).collect()
}

fn quoted(rest: &str) -> Option<String> {
    let code = rest.trim_start().strip_prefix('"')?.split('"').next()?;
    (!code.is_empty() && code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')).then(|| code.to_owned())
}
