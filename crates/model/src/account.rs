//! Accounts: configured connections to providers, with their secrets.

use serde::{Deserialize, Serialize};

use crate::channel::Provider;
use crate::error::Error;
use crate::id::{AccountId, OrgId};
use crate::phone::{Phone, Region};

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
    /// The account's number.
    pub phone_number: Phone,
    /// `MG` and 32 hexadecimal digits. When set it is sent in place of `From`.
    pub messaging_service_sid: Option<String>,
    /// Where the API is; `None` is Twilio itself. Trusted by the outbound guard, because an operator gave it.
    pub base_url: Option<String>,
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
