//! People outside, and the ways to reach them.

use crate::id::ContactId;
use crate::phone::{Address, Phone};
use crate::words;

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
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Identity {
    /// What kind of address it is.
    pub kind: IdentityKind,
    /// Its key: E.164 for numbers, lower case for the rest.
    pub value: String,
}

impl Identity {
    /// The identity of an address on the telephone network.
    #[must_use]
    pub fn of(address: &Address) -> Self {
        Self { kind: IdentityKind::Phone, value: address.key() }
    }

    /// The identity of a number.
    #[must_use]
    pub fn phone(phone: &Phone) -> Self {
        Self { kind: IdentityKind::Phone, value: phone.as_str().to_owned() }
    }
}

/// A person outside.
#[derive(Debug, Clone)]
pub struct Contact {
    /// Its id.
    pub id: ContactId,
    /// First name; empty when unknown.
    pub first_name: String,
    /// Last name; empty when unknown.
    pub last_name: String,
    /// The first phone identity.
    pub phone: Option<String>,
    /// The first e-mail identity.
    pub email: Option<String>,
    /// When it was made, unix ms.
    pub created_ms: i64,
}

impl Contact {
    /// First and last name; `None` when both are empty.
    #[must_use]
    pub fn name(&self) -> Option<String> {
        let name = format!("{} {}", self.first_name, self.last_name);
        let name = name.trim();
        (!name.is_empty()).then(|| name.to_owned())
    }
}
