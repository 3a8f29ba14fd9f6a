//! Files: the rows of uploads. The bytes are in the media store, which `app` keeps in step: a row is written before its file is
//! begun and goes after its file is gone, so no file is ever without a row, and one that is seen is whole.

use parlance_model::id::{MediaId, OrgId};
use parlance_model::media::{Facts, Media};
use parlance_model::{Error, Result};

use crate::db::{Row, params};
use crate::{OrgTx, SystemTx};

/// How long an upload that no message names is kept, in milliseconds.
pub const KEPT_MS: i64 = 24 * 60 * 60 * 1000;

/// What an upload turned out to be.
#[derive(Debug, Clone)]
pub struct Uploaded {
    /// What is known of it.
    pub facts: Facts,
    /// The SHA-256 of its content.
    pub sha256: [u8; 32],
    /// The name of its thumbnail in the media store.
    pub thumbnail_key: Option<String>,
}

/// Notes that a file is about to be written under this key. Nobody sees it yet.
///
/// # Errors
/// Those of the database.
pub fn begin(tx: &mut OrgTx<'_, '_>, object_key: &str) -> Result<MediaId> {
    const INSERT: &str = "INSERT INTO media (org_id, state, object_key, content_type, size, sha256, name, created_ms)
        VALUES ($1, 'uploading', $2, '', 0, $3, '', $4) RETURNING id";
    let now_ms = tx.now_ms();
    tx.query_one(INSERT, params![object_key, &[][..] as &[u8], now_ms], |row| row.get(0))
}

/// Shows an upload whose file is whole and durable.
///
/// # Errors
/// `unavailable` when it was swept meanwhile.
pub fn finish(tx: &mut OrgTx<'_, '_>, id: MediaId, uploaded: &Uploaded) -> Result<Media> {
    const FINISH: &str = "UPDATE media SET state = 'ready', thumbnail_key = $3, content_type = $4, size = $5, sha256 = $6, name = $7,
            width = $8, height = $9
        WHERE org_id = $1 AND id = $2 AND state = 'uploading'";
    let Uploaded { facts, sha256, thumbnail_key } = uploaded;
    let values = params![id, thumbnail_key.as_deref(), &facts.content_type, facts.size, sha256, &facts.name, facts.width, facts.height,];
    match tx.execute(FINISH, values)? {
        0 => Err(Error::unavailable("The upload took too long. Nothing was stored; try again.", 1)),
        _ => get(tx, id),
    }
}

macro_rules! seen {
    () => {
        "SELECT id, object_key, thumbnail_key, content_type, size, sha256, name, width, height, created_ms FROM media
         WHERE org_id = $1 AND id = $2 AND state IN ('ready', 'attached')"
    };
}

fn read(row: &Row<'_>) -> Result<Media> {
    Ok(Media {
        id: row.get(0)?,
        object_key: row.get(1)?,
        thumbnail_key: row.get(2)?,
        facts: Facts { content_type: row.get(3)?, size: row.get(4)?, name: row.get(6)?, width: row.get(7)?, height: row.get(8)? },
        sha256: digest(row.get(5)?)?,
        created_ms: row.get(9)?,
    })
}

fn digest(bytes: Vec<u8>) -> Result<[u8; 32]> {
    bytes.try_into().map_err(|_| Error::internal("a file's digest is not 32 bytes long"))
}

/// One file that is whole.
///
/// # Errors
/// `not_found`.
pub fn get(tx: &mut OrgTx<'_, '_>, id: MediaId) -> Result<Media> {
    tx.query_opt(seen!(), params![id], read)?.ok_or_else(|| Error::not_found("file"))
}

/// A row as the doctor looks at it, whatever became of it.
#[derive(Debug, Clone)]
pub struct Kept {
    /// Its row.
    pub id: MediaId,
    /// The name of its file in the media store.
    pub object_key: String,
    /// The name of its thumbnail.
    pub thumbnail_key: Option<String>,
    /// Bytes and SHA-256, once it is seen. Until then, and when it is being taken away, its file may be there or not.
    pub content: Option<(u64, [u8; 32])>,
}

/// The next `limit` rows after this one, in the order of their ids.
///
/// # Errors
/// Those of the database.
pub fn page(tx: &mut OrgTx<'_, '_>, after: MediaId, limit: i64) -> Result<Vec<Kept>> {
    const PAGE: &str = "SELECT id, object_key, thumbnail_key, size, sha256, state IN ('ready', 'attached') FROM media
        WHERE org_id = $1 AND id > $2 ORDER BY id LIMIT $3";
    tx.query(PAGE, params![after, limit], |row| {
        let (size, sha256) = (u64::try_from(row.get::<i64>(3)?).map_err(Error::internal)?, row.get::<Vec<u8>>(4)?);
        let content = if row.get::<bool>(5)? { Some((size, digest(sha256)?)) } else { None };
        Ok(Kept { id: row.get(0)?, object_key: row.get(1)?, thumbnail_key: row.get(2)?, content })
    })
}

/// Whether a file's row is one whose file must be there: a message names it, or it is seen and was uploaded after `since_ms`, so that no
/// sweep takes it.
///
/// # Errors
/// Those of the database.
pub fn stays(tx: &mut OrgTx<'_, '_>, id: MediaId, since_ms: i64) -> Result<bool> {
    const STAYS: &str = "SELECT COUNT(*) FROM media WHERE org_id = $1 AND id = $2
        AND (state = 'attached' OR state = 'ready' AND created_ms > $3)";
    tx.query_one(STAYS, params![id, since_ms], |row| Ok(row.get::<i64>(0)? != 0))
}

/// The bytes of all files that are seen, of every org.
///
/// # Errors
/// Those of the database.
pub fn total_size(tx: &mut SystemTx<'_, '_>) -> Result<u64> {
    const TOTAL: &str = "SELECT CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM media WHERE state IN ('ready', 'attached')";
    let size = tx.tx.query_one(TOTAL, &[], |row| row.get::<i64>(0))?;
    u64::try_from(size).map_err(Error::internal)
}

/// Ties a file to the message that is being written, so that it stays. One file may be in any number of messages.
///
/// # Errors
/// `not_found`.
pub fn attach(tx: &mut OrgTx<'_, '_>, id: MediaId) -> Result<Media> {
    const ATTACH: &str = "UPDATE media SET state = 'attached' WHERE org_id = $1 AND id = $2 AND state = 'ready'";
    // Zero rows: it is attached already, or not to be found.
    tx.execute(ATTACH, params![id])?;
    get(tx, id)
}

/// A file that nobody sees any more and that is to be taken away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doomed {
    /// Whose it was.
    pub org: OrgId,
    /// Its row.
    pub id: MediaId,
    /// The file, which may be there or not.
    pub object_key: String,
    /// Its thumbnail.
    pub thumbnail_key: Option<String>,
}

/// Takes an upload that came to nothing out of sight.
///
/// # Errors
/// Those of the database.
pub fn doom(tx: &mut OrgTx<'_, '_>, id: MediaId) -> Result<()> {
    const DOOM: &str = "UPDATE media SET state = 'doomed' WHERE org_id = $1 AND id = $2 AND state <> 'attached'";
    tx.execute(DOOM, params![id]).map(drop)
}

/// Takes up to `limit` uploads of before `before_ms` that no message names out of sight, oldest first.
///
/// # Errors
/// Those of the database.
pub fn doom_aged(tx: &mut SystemTx<'_, '_>, before_ms: i64, limit: i64) -> Result<Vec<Doomed>> {
    const AGED: &str = "UPDATE media SET state = 'doomed' WHERE state <> 'attached' AND (org_id, id) IN
            (SELECT org_id, id FROM media WHERE state <> 'attached' AND created_ms < $1 ORDER BY created_ms LIMIT $2)
        RETURNING org_id, id, object_key, thumbnail_key";
    let read = |row: &Row<'_>| Ok(Doomed { org: row.get(0)?, id: row.get(1)?, object_key: row.get(2)?, thumbnail_key: row.get(3)? });
    tx.tx.query(AGED, params![before_ms, limit], read)
}

/// Forgets a doomed upload whose files are gone.
///
/// # Errors
/// Those of the database.
pub fn forget(tx: &mut OrgTx<'_, '_>, id: MediaId) -> Result<()> {
    const DELETE: &str = "DELETE FROM media WHERE org_id = $1 AND id = $2 AND state = 'doomed'";
    tx.execute(DELETE, params![id]).map(drop)
}
