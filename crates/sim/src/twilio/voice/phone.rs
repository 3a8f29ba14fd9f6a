//! Phones of people: what happens when a call reaches one.

use serde::{Deserialize, Serialize};

use super::call::CallStatus;

/// How long the phone of somebody who refuses a call rings, in milliseconds.
const REFUSED_AFTER_MS: u64 = 2000;

/// A phone that a call may reach.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phone {
    /// What it does.
    #[serde(flatten)]
    pub behaviour: Behaviour,
}

impl Phone {
    /// A phone that does this.
    #[must_use]
    pub const fn new(behaviour: Behaviour) -> Self {
        Self { behaviour }
    }
}

/// What a phone does. Times are on the call's clock, in milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "behaviour", rename_all = "snake_case")]
pub enum Behaviour {
    /// Somebody picks up.
    Answers {
        /// How long it rings.
        #[serde(default)]
        after_ms: u64,
        /// How long they talk to whom they are connected with, before they hang up.
        talks_ms: u64,
        /// The keys that they press when they are asked to, such as `1`.
        #[serde(default)]
        presses: Option<String>,
    },
    /// A machine picks up. It presses nothing, and listens to whoever it is connected with.
    Voicemail {
        /// How long it rings.
        #[serde(default)]
        after_ms: u64,
        /// How long it listens.
        talks_ms: u64,
    },
    /// The line is in use.
    Busy,
    /// It rings until the caller gives up.
    #[default]
    NoAnswer,
    /// Somebody refuses the call.
    Rejects,
    /// There is no such phone.
    Fails,
}

/// What becomes of a call to a phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fate {
    /// Whether it rings at all.
    pub(super) rings: bool,
    /// When it is decided, in milliseconds after the dialling.
    pub(super) at_ms: u64,
    /// How it ends, unless it is answered.
    pub(super) ending: Option<CallStatus>,
}

impl Phone {
    /// What becomes of a call that is given up after `timeout_s` seconds.
    pub(super) fn fate(&self, timeout_s: u64) -> Fate {
        let timeout_ms = timeout_s.saturating_mul(1000);
        let ends = |rings, at_ms, status| Fate { rings, at_ms, ending: Some(status) };
        match self.behaviour {
            Behaviour::Answers { after_ms, .. } | Behaviour::Voicemail { after_ms, .. } if after_ms <= timeout_ms => {
                Fate { rings: true, at_ms: after_ms, ending: None }
            }
            Behaviour::Busy => ends(false, 0, CallStatus::Busy),
            Behaviour::Fails => ends(false, 0, CallStatus::Failed),
            Behaviour::Rejects if REFUSED_AFTER_MS <= timeout_ms => ends(true, REFUSED_AFTER_MS, CallStatus::Busy),
            _ => ends(true, timeout_ms, CallStatus::NoAnswer),
        }
    }

    pub(super) fn presses(&self) -> &str {
        if let Behaviour::Answers { presses: Some(keys), .. } = &self.behaviour { keys } else { "" }
    }

    pub(super) const fn talks_ms(&self) -> u64 {
        match self.behaviour {
            Behaviour::Answers { talks_ms, .. } | Behaviour::Voicemail { talks_ms, .. } => talks_ms,
            _ => 0,
        }
    }

    /// What answering machine detection says of whoever picked up.
    pub(super) const fn answered_by(&self) -> &'static str {
        if matches!(self.behaviour, Behaviour::Voicemail { .. }) { "machine_start" } else { "human" }
    }
}
