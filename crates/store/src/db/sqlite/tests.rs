//! What the writer promises when SQLite ends a batch's transaction in the middle, and how the lists are walked.

use std::sync::Arc;

use parlance_model::clock::ManualClock;
use parlance_model::entropy::SeededEntropy;
use parlance_model::id::InstallationTag;
use parlance_model::{Error, Result};
use tempfile::TempDir;
use tokio::sync::oneshot;

use super::{Access, Database, Durability, Files, INTERRUPTED, Readers, file, writer};
use crate::bus::{Bus, Signal};
use crate::conversation::plans;
use crate::db::command::{Command, Typed};
use crate::db::{Tx, params};
use crate::installation::Origin;
use crate::metrics::Batches;
use crate::search::file::Unfit;
use crate::secret::SecretKey;
use crate::{Place, Setup, Store, contact, migrate, org, search};

type Batch = Vec<Box<dyn Command>>;

/// A writer's connection with one table of large rows.
fn database() -> (TempDir, Database) {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&file(folder.path()), Durability::Relaxed, Access::Write).unwrap();
    database.run("CREATE TABLE things (id BIGINT PRIMARY KEY, body TEXT NOT NULL)").unwrap();
    (folder, database)
}

const ORIGIN: Origin = Origin { tag: InstallationTag::new([0; 6]), restore_mark: 0 };

fn setup() -> Setup {
    Setup { clock: Arc::new(ManualClock::at(1)), entropy: Arc::new(SeededEntropy::new(1)), secret: SecretKey::new([1; 32]) }
}

fn commit(database: &Database, batch: Batch) {
    writer::commit(database, batch, &Batches::unwatched());
}

fn insert(tx: &mut Tx<'_>, id: i64, bytes: usize) -> Result<()> {
    tx.execute("INSERT INTO things (id, body) VALUES ($1, $2)", params![id, "x".repeat(bytes)]).map(drop)
}

/// A command with the caller who waits for it.
fn queue<T: Send + 'static>(
    batch: &mut Batch,
    bus: &Bus,
    closure: impl Fn(&mut Tx<'_>) -> Result<T> + Send + 'static,
) -> oneshot::Receiver<Result<T>> {
    let (reply, answer) = oneshot::channel();
    let closure = move |tx: &mut Tx<'_>| Ok((closure(tx)?, vec![Signal::Jobs]));
    batch.push(Box::new(Typed { org: None, closure, kept: None, reply, bus: bus.clone(), _permit: None }));
    answer
}

fn ids(database: &Database) -> Vec<i64> {
    let mut statement = database.connection().prepare("SELECT id FROM things ORDER BY id").unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.map(std::result::Result::unwrap).collect()
}

/// Lets the file grow by this many pages and no more.
fn limit(database: &Database, pages: i64) {
    let now: i64 = database.connection().query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
    pragma(database, now + pages);
}

fn pragma(database: &Database, pages: i64) {
    database.connection().query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(())).unwrap();
}

/// Every Ok's row is there, every Err's is not, and who was refused is told that nothing was changed.
fn assert_answers_are_true(database: &Database, answers: Vec<(i64, oneshot::Receiver<Result<i64>>)>) -> (usize, usize) {
    let there = ids(database);
    let mut outcome = (0, 0);
    for (id, mut answer) in answers {
        match answer.try_recv().expect("everybody is answered") {
            Ok(answered) => {
                assert_eq!(answered, id);
                assert!(there.contains(&id), "{id} was acknowledged and is not there");
                outcome.0 += 1;
            }
            Err(error) => {
                assert_eq!(error.code(), "unavailable", "{error:?}");
                assert!(!there.contains(&id), "{id} was refused and is there");
                outcome.1 += 1;
            }
        }
    }
    outcome
}

#[test]
fn nobody_is_answered_ok_wrongly_when_the_disk_fills_in_the_middle_of_a_batch() {
    let (_folder, database) = database();
    let bus = Bus::new();
    limit(&database, 40);
    let mut batch = Batch::new();
    let answers: Vec<_> = (1..=30).map(|id| (id, queue(&mut batch, &bus, move |tx| insert(tx, id, 10_000).map(|()| id)))).collect();
    commit(&database, batch);
    let (acknowledged, refused) = assert_answers_are_true(&database, answers);
    assert!(acknowledged > 0 && refused > 0, "{acknowledged} acknowledged, {refused} refused: the limit was not met in the middle");
    assert_eq!(ids(&database).len(), acknowledged);

    pragma(&database, 1_000_000);
    let mut batch = Batch::new();
    let answers: Vec<_> = (101..=130).map(|id| (id, queue(&mut batch, &bus, move |tx| insert(tx, id, 10_000).map(|()| id)))).collect();
    commit(&database, batch);
    assert_eq!(assert_answers_are_true(&database, answers), (30, 0));
}

/// The same, when the closure swallows the error: its own Ok must not reach the caller, nor the others' be lost.
#[test]
fn a_closure_that_hides_a_full_disk_is_not_believed() {
    let (_folder, database) = database();
    let bus = Bus::new();
    limit(&database, 5);
    let mut batch = Batch::new();
    let before = queue(&mut batch, &bus, |tx| insert(tx, 1, 10).map(|()| 1));
    let liar = queue(&mut batch, &bus, |tx| {
        let _ = insert(tx, 2, 200_000);
        // What it writes after that must not be committed by itself.
        let _ = insert(tx, 22, 10);
        Ok(2)
    });
    let after = queue(&mut batch, &bus, |tx| insert(tx, 3, 10).map(|()| 3));
    commit(&database, batch);
    let outcome = assert_answers_are_true(&database, vec![(1, before), (2, liar), (3, after)]);
    assert_eq!(outcome, (2, 1));
    assert_eq!(ids(&database), [1, 3]);
}

#[test]
fn a_closures_own_failure_and_its_panic_roll_back_alone() {
    let (_folder, database) = database();
    let bus = Bus::new();
    let mut batch = Batch::new();
    let mut first = queue(&mut batch, &bus, |tx| insert(tx, 1, 10));
    let mut failed = queue(&mut batch, &bus, |tx| {
        insert(tx, 2, 10)?;
        Err::<(), _>(Error::conflict("taken", "Taken."))
    });
    let mut twice = queue(&mut batch, &bus, |tx| {
        insert(tx, 3, 10)?;
        insert(tx, 1, 10)
    });
    let mut panicked = queue(&mut batch, &bus, |tx| -> Result<()> {
        insert(tx, 4, 10)?;
        panic!("a defect, on purpose");
    });
    let mut last = queue(&mut batch, &bus, |tx| insert(tx, 5, 10));
    commit(&database, batch);
    first.try_recv().unwrap().unwrap();
    assert_eq!(failed.try_recv().unwrap().unwrap_err().code(), "taken");
    assert_eq!(twice.try_recv().unwrap().unwrap_err().code(), "internal");
    assert_eq!(panicked.try_recv().unwrap().unwrap_err().code(), "internal");
    last.try_recv().unwrap().unwrap();
    assert_eq!(ids(&database), [1, 5]);
}

#[test]
fn a_batch_that_ran_twice_signals_once_and_only_what_was_committed() {
    let (_folder, database) = database();
    let bus = Bus::new();
    let mut signals = bus.listen();
    limit(&database, 5);
    let mut batch = Batch::new();
    let kept = queue(&mut batch, &bus, |tx| insert(tx, 1, 10).map(|()| 1));
    let lost = queue(&mut batch, &bus, |tx| insert(tx, 2, 200_000).map(|()| 2));
    commit(&database, batch);
    assert_eq!(assert_answers_are_true(&database, vec![(1, kept), (2, lost)]), (1, 1));
    assert_eq!(signals.try_recv().unwrap(), Signal::Jobs);
    assert!(signals.try_recv().is_err());
}

#[test]
fn a_command_whose_caller_went_away_is_committed_all_the_same() {
    let (_folder, database) = database();
    let mut batch = Batch::new();
    drop(queue(&mut batch, &Bus::new(), |tx| insert(tx, 1, 10)));
    commit(&database, batch);
    assert_eq!(ids(&database), [1]);
}

/// The same through the store: many who write at once, on a disk that fills.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_on_a_full_disk_refuses_loses_nothing_and_goes_on_when_there_is_space() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::Sqlite { data: folder.path().to_owned(), durability: Durability::Relaxed };
    let store = tokio::task::spawn_blocking(move || Store::open(&place, setup())).await.unwrap().unwrap();
    let org = store.system_write(|tx| org::create(tx, "acme", "Acme", "US")).await.unwrap().id;
    let space = |pages: Option<i64>| {
        store.submit_write(None, move |tx| {
            let Tx::Sqlite(tx) = tx else { return Err(Error::internal("SQLite alone has pages")) };
            match pages {
                Some(pages) => limit(tx.0, pages),
                None => pragma(tx.0, 1_000_000),
            }
            Ok(((), Vec::new()))
        })
    };
    space(Some(60)).await.unwrap();
    for round in 0..2 {
        let mut writes = tokio::task::JoinSet::new();
        for number in 0..40 {
            let store = store.clone();
            let details = contact::Details { first_name: format!("{round} {number}"), last_name: "x".repeat(8000) };
            writes.spawn(async move { store.write(org, move |tx| contact::create(tx, &details, &[])).await.map(|made| made.id) });
        }
        let answers = writes.join_all().await;
        let (mut acknowledged, mut refused) = (0, 0);
        for answer in answers {
            match answer {
                Ok(id) => {
                    store.read(org, move |tx| contact::get(tx, id)).await.unwrap();
                    acknowledged += 1;
                }
                Err(error) => {
                    assert_eq!(error.code(), "unavailable", "{error:?}");
                    refused += 1;
                }
            }
        }
        let there: i64 = {
            let prefix = format!("{round} ");
            let count = move |tx: &mut Tx<'_>| {
                let sql = "SELECT COUNT(*) FROM contact WHERE first_name >= $1 AND first_name < $2";
                tx.query_one(sql, params![&prefix, format!("{prefix}~")], |row| row.get(0))
            };
            store.submit_read(count).await.unwrap()
        };
        assert_eq!(there, acknowledged);
        match round {
            0 => assert!(acknowledged > 0 && refused > 0, "{acknowledged} acknowledged, {refused} refused"),
            _ => assert_eq!((acknowledged, refused), (40, 0)),
        }
        space(None).await.unwrap();
    }
}

#[test]
fn a_slow_read_is_interrupted_where_it_was_asked_for_and_finished_by_the_pool() {
    const SLOW: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000) SELECT COUNT(*) FROM n";
    let (folder, database) = database();
    database.run("INSERT INTO things (id, body) VALUES (7, 'x')").unwrap();
    search::file::open(folder.path(), ORIGIN, Unfit::MakeAnew).unwrap();
    let readers = Readers::start(Files { database: file(folder.path()), search: folder.path().join("search.db") }).unwrap();
    let slow = |tx: &mut Tx<'_>| tx.query_one(SLOW, &[], |row| row.get::<i64>(0));
    assert_eq!(readers.in_place(slow).unwrap_err().code(), INTERRUPTED);
    // The thread's connection is free again.
    assert_eq!(readers.in_place(|tx| tx.query_one("SELECT id FROM things", &[], |row| row.get::<i64>(0))).unwrap(), 7);
    let mut batch = Batch::new();
    let answer = queue(&mut batch, &Bus::new(), slow);
    batch.into_iter().for_each(|command| readers.submit(command));
    assert_eq!(answer.blocking_recv().unwrap().unwrap(), 300_000);
}

/// Each list walks its own index: nothing is scanned and nothing is sorted.
#[test]
fn no_plan_of_a_list_scans_or_sorts() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::Sqlite { data: folder.path().to_owned(), durability: Durability::Relaxed };
    migrate(&place, &setup()).unwrap();
    let database = Database::open(&file(folder.path()), Durability::Relaxed, Access::Write).unwrap();
    search::file::open(folder.path(), ORIGIN, Unfit::MakeAnew).unwrap();
    for (text, indexes) in plans() {
        let steps = plan(&database, text);
        let of_list: Vec<_> = steps.iter().filter(|step| step.contains(" conversation ")).collect();
        assert_eq!(of_list.len(), indexes.len(), "{steps:#?}");
        for (step, index) in of_list.iter().zip(indexes) {
            assert!(step.starts_with("SEARCH") && step.contains(index), "not by {index}: {steps:#?}");
        }
        assert!(!steps.iter().any(|step| step.contains("TEMP B-TREE")), "{steps:#?}");
    }
    for (text, index) in contact::plans().into_iter().chain(crate::opt_out::plans()).chain(crate::audit::plans()) {
        let steps = plan(&database, text);
        assert!(steps.iter().any(|step| step.starts_with("SEARCH") && step.contains(index)), "not by {index}: {steps:#?}");
        assert!(
            !steps
                .iter()
                .any(|step| step.contains("TEMP B-TREE")
                    || step.starts_with("SCAN") && !["SCAN page", "SCAN found"].contains(&step.as_str())),
            "{steps:#?}"
        );
    }
    let database = database.attach(&search::file::path(folder.path())).unwrap();
    for (text, index) in search::plans().into_iter().chain(crate::conversation::plans_of_few()) {
        let steps = plan(&database, text.on_sqlite());
        assert!(steps.iter().any(|step| step.contains(index)), "not by {index}: {steps:#?}");
        let list = |step: &str| step.starts_with("SCAN json_each") || step.starts_with("SCAN search_") && step.contains("VIRTUAL TABLE");
        assert!(!steps.iter().any(|step| step.contains("TEMP B-TREE") || step.starts_with("SCAN") && !list(step)), "{steps:#?}");
    }
    let thread = plan(&database, crate::message::LIST);
    assert!(thread.iter().all(|step| step.starts_with("SEARCH") || step.starts_with("CORRELATED")), "{thread:#?}");
}

/// The look at all jobs walks their table once, and asks about each by an index.
#[test]
fn the_look_at_the_jobs_asks_about_each_by_its_lane() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::Sqlite { data: folder.path().to_owned(), durability: Durability::Relaxed };
    migrate(&place, &setup()).unwrap();
    let database = Database::open(&file(folder.path()), Durability::Relaxed, Access::Write).unwrap();
    let steps = plan(&database, crate::job::STANDING);
    assert!(steps.iter().any(|step| step.starts_with("SEARCH e") && step.contains("job_lane")), "{steps:#?}");
    assert_eq!(steps.iter().filter(|step| step.starts_with("SCAN j")).count(), 1, "{steps:#?}");
}

/// A claim seeks what is due now, and the marking of an org's jobs those that are marked otherwise.
#[test]
fn a_claim_seeks_and_does_not_sort() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::Sqlite { data: folder.path().to_owned(), durability: Durability::Relaxed };
    migrate(&place, &setup()).unwrap();
    let database = Database::open(&file(folder.path()), Durability::Relaxed, Access::Write).unwrap();
    let steps = plan(&database, crate::job::RECALL_FILES);
    assert!(steps.iter().all(|step| step.contains("job_held (org_id=? AND account_id=?)")), "{steps:#?}");
    for text in [crate::job::LAST_TURN, crate::job::MOVE_UP] {
        let steps = plan(&database, text);
        let sought = "job_turn (org_id=? AND account_id=? AND slot_channel=? AND slot_epoch=?";
        assert!(steps.iter().any(|step| step.contains(sought)), "{steps:#?}");
        assert!(steps.iter().all(|step| step.contains(sought) || step.contains("rowid=?") || step.contains("SCALAR")), "{steps:#?}");
    }
    let steps = plan(&database, crate::job::NEXT_DUE);
    assert!(steps.iter().all(|step| step.starts_with("SEARCH") && step.contains("job_due (priority=? AND run_at_ms>?)")), "{steps:#?}");
    for (text, index) in
        [(crate::job::CLAIM.on_sqlite(), "job_due (priority=? AND run_at_ms<?)"), (crate::job::FOLLOW, "job_rest (org_id=? AND resting=?)")]
    {
        let steps = plan(&database, text);
        assert!(steps.iter().any(|step| step.starts_with("SEARCH j ") && step.contains(index)), "not by {index}: {steps:#?}");
        // What was found, and the orgs that are switched off.
        let few = ["SCAN due", "SCAN o USING INDEX org_disabled"];
        let bad = |step: &&String| step.contains("TEMP B-TREE") || step.starts_with("SCAN") && !few.contains(&step.as_str());
        assert_eq!(steps.iter().find(bad), None, "{steps:#?}");
    }
}

/// What rests or is due later costs a claim nothing: counted in the steps of SQLite's machine.
#[test]
fn a_claim_costs_the_same_beside_twenty_thousand_jobs_that_rest_or_are_due_later() {
    const BESIDE: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
        INSERT INTO job (org_id, kind, payload, lane, priority, run_at_ms, attempt, created_ms, resting)
        SELECT 2 - i % 2, 'send', '{}', i, 0, CASE WHEN i % 2 = 0 THEN 2000 ELSE 1 END, 0, 0, i % 2 FROM n";
    const DUE: &str =
        "INSERT INTO job (org_id, kind, payload, lane, priority, run_at_ms, attempt, created_ms) VALUES (2, 'send', '{}', 0, 0, 500, 0, 0)";
    let folder = tempfile::tempdir().unwrap();
    let place = Place::Sqlite { data: folder.path().to_owned(), durability: Durability::Relaxed };
    migrate(&place, &setup()).unwrap();
    let database = Database::open(&file(folder.path()), Durability::Relaxed, Access::Write).unwrap();
    let steps = || {
        database.run(DUE).unwrap();
        let mut claim = database.connection().prepare(&super::rewrite::positional(crate::job::CLAIM.on_sqlite())).unwrap();
        let claimed = claim.query_map([1000, 1500, 0, 10], |row| row.get::<_, i64>(0)).unwrap().count();
        assert_eq!(claimed, 1);
        let steps = claim.get_status(rusqlite::StatementStatus::VmStep);
        database.run("DELETE FROM job WHERE lease_until_ms IS NOT NULL").unwrap();
        steps
    };
    let alone = steps();
    database.run(BESIDE).unwrap();
    let beside = steps();
    assert!(beside < 2 * alone, "{alone} steps alone, {beside} beside others");
}

fn plan(database: &Database, text: &'static str) -> Vec<String> {
    let text = super::rewrite::positional(text);
    let mut statement = database.connection().prepare(&format!("EXPLAIN QUERY PLAN {text}")).unwrap();
    let values = vec![rusqlite::types::Value::Null; statement.parameter_count()];
    let rows = statement.query_map(rusqlite::params_from_iter(values), |row| row.get::<_, String>(3)).unwrap();
    rows.map(std::result::Result::unwrap).collect()
}

#[test]
fn a_statement_with_a_pattern_is_planned_once_however_often_it_is_bound() {
    let (_folder, database) = database();
    let mut statement = database.connection().prepare("SELECT id FROM things WHERE body LIKE ?1 ESCAPE '\\'").unwrap();
    for pattern in ["a%", "%b%", "c"] {
        assert!(!statement.exists([pattern]).unwrap());
    }
    assert_eq!(statement.get_status(rusqlite::StatementStatus::RePrepare), 0);
}
