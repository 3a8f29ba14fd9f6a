//! The making of the search index: what becomes of one that is lost, damaged, another's, or does not fit the log.

use std::path::Path;
use std::sync::Arc;

use parlance_model::entropy::SeededEntropy;
use parlance_model::search::Query;
use parlance_store::search::{Request, messages, people, step};
use parlance_store::watch::Unwatched;
use parlance_store::{Place, Setup, Store, doctor, event, needs_lock};
use parlance_testkit::{Database, both_databases};

use crate::fixture::{Fixture, drain, inbound, open, receive, setup};
use crate::raw::apart;

/// How many messages have this word, and whether that is all.
async fn count(f: &Fixture, typed: &str) -> (usize, bool) {
    let request = Request { query: Query::parse(typed), me: None, before: None, limit: 200 };
    let found = f.read(move |tx| messages(tx, &request)).await.unwrap();
    (found.hits.len(), found.complete)
}

/// Runs a statement on the index.
fn on_index(f: &Fixture, sqlite: &str, postgres: &str) {
    match &f.place {
        Place::Sqlite { data, .. } => {
            let connection = rusqlite::Connection::open(data.join("search.db")).unwrap();
            connection.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
            connection.execute_batch(sqlite).unwrap();
        }
        Place::Postgres { .. } => f.raw().run(sqlite, postgres),
    }
}

/// A copy of a file of the data folder, as it now is.
fn copy(data: &Path, name: &str, to: &Path) {
    let connection = rusqlite::Connection::open(data.join(name)).unwrap();
    connection.execute_batch(&format!("VACUUM INTO '{}'", to.join(name).display())).unwrap();
}

/// Another data folder with a copy of this database, and a search index that the test puts beside it.
async fn beside(f: &Fixture, put: impl FnOnce(&Path, &Path)) -> Fixture {
    let Place::Sqlite { data, durability } = &f.place else { panic!("not SQLite") };
    let folder = tempfile::tempdir().unwrap();
    copy(data, "parlance.db", folder.path());
    put(data, folder.path());
    let place = Place::Sqlite { data: folder.path().to_owned(), durability: *durability };
    let store = open(&place, setup(&f.clock)).await.unwrap();
    Fixture { store, clock: f.clock.clone(), org: f.org, account: f.account.clone(), place, _folder: Some(folder) }
}

/// Fails unless the index is made out of the tables, and then says that it is.
async fn assert_made(f: &Fixture) {
    f.drain().await;
    assert_eq!(count(f, "hello").await, (3, true));
    assert_eq!(f.read(|tx| people(tx, "1110001", 10)).await.unwrap().len(), 1);
    f.assert_clean().await;
}

async fn with_three(database: Database) -> Fixture {
    let f = Fixture::new(database).await;
    for body in ["hello one", "hello two", "hello three"] {
        f.receive("+15551110001", body).await;
    }
    f
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_lost_damaged_or_kept_gives_the_same_answers() {
    let f = with_three(Database::Sqlite).await;
    f.drain().await;
    let lost = beside(&f, |_, _| {}).await;
    assert!(!count(&lost, "hello").await.1, "it says that this may not be all");
    assert_made(&lost).await;
    let noise = "this is no database, and long enough to be taken for one ".repeat(100);
    assert_made(&beside(&f, |_, to| std::fs::write(to.join("search.db"), &noise).unwrap()).await).await;
    let kept = beside(&f, |from, to| copy(from, "search.db", to)).await;
    assert_eq!(count(&kept, "hello").await, (3, true), "at once");
    assert_made(&kept).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_installations_file_is_not_read() {
    let f = with_three(Database::Sqlite).await;
    let folder = tempfile::tempdir().unwrap();
    let place = Place::Sqlite { data: folder.path().to_owned(), durability: Default::default() };
    let other = open(&place, Setup { entropy: Arc::new(SeededEntropy::new(8)), ..setup(&f.clock) }).await.unwrap();
    drop(other);
    on_index(
        &Fixture { store: f.store.clone(), clock: f.clock.clone(), org: f.org, account: f.account.clone(), place, _folder: None },
        "INSERT INTO search_message (rowid, tokens) VALUES (1099511627776 + 1, 'alien')",
        "",
    );
    let swapped = beside(&f, |_, to| copy(folder.path(), "search.db", to)).await;
    assert_made(&swapped).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_does_not_fit_is_left_alone_beside_others() {
    let f = with_three(Database::Sqlite).await;
    let Place::Sqlite { data, .. } = &f.place else { panic!("not SQLite") };
    let noise = "this is no database, and long enough to be taken for one ".repeat(100);
    // As an earlier program made it.
    let older = tempfile::tempdir().unwrap();
    rusqlite::Connection::open(older.path().join("older"))
        .unwrap()
        .execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE search_file (tag, version)")
        .unwrap();
    for content in [noise.into_bytes(), std::fs::read(older.path().join("older")).unwrap()] {
        let folder = tempfile::tempdir().unwrap();
        copy(data, "parlance.db", folder.path());
        let place = Place::Sqlite { data: folder.path().to_owned(), durability: Default::default() };
        let file = folder.path().join("search.db");
        std::fs::write(&file, &content).unwrap();
        let refused = apart(|| Store::open_beside(&place, setup(&f.clock)).err().unwrap());
        assert!(refused.code() == "search_unfit" && needs_lock(&refused), "{refused:?}");
        assert!(std::fs::read(&file).unwrap() == content, "it was changed");
        let found = apart(|| examined(&place, &f)).findings;
        assert!(matches!(found.as_slice(), [one] if one.detail.contains("search.db")), "{found:?}");
        drop(open(&place, setup(&f.clock)).await.unwrap());
        let beside = apart(|| Store::open_beside(&place, setup(&f.clock)).unwrap());
        drain(&beside).await;
        assert_eq!(apart(|| examined(&place, &f)).findings, Vec::new());
    }
}

fn examined(place: &Place, f: &Fixture) -> doctor::Report {
    let scratch = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    doctor::examine(place, setup(&f.clock), scratch.path(), &Unwatched::default(), |checks| runtime.block_on(checks)).unwrap()
}

both_databases! {
    async fn an_index_that_is_behind_a_kept_log_goes_on_with_it(database) {
        let f = with_three(database).await;
        f.drain().await;
        f.receive("+15551110001", "goodbye").await;
        assert_eq!(count(&f, "goodbye").await, (1, true), "also a moment before the consumer");
        assert!(!step(&f.store, f.org).await.unwrap());
        assert_eq!(count(&f, "goodbye").await, (1, true));
        assert_made(&f).await;
    }

    async fn an_event_of_a_newer_version_is_passed_over(database) {
        let f = with_three(database).await;
        f.raw().execute(r#"UPDATE event SET kind = 'call.ended', data = '{"kind":"call.ended","call_id":5}' WHERE kind = 'conversation.created'"#);
        // Still to be read by a search, and then by the index.
        assert_eq!(count(&f, "hello").await.0, 3);
        f.drain().await;
        assert_eq!(count(&f, "hello").await, (3, true));
        f.assert_clean().await;
    }

    async fn an_index_of_another_log_is_made_anew(database) {
        let f = with_three(database).await;
        f.drain().await;
        for strange in ["seq = seq + 5", "anchor = '1 {}'", "seq = 1", "version = 99"] {
            on_index(
                &f,
                &format!("UPDATE search_cursor SET {strange}; INSERT INTO search_message (rowid, tokens) VALUES (1099511627776 + 999, 'alien')"),
                &format!("UPDATE search_cursor SET {strange}; INSERT INTO search_message (org_id, id, tokens) VALUES (1, 999, 'alien')"),
            );
            // The consumer meets each org at its start, also one that is at the end of its log.
            assert!(step(&f.store, f.org).await.unwrap(), "{strange}");
            assert!(!count(&f, "hello").await.1, "{strange}: while it is made, it says so");
            assert_made(&f).await;
        }
    }

    async fn an_index_older_than_the_kept_log_is_made_anew(database) {
        let f = Fixture::new(database).await;
        f.receive("+15551110001", "hello one").await;
        f.drain().await;
        f.receive("+15551110001", "hello two").await;
        f.receive("+15551110001", "hello three").await;
        f.clock.advance_ms(1000);
        f.write(|tx| { let now_ms = tx.now_ms(); event::sweep(tx, now_ms) }).await.unwrap();
        assert!(step(&f.store, f.org).await.unwrap());
        assert_made(&f).await;
    }

    async fn doctor_finds_rows_that_the_index_lacks_or_has_too_many(database) {
        let f = with_three(database).await;
        f.drain().await;
        f.assert_clean().await;
        let base = "1099511627776";
        for (sqlite, postgres, expected) in [
            (format!("DELETE FROM search_message WHERE rowid = {base} + 2"), "DELETE FROM search_message WHERE id = 2".to_owned(), "message 2 is not found"),
            (format!("INSERT INTO search_message (rowid, tokens) VALUES ({base} + 999, 'alien')"), "INSERT INTO search_message (org_id, id, tokens) VALUES (1, 999, 'alien')".to_owned(), "a message 999"),
            (format!("DELETE FROM search_person WHERE rowid = {base} + 2"), "DELETE FROM search_person WHERE id = 2".to_owned(), "contact 1 is not found"),
            (format!("INSERT INTO search_person (rowid, tokens) VALUES ({base} + 998, 'ali')"), "INSERT INTO search_person (org_id, id, tokens) VALUES (1, 998, 'ali')".to_owned(), "a contact 499"),
        ] {
            on_index(&f, &sqlite, &postgres);
            let findings = parlance_store::doctor::check(&f.store, true).await.unwrap().findings;
            assert!(findings.iter().any(|finding| finding.invariant == "search rows equal messages" && finding.detail.contains(expected)), "{findings:?}");
            on_index(&f, "UPDATE search_cursor SET seq = 1", "UPDATE search_cursor SET seq = 1");
            assert!(step(&f.store, f.org).await.unwrap());
            assert_made(&f).await;
        }
    }

    async fn several_nodes_index_at_once_and_lose_nothing(database) {
        let f = Fixture::new(database).await;
        let node = f.second_store().await;
        let (write, ours, theirs) = (
            async {
                for number in 0..60 {
                    let account = f.account.clone();
                    f.write(move |tx| receive(tx, &account, "+15551110001", &inbound(&format!("hello {number}")))).await.unwrap();
                }
            },
            async { for _ in 0..40 { step(&f.store, f.org).await.unwrap(); } },
            async { for _ in 0..40 { step(&node, f.org).await.unwrap(); } },
        );
        tokio::join!(write, ours, theirs);
        drain(&node).await;
        assert_eq!(count(&f, "hello").await, (60, true));
        f.assert_clean().await;
    }

    async fn an_index_is_made_beside_writes_without_losing_any(database) {
        let f = Fixture::new(database).await;
        let account = f.account.clone();
        f.write(move |tx| {
            (0..2500).try_for_each(|number| receive(tx, &account, "+15551110001", &inbound(&format!("old {number}"))).map(drop))
        }).await.unwrap();
        let mut written = 0;
        while step(&f.store, f.org).await.unwrap() {
            f.receive("+15551110002", "fresh").await;
            written += 1;
        }
        assert!(written >= 5, "{written}");
        f.drain().await;
        assert_eq!(count(&f, "fresh").await, (written, true));
        f.assert_clean().await;
    }
}
