//! The contract's provider configuration. Secrets go in and never come out.

use parlance_app::settings::{Change, ProviderChanges, Providers};
use parlance_model::org::SmsProvider;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::account::Secret;
use crate::value::{Text, Word, present};

/// Who carries the organisation's messages, and what they need for it.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ProviderSettings {
    /// Who carries SMS and calls; null switches sending off.
    sms_provider: Option<Word<SmsProvider>>,
    /// GoHighLevel's private integration token.
    ghl_api_key_encrypted: Secret,
    /// GoHighLevel's location.
    ghl_location_id: Option<String>,
    /// The default Twilio account's SID.
    twilio_account_sid_encrypted: Secret,
    /// Its auth token.
    twilio_auth_token_encrypted: Secret,
    /// Its number, in E.164 form.
    twilio_phone_number: Option<String>,
    /// Its Messaging Service, sent in place of the number.
    twilio_messaging_service_sid: Option<String>,
}

impl From<Providers> for ProviderSettings {
    fn from(providers: Providers) -> Self {
        let twilio = providers.twilio.as_ref();
        Self {
            sms_provider: providers.sms_provider.map(Word),
            ghl_api_key_encrypted: Secret::of(providers.ghl.api_key.as_deref()),
            ghl_location_id: providers.ghl.location_id,
            twilio_account_sid_encrypted: Secret::of(twilio.map(|twilio| twilio.account_sid.as_str())),
            twilio_auth_token_encrypted: Secret::of(twilio.map(|twilio| twilio.auth_token.as_str())),
            twilio_phone_number: twilio.map(|twilio| twilio.phone_number.to_string()),
            twilio_messaging_service_sid: twilio.and_then(|twilio| twilio.messaging_service_sid.clone()),
        }
    }
}

/// Changes the settings. Absent fields stay; null clears. Secrets are given in plain text and kept encrypted.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct ChangeProviderSettings {
    /// Who carries SMS and calls; null switches sending off.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Option<Word<SmsProvider>>")]
    sms_provider: Option<Option<Word<SmsProvider>>>,
    /// `pit-…` or `pit_…`.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Option<Text<256>>")]
    ghl_api_key_encrypted: Option<Option<Text<256>>>,
    /// `loc_…`.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Option<Text<256>>")]
    ghl_location_id: Option<Option<Text<256>>>,
    /// `AC` and 32 hexadecimal digits. Set together with the auth token and the number, or all three null.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Option<Text<256>>")]
    twilio_account_sid_encrypted: Option<Option<Text<256>>>,
    /// The account's auth token.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Option<Text<256>>")]
    twilio_auth_token_encrypted: Option<Option<Text<256>>>,
    /// In E.164 form.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Option<Text<256>>")]
    twilio_phone_number: Option<Option<Text<256>>>,
    /// `MG` and 32 hexadecimal digits.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Option<Text<256>>")]
    twilio_messaging_service_sid: Option<Option<Text<256>>>,
}

impl From<ChangeProviderSettings> for ProviderChanges {
    fn from(body: ChangeProviderSettings) -> Self {
        let change = |field: Option<Option<Text<256>>>| -> Change { field.map(|value| value.map(Text::into_inner)) };
        Self {
            sms_provider: body.sms_provider.map(|word| word.map(|word| word.0)),
            ghl_api_key: change(body.ghl_api_key_encrypted),
            ghl_location_id: change(body.ghl_location_id),
            twilio_account_sid: change(body.twilio_account_sid_encrypted),
            twilio_auth_token: change(body.twilio_auth_token_encrypted),
            twilio_phone_number: change(body.twilio_phone_number),
            twilio_messaging_service_sid: change(body.twilio_messaging_service_sid),
        }
    }
}
