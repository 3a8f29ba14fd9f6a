//! The database away, and the write-ahead log under load. Each is the matter of one database.

use parlance_model::error::Kind;
use parlance_store::{Durability, Place, contact, org};
use parlance_testkit::{Cluster, Database};
use tokio::task::JoinSet;

use crate::fixture::{self, Fixture, identity, inbound, receive};
use crate::raw::apart;

/// P10: nothing is acknowledged while the server is away, what was acknowledged stays, and the same store goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgres_that_goes_and_comes_is_unavailable_meanwhile_and_loses_nothing() {
    let mut cluster = apart(|| Cluster::start().unwrap());
    let url = apart(|| cluster.database().unwrap());
    let f = Fixture::at(Place::Postgres { url }, None).await;
    let mut acknowledged = 0;
    for round in 0..3 {
        // Writes of all lanes are under way while the server ends.
        let mut writes = JoinSet::new();
        for number in 0..40 {
            let (store, org, account) = (f.store.clone(), f.org, f.account.clone());
            writes.spawn(async move {
                store.write(org, move |tx| receive(tx, &account, &format!("+1555{round}22{number:04}"), &inbound("Hi"))).await
            });
        }
        apart(|| cluster.stop().unwrap());
        for answer in writes.join_all().await {
            match answer {
                Ok(_) => acknowledged += 1,
                Err(error) => assert_eq!((error.kind(), error.code()), (Kind::Unavailable, "unavailable"), "{error:?}"),
            }
        }
        for answer in [
            f.write(|tx| org::default_sms_provider(tx, "twilio")).await,
            f.read(|tx| org::current(tx).map(drop)).await,
            f.system_write(|tx| org::create(tx, "never", "Never", "US").map(drop)).await,
            f.system_read(|tx| org::all(tx).map(drop)).await,
        ] {
            let error = answer.unwrap_err();
            assert_eq!((error.kind(), error.code()), (Kind::Unavailable, "unavailable"), "{error:?}");
            assert!(error.retry_after_s().is_some(), "{error:?}");
        }
        let refused = fixture::open(&f.place, fixture::setup(&f.clock)).await.err().unwrap();
        assert_eq!(refused.code(), "unavailable");

        apart(|| cluster.restart().unwrap());
        // The first of each kind: connections that broke while idle are opened again, not reported.
        f.write(move |tx| contact::find_or_create(tx, &identity(&format!("+1555333000{round}")), &contact::Details::default()))
            .await
            .unwrap();
        f.system_write(move |tx| org::create(tx, &format!("round-{round}"), "Round", "US")).await.unwrap();
        for _ in 0..10 {
            assert_eq!(f.read(org::current).await.unwrap().sms_provider, None);
        }
        let stored: i64 = f.raw().value("SELECT COUNT(*) FROM message").parse().unwrap();
        assert!(stored >= acknowledged, "{acknowledged} were acknowledged and {stored} are there");
        // A commit whose answer was lost may be there as well: that is what idempotency keys are for.
        acknowledged = stored;
        f.assert_clean().await;
    }
    // While the server restarts between two writes, nobody notices.
    apart(|| cluster.restart().unwrap());
    f.write(|tx| org::default_sms_provider(tx, "twilio")).await.unwrap();
    assert_eq!(f.read(org::current).await.unwrap().sms_provider.as_deref(), Some("twilio"));
    drop(f);
    apart(move || drop(cluster));
}

/// A thread that only checkpoints beside the writer never gets to start the log anew under steady load.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_write_ahead_log_stays_bounded_under_steady_load() {
    const MIB: u64 = 1024 * 1024;
    let (place, folder) = fixture::place(Database::Sqlite, Durability::Relaxed);
    let folder = folder.unwrap();
    let (wal, file) = (folder.path().join("parlance.db-wal"), folder.path().join("parlance.db"));
    let size = |path: &std::path::Path| std::fs::metadata(path).map_or(0, |data| data.len());
    let f = Fixture::at(place, None).await;
    let mut largest = 0;
    for _ in 0..60 {
        let mut writes = JoinSet::new();
        for _ in 0..40 {
            let (store, org, account) = (f.store.clone(), f.org, f.account.clone());
            writes.spawn(
                async move { store.write(org, move |tx| receive(tx, &account, "+15552220000", &inbound(&"x".repeat(60_000)))).await },
            );
        }
        assert!(writes.join_all().await.iter().all(Result::is_ok));
        // Reads in between, as a server has them, hold no snapshot for long.
        f.reload(parlance_model::id::ConversationId(1)).await;
        largest = largest.max(size(&wal));
    }
    assert!(largest <= 80 * MIB, "the log grew to {} MiB", largest / MIB);
    assert!(size(&file) + size(&wal) > 140 * MIB, "too little was written to tell");
}
