//! The installation's own row: the random tag that keeps its UUIDs apart from all others'.

use parlance_model::Result;
use parlance_model::id::InstallationTag;

use crate::Place;
use crate::db::{Tx, params};

pub(crate) fn create(tx: &mut Tx<'_>, tag: [u8; 6], now_ms: i64) -> Result<()> {
    const INSERT: &str = "INSERT INTO installation (id, tag, created_ms) VALUES (1, $1, $2)";
    tx.execute(INSERT, params![InstallationTag::new(tag).to_i64(), now_ms]).map(drop)
}

/// The tag, read once when the store opens.
pub(crate) fn tag_at(place: &Place) -> Result<InstallationTag> {
    crate::migrate::peek(place, |tx| {
        tx.query_one("SELECT tag FROM installation WHERE id = 1", &[], |row| row.get(0).map(InstallationTag::from_i64))
    })
}

/// Asks the database for its own row: whether it answers.
///
/// # Errors
/// `unavailable`.
pub fn ping(tx: &mut crate::SystemTx<'_, '_>) -> Result<()> {
    tx.tx.query_one("SELECT id FROM installation WHERE id = 1", &[], |row| row.get::<i64>(0)).map(drop)
}
