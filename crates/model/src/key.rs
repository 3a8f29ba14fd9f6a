//! API keys: who a request speaks for.

use crate::id::{KeyId, OrgId, UserId};
use crate::role::Role;
use crate::words;

words! {
    /// A wire language of the API. `DESIGN.md`, Dialects.
    pub enum Dialect ("dialect") {
        /// The canonical API.
        Unified = "unified",
    }
}

/// The caller of one request, after authentication.
#[derive(Debug, Clone)]
pub struct Principal {
    /// The org that every query is bound to.
    pub org: OrgId,
    /// The key that was shown.
    pub key: KeyId,
    /// The person behind the key, where there is one.
    pub user: Option<UserId>,
    /// What they may do. A key without a user has the rights of an admin.
    pub role: Role,
    /// Whether the key may speak as the assistant and set a message's `meta`.
    pub may_assist: bool,
    /// The dialect that the key is pinned to.
    pub dialect: Option<Dialect>,
}
