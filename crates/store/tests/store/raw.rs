//! A second connection to a test's database, past the store: to look into rows and to damage them.

use parlance_store::Place;

/// The connection. PostgreSQL's client may not be used inside the runtime, so each call has a thread of its own.
pub(crate) struct Raw(Place);

impl Raw {
    pub(crate) fn new(place: &Place) -> Self {
        Self(place.clone())
    }

    /// Runs statements without parameters.
    pub(crate) fn run(&self, sqlite: &str, postgres: &str) {
        match &self.0 {
            Place::Sqlite { .. } => self.sqlite().execute_batch(sqlite).unwrap(),
            Place::Postgres { url } => {
                apart(|| postgres::Client::connect(url, postgres::NoTls).unwrap().batch_execute(postgres).unwrap());
            }
        }
    }

    /// The same statements on both.
    pub(crate) fn execute(&self, sql: &str) {
        self.run(sql, sql);
    }

    /// Every value of a query as text; NULL is `NULL`, bytes are in hexadecimal digits, as is true `1` and false `0`.
    pub(crate) fn rows(&self, sqlite: &str, postgres: &str) -> Vec<Vec<String>> {
        match &self.0 {
            Place::Sqlite { .. } => {
                let connection = self.sqlite();
                let mut statement = connection.prepare(sqlite).unwrap();
                let columns = statement.column_count();
                let rows = statement.query_map([], |row| (0..columns).map(|index| row.get_ref(index).map(text)).collect()).unwrap();
                rows.map(Result::unwrap).collect()
            }
            Place::Postgres { url } => apart(|| {
                let messages = postgres::Client::connect(url, postgres::NoTls).unwrap().simple_query(postgres).unwrap();
                let rows = messages.iter().filter_map(|message| match message {
                    postgres::SimpleQueryMessage::Row(row) => Some(row),
                    _ => None,
                });
                let value = |text: Option<&str>| match text {
                    None => "NULL".to_owned(),
                    Some("t") => "1".to_owned(),
                    Some("f") => "0".to_owned(),
                    Some(text) => text.strip_prefix("\\x").unwrap_or(text).to_owned(),
                };
                rows.map(|row| (0..row.len()).map(|index| value(row.get(index))).collect()).collect()
            }),
        }
    }

    /// The values of a query that is the same on both.
    pub(crate) fn query(&self, sql: &str) -> Vec<Vec<String>> {
        self.rows(sql, sql)
    }

    /// The only value of a query.
    pub(crate) fn value(&self, sql: &str) -> String {
        self.query(sql).concat().concat()
    }

    fn sqlite(&self) -> rusqlite::Connection {
        let Place::Sqlite { data, .. } = &self.0 else { panic!("not SQLite") };
        let connection = rusqlite::Connection::open(data.join("parlance.db")).unwrap();
        connection.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
        connection
    }
}

fn text(value: rusqlite::types::ValueRef<'_>) -> String {
    use rusqlite::types::ValueRef;
    match value {
        ValueRef::Null => "NULL".to_owned(),
        ValueRef::Integer(value) => value.to_string(),
        ValueRef::Real(value) => value.to_string(),
        ValueRef::Text(text) => String::from_utf8(text.to_vec()).unwrap(),
        ValueRef::Blob(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

/// Runs on a thread outside of the runtime, and waits for it.
pub(crate) fn apart<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|threads| threads.spawn(work).join().unwrap())
}
