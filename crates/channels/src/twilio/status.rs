//! Twilio's words for how far a message got (`MessageStatus`, `SmsStatus`, and `status` of the Messages resource).

use parlance_model::delivery::DeliveryState;

/// Our word for Twilio's. `None` for a word that Twilio did not have when this was written.
pub(super) fn state(word: &str) -> Option<DeliveryState> {
    Some(match word {
        "accepted" | "scheduled" | "queued" => DeliveryState::Queued,
        "sending" => DeliveryState::Sending,
        "sent" => DeliveryState::Sent,
        // Some segments or recipients; no later word tells of the rest.
        "delivered" | "partially_delivered" => DeliveryState::Delivered,
        "read" => DeliveryState::Read,
        "undelivered" => DeliveryState::Undelivered,
        "failed" => DeliveryState::Failed,
        "canceled" => DeliveryState::Canceled,
        _ => return None,
    })
}

/// Whether the word is said of messages that come in.
pub(super) fn is_inbound(word: &str) -> bool {
    matches!(word, "received" | "receiving")
}
