//! What a provider tells of a call, in our words, and what follows from it for the call's message.

use super::{Call, CallStatus, Recording};
use crate::channel::JsonObject;
use crate::delivery::{DeliveryError, DeliveryState, Outcome};
use crate::id::{AttemptId, MessageId};
use crate::message::Direction;
use crate::phone::Address;

/// One thing that a verified hook said of a call.
#[derive(Debug, Clone)]
pub struct CallNews {
    /// The provider's id of the call: of the whole, where the news is of one of its legs.
    pub provider_id: String,
    /// Our message of it, where the URL that was called carries it.
    pub message: Option<MessageId>,
    /// Our attempt, where the URL that was called carries it.
    pub attempt: Option<AttemptId>,
    /// What was said.
    pub news: News,
}

/// What was said of a call. Of a call that comes in, legs are the staff's phones; of one that we make, the call itself is the
/// staff's phone and the leg the contact's.
#[derive(Clone)]
pub enum News {
    /// Somebody calls.
    Incoming {
        /// Who.
        from: Address,
        /// Facts that only this provider has, shown under `meta.provider`.
        provider_meta: JsonObject,
        /// When it began, unix ms, of a call that no hook told and the provider's list has.
        missed_ms: Option<i64>,
    },
    /// The call itself got so far.
    Call {
        /// How far.
        status: CallStatus,
        /// How long it was, in seconds.
        duration_s: Option<i64>,
    },
    /// The phone that was rung for it got so far.
    Leg {
        /// How far.
        status: CallStatus,
        /// How long it was, in seconds.
        duration_s: Option<i64>,
    },
    /// A phone of the staff was answered, by a person or by a machine.
    Answered {
        /// Which of the phones that are rung in turn, from 0.
        n: usize,
    },
    /// A key was pressed there, so it is a person.
    Accepted {
        /// Which of the phones that are rung in turn, from 0.
        n: usize,
    },
    /// Ringing a phone has come to an end.
    Dialed {
        /// Which of the phones that are rung in turn, from 0.
        n: usize,
        /// Whether both sides were connected.
        bridged: bool,
        /// For how long, in seconds.
        duration_s: Option<i64>,
    },
    /// There is a recording.
    Recorded {
        /// Which, and how long.
        recording: Recording,
        /// Where the provider keeps it.
        url: String,
        /// Its type.
        content_type: &'static str,
        /// Whether it is what the caller said to nobody.
        voicemail: bool,
    },
    /// What was said was written down.
    Transcribed {
        /// The text.
        text: String,
    },
    /// Nothing that we keep.
    Nothing,
}

crate::show_only!(News {});

impl News {
    /// What it adds to what is known of the call. `None` where that is nothing.
    #[must_use]
    pub fn facts(&self, direction: Direction) -> Option<Call> {
        use CallStatus as S;
        let inbound = direction == Direction::Inbound;
        Some(match self {
            Self::Incoming { .. } => Call::of(S::Ringing),
            // The end of a call that came in says nothing of why, until somebody accepted or the caller left a message.
            Self::Call { status, duration_s } if inbound => {
                Call { duration_s: *duration_s, ..Call::of(if status.is_end() { S::NoAnswer } else { S::Ringing }) }
            }
            // The end of the staff's leg says nothing of the contact's.
            Self::Call { status, .. } => Call::of(if status.is_end() { S::Canceled } else { (*status).min(S::Ringing) }),
            // The provider gives up ringing the staff when the caller is gone.
            Self::Leg { status: S::Canceled, .. } if inbound => Call::of(S::NoAnswer),
            Self::Leg { .. } if inbound => return None,
            Self::Leg { status, duration_s } => {
                let answered = matches!(status, S::InProgress | S::Completed);
                Call { answered, duration_s: *duration_s, ..Call::of(*status) }
            }
            Self::Accepted { .. } if inbound => Call { answered: true, ..Call::of(S::InProgress) },
            Self::Dialed { bridged: true, duration_s, .. } => Call { answered: true, duration_s: *duration_s, ..Call::of(S::Completed) },
            Self::Recorded { recording, voicemail, .. } => {
                let left = *voicemail && recording.duration_s != Some(0);
                Call { recordings: vec![recording.clone()], ..Call::of(if left { S::Voicemail } else { S::Queued }) }
            }
            Self::Transcribed { text } => Call { transcription: Some(text.clone()), ..Call::of(S::Queued) },
            Self::Answered { .. } | Self::Accepted { .. } | Self::Dialed { .. } | Self::Nothing => return None,
        })
    }

    /// How far a call that we make got by it, as a delivery to the contact. `None` where it says nothing of that.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        use CallStatus as S;
        use DeliveryState as D;
        Some(match self {
            Self::Call { status: S::Queued, .. } => Outcome::of(D::Queued),
            Self::Call { status: S::Ringing | S::InProgress, .. } => Outcome::of(D::Sending),
            Self::Call { status: S::Completed | S::Voicemail, .. } => because(
                D::Undelivered,
                "not_connected",
                "The call ended before the contact was connected. Press a key when your phone rings and asks for it.",
            ),
            Self::Call { status: S::Busy, .. } => {
                because(D::Failed, "staff_busy", "The staff member's phone was busy, so the contact was not called. Call again.")
            }
            Self::Call { status: S::NoAnswer, .. } => because(
                D::Failed,
                "staff_no_answer",
                "Nobody answered the staff member's phone, so the contact was not called. Call again.",
            ),
            Self::Call { status: S::Failed, .. } => because(
                D::Failed,
                "staff_failed",
                "The staff member's phone could not be reached, so the contact was not called. Check its number.",
            ),
            Self::Call { status: S::Canceled, .. } => {
                because(D::Failed, "staff_canceled", "The call was ended before the staff member's phone was answered. Call again.")
            }
            Self::Leg { status: S::Queued | S::Ringing, .. } => Outcome::of(D::Sending),
            Self::Leg { status: S::InProgress, .. } => Outcome::of(D::Sent),
            Self::Leg { status: S::Completed | S::Voicemail, .. } | Self::Dialed { bridged: true, .. } => Outcome::of(D::Delivered),
            Self::Leg { status: S::Busy, .. } => because(D::Failed, "contact_busy", "The contact's phone was busy. Call again later."),
            Self::Leg { status: S::NoAnswer, .. } => {
                because(D::Failed, "contact_no_answer", "The contact did not answer. Call again later, or write.")
            }
            Self::Leg { status: S::Failed, .. } => {
                because(D::Failed, "contact_failed", "The contact's phone could not be reached. Check the number.")
            }
            Self::Leg { status: S::Canceled, .. } => {
                because(D::Failed, "contact_canceled", "The call was ended before the contact answered. Call again.")
            }
            _ => return None,
        })
    }
}

fn because(state: DeliveryState, code: &str, message: &str) -> Outcome {
    Outcome::with_error(state, DeliveryError { code: code.to_owned(), message: message.to_owned() })
}
