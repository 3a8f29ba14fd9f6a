//! The tenant: an org, its users and its staff.

use crate::id::{OrgId, UserId};
use crate::phone::Region;
use crate::role::Role;
use crate::{Error, Result, words};

/// An organisation.
#[derive(Debug, Clone)]
pub struct Org {
    /// Its id.
    pub id: OrgId,
    /// Its name in URLs and commands: lower-case letters, digits and hyphens.
    pub slug: String,
    /// Its name for people.
    pub name: String,
    /// The last event of its log; 0 before the first.
    pub seq: i64,
    /// Where national phone numbers are read.
    pub region: Region,
    /// Who carries SMS and calls; `None` switches sending off.
    pub sms_provider: Option<String>,
    /// When it was made, unix ms.
    pub created_ms: i64,
    /// Since when it is switched off, unix ms: nobody gets in, and its jobs rest.
    pub disabled_ms: Option<i64>,
}

words! {
    /// Who may carry an org's SMS and calls.
    pub enum SmsProvider ("sms_provider") {
        /// GoHighLevel.
        Ghl = "ghl",
        /// Twilio.
        Twilio = "twilio",
    }
}

/// A person who signs in.
#[derive(Debug, Clone)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// Unique per installation, lower case.
    pub email: String,
    /// The name that colleagues see.
    pub name: String,
    /// Since when they are switched off everywhere, unix ms.
    pub disabled_ms: Option<i64>,
}

/// A user in an org.
#[derive(Debug, Clone)]
pub struct Staff {
    /// The user.
    pub user: User,
    /// What they may do.
    pub role: Role,
}

/// Checks an org's slug: 1 to 40 lower-case letters, digits and inner hyphens.
///
/// # Errors
/// `validation_failed` on `slug`.
pub fn check_slug(slug: &str) -> Result<()> {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let fits = (1..=40).contains(&slug.len()) && slug.bytes().all(inner) && !slug.starts_with('-') && !slug.ends_with('-');
    if fits { Ok(()) } else { Err(Error::invalid("slug", "Must be 1 to 40 lower-case letters, digits and hyphens, such as acme.")) }
}

/// Checks an e-mail address and gives its comparison form (lower case).
///
/// # Errors
/// `validation_failed` on `email`.
pub fn check_email(email: &str) -> Result<String> {
    let email = email.trim().to_lowercase();
    let parts = email.split_once('@').filter(|(local, domain)| {
        !local.is_empty() && domain.contains('.') && !domain.starts_with('.') && !domain.ends_with('.') && !domain.contains('@')
    });
    if parts.is_some() && email.len() <= 254 && !email.chars().any(|c| c.is_whitespace() || c.is_control()) {
        Ok(email)
    } else {
        Err(Error::invalid("email", "Must be an e-mail address, such as ann@example.com."))
    }
}
