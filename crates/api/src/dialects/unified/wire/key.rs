//! API keys on the wire.

use parlance_app::key::KeyRequest;
use parlance_model::clock::iso8601;
use parlance_model::id::UserId;
use parlance_model::key::{Dialect, Key as Stored, Scope};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::moment::Moment;
use crate::value::{Integer, Text, Word};

/// An API key, without its token.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "ApiKey")]
pub(crate) struct Key {
    /// Its id.
    id: i64,
    /// What people call it.
    name: String,
    /// The user that it speaks for; null for a key with the rights of an admin.
    user_id: Option<i64>,
    /// The dialect that it is pinned to.
    dialect: Option<Word<Dialect>>,
    /// What it is limited to.
    scopes: Vec<Word<Scope>>,
    /// When it ends.
    expires_at: Option<String>,
    /// When it was last used, to the minute.
    last_used_at: Option<String>,
    /// When it was made.
    inserted_at: String,
}

impl From<Stored> for Key {
    fn from(key: Stored) -> Self {
        Self {
            id: key.id.0,
            name: key.name,
            user_id: key.user.map(|user| user.0),
            dialect: key.dialect.map(Word),
            scopes: key.scopes.iter().map(Word).collect(),
            expires_at: key.expires_ms.map(iso8601),
            last_used_at: key.last_used_ms.map(iso8601),
            inserted_at: iso8601(key.created_ms),
        }
    }
}

/// A key that was just made.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "NewApiKey")]
pub(crate) struct NewKey {
    #[serde(flatten)]
    key: Key,
    /// What callers show, as `Authorization: Bearer <token>`: this once. Null when the request is repeated.
    token: Option<String>,
}

impl From<(Stored, Option<String>)> for NewKey {
    fn from((key, token): (Stored, Option<String>)) -> Self {
        Self { key: key.into(), token }
    }
}

/// Makes a key.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "MakeApiKey")]
pub(crate) struct MakeKey {
    /// What people call it.
    #[schemars(length(min = 1))]
    name: Text<200>,
    /// The user that it speaks for; without one it has the rights of an admin and is nobody.
    user_id: Option<Integer>,
    /// The dialect that it is pinned to.
    dialect: Option<Word<Dialect>>,
    /// What it is limited to; without them to what its role and its maker may do, and never to `assistant`.
    #[schemars(length(min = 1))]
    scopes: Option<Vec<Word<Scope>>>,
    /// When it ends; never when not given.
    expires_at: Option<Moment>,
}

impl From<MakeKey> for KeyRequest {
    fn from(body: MakeKey) -> Self {
        Self {
            name: body.name.into_inner(),
            user: body.user_id.map(|id| UserId(id.get())),
            dialect: body.dialect.map(|word| word.0),
            scopes: body.scopes.map(|scopes| scopes.into_iter().map(|word| word.0).collect()),
            expires_ms: body.expires_at.map(|moment| moment.0),
        }
    }
}
