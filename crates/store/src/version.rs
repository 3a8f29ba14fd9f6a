//! The version of what an org's lists show. It grows in every transaction that changes a tenant table, but for the
//! tables that no list shows, so that an unchanged version means unchanged lists. Asking for it is one row.
//!
//! The transaction watches its own statements, so no writer has to remember it: a table that is new moves the version until it is
//! named here. What the directory's transactions write (staff, keys, accounts) is not watched.

use parlance_model::{Error, Result};

use crate::OrgTx;
use crate::db::{Sql, params};

/// Tables of an org that no list with a tag shows. Of a file, messages carry all that they show.
const UNSEEN: [&str; 13] = [
    "account_health",
    "account_pace",
    "account_sync",
    "account_turn",
    "attempt",
    "audit",
    "event",
    "hook",
    "idempotency",
    "job",
    "media",
    "org",
    "receipt",
];

/// Whether a statement changes a table that a list may show.
pub(crate) fn changes(sql: Sql) -> bool {
    sql.changed_table().is_some_and(|table| !UNSEEN.contains(&table))
}

/// The version, in text order of changes: it only grows.
///
/// # Errors
/// `not_found`; those of the database.
pub fn current(tx: &mut OrgTx<'_, '_>) -> Result<i64> {
    const GET: &str = "SELECT version FROM org WHERE id = $1";
    tx.query_opt(GET, &[], |row| row.get(0))?.ok_or_else(|| Error::not_found("organisation"))
}

/// Moves the version, where no event does: those move it with `seq`.
pub(crate) fn move_on(tx: &mut OrgTx<'_, '_>) -> Result<()> {
    const MOVE: &str = "UPDATE org SET version = CASE WHEN version >= $2 THEN version + 1 ELSE $2 END WHERE id = $1";
    let now_ms = tx.now_ms();
    tx.execute(MOVE, params![now_ms]).map(drop)
}

#[cfg(test)]
mod tests {
    use super::changes;

    #[test]
    fn statements_that_no_list_shows_are_told_apart() {
        for sql in [
            "UPDATE message SET state = $3",
            "INSERT INTO contact (org_id) VALUES ($1)",
            "INSERT INTO\n   identity (org_id) VALUES ($1)",
            "DELETE FROM identity WHERE org_id = $1",
            "UPDATE something_new SET a = $2",
        ] {
            assert!(changes(sql.into()), "{sql}");
        }
        for sql in [
            "SELECT * FROM message",
            "UPDATE org SET seq = seq + $2",
            "INSERT INTO job (org_id) VALUES ($1)",
            "DELETE FROM job WHERE org_id = $1",
            "UPDATE attempt SET state = $3",
            "INSERT INTO idempotency (org_id) VALUES ($1)",
        ] {
            assert!(!changes(sql.into()), "{sql}");
        }
    }
}
