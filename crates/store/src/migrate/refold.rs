//! The part of a step that no SQL can do: the texts that searches over people compare with, folded as names are since then.

use parlance_model::{Result, text};

use crate::db::{Tx, params};

/// The step that this belongs to.
pub(super) const AFTER: &str = "0010_bounds";

/// Rows that are looked at before those that differ are written.
const CHUNK: i64 = 1000;

/// Folds the texts of every contact and visitor again: they were kept with their accents.
pub(super) fn texts(tx: &mut Tx<'_>) -> Result<()> {
    const CONTACTS: &str = "SELECT id, search FROM contact WHERE id > $1 ORDER BY id LIMIT $2";
    const CONTACT: &str = "UPDATE contact SET search = $2 WHERE id = $1";
    const VISITORS: &str = "SELECT id, visitor_search FROM conversation WHERE id > $1 ORDER BY id LIMIT $2";
    const VISITOR: &str = "UPDATE conversation SET visitor_search = $2 WHERE id = $1";
    all(tx, CONTACTS, CONTACT)?;
    all(tx, VISITORS, VISITOR)
}

fn all(tx: &mut Tx<'_>, next: &'static str, write: &'static str) -> Result<()> {
    let mut after = 0;
    loop {
        let rows = tx.query(next, params![after, CHUNK], |row| Ok((row.get::<i64>(0)?, row.get::<String>(1)?)))?;
        let Some((last, _)) = rows.last() else { return Ok(()) };
        after = *last;
        for (id, kept) in &rows {
            let folded = kept.split('\n').map(text::fold).collect::<Vec<_>>().join("\n");
            if folded != *kept {
                tx.execute(write, params![*id, folded])?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::apply_until;
    use super::*;
    use crate::Durability;
    use crate::db::sqlite::{Access, Database, SqliteTx};

    #[test]
    fn texts_of_before_are_folded_as_new_ones_are() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("parlance.db"), Durability::Relaxed, Access::Write).unwrap();
        database.begin().unwrap();
        let mut tx = Tx::Sqlite(SqliteTx(&database));
        apply_until(&mut tx, 0, 9).unwrap();
        tx.batch(
            "INSERT INTO contact (org_id, first_name, last_name, search, created_ms, updated_ms)
                WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500)
                SELECT 1, '', '', 'josé müller\n+1555' || i || '\nzoë@example.com', 0, 0 FROM n;
             INSERT INTO contact (org_id, first_name, last_name, search, created_ms, updated_ms) VALUES (1, '', '', '', 0, 0);",
        )
        .unwrap();
        assert_eq!(apply_until(&mut tx, 0, 10).unwrap(), [AFTER]);
        let kept = tx.query("SELECT search FROM contact ORDER BY id", &[], |row| row.get::<String>(0)).unwrap();
        let expected = (1..=1500).map(|number| format!("jose muller\n+1555{number}\nzoe@example.com")).chain([String::new()]);
        assert_eq!(kept, expected.collect::<Vec<_>>());
    }
}
