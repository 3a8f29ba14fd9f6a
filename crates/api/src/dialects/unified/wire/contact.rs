//! Contacts on the wire: the record, and the bodies that make, change and merge.

use parlance_app::contact as app;
use parlance_model::clock::iso8601;
use parlance_model::contact as model;
use parlance_model::contact::IdentityKind;
use parlance_model::id::ContactId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::value::{Integer, Text, Word, present};

type Name = Text<200>;
type Number = Text<64>;
type Email = Text<254>;

/// A person outside.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Contact {
    /// Their id.
    id: i64,
    /// First name; null when unknown.
    first_name: Option<String>,
    /// Last name; null when unknown.
    last_name: Option<String>,
    /// Both names; null when both are unknown.
    name: Option<String>,
    /// The number that comes first.
    phone: Option<String>,
    /// The e-mail address that comes first.
    email: Option<String>,
    /// Every way to reach them, numbers first.
    identities: Vec<Identity>,
    /// Whether sending to `phone` is refused.
    opted_out: bool,
    /// When it was made.
    inserted_at: String,
    /// When it last changed.
    updated_at: String,
}

/// One way to reach a contact.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Identity {
    /// What kind of address it is.
    kind: Word<IdentityKind>,
    /// E.164 for numbers, lower case for the rest.
    value: String,
}

impl From<model::Identity> for Identity {
    fn from(from: model::Identity) -> Self {
        Self { kind: Word(from.kind), value: from.value }
    }
}

impl From<model::Profile> for Contact {
    fn from(from: model::Profile) -> Self {
        let model::Profile { contact, identities, opted_out } = from;
        let name = contact.name();
        let known = |name: String| (!name.is_empty()).then_some(name);
        Self {
            id: contact.id.0,
            first_name: known(contact.first_name),
            last_name: known(contact.last_name),
            name,
            phone: contact.phone,
            email: contact.email,
            identities: identities.into_iter().map(Into::into).collect(),
            opted_out,
            inserted_at: iso8601(contact.created_ms),
            updated_at: iso8601(contact.updated_ms),
        }
    }
}

/// Makes a contact. At least one of the four must say something.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "CreateContact")]
pub(crate) struct NewContact {
    /// First name.
    first_name: Option<Name>,
    /// Last name.
    last_name: Option<Name>,
    /// Their number; best in E.164 form.
    phone: Option<Number>,
    /// Their e-mail address.
    email: Option<Email>,
}

impl From<NewContact> for app::NewContact {
    fn from(from: NewContact) -> Self {
        Self {
            first_name: from.first_name.map(Text::into_inner).unwrap_or_default(),
            last_name: from.last_name.map(Text::into_inner).unwrap_or_default(),
            phone: from.phone.map(Text::into_inner),
            email: from.email.map(Text::into_inner),
        }
    }
}

/// Changes a contact. Absent fields stay; null clears.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct ChangeContact {
    /// First name.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Option<Name>")]
    first_name: Option<Option<Name>>,
    /// Last name.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Option<Name>")]
    last_name: Option<Option<Name>>,
    /// The number that comes first: takes the place of the one before. Null takes it away, and the next comes first.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Option<Number>")]
    phone: Option<Option<Number>>,
    /// The e-mail address that comes first, in the same way.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Option<Email>")]
    email: Option<Option<Email>>,
}

impl From<ChangeContact> for app::Changes {
    fn from(from: ChangeContact) -> Self {
        let name = |name: Option<Name>| name.map(Text::into_inner).unwrap_or_default();
        Self {
            first_name: from.first_name.map(name),
            last_name: from.last_name.map(name),
            phone: from.phone.map(|phone| phone.map(Text::into_inner)),
            email: from.email.map(|email| email.map(Text::into_inner)),
        }
    }
}

/// Merges another contact into the one in the path.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "MergeContacts")]
pub(crate) struct Merge {
    /// The other, whose id leads to the one in the path from then on.
    contact_id: Integer,
}

impl Merge {
    pub(crate) fn other(&self) -> ContactId {
        ContactId(self.contact_id.get())
    }
}
