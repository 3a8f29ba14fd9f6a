//! `torture`: the crash rig on this very build, on both databases; and that it notices a server that answers before it commits.

use std::process::Stdio;

use parlance_testkit::{Cluster, Database, both_databases};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use crate::process::Place;

/// The arguments of a run that fits a test. A start is not timed: other tests run beside it.
fn args<'a>(kills: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["torture", "--kills", kills, "--seed", "7", "--settle", "0", "--ready-within", "60", "--json"], more].concat()
}

both_databases! {
    async fn fifty_kills_lose_and_double_nothing(database) {
        let place = Place::new(database).await;
        let ended = tokio::task::block_in_place(|| place.run(&args("50", &["--doctor-every", "10"])));
        assert!(ended.status.success(), "{} {}", ended.stdout, ended.stderr);
        let report: Value = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!((&report["kills"], &report["doubled"], &report["found"]), (&50.into(), &0.into(), &report["acknowledged"]));
        assert!(report["acknowledged"].as_u64().unwrap() > 500 && report["sent"].as_u64().unwrap() > 0, "{report}");
        assert!(report["kills_at_steps"].as_u64().unwrap() > 10, "{report}");
    }

    async fn a_server_that_answers_before_it_commits_is_found_out(database) {
        let place = Place::new(database).await;
        let ended = tokio::task::block_in_place(|| place.run(&args("50", &["--answers-early"])));
        assert_eq!(ended.status.code(), Some(1), "{} {}", ended.stdout, ended.stderr);
        let report: Value = serde_json::from_str(&ended.stdout).unwrap();
        let wrong = report["wrong"].as_array().unwrap();
        assert!(wrong.iter().any(|wrong| wrong.as_str().unwrap().contains("acknowledged and is lost")), "{report}");
        let evidence = std::path::Path::new(report["evidence"].as_str().unwrap());
        assert!(evidence.join("acknowledged.jsonl").exists() && evidence.join("server.log").exists());
        std::fs::remove_dir_all(evidence).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_restarts_under_kills_loses_and_doubles_nothing() {
    let mut cluster = Cluster::start().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_parlance"));
    let url = cluster.database().unwrap();
    // Its doctor looks at the end only: before that the database may be away.
    command.args(args("12", &["--doctor-every", "1000", "--database-url", &url])).env_remove("PARLANCE_DATABASE_URL");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let (mut kills, mut said) = (0, Vec::new());
    while let Some(line) = lines.next_line().await.unwrap() {
        if line.contains("killed and started again") {
            kills += 1;
            if [3, 6, 9].contains(&kills) {
                tokio::task::block_in_place(|| cluster.restart()).unwrap();
            }
        }
        said.push(line);
    }
    let output = child.wait_with_output().await.unwrap();
    assert!(output.status.success(), "{} {said:#?}", String::from_utf8_lossy(&output.stdout));
}

#[tokio::test]
async fn a_database_that_is_in_use_is_left_alone() {
    let place = Place::new(Database::Postgres).await;
    place.ok(&["org", "create", "Acme", "--slug", "acme"]);
    let refused = place.run(&args("1", &[]));
    assert!(refused.status.code() == Some(1) && refused.stderr.contains("database_in_use"), "{}", refused.stderr);
    assert_eq!(place.json(&["org", "list"]).as_array().unwrap().len(), 1);
}
