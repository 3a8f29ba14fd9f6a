//! Accounts, as the people of an org see and change them.

mod voice;

use parlance_model::account::{Account, Settings, TwilioSettings};
use parlance_model::audit::{Act, Action};
use parlance_model::channel::Channel;
use parlance_model::id::AccountId;
use parlance_model::key::Principal;
use parlance_model::phone::Phone;
use parlance_model::{Error, Result, text};
use parlance_store::{OrgTx, account, health, job, org, pace};

use crate::App;
use crate::directory::{ApiKey, NewTwilio, TwilioFields, check_pace, checked_number, connect};

pub use voice::{GREETING_LIMIT, LONGEST_RING_S, RING_LIMIT, RingChange, RingOwner, SHORTEST_RING_S, VoiceChanges};
pub(crate) use voice::{audited as audited_voice, changed as changed_voice};

/// What the fields of an account are called over the API.
pub(crate) const FIELDS: TwilioFields = TwilioFields {
    account_sid: "account_sid",
    auth_token: "auth_token",
    api_key_sid: "api_key.sid",
    api_key_secret: "api_key.secret",
    phone_number: "phone_number",
    messaging_service_sid: "messaging_service_sid",
    whatsapp_number: "whatsapp_number",
    messages_per_second: "messages_per_second",
    ring: "voice.ring",
    ring_s: "voice.ring_seconds",
    greeting: "voice.greeting",
};

/// What a change sets. `None` leaves a field alone; `Some(None)` clears it.
#[derive(Debug, Clone, Default)]
pub struct AccountChanges {
    /// The name that staff see.
    pub name: Option<String>,
    /// Whether it sends and receives.
    pub enabled: Option<bool>,
    /// What the API is asked with in the account's place.
    pub api_key: Option<Option<ApiKey>>,
    /// The number that WhatsApp messages go out from, in any written form.
    pub whatsapp_number: Option<Option<String>>,
    /// How many messages are handed over in a second: 0 to 1000, 0 for no limit of ours.
    pub messages_per_second: Option<Option<i64>>,
    /// What becomes of phone calls.
    pub voice: VoiceChanges,
}

impl App {
    /// The org's accounts, oldest first, and how many there are.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn accounts(&self, who: &Principal, limit: i64, offset: i64) -> Result<(Vec<Account>, i64)> {
        let accounts = self.store().read(who.org, account::list).await?;
        let (total, from, rows) = (accounts.len() as i64, usize::try_from(offset), usize::try_from(limit));
        let page = accounts.into_iter().skip(from.unwrap_or(usize::MAX)).take(rows.unwrap_or(0));
        Ok((page.collect(), total))
    }

    /// One account.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn account(&self, who: &Principal, id: AccountId) -> Result<Account> {
        self.store().read(who.org, move |tx| account::get(tx, id)).await
    }

    /// Makes a Twilio account, and lets it carry the org's SMS when nobody does yet.
    ///
    /// # Errors
    /// `validation_failed`; `account_exists`.
    pub async fn add_twilio(&self, who: &Principal, name: Option<String>, new: NewTwilio) -> Result<Account> {
        let region = self.store().read(who.org, org::current).await?.region;
        let voice = new.voice.clone();
        let settings = new.checked(region, &FIELDS)?;
        let name = name.as_deref().map(checked_name).transpose()?;
        self.write_as(who, move |tx| connect(tx, name.as_deref(), &settings, &voice, &FIELDS)).await
    }

    /// Changes what is given.
    ///
    /// # Errors
    /// `not_found`; `validation_failed`.
    pub async fn change_account(&self, who: &Principal, id: AccountId, changes: AccountChanges) -> Result<Account> {
        self.write_as(who, move |tx| change(tx, id, &changes, &FIELDS)).await
    }

    /// Where the provider of an account calls us.
    #[must_use]
    pub fn hook_url(&self, account: &Account) -> String {
        format!("{}/webhooks/{}/a/{}", self.0.config.public_url, account.provider(), account.hook_token)
    }
}

/// The account, as long as it works.
///
/// # Errors
/// `not_found`; `account_disabled`.
pub(crate) fn working(tx: &mut OrgTx<'_, '_>, id: AccountId) -> Result<Account> {
    let found = account::get(tx, id)?;
    if found.works() {
        return Ok(found);
    }
    Err(Error::refused("account_disabled", "The account or its organisation is switched off. Switch it on first."))
}

/// Changes what is given; what is wrong is named as in `fields`.
pub(crate) fn change(tx: &mut OrgTx<'_, '_>, id: AccountId, changes: &AccountChanges, fields: &TwilioFields) -> Result<Account> {
    let before = account::get(tx, id)?;
    let mut account = before.clone();
    if let Some(name) = &changes.name {
        account.name = checked_name(name)?;
    }
    let Settings::Twilio(twilio) = &mut account.settings;
    if let Some(key) = &changes.api_key {
        let key = key.as_ref().map(|key| key.checked(fields)).transpose()?;
        (twilio.api_key_sid, twilio.api_key_secret) = key.map_or((None, String::new()), |(sid, secret)| (Some(sid), secret));
    }
    if let Some(number) = &changes.whatsapp_number {
        twilio.whatsapp_number =
            number.as_deref().map(|number| checked_number(fields.whatsapp_number, number, before.region)).transpose()?;
    }
    if let Some(pace) = changes.messages_per_second {
        check_pace(fields.messages_per_second, pace)?;
        twilio.messages_per_second = pace;
    }
    twilio.voice = changed_voice(tx, twilio, before.region, &changes.voice, fields)?;
    let enabled = changes.enabled.unwrap_or(account.enabled);
    switch(&mut account, enabled)?;
    save(tx, &before, &account)?;
    if changes.enabled == Some(true) {
        go_on(tx, id)?;
    }
    Ok(account)
}

/// Switches an account on or off.
///
/// # Errors
/// `validation_failed` when it has no secret to work with.
pub(crate) fn switch(account: &mut Account, enabled: bool) -> Result<()> {
    let Settings::Twilio(twilio) = &account.settings;
    if enabled && twilio.auth_token.is_empty() {
        return Err(Error::invalid("enabled", "This account's secrets were cleared. Set them with PUT /settings/providers first."));
    }
    account.enabled = enabled;
    Ok(())
}

/// Lets an account that its provider refused, or that was switched off, try again at once: somebody says that it works now.
fn go_on(tx: &mut OrgTx<'_, '_>, id: AccountId) -> Result<()> {
    job::recall_files(tx, id)?;
    if pace::release(tx, id)? {
        tx.audit(&Act::new(Action::AccountUpdate, id).with("released", true))?;
    }
    Ok(())
}

/// Writes an account as it now is, where anything changed. Other credentials are given the benefit of the doubt: the account
/// is not failing any more, until the provider says so again.
pub(crate) fn save(tx: &mut OrgTx<'_, '_>, before: &Account, after: &Account) -> Result<()> {
    let (Settings::Twilio(was), Settings::Twilio(is)) = (&before.settings, &after.settings);
    let act = Act::new(Action::AccountUpdate, after.id)
        .changed("name", before.name.as_str(), after.name.as_str())
        .changed("enabled", before.enabled, after.enabled)
        .changed("phone_number", was.phone_number.as_str(), is.phone_number.as_str())
        .changed("whatsapp_number", was.whatsapp_number.as_ref().map(Phone::as_str), is.whatsapp_number.as_ref().map(Phone::as_str))
        .changed("messaging_service_sid", was.messaging_service_sid.as_deref(), is.messaging_service_sid.as_deref())
        .changed("messages_per_second", was.messages_per_second, is.messages_per_second)
        .hidden("account_sid", was.account_sid != is.account_sid)
        .changed("api_key_sid", was.api_key_sid.as_deref(), is.api_key_sid.as_deref())
        .hidden("auth_token", was.auth_token != is.auth_token)
        .hidden("api_key_secret", was.api_key_secret != is.api_key_secret);
    let act = audited_voice(act, &was.voice, &is.voice);
    if !act.changes_something() {
        return Ok(());
    }
    if after.enabled {
        alone_on_service(tx, Some(after.id), is)?;
    }
    account::save(tx, after)?;
    if [Channel::Sms, Channel::Whatsapp].into_iter().any(|channel| was.pace(channel) != is.pace(channel)) {
        pace::changes(tx, after.id)?;
    }
    if after.enabled && !before.enabled {
        job::recall_files(tx, after.id)?;
    }
    if was.account_sid != is.account_sid || was.auth_token != is.auth_token || was.credentials() != is.credentials() {
        health::works(tx, after.id)?;
        pace::release(tx, after.id)?;
    }
    tx.audit(&act)
}

/// What comes to a number of a Messaging Service comes to the service's account: there is one, or both would take it in.
pub(crate) fn alone_on_service(tx: &mut OrgTx<'_, '_>, own: Option<AccountId>, of: &TwilioSettings) -> Result<()> {
    let Some(service) = &of.messaging_service_sid else { return Ok(()) };
    let same = |other: &Account| {
        let Settings::Twilio(twilio) = &other.settings;
        other.enabled && Some(other.id) != own && twilio.messaging_service_sid.as_ref() == Some(service)
    };
    match account::list(tx)?.into_iter().find(same) {
        Some(other) => Err(Error::conflict(
            "account_exists",
            format!("The account {} ({}) has this Messaging Service already, with all of its numbers.", other.id, other.name),
        )),
        None => Ok(()),
    }
}

fn checked_name(name: &str) -> Result<String> {
    let name = text::clean(name.trim());
    if name.is_empty() || name.len() > 200 { Err(Error::invalid("name", "Must be 1 to 200 bytes.")) } else { Ok(name) }
}
