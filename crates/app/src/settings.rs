//! An org's provider settings: one view of who carries its SMS, of GoHighLevel's fields, and of the default Twilio account.

use parlance_model::account::{Account, Settings, TwilioSettings};
use parlance_model::audit::{Act, Action};
use parlance_model::key::Principal;
use parlance_model::org::SmsProvider;
use parlance_model::phone::Region;
use parlance_model::{Error, Result};
use parlance_store::org::Ghl;
use parlance_store::{OrgTx, account, org};

use crate::App;
use crate::account::VoiceChanges;
use crate::directory::{NewTwilio, TwilioFields, add_account};

/// The settings, secrets opened.
#[derive(Clone)]
pub struct Providers {
    /// Who carries SMS and calls; `None` switches sending off.
    pub sms_provider: Option<SmsProvider>,
    /// GoHighLevel's.
    pub ghl: Ghl,
    /// Those of the org's first enabled Twilio account.
    pub twilio: Option<TwilioSettings>,
}

/// A value to be set, to be cleared (`Some(None)`), or to be left alone.
pub type Change = Option<Option<String>>;

/// What a change sets.
#[derive(Clone, Default)]
pub struct ProviderChanges {
    /// Who carries SMS and calls.
    pub sms_provider: Option<Option<SmsProvider>>,
    /// `pit-…` or `pit_…`.
    pub ghl_api_key: Change,
    /// `loc_…`.
    pub ghl_location_id: Change,
    /// `AC…`.
    pub twilio_account_sid: Change,
    /// The auth token.
    pub twilio_auth_token: Change,
    /// E.164.
    pub twilio_phone_number: Change,
    /// `MG…`.
    pub twilio_messaging_service_sid: Change,
}

/// What these settings do not have is called what it is of an account.
const FIELDS: TwilioFields = TwilioFields {
    account_sid: "twilio_account_sid_encrypted",
    auth_token: "twilio_auth_token_encrypted",
    phone_number: "twilio_phone_number",
    messaging_service_sid: "twilio_messaging_service_sid",
    ..crate::account::FIELDS
};

impl App {
    /// The settings as they stand.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn providers(&self, who: &Principal) -> Result<Providers> {
        self.store().read(who.org, providers).await
    }

    /// Changes what is given, all of it or nothing.
    ///
    /// # Errors
    /// `validation_failed`; `account_exists` when another account has the number.
    pub async fn change_providers(&self, who: &Principal, changes: ProviderChanges) -> Result<Providers> {
        let write = move |tx: &mut OrgTx<'_, '_>| {
            let mut act = Act::new(Action::SettingsUpdate, tx.org());
            act = change_ghl(tx, &changes, act)?;
            change_twilio(tx, &changes)?;
            // After the account, which sets the provider where there is none: what the caller says wins.
            if let Some(provider) = changes.sms_provider {
                let (before, after) = (org::current(tx)?.sms_provider, provider.map(SmsProvider::as_str));
                act = act.changed("sms_provider", before.as_deref(), after);
                if before.as_deref() != after {
                    org::set_sms_provider(tx, after)?;
                }
            }
            if act.changes_something() {
                tx.audit(&act)?;
            }
            providers(tx)
        };
        self.write_as(who, write).await
    }
}

fn providers(tx: &mut OrgTx<'_, '_>) -> Result<Providers> {
    let sms_provider = org::current(tx)?.sms_provider.as_deref().map(str::parse).transpose()?;
    let twilio = default_twilio(tx)?.map(|account| {
        let Settings::Twilio(twilio) = account.settings;
        twilio
    });
    Ok(Providers { sms_provider, ghl: org::ghl(tx)?, twilio })
}

fn default_twilio(tx: &mut OrgTx<'_, '_>) -> Result<Option<Account>> {
    Ok(account::list(tx)?.into_iter().find(|account| account.enabled && matches!(account.settings, Settings::Twilio(_))))
}

fn change_ghl(tx: &mut OrgTx<'_, '_>, changes: &ProviderChanges, act: Act) -> Result<Act> {
    let before = org::ghl(tx)?;
    let mut ghl = before.clone();
    if let Some(key) = &changes.ghl_api_key {
        checked("ghl_api_key_encrypted", key.as_deref(), &["pit-", "pit_"])?;
        ghl.api_key.clone_from(key);
    }
    if let Some(location) = &changes.ghl_location_id {
        checked("ghl_location_id", location.as_deref(), &["loc_"])?;
        ghl.location_id.clone_from(location);
    }
    if ghl != before {
        org::set_ghl(tx, &ghl)?;
    }
    let act = act.hidden("ghl_api_key", ghl.api_key != before.api_key);
    Ok(act.changed("ghl_location_id", before.location_id, ghl.location_id))
}

/// One of the prefixes, and then visible ASCII characters.
fn checked(field: &'static str, value: Option<&str>, prefixes: &[&str]) -> Result<()> {
    let fits = |value: &str| {
        let rest = prefixes.iter().find_map(|prefix| value.strip_prefix(prefix));
        rest.is_some_and(|rest| (1..=200).contains(&rest.len()) && rest.bytes().all(|byte| byte.is_ascii_graphic()))
    };
    match value {
        Some(value) if !fits(value) => {
            let text = format!("Must be {}… and at most 200 characters, as GoHighLevel shows it.", prefixes.join("… or "));
            Err(Error::invalid(field, text))
        }
        _ => Ok(()),
    }
}

fn change_twilio(tx: &mut OrgTx<'_, '_>, changes: &ProviderChanges) -> Result<()> {
    let given =
        [&changes.twilio_account_sid, &changes.twilio_auth_token, &changes.twilio_phone_number, &changes.twilio_messaging_service_sid];
    if given.iter().all(|change| change.is_none()) {
        return Ok(());
    }
    let region = org::current(tx)?.region;
    let before = default_twilio(tx)?;
    match (merged(before.as_ref(), changes, region)?, before) {
        (Some(settings), Some(account)) => {
            let after = Account { settings: Settings::Twilio(settings), ..account.clone() };
            crate::account::save(tx, &account, &after)
        }
        (Some(settings), None) => set_up(tx, settings),
        (None, Some(account)) => clear(tx, &account),
        (None, None) => Ok(()),
    }
}

/// The account's settings with the changes in them; `None` when they are all cleared.
fn merged(before: Option<&Account>, changes: &ProviderChanges, region: Region) -> Result<Option<TwilioSettings>> {
    let before = before.map(|account| {
        let Settings::Twilio(twilio) = &account.settings;
        twilio
    });
    let after = |change: &Change, value: Option<String>| change.clone().unwrap_or(value);
    let account_sid = after(&changes.twilio_account_sid, before.map(|twilio| twilio.account_sid.clone()));
    let auth_token = after(&changes.twilio_auth_token, before.map(|twilio| twilio.auth_token.clone()));
    let phone_number = after(&changes.twilio_phone_number, before.map(|twilio| twilio.phone_number.to_string()));
    let service = after(&changes.twilio_messaging_service_sid, before.and_then(|twilio| twilio.messaging_service_sid.clone()));
    let (Some(account_sid), Some(auth_token), Some(phone_number)) = (account_sid.clone(), auth_token.clone(), phone_number.clone()) else {
        let together = [(FIELDS.account_sid, account_sid), (FIELDS.auth_token, auth_token), (FIELDS.phone_number, phone_number)];
        let missing = together.iter().find(|(_, value)| value.is_none()).map_or(FIELDS.account_sid, |(field, _)| field);
        let all_cleared = together.iter().all(|(_, value)| value.is_none());
        let service_given = matches!(changes.twilio_messaging_service_sid, Some(Some(_)));
        if all_cleared && !service_given {
            return Ok(None);
        }
        let text = "Is needed: account SID, auth token and phone number are set together, or all three are null.";
        return Err(Error::invalid(missing, text));
    };
    if !phone_number.starts_with('+') {
        return Err(Error::invalid(FIELDS.phone_number, "Must be in E.164 form, such as +15551234567."));
    }
    let base_url = before.and_then(|twilio| twilio.base_url.clone());
    let new = NewTwilio {
        account_sid,
        auth_token,
        api_key: None,
        phone_number,
        messaging_service_sid: service,
        whatsapp_number: None,
        base_url,
        messages_per_second: None,
        voice: VoiceChanges::default(),
    };
    let settings = new.checked(region, &FIELDS)?;
    Ok(Some(match before {
        Some(before) => with_hidden(before, settings),
        None => settings,
    }))
}

/// These settings, and what they do not show as it was before.
fn with_hidden(before: &TwilioSettings, shown: TwilioSettings) -> TwilioSettings {
    let TwilioSettings { account_sid, auth_token, phone_number, messaging_service_sid, .. } = shown;
    let mut after = before.clone();
    if before.account_sid != account_sid {
        // An API key is its account's.
        (after.api_key_sid, after.api_key_secret) = (None, String::new());
    }
    TwilioSettings { account_sid, auth_token, phone_number, messaging_service_sid, ..after }
}

/// The account of this number, switched on again, or a new one.
fn set_up(tx: &mut OrgTx<'_, '_>, settings: TwilioSettings) -> Result<()> {
    let same = |account: &Account| {
        let Settings::Twilio(twilio) = &account.settings;
        twilio.phone_number == settings.phone_number
    };
    match account::list(tx)?.into_iter().find(same) {
        Some(account) => {
            let Settings::Twilio(before) = &account.settings;
            let settings = Settings::Twilio(with_hidden(before, settings));
            let after = Account { settings, enabled: true, ..account.clone() };
            crate::account::save(tx, &account, &after)?;
            let carrier = org::current(tx)?.sms_provider;
            if carrier.is_none() {
                org::set_sms_provider(tx, Some(SmsProvider::Twilio.as_str()))?;
                let act = Act::new(Action::SettingsUpdate, tx.org());
                tx.audit(&act.changed("sms_provider", None::<&str>, SmsProvider::Twilio.as_str()))?;
            }
            Ok(())
        }
        None => add_account(tx, None, &Settings::Twilio(settings)).map(drop),
    }
}

/// Forgets the account's secret and switches it off. Its row stays, because its conversations do.
fn clear(tx: &mut OrgTx<'_, '_>, before: &Account) -> Result<()> {
    let mut account = before.clone();
    let Settings::Twilio(twilio) = &mut account.settings;
    twilio.auth_token.clear();
    (twilio.api_key_sid, twilio.api_key_secret) = (None, String::new());
    twilio.messaging_service_sid = None;
    account.enabled = false;
    crate::account::save(tx, before, &account)
}
