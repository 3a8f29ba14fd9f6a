//! Orgs: the tenants.

use parlance_model::error::Kind;
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

const COLUMNS: &str = "SELECT id, slug, name, seq, region, sms_provider, created_ms, disabled_ms FROM org WHERE slug = $1";
const BY_ID: &str = "SELECT id, slug, name, seq, region, sms_provider, created_ms, disabled_ms FROM org WHERE id = $1";

pub(crate) fn read(row: &Row<'_>) -> Result<Org> {
    Ok(Org {
        id: row.get(0)?,
        slug: row.get(1)?,
        name: row.get(2)?,
        seq: row.get(3)?,
        region: row.word(4)?,
        sms_provider: row.get(5)?,
        created_ms: row.get(6)?,
        disabled_ms: row.get(7)?,
    })
}

/// The org of this slug.
///
/// # Errors
/// `not_found`.
pub fn by_slug(tx: &mut SystemTx<'_, '_>, slug: &str) -> Result<Org> {
    tx.tx.query_opt(COLUMNS, params![slug], read)?.ok_or_else(|| Error::not_found("organisation"))
}

/// Whether there is any org.
///
/// # Errors
/// Those of the database.
pub fn exists(tx: &mut SystemTx<'_, '_>) -> Result<bool> {
    const ANY: &str = "SELECT id FROM org LIMIT 1";
    Ok(tx.tx.query_opt(ANY, &[], |row| row.get::<i64>(0))?.is_some())
}

/// Every org, oldest first.
///
/// # Errors
/// Those of the database.
pub fn all(tx: &mut SystemTx<'_, '_>) -> Result<Vec<Org>> {
    const ALL: &str = "SELECT id, slug, name, seq, region, sms_provider, created_ms, disabled_ms FROM org ORDER BY id";
    tx.tx.query(ALL, &[], read)
}

/// The transaction's own org.
///
/// # Errors
/// `not_found`.
pub fn current(tx: &mut crate::OrgTx<'_, '_>) -> Result<Org> {
    tx.query_opt(BY_ID, &[], read)?.ok_or_else(|| Error::not_found("organisation"))
}

/// Switches the org off or on. Off, its keys and sessions are refused, its hooks are put off, and its jobs rest.
///
/// # Errors
/// Those of the database.
pub fn set_disabled(tx: &mut crate::OrgTx<'_, '_>, disabled: bool) -> Result<()> {
    const DISABLE: &str = "UPDATE org SET disabled_ms = $2 WHERE id = $1 AND disabled_ms IS NULL";
    const ENABLE: &str = "UPDATE org SET disabled_ms = NULL WHERE id = $1";
    let now_ms = tx.now_ms();
    if disabled {
        return tx.execute(DISABLE, params![now_ms]).map(drop);
    }
    // Its jobs are due.
    tx.mark_jobs();
    tx.execute(ENABLE, &[]).map(drop)
}

/// Refuses whoever asks for the transaction's own org while it is switched off.
///
/// # Errors
/// `org_disabled`; `not_found`.
pub fn check_enabled(tx: &mut crate::OrgTx<'_, '_>) -> Result<()> {
    if current(tx)?.disabled_ms.is_some() { Err(disabled()) } else { Ok(()) }
}

/// The answer to whoever asks for an org that is switched off.
#[must_use]
pub fn disabled() -> Error {
    Error::new(Kind::Forbidden, "org_disabled", "This organisation is disabled. Whoever runs this server can enable it again.")
}

/// Sets who carries SMS and calls, where nobody does yet.
///
/// # Errors
/// Those of the database.
pub fn default_sms_provider(tx: &mut crate::OrgTx<'_, '_>, provider: &str) -> Result<()> {
    const SET: &str = "UPDATE org SET sms_provider = $2 WHERE id = $1 AND sms_provider IS NULL";
    tx.execute(SET, params![provider]).map(drop)
}

/// Sets who carries SMS and calls; `None` switches sending off.
///
/// # Errors
/// Those of the database.
pub fn set_sms_provider(tx: &mut crate::OrgTx<'_, '_>, provider: Option<&str>) -> Result<()> {
    const SET: &str = "UPDATE org SET sms_provider = $2 WHERE id = $1";
    tx.execute(SET, params![provider]).map(drop)
}

/// An org's settings for GoHighLevel.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Ghl {
    /// The private integration's token, opened.
    pub api_key: Option<String>,
    /// The location.
    pub location_id: Option<String>,
}

/// The org's settings for GoHighLevel, with the secret opened.
///
/// # Errors
/// `not_found`; `internal` when the secret was sealed with another key.
pub fn ghl(tx: &mut crate::OrgTx<'_, '_>) -> Result<Ghl> {
    const GET: &str = "SELECT ghl_api_key, ghl_location_id FROM org WHERE id = $1";
    let found = tx.query_opt(GET, &[], |row| Ok((row.get::<Option<Vec<u8>>>(0)?, row.get::<Option<String>>(1)?)))?;
    let (sealed, location_id) = found.ok_or_else(|| Error::not_found("organisation"))?;
    let api_key = sealed.map(|sealed| tx.shared().secret.open(&ghl_seal(tx), &sealed)).transpose()?;
    Ok(Ghl { api_key, location_id })
}

/// Replaces the org's settings for GoHighLevel. The token is kept encrypted.
///
/// # Errors
/// Those of the database.
pub fn set_ghl(tx: &mut crate::OrgTx<'_, '_>, ghl: &Ghl) -> Result<()> {
    const SET: &str = "UPDATE org SET ghl_api_key = $2, ghl_location_id = $3 WHERE id = $1";
    let (shared, name) = (tx.shared(), ghl_seal(tx));
    let sealed = ghl.api_key.as_deref().map(|token| shared.secret.seal(shared.entropy.as_ref(), &name, token)).transpose()?;
    tx.execute(SET, params![sealed.as_ref(), ghl.location_id.as_deref()]).map(drop)
}

fn ghl_seal(tx: &crate::OrgTx<'_, '_>) -> String {
    format!("org:{}:ghl_api_key", tx.org())
}
