//! Contacts as staff and programs handle them: lists, making, changing, merging.

use parlance_model::audit::{Act, Action};
use parlance_model::contact::{Contact, Identity, Profile};
use parlance_model::id::ContactId;
use parlance_model::key::Principal;
use parlance_model::org::check_email;
use parlance_model::phone::{Phone, Region};
use parlance_model::{Error, Result, text};
use parlance_store::{OrgTx, contact, org};

use crate::App;
use crate::page::{Cursor, Page, PageRequest};

/// A contact to be made. Names may be empty; at least one of the four says something.
#[derive(Clone, Default)]
pub struct NewContact {
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// Their number, in any written form.
    pub phone: Option<String>,
    /// Their e-mail address.
    pub email: Option<String>,
}

parlance_model::show_only!(NewContact {});

/// What a change sets. `None` leaves a field alone; `Some(None)` takes the number or address away.
#[derive(Clone, Default)]
pub struct Changes {
    /// First name; empty clears it.
    pub first_name: Option<String>,
    /// Last name; empty clears it.
    pub last_name: Option<String>,
    /// Their first number, in any written form.
    pub phone: Option<Option<String>>,
    /// Their first e-mail address.
    pub email: Option<Option<String>>,
}

parlance_model::show_only!(Changes {});

impl App {
    /// A page of the org's contacts, newest first; with a search, of those whose name, number or address has it.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn contacts(&self, who: &Principal, search: Option<String>, page: PageRequest) -> Result<Page<Profile>> {
        let read = move |tx: &mut OrgTx<'_, '_>| {
            let before = page.after().map(|cursor| ContactId(cursor.id));
            let rows = contact::list(tx, search.as_deref(), before, page.limit + 1, page.offset())?;
            let total = contact::total(tx, search.as_deref())?;
            // The list is ordered by id alone.
            Ok(Page::cut(rows, page.limit, (total.n, total.bounded), |row| Cursor { at_ms: 0, id: row.contact.id.0 }))
        };
        self.store().read(who.org, read).await
    }

    /// A contact; a merged one's id answers whom it was merged into.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn contact(&self, who: &Principal, id: ContactId) -> Result<Profile> {
        self.store().read(who.org, move |tx| contact::profile(tx, id)).await
    }

    /// Makes a contact.
    ///
    /// # Errors
    /// `validation_failed`; `identity_taken`, naming whose it is.
    pub async fn create_contact(&self, who: &Principal, new: NewContact) -> Result<Profile> {
        let write = move |tx: &mut OrgTx<'_, '_>| {
            let region = org::current(tx)?.region;
            let details = contact::Details { first_name: name(&new.first_name), last_name: name(&new.last_name) };
            let phone = new.phone.as_deref().map(|phone| Phone::parse(phone, region)).transpose()?;
            let email = new.email.as_deref().map(check_email).transpose()?;
            let identities: Vec<_> = phone.iter().map(Identity::phone).chain(email.as_deref().map(Identity::email)).collect();
            if details.first_name.is_empty() && details.last_name.is_empty() && identities.is_empty() {
                return Err(Error::invalid("first_name", "Is required, or `last_name`, `phone` or `email` in its place."));
            }
            let made = contact::create(tx, &details, &identities)?;
            tx.audit(&created(&made))?;
            contact::profile(tx, made.id)
        };
        self.write_as(who, write).await
    }

    /// Changes what is given.
    ///
    /// # Errors
    /// `not_found`; `validation_failed`; `identity_taken`, naming whose it is; `contact_too_large`.
    pub async fn change_contact(&self, who: &Principal, id: ContactId, changes: Changes) -> Result<Profile> {
        let write = move |tx: &mut OrgTx<'_, '_>| {
            let before = contact::get(tx, id)?;
            let changes = read(&before, &changes, org::current(tx)?.region)?;
            let after = contact::change(tx, before.id, &changes)?;
            let act = Act::new(Action::ContactUpdate, after.id)
                .changed("first_name", before.first_name, after.first_name)
                .changed("last_name", before.last_name, after.last_name)
                .changed("phone", before.phone, after.phone)
                .changed("email", before.email, after.email);
            if act.changes_something() {
                tx.audit(&act)?;
            }
            contact::profile(tx, after.id)
        };
        self.write_as(who, write).await
    }

    /// Merges `other` into `survivor`, whose id remains; the other's leads to it. Merging again changes nothing.
    ///
    /// # Errors
    /// `not_found` for either; `validation_failed` for one with itself; `contact_too_large`.
    pub async fn merge_contacts(&self, who: &Principal, survivor: ContactId, other: ContactId) -> Result<Profile> {
        let write = move |tx: &mut OrgTx<'_, '_>| {
            contact::get(tx, survivor)?;
            if survivor == other {
                return Err(Error::invalid("contact_id", "Must be another contact than the one in the path."));
            }
            let (into, from) = (contact::living(tx, survivor)?, contact::living(tx, other)?);
            let merged = contact::merge(tx, survivor, other)?;
            if into != from {
                tx.audit(&Act::new(Action::ContactMerge, into).with("merged_id", from.0))?;
            }
            contact::profile(tx, merged.id)
        };
        self.write_as(who, write).await
    }
}

/// What is written down of a contact that a person or a key made.
pub(crate) fn created(made: &Contact) -> Act {
    Act::new(Action::ContactCreate, made.id).with("phone", made.phone.as_deref()).with("email", made.email.as_deref())
}

/// A name as it is kept.
fn name(given: &str) -> String {
    text::clean(given).trim().to_owned()
}

/// The changes in the store's terms. A number or address that is sent back as it was shown is no change, even where it is
/// none that could be given: a short code, or a sender's name.
fn read(before: &Contact, given: &Changes, region: Region) -> Result<contact::Changes> {
    let phone = given.phone.as_ref().filter(|phone| **phone != before.phone);
    let email = given.email.as_ref().filter(|email| **email != before.email);
    Ok(contact::Changes {
        first_name: given.first_name.as_deref().map(name),
        last_name: given.last_name.as_deref().map(name),
        phone: phone.map(|phone| phone.as_deref().map(|phone| Phone::parse(phone, region)).transpose()).transpose()?,
        email: email.map(|email| email.as_deref().map(check_email).transpose()).transpose()?,
    })
}
