//! The demo, as a newcomer starts it.

use parlance_testkit::Database;

use crate::process::Place;

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_starts_anew_on_the_folder_of_an_earlier_one() {
    let place = Place::with_its_own_key(Database::Sqlite).await;
    for _ in 0..2 {
        let demo = place.demo().await;
        assert_eq!(place.json(&["org", "list"]).as_array().unwrap().len(), 1);
        assert!(demo.terminate().await.success());
    }
    place.ok(&["doctor", "--deep"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_leaves_a_folder_alone_that_it_did_not_make() {
    let place = Place::with_its_own_key(Database::Sqlite).await;
    place.ok(&["org", "create", "Acme", "--slug", "acme"]);
    let refused = place.run(&["demo", "--listen", "127.0.0.1:0"]);
    assert!(!refused.status.success() && refused.stderr.contains("holds something else"), "{}", refused.stderr);
    assert_eq!(place.json(&["org", "list"])[0]["slug"], "acme");
}

#[tokio::test]
async fn the_demo_takes_nothing_that_is_a_servers() {
    let place = Place::with_its_own_key(Database::Sqlite).await;
    let elsewhere = tempfile::tempdir().unwrap();
    let of_a_server = [
        ("PARLANCE_MEDIA_STORE", elsewhere.path().to_str().unwrap(), "media-store"),
        ("PARLANCE_SECRET_KEY", "visibly-fake-secret-key-of-many-letters", "secret-key"),
        ("PARLANCE_DATABASE_URL", "postgres://nobody@127.0.0.1:1/nothing", "database-url"),
    ];
    for (variable, value, setting) in of_a_server {
        let refused = place.run_in(&[(variable, value)], &["demo", "--listen", "127.0.0.1:0"], "");
        assert!(refused.status.code() == Some(1) && refused.stderr.contains(setting), "{variable}: {}", refused.stderr);
    }
    assert!(std::fs::read_dir(elsewhere.path()).unwrap().next().is_none());
}
