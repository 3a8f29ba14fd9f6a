//! What a provider is to do next with a call that it carries.

use crate::id::{AttemptId, MessageId};
use crate::phone::Phone;
use crate::show_only;

/// The next step of a call.
#[derive(Clone)]
pub struct Directed {
    /// Our message of the call. Whatever the provider tells of the step comes back with it.
    pub call: MessageId,
    /// Our attempt, of calls that we make.
    pub attempt: Option<AttemptId>,
    /// What is to be done.
    pub next: Next,
}

/// What is to be done with a call.
#[derive(Clone, PartialEq, Eq)]
pub enum Next {
    /// Ring a phone, and connect both when it is answered.
    Dial(Dial),
    /// Ask whoever answered a phone of the staff to press a key. Without one, hang up there: it may be a machine.
    Ask {
        /// Which of the phones that are rung in turn, from 0.
        n: usize,
        /// The words.
        question: String,
    },
    /// Connect the phone that was answered with the caller.
    Bridge,
    /// Record what the caller says.
    Voicemail {
        /// What they hear before the tone.
        greeting: String,
    },
    /// End the call.
    HangUp,
    /// Nothing: the hook was only a report.
    Nothing,
}

/// A phone to be rung.
#[derive(Clone, PartialEq, Eq)]
pub struct Dial {
    /// Which.
    pub phone: Phone,
    /// The number that it shows.
    pub caller_id: Phone,
    /// For how long, in seconds.
    pub ring_s: i64,
    /// Whether what is said is recorded.
    pub record: bool,
    /// Which of the phones that are rung in turn, from 0.
    pub n: usize,
    /// Whether whoever answers must press a key first.
    pub screened: bool,
}

show_only!(Directed { call, attempt });
show_only!(Next {});
show_only!(Dial { n, ring_s, record, screened });
