//! Jobs: the work that no consumer of the event log can derive.

use serde::{Deserialize, Serialize};

use crate::id::{AccountId, AttemptId, ConversationId, JobId, MessageId, OrgId, UserId};

/// What is to be done. A closed set: a new variant makes the compiler list the handlers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Job {
    /// Hand a message to its provider.
    Send {
        /// Which.
        message_id: MessageId,
    },
    /// Ring the phone of a staff member, and then the contact's.
    Call {
        /// The message that is the call.
        message_id: MessageId,
    },
    /// Copy a file of an inbound message, or a recording of a call, from its provider into the media store.
    FetchMedia {
        /// Which message.
        message_id: MessageId,
        /// Which of its files, from 0.
        index: usize,
    },
    /// Find out whether an attempt whose answer was lost went out, by the provider's own list.
    Reconcile {
        /// Which.
        attempt_id: AttemptId,
    },
    /// Compare an account's lists at its provider with what came by hooks, and store what is missing.
    Backfill {
        /// Which.
        account_id: AccountId,
    },
    /// Ask the provider for a call that a hook names and nobody here knows.
    FindCall {
        /// The account that it went over.
        account_id: AccountId,
        /// The provider's id of it.
        provider_id: String,
    },
    /// Take the conversations of a person who left the org out of their hands.
    Unassign {
        /// Who left.
        user_id: UserId,
    },
}

impl Job {
    /// The message that it hands to a provider. While it waits, this job is its message's way out.
    #[must_use]
    pub const fn hands_over(&self) -> Option<MessageId> {
        match self {
            Self::Send { message_id } | Self::Call { message_id } => Some(*message_id),
            Self::FetchMedia { .. } | Self::Reconcile { .. } | Self::Backfill { .. } | Self::FindCall { .. } | Self::Unassign { .. } => {
                None
            }
        }
    }

    /// The word in the `kind` column.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Send { .. } => "send",
            Self::Call { .. } => "call",
            Self::FetchMedia { .. } => "fetch_media",
            Self::Reconcile { .. } => "reconcile",
            Self::Backfill { .. } => "backfill",
            Self::FindCall { .. } => "find_call",
            Self::Unassign { .. } => "unassign",
        }
    }
}

/// What runs one after the other, in the order in which it was queued. Whatever has no lane runs beside everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// The sends and calls of a conversation.
    Conversation(ConversationId),
    /// A send for later: it must not hold up what its conversation sends before.
    Message(MessageId),
    /// What looks through an account's lists.
    Account(AccountId),
}

impl Lane {
    /// The number in the `lane` column: ids count up from 1, so the kinds cannot meet.
    #[must_use]
    pub const fn number(self) -> i64 {
        match self {
            Self::Conversation(id) => id.0,
            Self::Message(id) => -2 * id.0,
            Self::Account(id) => -2 * id.0 - 1,
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
    /// How often it was claimed, this time included. Names the claim.
    pub attempt: i64,
    /// Earlier claims that ended without a word: their worker died, or could not write what became of them.
    pub lost: i64,
    /// When it was queued, unix ms.
    pub created_ms: i64,
}
