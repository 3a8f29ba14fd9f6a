//! API keys: what they may do, and who a request speaks for.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::audit::{Actor, ActorKind};
use crate::id::{KeyId, OrgId, SessionId, UserId};
use crate::role::Role;
use crate::{Error, Result, words};

words! {
    /// A wire language of the API. `DESIGN.md`, Dialects.
    pub enum Dialect ("dialect") {
        /// The canonical API.
        Unified = "unified",
    }
}

words! {
    /// What a key may be limited to. None of them implies another.
    pub enum Scope ("scope") {
        /// See what there is.
        Read = "read",
        /// Change conversations and contacts, and send.
        Write = "write",
        /// Speak as the assistant and set a message's `meta`.
        Assistant = "assistant",
        /// Manage staff, keys, accounts and settings, as far as the role allows.
        Admin = "admin",
    }
}

/// A set of scopes. Its text form is the words with a blank between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scopes(u8);

impl Scopes {
    /// Everything that a role allows. Speaking as the assistant is not part of it.
    pub const FULL: Self = Self(Scope::Read.bit() | Scope::Write.bit() | Scope::Admin.bit());
    /// Nothing.
    pub const NONE: Self = Self(0);

    /// The set with this scope in it.
    #[must_use]
    pub const fn with(self, scope: Scope) -> Self {
        Self(self.0 | scope.bit())
    }

    /// Whether the scope is in the set.
    #[must_use]
    pub const fn has(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// The scopes, in their own order.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.iter().copied().filter(move |scope| self.has(*scope))
    }
}

impl Scope {
    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        scopes.into_iter().fold(Self::NONE, Self::with)
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.iter().map(Scope::as_str).collect::<Vec<_>>().join(" "))
    }
}

impl FromStr for Scopes {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        text.split_whitespace().map(str::parse).collect()
    }
}

/// What was shown to prove who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Credential {
    /// An API key.
    Key(KeyId),
    /// The cookie of a person who signed in.
    Session(SessionId),
}

/// The caller of one request, after authentication.
#[derive(Debug, Clone)]
pub struct Principal {
    /// The org that every query is bound to.
    pub org: OrgId,
    /// What was shown.
    pub credential: Credential,
    /// The person behind it, where there is one.
    pub user: Option<UserId>,
    /// What they may do. A key without a user has the rights of an admin.
    pub role: Role,
    /// What the key is limited to.
    pub scopes: Scopes,
    /// The dialect that the key is pinned to.
    pub dialect: Option<Dialect>,
    /// The id of the request, where there is one.
    pub request_id: Option<Arc<str>>,
}

impl Principal {
    /// The caller as the audit log has it.
    #[must_use]
    pub fn actor(&self) -> Actor {
        let (kind, key) = match self.credential {
            Credential::Key(key) => (ActorKind::Key, Some(key)),
            Credential::Session(_) => (ActorKind::Person, None),
        };
        Actor { kind, user: self.user, key, request_id: self.request_id.clone() }
    }
}

/// A key as its row has it. Its token is not kept.
#[derive(Debug, Clone)]
pub struct Key {
    /// Its id.
    pub id: KeyId,
    /// What people call it.
    pub name: String,
    /// The person it speaks for; `None` for a key with the rights of an admin.
    pub user: Option<UserId>,
    /// The dialect that it is pinned to.
    pub dialect: Option<Dialect>,
    /// What it is limited to.
    pub scopes: Scopes,
    /// When it ends, unix ms.
    pub expires_ms: Option<i64>,
    /// When it was last used, to the minute, unix ms.
    pub last_used_ms: Option<i64>,
    /// When it was made, unix ms.
    pub created_ms: i64,
}

#[cfg(test)]
mod tests {
    use super::{Scope, Scopes};

    #[test]
    fn scopes_read_back_and_none_implies_another() {
        for bits in 0..16_u8 {
            let scopes: Scopes = Scope::ALL.iter().copied().filter(|scope| bits & scope.bit() != 0).collect();
            assert_eq!(scopes.to_string().parse::<Scopes>().ok(), Some(scopes));
            assert_eq!(scopes.iter().count(), bits.count_ones() as usize);
        }
        assert_eq!(Scopes::FULL.to_string(), "read write admin");
        assert!("read root".parse::<Scopes>().is_err());
    }
}
