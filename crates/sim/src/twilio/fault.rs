//! Faults on request: what may go wrong at a provider, each for a number of uses or until it is cleared, for one
//! number on the other side or for all.

use std::mem::discriminant;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::message::Status;

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FaultKind {
    /// The message is taken, and the answer comes this much later.
    Delay {
        /// Milliseconds.
        ms: u64,
    },
    /// The create is refused, and nothing is stored.
    Refuse {
        /// The HTTP status, such as 429.
        status: u16,
        /// Twilio's code, such as 20429.
        code: u32,
    },
    /// The message is taken and called back, and the create is never answered: the connection is held, then closed.
    AcceptThenTimeout {
        /// Milliseconds until the connection is closed.
        hold_ms: u64,
    },
    /// The message is taken and moves forward, and nothing is called back.
    AcceptWithoutCallbacks,
    /// Each callback, or the inbound message, is delivered several times.
    Duplicate {
        /// Deliveries in all, 2 to 20.
        copies: u32,
        /// Whether the copies arrive at once rather than one after the other.
        #[serde(default)]
        concurrent: bool,
    },
    /// The callbacks come after the last state was reached, in another order.
    Reorder {
        /// Which order.
        #[serde(default)]
        order: Order,
    },
    /// All callbacks are delivered before the create is answered.
    CallbackBeforeAnswer,
    /// The connection is closed, and nothing is stored. For all numbers, it is closed before the form is read.
    Drop,
    /// The message does not arrive.
    FinalStatus {
        /// How it ends.
        status: Ending,
        /// Why, such as 30003.
        error_code: u32,
    },
    /// A file of a message is not there yet: a fetch answers 404, as at Twilio for some seconds after the webhook.
    MediaLate,
    /// The redirect of a file (of a message or a recording) leads to this URL instead, such as a private address.
    MediaRedirect {
        /// The `Location`, sent as it is.
        url: String,
    },
    /// The link that the redirect of a file leads to is dead.
    MediaGone {
        /// What it answers: 404, or 403.
        #[serde(default = "not_found")]
        status: u16,
    },
    /// A recording is not there yet: a fetch of its sound answers 404.
    RecordingLate,
}

const fn not_found() -> u16 {
    404
}

impl FaultKind {
    /// Whether a call that is made can meet it.
    const fn is_of_calls(&self) -> bool {
        !self.is_of_files() && !matches!(self, Self::FinalStatus { .. })
    }

    /// Whether it is met when a file is fetched, rather than by a message.
    const fn is_of_files(&self) -> bool {
        matches!(self, Self::MediaLate | Self::MediaRedirect { .. } | Self::MediaGone { .. } | Self::RecordingLate)
    }
}

/// An order of callbacks that nobody expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// The last one first.
    #[default]
    Reverse,
    /// Any order, by the injected randomness.
    Shuffle,
}

/// How a message ends that does not arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The carrier had it.
    Undelivered,
    /// It never reached the carrier.
    Failed,
}

impl From<Ending> for Status {
    fn from(ending: Ending) -> Self {
        match ending {
            Ending::Undelivered => Self::Undelivered,
            Ending::Failed => Self::Failed,
        }
    }
}

/// A fault, and how often and for whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// What goes wrong.
    #[serde(flatten)]
    pub kind: FaultKind,
    /// The number on the other side (the recipient of a create, the sender of an inbound message); `None` is everyone.
    #[serde(default)]
    pub number: Option<String>,
    /// Uses left; `None` is until cleared.
    #[serde(default)]
    pub times: Option<u32>,
}

impl Fault {
    /// This fault for everyone, until it is cleared.
    #[must_use]
    pub const fn new(kind: FaultKind) -> Self {
        Self { kind, number: None, times: None }
    }

    /// For one number on the other side only.
    #[must_use]
    pub fn for_number(mut self, number: impl Into<String>) -> Self {
        self.number = Some(number.into());
        self
    }

    /// For so many uses.
    #[must_use]
    pub const fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    fn is_for(&self, number: &str) -> bool {
        self.number.as_deref().is_none_or(|only| only == number)
    }
}

/// The faults that wait for their use.
#[derive(Debug, Default)]
pub(crate) struct Faults(Mutex<Vec<Fault>>);

impl Faults {
    pub(crate) fn add(&self, fault: Fault) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(fault);
    }

    pub(crate) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    pub(crate) fn list(&self) -> Vec<Fault> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What a create to this recipient meets.
    pub(crate) fn take_for_create(&self, recipient: &str) -> Vec<FaultKind> {
        self.take(|fault| !fault.kind.is_of_files() && fault.is_for(recipient))
    }

    /// What a create of a call to this number meets.
    pub(crate) fn take_for_call_create(&self, number: &str) -> Vec<FaultKind> {
        self.take(|fault| fault.kind.is_of_calls() && fault.is_for(number))
    }

    /// What a call of this customer meets: its hooks only.
    pub(crate) fn take_for_inbound_call(&self, caller: &str) -> Vec<FaultKind> {
        let of_hooks =
            |kind: &FaultKind| matches!(kind, FaultKind::Duplicate { .. } | FaultKind::Reorder { .. } | FaultKind::AcceptWithoutCallbacks);
        self.take(|fault| of_hooks(&fault.kind) && fault.is_for(caller))
    }

    /// What an inbound message of this sender meets.
    pub(crate) fn take_for_inbound(&self, sender: &str) -> Vec<FaultKind> {
        self.take(|fault| matches!(fault.kind, FaultKind::Duplicate { .. }) && fault.is_for(sender))
    }

    /// Whether a fetch of one of this customer's files finds nothing yet.
    pub(crate) fn take_media_late(&self, customer: &str) -> bool {
        !self.take(|fault| fault.kind == FaultKind::MediaLate && fault.is_for(customer)).is_empty()
    }

    /// Whether a fetch of a recording of this customer finds nothing yet.
    pub(crate) fn take_recording_late(&self, customer: &str) -> bool {
        !self.take(|fault| fault.kind == FaultKind::RecordingLate && fault.is_for(customer)).is_empty()
    }

    /// Where the redirect of one of this customer's files leads instead.
    pub(crate) fn take_media_redirect(&self, customer: &str) -> Option<String> {
        let taken = self.take(|fault| matches!(fault.kind, FaultKind::MediaRedirect { .. }) && fault.is_for(customer));
        taken.into_iter().find_map(|kind| if let FaultKind::MediaRedirect { url } = kind { Some(url) } else { None })
    }

    /// What the link to one of this customer's files answers instead of the file.
    pub(crate) fn take_media_gone(&self, customer: &str) -> Option<u16> {
        let taken = self.take(|fault| matches!(fault.kind, FaultKind::MediaGone { .. }) && fault.is_for(customer));
        taken.into_iter().find_map(|kind| if let FaultKind::MediaGone { status } = kind { Some(status) } else { None })
    }

    /// Whether the connection is closed before anything is read.
    pub(crate) fn take_unread_drop(&self) -> bool {
        !self.take(|fault| fault.kind == FaultKind::Drop && fault.number.is_none()).is_empty()
    }

    /// Uses once the first fault of each kind that is wanted. Several of one kind are used one after the other.
    fn take(&self, wanted: impl Fn(&Fault) -> bool) -> Vec<FaultKind> {
        let mut taken: Vec<FaultKind> = Vec::new();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain_mut(|fault| {
            let used = taken.iter().any(|kind| discriminant(kind) == discriminant(&fault.kind));
            if !used && fault.times != Some(0) && wanted(fault) {
                taken.push(fault.kind.clone());
                fault.times = fault.times.map(|times| times - 1);
            }
            fault.times != Some(0)
        });
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_of_one_kind_are_used_one_after_the_other() {
        let faults = Faults::default();
        faults.add(Fault::new(FaultKind::Refuse { status: 429, code: 20429 }).times(1));
        faults.add(Fault::new(FaultKind::Refuse { status: 500, code: 20500 }).times(1));
        faults.add(Fault::new(FaultKind::Delay { ms: 1 }));
        assert_eq!(faults.take_for_create("+1"), [FaultKind::Refuse { status: 429, code: 20429 }, FaultKind::Delay { ms: 1 }]);
        assert_eq!(faults.take_for_create("+1"), [FaultKind::Refuse { status: 500, code: 20500 }, FaultKind::Delay { ms: 1 }]);
        assert_eq!(faults.take_for_create("+1"), [FaultKind::Delay { ms: 1 }]);
        faults.clear();
        assert_eq!(faults.take_for_create("+1"), []);
    }

    #[test]
    fn a_fault_for_one_number_leaves_the_others_alone() {
        let faults = Faults::default();
        faults.add(Fault::new(FaultKind::Drop).for_number("+1"));
        assert!(!faults.take_unread_drop());
        assert_eq!(faults.take_for_create("+2"), []);
        assert_eq!(faults.take_for_create("+1"), [FaultKind::Drop]);
    }

    #[test]
    fn a_fault_reads_like_the_manual_says() {
        let fault: Fault =
            serde_json::from_str(r#"{"kind":"final_status","status":"undelivered","error_code":30003,"number":"+1","times":2}"#).unwrap();
        let kind = FaultKind::FinalStatus { status: Ending::Undelivered, error_code: 30003 };
        assert_eq!(fault, Fault::new(kind).for_number("+1").times(2));
        assert_eq!(serde_json::from_str::<Fault>(r#"{"kind":"drop"}"#).unwrap(), Fault::new(FaultKind::Drop));
    }
}
