//! The installation's own row: the random tag that keeps its UUIDs apart from all others'.

use parlance_model::error::Kind;
use parlance_model::id::InstallationTag;
use parlance_model::{Error, Result};

use crate::Place;
use crate::db::{Row, Tx, params};

pub(crate) fn create(tx: &mut Tx<'_>, tag: [u8; 6], now_ms: i64) -> Result<()> {
    const INSERT: &str = "INSERT INTO installation (id, tag, created_ms) VALUES (1, $1, $2)";
    tx.execute(INSERT, params![InstallationTag::new(tag).to_i64(), now_ms]).map(drop)
}

/// Which database this is, for what is derived from it and kept elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) tag: InstallationTag,
    /// The number that the last restore drew; 0 when there was none. A copy that was restored has its original's tag, and goes on
    /// in its own way.
    pub(crate) restore_mark: i64,
}

/// Read once when the store opens.
pub(crate) fn origin_at(place: &Place) -> Result<Origin> {
    const ORIGIN: &str = "SELECT tag, restore_mark FROM installation WHERE id = 1";
    let read = |row: &Row<'_>| Ok(Origin { tag: InstallationTag::from_i64(row.get(0)?), restore_mark: row.get(1)? });
    crate::migrate::peek(place, |tx| tx.query_one(ORIGIN, &[], read))
}

/// The tag, also of an older schema.
pub(crate) fn tag(tx: &mut Tx<'_>) -> Result<InstallationTag> {
    tx.query_one("SELECT tag FROM installation WHERE id = 1", &[], |row| row.get(0).map(InstallationTag::from_i64))
}

/// Asks the database for its own row: whether it answers.
///
/// # Errors
/// `unavailable`.
pub fn ping(tx: &mut crate::SystemTx<'_, '_>) -> Result<()> {
    tx.tx.query_one("SELECT id FROM installation WHERE id = 1", &[], |row| row.get::<i64>(0)).map(drop)
}

/// What the key is for whose text opens the first run.
const FIRST_RUN: &str = "parlance first run";

/// What lets its holder make the first org: known to every process with the installation's key, and to nobody else. The same at every
/// node and after every start.
///
/// # Errors
/// `internal` without the secret key.
pub fn first_run_proof(tx: &mut crate::SystemTx<'_, '_>) -> Result<[u8; 32]> {
    const TAG: &str = "SELECT tag FROM installation WHERE id = 1";
    let tag: i64 = tx.tx.query_one(TAG, &[], |row| row.get(0))?;
    tx.shared().secret.derive(&format!("{FIRST_RUN} {tag}"))
}

/// Lets no other transaction, of any node, past this point before this one has ended.
///
/// # Errors
/// Those of the database.
pub fn lock(tx: &mut crate::SystemTx<'_, '_>) -> Result<()> {
    // A write that changes nothing locks the row on both databases; `FOR UPDATE` is unknown to SQLite.
    const LOCK: &str = "UPDATE installation SET tag = tag WHERE id = 1";
    tx.tx.execute(LOCK, &[]).map(drop)
}

/// What the key check seals.
const CHECK: &str = "parlance";

/// Makes sure that this process has the key that the installation's secrets were sealed with; the first process to
/// ask decides which key that is.
///
/// # Errors
/// `wrong_secret_key`.
pub fn check_key(tx: &mut crate::SystemTx<'_, '_>) -> Result<()> {
    const GET: &str = "SELECT key_check FROM installation WHERE id = 1";
    const SET: &str = "UPDATE installation SET key_check = $1 WHERE id = 1 AND key_check IS NULL";
    let shared = tx.shared();
    let sealed = shared.secret.seal(shared.entropy.as_ref(), CHECK, CHECK)?;
    tx.tx.execute(SET, params![&sealed])?;
    let kept: Vec<u8> = tx.tx.query_one(GET, &[], |row| row.get(0))?;
    shared.secret.open(CHECK, &kept).map(drop).map_err(|cause| {
        Error::new(
            Kind::Unavailable,
            "wrong_secret_key",
            "This database was set up with another secret key. Set PARLANCE_SECRET_KEY to that one, the same for every copy of the server.",
        )
        .with_source(cause)
    })
}
