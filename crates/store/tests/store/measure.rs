//! What measurements ask the database for.

use std::sync::Arc;

use parlance_model::clock::ManualClock;
use parlance_store::{Durability, Place, measure, org};
use parlance_testkit::{Database, both_databases};
use tokio::task::spawn_blocking;

use crate::fixture::{Fixture, START_MS, open, place, setup};

both_databases! {
    async fn another_connection_counts_committed_messages_of_all_orgs(database) {
        let f = Fixture::new(database).await;
        let count = || {
            let place = f.place.clone();
            async move { spawn_blocking(move || measure::messages(&place)).await.unwrap().unwrap() }
        };
        assert_eq!(count().await, 0);
        f.receive("+14155550001", "One").await;
        f.receive("+14155550002", "Two").await;
        assert_eq!(count().await, 2);
    }

    async fn the_writing_connection_says_how_durable_it_is(database) {
        let f = Fixture::new(database).await;
        let settings = f.store.system_write(measure::settings).await.unwrap();
        let expected: &[(&str, &str)] = match database {
            // The fixture is relaxed.
            Database::Sqlite => &[("journal_mode", "wal"), ("synchronous", "1"), ("wal_autocheckpoint", "0"), ("cache_size", "-16384"), ("page_size", "2048")],
            Database::Postgres => &[("fsync", "on"), ("synchronous_commit", "on")],
        };
        for (name, value) in expected {
            assert!(settings.iter().any(|(setting, is)| setting == name && is == value), "{name} {value}: {settings:?}");
        }
    }
}

#[tokio::test]
async fn a_store_opens_on_a_database_with_pages_of_another_size() {
    let (place, _folder) = place(Database::Sqlite, Durability::Full);
    let Place::Sqlite { data, .. } = &place else { panic!("the embedded database is not one") };
    measure::with_pages_of(data, 8192).unwrap();
    let store = open(&place, setup(&Arc::new(ManualClock::at(START_MS)))).await.unwrap();
    let settings = store.system_write(measure::settings).await.unwrap();
    let text = |name: &str| settings.iter().find(|(setting, _)| *setting == name).unwrap().1.clone();
    assert_eq!((text("page_size").as_str(), text("synchronous").as_str()), ("8192", "2"));
    store.system_write(|tx| org::create(tx, "acme", "Acme", "US")).await.unwrap();
    assert!(measure::wal_bytes(&place).is_some_and(|bytes| bytes > 0));
}
