//! The schema: brought up once, refused when it is newer, the same on both databases.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use parlance_model::Result;
use parlance_model::clock::ManualClock;
use parlance_model::id::InstallationTag;
use parlance_store::watch::Unwatched;
use parlance_store::{Durability, Place, Store, doctor, migrate, needs_lock};
use parlance_testkit::{Database, both_databases};

use crate::fixture::{START_MS, code, place, setup};
use crate::raw::Raw;

const FOLDERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");

/// Every migration, in order: each is a folder.
fn every() -> Vec<String> {
    let folders = std::fs::read_dir(FOLDERS).unwrap();
    let mut names: Vec<_> = folders.map(|folder| folder.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The schema of the version before this one, as that version left it.
fn older(place: &Place) {
    before(place, every().last().unwrap());
}

/// The schema as it was before this migration.
fn before(place: &Place, migration: &str) {
    let raw = Raw::new(place);
    raw.execute("CREATE TABLE schema_migration (version BIGINT PRIMARY KEY, name TEXT NOT NULL, applied_ms BIGINT NOT NULL)");
    let every = every();
    for (version, name) in (1..).zip(every.iter().take_while(|name| *name != migration)) {
        let text = |database: &str| std::fs::read_to_string(format!("{FOLDERS}/{name}/{database}.sql")).unwrap();
        raw.run(&text("sqlite"), &text("postgres"));
        raw.execute(&format!("INSERT INTO schema_migration VALUES ({version}, '{name}', 0)"));
    }
    raw.execute("INSERT INTO installation (id, tag, created_ms) VALUES (1, 5, 0)");
}

fn reached(place: &Place) -> usize {
    Raw::new(place).value("SELECT MAX(version) FROM schema_migration").parse().unwrap()
}

/// What the doctor says of this place.
fn examined(place: &Place) -> Result<doctor::Report> {
    let scratch = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    doctor::examine(place, setup(&clock()), scratch.path(), &Unwatched::default(), |checks| runtime.block_on(checks))
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(START_MS))
}

/// Every table's columns: whether each may be NULL, where the two can be compared. The search index is a file of its own beside the
/// embedded database.
fn columns(place: &Place) -> BTreeMap<String, BTreeSet<(String, String)>> {
    let rows = Raw::new(place).rows(
        "SELECT t.name, c.name, c.\"notnull\" FROM sqlite_schema t, pragma_table_info(t.name) c WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%'",
        "SELECT table_name, column_name, is_nullable = 'NO' FROM information_schema.columns WHERE table_schema = 'public'
         AND table_name NOT LIKE 'search_%'",
    );
    let mut tables: BTreeMap<String, BTreeSet<(String, String)>> = BTreeMap::new();
    for row in rows {
        let [table, column, not_null] = row.try_into().unwrap();
        // SQLite says "may be NULL" of an integer primary key, which cannot be.
        let not_null = if ["id", "version"].contains(&column.as_str()) { "1".to_owned() } else { not_null };
        tables.entry(table).or_default().insert((column, not_null));
    }
    tables
}

fn indexes(place: &Place) -> BTreeSet<String> {
    let rows = Raw::new(place).rows(
        "SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL",
        "SELECT indexname FROM pg_indexes WHERE schemaname = 'public' AND indexname NOT LIKE '%_pkey' AND indexname NOT LIKE '%_key'
         AND indexname NOT LIKE 'search_%'
         UNION SELECT indexname FROM pg_indexes WHERE indexname = 'conversation_key'",
    );
    rows.concat().into_iter().collect()
}

#[test]
fn both_databases_have_the_same_tables_columns_and_indexes() {
    let places = [Database::Sqlite, Database::Postgres].map(|database| place(database, Durability::Full));
    for (place, _) in &places {
        migrate(place, &setup(&clock())).unwrap();
    }
    let [sqlite, postgres] = [&places[0].0, &places[1].0].map(columns);
    assert!(sqlite.len() > 15 && sqlite.contains_key("conversation"), "{sqlite:?}");
    assert_eq!(sqlite, postgres);
    let [sqlite, postgres] = [&places[0].0, &places[1].0].map(indexes);
    assert!(sqlite.contains("conversation_open") && sqlite.contains("conversation_key"), "{sqlite:?}");
    assert_eq!(sqlite, postgres);
}

#[test]
fn a_data_folder_is_its_owners_and_says_when_it_cannot_be_made() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("a/b");
    parlance_store::make_folder(&data).unwrap();
    parlance_store::make_folder(&data).unwrap();
    assert_eq!(std::fs::metadata(&data).unwrap().permissions().mode() & 0o777, 0o700);
    std::fs::write(folder.path().join("file"), "").unwrap();
    let error = parlance_store::make_folder(&folder.path().join("file/c")).unwrap_err();
    assert!(error.code() == "unavailable" && error.message().contains("file/c"), "{error:?}");
}

both_databases! {
    fn running_twice_changes_nothing(database) {
        let (place, _folder) = place(database, Durability::Full);
        let clock = clock();
        assert_eq!(migrate(&place, &setup(&clock)).unwrap(), every());
        let look = || (columns(&place), indexes(&place), Raw::new(&place).query("SELECT * FROM schema_migration ORDER BY version"), tag(&place));
        let before = look();
        clock.advance_ms(1000);
        assert!(migrate(&place, &setup(&clock)).unwrap().is_empty());
        assert_eq!(look(), before);
        let rows = (1..).zip(every()).map(|(version, name)| vec![version.to_string(), name, START_MS.to_string()]);
        assert_eq!(before.2, rows.collect::<Vec<_>>());
    }

    fn what_was_counted_by_person_alone_is_counted_among_all_too(database) {
        let (place, _folder) = place(database, Durability::Full);
        before(&place, "0017_counts");
        let raw = Raw::new(&place);
        for (org, kind, key, n) in [
            (1, "contacts", "", 9),
            (1, "conversations", "open/current/sms/0", 1),
            (1, "conversations", "escalated/current/sms/0", 2),
            (1, "conversations", "open/current/sms/17", 4),
            (1, "conversations", "completed/current/whatsapp/17", 8),
            (1, "conversations", "abandoned/archived/whatsapp/0", 16),
            (1, "unread_messages", "open/current/sms/17", 32),
            (2, "conversations", "open/archived/sms/0", 64),
        ] {
            raw.execute(&format!("INSERT INTO counter (org_id, kind, key, n) VALUES ({org}, '{kind}', '{key}', {n})"));
        }
        drop(raw);
        migrate(&place, &setup(&clock())).unwrap();
        let kept = Raw::new(&place).query("SELECT org_id, kind, key, n FROM counter");
        let expected = [
            "1 contacts  9",
            "1 conversations open/current/sms 5",
            "1 conversations escalated/current/sms 2",
            "1 conversations completed/current/whatsapp 8",
            "1 conversations abandoned/archived/whatsapp 16",
            "1 conversations/0 open/current/sms 1",
            "1 conversations/0 escalated/current/sms 2",
            "1 conversations/0 abandoned/archived/whatsapp 16",
            "1 conversations/17 open/current/sms 4",
            "1 conversations/17 completed/current/whatsapp 8",
            "1 unread_messages open/current/sms 32",
            "1 unread_messages/17 open/current/sms 32",
            "2 conversations open/archived/sms 64",
            "2 conversations/0 open/archived/sms 64",
        ];
        assert_eq!(kept.iter().map(|row| row.join(" ")).collect::<BTreeSet<_>>(), expected.map(str::to_owned).into());
    }

    fn several_processes_at_once_migrate_once(database) {
        let (place, _folder) = place(database, Durability::Full);
        let ran: Vec<_> = std::thread::scope(|threads| {
            let threads: Vec<_> = (0..8).map(|_| threads.spawn(|| migrate(&place, &setup(&clock())).unwrap())).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(ran, every());
    }

    fn a_newer_schema_is_refused_and_left_alone(database) {
        let (place, _folder) = place(database, Durability::Full);
        migrate(&place, &setup(&clock())).unwrap();
        Raw::new(&place).execute("INSERT INTO schema_migration (version, name, applied_ms) VALUES (1000, 'of the future', 1)");
        assert_eq!(code(migrate(&place, &setup(&clock()))), "schema_too_new");
        let refused = Store::open(&place, setup(&clock())).err().unwrap();
        assert_eq!(refused.code(), "schema_too_new");
        assert!(refused.message().contains("1000") && refused.message().contains("newer program"), "{refused:?}");
        assert_eq!(Raw::new(&place).value("SELECT COUNT(*) FROM schema_migration"), (every().len() + 1).to_string());
        // The refusal holds nothing.
        Raw::new(&place).execute("DELETE FROM schema_migration WHERE version = 1000");
        assert!(migrate(&place, &setup(&clock())).unwrap().is_empty());
    }

    fn a_schema_that_is_not_this_programs_is_refused_beside_others_and_by_the_doctor(database) {
        let (place, _folder) = place(database, Durability::Full);
        let refused = |what: &str| {
            let beside = Store::open_beside(&place, setup(&clock())).err().expect(what);
            assert_eq!(code(examined(&place)), beside.code(), "{what}");
            (beside.code(), needs_lock(&beside), beside.message().to_owned())
        };
        assert_eq!(refused("nothing").0, "no_database");
        older(&place);
        let (code, mendable, message) = refused("older");
        assert!(code == "schema_too_old" && mendable && message.contains("parlance migrate"), "{code} {message}");
        assert_eq!(reached(&place), every().len() - 1, "it was left alone");
        migrate(&place, &setup(&clock())).unwrap();
        drop(Store::open_beside(&place, setup(&clock())).unwrap());
        assert_eq!(examined(&place).unwrap().findings, Vec::new());
        Raw::new(&place).execute("INSERT INTO schema_migration VALUES (1000, 'of the future', 1)");
        let (code, mendable, message) = refused("newer");
        assert!(code == "schema_too_new" && !mendable && message.contains("newer program"), "{code} {message}");
    }

    fn two_installations_have_two_tags(database) {
        let (one, _folder) = place(database, Durability::Full);
        let (other, _other_folder) = place(database, Durability::Full);
        let setup_one = setup(&clock());
        let setup_other = parlance_store::Setup { entropy: Arc::new(parlance_model::entropy::SeededEntropy::new(8)), ..setup(&clock()) };
        migrate(&one, &setup_one).unwrap();
        migrate(&other, &setup_other).unwrap();
        assert_ne!(tag(&one), tag(&other));
    }
}

#[test]
fn a_schema_does_not_change_under_servers_that_are_connected() {
    let (place, _folder) = place(Database::Postgres, Durability::Full);
    older(&place);
    let Place::Postgres { url } = &place else { panic!("not PostgreSQL") };
    let mut server = postgres::Client::connect(url, postgres::NoTls).unwrap();
    server.batch_execute("SET application_name = 'parlance'").unwrap();
    assert_eq!(code(migrate(&place, &setup(&clock()))), "database_in_use");
    assert_eq!(Store::open(&place, setup(&clock())).err().unwrap().code(), "database_in_use");
    assert_eq!(reached(&place), every().len() - 1);
    drop(server);
    assert_eq!(migrate(&place, &setup(&clock())).unwrap(), every()[every().len() - 1..]);
}

fn tag(place: &Place) -> i64 {
    let tag = Raw::new(place).value("SELECT tag FROM installation").parse().unwrap();
    assert_eq!(InstallationTag::from_i64(tag).to_i64(), tag, "48 bits");
    tag
}
