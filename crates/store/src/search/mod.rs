//! Search over message text and people. The index is a consumer of the event log: rows and the consumer's cursor are
//! written in one transaction, and an index that does not fit the log is made anew, in chunks, beside live traffic.
//!
//! SQLite keeps it in a file of its own (`search.db`, FTS5), which can be deleted at any time while nobody runs;
//! PostgreSQL in tables beside the others (tsvector, GIN). The words in it are the model's on both, so both answer the
//! same. What the index finds is compared with the rows themselves before it is answered.

mod cursor;
pub(crate) mod file;
mod follow;
mod messages;
pub(crate) mod people;
mod rebuild;
mod rows;
mod touched;

pub use cursor::{behind, lag};
pub use follow::step;
pub use messages::{Found, Hit, Request, messages};
pub use people::people;

pub(crate) use cursor::{Stage, is_level, stage};
pub(crate) use rows::{Indexed, MESSAGE, PERSON, indexed_columns, message_tokens, person_tokens};

/// Every text of a search with the index that it should read.
#[cfg(test)]
pub(crate) fn plans() -> Vec<(crate::db::Sql, &'static str)> {
    [&rows::plans()[..], &messages::plans(), &people::plans()].concat()
}

/// A list of ids as a parameter of [`among`].
pub(crate) fn id_list(ids: impl IntoIterator<Item = i64>) -> String {
    let ids: Vec<String> = ids.into_iter().map(|id| id.to_string()).collect();
    format!("[{}]", ids.join(","))
}

/// A text with a condition on a list of ids: what stands before, the parameter, and what stands behind.
macro_rules! among {
    ($before:expr, $list:literal, $behind:expr) => {
        $crate::db::Sql::differs(
            concat!($before, " IN (SELECT value FROM json_each(", $list, "))", $behind),
            concat!($before, " = ANY (CAST(translate(", $list, ", '[]', '{}') AS BIGINT[]))", $behind),
        )
    };
}
/// A text that reads rows by a list of their ids: what stands before WHERE, the table's prefix, the parameter, and further
/// conditions. SQLite takes each row by its id: it would rather walk an index that begins with the org, were it not for
/// the plus.
macro_rules! by_id {
    ($before:expr, $table:literal, $list:literal, $further:expr) => {
        $crate::db::Sql::differs(
            concat!($before, " WHERE +", $table, "org_id = $1 AND ", $table, "id IN (SELECT value FROM json_each(", $list, "))", $further),
            concat!(
                $before,
                " WHERE ",
                $table,
                "org_id = $1 AND ",
                $table,
                "id = ANY (CAST(translate(",
                $list,
                ", '[]', '{}') AS BIGINT[]))",
                $further
            ),
        )
    };
}
pub(crate) use {among, by_id};
