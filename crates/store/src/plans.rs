//! The plans of the lists. Every list is asked with every combination of its filters, and the plan of each statement that it
//! runs is looked at on both databases: whatever an org has, a page is walked in the order of an index, and nothing is
//! scanned or sorted as a whole.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use parlance_model::Result;
use parlance_model::audit::{Action, Subject, SubjectKind};
use parlance_model::channel::Channel;
use parlance_model::clock::ManualClock;
use parlance_model::conversation::Status;
use parlance_model::entropy::SeededEntropy;
use parlance_model::id::{ContactId, ConversationId, KeyId, MediaId, MessageId, OrgId, UserId};
use parlance_testkit::{FreshDatabase, databases};
use tempfile::TempDir;

use crate::db::sqlite::{self, Access, Database, Durability, SqliteTx};
use crate::db::{Param, Sql, Tx};
use crate::secret::SecretKey;
use crate::{OrgTx, Place, Setup, Shared, Store, audit, contact, conversation, event, key, media, message, opt_out, org, search, staff};

/// A statement that was run, with its values as literals of PostgreSQL.
#[derive(Clone)]
struct Heard {
    sql: Sql,
    values: Vec<String>,
}

thread_local! {
    static HEARD: RefCell<Vec<Heard>> = const { RefCell::new(Vec::new()) };
}

/// Notes a query that this thread runs.
pub(crate) fn hear<'p>(sql: Sql, params: impl Iterator<Item = &'p Param<'p>>) {
    let values = params.map(literal).collect();
    HEARD.with_borrow_mut(|heard| heard.push(Heard { sql, values }));
}

fn literal(param: &Param<'_>) -> String {
    match param {
        Param::Null => "NULL".to_owned(),
        Param::Int(value) => format!("CAST('{value}' AS BIGINT)"),
        Param::Bool(value) => value.to_string(),
        Param::Text(value) => format!("'{}'", value.replace('\'', "''")),
        Param::Bytes(_) => "''".to_owned(),
    }
}

impl Heard {
    /// The text for PostgreSQL with its values in it. The highest first: `$1` is the beginning of `$10`.
    fn on_postgres(&self) -> String {
        let numbered = self.values.iter().enumerate().rev();
        numbered.fold(self.sql.on_postgres().to_owned(), |text, (at, value)| text.replace(&format!("${}", at + 1), value))
    }
}

const ORG: OrgId = OrgId(1);

fn setup() -> Setup {
    Setup { clock: Arc::new(ManualClock::at(1)), entropy: Arc::new(SeededEntropy::new(1)), secret: SecretKey::new([1; 32]) }
}

/// A migrated database of each kind: the folder of the embedded one, and the URL of the other.
fn migrated() -> (TempDir, String) {
    let [sqlite, postgres] = databases().map(|database| database.fresh());
    let (FreshDatabase::Sqlite(folder), FreshDatabase::Postgres(url)) = (sqlite, postgres) else { panic!("one of each kind") };
    for place in [Place::Sqlite { data: folder.path().to_owned(), durability: Durability::Relaxed }, Place::Postgres { url: url.clone() }] {
        let store = Store::open(&place, setup()).unwrap();
        assert_eq!(block_on(store.system_write(|tx| org::create(tx, "acme", "Acme", "US"))).unwrap().id, ORG);
    }
    (folder, url)
}

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

/// What all lists run on this connection, by every combination of their filters.
fn everything(database: &Database) -> Vec<Heard> {
    let Setup { clock, entropy, secret } = setup();
    let shared = Shared { clock, entropy, secret };
    HEARD.take();
    database.run("BEGIN").unwrap();
    let mut tx = Tx::Sqlite(SqliteTx(database));
    let tx = &mut OrgTx::new(&mut tx, ORG, &shared);
    conversations(tx).unwrap();
    contacts(tx).unwrap();
    audits(tx).unwrap();
    for (at_ms, id) in [(i64::MAX, i64::MAX), (5, 5)] {
        message::list(tx, ConversationId(1), Some(message::After { at_ms, id: MessageId(id) }), 50, 0).unwrap();
        opt_out::list(tx, Some(opt_out::After { at_ms, id }), 50, 0).unwrap();
    }
    opt_out::total(tx).unwrap();
    event::after(tx, 5, 50).unwrap();
    key::list(tx, 50, 0).unwrap();
    staff::list(tx, 50, 0).unwrap();
    media::page(tx, MediaId(5), 50).unwrap();
    database.run("COMMIT").unwrap();
    HEARD.take()
}

fn conversations(tx: &mut OrgTx<'_, '_>) -> Result<()> {
    for channel in [None, Some(Channel::Sms)] {
        for status in std::iter::once(None).chain(Status::ALL.iter().copied().map(Some)) {
            for assigned_to in [None, Some(UserId(1))] {
                for contact_id in [None, Some(ContactId(1))] {
                    for search in [None, Some("Ann".to_owned()), Some("(555) 123-4567".to_owned())] {
                        let filter = conversation::Filter { channel, status, contact_id, assigned_to, search };
                        conversation::total(tx, &filter)?;
                        for after in [None, Some(conversation::After { last_message_ms: 5, id: ConversationId(5) })] {
                            conversation::list(tx, &filter, after, 50, 0)?;
                        }
                    }
                }
            }
        }
    }
    Ok(())
}

fn contacts(tx: &mut OrgTx<'_, '_>) -> Result<()> {
    for search in [None, Some("Ann"), Some("(555) 123-4567")] {
        contact::total(tx, search)?;
        for before in [None, Some(ContactId(5))] {
            contact::list(tx, search, before, 50, 0)?;
        }
    }
    Ok(())
}

fn audits(tx: &mut OrgTx<'_, '_>) -> Result<()> {
    for bits in 0..64_u8 {
        let has = |bit: u8| bits & bit > 0;
        let filter = audit::Filter {
            user: has(1).then_some(UserId(1)),
            key: has(2).then_some(KeyId(1)),
            action: has(4).then_some(Action::SignIn),
            subject: has(8).then_some(Subject { kind: SubjectKind::Staff, id: 1 }),
            from_ms: has(16).then_some(1),
            until_ms: has(32).then_some(9),
        };
        audit::total(tx, &filter)?;
        for after in [None, Some(audit::After { at_ms: 5, id: 5 })] {
            audit::list(tx, &filter, after, 50)?;
        }
    }
    Ok(())
}

/// Every list on both databases. What is scanned by name is a page that was cut before, a list of ids, or the index of words.
#[test]
fn no_list_scans_or_sorts_whatever_it_is_narrowed_by() {
    let (folder, url) = migrated();
    let database = Database::open(&sqlite::file(folder.path()), Durability::Relaxed, Access::Write).unwrap();
    let database = database.attach(&search::file::path(folder.path())).unwrap();
    // Both ways of a search: without an index of words the list is walked; with one, those who were found are read.
    let walked = everything(&database);
    let place = Place::Sqlite { data: folder.path().to_owned(), durability: Durability::Relaxed };
    let store = Store::open(&place, setup()).unwrap();
    while block_on(search::step(&store, ORG)).unwrap() {}
    drop(store);
    let mut heard = [walked, everything(&database)].concat();
    heard.sort_by(|a, b| (a.sql.on_sqlite(), &a.values).cmp(&(b.sql.on_sqlite(), &b.values)));
    heard.dedup_by(|a, b| a.sql.on_sqlite() == b.sql.on_sqlite() && a.values == b.values);
    assert!(heard.len() > 200, "{} statements", heard.len());
    let mut client = postgres::Client::connect(&url, postgres::NoTls).unwrap();
    // What is left of these is what no index can spare.
    client.batch_execute("SET enable_seqscan = off; SET enable_sort = off; SET enable_bitmapscan = off").unwrap();
    let mut bad = BTreeSet::new();
    for statement in &heard {
        let (sqlite, text) = (statement.sql.on_sqlite(), statement.on_postgres());
        bad.extend(bad_on_sqlite(&database, sqlite));
        // The value of a search for words is made for one database alone, and its candidates are sorted after they were found.
        if !text.contains("tokens @@") {
            bad.extend(bad_on_postgres(&mut client, &text));
        }
    }
    assert!(bad.is_empty(), "{}", bad.into_iter().collect::<Vec<_>>().join("\n\n"));
    for wrong in ["SELECT id FROM conversation WHERE org_id = 1 ORDER BY preview", "SELECT id FROM message WHERE body = ''"] {
        assert!(bad_on_sqlite(&database, wrong).is_some() && bad_on_postgres(&mut client, wrong).is_some(), "{wrong}");
    }
}

/// The plan, where it scans or sorts.
fn bad_on_sqlite(database: &Database, text: &'static str) -> Option<String> {
    let steps = sqlite_plan(database, text);
    let fine = |step: &String| !step.contains("TEMP B-TREE") && (!step.starts_with("SCAN") || is_few(step));
    (!steps.iter().all(fine)).then(|| format!("{text}\n{steps:#?}"))
}

fn bad_on_postgres(client: &mut postgres::Client, text: &str) -> Option<String> {
    let rows = client.query(&format!("EXPLAIN (COSTS OFF) {text}"), &[]).unwrap_or_else(|error| panic!("{text}\n{error:?}"));
    let steps: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    let fine = |step: &String| !step.contains("Seq Scan") && step.trim_start_matches([' ', '-', '>']) != "Sort";
    let fine = |step: &String| fine(step) && !step.contains("Incremental Sort");
    (!steps.iter().all(fine)).then(|| format!("{text}\n{steps:#?}"))
}

fn is_few(step: &str) -> bool {
    let words = step.starts_with("SCAN search_") && step.contains("VIRTUAL TABLE");
    words || step.starts_with("SCAN json_each") || ["SCAN page", "SCAN found"].contains(&step)
}

fn sqlite_plan(database: &Database, text: &'static str) -> Vec<String> {
    let text = sqlite::rewrite::positional(text);
    let mut statement = database.connection().prepare(&format!("EXPLAIN QUERY PLAN {text}")).unwrap();
    let values = vec![rusqlite::types::Value::Null; statement.parameter_count()];
    let rows = statement.query_map(rusqlite::params_from_iter(values), |row| row.get::<_, String>(3)).unwrap();
    rows.map(std::result::Result::unwrap).collect()
}
