//! The tenant: an org, its users and its staff.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

use crate::id::{OrgId, UserId};
use crate::phone::Region;
use crate::role::Role;
use crate::{Error, Result, show_only, words};

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
#[derive(Clone)]
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

show_only!(User { id });

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

/// A slug for an org of this name: its Latin letters without their marks, its digits, and hyphens between them. `org` when nothing is left.
#[must_use]
pub fn suggest_slug(name: &str) -> String {
    let mut slug = String::new();
    for c in name.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase) {
        let hyphen = !slug.is_empty() && !slug.ends_with('-');
        match c {
            'ß' => slug.push_str("ss"),
            'ø' => slug.push('o'),
            'æ' => slug.push_str("ae"),
            'ł' => slug.push('l'),
            // An apostrophe stands inside a word.
            '\'' | '’' => {}
            _ if c.is_ascii_alphanumeric() => slug.push(c),
            _ if hyphen => slug.push('-'),
            _ => {}
        }
    }
    slug.truncate(40);
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() { "org".to_owned() } else { slug.to_owned() }
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

#[cfg(test)]
mod tests {
    use super::{check_slug, suggest_slug};

    #[test]
    fn every_name_suggests_a_slug_that_is_taken() {
        let long = "Long ".repeat(30);
        for (name, slug) in [
            ("Acme Bikes", "acme-bikes"),
            ("  Spoke & Wheel, Inc. ", "spoke-wheel-inc"),
            ("Müller's Straße №5", "mullers-strasse-no5"),
            ("ＡＣＭＥ", "acme"),
            ("株式会社", "org"),
            ("--", "org"),
            ("", "org"),
            (&long, "long-long-long-long-long-long-long-long"),
        ] {
            assert_eq!(suggest_slug(name), slug, "{name}");
            check_slug(&suggest_slug(name)).unwrap();
        }
    }
}
