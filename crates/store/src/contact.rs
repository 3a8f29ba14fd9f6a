//! Contacts and their identities. A merged contact stays as a redirect: its id leads to the contact that lives on.

use std::collections::HashMap;

use parlance_model::contact::{Contact, Identity, IdentityKind};
use parlance_model::event::Event;
use parlance_model::id::ContactId;
use parlance_model::{Error, Result, text};

use crate::db::{Row, params, row};
use crate::{OrgTx, counter};

macro_rules! columns {
    () => {
        "id, first_name, last_name, phone, email, created_ms, updated_ms"
    };
}

mod change;
mod list;
pub(crate) mod search;

pub use change::{Changes, change, merge};
pub use list::{list, profile, total};

#[cfg(test)]
pub(crate) use list::plans;
pub(crate) use list::{identities, profiles};

/// Names of a contact to be made.
#[derive(Clone, Default)]
pub struct Details {
    /// First name; may be empty.
    pub first_name: String,
    /// Last name; may be empty.
    pub last_name: String,
}

parlance_model::show_only!(Details {});

impl Details {
    /// A name as one text, split at its last blank.
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        let name = text::clean(name.trim());
        let name: String = name.chars().take(200).collect();
        match name.rsplit_once(char::is_whitespace) {
            Some((first, last)) => Self { first_name: first.trim().to_owned(), last_name: last.to_owned() },
            None => Self { first_name: name, last_name: String::new() },
        }
    }
}

pub(crate) fn read(row: &Row<'_>) -> Result<Contact> {
    Ok(Contact {
        id: row.get(0)?,
        first_name: row.get(1)?,
        last_name: row.get(2)?,
        phone: row.get(3)?,
        email: row.get(4)?,
        created_ms: row.get(5)?,
        updated_ms: row.get(6)?,
    })
}

const GET: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM contact WHERE org_id = $1 AND id = (SELECT COALESCE(redirect_to, id) FROM contact WHERE org_id = $1 AND id = $2)"
);

/// One contact; a merged one's id leads to whom it was merged into.
///
/// # Errors
/// `not_found`.
pub fn get(tx: &mut OrgTx<'_, '_>, id: ContactId) -> Result<Contact> {
    tx.query_opt(GET, params![id], read)?.ok_or_else(|| Error::not_found("contact"))
}

/// The living contact that an id leads to; the id itself where it names nobody.
///
/// # Errors
/// Those of the database.
pub fn living(tx: &mut OrgTx<'_, '_>, id: ContactId) -> Result<ContactId> {
    const LIVING: &str = "SELECT COALESCE(redirect_to, id) FROM contact WHERE org_id = $1 AND id = $2";
    Ok(tx.query_opt(LIVING, params![id], |row| row.get(0))?.unwrap_or(id))
}

/// The contact behind an identity.
///
/// # Errors
/// Those of the database.
pub fn by_identity(tx: &mut OrgTx<'_, '_>, identity: &Identity) -> Result<Option<ContactId>> {
    const FIND: &str = "SELECT contact_id FROM identity WHERE org_id = $1 AND kind = $2 AND value = $3";
    tx.query_opt(FIND, params![identity.kind.as_str(), &identity.value], |row| row.get(0))
}

/// Names of contacts as lists show them, in the order of the ids.
///
/// # Errors
/// `not_found`; those of the database.
pub(crate) fn names(tx: &mut OrgTx<'_, '_>, ids: &[ContactId]) -> Result<Vec<Option<String>>> {
    let rows: Vec<_> = ids.iter().map(|id| row![*id]).collect();
    let names = tx.query_each(GET, &rows, |row| read(row).map(|contact| contact.name()))?;
    if names.len() == ids.len() { Ok(names) } else { Err(Error::not_found("contact")) }
}

/// The contact behind an identity, made when there is none. The flag says whether it was made.
///
/// # Errors
/// Those of the database.
pub fn find_or_create(tx: &mut OrgTx<'_, '_>, identity: &Identity, details: &Details) -> Result<(Contact, bool)> {
    let found = find_or_create_all(tx, &[(identity, details)])?;
    let (id, made) = found.first().copied().ok_or_else(|| Error::not_found("contact"))?;
    Ok((get(tx, id)?, made))
}

/// The contacts behind different identities, in their order; made where there are none.
///
/// # Errors
/// Those of the database.
pub fn find_or_create_all(tx: &mut OrgTx<'_, '_>, people: &[(&Identity, &Details)]) -> Result<Vec<(ContactId, bool)>> {
    const FIND: &str = "SELECT kind, value, contact_id FROM identity WHERE org_id = $1 AND kind = $2 AND value = $3";
    let rows: Vec<_> = people.iter().map(|(identity, _)| row![identity.kind.as_str(), &identity.value]).collect();
    let owner = |row: &Row<'_>| Ok((Identity { kind: row.word(0)?, value: row.get(1)? }, row.get::<ContactId>(2)?));
    let known: HashMap<_, _> = tx.query_each(FIND, &rows, owner)?.into_iter().collect();
    let strangers = people.iter().filter(|(identity, _)| !known.contains_key(*identity));
    let strangers: Vec<_> = strangers.map(|(identity, details)| (*details, std::slice::from_ref(*identity))).collect();
    let mut made = create_all(tx, &strangers)?.into_iter();
    let one = |(identity, _): &(&Identity, &Details)| match known.get(*identity) {
        Some(id) => Ok((*id, false)),
        None => made.next().map(|id| (id, true)).ok_or_else(|| Error::internal("a contact was made and is not there")),
    };
    people.iter().map(one).collect()
}

/// Makes a contact with these identities.
///
/// # Errors
/// `identity_taken` when one belongs to somebody else.
pub fn create(tx: &mut OrgTx<'_, '_>, details: &Details, identities: &[Identity]) -> Result<Contact> {
    match create_all(tx, &[(details, identities)])?.first() {
        Some(id) => get(tx, *id),
        None => Err(Error::internal("a contact was made and is not there")),
    }
}

/// Makes contacts, each with its identities, in their order.
///
/// # Errors
/// `identity_taken` when one belongs to somebody else.
fn create_all(tx: &mut OrgTx<'_, '_>, people: &[(&Details, &[Identity])]) -> Result<Vec<ContactId>> {
    const INSERT: &str = "INSERT INTO contact (org_id, first_name, last_name, phone, email, search, created_ms, updated_ms)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $7) RETURNING id";
    let now_ms = tx.now_ms();
    let values = |(details, identities): &(&'_ Details, &'_ [Identity])| {
        let first = |kind| identities.iter().find(|identity| identity.kind == kind).map(|identity| identity.value.clone());
        let (phone, email) = (first(IdentityKind::Phone), first(IdentityKind::Email));
        let search = search::text_of(&details.first_name, &details.last_name, identities);
        row![details.first_name.clone(), details.last_name.clone(), phone, email, search, now_ms]
    };
    let rows: Vec<_> = people.iter().map(values).collect();
    let ids: Vec<ContactId> = tx.query_each(INSERT, &rows, |row| row.get(0))?;
    let owned = people.iter().zip(&ids).flat_map(|((_, identities), id)| identities.iter().map(|identity| (*id, identity)));
    claim_all(tx, &owned.collect::<Vec<_>>())?;
    counter::contacts_moved(tx, i64::try_from(ids.len()).map_err(Error::internal)?);
    ids.iter().for_each(|id| tx.emit(Event::ContactCreated { contact_id: *id }));
    Ok(ids)
}

/// Gives identities to contacts.
///
/// # Errors
/// `identity_taken`, naming whose one is.
fn claim_all(tx: &mut OrgTx<'_, '_>, owned: &[(ContactId, &Identity)]) -> Result<()> {
    let rows: Vec<_> = owned.iter().map(|(id, identity)| row![identity.kind.as_str(), &identity.value, *id]).collect();
    if tx.execute_each(CLAIM, &rows)? < owned.len() as u64 {
        // One was there already: each is looked at again, for whose it is.
        owned.iter().try_for_each(|(id, identity)| claim(tx, *id, identity).map(drop))?;
    }
    Ok(())
}

const CLAIM: &str =
    "INSERT INTO identity (org_id, kind, value, contact_id) VALUES ($1, $2, $3, $4) ON CONFLICT (org_id, kind, value) DO NOTHING";

/// Gives an identity to a contact. Answers whether it is new to them.
///
/// # Errors
/// `identity_taken`, naming whose it is.
fn claim(tx: &mut OrgTx<'_, '_>, id: ContactId, identity: &Identity) -> Result<bool> {
    if tx.execute(CLAIM, params![identity.kind.as_str(), &identity.value, id])? == 1 {
        return Ok(true);
    }
    match by_identity(tx, identity)?.filter(|owner| *owner != id) {
        Some(owner) => Err(Error::conflict("identity_taken", format!("{} belongs to contact {owner} already.", identity.value))),
        None => Ok(false),
    }
}
