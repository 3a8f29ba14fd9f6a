//! The audit log: who changed what, when, and from what to what. It never holds a secret, a token or the text of a message.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::channel::JsonObject;
use crate::id::{AccountId, ContactId, ConversationId, KeyId, MediaId, MessageId, OrgId, UserId};
use crate::words;

words! {
    /// What kind of caller did something.
    pub enum ActorKind ("actor") {
        /// A person who is signed in.
        Person = "person",
        /// An API key, for a person or for none.
        Key = "key",
        /// The command line, on the server itself.
        Command = "command",
        /// Somebody who did not prove who they are.
        Stranger = "stranger",
    }
}

/// Who does something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// What kind of caller.
    pub kind: ActorKind,
    /// The person, where there is one.
    pub user: Option<UserId>,
    /// The key, where one was shown.
    pub key: Option<KeyId>,
    /// The id of the request, as in its answer and on its log lines.
    pub request_id: Option<Arc<str>>,
}

impl Actor {
    /// Whoever may run commands on the server.
    pub const COMMAND: Self = Self { kind: ActorKind::Command, user: None, key: None, request_id: None };

    /// A person who signs in.
    #[must_use]
    pub const fn person(user: UserId, request_id: Option<Arc<str>>) -> Self {
        Self { kind: ActorKind::Person, user: Some(user), key: None, request_id }
    }

    /// Somebody of whom only the request is known.
    #[must_use]
    pub const fn stranger(request_id: Option<Arc<str>>) -> Self {
        Self { kind: ActorKind::Stranger, user: None, key: None, request_id }
    }
}

words! {
    /// What was done.
    pub enum Action ("action") {
        /// An organisation was made.
        OrgCreate = "org.create",
        /// It was switched on again.
        OrgEnable = "org.enable",
        /// It was switched off.
        OrgDisable = "org.disable",
        /// It was restored from a backup, as it was when that was made.
        OrgRestore = "org.restore",
        /// A conversation was opened.
        ConversationOpen = "conversation.open",
        /// Several of its fields were changed, or one that has no word of its own.
        ConversationUpdate = "conversation.update",
        /// It was given to somebody, or to nobody.
        ConversationAssign = "conversation.assign",
        /// It was closed.
        ConversationClose = "conversation.close",
        /// It was opened again.
        ConversationReopen = "conversation.reopen",
        /// It was put away.
        ConversationArchive = "conversation.archive",
        /// Its messages were marked read.
        ConversationRead = "conversation.read",
        /// A message was taken for sending.
        MessageSend = "message.send",
        /// A message was called back before it left.
        MessageCancel = "message.cancel",
        /// A message was given to its provider once more.
        MessageRetry = "message.retry",
        /// A call was taken for placing.
        MessageCall = "message.call",
        /// A file was uploaded.
        MediaUpload = "media.upload",
        /// A contact was made.
        ContactCreate = "contact.create",
        /// Its names, number or address were changed.
        ContactUpdate = "contact.update",
        /// It took over another.
        ContactMerge = "contact.merge",
        /// The ledger of opt-outs was written.
        OptOutSet = "opt_out.set",
        /// Somebody came to the staff.
        StaffAdd = "staff.add",
        /// Their role or name was changed.
        StaffUpdate = "staff.update",
        /// Somebody left the staff.
        StaffRemove = "staff.remove",
        /// A user was switched on again, in every org of theirs.
        UserEnable = "user.enable",
        /// A user was switched off, in every org of theirs.
        UserDisable = "user.disable",
        /// A user was given another password.
        UserPassword = "user.password",
        /// A key was made.
        KeyCreate = "key.create",
        /// A key was ended.
        KeyRevoke = "key.revoke",
        /// An account at a provider was connected.
        AccountCreate = "account.create",
        /// Its name, switch, settings or secret were changed.
        AccountUpdate = "account.update",
        /// The organisation's settings were changed.
        SettingsUpdate = "settings.update",
        /// Somebody signed in.
        SignIn = "session.sign_in",
        /// Somebody signed out.
        SignOut = "session.sign_out",
        /// Somebody failed to sign in as a person of the organisation.
        SignInFailed = "session.failed",
    }
}

words! {
    /// What kind of thing something was done to.
    pub enum SubjectKind ("subject") {
        /// The organisation itself and its settings.
        Org = "org",
        /// A conversation.
        Conversation = "conversation",
        /// A message.
        Message = "message",
        /// A contact.
        Contact = "contact",
        /// A file.
        Media = "media",
        /// An entry of the ledger of opt-outs.
        OptOut = "opt_out",
        /// A person of the staff, by their user's id.
        Staff = "staff",
        /// A key.
        Key = "key",
        /// An account at a provider.
        Account = "account",
    }
}

/// What something was done to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject {
    /// What kind of thing.
    pub kind: SubjectKind,
    /// Its id among its kind.
    pub id: i64,
}

macro_rules! subjects {
    ($($id:ident => $kind:ident,)+) => {$(
        impl From<$id> for Subject {
            fn from(id: $id) -> Self {
                Self { kind: SubjectKind::$kind, id: id.0 }
            }
        }
    )+};
}

subjects! {
    OrgId => Org,
    ConversationId => Conversation,
    MessageId => Message,
    MediaId => Media,
    ContactId => Contact,
    UserId => Staff,
    KeyId => Key,
    AccountId => Account,
}

/// The name of the fields that were changed, among the details.
const CHANGES: &str = "changes";

/// Something that is done, to be written down with whoever does it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// What is done.
    pub action: Action,
    /// To what.
    pub subject: Subject,
    /// Facts of it; under `changes` each changed field as `{"from", "to"}`, or as `{"changed": true}` where its value is
    /// a secret or long.
    pub details: JsonObject,
}

impl Act {
    /// Something without further facts.
    #[must_use]
    pub fn new(action: Action, subject: impl Into<Subject>) -> Self {
        Self { action, subject: subject.into(), details: JsonObject::default() }
    }

    /// Adds a fact.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.0.insert(name.to_owned(), value.into());
        self
    }

    /// Adds a field that is changed. One that stays as it is is left out.
    #[must_use]
    pub fn changed(self, name: &str, from: impl Into<Value>, to: impl Into<Value>) -> Self {
        let (from, to) = (from.into(), to.into());
        if from == to { self } else { self.change(name, json!({ "from": from, "to": to })) }
    }

    /// Adds a field of whose values nothing is written down.
    #[must_use]
    pub fn hidden(self, name: &str, changed: bool) -> Self {
        if changed { self.change(name, json!({ "changed": true })) } else { self }
    }

    /// Whether any field is changed. An act that changes fields and changes none is not done, nor written down.
    #[must_use]
    pub fn changes_something(&self) -> bool {
        self.details.0.contains_key(CHANGES)
    }

    /// The names of the fields that are changed.
    #[must_use]
    pub fn changes(&self) -> Vec<&str> {
        let changes = self.details.0.get(CHANGES).and_then(Value::as_object);
        changes.into_iter().flatten().map(|(name, _)| name.as_str()).collect()
    }

    fn change(mut self, name: &str, value: Value) -> Self {
        if let Value::Object(changes) = self.details.0.entry(CHANGES).or_insert_with(|| json!({})) {
            changes.insert(name.to_owned(), value);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stays_as_it_is_is_no_change() {
        let act = Act::new(Action::StaffUpdate, UserId(7)).changed("name", "Ann", "Ann").hidden("password", false);
        assert!(!act.changes_something());
        assert_eq!(act.details, JsonObject::default());
    }

    #[test]
    fn a_change_says_from_what_to_what_and_a_secret_only_that_it_changed() {
        let act = Act::new(Action::AccountUpdate, AccountId(3)).changed("name", None::<String>, "Desk").hidden("auth_token", true);
        assert!(act.changes_something());
        assert_eq!(act.changes(), ["name", "auth_token"]);
        let expected = json!({ "changes": { "name": { "from": null, "to": "Desk" }, "auth_token": { "changed": true } } });
        assert_eq!(Value::Object(act.details.0), expected);
        assert_eq!(act.subject, Subject { kind: SubjectKind::Account, id: 3 });
    }
}
