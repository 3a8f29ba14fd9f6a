//! `parlance bench` with tiny numbers: it measures, every answer is a row, and nothing is left behind.

use parlance_testkit::{Database, FreshDatabase};
use serde_json::{Value, json};

use crate::process::Place;

const SMALL: [&str; 4] = ["--messages", "300", "--conversations", "30"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hooks_are_measured_in_every_variant() {
    let (place, scratch) = (Place::new(Database::Sqlite).await, tempfile::tempdir().unwrap());
    let postgres = tokio::task::spawn_blocking(|| Database::Postgres.fresh()).await.unwrap();
    let FreshDatabase::Postgres(url) = &postgres else { panic!("PostgreSQL is a folder") };
    let rounds = ["--connections", "3", "--rounds", "1", "--seconds", "5", "--page-size", "2048,4096", "--postgres-url", url];
    let scratched = ["--scratch", scratch.path().to_str().unwrap()];
    let report = place.json(&[&["bench", "ingest"][..], &SMALL, &rounds, &scratched].concat());
    assert_eq!(report["settings"]["sqlite 2048: page_size"], "2048");
    assert_eq!(report["settings"]["sqlite 4096: synchronous"], "2");
    assert_eq!(report["settings"]["postgresql: fsync"], "on");
    let rows = report["rows"].as_array().unwrap();
    let variants: Vec<_> = rows.iter().map(|row| row["variant"].as_str().unwrap()).collect();
    assert_eq!(variants, ["bare", "verified", "sqlite 2048", "sqlite 4096", "postgresql", "postgresql, 4 orgs"]);
    for row in rows {
        assert!(row["requests_per_s"].as_f64().unwrap() > 0.0 && row["cpu_us"].as_f64().unwrap() > 0.0, "{row}");
        let stores = row["variant"] != "bare" && row["variant"] != "verified";
        assert_eq!(row["commits"].is_number(), stores, "{row}");
        assert_eq!(row["wal_mib"].is_number(), row["variant"].as_str().unwrap().starts_with("sqlite"), "{row}");
    }
    assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0, "a folder was left behind");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_servers_footprint_is_measured() {
    let (place, scratch) = (Place::new(Database::Sqlite).await, tempfile::tempdir().unwrap());
    let report = place.json(&[&["bench", "footprint"][..], &SMALL, &["--scratch", scratch.path().to_str().unwrap()]].concat());
    assert!(report["settings"]["binary_mib"].is_number(), "{report}");
    let rows = report["rows"].as_array().unwrap();
    assert_eq!(rows.iter().map(|row| &row["database"]).collect::<Vec<_>>(), ["made at the start", "empty", "300 messages"]);
    assert!(rows.iter().all(|row| row["ready_ms"].is_number() && row["idle_mib"].is_number()), "{report}");
    assert!(rows[2]["busy_mib"].is_number() && rows[1]["busy_mib"] == Value::Null, "{report}");
    assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0, "a folder was left behind");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_are_measured_on_databases_of_two_sizes() {
    let (place, scratch) = (Place::new(Database::Sqlite).await, tempfile::tempdir().unwrap());
    let postgres = tokio::task::spawn_blocking(|| Database::Postgres.fresh()).await.unwrap();
    let FreshDatabase::Postgres(url) = &postgres else { panic!("PostgreSQL is a folder") };
    let small = ["--conversations", "30,60", "--messages-each", "3", "--rounds", "1", "--millis", "20", "--postgres-url", url];
    let scratched = ["--scratch", scratch.path().to_str().unwrap()];
    let report = place.json(&[&["bench", "list"][..], &small, &scratched].concat());
    assert_eq!(report["settings"]["sqlite: page_size"], "2048");
    let rows = report["rows"].as_array().unwrap();
    assert_eq!(rows[0]["kind"], "bare");
    for (database, conversations) in [("sqlite", 30), ("sqlite", 60), ("postgresql", 30), ("postgresql", 60)] {
        let of_it: Vec<_> = rows.iter().filter(|row| row["database"] == database && row["conversations"] == conversations).collect();
        for kind in ["all", "open", "open, unchanged", "assigned", "thread", "counts", "search, rare", "search, common"] {
            let row = of_it.iter().find(|row| row["kind"] == kind).unwrap_or_else(|| panic!("{kind} on {database}: {report}"));
            assert!(row["requests_per_s"].as_f64().unwrap() > 0.0 && row["of_bare"].is_number(), "{row}");
            assert_eq!(row["store_p50_us"].is_number(), kind != "open, unchanged", "{row}");
            assert_eq!(row["requests_of_first"].is_number(), conversations == 60, "{row}");
        }
    }
    assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0, "a folder was left behind");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_are_measured_while_they_are_read() {
    let (place, scratch) = (Place::new(Database::Sqlite).await, tempfile::tempdir().unwrap());
    let postgres = tokio::task::spawn_blocking(|| Database::Postgres.fresh()).await.unwrap();
    let FreshDatabase::Postgres(url) = &postgres else { panic!("PostgreSQL is a folder") };
    let small = ["--messages", "1000", "--conversations", "100", "--connections", "3", "--rounds", "1", "--seconds", "1", "--pause", "5"];
    let where_to = ["--postgres-url", url, "--scratch", scratch.path().to_str().unwrap()];
    let report = place.json(&[&["bench", "mixed"][..], &small, &where_to].concat());
    let rows = report["rows"].as_array().unwrap();
    let variants: Vec<_> = rows.iter().map(|row| (row["database"].as_str().unwrap(), row["pause_ms"].as_u64())).collect();
    assert_eq!(variants, [("sqlite", None), ("sqlite", Some(5)), ("postgresql", None), ("postgresql", Some(5))]);
    for row in rows {
        assert!(row["messages_per_s"].as_f64().unwrap() > 0.0, "{row}");
        for read in ["p99_of_alone", "lists_per_s", "list_p99_ms", "searches_per_s", "search_p50_ms"] {
            assert_eq!(row[read].is_number(), row["pause_ms"].is_number(), "{read}: {row}");
        }
    }
    assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0, "a folder was left behind");
}

#[tokio::test]
async fn what_cannot_be_measured_is_wrong_usage() {
    let place = Place::new(Database::Sqlite).await;
    for wrong in [["--page-size", "1000"], ["--rounds", "0"], ["--connections", "0"], ["--seconds", "0"]] {
        let ended = place.run(&[&["bench", "ingest"][..], &wrong].concat());
        assert_eq!(ended.status.code(), Some(2), "{wrong:?}: {}", ended.stderr);
    }
    let refused = place.run(&[&["bench", "ingest", "--postgres-url", "nowhere", "--json"][..], &SMALL].concat());
    assert_eq!(serde_json::from_str::<Value>(refused.stderr.lines().last().unwrap()).unwrap()["code"], json!("validation_failed"));
}
