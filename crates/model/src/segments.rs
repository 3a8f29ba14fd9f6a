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
        if body.chars().all(|char| septets(char).is_some()) {
            return Self { count: parts(body.chars().filter_map(septets), 160, 153), encoding: Encoding::Gsm7 };
        }
        Self { count: parts(body.chars().map(char::len_utf16), 70, 67), encoding: Encoding::Ucs2 }
    }
}

/// Septets of a character in the GSM alphabet, two in its extension; `None` of any other.
fn septets(char: char) -> Option<usize> {
    match char {
        '\u{c}' | '[' | '\\' | ']' | '^' | '{' | '|' | '}' | '~' | '€' => Some(2),
        '`' => None,
        '\n' | '\r' | ' '..='~' => Some(1),
        _ => "¡£¤¥§¿ÄÅÆÇÉÑÖØÜßàäåæèéìñòöøùüΓΔΘΛΞΠΣΦΨΩ".contains(char).then_some(1),
    }
}

/// How many SMS hold characters of these sizes: one of `whole`, or several of `part` each, which cut no character in two.
fn parts(sizes: impl Iterator<Item = usize> + Clone, whole: usize, part: usize) -> usize {
    if sizes.clone().sum::<usize>() <= whole {
        return 1;
    }
    let (count, _) = sizes.fold((1, 0), |(count, used), size| if used + size > part { (count + 1, size) } else { (count, used + size) });
    count
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

    #[test]
    fn the_alphabet_is_that_of_a_splitter() {
        for char in '\0'..='\u{ffff}' {
            let split = sms_splitter::SplitSms::default().split(char.to_string());
            assert_eq!(septets(char), (split.character_set == "GSM").then_some(split.bytes), "{char:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn segments_are_those_of_a_splitter(body in "[a-z €\\[`Ωé\\n\\r\u{c}]{1,400}|[a€я👍]{1,200}|\\PC{1,200}") {
            let split = sms_splitter::SplitSms::default().split(body.clone());
            let encoding = if split.character_set == "GSM" { Gsm7 } else { Ucs2 };
            proptest::prop_assert_eq!(Segments::of(&body), Segments { count: split.parts.len(), encoding });
        }
    }
}
