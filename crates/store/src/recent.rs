//! What was just looked up in the directory: who shows a token or a cookie, and whose account a hook names. It is looked up with
//! every request, and hardly ever changes.
//!
//! A value is taken from memory as long as nothing of the directory was committed by this process since before it was read, so that
//! what changes here is seen at once; and for a second at most, so that it is soon seen after a change by another process.

use std::collections::HashMap;
use std::hash::Hash;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use parlance_model::Result;

use crate::db::Sql;
use crate::{Store, SystemTx};

/// How long a value may be taken from memory, in milliseconds.
pub const LASTS_MS: i64 = 1000;
/// How many values are kept. Whoever has more callers in a second forgets them all now and then.
const MOST: usize = 4096;

/// The tables that say who may call, and whose account is whose.
const DIRECTORY: [&str; 7] = ["account", "account_route", "api_key", "org", "session", "staff", "\"user\""];
/// Statements on an org's row that come with events and changes of its lists, and say nothing of it.
const STEPS: [&str; 2] = ["UPDATE org SET seq ", "UPDATE org SET version "];

/// Whether a statement changes the directory.
pub(crate) fn changes(sql: Sql) -> bool {
    let text = sql.either();
    sql.changed_table().is_some_and(|table| DIRECTORY.contains(&table)) && !STEPS.iter().any(|step| text.starts_with(step))
}

/// What was found, and how long it holds.
pub struct Found<V> {
    /// The value.
    pub value: V,
    /// From when on it must be looked up again in any case, unix ms; `None` when it is not kept at all: whoever asks for what is not there
    /// must not fill the memory.
    pub until_ms: Option<i64>,
}

/// Values of one kind of question, of one store.
pub struct Recent<K, V>(Mutex<Kept<K, V>>);

struct Kept<K, V> {
    /// The number of the directory that all of them were read at, or after.
    number: u64,
    values: HashMap<K, (V, Range<i64>)>,
}

impl<K, V> Default for Recent<K, V> {
    fn default() -> Self {
        Self(Mutex::new(Kept { number: 0, values: HashMap::new() }))
    }
}

impl<K: Eq + Hash, V: Clone> Recent<K, V> {
    /// The value of this name: from memory, or as the closure finds it.
    ///
    /// # Errors
    /// The closure's own, or `unavailable`.
    pub async fn get<F>(&self, store: &Store, name: K, closure: F) -> Result<V>
    where
        F: Fn(&mut SystemTx<'_, '_>) -> Result<Found<V>> + Send + 'static,
        V: Send + 'static,
    {
        // Before the database is read: what is committed in between makes the value one of before.
        let (number, now_ms) = (store.bus().directory(), store.now_ms());
        if let Some(value) = self.kept(number, now_ms, &name) {
            return Ok(value);
        }
        let Found { value, until_ms } = store.system_read(closure).await?;
        if let Some(until_ms) = until_ms {
            self.keep(number, name, &value, now_ms..until_ms.min(now_ms.saturating_add(LASTS_MS)));
        }
        Ok(value)
    }

    /// Forgets a value, for whoever was refused by it and may have come since. Answers whether there was one.
    pub fn forget(&self, name: &K) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values.remove(name).is_some()
    }

    fn kept(&self, number: u64, now_ms: i64, name: &K) -> Option<V> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (value, span) = kept.values.get(name).filter(|_| kept.number == number)?;
        span.contains(&now_ms).then(|| value.clone())
    }

    fn keep(&self, number: u64, name: K, value: &V, span: Range<i64>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if number < kept.number {
            return;
        }
        if number > kept.number || kept.values.len() >= MOST {
            kept.values.clear();
            kept.number = number;
        }
        kept.values.insert(name, (value.clone(), span));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_on_the_directory_are_told_apart() {
        for sql in [
            r#"UPDATE "user" SET disabled_ms = $2 WHERE id = $1"#,
            "INSERT INTO api_key (org_id) VALUES ($1) RETURNING id",
            "DELETE FROM session WHERE user_id = $1",
            "UPDATE org SET disabled_ms = NULL WHERE id = $1",
            "UPDATE account SET name = $3",
            "DELETE FROM account_route WHERE org_id = $1",
            "UPDATE staff SET role = $3",
        ] {
            assert!(changes(sql.into()), "{sql}");
        }
        for sql in [
            "SELECT id FROM api_key",
            "UPDATE org SET seq = seq + $2, version = $3",
            "UPDATE org SET version = $2",
            "INSERT INTO message (org_id) VALUES ($1)",
            "UPDATE account_health SET failing = $2",
        ] {
            assert!(!changes(sql.into()), "{sql}");
        }
    }

    #[test]
    fn a_value_holds_in_its_span_and_as_long_as_nothing_was_committed() {
        let recent = Recent::default();
        recent.keep(3, "a", &1, 1000..2000);
        assert_eq!([999, 1000, 1999, 2000].map(|now_ms| recent.kept(3, now_ms, &"a")), [None, Some(1), Some(1), None]);
        assert_eq!((recent.kept(4, 1000, &"a"), recent.kept(3, 1000, &"b")), (None, None));
        // A slow reader, who asked before a commit that others have seen.
        recent.keep(4, "b", &2, 1000..2000);
        recent.keep(3, "a", &1, 1000..2000);
        assert_eq!((recent.kept(4, 1000, &"a"), recent.kept(4, 1000, &"b")), (None, Some(2)));
    }

    #[test]
    fn there_are_never_more_than_so_many() {
        let recent = Recent::default();
        for name in 0..2 * MOST {
            recent.keep(1, name, &name, 0..1);
        }
        assert_eq!(recent.0.lock().unwrap().values.len(), MOST);
        assert_eq!(recent.kept(1, 0, &(2 * MOST - 1)), Some(2 * MOST - 1));
    }
}
