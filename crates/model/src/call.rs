//! Phone calls: what their message keeps beside its text. Recordings are files of the message.

use serde::{Deserialize, Serialize};

use crate::id::UserId;
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
        /// The other side was busy.
        Busy = "busy",
        /// Nobody answered.
        NoAnswer = "no_answer",
        /// It could not be connected.
        Failed = "failed",
        /// It was ended before anybody answered.
        Canceled = "canceled",
        /// The caller left a message.
        Voicemail = "voicemail",
        /// Somebody talked.
        Completed = "completed",
    }
}

/// What is known of a call.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// How far it got.
    pub status: CallStatus,
    /// How long it was, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_s: Option<i64>,
    /// Who of the staff talked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_by: Option<UserId>,
    /// What the caller said, where it was written down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transcription: Option<String>,
}

crate::show_only!(Call { status, duration_s });
