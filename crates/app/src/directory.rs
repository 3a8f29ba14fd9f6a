//! Orgs, people, keys and accounts: what the command line makes.

use std::borrow::Cow;

use parlance_model::account::{Account, Settings, TwilioSettings, Voice, check_sid};
use parlance_model::audit::{Act, Action, Actor};
use parlance_model::id::{KeyId, UserId};
use parlance_model::key::{Dialect, Scope, Scopes};
use parlance_model::org::{Org, check_email};
use parlance_model::phone::{Phone, Region};
use parlance_model::role::Role;
use parlance_model::{Error, Result, entropy, text};
use parlance_store::{OrgTx, SystemTx, account, key, org, staff};

use crate::account::{VoiceChanges, alone_on_service, audited_voice, changed_voice};
use crate::{App, password};

/// An API key of Twilio's, beside the account's own credentials.
#[derive(Clone)]
pub struct ApiKey {
    /// `SK…`.
    pub sid: String,
    /// Its secret.
    pub secret: String,
}

parlance_model::show_only!(ApiKey {});

impl ApiKey {
    /// The key as it is kept; what is wrong is named as in `fields`.
    ///
    /// # Errors
    /// `validation_failed`.
    pub(crate) fn checked(&self, fields: &TwilioFields) -> Result<(String, String)> {
        check_sid(fields.api_key_sid, "SK", &self.sid)?;
        let secret = text::clean(self.secret.trim());
        if secret.is_empty() || secret.contains(char::is_whitespace) {
            return Err(Error::invalid(fields.api_key_secret, "Must be the API key's secret, as Twilio's console showed it once."));
        }
        Ok((self.sid.clone(), secret))
    }
}

/// What `account create twilio` is given.
#[derive(Clone)]
pub struct NewTwilio {
    /// `AC…`.
    pub account_sid: String,
    /// The auth token.
    pub auth_token: String,
    /// What the API is asked with in the account's place.
    pub api_key: Option<ApiKey>,
    /// The number, in any written form.
    pub phone_number: String,
    /// `MG…`.
    pub messaging_service_sid: Option<String>,
    /// The number that WhatsApp messages go out from, in any written form.
    pub whatsapp_number: Option<String>,
    /// Where the API is, when it is not Twilio itself.
    pub base_url: Option<String>,
    /// How many messages are handed over in a second: 0 to 1000, 0 for no limit of ours. `None`: as many as its number may send.
    pub messages_per_second: Option<i64>,
    /// What becomes of phone calls, where it is not what a new account does.
    pub voice: VoiceChanges,
}

impl App {
    /// Makes an org.
    ///
    /// # Errors
    /// `validation_failed`; `slug_taken`.
    pub async fn create_org(&self, slug: &str, name: &str, region: &str) -> Result<Org> {
        let (slug, name, region) = (slug.to_owned(), name.to_owned(), region.to_owned());
        let write = move |tx: &mut SystemTx<'_, '_>| {
            let made = org::create(tx, &slug, &name, &region)?;
            let act = Act::new(Action::OrgCreate, made.id).with("slug", made.slug.as_str()).with("name", made.name.as_str());
            tx.audit(made.id, &Actor::COMMAND, &act)?;
            Ok(made)
        };
        self.store().system_write(write).await
    }

    /// The org of this slug.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn org(&self, slug: &str) -> Result<Org> {
        let slug = slug.to_owned();
        self.store().system_read(move |tx| org::by_slug(tx, &slug)).await
    }

    /// Puts a person into an org. Without a password one is made and answered, to be shown once.
    ///
    /// # Errors
    /// `not_found` for the org; `validation_failed`; `already_staff`.
    pub async fn create_user(
        &self,
        org: &str,
        email: &str,
        name: &str,
        role: Role,
        given: Option<String>,
    ) -> Result<(UserId, Option<String>)> {
        let org = self.org(org).await?.id;
        let made = given.is_none().then(|| entropy::token(self.0.entropy.as_ref(), 20));
        let hash = password::hash(given.as_deref().or(made.as_deref()).unwrap_or_default(), self.0.entropy.as_ref())?;
        let (email, name) = (check_email(email)?, name.to_owned());
        let write = move |tx: &mut OrgTx<'_, '_>| crate::staff::add(tx, &email, &name, role, &hash);
        let (added, is_new) = self.store().write_as(org, Actor::COMMAND, write).await?;
        // Who was a user already keeps the password that they have.
        Ok((added.user.id, made.filter(|_| is_new)))
    }

    /// Makes a key and answers its token, to be shown once.
    ///
    /// # Errors
    /// `not_found` for the org or the person; `validation_failed`.
    pub async fn create_key(
        &self,
        org: &str,
        user: Option<String>,
        name: &str,
        dialect: Option<Dialect>,
        may_assist: bool,
    ) -> Result<(KeyId, String)> {
        let org = self.org(org).await?.id;
        let name = name.to_owned();
        let token = key::new_token(self.0.entropy.as_ref());
        let kept = token.clone();
        let write = move |tx: &mut OrgTx<'_, '_>| {
            let user = match &user {
                Some(email) => Some(staff::by_email(tx, email)?.user.id),
                None => None,
            };
            let scopes = if may_assist { Scopes::FULL.with(Scope::Assistant) } else { Scopes::FULL };
            crate::key::create(tx, &key::NewKey { user, name: name.clone(), dialect, scopes, expires_ms: None }, &kept)
        };
        Ok((self.store().write_as(org, Actor::COMMAND, write).await?.id, token))
    }

    /// Makes a Twilio account, and lets it carry the org's SMS when nobody does yet.
    ///
    /// # Errors
    /// `not_found` for the org; `validation_failed`; `account_exists`.
    pub async fn create_twilio(&self, org: &str, new: NewTwilio) -> Result<Account> {
        let org = self.org(org).await?;
        let voice = new.voice.clone();
        let settings = new.checked(org.region, &FLAGS)?;
        self.store().write_as(org.id, Actor::COMMAND, move |tx| connect(tx, None, &settings, &voice, &FLAGS)).await
    }
}

/// What the values of a Twilio account are called where they come from: flags, or fields of a body.
pub(crate) struct TwilioFields {
    pub(crate) account_sid: &'static str,
    pub(crate) auth_token: &'static str,
    pub(crate) api_key_sid: &'static str,
    pub(crate) api_key_secret: &'static str,
    pub(crate) phone_number: &'static str,
    pub(crate) messaging_service_sid: &'static str,
    pub(crate) whatsapp_number: &'static str,
    pub(crate) messages_per_second: &'static str,
    pub(crate) ring: &'static str,
    pub(crate) ring_s: &'static str,
    pub(crate) greeting: &'static str,
}

pub(crate) const FLAGS: TwilioFields = TwilioFields {
    account_sid: "account-sid",
    auth_token: "auth-token",
    api_key_sid: "api-key-sid",
    api_key_secret: "api-key-secret",
    phone_number: "phone-number",
    messaging_service_sid: "messaging-service-sid",
    whatsapp_number: "whatsapp-number",
    messages_per_second: "messages-per-second",
    ring: "ring",
    ring_s: "ring-seconds",
    greeting: "greeting",
};

impl NewTwilio {
    /// The settings that it makes, but for those of calls; what is wrong is named as in `fields`.
    ///
    /// # Errors
    /// `validation_failed`.
    pub(crate) fn checked(self, region: Region, fields: &TwilioFields) -> Result<TwilioSettings> {
        check_sid(fields.account_sid, "AC", &self.account_sid)?;
        if let Some(sid) = &self.messaging_service_sid {
            check_sid(fields.messaging_service_sid, "MG", sid)?;
        }
        let auth_token = text::clean(self.auth_token.trim());
        if auth_token.is_empty() || auth_token.contains(char::is_whitespace) {
            return Err(Error::invalid(fields.auth_token, "Must be the account's auth token, as Twilio's console shows it."));
        }
        if let Some(base) = &self.base_url {
            let fits = url::Url::parse(base).is_ok_and(|url| ["http", "https"].contains(&url.scheme()) && url.host().is_some());
            if !fits {
                return Err(Error::invalid("base-url", "Must be an http or https URL, such as http://127.0.0.1:9000."));
            }
        }
        let (api_key_sid, api_key_secret) = match &self.api_key {
            Some(key) => key.checked(fields).map(|(sid, secret)| (Some(sid), secret))?,
            None => (None, String::new()),
        };
        let whatsapp_number = self.whatsapp_number.map(|number| checked_number(fields.whatsapp_number, &number, region)).transpose()?;
        check_pace(fields.messages_per_second, self.messages_per_second)?;
        Ok(TwilioSettings {
            account_sid: self.account_sid,
            auth_token,
            api_key_sid,
            api_key_secret,
            phone_number: checked_number(fields.phone_number, &self.phone_number, region)?,
            messaging_service_sid: self.messaging_service_sid,
            base_url: self.base_url,
            whatsapp_number,
            messages_per_second: self.messages_per_second,
            voice: Voice::default(),
        })
    }
}

/// The number in a field of an account.
///
/// # Errors
/// `validation_failed` on `field`.
pub(crate) fn checked_number(field: impl Into<Cow<'static, str>>, number: &str, region: Region) -> Result<Phone> {
    Phone::parse(number, region).map_err(|_| Error::invalid(field, "Must be a phone number in E.164 form, such as +15551234567."))
}

/// Checks how many messages may be handed over in a second.
///
/// # Errors
/// `validation_failed` on `field`.
pub(crate) fn check_pace(field: &'static str, pace: Option<i64>) -> Result<()> {
    match pace {
        Some(pace) if !(0..=1000).contains(&pace) => Err(Error::invalid(field, "Must be 0 to 1000; 0 is no limit.")),
        _ => Ok(()),
    }
}

/// Makes an account as somebody asks for it, its calls included.
///
/// # Errors
/// `validation_failed`; `account_exists`.
pub(crate) fn connect(
    tx: &mut OrgTx<'_, '_>,
    name: Option<&str>,
    settings: &TwilioSettings,
    voice: &VoiceChanges,
    fields: &TwilioFields,
) -> Result<Account> {
    let region = org::current(tx)?.region;
    let voice = changed_voice(tx, settings, region, voice, fields)?;
    add_account(tx, name, &Settings::Twilio(TwilioSettings { voice, ..settings.clone() }))
}

/// Makes an account, named by its number unless it has a name, and lets its provider carry the org's SMS when nobody does yet.
pub(crate) fn add_account(tx: &mut OrgTx<'_, '_>, name: Option<&str>, settings: &Settings) -> Result<Account> {
    let Settings::Twilio(twilio) = settings;
    alone_on_service(tx, None, twilio)?;
    let account = account::create(tx, name.unwrap_or(twilio.phone_number.as_str()), settings)?;
    let (carrier, provider) = (org::current(tx)?.sms_provider, account.provider().as_str());
    org::default_sms_provider(tx, provider)?;
    let act = Act::new(Action::AccountCreate, account.id).with("provider", provider).with("name", account.name.as_str());
    let act = act.with("phone_number", twilio.phone_number.as_str());
    let act = audited_voice(act, &Voice::default(), &twilio.voice);
    tx.audit(&act.changed("sms_provider", carrier.as_deref(), Some(carrier.as_deref().unwrap_or(provider))))?;
    Ok(account)
}
