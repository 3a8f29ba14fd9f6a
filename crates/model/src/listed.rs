//! What a provider's own lists say: the way to learn what no hook told, and what became of a send whose answer was lost.

use crate::call::CallStatus;
use crate::call::news::News;
use crate::channel::Channel;
use crate::delivery::DeliveryError;
use crate::inbound::{InboundMessage, Receipt};
use crate::show_only;

/// Which part of an account's list is wanted.
#[derive(Debug, Clone)]
pub struct Listing {
    /// From when on, unix ms. What is older may come along.
    pub since_ms: i64,
    /// Only what was sent to this address, as it was given to the provider; of the medium of calls, those that rang this phone. `None`:
    /// everything that came to the account or went out over it.
    pub sent_to: Option<(Channel, String)>,
}

/// One page of a list. Of the same direction, what is newer comes first.
#[derive(Debug)]
pub struct Page {
    /// What is on it.
    pub items: Vec<Listed>,
    /// Where the next page is, in the adapter's own words; `None` at the end.
    pub next: Option<String>,
}

/// One entry.
#[derive(Debug, Clone)]
pub enum Listed {
    /// A message from outside, marked as history.
    Came(InboundMessage),
    /// A message to somebody, sent by us or past us.
    Went(Went),
    /// A phone call.
    Called(Called),
}

impl Listed {
    /// When it was sent or made, unix ms.
    #[must_use]
    pub fn at_ms(&self) -> i64 {
        match self {
            Self::Came(message) => message.at_ms.unwrap_or(0),
            Self::Went(went) => went.created_ms,
            Self::Called(called) => called.at_ms,
        }
    }
}

/// A message to somebody, as the provider has it.
#[derive(Clone)]
pub struct Went {
    /// Its text.
    pub body: String,
    /// How many files it has.
    pub files: usize,
    /// When the provider took it, unix ms.
    pub created_ms: i64,
    /// How far it got, with the provider's id.
    pub receipt: Receipt,
}

show_only!(Went { created_ms, receipt });

/// A phone call, as the provider has it. Its legs and recordings are asked for where they are wanted.
#[derive(Clone)]
pub struct Called {
    /// The provider's id of it.
    pub provider_id: String,
    /// Whether somebody called us.
    pub inbound: bool,
    /// When it began, unix ms.
    pub at_ms: i64,
    /// How far it got.
    pub status: CallStatus,
    /// How long it was, in seconds.
    pub duration_s: Option<i64>,
}

show_only!(Called { provider_id, inbound, at_ms, status });

impl Called {
    /// What a hook would have told of it.
    #[must_use]
    pub const fn news(&self) -> News {
        News::Call { status: self.status, duration_s: self.duration_s }
    }

    /// A call that we made, like a message that went out. `None` for one that came in.
    #[must_use]
    pub fn went(&self) -> Option<Went> {
        let outcome = self.news().outcome().filter(|_| !self.inbound)?;
        let receipt = Receipt::of(self.provider_id.clone(), None, outcome);
        Some(Went { body: String::new(), files: 0, created_ms: self.at_ms, receipt })
    }
}

/// Why there is no page.
#[derive(Debug, Clone)]
pub enum ListFailure {
    /// The provider refuses the account itself.
    Account(DeliveryError),
    /// It may work later.
    Later {
        /// What was seen.
        error: DeliveryError,
        /// The provider's own wish for the wait, in milliseconds.
        retry_after_ms: Option<i64>,
    },
}

impl ListFailure {
    /// The reason.
    #[must_use]
    pub const fn error(&self) -> &DeliveryError {
        match self {
            Self::Account(error) | Self::Later { error, .. } => error,
        }
    }
}
