//! The conversation: its state machine, and the record as it stands in a row.

use crate::channel::{Channel, JsonObject};
use crate::id::{AccountId, ContactId, ConversationId, MessageId, UserId};
use crate::message::Direction;
use crate::phone::Address;
use crate::{show_only, words};

words! {
    /// Where a conversation stands. `archived` is a flag beside it.
    pub enum State ("state") {
        /// In progress.
        Open = "open",
        /// Handed to a human.
        Escalated = "escalated",
        /// Ended.
        Completed = "completed",
        /// The contact stopped answering.
        Abandoned = "abandoned",
    }
}

words! {
    /// The three words of dialects that know open, closed and archived.
    pub enum Status ("status") {
        /// Open or escalated, and not archived.
        Open = "open",
        /// Completed or abandoned, and not archived.
        Closed = "closed",
        /// The flag is set.
        Archived = "archived",
    }
}

/// State and flag together: what a status change reads and writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Standing {
    /// Where it stands.
    pub state: State,
    /// Put away.
    pub archived: bool,
}

impl Standing {
    /// A new conversation.
    pub const NEW: Self = Self { state: State::Open, archived: false };

    /// The word of three-word dialects.
    #[must_use]
    pub const fn status(self) -> Status {
        match (self.archived, self.state) {
            (true, _) => Status::Archived,
            (false, State::Open | State::Escalated) => Status::Open,
            (false, State::Completed | State::Abandoned) => Status::Closed,
        }
    }

    /// After a new inbound message: open and unarchived; `escalated` stays.
    #[must_use]
    pub const fn after_inbound(self) -> Self {
        match self.state {
            State::Escalated => Self { state: State::Escalated, archived: false },
            State::Open | State::Completed | State::Abandoned => Self::NEW,
        }
    }

    /// What a status word of the unified contract asks for: `open` clears the flag and opens, `closed`
    /// completes and clears the flag, `archived` sets only the flag.
    #[must_use]
    pub const fn set(self, status: Status) -> Self {
        match status {
            Status::Open => Self::NEW,
            Status::Closed => Self { state: State::Completed, archived: false },
            Status::Archived => Self { state: self.state, archived: true },
        }
    }
}

/// The key of a conversation on its account: one conversation per key, open or closed.
#[must_use]
pub fn session_key(channel: Channel, peer: &Address) -> String {
    format!("{channel}_{}", peer.key())
}

/// A conversation as its row has it: counters, preview and the contact's name included, so that lists never join.
#[derive(Clone)]
pub struct Conversation {
    /// Its id.
    pub id: ConversationId,
    /// The account it runs over.
    pub account_id: AccountId,
    /// Its key on the account.
    pub session_key: String,
    /// The medium.
    pub channel: Channel,
    /// Whom it is with.
    pub contact_id: ContactId,
    /// The contact's name, kept equal to the contact's row.
    pub contact_name: Option<String>,
    /// The address that messages go to.
    pub peer: String,
    /// State and archive flag.
    pub standing: Standing,
    /// Marked by a person.
    pub starred: bool,
    /// Who answers.
    pub assigned_to: Option<UserId>,
    /// Messages of every kind.
    pub message_count: i64,
    /// Unread inbound messages at the team's read position.
    pub unread_count: i64,
    /// The team's read position: everything up to this message is read. 0 before the first.
    pub read_through: MessageId,
    /// The time of the newest message, or of the conversation's making before the first, unix ms.
    pub last_message_ms: i64,
    /// The message that was stored last, which backfilled history may make an older one; 0 before the first.
    pub newest_id: MessageId,
    /// One line of the newest message.
    pub preview: String,
    /// Which way the newest message went.
    pub last_direction: Option<Direction>,
    /// Of WhatsApp: when the contact last wrote, unix ms.
    pub last_inbound_ms: Option<i64>,
    /// Free fields of the API's callers.
    pub metadata: JsonObject,
    /// What a website visitor said of themselves.
    pub visitor: Visitor,
    /// When it was made, unix ms.
    pub created_ms: i64,
    /// When its row last changed, unix ms.
    pub updated_ms: i64,
}

/// How long after a contact's message WhatsApp takes free texts to them, in milliseconds: 24 hours
/// (developers.facebook.com/docs/whatsapp, Customer service windows).
const REPLY_WINDOW_MS: i64 = 24 * 60 * 60 * 1000;

impl Conversation {
    /// Until when the contact may be sent free texts, unix ms. `None` where that never ends or has never begun.
    #[must_use]
    pub fn reply_window_ends_ms(&self) -> Option<i64> {
        (self.channel == Channel::Whatsapp).then_some(self.last_inbound_ms?.saturating_add(REPLY_WINDOW_MS))
    }

    /// Whether only templates go out now.
    #[must_use]
    pub fn is_window_closed(&self, now_ms: i64) -> bool {
        self.channel == Channel::Whatsapp && self.reply_window_ends_ms().is_none_or(|ends_ms| ends_ms <= now_ms)
    }
}

/// What a website visitor said of themselves, or the API's caller of somebody.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Visitor {
    /// Name.
    pub name: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
    /// Phone number, as given.
    pub phone: Option<String>,
}

show_only!(Conversation { id, channel, contact_id, standing, message_count, unread_count, read_through, newest_id });
show_only!(Visitor {});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_inbound_message_reopens_and_unarchives_and_leaves_escalated() {
        for &state in State::ALL {
            let after = Standing { state, archived: true }.after_inbound();
            assert!(!after.archived);
            assert_eq!(after.state, if state == State::Escalated { State::Escalated } else { State::Open });
        }
    }

    #[test]
    fn setting_a_status_shows_that_status() {
        for &state in State::ALL {
            for archived in [false, true] {
                for &status in Status::ALL {
                    assert_eq!(Standing { state, archived }.set(status).status(), status);
                }
            }
        }
        let kept = Standing { state: State::Abandoned, archived: false }.set(Status::Archived);
        assert_eq!(kept.state, State::Abandoned);
    }
}
