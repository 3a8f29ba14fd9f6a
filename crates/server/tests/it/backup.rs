//! Backup beside a server under load, restored elsewhere: what was acknowledged before it began is there, and serves.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use http::Method;
use parlance_testkit::{Database, PIXEL, both_databases, databases};
use serde_json::json;
use tokio::sync::Notify;

use crate::client::Api;
use crate::cluster::{PUBLIC_URL, set_up};
use crate::media::{content, fetch, upload};
use crate::process::Place;

const LANES: usize = 4;

/// What was acknowledged so far, outside of the server.
#[derive(Default)]
struct Journal {
    acknowledged: Mutex<BTreeSet<String>>,
    more: Notify,
    stop: AtomicBool,
}

impl Journal {
    fn so_far(&self) -> BTreeSet<String> {
        self.acknowledged.lock().unwrap().clone()
    }

    async fn wait_for(&self, count: usize) {
        loop {
            let notified = self.more.notified();
            if self.acknowledged.lock().unwrap().len() >= count {
                return;
            }
            notified.await;
        }
    }
}

/// Delivers messages one after the other until it is stopped. None may be refused.
async fn deliver(api: Api, journal: Arc<Journal>, lane: usize) {
    let mut number = 0;
    while !journal.stop.load(Ordering::SeqCst) {
        let sid = format!("SM{lane:016x}{number:016x}");
        let from = format!("+1415200{:04}", lane * 100 + number % 50);
        assert_eq!(api.inbound(PUBLIC_URL, &sid, &from, &sid).await.unwrap(), 200);
        journal.acknowledged.lock().unwrap().insert(sid);
        journal.more.notify_waiters();
        number += 1;
    }
}

async fn bodies(api: &Api) -> BTreeSet<String> {
    let mut bodies = BTreeSet::new();
    for conversation in api.all("/api/v1/conversations").await {
        let messages = api.all(&format!("/api/v1/conversations/{}/messages", conversation["id"])).await;
        bodies.extend(messages.iter().map(|message| message["body"].as_str().unwrap().to_owned()));
    }
    bodies
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

both_databases! {
    async fn a_backup_under_load_has_what_was_acknowledged_and_serves_elsewhere(database) {
        let place = Place::with_its_own_key(database).await;
        let key = set_up(&place);
        let server = place.serve(0, PUBLIC_URL).await;
        let api = Api::new(&server.url(), &key);
        let picture = upload(&api, &[7; 100_000]).await.body["data"]["id"].clone();
        // Its provider is nowhere: it waits.
        let send = json!({"phone": "+14152009999", "message": "waits", "channel": "sms"});
        let headers = [("prefer", "respond-async")];
        let sent = api.call(Method::POST, "/api/v1/conversations/send", Some(send), &headers).await.unwrap();
        let waits = sent.body["data"]["conversation"]["id"].clone();
        let journal = Arc::new(Journal::default());
        let lanes: Vec<_> = (0..LANES).map(|lane| tokio::task::spawn(deliver(api.clone(), journal.clone(), lane))).collect();
        journal.wait_for(400).await;

        let files = tempfile::tempdir().unwrap();
        let file = files.path().join("backup.tar.zst");
        let acknowledged = journal.so_far();
        let said = tokio::task::block_in_place(|| place.run(&["backup", text(&file)]));
        assert!(said.status.success(), "{}", said.stderr);
        assert_eq!(said.stdout.trim_end(), text(&file));
        assert!(said.stderr.contains("the secret key is in this backup"), "{}", said.stderr);
        assert_eq!(names(files.path()), ["backup.tar.zst"]);
        let after = journal.so_far().len();
        journal.wait_for(after + 50).await;
        journal.stop.store(true, Ordering::SeqCst);
        for lane in lanes {
            lane.await.unwrap();
        }
        server.kill().await;

        let there = Place::with_its_own_key(database).await;
        let said = there.ok(&["restore", text(&file)]);
        assert!(said.starts_with("restored the backup of ") && said.contains("1 media files") && said.contains("ok: 1 organisations"), "{said}");
        assert!(said.contains("1 messages were waiting") && said.contains("next: "), "{said}");
        assert!(there.ok(&["doctor", "--deep"]).starts_with("ok"));
        let server = there.serve(0, PUBLIC_URL).await;
        let api = api.at(&server.url());
        assert_eq!(content(&api, &server.url(), &picture).await, [7; 100_000][..]);
        let stored = bodies(&api).await;
        assert_eq!(acknowledged.difference(&stored).count(), 0, "what was acknowledged before is not in the backup");
        let waited = api.all(&format!("/api/v1/conversations/{waits}/messages")).await;
        assert_eq!((&waited[0]["delivery_state"], &waited[0]["error_code"]), (&json!("unknown"), &json!("restored")));
        // The secret key is the original's: a signed hook is understood.
        assert_eq!(api.inbound(PUBLIC_URL, "SM00000000000000000000000000ffffff", "+14152000001", "after").await.unwrap(), 200);
        assert!(bodies(&api).await.contains("after"));
        server.kill().await;
        assert!(there.ok(&["doctor", "--deep"]).starts_with("ok"));
    }

    async fn a_backup_through_a_pipe_is_restored_and_a_broken_one_is_not(database) {
        let place = Place::new(database).await;
        set_up(&place);
        let files = tempfile::tempdir().unwrap();
        let file = files.path().join("backup.tar.zst");
        place.ok(&["backup", text(&file)]);
        let whole = std::fs::read(&file).unwrap();
        let again = place.run(&["backup", text(&file)]);
        assert!(again.status.code() == Some(1) && again.stderr.contains("--force"), "{}", again.stderr);
        place.ok(&["backup", text(&file), "--force"]);

        let there = Place::new(database).await;
        std::fs::write(&file, &whole[..whole.len() / 2]).unwrap();
        let cut = there.run(&["restore", text(&file)]);
        assert!(cut.status.code() == Some(1) && cut.stderr.contains("cut short"), "{}", cut.stderr);
        let mut altered = whole.clone();
        altered[whole.len() / 2] ^= 1;
        std::fs::write(&file, &altered).unwrap();
        let altered = there.run(&["restore", text(&file)]);
        assert!(altered.status.code() == Some(1) && altered.stderr.contains("altered"), "{}", altered.stderr);
        std::fs::write(&file, &whole).unwrap();
        there.ok(&["restore", text(&file)]);
        assert!(there.ok(&["org", "show", "acme"]).contains("name: Acme"));
        let full = there.run(&["restore", text(&file)]);
        assert!(full.status.code() == Some(1) && full.stderr.contains("empty"), "{}", full.stderr);
    }

    async fn files_are_restored_into_either_database_and_a_missing_one_is_told(database) {
        let place = Place::with_its_own_key(database).await;
        let key = set_up(&place);
        let server = place.serve(0, PUBLIC_URL).await;
        let api = Api::new(&server.url(), &key);
        let (sent, left) = (upload(&api, PIXEL).await.body["data"].clone(), upload(&api, b"left").await.body["data"].clone());
        let body = json!({ "phone": "+14152009999", "media_ids": [sent["id"]] });
        let headers = [("prefer", "respond-async")];
        assert_eq!(api.call(Method::POST, "/api/v1/conversations/send", Some(body), &headers).await.unwrap().status, 201);
        // As an upload that is under way leaves it.
        let stray = place.folder().join("media/1/stray");
        std::fs::write(&stray, "stray").unwrap();
        let files = tempfile::tempdir().unwrap();
        let file = files.path().join("backup.tar.zst");
        place.ok(&["backup", text(&file)]);
        assert!(server.terminate().await.success());
        for into in databases() {
            let there = Place::with_its_own_key(into).await;
            assert!(there.ok(&["restore", text(&file)]).contains("3 media files"), "two and a thumbnail");
            assert!(!there.folder().join("media/1/stray").exists());
            assert!(there.ok(&["doctor", "--deep"]).starts_with("ok: 1 organisations, 2 files"));
            let server = there.serve(0, PUBLIC_URL).await;
            // A link of the original, and a new one.
            let old = sent["url"].as_str().unwrap().replace(PUBLIC_URL, &server.url());
            assert_eq!(fetch(&old).await, (200, PIXEL.into()));
            assert_eq!(content(&api.at(&server.url()), &server.url(), &left["id"]).await, b"left"[..]);
            server.kill().await;
        }

        let folders = std::fs::read_dir(place.folder().join("media/1")).unwrap().map(|entry| entry.unwrap().path());
        for folder in folders.filter(|path| path.is_dir()) {
            std::fs::remove_dir_all(folder).unwrap();
        }
        let told = place.run(&["backup", text(&file), "--force"]);
        assert_eq!(told.status.code(), Some(1));
        assert!(told.stderr.contains(&format!("org 1, file {}: media/1/", sent["id"])) && told.stderr.contains("2 files that messages name"), "{}", told.stderr);
        assert!(told.stderr.contains("went away while the backup was made"), "{}", told.stderr);
        assert_eq!(names(files.path()), ["backup.tar.zst"]);
        for args in [&["doctor"][..], &["doctor", "--deep"]] {
            let told = place.run(args);
            assert!(told.status.code() == Some(1) && told.stderr.contains("3 rows or files disagree"), "{} {}", told.stdout, told.stderr);
        }
    }
}

#[tokio::test]
async fn a_restore_over_a_running_server_is_refused() {
    let place = Place::new(Database::Sqlite).await;
    set_up(&place);
    let files = tempfile::tempdir().unwrap();
    let file = files.path().join("backup.tar.zst");
    place.ok(&["backup", text(&file)]);
    let server = place.serve(0, PUBLIC_URL).await;
    for args in [&["restore", text(&file)][..], &["restore", text(&file), "--force"]] {
        let refused = place.run(args);
        assert!(refused.status.code() == Some(1) && refused.stderr.contains("A server is running"), "{}", refused.stderr);
    }
    assert!(server.terminate().await.success());
    assert!(place.ok(&["restore", text(&file), "--force"]).contains("replaced-"));
    assert!(place.ok(&["doctor", "--deep"]).starts_with("ok"));
}

#[tokio::test]
async fn a_full_disk_leaves_neither_half_a_backup_nor_half_a_restore() {
    let place = Place::new(Database::Sqlite).await;
    let key = set_up(&place);
    // Noise (xorshift), so that it does not compress.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let noise = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    let noise: Vec<u8> = noise.take(100_000).flatten().collect();
    let server = place.serve(0, PUBLIC_URL).await;
    assert_eq!(upload(&Api::new(&server.url(), &key), &noise).await.status, 201);
    assert!(server.terminate().await.success());
    let files = tempfile::tempdir().unwrap();
    let file = files.path().join("backup.tar.zst");
    let full = place.run_with_small_files(600, &["backup", text(&file)]);
    assert!(full.status.code() == Some(1) && full.stderr.contains("disk is full"), "{:?} {}", full.status, full.stderr);
    assert_eq!(names(files.path()), [""; 0]);
    place.ok(&["backup", text(&file)]);
    let there = Place::new(Database::Sqlite).await;
    let full = there.run_with_small_files(600, &["restore", text(&file)]);
    assert!(full.status.code() == Some(1) && full.stderr.contains("disk is full"), "{:?} {}", full.status, full.stderr);
    assert_eq!(names(there.folder()), ["lock"]);
    there.ok(&["restore", text(&file)]);
    assert!(there.ok(&["doctor", "--deep"]).starts_with("ok: 1 organisations, 1 files"));
}
