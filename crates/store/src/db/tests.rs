//! The facade: what is bound, read and refused is the same on both drivers.

use parlance_model::{Error, Result};
use parlance_testkit::{Database, FreshDatabase, both_databases};

use super::{Tx, params, postgres, sqlite};

/// Runs the work in a transaction on an empty database.
fn on<T>(database: Database, work: impl FnOnce(&mut Tx<'_>) -> T) -> T {
    match database.fresh() {
        FreshDatabase::Sqlite(folder) => {
            let database =
                sqlite::Database::open(&sqlite::file(folder.path()), sqlite::Durability::Relaxed, sqlite::Access::Write).unwrap();
            database.run("BEGIN").unwrap();
            work(&mut Tx::Sqlite(sqlite::SqliteTx(&database)))
        }
        FreshDatabase::Postgres(url) => {
            let mut connection = postgres::Connection::open(&url, postgres::MIGRATING).unwrap();
            let (client, statements) = connection.split();
            let mut transaction = client.transaction().unwrap();
            work(&mut Tx::Postgres(postgres::PostgresTx::new(&mut transaction, statements)))
        }
    }
}

const TABLE: &str = "CREATE TABLE things (id BIGINT NOT NULL, a TEXT, b TEXT, c BIGINT)";

both_databases! {
    fn parameters_are_bound_by_number_out_of_order_and_repeated(database) {
        const INSERT: &str = "INSERT INTO things (c, b, a, id) VALUES ($3, $2, $1, $3)";
        const UPDATE: &str = "UPDATE things SET b = $2 WHERE c = $3 AND id = $3 AND a = $1";
        const FIND: &str = "SELECT a, b, c, id, '$1' FROM things WHERE (b = $2 OR a = $2) AND $1 = c AND id = $1";
        on(database, |tx| {
            tx.batch(TABLE).unwrap();
            tx.execute(INSERT, params!["first", "second", 33]).unwrap();
            assert_eq!(tx.execute(UPDATE, params!["first", "changed", 33]).unwrap(), 1);
            assert_eq!(tx.execute(UPDATE, params!["second", "first", 33]).unwrap(), 0);
            let found = tx.query_one(FIND, params![33, "changed"], |row| {
                Ok((row.get::<String>(0)?, row.get::<String>(1)?, row.get::<i64>(2)?, row.get::<i64>(3)?, row.get::<String>(4)?))
            });
            assert_eq!(found.unwrap(), ("first".into(), "changed".into(), 33, 33, "$1".into()));
        });
    }

    fn a_parameter_with_two_digits_is_not_the_one_with_the_first_digit(database) {
        const INSERT: &str = "INSERT INTO ten (a, b, c, d, e, f, g, h, i, j) VALUES ($10, $9, $8, $7, $6, $5, $4, $3, $2, $1)";
        on(database, |tx| {
            tx.batch("CREATE TABLE ten (a TEXT, b TEXT, c TEXT, d TEXT, e TEXT, f TEXT, g TEXT, h TEXT, i TEXT, j TEXT)").unwrap();
            tx.execute(INSERT, params!["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"]).unwrap();
            let found = tx.query_one("SELECT a, b, j FROM ten", &[], |row| {
                Ok([row.get::<String>(0)?, row.get::<String>(1)?, row.get::<String>(2)?])
            });
            assert_eq!(found.unwrap(), ["10", "9", "1"]);
        });
    }

    fn every_kind_of_value_reads_back(database) {
        const INSERT: &str = "INSERT INTO kinds (i, b, t, y, n) VALUES ($1, $2, $3, $4, $5)";
        on(database, |tx| {
            let bytes = if tx.is_sqlite() { "BLOB" } else { "BYTEA" };
            tx.batch(&format!("CREATE TABLE kinds (i BIGINT, b BOOLEAN, t TEXT, y {bytes}, n TEXT)")).unwrap();
            let text = "ünï 👍 '$1' \u{202e} \"q\" \\";
            for int in [0, -1, i64::MIN, i64::MAX] {
                tx.execute("DELETE FROM kinds", &[]).unwrap();
                tx.execute(INSERT, params![int, true, text, &[0_u8, 255][..], None::<&str>]).unwrap();
                let found = tx.query_one("SELECT i, b, t, y, n FROM kinds", &[], |row| {
                    Ok((row.get::<i64>(0)?, row.get::<bool>(1)?, row.get::<String>(2)?, row.get::<Vec<u8>>(3)?, row.get::<Option<String>>(4)?))
                });
                assert_eq!(found.unwrap(), (int, true, text.to_owned(), vec![0, 255], None));
            }
        });
    }

    fn a_query_of_one_row_without_any_is_an_error_and_not_a_panic(database) {
        on(database, |tx| {
            tx.batch(TABLE).unwrap();
            let none: Result<i64> = tx.query_one("SELECT id FROM things", &[], |row| row.get(0));
            assert_eq!(none.unwrap_err().code(), "internal");
        });
    }

    fn nul_in_text_is_the_callers_fault(database) {
        on(database, |tx| {
            tx.batch(TABLE).unwrap();
            let refused: Error = tx.execute("INSERT INTO things (id, a) VALUES (1, $1)", params!["a\0b"]).unwrap_err();
            assert_eq!(refused.code(), "validation_failed");
            let found = tx.query("SELECT id FROM things WHERE a = $1", params!["\0"], |row| row.get::<i64>(0));
            assert_eq!(found.unwrap_err().code(), "validation_failed");
        });
    }

    fn a_wrong_text_and_a_wrong_type_are_defects(database) {
        on(database, |tx| {
            tx.batch(TABLE).unwrap();
            tx.execute("INSERT INTO things (id, a) VALUES (1, 'x')", &[]).unwrap();
            let wrong = tx.query("SELECT a FROM things", &[], |row| row.get::<i64>(0));
            assert_eq!(wrong.unwrap_err().code(), "internal");
            assert_eq!(tx.query("SELECT nothing FROM things", &[], |_| Ok(())).unwrap_err().code(), "internal");
        });
    }

    fn an_error_says_what_broke_and_not_with_which_value(database) {
        const INSERT: &str = "INSERT INTO people (name, age, data) VALUES ($1, $2, $3)";
        let insert = |name: &str, data: &str| {
            on(database, |tx| {
                tx.batch("CREATE TABLE people (name TEXT PRIMARY KEY, age BIGINT CHECK (age < 10), data TEXT)").unwrap();
                tx.execute(INSERT, params!["Quillfeather", 1, data]).unwrap();
                tx.execute(INSERT, params![name, 11, data]).map(drop)
            })
        };
        let taken = insert("Quillfeather", "x").unwrap_err();
        let unfit = insert("Zebulon", "x").unwrap_err();
        let read = |data: &str| {
            on(database, |tx| {
                tx.batch("CREATE TABLE people (name TEXT PRIMARY KEY, age BIGINT, data TEXT)").unwrap();
                tx.execute(INSERT, params!["Quillfeather", 1, data]).unwrap();
                let word = tx.query_one("SELECT name FROM people", &[], |row| row.word::<parlance_model::role::Role>(0));
                let json = tx.query_one("SELECT data FROM people", &[], |row| row.json::<Vec<parlance_model::role::Role>>(0));
                let number = tx.query_one("SELECT name FROM people", &[], |row| row.get::<i64>(0));
                [word.map(drop).unwrap_err(), json.map(drop).unwrap_err(), number.map(drop).unwrap_err()]
            })
        };
        for error in [taken, unfit].into_iter().chain(read("[\"Quillfeather\"]")).chain(read("{\"Zebulon\":")) {
            let mut said = format!("{error:?} {error}");
            let mut cause = std::error::Error::source(&error);
            while let Some(next) = cause {
                said.push_str(&format!(" {next:?} {next}"));
                cause = next.source();
            }
            assert!(!said.contains("Quillfeather") && !said.contains("Zebulon"), "{said}");
            assert_eq!(error.code(), "internal", "{said}");
        }
    }
}
