//! Opt-out: the words that carriers and Twilio reserve (Advanced Opt-Out defaults), and where an opt-out came from.

use serde::{Deserialize, Serialize};

use crate::contact::Identity;
use crate::id::ContactId;
use crate::words;

/// What a reserved word asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OptSignal {
    /// Nothing more may be sent.
    Stop,
    /// Sending is allowed again.
    Start,
    /// Help was asked for; nothing changes.
    Help,
}

words! {
    /// Who wrote the ledger's entry.
    pub enum OptSource ("source") {
        /// The contact, by a reserved word.
        Keyword = "keyword",
        /// The provider, by a refusal such as Twilio's 21610.
        Provider = "provider",
        /// A person in the org.
        Staff = "staff",
    }
}

/// What the ledger says of an identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptOut {
    /// Whose.
    pub identity: Identity,
    /// Whether sending is refused.
    pub opted_out: bool,
    /// Who wrote the entry, and when (unix ms); `None` when nobody ever did.
    pub written: Option<(OptSource, i64)>,
    /// The contact that the identity belongs to.
    pub contact_id: Option<ContactId>,
}

impl OptSignal {
    /// Reads a body that consists of one reserved word, in any case, with white space around it.
    /// "can you stop by?" is not an opt-out.
    #[must_use]
    pub fn from_body(body: &str) -> Option<Self> {
        let word = body.trim();
        if word.len() > 16 {
            return None;
        }
        match word.to_ascii_uppercase().as_str() {
            "STOP" | "STOPALL" | "UNSUBSCRIBE" | "CANCEL" | "END" | "QUIT" | "REVOKE" | "OPTOUT" => Some(Self::Stop),
            "START" | "UNSTOP" | "YES" => Some(Self::Start),
            "HELP" | "INFO" => Some(Self::Help),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::OptSignal;

    #[test]
    fn only_the_whole_body_counts() {
        for word in ["STOP", " stop\n", "Stop", "StopAll", "unsubscribe", "CANCEL", "end", "Quit", "REVOKE", "optout"] {
            assert_eq!(OptSignal::from_body(word), Some(OptSignal::Stop), "{word}");
        }
        assert_eq!(OptSignal::from_body("unstop"), Some(OptSignal::Start));
        assert_eq!(OptSignal::from_body("yes"), Some(OptSignal::Start));
        assert_eq!(OptSignal::from_body("Help"), Some(OptSignal::Help));
        for body in ["can you stop by?", "stop.", "stop stop", "", "yes please", "st op"] {
            assert_eq!(OptSignal::from_body(body), None, "{body}");
        }
    }
}
