//! WhatsApp over Twilio: addresses with a prefix, what only a WhatsApp message carries, and the window in which free text
//! may be sent (twilio.com/docs/whatsapp/api, twilio.com/docs/whatsapp/key-concepts).

use serde::Deserialize;
use serde_json::json;

use super::fault::Ending;
use super::inbound::Inbound;
use super::message::SimMessage;
use super::state::Inner;
use super::webhook::Form;

/// What an address on WhatsApp begins with.
pub(crate) const PREFIX: &str = "whatsapp:";

/// How long after the customer's last message free text may be sent, in milliseconds.
const WINDOW_MS: i64 = 24 * 3_600_000;

/// What only WhatsApp knows of an inbound message. Elsewhere it is not looked at.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct WhatsApp {
    /// The name that the customer has chosen; else the digits of the number.
    #[serde(default)]
    pub profile_name: Option<String>,
    /// A place that the customer shares.
    #[serde(default)]
    pub location: Option<Location>,
    /// The button of a template that the customer pressed.
    #[serde(default)]
    pub button: Option<Button>,
    /// The SID of the message that this one answers.
    #[serde(default)]
    pub replied_to: Option<String>,
}

/// A place.
#[derive(Debug, Clone, Deserialize)]
pub struct Location {
    /// Degrees, north is positive.
    pub latitude: f64,
    /// Degrees, east is positive.
    pub longitude: f64,
    /// The street.
    #[serde(default)]
    pub address: Option<String>,
    /// The name of the place.
    #[serde(default)]
    pub label: Option<String>,
}

/// A button under a template.
#[derive(Debug, Clone, Deserialize)]
pub struct Button {
    /// What is written on it.
    pub text: String,
    /// What the template's author gave it.
    pub payload: String,
}

/// The prefix of an address: empty, but for WhatsApp.
pub(crate) fn prefix(address: &str) -> &'static str {
    if address.starts_with(PREFIX) { PREFIX } else { "" }
}

/// An address without its prefix.
pub(crate) fn bare(address: &str) -> &str {
    address.strip_prefix(PREFIX).unwrap_or(address)
}

/// What a webhook says of an inbound message besides what it says of every message.
pub(crate) fn inbound_fields(form: &mut Form, inbound: &Inbound) {
    if prefix(&inbound.from).is_empty() {
        return;
    }
    let details = &inbound.whatsapp;
    let wa_id = bare(&inbound.from).trim_start_matches('+');
    let name = details.profile_name.as_deref().unwrap_or(wa_id);
    let metadata = json!({ "type": "whatsapp", "data": { "context": { "ProfileName": name, "WaId": wa_id } } });
    let mut add = |name: &str, value: &str| {
        form.insert(name.to_owned(), value.to_owned());
    };
    add("ProfileName", name);
    add("WaId", wa_id);
    add("MessageType", message_type(inbound));
    add("ChannelMetadata", &metadata.to_string());
    if let Some(place) = &details.location {
        add("Latitude", &place.latitude.to_string());
        add("Longitude", &place.longitude.to_string());
        place.address.iter().for_each(|address| add("Address", address));
        place.label.iter().for_each(|label| add("Label", label));
    }
    if let Some(button) = &details.button {
        add("ButtonText", &button.text);
        add("ButtonPayload", &button.payload);
    }
    if let Some(sid) = &details.replied_to {
        add("OriginalRepliedMessageSid", sid);
        add("OriginalRepliedMessageSender", &inbound.to);
    }
}

fn message_type(inbound: &Inbound) -> &'static str {
    let media = inbound.media.first().map(|media| media.content_type.as_str());
    match (&inbound.whatsapp.location, &inbound.whatsapp.button, media) {
        (Some(_), _, _) => "location",
        (None, Some(_), _) => "button",
        (None, None, None) => "text",
        (None, None, Some("image/webp")) => "sticker",
        (None, None, Some(kind)) => match kind.split('/').next() {
            Some("image") => "image",
            Some("audio") => "audio",
            Some("video") => "video",
            _ => "document",
        },
    }
}

/// What a status callback says besides what it says of every message.
pub(crate) fn callback_fields(form: &mut Form, message: &SimMessage) {
    if prefix(&message.to).is_empty() {
        return;
    }
    form.insert("ChannelPrefix".to_owned(), "whatsapp".to_owned());
    form.insert("EventType".to_owned(), message.status.as_str().to_uppercase());
}

impl Inner {
    /// How a message ends that WhatsApp does not let pass: free text, and the customer has not written to this sender for
    /// a day. A template passes at any time.
    pub(crate) fn outside_window(&self, from: Option<&str>, message: &SimMessage) -> Option<(Ending, u32)> {
        if prefix(&message.to).is_empty() || message.content_sid.is_some() {
            return None;
        }
        let pair = (from.unwrap_or_default().to_owned(), message.to.clone());
        let wrote_ms = self.peers().wrote_ms.get(&pair).copied();
        let open = wrote_ms.is_some_and(|wrote_ms| self.clock.now_ms() - wrote_ms < WINDOW_MS);
        (!open).then_some((Ending::Undelivered, 63016))
    }
}
