//! Jobs: the work that no consumer of the event log can derive.

use serde::{Deserialize, Serialize};

use crate::id::{JobId, MessageId, OrgId, UserId};

/// What is to be done. A closed set: a new variant makes the compiler list the handlers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Job {
    /// Hand a message to its provider.
    Send {
        /// Which.
        message_id: MessageId,
    },
    /// Take the conversations of a person who left the org out of their hands.
    Unassign {
        /// Who left.
        user_id: UserId,
    },
}

impl Job {
    /// The word in the `kind` column.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Send { .. } => "send",
            Self::Unassign { .. } => "unassign",
        }
    }
}

/// A job that this worker holds until its lease ends.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// Its id.
    pub id: JobId,
    /// Whose it is.
    pub org: OrgId,
    /// What is to be done.
    pub job: Job,
    /// How often it was claimed, this time included.
    pub attempt: i64,
    /// When it was queued, unix ms.
    pub created_ms: i64,
}
