//! How many SMS a text makes, as a carrier splits it: 160 characters of the GSM alphabet (3GPP TS 23.038), or 153 in each of
//! several; of any other text 70 or 67 code units of UTF-16.

use crate::words;

words! {
    /// The alphabet of an SMS.
    pub enum Encoding ("encoding") {
        /// The GSM 7-bit alphabet and its extension.
        Gsm7 = "gsm7",
        /// UTF-16, for texts with any other character.
        Ucs2 = "ucs2",
    }
}

/// What a text makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segments {
    /// How many SMS, at least one.
    pub count: usize,
    /// Their alphabet.
    pub encoding: Encoding,
}

impl Segments {
    /// Of this text.
    #[must_use]
    pub fn of(body: &str) -> Self {
        if body.is_empty() {
            return Self { count: 1, encoding: Encoding::Gsm7 };
        }
        let split = sms_splitter::SplitSms::default().split(String::from(body));
        let encoding = if split.character_set == "GSM" { Encoding::Gsm7 } else { Encoding::Ucs2 };
        Self { count: split.parts.len(), encoding }
    }
}

#[cfg(test)]
mod tests {
    use super::Encoding::{Gsm7, Ucs2};
    use super::*;

    #[test]
    fn segments_follow_the_alphabet() {
        for (body, count, encoding) in [
            (String::new(), 1, Gsm7),
            ("a".repeat(160), 1, Gsm7),
            ("a".repeat(161), 2, Gsm7),
            ("a".repeat(306), 2, Gsm7),
            ("a".repeat(307), 3, Gsm7),
            ("a".repeat(1600), 11, Gsm7),
            ("€".repeat(80), 1, Gsm7),
            ("€".repeat(81), 2, Gsm7),
            ("я".repeat(70), 1, Ucs2),
            ("я".repeat(71), 2, Ucs2),
            ("👍".repeat(35), 1, Ucs2),
            ("👍".repeat(36), 2, Ucs2),
            ("👍".repeat(1600), 49, Ucs2),
        ] {
            assert_eq!(
                Segments::of(&body),
                Segments { count, encoding },
                "{} characters of {:?}",
                body.chars().count(),
                body.chars().next()
            );
        }
    }
}
