//! The order of write, fsync and answer. A kill leaves the system's page cache, so the tests that kill would pass without any fsync; here
//! the server's system calls say that what an answer acknowledges was on the disk before.

use std::path::Path;

use parlance_testkit::Database;

use crate::client::Api;
use crate::media::upload;
use crate::process::Place;

/// What is sent one after the other.
const HOOKS: usize = 12;

/// The lines of a trace in which a system call was finished, in the order of these ends; each call in one line.
fn finished(trace: &str) -> Vec<String> {
    let mut begun = std::collections::HashMap::new();
    let mut calls = Vec::new();
    for line in trace.lines() {
        let (thread, call) = line.split_once(' ').unwrap_or(("", line));
        let call = call.trim_start();
        if let Some(first) = call.strip_suffix(" <unfinished ...>") {
            begun.insert(thread.to_owned(), first.to_owned());
        } else if let Some((_, rest)) = call.strip_prefix("<... ").and_then(|rest| rest.split_once(" resumed>")) {
            calls.push(begun.remove(thread).unwrap_or_default() + rest);
        } else {
            calls.push(call.to_owned());
        }
    }
    calls
}

/// The first call after this one that is one of these and has all of these in it.
fn next(calls: &[String], after: usize, names: &[&str], has: &[&str]) -> Option<usize> {
    let wanted =
        |call: &String| names.iter().any(|name| call.starts_with(&format!("{name}("))) && has.iter().all(|text| call.contains(text));
    calls.iter().skip(after).position(wanted).map(|at| after + at)
}

/// What was answered 2xx without an fsync between the writing of it and the answer. `acknowledged`: each text, the file that keeps it, and
/// the answer, in the order of the answers.
fn unsynced(trace: &str, acknowledged: &[(String, &str, &str)]) -> Vec<String> {
    let (calls, mut from) = (finished(trace), 0);
    let mut unsynced = Vec::new();
    for (text, file, status) in acknowledged {
        let written = next(&calls, from, &["pwrite64", "write", "writev"], &[file, text])
            .unwrap_or_else(|| panic!("{text} was never written to {file}"));
        let answered = next(&calls, written, &["writev", "sendto", "write", "sendmsg"], &["socket:", status]);
        let answered = answered.unwrap_or_else(|| panic!("{text} was never answered"));
        match next(&calls, written, &["fsync", "fdatasync"], &[file, " = 0"]) {
            Some(synced) if synced < answered => {}
            _ => unsynced.push(text.clone()),
        }
        from = answered + 1;
    }
    unsynced
}

/// Hooks and an upload, one after the other, at a server with this durability; answers what was acknowledged too early.
async fn acknowledged_too_early(durability: &str) -> Vec<String> {
    let place = Place::new(Database::Sqlite).await;
    let key = crate::cluster::set_up(&place);
    let trace = place.folder().join("trace");
    let strace = ["strace", "-f", "-y", "-s", "70000", "-e", "trace=fsync,fdatasync,write,pwrite64,writev,sendto,sendmsg", "-o"];
    let strace = [&strace[..], &[trace.to_str().unwrap()]].concat();
    let server = place.serve_under(&strace, &["--durability", durability, "--log", "info"]).await;
    let api = Api::new(&server.url(), &key);
    let mut acknowledged = Vec::new();
    for number in 0..HOOKS {
        let text = format!("only-here-{number:02}");
        assert_eq!(api.inbound("http://127.0.0.1:0", &format!("SM{number:032x}"), "+14152000001", &text).await.unwrap(), 200);
        acknowledged.push((text, "parlance.db-wal>", "HTTP/1.1 200"));
    }
    assert_eq!(upload(&api, b"%PDF-1.7 only in this file").await.status, 201);
    acknowledged.push(("only in this file".to_owned(), "/media/", "HTTP/1.1 201"));
    server.terminate_child().await;
    unsynced(&read(&trace), &acknowledged)
}

fn read(trace: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(trace).unwrap()).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_acknowledged_was_synced_before() {
    assert_eq!(acknowledged_too_early("full").await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn with_relaxed_durability_commits_are_not_synced_and_files_are() {
    let early = acknowledged_too_early("relaxed").await;
    assert!(early.len() > HOOKS / 2 && early.iter().all(|text| text.starts_with("only-here-")), "{early:?}");
}
