//! Backup and restore: the same rows on whichever database, nothing of a file that is not whole, nothing sent twice.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parlance_model::clock::{ManualClock, SharedClock};
use parlance_model::delivery::{DeliveryState, Outcome};
use parlance_model::entropy::SystemEntropy;
use parlance_model::id::UserId;
use parlance_model::inbound::Receipt;
use parlance_model::search::Query;
use parlance_model::{Error, Result};
use parlance_store::backup::{self, Restored, Source, Summary, Target};
use parlance_store::secret::SecretKey;
use parlance_store::watch::{Unit, Unwatched, Watch};
use parlance_store::{Durability, Place, Setup, Store, attempt, doctor, installation, job, media, message, search, session};
use parlance_testkit::{Database, both_databases, databases};
use tempfile::TempDir;

use crate::fixture::{Fixture, START_MS, code, drain, inbound, open, place, receive, send, setup};
use crate::raw::{Raw, apart};

/// A place to restore into, with a data folder beside it.
pub(crate) struct Elsewhere {
    pub(crate) place: Place,
    pub(crate) folder: TempDir,
}

impl Elsewhere {
    pub(crate) fn new(database: Database) -> Self {
        match place(database, Durability::Relaxed) {
            (place, Some(folder)) => Self { place, folder },
            (place, None) => Self { place, folder: tempfile::tempdir().unwrap() },
        }
    }

    pub(crate) fn target(&self) -> Target {
        Target { place: self.place.clone(), folder: self.folder.path().to_owned(), force: false, keep_sending: false }
    }

    fn restore(&self, file: &[u8]) -> Result<Restored> {
        self.restore_as(file, &self.target())
    }

    pub(crate) fn restore_as(&self, file: &[u8], target: &Target) -> Result<Restored> {
        apart(|| backup::restore(target, &restoring(), file, Some(file.len() as u64), &Unwatched::default()))
    }

    pub(crate) async fn store(&self) -> Store {
        open(&self.place, restoring()).await.unwrap()
    }

    /// Nothing of an installation can be seen here.
    fn is_empty(&self) -> bool {
        let files = std::fs::read_dir(self.folder.path()).unwrap().count();
        files == 0 && (matches!(self.place, Place::Sqlite { .. }) || apart(|| !parlance_store::is_current(&self.place).unwrap()))
    }
}

/// With the system's randomness, so that two restores differ.
fn restoring() -> Setup {
    Setup { entropy: Arc::new(SystemEntropy), ..setup(&Arc::new(ManualClock::at(START_MS + 5000))) }
}

fn clock() -> SharedClock {
    Arc::new(ManualClock::at(START_MS))
}

/// A backup of this place, whose media and key are in this folder.
pub(crate) fn back_up(place: &Place, folder: &Path) -> Result<(Vec<u8>, Summary)> {
    let scratch = tempfile::tempdir().unwrap();
    let source = Source {
        place: place.clone(),
        folder: folder.to_owned(),
        media: Some(folder.join("media")),
        with_key: true,
        scratch: scratch.path().to_owned(),
    };
    let mut file = Vec::new();
    let summary = apart(|| backup::write(&source, &clock(), &mut file, &Unwatched::default()))?;
    assert_eq!(std::fs::read_dir(&scratch).unwrap().count(), 0, "the copy stayed behind");
    Ok((file, summary))
}

/// Every row of every table that a backup carries, in an order of its own.
fn everything(place: &Place) -> BTreeMap<String, Vec<Vec<String>>> {
    let tables = apart(|| backup::tables(place).unwrap());
    let rows = tables.into_iter().map(|(table, columns)| {
        let columns = columns.into_keys().filter(|column| column != "restore_mark").map(|column| format!("\"{column}\""));
        // What the restore itself wrote down is of the copy alone.
        let own = if table == "audit" { " WHERE action <> 'org.restore'" } else { "" };
        let mut rows = Raw::new(place).query(&format!("SELECT {} FROM \"{table}\"{own}", columns.collect::<Vec<_>>().join(", ")));
        rows.sort();
        (table, rows)
    });
    rows.collect()
}

/// An org with something of nearly everything, and a folder with its media and key.
pub(crate) async fn filled(database: Database) -> (Fixture, TempDir) {
    let f = Fixture::new(database).await;
    let (other, theirs) = f.other_org().await;
    f.store
        .write(other, move |tx| receive(tx, &theirs, "+15551110001", &inbound("theirs, with \u{1f980} and \"quotes\"\n")).map(drop))
        .await
        .unwrap();
    f.receive("+15551110001", "in").await;
    let sent = f.send("+15551110001", "out").await;
    let account = f.account.id;
    f.write(move |tx| {
        let id = attempt::start(tx, sent, account)?;
        attempt::finish(tx, id, Some("SM1"), &Outcome::of(DeliveryState::Sent))
    })
    .await
    .unwrap();
    f.write(|tx| {
        let id = crate::media::store(tx, "ab/one", Some("two"), 9)?;
        media::attach(tx, id)
    })
    .await
    .unwrap();
    f.system_write(installation::check_key).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("media/ab")).unwrap();
    std::fs::write(folder.path().join("media/ab/one"), b"a picture").unwrap();
    std::fs::write(folder.path().join("media/two"), b"").unwrap();
    std::fs::write(folder.path().join("secret.key"), "07".repeat(32)).unwrap();
    (f, folder)
}

/// The same on both databases.
#[test]
fn both_databases_are_backed_up_in_the_same_form() {
    let tables = databases().map(|database| {
        let (place, _folder) = place(database, Durability::Relaxed);
        parlance_store::migrate(&place, &setup(&Arc::new(ManualClock::at(START_MS)))).unwrap();
        backup::tables(&place).unwrap()
    });
    assert_eq!(tables[0], tables[1]);
    assert!(tables[0].contains_key("message") && !tables[0].contains_key("schema_migration"), "{:?}", tables[0].keys());
}

/// Asks to stop at this look.
struct Impatient(AtomicUsize);

impl Watch for Impatient {
    fn stage(&self, _what: &'static str, _total: Option<u64>, _unit: Unit) {}

    fn advance(&self, _by: u64) {}

    fn is_cancelled(&self) -> bool {
        self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_err()
    }
}

both_databases! {
    async fn every_row_is_restored_into_either_database(database) {
        let (f, folder) = filled(database).await;
        let (file, summary) = back_up(&f.place, folder.path()).unwrap();
        assert_eq!((summary.media_files, summary.media_bytes, summary.has_key), (2, 9, true));
        for into in databases() {
            let there = Elsewhere::new(into);
            let restored = there.restore_as(&file, &Target { keep_sending: true, ..there.target() }).unwrap();
            assert_eq!((restored.rows, restored.media_files, restored.unknown, restored.has_key), (summary.rows, 2, 0, true));
            assert_eq!(everything(&there.place), everything(&f.place), "{into:?}");
            assert_eq!(std::fs::read(there.folder.path().join("media/ab/one")).unwrap(), b"a picture");
            assert_eq!(std::fs::read_to_string(there.folder.path().join("secret.key")).unwrap(), "07".repeat(32));
            let store = there.store().await;
            assert_eq!(doctor::check(&store, true).await.unwrap().findings, Vec::new());
            // Ids go on where they were, and none is given out twice.
            let account = f.account.clone();
            let before = f.raw().value("SELECT MAX(id) FROM message").parse::<i64>().unwrap();
            let (_, id) = store.write(f.org, move |tx| receive(tx, &account, "+15551110002", &inbound("after"))).await.unwrap();
            assert_eq!(id.0, before + 1);
        }
    }

    async fn what_waited_is_not_sent_from_the_restored_copy(database) {
        let (f, folder) = filled(database).await;
        let account = f.account.clone();
        let untouched = f.send("+15551110002", "waits").await;
        let under_way = f.send("+15551110003", "under way").await;
        f.write(move |tx| attempt::start(tx, under_way, account.id).map(drop)).await.unwrap();
        let (overtaken, account) = (f.send("+15551110004", "its callback overtook the answer").await, f.account.id);
        f.write(move |tx| {
            let ours = attempt::start(tx, overtaken, account)?;
            let sent = DeliveryState::Sent;
            let receipt = Receipt { provider_id: "SM-early".to_owned(), attempt: Some(ours), state: sent, error: None, about_account: false, opted_out: false, to: None };
            attempt::record(tx, account, &receipt).map(drop)
        })
        .await
        .unwrap();
        let (file, _) = back_up(&f.place, folder.path()).unwrap();
        let there = Elsewhere::new(database);
        let restored = there.restore(&file).unwrap();
        // The one of `filled` has its outcome: its job was only not yet taken away.
        assert_eq!(restored.unknown, 2);
        let store = there.store().await;
        for id in [untouched, under_way] {
            let message = store.read(f.org, move |tx| message::get(tx, id)).await.unwrap();
            assert_eq!((message.state, message.error_code.as_deref()), (DeliveryState::Unknown, Some("restored")));
            assert!(message.error_message.unwrap().contains("may have been sent"));
        }
        let overtaken = store.read(f.org, move |tx| Ok((message::get(tx, overtaken)?.state, attempt::latest(tx, overtaken)?))).await.unwrap();
        assert_eq!((overtaken.0, overtaken.1.unwrap().finished_ms.is_some()), (DeliveryState::Sent, true));
        // What is left to do is to ask the provider about the two that were under way.
        let left = store.system_write(|tx| job::claim(tx, 10, 1000)).await.unwrap();
        assert_eq!(left.iter().map(|claimed| claimed.job.kind()).collect::<Vec<_>>(), ["reconcile", "reconcile"]);
        assert_eq!(doctor::check(&store, true).await.unwrap().findings, Vec::new());
        // What the original gave out since may still be named by a callback: here it names nothing.
        let before = f.raw().value("SELECT MAX(id) FROM message").parse::<i64>().unwrap();
        let account = f.account.clone();
        let next = store.write(f.org, move |tx| send(tx, &account, "+15551110002", "new")).await.unwrap();
        assert!(next.0 > before + 100_000, "{next:?}");
        assert_eq!(store.system_write(|tx| job::claim(tx, 10, 1000)).await.unwrap().len(), 1, "what comes later is sent");
    }

    async fn a_planned_move_sends_what_waits_and_keeps_people_signed_in(database) {
        let (f, folder) = filled(database).await;
        let waits = f.send("+15551110002", "waits").await;
        f.system_write(|tx| session::create(tx, UserId(1), None, "cookie-one").map(drop)).await.unwrap();
        let (file, _) = back_up(&f.place, folder.path()).unwrap();
        for (keep_sending, expected) in [(true, ("pending", "1")), (false, ("unknown", "0"))] {
            let there = Elsewhere::new(database);
            let restored = there.restore_as(&file, &Target { keep_sending, ..there.target() }).unwrap();
            assert_eq!(restored.sessions, u64::from(!keep_sending));
            let raw = Raw::new(&there.place);
            let state = raw.value(&format!("SELECT state FROM message WHERE id = {waits}"));
            assert_eq!((state.as_str(), raw.value("SELECT COUNT(*) FROM session").as_str()), expected);
        }
    }

    async fn each_restore_leaves_a_mark_of_its_own(database) {
        let (f, folder) = filled(database).await;
        assert_eq!(mark(&f.place), 0);
        let (file, _) = back_up(&f.place, folder.path()).unwrap();
        let (one, other) = (Elsewhere::new(database), Elsewhere::new(database));
        let mut marks = Vec::new();
        for there in [&one, &other] {
            there.restore(&file).unwrap();
            assert_eq!(there.store().await.tag(), f.store.tag());
            marks.push(mark(&there.place));
        }
        assert!(marks[0] > 0 && marks[1] > 0 && marks[0] != marks[1], "{marks:?}");
    }

    async fn a_file_that_is_cut_short_or_altered_restores_nothing(database) {
        let (f, folder) = filled(database).await;
        let (file, _) = back_up(&f.place, folder.path()).unwrap();
        let whole = zstd::decode_all(file.as_slice()).unwrap();
        let there = Elsewhere::new(database);
        let refused = |file: &[u8], what: String| {
            let code = there.restore(file).expect_err(&what).code();
            assert!(there.is_empty(), "{what} left something");
            code
        };
        // Every place would take long; a step that is prime meets each part of the file.
        for length in (0..file.len()).step_by(131) {
            let code = refused(&file[..length], format!("a cut at {length}"));
            assert!(["backup_cut_short", "not_a_backup"].contains(&code), "{length}: {code}");
        }
        for place in (0..file.len()).step_by(67) {
            let mut altered = file.clone();
            altered[place] ^= 0x10;
            // A few bits of a compressed file say nothing: what unpacks to the same is the same.
            if zstd::decode_all(altered.as_slice()).is_ok_and(|unpacked| unpacked == whole) {
                continue;
            }
            let code = refused(&altered, format!("an alteration at {place} of {}", file.len()));
            assert!(code.starts_with("backup_") || code == "not_a_backup", "{place}: {code}");
        }
        assert_eq!(refused(b"something else entirely, and longer than one header of zstd", "a stranger".to_owned()), "not_a_backup");
        assert_eq!(there.restore(&file).unwrap().media_files, 2);
    }

    async fn a_place_that_is_not_empty_is_left_alone(database) {
        let (f, folder) = filled(database).await;
        let (file, _) = back_up(&f.place, folder.path()).unwrap();
        let there = Elsewhere::new(database);
        there.restore(&file).unwrap();
        let before = everything(&there.place);
        assert_eq!(code(there.restore(&file)), "place_not_empty");
        assert_eq!(everything(&there.place), before);
    }

    async fn an_older_backup_is_brought_up_to_date(database) {
        let there = Elsewhere::new(database);
        let (old, _folder) = place(database, Durability::Relaxed);
        let raw = Raw::new(&old);
        raw.execute("CREATE TABLE schema_migration (version BIGINT PRIMARY KEY, name TEXT NOT NULL, applied_ms BIGINT NOT NULL)");
        raw.run(include_str!("../../migrations/0001_core/sqlite.sql"), include_str!("../../migrations/0001_core/postgres.sql"));
        raw.execute("INSERT INTO schema_migration VALUES (1, '0001_core', 0)");
        raw.execute("INSERT INTO installation (id, tag, created_ms) VALUES (1, 5, 0)");
        raw.execute("INSERT INTO org (slug, name, region, seq, created_ms) VALUES ('acme', 'Acme', 'US', 0, 0)");
        raw.execute("INSERT INTO contact (org_id, first_name, last_name, search, created_ms, updated_ms) VALUES (1, 'Ada', '', 'ada', 0, 0)");
        let (file, _) = back_up(&old, Path::new("/nowhere")).unwrap();
        let restored = there.restore(&file).unwrap();
        assert_eq!(restored.applied.first(), Some(&"0002_contacts"));
        let store = there.store().await;
        assert_eq!(doctor::check(&store, true).await.unwrap().findings, Vec::new());
        assert_eq!(Raw::new(&there.place).value("SELECT n FROM counter WHERE kind = 'contacts'"), "1");
    }

    async fn a_newer_database_is_not_backed_up(database) {
        let (f, folder) = filled(database).await;
        f.raw().execute("INSERT INTO schema_migration (version, name, applied_ms) VALUES (1000, 'of the future', 1)");
        assert_eq!(code(back_up(&f.place, folder.path())), "schema_too_new");
    }

    async fn work_that_is_stopped_leaves_nothing(database) {
        let (f, folder) = filled(database).await;
        let (file, _) = back_up(&f.place, folder.path()).unwrap();
        let mut looks = 0;
        loop {
            let there = Elsewhere::new(database);
            let watch = Impatient(AtomicUsize::new(looks));
            match apart(|| backup::restore(&there.target(), &restoring(), file.as_slice(), None, &watch)) {
                Ok(_) => break,
                Err(error) => assert_eq!(error.code(), "cancelled", "{looks}: {error:?}"),
            }
            assert!(there.is_empty(), "{looks}");
            looks += 3;
        }
        assert!(looks > 10, "only {looks} looks");
        let scratch = tempfile::tempdir().unwrap();
        let source = Source { place: f.place.clone(), folder: folder.path().to_owned(), media: None, with_key: true, scratch: scratch.path().to_owned() };
        let stopped = apart(|| backup::write(&source, &clock(), Vec::new(), &Impatient(AtomicUsize::new(0))));
        assert_eq!(code(stopped), "cancelled");
        assert_eq!(std::fs::read_dir(&scratch).unwrap().count(), 0);
    }

    async fn the_key_of_the_environment_must_be_the_originals(database) {
        let (f, folder) = filled(database).await;
        std::fs::remove_file(folder.path().join("secret.key")).unwrap();
        let (file, summary) = back_up(&f.place, folder.path()).unwrap();
        assert!(!summary.has_key);
        let there = Elsewhere::new(database);
        let with = |secret: SecretKey| {
            let setup = Setup { secret, ..restoring() };
            apart(|| backup::restore(&there.target(), &setup, file.as_slice(), None, &Unwatched::default()))
        };
        assert_eq!(code(with(SecretKey::new([9; 32]))), "wrong_secret_key");
        assert!(there.is_empty());
        let restored = with(SecretKey::absent()).unwrap();
        assert!(!restored.has_key);
    }
}

fn mark(place: &Place) -> i64 {
    Raw::new(place).value("SELECT restore_mark FROM installation").parse().unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_there_is_moved_aside_when_that_is_asked_for() {
    let (f, folder) = filled(Database::Sqlite).await;
    let (file, _) = back_up(&f.place, folder.path()).unwrap();
    let there = Elsewhere::new(Database::Sqlite);
    there.restore(&file).unwrap();
    std::fs::write(there.folder.path().join("note"), "mine").unwrap();
    std::fs::write(there.folder.path().join("media/old"), "old").unwrap();
    let restored = there.restore_as(&file, &Target { force: true, ..there.target() }).unwrap();
    let aside = restored.replaced.unwrap();
    assert_eq!(names(&aside), ["media", "parlance.db", "secret.key"]);
    assert_eq!(names(&aside.join("media")), ["ab", "old", "two"]);
    assert_eq!(names(&there.folder.path().join("media")), ["ab", "two"]);
    assert!(names(there.folder.path()).contains(&"note".to_owned()));
    assert_eq!(doctor::check(&there.store().await, true).await.unwrap().findings, Vec::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_that_was_broken_off_is_no_installation_and_can_be_run_again() {
    let (f, folder) = filled(Database::Sqlite).await;
    let (file, _) = back_up(&f.place, folder.path()).unwrap();
    let there = Elsewhere::new(Database::Sqlite);
    // As a kill in the middle of moving leaves it: media are in, the database is not.
    let (root, staging) = (there.folder.path(), there.folder.path().join(".restoring"));
    std::fs::create_dir_all(root.join("media/half")).unwrap();
    std::fs::create_dir_all(&staging).unwrap();
    std::fs::write(staging.join("moved"), "media\nparlance.db").unwrap();
    std::fs::write(staging.join("parlance.db"), "whole").unwrap();
    assert_eq!(code(backup::check_finished(root)), "restore_unfinished");
    there.restore(&file).unwrap();
    backup::check_finished(root).unwrap();
    assert_eq!(names(root), ["media", "parlance.db", "secret.key"]);
    assert_eq!(names(&root.join("media")), ["ab", "two"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_key_in_the_folder_is_not_written_over() {
    let (f, folder) = filled(Database::Sqlite).await;
    let (file, _) = back_up(&f.place, folder.path()).unwrap();
    let there = Elsewhere::new(Database::Sqlite);
    let key = there.folder.path().join("secret.key");
    std::fs::write(&key, "08".repeat(32)).unwrap();
    assert_eq!(code(there.restore(&file)), "other_secret_key");
    assert_eq!(names(there.folder.path()), ["secret.key"]);
    std::fs::write(&key, "07".repeat(32) + "\n").unwrap();
    there.restore(&file).unwrap();
    let message: Option<Error> = there.restore(&file).err();
    assert!(message.unwrap().message().contains("--force"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_search_index_that_is_newer_than_the_restored_backup_is_not_used() {
    let (f, folder) = filled(Database::Sqlite).await;
    let (file, _) = back_up(&f.place, folder.path()).unwrap();
    f.receive("+15551110001", "seaworthy").await;
    f.drain().await;
    let Place::Sqlite { data, .. } = &f.place else { panic!("not SQLite") };
    let there = Elsewhere::new(Database::Sqlite);
    there.restore_as(&file, &Target { keep_sending: true, ..there.target() }).unwrap();
    let into = there.folder.path().join("search.db");
    rusqlite::Connection::open(data.join("search.db")).unwrap().execute_batch(&format!("VACUUM INTO '{}'", into.display())).unwrap();
    // The copy goes on as its original did: the same time, ids and numbers of events, and another text.
    let store = open(&there.place, setup(&f.clock)).await.unwrap();
    let account = f.account.clone();
    store.write(f.org, move |tx| receive(tx, &account, "+15551110001", &inbound("moonstruck"))).await.unwrap();
    drain(&store).await;
    for (word, expected) in [("seaworthy", 0), ("moonstruck", 1), ("in", 1)] {
        let request = search::Request { query: Query::parse(word), me: None, before: None, limit: 10 };
        let found = store.read(f.org, move |tx| search::messages(tx, &request)).await.unwrap();
        assert_eq!((found.hits.len(), found.complete), (expected, true), "{word}");
    }
    assert_eq!(doctor::check(&store, true).await.unwrap().findings, Vec::new());
}
