//! What a caller may be allowed to do. `docs/permissions.md` tables every operation against these and the roles, and a
//! test compares that table with what is really answered.

use parlance_model::role::Role;

/// A permission, as a type: a handler takes [`Allowed<P>`](crate::auth::Allowed) for what it does.
pub(crate) trait Permission: Send + Sync + 'static {
    /// Its name in the OpenAPI document (`x-permission`) and in `docs/permissions.md`.
    const NAME: &'static str;
    /// The roles that have it.
    const ROLES: &'static [Role];

    /// Whether some role lacks it.
    fn is_restricted() -> bool {
        !Role::ALL.iter().all(|role| Self::ROLES.contains(role))
    }
}

/// Seeing conversations and their messages.
#[derive(Debug)]
pub(crate) struct ReadConversations;

impl Permission for ReadConversations {
    const NAME: &'static str = "conversations.read";
    const ROLES: &'static [Role] = Role::ALL;
}

/// Opening, changing, assigning, closing conversations and marking them read.
#[derive(Debug)]
pub(crate) struct HandleConversations;

impl Permission for HandleConversations {
    const NAME: &'static str = "conversations.handle";
    const ROLES: &'static [Role] = Role::ALL;
}

/// Writing to contacts.
#[derive(Debug)]
pub(crate) struct SendMessages;

impl Permission for SendMessages {
    const NAME: &'static str = "messages.send";
    const ROLES: &'static [Role] = Role::ALL;
}
