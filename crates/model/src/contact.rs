//! People outside, and the ways to reach them.

use std::fmt;

use crate::id::ContactId;
use crate::masked::Masked;
use crate::phone::{Address, Phone};
use crate::{show_only, words};

words! {
    /// What kind of address an identity is. No channel in it: an SMS and a call from one number are one contact.
    pub enum IdentityKind ("kind") {
        /// E.164 numbers, and the telephone network's other senders (short codes, names).
        Phone = "phone",
        /// E-mail addresses, lower case.
        Email = "email",
    }
}

/// One way to reach a contact.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    /// What kind of address it is.
    pub kind: IdentityKind,
    /// Its key: E.164 for numbers, lower case for the rest.
    pub value: String,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, Masked(&self.value))
    }
}

impl Identity {
    /// The identity of an address on the telephone network.
    #[must_use]
    pub fn of(address: &Address) -> Self {
        Self { kind: IdentityKind::Phone, value: address.key() }
    }

    /// The identity of an e-mail address in its comparison form ([`check_email`](crate::org::check_email)).
    #[must_use]
    pub fn email(address: &str) -> Self {
        Self { kind: IdentityKind::Email, value: address.to_owned() }
    }

    /// The identity of a number.
    #[must_use]
    pub fn phone(phone: &Phone) -> Self {
        Self { kind: IdentityKind::Phone, value: phone.as_str().to_owned() }
    }
}

/// A person outside.
#[derive(Clone, PartialEq, Eq)]
pub struct Contact {
    /// Its id.
    pub id: ContactId,
    /// First name; empty when unknown.
    pub first_name: String,
    /// Last name; empty when unknown.
    pub last_name: String,
    /// The phone identity that comes first.
    pub phone: Option<String>,
    /// The e-mail identity that comes first.
    pub email: Option<String>,
    /// When it was made, unix ms.
    pub created_ms: i64,
    /// When it last changed, unix ms.
    pub updated_ms: i64,
}

show_only!(Contact { id });

impl Contact {
    /// First and last name; `None` when both are empty.
    #[must_use]
    pub fn name(&self) -> Option<String> {
        let name = format!("{} {}", self.first_name, self.last_name);
        let name = name.trim();
        (!name.is_empty()).then(|| name.to_owned())
    }
}

/// A contact with every way to reach them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Who it is.
    pub contact: Contact,
    /// Every identity, numbers first.
    pub identities: Vec<Identity>,
    /// Whether sending to their first number is refused.
    pub opted_out: bool,
}
