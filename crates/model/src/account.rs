//! Accounts: configured connections to providers, with their secrets.

use serde::{Deserialize, Serialize};

use crate::channel::{Channel, Provider};
use crate::delivery::DeliveryError;
use crate::error::Error;
use crate::id::{AccountId, OrgId, UserId};
use crate::phone::{Line, Phone, Region};
use crate::words;

/// An account with its secrets opened: what an adapter needs to verify hooks and to send.
#[derive(Clone)]
pub struct Account {
    /// Its org.
    pub org: OrgId,
    /// Its id.
    pub id: AccountId,
    /// The name that staff see.
    pub name: String,
    /// Where national numbers of its traffic are read: the org's region.
    pub region: Region,
    /// The token in its own hook URL (`/webhooks/twilio/a/{token}`).
    pub hook_token: String,
    /// The provider's settings and secrets.
    pub settings: Settings,
    /// Switched off accounts neither send nor receive.
    pub enabled: bool,
    /// Its org is switched off: nothing is taken in for it now.
    pub org_disabled: bool,
    /// When it was made, unix ms.
    pub created_ms: i64,
}

impl Account {
    /// Whose it is.
    #[must_use]
    pub const fn provider(&self) -> Provider {
        match self.settings {
            Settings::Twilio(_) => Provider::Twilio,
        }
    }

    /// Whether anything goes out or is taken in over it now: neither it nor its org is switched off.
    #[must_use]
    pub const fn works(&self) -> bool {
        self.enabled && !self.org_disabled
    }

    /// Whether new conversations of this medium may begin on it. Those that begin outside run over it either way.
    #[must_use]
    pub const fn begins(&self, channel: Channel) -> bool {
        let Settings::Twilio(twilio) = &self.settings;
        match channel {
            Channel::Sms => true,
            Channel::Whatsapp => twilio.whatsapp_number.is_some(),
            Channel::Voice | Channel::Email | Channel::Web | Channel::Telegram => false,
        }
    }
}

/// What a provider needs, one variant for each.
#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "provider", rename_all = "snake_case")]
pub enum Settings {
    /// Twilio.
    Twilio(TwilioSettings),
}

/// A Twilio number, or a Messaging Service.
#[derive(Clone, Serialize, Deserialize)]
pub struct TwilioSettings {
    /// `AC` and 32 hexadecimal digits.
    pub account_sid: String,
    /// The account's auth token: the password of the API and the key of signatures. Kept encrypted.
    #[serde(skip)]
    pub auth_token: String,
    /// An API key, `SK` and 32 hexadecimal digits, with which the API is asked in the account's place. Hooks are signed with the auth token
    /// all the same.
    #[serde(default)]
    pub api_key_sid: Option<String>,
    /// The API key's secret. Kept encrypted.
    #[serde(skip)]
    pub api_key_secret: String,
    /// The account's number.
    pub phone_number: Phone,
    /// `MG` and 32 hexadecimal digits. When set it is sent in place of `From`.
    pub messaging_service_sid: Option<String>,
    /// Where the API is; `None` is Twilio itself. Trusted by the outbound guard, because an operator gave it.
    pub base_url: Option<String>,
    /// The number that WhatsApp messages go out from; `None` where the account carries none but those that answer.
    #[serde(default)]
    pub whatsapp_number: Option<Phone>,
    /// How many messages are handed over in a second. `None`: as many as its number may send; 0: without a limit of ours.
    #[serde(default)]
    pub messages_per_second: Option<i64>,
    /// What becomes of phone calls.
    #[serde(default)]
    pub voice: Voice,
}

impl TwilioSettings {
    /// How many messages may be handed over in a second on a channel; `None`: as many as there are. Unless the settings say, what
    /// Twilio takes from such a sender before it queues (help.twilio.com, "Understanding Twilio Rate Limits and Message Queues").
    #[must_use]
    pub fn pace(&self, channel: Channel) -> Option<i64> {
        let pace = match self.messages_per_second {
            Some(pace) => pace,
            None if channel == Channel::Whatsapp => 80,
            // It spreads over its senders, and Twilio paces those.
            None if self.messaging_service_sid.is_some() => 0,
            None => match self.phone_number.line() {
                Line::Long => 1,
                Line::TollFree => 3,
                Line::Other => 10,
            },
        };
        (pace > 0).then_some(pace)
    }
}

impl TwilioSettings {
    /// User and password of the API.
    #[must_use]
    pub fn credentials(&self) -> (&str, &str) {
        match &self.api_key_sid {
            Some(sid) => (sid, &self.api_key_secret),
            None => (&self.account_sid, &self.auth_token),
        }
    }
}

/// What becomes of the phone calls of an account.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Voice {
    /// The staff's own numbers, rung in this order when somebody calls.
    #[serde(default)]
    pub ring: Vec<Ring>,
    /// How long each rings, in seconds: 5 to 120.
    #[serde(default = "Voice::default_ring_s")]
    pub ring_s: i64,
    /// What a caller hears before the tone when nobody answers; `None`: a sentence of our own.
    #[serde(default)]
    pub greeting: Option<String>,
    /// Whether calls are recorded. Voicemail always is.
    #[serde(default)]
    pub record: bool,
}

/// A phone that rings.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ring {
    /// Its number.
    pub phone: Phone,
    /// Whose it is. Somebody who has left the staff or is disabled is not rung.
    #[serde(default)]
    pub user_id: Option<UserId>,
}

impl Voice {
    const fn default_ring_s() -> i64 {
        20
    }
}

impl Default for Voice {
    fn default() -> Self {
        Self { ring: Vec::new(), ring_s: Self::default_ring_s(), greeting: None, record: false }
    }
}

words! {
    /// How an account does.
    pub enum HealthState ("state") {
        /// It works, as far as is known.
        Ok = "ok",
        /// The provider refuses it: nothing goes out until somebody puts that right.
        Failing = "failing",
        /// It is switched off.
        Off = "off",
        /// Nothing came or went over it yet.
        Unused = "unused",
    }
}

/// What passed over an account, and what was refused in its name. Kept to the minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Seen {
    /// When the provider last called with a genuine hook, unix ms.
    pub last_in_ms: Option<i64>,
    /// When the provider last took a message, unix ms.
    pub last_out_ms: Option<i64>,
    /// Hooks that claimed to be for it and whose signature did not fit.
    pub refused_hooks: i64,
    /// When the last of these came, unix ms.
    pub last_refused_ms: Option<i64>,
}

impl Seen {
    /// Both together: the later time of each kind, and the sum.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        Self {
            last_in_ms: self.last_in_ms.max(other.last_in_ms),
            last_out_ms: self.last_out_ms.max(other.last_out_ms),
            refused_hooks: self.refused_hooks.saturating_add(other.refused_hooks),
            last_refused_ms: self.last_refused_ms.max(other.last_refused_ms),
        }
    }
}

/// How an account does.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Health {
    /// The provider refuses the account itself.
    pub failing: bool,
    /// Why it last did, and when, unix ms.
    pub last_error: Option<(DeliveryError, i64)>,
    /// What passed over it.
    pub seen: Seen,
    /// How far its lists at the provider were compared; `None` before the first try.
    pub backfill: Option<Backfill>,
}

/// How far an account's lists at its provider were compared with what came by hooks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backfill {
    /// Everything up to here was compared, unix ms.
    pub through_ms: i64,
    /// When it was last tried, unix ms.
    pub looked_ms: i64,
    /// How many messages and calls were found that no hook had told, in all.
    pub found: i64,
    /// Why the last try came to nothing.
    pub error: Option<DeliveryError>,
}

impl Health {
    /// The one word for it. Refused hooks do not count: any stranger can send some.
    #[must_use]
    pub const fn state(&self, enabled: bool) -> HealthState {
        match (enabled, self.failing, self.seen.last_in_ms, self.seen.last_out_ms) {
            (false, ..) => HealthState::Off,
            (true, true, ..) => HealthState::Failing,
            (true, false, None, None) => HealthState::Unused,
            (true, false, ..) => HealthState::Ok,
        }
    }
}

/// Checks `prefix` followed by 32 hexadecimal digits, the form of Twilio's SIDs (`^AC[0-9a-fA-F]{32}$` in its OpenAPI).
///
/// # Errors
/// `validation_failed` on `field`.
pub fn check_sid(field: &'static str, prefix: &str, sid: &str) -> Result<(), Error> {
    let digits = sid.strip_prefix(prefix).filter(|rest| rest.len() == 32 && rest.bytes().all(|byte| byte.is_ascii_hexdigit()));
    match digits {
        Some(_) => Ok(()),
        None => Err(Error::invalid(field, format!("Must be {prefix} followed by 32 hexadecimal digits, as Twilio's console shows it."))),
    }
}
