//! Settings from flags, variables and the file: which one counts, and what a wrong one is told.

use std::path::PathBuf;

use parlance_testkit::Database;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::{Ended, Place};

const KEY: &str = "visibly-fake-secret-key-of-many-letters";

/// A file that is named, with this text.
fn file(text: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("given.toml");
    std::fs::write(&path, text).unwrap();
    (folder, path)
}

fn settings(ended: &Ended) -> Value {
    assert!(ended.status.success(), "{}", ended.stderr);
    let list: Value = serde_json::from_str(&ended.stdout).unwrap();
    list.as_array()
        .unwrap()
        .iter()
        .map(|row| (row["setting"].as_str().unwrap().to_owned(), row.clone()))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

#[tokio::test]
async fn config_shows_each_setting_with_the_source_that_wins() {
    let place = Place::new(Database::Sqlite).await;
    let text = format!(
        "listen = \"127.0.0.1:1\"\nlog = \"debug\"\ndurability = \"relaxed\"\nsecret_key = \"{KEY}\"\nallow_outbound = [\"10.0.0.0/8\", \"fd00::/8\"]\n"
    );
    let (_folder, path) = file(&text);
    let path = path.to_str().unwrap();
    let environment =
        [("PARLANCE_LOG", "warn"), ("PARLANCE_LISTEN", "127.0.0.1:2"), ("PARLANCE_PUBLIC_URL", ""), ("PARLANCE_CONFIG", path)];
    let ended = place.run_in(&environment, &["config", "--json", "--listen", "127.0.0.1:3"], "");
    assert!(!ended.stdout.contains(KEY));
    let shown = settings(&ended);
    let of = |key: &str| (shown[key]["value"].clone(), shown[key]["source"].as_str().unwrap().to_owned());
    assert_eq!(of("listen"), (json!("127.0.0.1:3"), "flag".into()));
    assert_eq!(of("log"), (json!("warn"), "variable".into()));
    assert_eq!(of("durability"), (json!("relaxed"), "file".into()));
    assert_eq!(of("public_url"), (Value::Null, "default".into()));
    assert_eq!(of("log_format"), (json!("text"), "default".into()));
    assert_eq!(of("secret_key"), (json!("set"), "file".into()));
    assert_eq!(of("allow_outbound"), (json!(["10.0.0.0/8", "fd00::/8"]), "file".into()));
    assert_eq!((&shown["durability"]["file"], &shown["durability"]["line"]), (&json!(path), &json!(3)));
    assert_eq!((&shown["listen"]["flag"], &shown["log"]["variable"]), (&json!("--listen"), &json!("PARLANCE_LOG")));
}

#[tokio::test]
async fn a_wrong_value_is_told_in_one_form_wherever_it_comes_from() {
    let place = Place::new(Database::Sqlite).await;
    let (_folder, path) = file("log = \"info\"\n\nlisten = \"nonsense\"\n");
    let path = path.to_str().unwrap();
    let by_flag = place.run_in(&[], &["serve", "--listen", "nonsense"], "");
    let by_variable = place.run_in(&[("PARLANCE_LISTEN", "nonsense")], &["serve"], "");
    let by_file = place.run_in(&[], &["serve", "--config", path], "");
    for (ended, source) in
        [(by_flag, "the flag --listen"), (by_variable, "the variable PARLANCE_LISTEN"), (by_file, &format!("{path}, line 3"))]
    {
        let told = format!(
            "error: `listen` has the wrong value \"nonsense\", from {source} (invalid socket address syntax). It takes ADDR: The address to listen on. \
             The default is 127.0.0.1:8080.\n"
        );
        assert_eq!((ended.status.code(), ended.stdout.as_str(), ended.stderr.as_str()), (Some(2), "", told.as_str()));
    }
    // Nobody but `serve` needs it.
    assert!(place.run_in(&[], &["org", "list", "--config", path], "").status.success());
    assert_eq!(place.run_in(&[], &["config", "--config", path], "").status.code(), Some(2));
    let secret = place.run_in(&[("PARLANCE_SECRET_KEY", "visibly-fake")], &["org", "list", "--json"], "");
    let error: Value = serde_json::from_str(&secret.stderr).unwrap();
    assert_eq!((secret.status.code(), &error["code"]), (Some(2), &json!("wrong_setting")));
    assert!(error["message"].as_str().unwrap().contains("PARLANCE_SECRET_KEY") && !secret.stderr.contains("visibly"), "{error}");
}

#[tokio::test]
async fn the_data_folders_own_file_is_read_and_what_it_does_not_know_is_an_error() {
    let place = Place::new(Database::Sqlite).await;
    let data = place.folder().to_owned();
    std::fs::write(data.join("parlance.toml"), "log_format = \"json\"\n").unwrap();
    let shown = settings(&place.run_in(&[], &["config", "--json"], ""));
    assert_eq!(shown["log_format"]["file"], json!(data.join("parlance.toml")));
    std::fs::write(data.join("parlance.toml"), "log_fromat = \"json\"\n").unwrap();
    let ended = place.run_in(&[], &["org", "list"], "");
    assert_eq!(ended.status.code(), Some(2));
    assert!(
        ended.stderr.ends_with("parlance.toml, line 1: There is no setting `log_fromat`. Did you mean `log_format`?\n"),
        "{}",
        ended.stderr
    );
    // The one that is named is the only one.
    assert!(place.run_in(&[("PARLANCE_CONFIG", "/dev/null")], &["org", "list"], "").status.success());
    assert_eq!(place.run_in(&[], &["org", "list", "--config", "/nowhere.toml"], "").status.code(), Some(2));
}

#[tokio::test]
async fn secrets_come_from_standard_input_and_stand_above_variables() {
    let place = Place::new(Database::Sqlite).await;
    place.ok(&["org", "create", "Acme", "--slug", "acme"]);
    let list = ["account", "list", "--org", "acme", "--secret-key-stdin"];
    let first = place.run_in(&[], &list, &format!("{KEY}\n"));
    assert!(first.status.success(), "{}", first.stderr);
    let other = place.run_in(&[("PARLANCE_SECRET_KEY", KEY)], &list, "another-visibly-fake-secret-key-of-many-letters");
    assert_eq!(other.status.code(), Some(1));
    assert!(place.run_in(&[("PARLANCE_SECRET_KEY", KEY)], &list[..4], "").status.success());
    let both = place.run_in(&[], &[&list[..], &["--secret-key", KEY]].concat(), KEY);
    assert_eq!(both.status.code(), Some(2));
    assert!(!both.stderr.contains(KEY), "{}", both.stderr);
}

#[tokio::test]
async fn usage_errors_are_json_where_json_is_asked_for() {
    let place = Place::new(Database::Sqlite).await;
    for args in [&["org", "shwo", "x", "--json"][..], &["key", "create", "--json"], &["--json", "nonsense"]] {
        let ended = place.run(args);
        let error: Value = serde_json::from_str(&ended.stderr).unwrap();
        assert_eq!((ended.status.code(), &error["code"]), (Some(2), &json!("usage")), "{args:?}");
        assert!(!error["message"].as_str().unwrap().contains("Usage:"), "{error}");
    }
    let version = place.run(&["--version"]);
    assert_eq!((version.status.code(), version.stdout), (Some(0), format!("parlance {}\n", env!("CARGO_PKG_VERSION"))));
    assert_eq!(place.json(&["migrate"])["applied"][0], "0001_core");
    let report = place.json(&["doctor", "--deep"]);
    assert_eq!((&report["ok"], &report["findings"]), (&json!(true), &json!([])));
}
