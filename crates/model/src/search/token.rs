//! The tokens of a text: runs of letters, marks and digits in their folded form. In scripts that write without spaces, each
//! character is a token.

use std::borrow::Cow;
use std::ops::Range;

use unicode_normalization::char::{canonical_combining_class, decompose_compatible, is_combining_mark};
use unicode_normalization::{IsNormalized, is_nfc_quick};

use crate::text::folded;

/// Tokens of a text that count; what follows them is not found.
const MOST: usize = 10_000;
/// Bytes of a text's tokens that count. PostgreSQL keeps less than a mebibyte a row.
const MOST_BYTES: usize = 400_000;
/// Characters of a token that count.
const LONGEST: usize = 64;

/// A token and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Its folded form.
    pub text: String,
    /// Its bytes in the text.
    pub range: Range<usize>,
    /// A character of a script without spaces.
    pub single: bool,
    /// The next token follows at once: both are single characters with nothing between them.
    pub joined: bool,
}

/// The tokens of a text, in order.
#[must_use]
pub fn tokens(text: &str) -> Vec<Token> {
    let mut made = Made::default();
    let mut chars = text.char_indices().peekable();
    while let Some((start, first)) = chars.next() {
        // What composes with a character, or decomposes with it, belongs to it.
        let mut alone = true;
        while chars.next_if(|(_, next)| !begins(*next)).is_some() {
            alone = false;
        }
        let end = chars.peek().map_or(text.len(), |(next, _)| *next);
        if alone && first.is_ascii() {
            made.take(first.to_ascii_lowercase(), start..end);
        } else {
            folded(&text[start..end]).for_each(|c| made.take(c, start..end));
        }
        if made.is_full() {
            break;
        }
    }
    made.done
}

/// The words that an index keeps for these tokens: each token, and the pairs of joined characters, which are rarer than
/// the characters.
pub fn index_terms(tokens: &[Token]) -> impl Iterator<Item = Cow<'_, str>> {
    tokens.iter().enumerate().flat_map(|(at, token)| {
        let next = tokens.get(at + 1).filter(|_| token.joined);
        let pair = next.map(|next| Cow::Owned(format!("{}{}", token.text, next.text)));
        std::iter::once(Cow::Borrowed(token.text.as_str())).chain(pair)
    })
}

/// Whether no normalisation joins this character to what stands before it.
fn begins(c: char) -> bool {
    if c.is_ascii() {
        return true;
    }
    let mut first = None;
    decompose_compatible(c, |part| {
        first.get_or_insert(part);
    });
    let first = first.unwrap_or(c);
    canonical_combining_class(first) == 0 && is_nfc_quick(std::iter::once(first)) != IsNormalized::Maybe
}

/// Whether the script writes words without spaces between them.
const fn is_unspaced(c: char) -> bool {
    matches!(c,
        '\u{0e00}'..='\u{0eff}' // Thai, Lao
        | '\u{1000}'..='\u{109f}' // Myanmar
        | '\u{1780}'..='\u{17ff}' // Khmer
        | '\u{3005}'..='\u{3007}' // iteration mark, closing mark, zero
        | '\u{3040}'..='\u{30ff}' | '\u{31f0}'..='\u{31ff}' // Kana
        | '\u{3100}'..='\u{312f}' // Bopomofo
        | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}' // Han
    )
}

/// The tokens so far, and the one that is being read.
#[derive(Default)]
struct Made {
    done: Vec<Token>,
    bytes: usize,
    /// Whether the last token can still grow.
    open: bool,
    /// Whether the last token is a single character with nothing behind it yet.
    touching: bool,
    /// Characters of the last token.
    chars: usize,
}

impl Made {
    fn take(&mut self, c: char, range: Range<usize>) {
        let mark = !c.is_ascii() && is_combining_mark(c);
        if !c.is_alphanumeric() && !mark {
            (self.open, self.touching) = (false, false);
        } else if is_unspaced(c) {
            if let Some(last) = self.done.last_mut().filter(|_| self.touching) {
                last.joined = true;
            }
            self.push(c, range, true);
        } else if let Some(last) = self.done.last_mut().filter(|_| self.open) {
            last.range.end = range.end;
            if self.chars < LONGEST {
                last.text.push(c);
                self.chars += 1;
                self.bytes += c.len_utf8();
            }
        } else if mark {
            // A mark without a letter before it says nothing.
            self.touching = false;
        } else {
            self.push(c, range, false);
        }
    }

    fn push(&mut self, c: char, range: Range<usize>, single: bool) {
        self.done.push(Token { text: c.to_string(), range, single, joined: false });
        self.bytes += c.len_utf8();
        self.chars = 1;
        (self.open, self.touching) = (!single, single);
    }

    fn is_full(&self) -> bool {
        (self.done.len() >= MOST || self.bytes >= MOST_BYTES) && !self.open
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use unicode_normalization::UnicodeNormalization as _;

    use super::*;

    fn texts(text: &str) -> Vec<String> {
        tokens(text).into_iter().map(|token| token.text).collect()
    }

    #[test]
    fn words_are_folded_runs_of_letters_and_digits() {
        for (text, expected) in [
            ("Hello, World!", "hello world"),
            ("Ünal CAFÉ cafe\u{301} Łódź", "unal cafe cafe łodz"),
            ("don't j.smith@example.com +1 (555)", "don t j smith example com 1 555"),
            ("ＦＵＬＬ　ｗｉｄｔｈ ﬁne ①", "full width fine 1"),
            ("Straße İstanbul ΟΔΟΣ οδός", "straße istanbul οδοσ οδοσ"),
            ("Привет, ёж", "привет еж"),
            ("שָׁלוֹם مرحبا", "שָׁלוֹם مرحبا"),
            ("नमस्ते 안녕하세요", "नमस्ते 안녕하세요"),
            ("👍🏽 ok\u{200b}ay \0", "ok ay"),
            ("", ""),
        ] {
            assert_eq!(texts(text).join(" ").nfc().collect::<String>(), expected.nfc().collect::<String>(), "{text}");
        }
    }

    #[test]
    fn scripts_without_spaces_give_one_token_a_character_and_pairs_to_the_index() {
        assert_eq!(texts("我们是iPhone用户。ｶﾞ"), ["我", "们", "是", "iphone", "用", "户", "ガ"]);
        let made = tokens("我们是 用");
        assert_eq!(index_terms(&made).collect::<Vec<_>>(), ["我", "我们", "们", "们是", "是", "用"]);
        assert_eq!(texts("สวัสดี").concat(), "สวัสดี");
    }

    #[test]
    fn a_text_is_cut_where_it_is_endless() {
        assert_eq!(texts(&"a".repeat(1000)), ["a".repeat(64)]);
        assert_eq!(tokens(&"a ".repeat(20_000)).len(), MOST);
        let bytes: usize = tokens(&"漢".repeat(20_000)).iter().map(|token| token.text.len()).sum();
        assert!(bytes <= MOST_BYTES);
    }

    proptest! {
        #[test]
        fn every_form_of_a_text_has_the_same_tokens(text in "\\PC{0,40}") {
            let own = texts(&text);
            prop_assert_eq!(&own, &texts(&text.nfd().collect::<String>()));
            prop_assert_eq!(&own, &texts(&text.nfc().collect::<String>()));
            prop_assert_eq!(&own, &texts(&text.nfkc().collect::<String>()));
        }

        #[test]
        fn folding_twice_changes_nothing(text in "\\PC{0,40}") {
            let own = texts(&text);
            prop_assert_eq!(&own, &texts(&own.join(" ")));
        }

        #[test]
        fn tokens_stand_in_order_and_hold_no_separator(text in any::<String>()) {
            let made = tokens(&text);
            prop_assert!(made.windows(2).all(|pair| pair[0].range.start <= pair[1].range.start));
            for token in &made {
                prop_assert!(text.get(token.range.clone()).is_some_and(|part| !part.is_empty()));
                prop_assert!(token.text.chars().all(|c| c.is_alphanumeric() || is_combining_mark(c)), "{:?}", token);
                prop_assert!(token.text.chars().count() <= LONGEST);
            }
        }
    }
}
