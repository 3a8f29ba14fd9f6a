//! Addresses on the telephone network. A number can only be made by [`Phone::parse`], so whatever carries a
//! `Phone` carries E.164 (ITU-T E.164, as the metadata of libphonenumber knows it).

use std::fmt;
use std::str::FromStr;

use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumberFormat, PhoneNumberType, Region as MetadataRegion};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::masked::Masked;

/// An E.164 number, such as `+15551234567`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Phone(String);

impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Masked(&self.0).fmt(f)
    }
}

/// Kinds of lines that send at different paces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// A number of the North American numbering plan.
    Long,
    /// One of its toll-free numbers.
    TollFree,
    /// A number of anywhere else.
    Other,
}

/// The region that a national number is read in: ISO 3166-1 alpha-2, such as `US`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Region(MetadataRegion);

impl FromStr for Region {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        // Some codes, such as ZZ, are regions of the metadata and have no numbers.
        let has_numbers = |region: &MetadataRegion| PHONE_NUMBER_UTIL.get_country_code_for_region(*region).is_some();
        let known = MetadataRegion::from_str(text).ok().filter(has_numbers);
        known.map(Self).ok_or_else(|| Error::invalid("region", "Must be a two-letter country code of ISO 3166-1, such as US."))
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Phone {
    /// Reads a number as people and providers write it: `+1 555 123-4567`, `(555) 123-4567`, `0049 30 …`,
    /// full-width digits, `tel:` and `whatsapp:` prefixes. National forms are read in `region`.
    ///
    /// Numbers of a length that exists are accepted even when no carrier has been given their range, because
    /// ranges are assigned faster than metadata is published.
    ///
    /// # Errors
    /// `validation_failed` on `phone`.
    pub fn parse(text: &str, region: Region) -> Result<Self> {
        let wrong = || Error::invalid("phone", "Must be a phone number, best in E.164 form, such as +15551234567.");
        let text = text.trim();
        let text = text.strip_prefix("whatsapp:").or_else(|| text.strip_prefix("tel:")).unwrap_or(text);
        if text.len() > LONGEST || text.chars().any(char::is_alphabetic) {
            return Err(wrong());
        }
        // With more zeros in front than belong there its form would read as another number. Whoever reads it again must find the same.
        let mut number = text.to_owned();
        for _ in 0..LONGEST {
            let read = read(&number, region).ok_or_else(wrong)?;
            if read == number {
                return Ok(Self(number));
            }
            number = read;
        }
        Err(wrong())
    }

    /// What kind of line it is, as far as its digits say.
    #[must_use]
    pub fn line(&self) -> Line {
        match self.0.strip_prefix("+1") {
            Some(national) if ["800", "833", "844", "855", "866", "877", "888"].contains(&national.get(..3).unwrap_or_default()) => {
                Line::TollFree
            }
            Some(_) => Line::Long,
            None => Line::Other,
        }
    }

    /// Whether calls to it earn its owner money by the minute, as the numbering plans say (`+1 900 …`, `+44 9…`): no number of a contact
    /// or of the staff, and what fraud is made with.
    #[must_use]
    pub fn is_premium(&self) -> bool {
        PHONE_NUMBER_UTIL.parse(&self.0, None).is_ok_and(|number| {
            let kind = PHONE_NUMBER_UTIL.get_number_type(&number);
            kind == PhoneNumberType::PremiumRate
        })
    }

    /// The E.164 text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Bytes of the longest text that is read as a number.
const LONGEST: usize = 64;

/// The E.164 form of what is written.
fn read(text: &str, region: Region) -> Option<String> {
    let international = text.strip_prefix("00").map(|rest| format!("+{rest}"));
    let number = international
        .and_then(|text| PHONE_NUMBER_UTIL.parse(&text, None).ok())
        .filter(|number| PHONE_NUMBER_UTIL.is_possible_number(number));
    let number = match number {
        Some(number) => number,
        None => PHONE_NUMBER_UTIL.parse(text, Some(region.0)).ok()?,
    };
    PHONE_NUMBER_UTIL.is_possible_number(&number).then(|| PHONE_NUMBER_UTIL.format(&number, PhoneNumberFormat::E164).into_owned())
}

impl fmt::Display for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Phone {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        // Region-free: what was stored is E.164 already.
        if text.starts_with('+') && text.len() > 3 && text[1..].bytes().all(|byte| byte.is_ascii_digit()) {
            Ok(Self(text))
        } else {
            Err(serde::de::Error::custom("a phone number in E.164 form"))
        }
    }
}

/// Whatever a provider may name as the other side of a text message.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", content = "value", rename_all = "snake_case")]
pub enum Address {
    /// A full number.
    Phone(Phone),
    /// A short code, such as `262966`: digits that are no number.
    ShortCode(String),
    /// A name in place of a number, such as `DHL`.
    Name(String),
    /// The caller hid the number.
    Anonymous,
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Phone(phone) => write!(f, "Phone({phone:?})"),
            Self::ShortCode(code) => write!(f, "ShortCode({code})"),
            Self::Name(name) => write!(f, "Name({})", Masked(name)),
            Self::Anonymous => f.write_str("Anonymous"),
        }
    }
}

impl Address {
    /// Reads what a provider sends as sender or recipient. Never fails: what is neither a number nor a short code is a name.
    #[must_use]
    pub fn parse(text: &str, region: Region) -> Self {
        let text = crate::text::clean(text);
        let text = text.trim();
        let bare = text.strip_prefix("whatsapp:").unwrap_or(text).trim();
        // Twilio's ways to say "hidden" (providers/CONTRACTS.md, a).
        if ["", "anonymous", "restricted", "unknown", "unavailable", "private"].contains(&bare.to_ascii_lowercase().as_str())
            || ["+266696687", "266696687", "+86282452253", "86282452253", "+7378742833", "7378742833"].contains(&bare)
        {
            return Self::Anonymous;
        }
        if bare.bytes().all(|byte| byte.is_ascii_digit()) && bare.len() <= 8 {
            return Self::ShortCode(bare.to_owned());
        }
        match Phone::parse(bare, region) {
            Ok(phone) => Self::Phone(phone),
            Err(_) => Self::Name(bare.chars().take(64).collect()),
        }
    }

    /// The identity's value and the peer part of a session key: the E.164 number, the short code, the lower-case name.
    #[must_use]
    pub fn key(&self) -> String {
        match self {
            Self::Phone(phone) => phone.as_str().to_owned(),
            Self::ShortCode(code) => code.clone(),
            Self::Name(name) => name.to_lowercase(),
            Self::Anonymous => "anonymous".to_owned(),
        }
    }

    /// What people see in place of a name.
    #[must_use]
    pub fn display(&self) -> &str {
        match self {
            Self::Phone(phone) => phone.as_str(),
            Self::ShortCode(text) | Self::Name(text) => text,
            Self::Anonymous => "Anonymous",
        }
    }

    /// The number, where there is one.
    #[must_use]
    pub fn phone(&self) -> Option<&Phone> {
        match self {
            Self::Phone(phone) => Some(phone),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Whatever somebody may type or send: anything at all, and what looks like a number.
    fn typed() -> impl Strategy<Value = String> {
        prop_oneof![any::<String>(), "[+0-9０-９()./ \\-;=xextphoncwisal:,#*~\u{0}\u{200e}]{0,40}", "(whatsapp:|tel:)?(\\+|00)?[0-9]{1,18}"]
    }

    fn region() -> impl Strategy<Value = Region> {
        prop::sample::select(vec!["US", "DE", "GB", "IT", "AR", "MX", "BR", "CI", "SM", "AU"]).prop_map(|code| code.parse().unwrap())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn a_number_that_was_read_once_reads_back_as_itself_everywhere(text in typed(), here in region(), there in region()) {
            if let Ok(phone) = Phone::parse(&text, here) {
                prop_assert_eq!(Phone::parse(phone.as_str(), there).ok(), Some(phone.clone()));
                let json = serde_json::to_string(&phone).unwrap();
                prop_assert_eq!(serde_json::from_str::<Phone>(&json).ok(), Some(phone));
            }
        }

        #[test]
        fn an_address_always_has_a_key_and_one_of_digits_reads_back_as_itself(text in typed(), region in region()) {
            let address = Address::parse(&text, region);
            prop_assert!(!address.key().trim().is_empty());
            if !matches!(address, Address::Name(_)) {
                prop_assert_eq!(Address::parse(&address.key(), region), address);
            }
        }
    }

    fn us() -> Region {
        "US".parse().unwrap()
    }

    #[test]
    fn numbers_in_every_written_form_become_one() {
        for text in [
            "+15551234567",
            "(555) 123-4567",
            "555-123-4567",
            "1 555 123 4567",
            "+1 (555) 123-4567",
            "001 555 123 4567",
            "whatsapp:+15551234567",
            "tel:+15551234567",
            "+１５５５１２３４５６７",
            " +15551234567 ",
        ] {
            assert_eq!(Phone::parse(text, us()).map(|phone| phone.to_string()).ok().as_deref(), Some("+15551234567"), "{text}");
        }
        assert_eq!(Phone::parse("0049 30 901820", us()).unwrap().as_str(), "+4930901820");
        assert_eq!(Phone::parse("030 901820", "DE".parse().unwrap()).unwrap().as_str(), "+4930901820");
    }

    #[test]
    fn zeros_too_many_make_no_other_number() {
        let de = "DE".parse().unwrap();
        for text in ["+49 (0)30 901820", "+49 0030 901820", "+49 00 030 901820", "0049 (0) 030 901820"] {
            assert_eq!(Phone::parse(text, de).map(|phone| phone.to_string()).ok().as_deref(), Some("+4930901820"), "{text}");
        }
    }

    #[test]
    fn what_is_no_country_is_no_region() {
        for text in ["", "ZZ", "XX", "USA", "U", "1"] {
            assert!(text.parse::<Region>().is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_that_cost_by_the_minute_are_known() {
        for (text, premium) in
            [("+19002345678", true), ("+449012345678", true), ("+4930901820", false), ("+14155552671", false), ("+18005551212", false)]
        {
            assert_eq!(Phone::parse(text, us()).unwrap().is_premium(), premium, "{text}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["", "+", "123", "hello", "+1555", "+999999999999999999", "555-CALL-NOW", "+1\u{0}5551234567x"] {
            assert!(Phone::parse(text, us()).is_err(), "{text}");
        }
    }

    #[test]
    fn short_codes_names_and_hidden_callers_have_identities_of_their_own() {
        assert_eq!(Address::parse("262966", us()), Address::ShortCode("262966".into()));
        assert_eq!(Address::parse("DHL", us()), Address::Name("DHL".into()));
        assert_eq!(Address::parse("+266696687", us()), Address::Anonymous);
        for nobody in ["", "\0 ", "whatsapp: ", "\0Private"] {
            assert_eq!(Address::parse(nobody, us()), Address::Anonymous, "{nobody:?}");
        }
        assert_eq!(Address::parse("whatsapp:+15551234567", us()).key(), "+15551234567");
    }
}
