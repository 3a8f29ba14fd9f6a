//! What a simulated Twilio is told before it starts: its accounts and its pace.

use url::Url;

/// The simulator's settings.
#[derive(Debug, Clone)]
pub struct Config {
    /// The accounts that exist. Account SIDs and phone numbers must be unique.
    pub accounts: Vec<AccountConfig>,
    /// Milliseconds between two states of a message: queued, sending, sent, delivered. A wait within a call takes as long at
    /// most, whatever it takes on the call's own clock.
    pub callback_step_ms: u64,
    /// Milliseconds that a webhook may take. Twilio's is 15,000.
    pub webhook_timeout_ms: u64,
    /// How many messages, deliveries, calls and recordings of each kind are remembered. The oldest go first.
    pub kept: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { accounts: Vec::new(), callback_step_ms: 40, webhook_timeout_ms: 15_000, kept: 100_000 }
    }
}

/// One Twilio account.
#[derive(Debug, Clone, Default)]
pub struct AccountConfig {
    /// `AC` and 32 hexadecimal digits.
    pub account_sid: String,
    /// Signs webhooks, and is the password of the REST API.
    pub auth_token: String,
    /// Further credentials of the REST API: Standard API keys, which may not read the account itself. Webhooks are signed with the auth token all the same.
    pub api_keys: Vec<ApiKey>,
    /// The account's own numbers, in E.164 form or as short codes. All of them belong to the Messaging Service, if there is one.
    pub phone_numbers: Vec<String>,
    /// `MG` and 32 hexadecimal digits.
    pub messaging_service_sid: Option<String>,
    /// Where inbound messages are posted. A fragment such as `#rc=2&rp=all` overrides the retries, as at Twilio.
    pub inbound_url: Option<Url>,
    /// Where an inbound message is posted when `inbound_url` fails.
    pub fallback_url: Option<Url>,
    /// Where inbound calls ask for TwiML; without it they are refused as busy.
    pub voice_url: Option<Url>,
    /// Where the end of each inbound call is reported.
    pub voice_status_callback: Option<Url>,
    /// Advanced Opt-Out: inbound keywords carry `OptOutType`.
    pub advanced_opt_out: bool,
}

impl AccountConfig {
    /// An account with these credentials and nothing else.
    #[must_use]
    pub fn new(account_sid: impl Into<String>, auth_token: impl Into<String>) -> Self {
        Self { account_sid: account_sid.into(), auth_token: auth_token.into(), ..Self::default() }
    }
}

/// A pair of credentials beside the auth token.
#[derive(Debug, Clone)]
pub struct ApiKey {
    /// `SK` and 32 hexadecimal digits.
    pub sid: String,
    /// The password.
    pub secret: String,
}
