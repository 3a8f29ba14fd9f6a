//! An attempt on the wire: one handing of a message to its provider.

use parlance_app::message::Attempt as Stored;
use parlance_model::clock::iso8601;
use parlance_model::delivery::DeliveryState;
use schemars::JsonSchema;
use serde::Serialize;

use crate::value::Word;

/// One handing of a message to its provider.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Attempt {
    /// Its id.
    id: i64,
    /// The account that it went over.
    account_id: i64,
    /// The provider's id of it, once known.
    provider_id: Option<String>,
    /// How far it got.
    delivery_state: Word<DeliveryState>,
    /// The provider's reason, or ours, for getting no further.
    error_code: Option<String>,
    /// That reason in plain words.
    error_message: Option<String>,
    /// When it was begun.
    started_at: String,
    /// When the provider's answer was written down, or that there was none.
    finished_at: Option<String>,
}

impl From<Stored> for Attempt {
    fn from(from: Stored) -> Self {
        let error = from.outcome.error.map(|(_, error)| (error.code, error.message));
        let (error_code, error_message) = error.unzip();
        Self {
            id: from.id.0,
            account_id: from.account_id.0,
            provider_id: from.provider_id,
            delivery_state: Word(from.outcome.state),
            error_code,
            error_message,
            started_at: iso8601(from.started_ms),
            finished_at: from.finished_ms.map(iso8601),
        }
    }
}
