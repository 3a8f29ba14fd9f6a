//! Text: what is kept from strangers' input, and the normalised form that search compares.

use unicode_normalization::UnicodeNormalization;

use crate::phone::{Phone, Region};

/// Drops NUL, which PostgreSQL refuses in text. Everything else is kept as it came.
#[must_use]
pub fn clean(text: &str) -> String {
    if text.contains('\0') { text.replace('\0', "") } else { text.to_owned() }
}

/// The first line or so of a message for lists: one line, at most `max_chars` characters, an ellipsis when cut.
#[must_use]
pub fn preview(body: &str, max_chars: usize) -> String {
    let mut words = String::new();
    for word in body.split_whitespace() {
        if !words.is_empty() {
            words.push(' ');
        }
        words.push_str(word);
        if words.chars().count() > max_chars {
            let mut cut: String = words.chars().take(max_chars.saturating_sub(1)).collect();
            cut.push('…');
            return cut;
        }
    }
    words
}

/// The comparison form of names and addresses: letters as [`folded`], runs of white space as one blank.
#[must_use]
pub fn fold(text: &str) -> String {
    let folded: String = folded(text).filter(|c| *c != '\0').collect();
    folded.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The form in which every search compares letters: NFKC, lower case, without the diacritics of the block U+0300–036F.
pub fn folded(text: &str) -> impl Iterator<Item = char> {
    text.nfkd()
        .flat_map(char::to_lowercase)
        .nfkd()
        .filter(|c| !matches!(c, '\u{300}'..='\u{36f}'))
        // Small sigma has a form for the end of a word, which capitals do not tell apart.
        .map(|c| if c == 'ς' { 'σ' } else { c })
        .nfc()
}

/// What a search over people looks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needle {
    /// What was typed: folded, and bare digits when it is written like a phone number.
    pub text: String,
    /// The digits of the E.164 number that was typed, where they read differently: a national form with its trunk zero.
    pub number: Option<String>,
}

/// The needle of a search over people; national numbers are read in `region`. `None` when nothing is left to look for.
#[must_use]
pub fn needle(text: &str, region: Region) -> Option<Needle> {
    let folded = fold(text);
    let digits: String = folded.chars().filter(char::is_ascii_digit).collect();
    let phone_like = digits.len() >= 3 && folded.chars().all(|c| c.is_ascii_digit() || " +-()./\u{2010}\u{2013}".contains(c));
    if !phone_like {
        return (!folded.is_empty()).then_some(Needle { text: folded, number: None });
    }
    let text = digits.trim_start_matches("00").to_owned();
    // Behind the country code stand the digits that were typed, unless the region drops some of them.
    let number = Phone::parse(&folded, region).ok().map(|phone| phone.as_str().trim_start_matches('+').to_owned());
    let number = number.filter(|number| !number.contains(&text));
    (!text.is_empty()).then_some(Needle { text, number })
}

/// `needle` with the wildcards of LIKE escaped by `\`, ready to stand between two `%`.
#[must_use]
pub fn like_escape(needle: &str) -> String {
    needle.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nul_goes_and_everything_else_stays() {
        assert_eq!(clean("a\0b\u{200b}\u{202e}👍"), "ab\u{200b}\u{202e}👍");
    }

    #[test]
    fn a_preview_is_one_line_and_cut_between_characters() {
        assert_eq!(preview("Hi,\n  there", 80), "Hi, there");
        assert_eq!(preview("äöüäöü", 4), "äöü…");
        assert_eq!(preview("", 4), "");
    }

    #[test]
    fn a_number_is_found_however_it_is_written() {
        let found = |typed: &str, region: &str| needle(typed, region.parse().unwrap()).map(|needle| (needle.text, needle.number));
        let text = |text: &str| Some((text.to_owned(), None));
        assert_eq!(found("(555) 987-6543", "US"), text("5559876543"));
        assert_eq!(found("+1 555", "US"), text("1555"));
        assert_eq!(found("ＪＯＨＮ  Doe", "US"), text("john doe"));
        assert_eq!(found(" \0 ", "US"), None);
        assert_eq!(found("000", "DE"), text("0"));
        assert_eq!(found("0049 30 901820", "DE"), text("4930901820"));
        for typed in ["030 901820", "030/901820", "(030) 90-18-20", "０３０ ９０１８２０", "030–901820"] {
            assert_eq!(found(typed, "DE"), Some(("030901820".to_owned(), Some("4930901820".to_owned()))), "{typed}");
        }
    }

    #[test]
    fn accents_case_and_width_make_no_difference() {
        for (typed, folded) in [
            ("Müller", "muller"),
            ("JOSÉ\tÁlvarez", "jose alvarez"),
            ("u\u{308}nal", "unal"),
            ("İnan", "inan"),
            ("Ｊörg", "jorg"),
            ("ΝΊΚΟΣ", "νικοσ"),
            ("한국", "한국"),
            ("Straße", "straße"),
        ] {
            assert_eq!(fold(typed), folded);
            assert_eq!(fold(folded), folded);
        }
    }

    #[test]
    fn wildcards_are_taken_literally() {
        assert_eq!(like_escape("50%_\\"), "50\\%\\_\\\\");
    }
}
