//! What all faults that meet one request add up to.

use super::fault::{Ending, FaultKind, Order};

/// The most copies of one delivery.
const MAX_COPIES: u32 = 20;

/// What becomes of a create.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    /// What the caller sees in place of the answer.
    pub(crate) answer: Answer,
    /// Milliseconds before the answer.
    pub(crate) delay_ms: u64,
    /// Whether the callbacks come before the answer.
    pub(crate) callbacks_first: bool,
    /// What becomes of the message and its callbacks.
    pub(crate) course: Course,
}

/// What the caller sees.
#[derive(Debug, Default)]
pub(crate) enum Answer {
    /// The message.
    #[default]
    Given,
    /// A refusal; nothing is stored.
    Refused {
        /// The HTTP status.
        status: u16,
        /// Twilio's code.
        code: u32,
    },
    /// A closed connection; nothing is stored.
    Dropped,
    /// A connection that is held and then closed; the message is stored.
    Withheld {
        /// Milliseconds.
        hold_ms: u64,
    },
}

/// What becomes of a message that was taken.
#[derive(Debug, Default)]
pub(crate) struct Course {
    /// How it ends, unless it is delivered.
    pub(crate) ending: Option<(Ending, u32)>,
    /// Whether nothing is called back.
    pub(crate) silent: bool,
    /// The order of the callbacks, unless it is the order of the states.
    pub(crate) order: Option<Order>,
    /// How often each is delivered.
    pub(crate) copies: Copies,
}

/// How often one thing is delivered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Copies {
    pub(crate) count: u32,
    pub(crate) concurrent: bool,
}

impl Default for Copies {
    fn default() -> Self {
        Self { count: 1, concurrent: false }
    }
}

impl Copies {
    /// What the faults of an inbound message ask for.
    pub(crate) fn of(faults: &[FaultKind]) -> Self {
        faults.iter().fold(Self::default(), |copies, fault| match fault {
            FaultKind::Duplicate { copies, concurrent } => Self { count: (*copies).clamp(1, MAX_COPIES), concurrent: *concurrent },
            _ => copies,
        })
    }
}

impl Effects {
    /// Adds the faults up. The later of two that exclude each other wins.
    pub(crate) fn of(faults: &[FaultKind]) -> Self {
        let mut effects = Self::default();
        effects.course.copies = Copies::of(faults);
        for fault in faults {
            match *fault {
                FaultKind::Delay { ms } => effects.delay_ms = ms,
                FaultKind::Refuse { status, code } => effects.answer = Answer::Refused { status, code },
                FaultKind::AcceptThenTimeout { hold_ms } => effects.answer = Answer::Withheld { hold_ms },
                FaultKind::Drop => effects.answer = Answer::Dropped,
                FaultKind::AcceptWithoutCallbacks => effects.course.silent = true,
                FaultKind::Reorder { order } => effects.course.order = Some(order),
                FaultKind::CallbackBeforeAnswer => effects.callbacks_first = true,
                FaultKind::FinalStatus { status, error_code } => effects.course.ending = Some((status, error_code)),
                FaultKind::Duplicate { .. }
                | FaultKind::MediaLate
                | FaultKind::MediaRedirect { .. }
                | FaultKind::MediaGone { .. }
                | FaultKind::RecordingLate => {}
            }
        }
        effects
    }
}
