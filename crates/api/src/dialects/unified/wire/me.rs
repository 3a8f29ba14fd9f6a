//! Who one is, on the wire, and what one signs in with.

use std::sync::Arc;

use parlance_app::session::{Me as Known, SignIn};
use parlance_model::org::{Org as StoredOrg, User as StoredUser};
use parlance_model::place::Place;
use parlance_model::role::Role;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Key;
use crate::value::{Text, Word};

/// A person who signs in.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct User {
    /// Their id.
    id: i64,
    /// How they sign in.
    email: String,
    /// What colleagues call them.
    name: String,
}

impl From<StoredUser> for User {
    fn from(user: StoredUser) -> Self {
        Self { id: user.id.0, email: user.email, name: user.name }
    }
}

/// An organisation, and what the person is there.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Org {
    /// Its id: what the header `X-Org-Id` names.
    id: i64,
    /// Its name in commands and at sign-in.
    slug: String,
    /// Its name for people.
    name: String,
    /// What the person may do there.
    role: Word<Role>,
}

impl From<(StoredOrg, Role)> for Org {
    fn from((org, role): (StoredOrg, Role)) -> Self {
        Self { id: org.id.0, slug: org.slug, name: org.name, role: Word(role) }
    }
}

/// Who the caller is.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Me {
    /// The person; null for a key without one.
    user: Option<User>,
    /// The key, where one was shown.
    key: Option<Key>,
    /// The organisation of this request.
    org: Org,
    /// The person's organisations; of a key, the one that it opens.
    orgs: Vec<Org>,
}

impl From<Known> for Me {
    fn from(me: Known) -> Self {
        Self {
            user: me.user.map(Into::into),
            key: me.key.map(Into::into),
            org: (me.org, me.role).into(),
            orgs: me.orgs.into_iter().map(Into::into).collect(),
        }
    }
}

/// Signs a person in.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "SignIn")]
pub(crate) struct Credentials {
    /// Who.
    email: Text<254>,
    /// Their password.
    password: Text<200>,
    /// The slug of the organisation that is meant, for a person who works in several.
    org: Option<Text<40>>,
}

impl Credentials {
    /// What the use case takes.
    pub(crate) fn read(self, (from, request_id): (Place, Option<Arc<str>>)) -> SignIn {
        let org = self.org.map(Text::into_inner);
        SignIn { email: self.email.into_inner(), password: self.password.into_inner(), org, from, request_id }
    }
}

/// A person who has just signed in.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Session")]
pub(crate) struct SignedIn {
    /// Who.
    pub(crate) user: User,
    /// Where they work.
    pub(crate) orgs: Vec<Org>,
}
