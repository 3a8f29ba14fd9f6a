//! Orgs: the tenants.

use parlance_model::org::{Org, check_slug};
use parlance_model::phone::Region;
use parlance_model::{Error, Result};

use crate::SystemTx;
use crate::db::{Row, params};

/// Makes an org.
///
/// # Errors
/// `validation_failed` on the slug or name; `slug_taken`.
pub fn create(tx: &mut SystemTx<'_, '_>, slug: &str, name: &str, region: &str) -> Result<Org> {
    const INSERT: &str = "INSERT INTO org (slug, name, region, seq, created_ms) VALUES ($1, $2, $3, 0, $4) ON CONFLICT (slug) DO NOTHING";
    check_slug(slug)?;
    if name.trim().is_empty() || name.len() > 200 {
        return Err(Error::invalid("name", "Must be 1 to 200 bytes."));
    }
    let _: Region = region.parse()?;
    let now_ms = tx.now_ms();
    match tx.tx.execute(INSERT, params![slug, parlance_model::text::clean(name.trim()), region, now_ms])? {
        0 => Err(Error::conflict("slug_taken", format!("There is an organisation {slug} already. Choose another slug."))),
        _ => by_slug(tx, slug),
    }
}

const COLUMNS: &str = "SELECT id, slug, name, seq, region, sms_provider, created_ms FROM org WHERE slug = $1";
const BY_ID: &str = "SELECT id, slug, name, seq, region, sms_provider, created_ms FROM org WHERE id = $1";

fn read(row: &Row<'_>) -> Result<Org> {
    Ok(Org {
        id: row.get(0)?,
        slug: row.get(1)?,
        name: row.get(2)?,
        seq: row.get(3)?,
        region: row.word(4)?,
        sms_provider: row.get(5)?,
        created_ms: row.get(6)?,
    })
}

/// The org of this slug.
///
/// # Errors
/// `not_found`.
pub fn by_slug(tx: &mut SystemTx<'_, '_>, slug: &str) -> Result<Org> {
    tx.tx.query_opt(COLUMNS, params![slug], read)?.ok_or_else(|| Error::not_found("organisation"))
}

/// Every org, oldest first.
///
/// # Errors
/// Those of the database.
pub fn all(tx: &mut SystemTx<'_, '_>) -> Result<Vec<Org>> {
    const ALL: &str = "SELECT id, slug, name, seq, region, sms_provider, created_ms FROM org ORDER BY id";
    tx.tx.query(ALL, &[], read)
}

/// The transaction's own org.
///
/// # Errors
/// `not_found`.
pub fn current(tx: &mut crate::OrgTx<'_, '_>) -> Result<Org> {
    tx.query_opt(BY_ID, &[], read)?.ok_or_else(|| Error::not_found("organisation"))
}

/// Sets who carries SMS and calls, where nobody does yet.
///
/// # Errors
/// Those of the database.
pub fn default_sms_provider(tx: &mut crate::OrgTx<'_, '_>, provider: &str) -> Result<()> {
    const SET: &str = "UPDATE org SET sms_provider = $2 WHERE id = $1 AND sms_provider IS NULL";
    tx.execute(SET, params![provider]).map(drop)
}
