//! Orgs, people, keys and accounts: what the command line makes.

use parlance_model::account::{Account, Settings, TwilioSettings, check_sid};
use parlance_model::id::{KeyId, UserId};
use parlance_model::key::Dialect;
use parlance_model::org::{Org, check_email};
use parlance_model::phone::Phone;
use parlance_model::role::Role;
use parlance_model::{Error, Result, entropy};
use parlance_store::{account, key, org, staff};

use crate::{App, password};

/// What `account create twilio` is given.
#[derive(Clone)]
pub struct NewTwilio {
    /// `AC…`.
    pub account_sid: String,
    /// The auth token.
    pub auth_token: String,
    /// The number, in any written form.
    pub phone_number: String,
    /// `MG…`.
    pub messaging_service_sid: Option<String>,
    /// Where the API is, when it is not Twilio itself.
    pub base_url: Option<String>,
}

impl App {
    /// Makes an org.
    ///
    /// # Errors
    /// `validation_failed`; `slug_taken`.
    pub async fn create_org(&self, slug: &str, name: &str, region: &str) -> Result<Org> {
        let (slug, name, region) = (slug.to_owned(), name.to_owned(), region.to_owned());
        self.store().system_write(move |tx| org::create(tx, &slug, &name, &region)).await
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
        let user = self.store().system_write(move |tx| staff::add(tx, org, &email, &name, role, &hash)).await?;
        Ok((user, made))
    }

    /// Whether this is the user's password.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn check_password(&self, email: &str, given: &str) -> Result<Option<UserId>> {
        let email = check_email(email)?;
        let found = self.store().system_read(move |tx| staff::password_hash(tx, &email)).await?;
        Ok(found.filter(|(_, hash)| password::verify(given, hash)).map(|(user, _)| user))
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
        let id = self
            .store()
            .system_write(move |tx| {
                let user = match &user {
                    Some(email) => Some(staff::by_email(tx, org, email)?.user.id),
                    None => None,
                };
                key::create(tx, &key::NewKey { org, user, name: name.clone(), dialect, may_assist }, &kept)
            })
            .await?;
        Ok((id, token))
    }

    /// Makes a Twilio account, and lets it carry the org's SMS when nobody does yet.
    ///
    /// # Errors
    /// `not_found` for the org; `validation_failed`; `account_exists`.
    pub async fn create_twilio(&self, org: &str, new: NewTwilio) -> Result<Account> {
        let org = self.org(org).await?;
        check_sid("account-sid", "AC", &new.account_sid)?;
        if let Some(sid) = &new.messaging_service_sid {
            check_sid("messaging-service-sid", "MG", sid)?;
        }
        if new.auth_token.trim().is_empty() {
            return Err(Error::invalid("auth-token", "Must be the account's auth token, as Twilio's console shows it."));
        }
        if let Some(base) = &new.base_url {
            let fits = url::Url::parse(base).is_ok_and(|url| ["http", "https"].contains(&url.scheme()) && url.host().is_some());
            if !fits {
                return Err(Error::invalid("base-url", "Must be an http or https URL, such as http://127.0.0.1:9000."));
            }
        }
        let settings = Settings::Twilio(TwilioSettings {
            account_sid: new.account_sid,
            auth_token: new.auth_token.trim().to_owned(),
            phone_number: Phone::parse(&new.phone_number, org.region)?,
            messaging_service_sid: new.messaging_service_sid,
            base_url: new.base_url,
        });
        self.store()
            .write(org.id, move |tx| {
                let Settings::Twilio(twilio) = &settings;
                let account = account::create(tx, twilio.phone_number.as_str(), &settings)?;
                org::default_sms_provider(tx, "twilio")?;
                Ok(account)
            })
            .await
    }
}
