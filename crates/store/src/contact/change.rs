//! Changing a contact and merging two. Conversations carry their contact's name, so it changes with it, in the same
//! transaction; a change that would touch more than a thousand of them is refused.

use parlance_model::contact::{Contact, Identity, IdentityKind};
use parlance_model::event::Event;
use parlance_model::id::ContactId;
use parlance_model::phone::Phone;
use parlance_model::{Error, Result};

use super::{claim, get, identities, search};
use crate::db::params;
use crate::{OrgTx, counter};

/// The most conversations that one change moves or renames.
const MOST: i64 = 1000;

/// What a change sets. `None` leaves a field alone; `Some(None)` takes an identity away.
#[derive(Clone, Default)]
pub struct Changes {
    /// First name; may be empty.
    pub first_name: Option<String>,
    /// Last name; may be empty.
    pub last_name: Option<String>,
    /// The number that comes first.
    pub phone: Option<Option<Phone>>,
    /// The e-mail address that comes first, in its comparison form.
    pub email: Option<Option<String>>,
}

parlance_model::show_only!(Changes {});

/// Changes what is given. A new first number or address takes the place of the one before; one that the contact has
/// already only comes first from now on. When the first one goes, the next takes its place.
///
/// # Errors
/// `not_found`; `identity_taken`; `contact_too_large`.
pub fn change(tx: &mut OrgTx<'_, '_>, id: ContactId, changes: &Changes) -> Result<Contact> {
    let before = get(tx, id)?;
    let mut after = before.clone();
    if let Some(name) = &changes.first_name {
        after.first_name.clone_from(name);
    }
    if let Some(name) = &changes.last_name {
        after.last_name.clone_from(name);
    }
    if let Some(phone) = &changes.phone {
        let new = phone.as_ref().map(Identity::phone);
        after.phone = replace(tx, before.id, IdentityKind::Phone, before.phone.as_deref(), new)?;
    }
    if let Some(email) = &changes.email {
        let new = email.as_deref().map(Identity::email);
        after.email = replace(tx, before.id, IdentityKind::Email, before.email.as_deref(), new)?;
    }
    if after != before {
        save(tx, &before, &mut after)?;
        tx.emit(Event::ContactUpdated { contact_id: after.id });
    }
    Ok(after)
}

/// Merges `other` into `survivor`: identities and conversations move, and the other's id leads to the survivor. The
/// survivor keeps its names and what it is reached by first; where it has none, it takes the other's. Merging what is
/// one already changes nothing.
///
/// # Errors
/// `not_found`; `contact_too_large`.
pub fn merge(tx: &mut OrgTx<'_, '_>, survivor: ContactId, other: ContactId) -> Result<Contact> {
    const IDENTITIES: &str = "UPDATE identity SET contact_id = $3 WHERE org_id = $1 AND contact_id = $2";
    const CONVERSATIONS: &str =
        "UPDATE conversation SET contact_id = $3, contact_name = $4, updated_ms = $5 WHERE org_id = $1 AND contact_id = $2";
    // Earlier redirects to the other lead to the survivor at once, so that none is ever more than one step long.
    const REDIRECTS: &str = "UPDATE contact SET redirect_to = $3 WHERE org_id = $1 AND redirect_to = $2";
    const REDIRECT: &str = "UPDATE contact SET redirect_to = $3, search = '', updated_ms = $4 WHERE org_id = $1 AND id = $2";
    let (before, other) = (get(tx, survivor)?, get(tx, other)?);
    if before.id == other.id {
        return Ok(before);
    }
    refuse_large(tx, other.id)?;
    let mut after = before.clone();
    if after.name().is_none() {
        (after.first_name, after.last_name) = (other.first_name, other.last_name);
    }
    after.phone = after.phone.or(other.phone);
    after.email = after.email.or(other.email);
    let now_ms = tx.now_ms();
    tx.execute(IDENTITIES, params![other.id, after.id])?;
    tx.execute(REDIRECTS, params![other.id, after.id])?;
    tx.execute(REDIRECT, params![other.id, after.id, now_ms])?;
    save(tx, &before, &mut after)?;
    tx.execute(CONVERSATIONS, params![other.id, after.id, after.name(), now_ms])?;
    counter::contacts_moved(tx, -1);
    tx.emit(Event::ContactMerged { contact_id: after.id, merged_id: other.id });
    Ok(after)
}

/// Puts an identity in the place of the first one of its kind. Answers which comes first then.
fn replace(
    tx: &mut OrgTx<'_, '_>,
    contact: ContactId,
    kind: IdentityKind,
    old: Option<&str>,
    new: Option<Identity>,
) -> Result<Option<String>> {
    const RELEASE: &str = "DELETE FROM identity WHERE org_id = $1 AND kind = $2 AND value = $3 AND contact_id = $4";
    if old == new.as_ref().map(|new| new.value.as_str()) {
        return Ok(old.map(str::to_owned));
    }
    if let Some(new) = &new
        && !claim(tx, contact, new)?
    {
        return Ok(Some(new.value.clone()));
    }
    tx.execute(RELEASE, params![kind.as_str(), old, contact])?;
    match new {
        Some(new) => Ok(Some(new.value)),
        None => Ok(identities(tx, contact)?.into_iter().find(|left| left.kind == kind).map(|left| left.value)),
    }
}

/// Writes a contact's row, and its name into its conversations where it changed.
fn save(tx: &mut OrgTx<'_, '_>, before: &Contact, after: &mut Contact) -> Result<()> {
    const UPDATE: &str = "UPDATE contact SET first_name = $3, last_name = $4, phone = $5, email = $6, search = $7, updated_ms = $8
        WHERE org_id = $1 AND id = $2";
    const RENAME: &str = "UPDATE conversation SET contact_name = $3, updated_ms = $4 WHERE org_id = $1 AND contact_id = $2";
    after.updated_ms = tx.now_ms();
    let search = search::text_of(&after.first_name, &after.last_name, &identities(tx, after.id)?);
    let (phone, email) = (after.phone.as_deref(), after.email.as_deref());
    tx.execute(UPDATE, params![after.id, &after.first_name, &after.last_name, phone, email, search, after.updated_ms])?;
    if before.name() != after.name() {
        refuse_large(tx, after.id)?;
        tx.execute(RENAME, params![after.id, after.name(), after.updated_ms])?;
    }
    Ok(())
}

/// Keeps transactions small.
fn refuse_large(tx: &mut OrgTx<'_, '_>, id: ContactId) -> Result<()> {
    const CONVERSATIONS: &str =
        "SELECT COUNT(*) FROM (SELECT 1 AS one FROM conversation WHERE org_id = $1 AND contact_id = $2 LIMIT $3) AS found";
    const REDIRECTS: &str = "SELECT COUNT(*) FROM (SELECT 1 AS one FROM contact WHERE org_id = $1 AND redirect_to = $2 LIMIT $3) AS found";
    for text in [CONVERSATIONS, REDIRECTS] {
        if tx.query_one(text, params![id, MOST + 1], |row| row.get::<i64>(0))? > MOST {
            let text = format!(
                "Contact {id} has more than {MOST} conversations, or more than {MOST} contacts were merged into it: too many for one \
                 change. A merge may be possible the other way round."
            );
            return Err(Error::refused("contact_too_large", text));
        }
    }
    Ok(())
}
