//! Accounts on the wire. Secrets go in and never come out.

use parlance_app::account::AccountChanges;
use parlance_app::directory::{self, NewTwilio};
use parlance_model::account::{Account as Stored, Backfill as Compared, Health as Known, HealthState, Settings};
use parlance_model::channel::Provider;
use parlance_model::clock::iso8601;
use parlance_model::delivery::DeliveryError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::voice::{ChangeVoice, Voice};
use crate::value::{Fields, Number, Text, Word, not_null, present};

/// A secret that is kept: that it is, and how it ends.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Secret {
    /// Whether there is one.
    set: bool,
    /// Its last four characters, where it is long enough to show them.
    last4: Option<String>,
}

impl Secret {
    /// What may be shown of a secret. Of one that is shorter than twelve characters, nothing.
    pub(crate) fn of(secret: Option<&str>) -> Self {
        let secret = secret.filter(|secret| !secret.is_empty());
        let last4 = secret.map(|secret| secret.chars().collect::<Vec<_>>()).filter(|chars| chars.len() >= 12);
        Self { set: secret.is_some(), last4: last4.map(|chars| chars[chars.len() - 4..].iter().collect()) }
    }
}

/// A connection to a provider.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Account {
    /// Its id.
    id: i64,
    /// Whose it is.
    provider: Word<Provider>,
    /// What people call it.
    name: String,
    /// Whether it sends and receives.
    enabled: bool,
    /// The provider's name of the account.
    account_sid: Secret,
    /// The provider's secret.
    auth_token: Secret,
    /// The API key that the provider's API is asked with; null where it is asked with the account's own credentials.
    api_key_sid: Option<String>,
    /// Its number, in E.164 form.
    phone_number: String,
    /// Sent in place of the number, where it is set.
    messaging_service_sid: Option<String>,
    /// The number that WhatsApp messages go out from; null where none may be begun.
    whatsapp_number: Option<String>,
    /// How many messages are handed over in a second, 0 for no limit of ours. Null: as many as its number may send.
    messages_per_second: Option<i64>,
    /// What becomes of phone calls.
    voice: Voice,
    /// Where the provider is to call: put this into its console.
    hook_url: String,
    /// How it does.
    health: Health,
    /// When it was made.
    inserted_at: String,
}

/// How an account does. Times and counts are kept to the minute.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AccountHealth")]
struct Health {
    /// `failing`: the provider refuses the account itself, and `last_error` says what to do; `off`: it is switched off; `unused`: nothing
    /// came or went over it yet; else `ok`.
    state: Word<HealthState>,
    /// When the provider last called.
    last_in_at: Option<String>,
    /// When the provider last took a message.
    last_out_at: Option<String>,
    /// Why the provider last refused the account itself. It stays to be seen when the account works again.
    last_error: Option<HealthError>,
    /// Hooks that claimed to be for this account and whose signature did not fit. A few come from strangers; many come from a wrong
    /// public URL or auth token.
    refused_hooks: RefusedHooks,
    /// What came of comparing the provider's lists with what its hooks told; null before the first comparison.
    backfill: Option<Backfill>,
}

/// Why a provider refused an account, or why its lists could not be compared.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AccountHealthError")]
struct HealthError {
    /// The provider's code, or one of ours.
    code: String,
    /// What it means and what to do.
    message: String,
    /// When.
    at: String,
}

/// Hooks that were refused.
#[derive(Debug, Serialize, JsonSchema)]
struct RefusedHooks {
    /// How many.
    count: i64,
    /// When the last of them came.
    last_at: Option<String>,
}

/// How far the provider's lists of messages and calls were compared with what its hooks told.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AccountBackfill")]
struct Backfill {
    /// Everything up to here was compared.
    compared_through: String,
    /// When it was last tried.
    tried_at: String,
    /// How many messages and calls were found, in all, that no hook had told.
    found: i64,
    /// Why the last try came to nothing; null where it did not.
    error: Option<HealthError>,
}

impl Backfill {
    fn of(known: Compared) -> Self {
        let tried_at = iso8601(known.looked_ms);
        Self {
            compared_through: iso8601(known.through_ms),
            found: known.found,
            error: known.error.map(|error| HealthError { code: error.code, message: error.message, at: tried_at.clone() }),
            tried_at,
        }
    }
}

impl Health {
    fn of(known: Known, enabled: bool) -> Self {
        let error = |(error, at_ms): (DeliveryError, i64)| HealthError { code: error.code, message: error.message, at: iso8601(at_ms) };
        Self {
            state: Word(known.state(enabled)),
            last_in_at: known.seen.last_in_ms.map(iso8601),
            last_out_at: known.seen.last_out_ms.map(iso8601),
            last_error: known.last_error.map(error),
            refused_hooks: RefusedHooks { count: known.seen.refused_hooks, last_at: known.seen.last_refused_ms.map(iso8601) },
            backfill: known.backfill.map(Backfill::of),
        }
    }
}

impl Account {
    /// An account with the URL of its hooks.
    pub(crate) fn of(hook_url: String, account: Stored, health: Known) -> Self {
        let provider = Word(account.provider());
        let Settings::Twilio(twilio) = account.settings;
        Self {
            id: account.id.0,
            provider,
            name: account.name,
            enabled: account.enabled,
            account_sid: Secret::of(Some(&twilio.account_sid)),
            auth_token: Secret::of(Some(&twilio.auth_token)),
            api_key_sid: twilio.api_key_sid,
            phone_number: twilio.phone_number.to_string(),
            messaging_service_sid: twilio.messaging_service_sid,
            whatsapp_number: twilio.whatsapp_number.map(|number| number.to_string()),
            messages_per_second: twilio.messages_per_second,
            voice: twilio.voice.into(),
            hook_url,
            health: Health::of(health, account.enabled),
            inserted_at: iso8601(account.created_ms),
        }
    }
}

/// Connects an account of a provider.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct ConnectAccount {
    /// Whose it is.
    #[serde(rename = "provider")]
    _provider: Word<Provider>,
    /// What people call it; its number when not given.
    name: Option<Text<200>>,
    /// `AC` and 32 hexadecimal digits.
    account_sid: Text<64>,
    /// The account's auth token. Kept encrypted and never shown.
    auth_token: Text<200>,
    /// An API key that the provider's API is asked with in the account's place. Hooks are signed with the auth token all the same.
    api_key: Option<Fields<ApiKey>>,
    /// Its number; best in E.164 form.
    phone_number: Text<64>,
    /// `MG` and 32 hexadecimal digits: sent in place of the number.
    messaging_service_sid: Option<Text<64>>,
    /// The number that WhatsApp messages go out from; best in E.164 form.
    whatsapp_number: Option<Text<64>>,
    /// How many messages are handed over in a second, 0 for no limit of ours. Null: as many as its number may send.
    messages_per_second: Option<Number<0, 1000>>,
    /// What becomes of phone calls. When not given, nobody is rung, and callers may leave a message.
    voice: Option<Fields<ChangeVoice>>,
}

impl ConnectAccount {
    /// What the use case takes: the name, and the rest. Where the provider's API is, is for operators to say
    /// (`parlance account create --base-url`), because the outbound guard trusts it.
    pub(crate) fn read(self) -> (Option<String>, NewTwilio) {
        let new = NewTwilio {
            account_sid: self.account_sid.into_inner(),
            auth_token: self.auth_token.into_inner(),
            api_key: self.api_key.map(|Fields(key)| key.into()),
            phone_number: self.phone_number.into_inner(),
            messaging_service_sid: self.messaging_service_sid.map(Text::into_inner),
            whatsapp_number: self.whatsapp_number.map(Text::into_inner),
            base_url: None,
            messages_per_second: self.messages_per_second.map(Number::get),
            voice: self.voice.map(|Fields(voice)| voice.into()).unwrap_or_default(),
        };
        (self.name.map(Text::into_inner), new)
    }
}

/// An API key of the provider's.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct ApiKey {
    /// `SK` and 32 hexadecimal digits.
    sid: Text<64>,
    /// Its secret. Kept encrypted and never shown.
    secret: Text<200>,
}

impl From<ApiKey> for directory::ApiKey {
    fn from(from: ApiKey) -> Self {
        Self { sid: from.sid.into_inner(), secret: from.secret.into_inner() }
    }
}

/// Changes an account. Absent fields stay; null clears.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct ChangeAccount {
    /// What people call it.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Option<Text<200>>", transform = not_null)]
    name: Option<Text<200>>,
    /// Whether it sends and receives.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Option<bool>", transform = not_null)]
    enabled: Option<bool>,
    /// An API key that the provider's API is asked with in the account's place; null: the account's own credentials.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Option<ApiKey>")]
    api_key: Option<Option<Fields<ApiKey>>>,
    /// The number that WhatsApp messages go out from; best in E.164 form.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Option<Text<64>>")]
    whatsapp_number: Option<Option<Text<64>>>,
    /// How many messages are handed over in a second, 0 for no limit of ours. Null: as many as its number may send.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Option<Number<0, 1000>>")]
    messages_per_second: Option<Option<Number<0, 1000>>>,
    /// What becomes of phone calls.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Option<ChangeVoice>", transform = not_null)]
    voice: Option<Fields<ChangeVoice>>,
}

impl From<ChangeAccount> for AccountChanges {
    fn from(from: ChangeAccount) -> Self {
        Self {
            name: from.name.map(Text::into_inner),
            enabled: from.enabled,
            api_key: from.api_key.map(|key| key.map(|Fields(key)| key.into())),
            whatsapp_number: from.whatsapp_number.map(|number| number.map(Text::into_inner)),
            messages_per_second: from.messages_per_second.map(|pace| pace.map(Number::get)),
            voice: from.voice.map(|Fields(voice)| voice.into()).unwrap_or_default(),
        }
    }
}
