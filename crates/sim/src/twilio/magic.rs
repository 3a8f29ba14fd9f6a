//! Magic numbers: a demo user tries a provider's bad days by writing to them. The first ones are Twilio's own
//! (twilio.com/docs/iam/test-credentials); the others are the simulator's, listed in `README.md`.

use super::fault::{Ending, FaultKind, Order};

/// Twilio's sender that passes every check on any account.
pub(crate) const VALID_SENDER: &str = "+15005550006";

/// The numbers of the simulator that stand for a delivery error begin so; the code follows.
const ERROR_PREFIX: &str = "+150055";

/// The refusal that Twilio's own magic sender stands for.
pub(crate) fn sender_refusal(from: &str) -> Option<u32> {
    match from {
        "+15005550001" => Some(21212),
        "+15005550007" => Some(21606),
        "+15005550008" => Some(21611),
        _ => None,
    }
}

/// The refusal that Twilio's own magic recipient stands for.
pub(crate) fn recipient_refusal(to: &str) -> Option<u32> {
    match to {
        "+15005550001" => Some(21211),
        "+15005550002" => Some(21612),
        "+15005550003" => Some(21408),
        "+15005550004" => Some(21610),
        "+15005550009" => Some(21614),
        _ => None,
    }
}

/// The refusal that Twilio's own magic number stands for when it is called.
pub(crate) fn called_refusal(to: &str) -> Option<u32> {
    match to {
        "+15005550001" => Some(21217),
        "+15005550002" => Some(21214),
        "+15005550003" => Some(21215),
        "+15005550004" => Some(21216),
        _ => None,
    }
}

/// The fault that the simulator's own magic recipient stands for.
pub(crate) fn recipient_fault(to: &str) -> Option<FaultKind> {
    Some(match to {
        "+15005550101" => FaultKind::AcceptThenTimeout { hold_ms: 60_000 },
        "+15005550102" => FaultKind::AcceptWithoutCallbacks,
        "+15005550103" => FaultKind::Duplicate { copies: 3, concurrent: true },
        "+15005550104" => FaultKind::Reorder { order: Order::Reverse },
        "+15005550105" => FaultKind::CallbackBeforeAnswer,
        "+15005550106" => FaultKind::Drop,
        "+15005550107" => FaultKind::Delay { ms: 4000 },
        "+15005550108" => FaultKind::Refuse { status: 429, code: 20429 },
        "+15005550109" => FaultKind::FinalStatus { status: Ending::Failed, error_code: 30001 },
        _ => {
            let error_code = to.strip_prefix(ERROR_PREFIX)?.parse().ok().filter(|code| (30_001..=30_999).contains(code))?;
            FaultKind::FinalStatus { status: Ending::Undelivered, error_code }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_five_digits_are_the_error_code() {
        assert_eq!(recipient_fault("+15005530003"), Some(FaultKind::FinalStatus { status: Ending::Undelivered, error_code: 30003 }));
        assert_eq!(recipient_fault("+15005530034"), Some(FaultKind::FinalStatus { status: Ending::Undelivered, error_code: 30034 }));
        assert_eq!(recipient_fault("+15005550009"), None);
        assert_eq!(recipient_fault("+15559876543"), None);
    }
}
