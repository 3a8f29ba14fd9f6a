//! Contacts with every way to reach them: one, and lists of them, newest first. Merged contacts are in no list.

use std::collections::HashMap;

use parlance_model::contact::{Contact, Identity, IdentityKind, Profile};
use parlance_model::id::ContactId;
use parlance_model::{Error, Result};

use super::{get, read, search};
use crate::db::{Param, Row, Sql, params};
use crate::search::{among, by_id, id_list};
use crate::total::{COUNT_LIMIT, Total};
use crate::{OrgTx, counter, opt_out};

/// What a list has: `$2` and `$3` are the patterns of a search.
macro_rules! found {
    () => {
        " FROM contact WHERE org_id = $1 AND redirect_to IS NULL
          AND (CAST($2 AS TEXT) IS NULL OR search LIKE $2 ESCAPE '\\' OR search LIKE $3 ESCAPE '\\')"
    };
}
macro_rules! page {
    ($columns:expr) => {
        concat!("SELECT ", $columns, found!(), " AND id < $4 ORDER BY id DESC LIMIT $5 OFFSET $6")
    };
}

macro_rules! profile_columns {
    () => {
        concat!(
            columns!(),
            ", EXISTS (SELECT 1 FROM opt_out o WHERE o.org_id = contact.org_id AND o.kind = 'phone' AND o.value = contact.phone ",
            "AND o.opted_out)"
        )
    };
}

const PAGE: &str = page!(profile_columns!());
const PAGE_IDENTITIES: &str = concat!(
    "SELECT i.contact_id, i.kind, i.value FROM (",
    page!("id"),
    ") AS page JOIN identity i ON i.org_id = $1 AND i.contact_id = page.id"
);
const COUNT: &str = concat!("SELECT COUNT(*) FROM (SELECT 1 AS one", found!(), " LIMIT $4) AS found");

/// A contact with every way to reach them; a merged one's id leads to whom it was merged into.
///
/// # Errors
/// `not_found`.
pub fn profile(tx: &mut OrgTx<'_, '_>, id: ContactId) -> Result<Profile> {
    let contact = get(tx, id)?;
    let identities = identities(tx, contact.id)?;
    let first = contact.phone.clone().map(|value| Identity { kind: IdentityKind::Phone, value });
    let opted_out = match &first {
        Some(first) => opt_out::is_opted_out(tx, first)?,
        None => false,
    };
    Ok(Profile { contact, identities, opted_out })
}

/// Every identity of a living contact, numbers first.
pub(crate) fn identities(tx: &mut OrgTx<'_, '_>, id: ContactId) -> Result<Vec<Identity>> {
    const ALL: &str = "SELECT kind, value FROM identity WHERE org_id = $1 AND contact_id = $2";
    let mut all = tx.query(ALL, params![id], |row| Ok(Identity { kind: row.word(0)?, value: row.get(1)? }))?;
    all.sort();
    Ok(all)
}

/// A page of the list, newest first: up to `limit` contacts made before `before`, or from `offset` on.
///
/// # Errors
/// Those of the database.
pub fn list(tx: &mut OrgTx<'_, '_>, search: Option<&str>, before: Option<ContactId>, limit: i64, offset: i64) -> Result<Vec<Profile>> {
    if let Some(found) = search::few(tx, search)? {
        let before = before.map_or(i64::MAX, |id| id.0);
        let [skip, take] = [offset, limit].map(|n| usize::try_from(n).unwrap_or(usize::MAX));
        let ids: Vec<_> = found.into_iter().filter(|id| *id < before).skip(skip).take(take).map(ContactId).collect();
        return profiles(tx, &ids);
    }
    let Some(patterns) = search::patterns(tx, search)? else { return Ok(Vec::new()) };
    let place = params![before.unwrap_or(ContactId(i64::MAX)), limit, offset];
    let values = [&patterns[..], place].concat();
    let identities = tx.query(PAGE_IDENTITIES, &values, read_identity)?;
    let contacts = tx.query(PAGE, &values, read_contact)?;
    Ok(joined(contacts, identities))
}

/// These contacts, in this order.
pub(crate) fn profiles(tx: &mut OrgTx<'_, '_>, ids: &[ContactId]) -> Result<Vec<Profile>> {
    const CONTACTS: Sql = by_id!(concat!("SELECT ", profile_columns!(), " FROM contact"), "", "$2", "");
    const IDENTITIES: Sql = among!("SELECT contact_id, kind, value FROM identity WHERE org_id = $1 AND contact_id", "$2", "");
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let list = id_list(ids.iter().map(|id| id.0));
    let identities = tx.query(IDENTITIES, params![&list], read_identity)?;
    let mut contacts: HashMap<_, _> = tx.query(CONTACTS, params![&list], read_contact)?.into_iter().map(|row| (row.0.id, row)).collect();
    let missing = || Error::internal("a contact that was found is not there");
    let ordered = ids.iter().map(|id| contacts.remove(id).ok_or_else(missing)).collect::<Result<_>>()?;
    Ok(joined(ordered, identities))
}

/// A contact, and whether sending to their first number is refused.
fn read_contact(row: &Row<'_>) -> Result<(Contact, bool)> {
    Ok((read(row)?, row.get(7)?))
}

fn read_identity(row: &Row<'_>) -> Result<(ContactId, Identity)> {
    Ok((row.get(0)?, Identity { kind: row.word(1)?, value: row.get(2)? }))
}

fn joined(contacts: Vec<(Contact, bool)>, identities: Vec<(ContactId, Identity)>) -> Vec<Profile> {
    let mut of: HashMap<ContactId, Vec<Identity>> = HashMap::new();
    for (contact, identity) in identities {
        of.entry(contact).or_default().push(identity);
    }
    let whole = |(contact, opted_out): (Contact, bool)| {
        let mut identities = of.remove(&contact.id).unwrap_or_default();
        identities.sort();
        Profile { contact, identities, opted_out }
    };
    contacts.into_iter().map(whole).collect()
}

/// How many contacts a search finds, counted up to ten thousand; without one, how many there are.
///
/// # Errors
/// Those of the database.
pub fn total(tx: &mut OrgTx<'_, '_>, search: Option<&str>) -> Result<Total> {
    if search.is_none() {
        return counter::contacts(tx).map(Total::exact);
    }
    if let Some(found) = search::few(tx, search)? {
        return i64::try_from(found.len()).map(Total::counted).map_err(Error::internal);
    }
    let Some([typed, number]) = search::patterns(tx, search)? else { return Ok(Total::exact(0)) };
    tx.query_one(COUNT, &[typed, number, Param::from(COUNT_LIMIT + 1)], |row| row.get(0)).map(Total::counted)
}

/// The texts of the list with the index that each should walk.
#[cfg(test)]
pub(crate) fn plans() -> [(&'static str, &'static str); 3] {
    [(PAGE, "contact_org"), (PAGE_IDENTITIES, "contact_org"), (COUNT, "contact_org")]
}
