//! A schema or an index that is not this program's: no command mends it under a server, and the doctor never does.

use std::fs::File;
use std::path::Path;

use parlance_testkit::{Database, both_databases};

use crate::cluster::set_up;
use crate::process::{Ended, Place};

const MIGRATIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../store/migrations");

/// The schema of the version before this one, as that version left it.
fn older(place: &Place) {
    let mut names: Vec<_> =
        std::fs::read_dir(MIGRATIONS).unwrap().map(|folder| folder.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names.pop();
    let mut texts = ["CREATE TABLE schema_migration (version BIGINT PRIMARY KEY, name TEXT NOT NULL, applied_ms BIGINT NOT NULL);"; 2]
        .map(str::to_owned);
    for (version, name) in (1..).zip(names) {
        for (text, database) in texts.iter_mut().zip(["sqlite", "postgres"]) {
            *text += &std::fs::read_to_string(format!("{MIGRATIONS}/{name}/{database}.sql")).unwrap();
            *text += &format!(";INSERT INTO schema_migration VALUES ({version}, '{name}', 0);");
        }
    }
    let [sqlite, postgres] = texts.map(|text| text + "INSERT INTO installation (id, tag, created_ms) VALUES (1, 5, 0);");
    place.execute(&sqlite, &postgres);
}

/// What a server holds while it runs.
fn hold(folder: &Path) -> File {
    let lock = File::options().create(true).truncate(false).write(true).open(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    lock
}

fn refused(ended: &Ended, why: &str) {
    assert!(ended.status.code() == Some(1) && ended.stderr.contains(why), "{:?} {}", ended.status, ended.stderr);
}

both_databases! {
    async fn the_doctor_refuses_an_older_schema_that_the_next_command_brings_up_to_date(database) {
        let place = Place::new(database).await;
        refused(&place.run(&["doctor"]), "nothing of Parlance is in it");
        older(&place);
        for args in [&["doctor"][..], &["doctor", "--deep"]] {
            refused(&place.run(args), "parlance migrate");
        }
        place.ok(&["org", "create", "Acme", "--slug", "acme"]);
        assert!(place.ok(&["doctor", "--deep"]).starts_with("ok"));
        assert_eq!(place.ok(&["migrate"]), "up to date");
    }
}

#[tokio::test]
async fn no_command_changes_the_schema_under_a_server() {
    let place = Place::new(Database::Sqlite).await;
    older(&place);
    let server = hold(place.folder());
    refused(&place.run(&["org", "list"]), "Stop every server");
    refused(&place.run(&["migrate"]), "A server is running");
    refused(&place.run(&["doctor"]), "parlance migrate");
    drop(server);
    assert_eq!(place.ok(&["migrate"]).lines().count(), 1, "the last step alone was left to do");
    let _server = hold(place.folder());
    place.ok(&["org", "list"]);
    assert_eq!(place.ok(&["migrate"]), "up to date");
}

#[tokio::test]
async fn a_damaged_search_index_is_made_anew_by_nobody_under_a_server() {
    let place = Place::new(Database::Sqlite).await;
    set_up(&place);
    let file = place.folder().join("search.db");
    let noise = "this is no database, and long enough to be taken for one ".repeat(100);
    std::fs::write(&file, &noise).unwrap();
    let server = hold(place.folder());
    for args in [&["org", "list"][..], &["doctor"], &["doctor", "--deep"]] {
        let ended = place.run(args);
        assert!(ended.status.code() == Some(1) && (ended.stderr + &ended.stdout).contains("search.db is damaged"), "{args:?}");
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap(), noise);
    drop(server);
    place.ok(&["org", "list"]);
    assert!(place.ok(&["doctor", "--deep"]).starts_with("ok"));
}

#[tokio::test]
async fn a_restore_beside_postgresql_takes_the_folders_lock_too() {
    let place = Place::new(Database::Postgres).await;
    set_up(&place);
    let files = tempfile::tempdir().unwrap();
    let file = files.path().join("backup.tar.zst");
    place.ok(&["backup", file.to_str().unwrap()]);
    let there = Place::new(Database::Postgres).await;
    let other = hold(there.folder());
    refused(&there.run(&["restore", file.to_str().unwrap()]), "A server is running");
    drop(other);
    there.ok(&["restore", file.to_str().unwrap()]);
}

#[tokio::test]
async fn copies_are_put_where_they_are_asked_for_and_beside_the_data_else() {
    let place = Place::new(Database::Sqlite).await;
    set_up(&place);
    let scratch = tempfile::tempdir().unwrap();
    let left = |folder: &Path| {
        std::fs::create_dir(folder.join(".parlance-copy-left")).unwrap();
        std::fs::write(folder.join(".parlance-copy-left/parlance.db"), "a copy").unwrap();
    };
    let there = |folder: &Path| folder.join(".parlance-copy-left").exists();
    left(scratch.path());
    left(place.folder());
    place.ok(&["doctor", "--deep", "--scratch", scratch.path().to_str().unwrap()]);
    assert!(!there(scratch.path()) && there(place.folder()));
    place.ok(&["doctor", "--deep"]);
    assert!(!there(place.folder()));
    assert_eq!(place.run(&["doctor", "--scratch", "."]).status.code(), Some(2), "without --deep nothing is copied");
}
