//! Contacts and their identities. A merged contact stays as a redirect: its id leads to the contact that lives on.

use parlance_model::contact::{Contact, Identity, IdentityKind};
use parlance_model::event::Event;
use parlance_model::id::ContactId;
use parlance_model::{Error, Result, text};

use crate::db::{Row, params};
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

/// One contact; a merged one's id leads to whom it was merged into.
///
/// # Errors
/// `not_found`.
pub fn get(tx: &mut OrgTx<'_, '_>, id: ContactId) -> Result<Contact> {
    const GET: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM contact WHERE org_id = $1 AND id = (SELECT COALESCE(redirect_to, id) FROM contact WHERE org_id = $1 AND id = $2)"
    );
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

/// The contact behind an identity, made when there is none. The flag says whether it was made.
///
/// # Errors
/// Those of the database.
pub fn find_or_create(tx: &mut OrgTx<'_, '_>, identity: &Identity, details: &Details) -> Result<(Contact, bool)> {
    match by_identity(tx, identity)? {
        Some(id) => Ok((get(tx, id)?, false)),
        None => Ok((create(tx, details, std::slice::from_ref(identity))?, true)),
    }
}

/// Makes a contact with these identities.
///
/// # Errors
/// `identity_taken` when one belongs to somebody else.
pub fn create(tx: &mut OrgTx<'_, '_>, details: &Details, identities: &[Identity]) -> Result<Contact> {
    const INSERT: &str = "INSERT INTO contact (org_id, first_name, last_name, phone, email, search, created_ms, updated_ms)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $7) RETURNING id";
    let first = |kind| identities.iter().find(|identity| identity.kind == kind).map(|identity| identity.value.as_str());
    let (phone, email) = (first(IdentityKind::Phone), first(IdentityKind::Email));
    let search = search::text_of(&details.first_name, &details.last_name, identities);
    let now_ms = tx.now_ms();
    let values = params![&details.first_name, &details.last_name, phone, email, search, now_ms];
    let id: ContactId = tx.query_one(INSERT, values, |row| row.get(0))?;
    for identity in identities {
        claim(tx, id, identity)?;
    }
    counter::contacts_moved(tx, 1);
    tx.emit(Event::ContactCreated { contact_id: id });
    get(tx, id)
}

/// Gives an identity to a contact. Answers whether it is new to them.
///
/// # Errors
/// `identity_taken`, naming whose it is.
fn claim(tx: &mut OrgTx<'_, '_>, id: ContactId, identity: &Identity) -> Result<bool> {
    const INSERT: &str =
        "INSERT INTO identity (org_id, kind, value, contact_id) VALUES ($1, $2, $3, $4) ON CONFLICT (org_id, kind, value) DO NOTHING";
    if tx.execute(INSERT, params![identity.kind.as_str(), &identity.value, id])? == 1 {
        return Ok(true);
    }
    match by_identity(tx, identity)?.filter(|owner| *owner != id) {
        Some(owner) => Err(Error::conflict("identity_taken", format!("{} belongs to contact {owner} already.", identity.value))),
        None => Ok(false),
    }
}
