//! The audit log on the wire.

use parlance_app::audit::{Filter, Record};
use parlance_app::page::PageRequest;
use parlance_model::audit::{Action, ActorKind, Subject as Stored, SubjectKind};
use parlance_model::clock::iso8601;
use parlance_model::id::{KeyId, UserId};
use parlance_model::{Error, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::list::{Limit, page};
use crate::cursor::List;
use crate::moment::Moment;
use crate::value::{Whole, Word, not_null};

/// Which rows of the audit log are listed.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct AuditList {
    /// Only what this user did, signed in or by a key of theirs.
    user_id: Option<Whole>,
    /// Only what this key did.
    key_id: Option<Whole>,
    /// Only this.
    #[schemars(transform = not_null)]
    action: Option<Word<Action>>,
    /// What kind of thing `subject_id` is of; the two come together.
    #[schemars(transform = not_null)]
    subject: Option<Word<SubjectKind>>,
    /// Only what was done to this; of `staff`, the user's id.
    subject_id: Option<Whole>,
    /// From this time on.
    after: Option<Moment>,
    /// Before this time.
    before: Option<Moment>,
    /// The most rows of the page; 50 when not given.
    limit: Option<Limit>,
    /// The `meta.next_cursor` of the page before.
    cursor: Option<String>,
}

impl AuditList {
    /// What the use case takes.
    ///
    /// # Errors
    /// `bad_cursor`; `validation_failed`.
    pub(crate) fn read(self) -> Result<(Filter, PageRequest)> {
        let subject = match (self.subject, self.subject_id) {
            (Some(kind), Some(id)) => Some(Stored { kind: kind.0, id: id.get() }),
            (None, None) => None,
            (Some(_), None) => return Err(Error::invalid("subject_id", "Is required together with `subject`.")),
            (None, Some(_)) => return Err(Error::invalid("subject", "Is required together with `subject_id`.")),
        };
        let filter = Filter {
            user: self.user_id.map(|id| UserId(id.get())),
            key: self.key_id.map(|id| KeyId(id.get())),
            action: self.action.map(|word| word.0),
            subject,
            from_ms: self.after.map(|moment| moment.0),
            until_ms: self.before.map(|moment| moment.0),
        };
        Ok((filter, page(List::Audit, self.limit, None, self.cursor.as_deref())?))
    }
}

/// Something that somebody did.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct AuditRecord {
    /// Its id.
    id: i64,
    /// When.
    at: String,
    /// Who.
    actor: Actor,
    /// The request that did it, as in its `X-Request-Id`.
    request_id: Option<String>,
    /// What was done, such as `conversation.close`; new ones may be added.
    action: String,
    /// To what.
    subject: Subject,
    /// Facts of it. Under `changes` each changed field as `{"from", "to"}`, or as `{"changed": true}` where its value is a secret
    /// or long. Never a secret, a token or the text of a message.
    details: Map<String, Value>,
}

/// Who did something.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AuditActor")]
struct Actor {
    /// A person who is signed in, a key, a command on the server, or a stranger, who failed to sign in.
    #[schemars(with = "Word<ActorKind>")]
    kind: String,
    /// The user, signed in or behind the key.
    user_id: Option<i64>,
    /// What the user is called now.
    user_name: Option<String>,
    /// The key.
    key_id: Option<i64>,
    /// What the key is called.
    key_name: Option<String>,
}

/// What something was done to.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AuditSubject")]
struct Subject {
    /// What kind of thing, such as `conversation`; new ones may be added.
    kind: String,
    /// Its id; of `staff`, the user's.
    id: i64,
}

impl From<Record> for AuditRecord {
    fn from(from: Record) -> Self {
        Self {
            id: from.id,
            at: iso8601(from.at_ms),
            actor: Actor {
                kind: from.actor,
                user_id: from.user.map(|user| user.0),
                user_name: from.user_name,
                key_id: from.key.map(|key| key.0),
                key_name: from.key_name,
            },
            request_id: from.request_id,
            action: from.action,
            subject: Subject { kind: from.subject, id: from.subject_id },
            details: from.details.0,
        }
    }
}
