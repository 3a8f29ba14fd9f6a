//! Phone calls: what their message keeps beside its text, and the line that lists show of it. Recordings are files of the
//! message. What hooks tell of calls is in [`news`], what a provider is to do with one in [`next`].

pub mod news;
pub mod next;

use serde::{Deserialize, Serialize};

use crate::id::UserId;
use crate::message::Direction;
use crate::phone::Phone;
use crate::words;

words! {
    /// How far a call got, lowest first. It only rises, so reports in any order lead to the same end.
    pub enum CallStatus ("call_status") {
        /// It is yet to ring.
        Queued = "queued",
        /// It rings.
        Ringing = "ringing",
        /// Somebody talks.
        InProgress = "in_progress",
        /// It was ended before anybody answered.
        Canceled = "canceled",
        /// The other side was busy.
        Busy = "busy",
        /// Nobody answered.
        NoAnswer = "no_answer",
        /// It could not be connected.
        Failed = "failed",
        /// The caller left a message.
        Voicemail = "voicemail",
        /// Somebody talked.
        Completed = "completed",
    }
}

impl CallStatus {
    /// Whether the call is over.
    #[must_use]
    pub fn is_end(self) -> bool {
        self > Self::InProgress
    }
}

/// What is known of a call. Two images of one call fold into one, in any order and any number of times.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// How far it got.
    pub status: CallStatus,
    /// Whether the contact and the staff were connected.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub answered: bool,
    /// How long it was, in seconds: the least that was told, because some of what tells it counts more than the talk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_s: Option<i64>,
    /// Who of the staff talked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_by: Option<UserId>,
    /// What the caller said, where it was written down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transcription: Option<String>,
    /// Its recordings, by their ids. The files are among the message's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recordings: Vec<Recording>,
    /// The phone of the staff that rings first, of calls that we make.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub staff_phone: Option<Phone>,
}

/// A recording.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Recording {
    /// The provider's id of it.
    pub id: String,
    /// How long it is, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_s: Option<i64>,
    /// Which of the message's files it is, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<usize>,
}

impl Recording {
    /// A recording that is not yet among the message's files.
    #[must_use]
    pub const fn new(id: String, duration_s: Option<i64>) -> Self {
        Self { id, duration_s, file: None }
    }
}

crate::show_only!(Call { status, answered, duration_s });
crate::show_only!(Recording { id, duration_s, file });

impl Call {
    /// A call that got so far, and of which nothing else is known.
    #[must_use]
    pub const fn of(status: CallStatus) -> Self {
        Self {
            status,
            answered: false,
            duration_s: None,
            answered_by: None,
            transcription: None,
            recordings: Vec::new(),
            staff_phone: None,
        }
    }

    /// Both images together. Commutative, associative and idempotent; of two durations of the call the lesser is kept, of other values the greater.
    #[must_use]
    pub fn fold(self, other: Self) -> Self {
        let answered = self.answered || other.answered;
        let status = self.status.max(other.status);
        let mut recordings = self.recordings;
        for new in other.recordings {
            match recordings.iter_mut().find(|known| known.id == new.id) {
                Some(known) => {
                    known.duration_s = known.duration_s.max(new.duration_s);
                    known.file = known.file.max(new.file);
                }
                None => recordings.push(new),
            }
        }
        recordings.sort_unstable();
        Self {
            // That a call is over is told without whether anybody talked.
            status: if answered && status.is_end() { CallStatus::Completed } else { status },
            answered,
            duration_s: [self.duration_s, other.duration_s].into_iter().flatten().min(),
            answered_by: self.answered_by.max(other.answered_by),
            transcription: self.transcription.max(other.transcription),
            recordings,
            staff_phone: self.staff_phone.max(other.staff_phone),
        }
    }

    /// How long it was, in seconds: the talk, or the message that the caller left.
    #[must_use]
    pub fn length_s(&self) -> Option<i64> {
        match self.status {
            CallStatus::Voicemail => self.recordings.iter().filter_map(|recording| recording.duration_s).max().or(self.duration_s),
            CallStatus::Completed => self.duration_s,
            _ => None,
        }
    }

    /// The line that lists show: `Missed call`, `Voicemail, 0:42`.
    #[must_use]
    pub fn line(&self, direction: Direction) -> String {
        use CallStatus as S;
        let words = match (direction, self.status) {
            (Direction::Inbound, S::Canceled | S::Busy | S::NoAnswer | S::Failed) => "Missed call",
            (_, S::Voicemail) => "Voicemail",
            (Direction::Inbound, _) => "Incoming call",
            (Direction::Outbound, S::Canceled) => "Outgoing call, not connected",
            (Direction::Outbound, S::Busy) => "Outgoing call, busy",
            (Direction::Outbound, S::NoAnswer) => "Outgoing call, no answer",
            (Direction::Outbound, S::Failed) => "Outgoing call, failed",
            (Direction::Outbound, _) => "Outgoing call",
        };
        match self.length_s() {
            Some(seconds) => format!("{words}, {}:{:02}", seconds / 60, seconds % 60),
            None => words.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests;
