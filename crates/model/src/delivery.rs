//! How far an outbound message got. The states form a total order and only ever rise, so callbacks that come
//! late, twice or in the wrong order all lead to the same end.

use serde::{Deserialize, Serialize};

use crate::words;

words! {
    /// The state of an attempt, lowest first (`DESIGN.md`, Data). The order of the variants is the order of the lattice.
    pub enum DeliveryState ("delivery_state") {
        /// Committed, not yet handed over.
        Pending = "pending",
        /// Handed over, and the answer was lost: it is being found out, and is never sent again silently.
        Unknown = "unknown",
        /// The provider has it in its queue.
        Queued = "queued",
        /// The provider is handing it to the carrier.
        Sending = "sending",
        /// The carrier has it.
        Sent = "sent",
        /// It was not delivered within its validity.
        Expired = "expired",
        /// The carrier could not deliver it.
        Undelivered = "undelivered",
        /// It was refused.
        Failed = "failed",
        /// The recipient had opted out.
        OptedOut = "opted_out",
        /// It was called back before it left.
        Canceled = "canceled",
        /// It reached the handset.
        Delivered = "delivered",
        /// It was read.
        Read = "read",
    }
}

words! {
    /// The five words that the unified contract shows.
    pub enum DeliveryStatus ("delivery_status") {
        /// Not out yet, or not known.
        Pending = "pending",
        /// Handed to the carrier.
        Sent = "sent",
        /// On the handset. Inbound messages always are.
        Delivered = "delivered",
        /// Read.
        Read = "read",
        /// It will not arrive.
        Failed = "failed",
    }
}

impl DeliveryState {
    /// What is true after one more report: the higher of the two.
    #[must_use]
    pub fn fold(self, report: Self) -> Self {
        self.max(report)
    }

    /// The word of the unified contract.
    #[must_use]
    pub const fn status(self) -> DeliveryStatus {
        match self {
            Self::Pending | Self::Unknown | Self::Queued | Self::Sending => DeliveryStatus::Pending,
            Self::Sent => DeliveryStatus::Sent,
            Self::Expired | Self::Undelivered | Self::Failed | Self::OptedOut | Self::Canceled => DeliveryStatus::Failed,
            Self::Delivered => DeliveryStatus::Delivered,
            Self::Read => DeliveryStatus::Read,
        }
    }

    /// Whether the first outcome is known: what a caller who waits is waiting for.
    #[must_use]
    pub const fn is_outcome(self) -> bool {
        !matches!(self, Self::Pending)
    }
}

/// A provider's reason, kept beside the state and never wiped by a later one without a reason.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DeliveryError {
    /// The provider's code, such as `30003`, or one of ours.
    pub code: String,
    /// What staff should know and do, in plain words.
    pub message: String,
}

/// State and reason, folded together: the reason belongs to the highest state that brought one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// How far it got.
    pub state: DeliveryState,
    /// The reason, with the state that brought it.
    pub error: Option<(DeliveryState, DeliveryError)>,
}

impl Outcome {
    /// A state without a reason.
    #[must_use]
    pub const fn of(state: DeliveryState) -> Self {
        Self { state, error: None }
    }

    /// A state with its reason.
    #[must_use]
    pub fn with_error(state: DeliveryState, error: DeliveryError) -> Self {
        Self { state, error: Some((state, error)) }
    }

    /// Both reports together. Commutative, associative and idempotent.
    #[must_use]
    pub fn fold(self, other: Self) -> Self {
        Self { state: self.state.fold(other.state), error: self.error.max(other.error) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn outcomes() -> impl Strategy<Value = Outcome> {
        (0..DeliveryState::ALL.len(), proptest::option::of("[0-9]{5}")).prop_map(|(state, code)| {
            let state = DeliveryState::ALL[state];
            match code {
                Some(code) => Outcome::with_error(state, DeliveryError { message: format!("said {code}"), code }),
                None => Outcome::of(state),
            }
        })
    }

    proptest! {
        #[test]
        fn any_order_and_any_repetition_end_equal(reports in proptest::collection::vec(outcomes(), 1..6), seed: u64) {
            let start = Outcome::of(DeliveryState::Pending);
            let expected = reports.iter().cloned().fold(start.clone(), Outcome::fold);
            let mut shuffled = reports.clone();
            shuffled.extend(reports);
            let len = shuffled.len();
            for index in 0..len {
                shuffled.swap(index, (seed as usize).wrapping_mul(31).wrapping_add(index * 7) % len);
            }
            prop_assert_eq!(shuffled.into_iter().fold(start, Outcome::fold), expected);
        }
    }

    #[test]
    fn a_late_sent_never_undoes_delivered_and_a_late_delivered_beats_undelivered() {
        use DeliveryState::*;
        assert_eq!(Delivered.fold(Sent), Delivered);
        assert_eq!(Undelivered.fold(Delivered), Delivered);
        assert_eq!(Unknown.fold(Queued), Queued);
    }

    #[test]
    fn a_stored_reason_is_never_wiped() {
        let reason = DeliveryError { code: "30003".into(), message: "Unreachable.".into() };
        let failed = Outcome::with_error(DeliveryState::Undelivered, reason.clone());
        let after = failed.fold(Outcome::of(DeliveryState::Sent));
        assert_eq!(after.state, DeliveryState::Undelivered);
        assert_eq!(after.error, Some((DeliveryState::Undelivered, reason)));
    }
}
