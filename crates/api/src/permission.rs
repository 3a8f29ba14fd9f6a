//! What a caller may be allowed to do. `docs/permissions.md` tables every operation against these and the roles, and a
//! test compares that table with what is really answered.

use parlance_model::key::Scope;
use parlance_model::role::Role;

/// A permission, as a type: a handler takes [`Allowed<P>`](crate::auth::Allowed) for what it does.
pub(crate) trait Permission: Send + Sync + 'static {
    /// Its name in the OpenAPI document (`x-permission`) and in `docs/permissions.md`.
    const NAME: &'static str;
    /// The roles that have it.
    const ROLES: &'static [Role];
    /// The scope that a key needs for it; `None` where any will do.
    const SCOPE: Option<Scope>;

    /// Whether some role or some key lacks it.
    fn is_restricted() -> bool {
        Self::SCOPE.is_some() || !Role::ALL.iter().all(|role| Self::ROLES.contains(role))
    }
}

/// Those who run the org.
const LEADS: &[Role] = &[Role::Admin, Role::Owner];

/// Seeing conversations and their messages.
#[derive(Debug)]
pub(crate) struct ReadConversations;

impl Permission for ReadConversations {
    const NAME: &'static str = "conversations.read";
    const ROLES: &'static [Role] = Role::ALL;
    const SCOPE: Option<Scope> = Some(Scope::Read);
}

/// Opening, changing, assigning, closing conversations and marking them read.
#[derive(Debug)]
pub(crate) struct HandleConversations;

impl Permission for HandleConversations {
    const NAME: &'static str = "conversations.handle";
    const ROLES: &'static [Role] = Role::ALL;
    const SCOPE: Option<Scope> = Some(Scope::Write);
}

/// Writing to contacts.
#[derive(Debug)]
pub(crate) struct SendMessages;

impl Permission for SendMessages {
    const NAME: &'static str = "messages.send";
    const ROLES: &'static [Role] = Role::ALL;
    const SCOPE: Option<Scope> = Some(Scope::Write);
}

/// Seeing contacts, and who opted out.
#[derive(Debug)]
pub(crate) struct ReadContacts;

impl Permission for ReadContacts {
    const NAME: &'static str = "contacts.read";
    const ROLES: &'static [Role] = Role::ALL;
    const SCOPE: Option<Scope> = Some(Scope::Read);
}

/// Making, changing and merging contacts.
#[derive(Debug)]
pub(crate) struct HandleContacts;

impl Permission for HandleContacts {
    const NAME: &'static str = "contacts.handle";
    const ROLES: &'static [Role] = Role::ALL;
    const SCOPE: Option<Scope> = Some(Scope::Write);
}

/// Writing down that somebody opted out, or in again.
#[derive(Debug)]
pub(crate) struct SetOptOuts;

impl Permission for SetOptOuts {
    const NAME: &'static str = "opt_outs.set";
    const ROLES: &'static [Role] = Role::ALL;
    const SCOPE: Option<Scope> = Some(Scope::Write);
}

/// Reading the event log.
#[derive(Debug)]
pub(crate) struct ReadEvents;

impl Permission for ReadEvents {
    const NAME: &'static str = "events.read";
    const ROLES: &'static [Role] = LEADS;
    const SCOPE: Option<Scope> = Some(Scope::Read);
}

/// Reading the audit log. It tells who signs in from where and what the settings were, so a key that may only read
/// conversations does not see it.
#[derive(Debug)]
pub(crate) struct ReadAudit;

impl Permission for ReadAudit {
    const NAME: &'static str = "audit.read";
    const ROLES: &'static [Role] = LEADS;
    const SCOPE: Option<Scope> = Some(Scope::Admin);
}

/// Seeing who works in the org.
#[derive(Debug)]
pub(crate) struct ReadStaff;

impl Permission for ReadStaff {
    const NAME: &'static str = "staff.read";
    const ROLES: &'static [Role] = Role::ALL;
    const SCOPE: Option<Scope> = Some(Scope::Read);
}

/// Letting people into the org, changing their roles, and taking them out.
#[derive(Debug)]
pub(crate) struct ManageStaff;

impl Permission for ManageStaff {
    const NAME: &'static str = "staff.manage";
    const ROLES: &'static [Role] = LEADS;
    const SCOPE: Option<Scope> = Some(Scope::Admin);
}

/// Seeing, making and revoking keys.
#[derive(Debug)]
pub(crate) struct ManageKeys;

impl Permission for ManageKeys {
    const NAME: &'static str = "keys.manage";
    const ROLES: &'static [Role] = LEADS;
    const SCOPE: Option<Scope> = Some(Scope::Admin);
}

/// Seeing, making and changing accounts.
#[derive(Debug)]
pub(crate) struct ManageAccounts;

impl Permission for ManageAccounts {
    const NAME: &'static str = "accounts.manage";
    const ROLES: &'static [Role] = LEADS;
    const SCOPE: Option<Scope> = Some(Scope::Admin);
}

/// Seeing and changing the org's settings.
#[derive(Debug)]
pub(crate) struct ManageSettings;

impl Permission for ManageSettings {
    const NAME: &'static str = "settings.manage";
    const ROLES: &'static [Role] = LEADS;
    const SCOPE: Option<Scope> = Some(Scope::Admin);
}

/// Asking who one is, and signing out.
#[derive(Debug)]
pub(crate) struct KnowSelf;

impl Permission for KnowSelf {
    const NAME: &'static str = "self";
    const ROLES: &'static [Role] = Role::ALL;
    const SCOPE: Option<Scope> = None;
}
