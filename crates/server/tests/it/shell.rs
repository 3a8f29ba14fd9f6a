//! Completions and manual pages, as the programs that read them find them.

use std::io::Write as _;
use std::process::{Command, Stdio};

use parlance_testkit::Database;

use crate::process::Place;

/// Whether the program is there, and takes this input without complaint; answers what it printed.
fn takes(program: &str, args: &[&str], input: &str) -> Option<String> {
    let mut command = Command::new(program);
    let mut child = command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().ok()?;
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    // What is printed is read meanwhile, so neither waits for the other.
    let writer = std::thread::Builder::new().spawn(move || stdin.write_all(input.as_bytes())).unwrap();
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[tokio::test]
async fn completions_are_read_by_their_shells() {
    let place = Place::new(Database::Sqlite).await;
    for (shell, needed) in [("bash", true), ("zsh", false), ("fish", false)] {
        let script = place.ok(&["completions", shell]);
        assert!(script.contains("secret-key-stdin") && script.contains("disable"), "{shell}");
        let taken = takes(shell, if shell == "fish" { &["--no-execute"] } else { &["-n"] }, &script);
        assert!(taken.is_some() || !needed, "{shell} is missing");
    }
    assert_eq!(place.run(&["completions", "tcsh"]).status.code(), Some(2));
}

#[tokio::test]
async fn bash_completes_commands_and_flags() {
    let place = Place::new(Database::Sqlite).await;
    let ask = "\nCOMP_WORDS=(parlance org dis); COMP_CWORD=2; _parlance parlance dis org; echo \"${COMPREPLY[@]}\"\n";
    let said = takes("bash", &["--norc"], &(place.ok(&["completions", "bash"]) + ask)).unwrap();
    assert_eq!(said.trim(), "disable");
}

#[tokio::test]
async fn the_manual_renders_and_names_every_command_and_variable() {
    let place = Place::new(Database::Sqlite).await;
    let page = place.ok(&["man"]);
    assert!(page.contains(".TH parlance 1"), "{page}");
    if let Some(text) = takes("groff", &["-Kutf8", "-man", "-Tutf8", "-P-c", "-ww"], &page) {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for word in ["PARLANCE_DATABASE_URL", "parlance-serve(1)", "Exit codes"] {
            assert!(text.contains(word), "{word} is missing: {text}");
        }
    }
    let folder = tempfile::tempdir().unwrap();
    place.ok(&["man", "--dir", folder.path().join("man1").to_str().unwrap()]);
    let page = std::fs::read_to_string(folder.path().join("man1/parlance-serve.1")).unwrap();
    assert!(page.contains("PARLANCE_LISTEN"), "{page}");
    assert!(folder.path().join("man1/parlance-org-disable.1").exists());
}
