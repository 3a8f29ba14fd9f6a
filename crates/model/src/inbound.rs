//! What a provider tells us, in our words: the output of every adapter's `parse` and the input of `app::ingest`.

use crate::channel::{Channel, JsonObject};
use crate::delivery::{DeliveryError, DeliveryState, Outcome};
use crate::id::AttemptId;
use crate::message::Attachment;
use crate::opt_out::OptSignal;
use crate::phone::Address;
use crate::show_only;

/// One thing that a verified hook said.
#[derive(Debug, Clone)]
pub enum Inbound {
    /// A message from outside.
    Message(InboundMessage),
    /// How far one of ours got.
    Receipt(Receipt),
}

/// A message from outside.
#[derive(Clone)]
pub struct InboundMessage {
    /// The provider's id of it, unique on the account: the key of deduplication.
    pub provider_id: String,
    /// The medium.
    pub channel: Channel,
    /// Who wrote.
    pub from: Address,
    /// The name that the provider knows of them.
    pub profile_name: Option<String>,
    /// The text, cleaned of NUL; may be empty.
    pub body: String,
    /// Files, still at the provider.
    pub attachments: Vec<Attachment>,
    /// When it was sent, unix ms, where the provider says so.
    pub at_ms: Option<i64>,
    /// The reserved word that it consists of, by the provider's own judgement or by its body.
    pub opt: Option<OptSignal>,
    /// How many SMS the provider says it is.
    pub segments: Option<i64>,
    /// Whether it was found in the provider's list long after it came, and not told by a hook.
    pub history: bool,
    /// Facts that only this provider has, shown under `meta.provider`.
    pub provider_meta: JsonObject,
}

show_only!(InboundMessage { provider_id, channel, from, at_ms, opt });

/// What the provider said about one handing over.
#[derive(Debug, Clone)]
pub struct Receipt {
    /// The provider's id of the message that we sent.
    pub provider_id: String,
    /// Our attempt, where the callback carries it. It settles an attempt whose answer was lost.
    pub attempt: Option<AttemptId>,
    /// How far it got.
    pub state: DeliveryState,
    /// Why it got no further.
    pub error: Option<DeliveryError>,
    /// Whether the reason means that the recipient has opted out.
    pub opted_out: bool,
    /// Whether the reason is how the account or its sender is set up: other messages will meet it too.
    pub about_account: bool,
    /// Who the message went to, for the opt-out ledger.
    pub to: Option<Address>,
}

impl Receipt {
    /// What an outcome alone says: nothing of the account, and nothing of the recipient.
    #[must_use]
    pub fn of(provider_id: String, attempt: Option<AttemptId>, outcome: Outcome) -> Self {
        let (state, error) = (outcome.state, outcome.error.map(|(_, error)| error));
        Self { provider_id, attempt, state, error, opted_out: false, about_account: false, to: None }
    }

    /// State and reason together.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match &self.error {
            Some(error) => Outcome::with_error(self.state, error.clone()),
            None => Outcome::of(self.state),
        }
    }
}
