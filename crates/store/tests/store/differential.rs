//! Random operations on SQLite and on PostgreSQL, side by side. Each operation has to end alike on both, and after each
//! batch of them every public read has to answer alike.
//!
//! What may differ on purpose is in [`Names`] and nowhere else: the numbers of rows. PostgreSQL's sequences also count rows
//! that were not kept, so rows are compared by the order in which they were first told of.
//!
//! `PARLANCE_DIFFERENTIAL=<seed>` runs another seed, `<seed>:<operations>` more of it.

mod observations;
mod people;
mod side;
mod threads;
mod work;

use std::sync::Arc;

use parlance_model::clock::ManualClock;
use parlance_store::doctor;
use parlance_testkit::Database;

use crate::dice::Dice;
use crate::fixture::START_MS;
use side::Side;

const SEED: u64 = 20_260_305;
const OPERATIONS: u64 = 600;
/// Operations between two looks at everything.
const BATCH: u64 = 50;

/// What a run compared.
#[derive(Default)]
struct Compared {
    operations: u64,
    rows: usize,
}

/// Where the two first differ.
struct Difference {
    operation: u64,
    sqlite: String,
    postgres: String,
}

/// Both databases and the clock that both read.
struct Pair {
    sqlite: Side,
    postgres: Side,
    clock: Arc<ManualClock>,
    seed: u64,
}

impl Pair {
    async fn new(seed: u64) -> Self {
        let clock = Arc::new(ManualClock::at(START_MS));
        let (sqlite, postgres) = (Side::new(Database::Sqlite, &clock).await, Side::new(Database::Postgres, &clock).await);
        Self { sqlite, postgres, clock, seed }
    }

    /// Runs this many operations, and compares. Stops at the first difference.
    async fn run(&mut self, operations: u64) -> Result<Compared, Box<Difference>> {
        let mut compared = Compared::default();
        for operation in 1..=operations {
            let dice = || Dice::new(self.seed, operation);
            self.clock.advance_ms(dice().below(5000));
            let ended = (self.sqlite.step(dice()).await, self.postgres.step(dice()).await);
            compared.operations += 1;
            compared.rows += alike(operation, [ended.0], [ended.1])?;
            if operation % BATCH == 0 || operation == operations {
                compared.rows += alike(operation, self.sqlite.observe(dice()).await, self.postgres.observe(dice()).await)?;
            }
        }
        Ok(compared)
    }
}

/// How many rows were compared, all of them alike.
fn alike(
    operation: u64,
    sqlite: impl IntoIterator<Item = String>,
    postgres: impl IntoIterator<Item = String>,
) -> Result<usize, Box<Difference>> {
    let (sqlite, postgres): (Vec<_>, Vec<_>) = (sqlite.into_iter().collect(), postgres.into_iter().collect());
    let rows = sqlite.len().max(postgres.len());
    let row = |of: &[String], at: usize| of.get(at).cloned().unwrap_or_else(|| "no such row".to_owned());
    match (0..rows).find(|at| sqlite.get(*at) != postgres.get(*at)) {
        Some(at) => Err(Box::new(Difference { operation, sqlite: row(&sqlite, at), postgres: row(&postgres, at) })),
        None => Ok(rows),
    }
}

fn asked() -> (u64, u64) {
    let Ok(text) = std::env::var("PARLANCE_DIFFERENTIAL") else { return (SEED, OPERATIONS) };
    let (seed, operations) = text.split_once(':').unwrap_or((&text, ""));
    (seed.parse().unwrap(), if operations.is_empty() { OPERATIONS } else { operations.parse().unwrap() })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_operations_end_alike_on_both_databases_and_leave_nothing_for_the_doctor() {
    let (seed, operations) = asked();
    let mut pair = Pair::new(seed).await;
    match pair.run(operations).await {
        Ok(Compared { operations, rows }) => println!("seed {seed}: {operations} operations, {rows} rows compared"),
        Err(found) => {
            panic!("seed {seed}, operation {}:\n  sqlite:   {}\n  postgres: {}", found.operation, found.sqlite, found.postgres)
        }
    }
    for side in [&pair.sqlite, &pair.postgres] {
        side.f.drain().await;
        assert_eq!(doctor::check(&side.f.store, true).await.unwrap().findings, [], "seed {seed}");
    }
}

/// The statement of one database is made to write something else than its text says; everything else is as in the test above.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_statement_that_is_wrong_on_one_database_is_noticed() {
    const WRONG: [(&str, &str); 4] = [
        (
            "the counters move by two",
            "AFTER UPDATE OF n ON counter BEGIN UPDATE counter SET n = n + 1 WHERE org_id = NEW.org_id AND kind = NEW.kind AND key = NEW.key; END",
        ),
        ("a receipt is lost", "BEFORE INSERT ON receipt BEGIN SELECT RAISE(IGNORE); END"),
        (
            "a job keeps its lease",
            "AFTER UPDATE OF run_at_ms ON job WHEN NEW.lease_until_ms IS NULL
             BEGIN UPDATE job SET lease_until_ms = OLD.lease_until_ms WHERE id = NEW.id; END",
        ),
        ("a name is cut", "AFTER UPDATE OF search ON contact BEGIN UPDATE contact SET search = substr(search, 2) WHERE id = NEW.id; END"),
    ];
    for (what, trigger) in WRONG {
        let mut pair = Pair::new(SEED).await;
        pair.sqlite.f.raw().run(&format!("CREATE TRIGGER wrong {trigger}"), "");
        let found = pair.run(OPERATIONS).await;
        let found = found.err().unwrap_or_else(|| panic!("{what}: nobody noticed"));
        println!("{what}: operation {}\n  sqlite:   {}\n  postgres: {}", found.operation, found.sqlite, found.postgres);
    }
}
