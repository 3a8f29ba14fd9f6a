//! A query as people type it: words, quoted phrases and operators. A word finds words that begin with it; a phrase finds
//! exactly its words, one after the other. What is no operator with a proper value is a word.

use std::ops::Range;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::token::{Token, tokens};
use crate::channel::Channel;

/// What is looked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// Each must be in the message.
    pub phrases: Vec<Phrase>,
    /// The words and phrases as they were typed, without operators: what people are looked for by.
    pub text: String,
    /// Who wrote it: each must fit.
    pub from: Vec<Sender>,
    /// The medium.
    pub channel: Option<Channel>,
    /// Only before this time, unix ms.
    pub before_ms: Option<i64>,
    /// Only from this time on, unix ms.
    pub after_ms: Option<i64>,
    /// Only with files.
    pub has_media: bool,
}

/// Who wrote a message, as a query says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sender {
    /// Whoever asks.
    Me,
    /// Anybody of the org.
    Staff,
    /// Somebody with this in their name, number or e-mail address.
    Person(String),
}

/// Tokens that follow each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phrase {
    tokens: Vec<Token>,
    /// Whether the last token may be the beginning of a longer one.
    open: bool,
}

/// A word that the index must have for a message.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Term {
    /// This word.
    Word(String),
    /// A word that begins so.
    Begin(String),
}

/// Characters of the longest beginning that an index is asked for. Few words share more, and an index that is made for
/// beginnings has each of these lengths.
const LONGEST_BEGIN: usize = 12;

impl Query {
    /// Reads a query. Never fails; a query without anything to look for [is empty](Self::is_empty).
    #[must_use]
    pub fn parse(typed: &str) -> Self {
        let mut query = Self::default();
        for item in items(typed) {
            if !item.key.is_some_and(|key| query.operator(key, &item.value)) {
                // What was no operator keeps its colon, which separates words like any other sign.
                let text = item.key.map_or_else(|| item.value.clone(), |key| format!("{key}:{}", item.value));
                query.word(&text, item.quoted);
            }
        }
        query
    }

    /// Whether there is nothing to look for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn word(&mut self, text: &str, quoted: bool) {
        if text.trim().is_empty() {
            return;
        }
        if !self.text.is_empty() {
            self.text.push(' ');
        }
        self.text.push_str(text);
        self.phrases.extend(Phrase::new(text, quoted));
    }

    /// Takes an operator; `false` when it is none.
    fn operator(&mut self, key: &str, value: &str) -> bool {
        match key.to_ascii_lowercase().as_str() {
            "from" if !value.trim().is_empty() => self.from.push(match value.to_lowercase().as_str() {
                "me" => Sender::Me,
                "staff" => Sender::Staff,
                _ => Sender::Person(value.to_owned()),
            }),
            "channel" => match value.to_lowercase().parse() {
                Ok(channel) => self.channel = Some(channel),
                Err(_) => return false,
            },
            "before" => match moment(value) {
                Some(at) => self.before_ms = Some(at),
                None => return false,
            },
            "after" => match moment(value) {
                Some(at) => self.after_ms = Some(at),
                None => return false,
            },
            "has" if value.eq_ignore_ascii_case("media") => self.has_media = true,
            _ => return false,
        }
        true
    }
}

/// A day, at its beginning in UTC, or an instant; unix ms.
fn moment(value: &str) -> Option<i64> {
    let day = || value.parse::<Date>().ok()?.to_zoned(TimeZone::UTC).ok().map(|at| at.timestamp());
    let at = value.parse::<Timestamp>().ok().or_else(day)?;
    Some(at.as_millisecond())
}

struct Item<'a> {
    key: Option<&'a str>,
    value: String,
    quoted: bool,
}

const fn is_quote(c: char) -> bool {
    matches!(c, '"' | '“' | '”' | '„' | '«' | '»')
}

/// The items of a query: `word`, `"a phrase"`, `key:value`, `key:"a value"`. A quote that is not closed goes to the end.
fn items(typed: &str) -> Vec<Item<'_>> {
    let mut items = Vec::new();
    let mut rest = typed.trim_start();
    while !rest.is_empty() {
        let key = rest.split_once(':').map(|(key, _)| key).filter(|key| !key.is_empty() && key.chars().all(|c| c.is_ascii_alphabetic()));
        let body = key.map_or(rest, |key| &rest[key.len() + 1..]);
        let (value, quoted, left) = match body.chars().next().filter(|first| is_quote(*first)) {
            Some(quote) => {
                let inner = &body[quote.len_utf8()..];
                let end = inner.find(is_quote).unwrap_or(inner.len());
                let left = inner[end..].chars().next().map_or("", |closing| &inner[end + closing.len_utf8()..]);
                (&inner[..end], true, left)
            }
            None => {
                let end = body.find(|c: char| c.is_whitespace() || is_quote(c)).unwrap_or(body.len());
                (&body[..end], false, &body[end..])
            }
        };
        items.push(Item { key, value: value.to_owned(), quoted });
        rest = left.trim_start();
    }
    items
}

impl Phrase {
    fn new(text: &str, quoted: bool) -> Option<Self> {
        let tokens = tokens(text);
        let last = tokens.last()?;
        // One letter begins too many words, and a single character of a script without spaces stands for itself.
        let open = !quoted && !last.single && last.text.chars().nth(1).is_some();
        Some(Self { tokens, open })
    }

    /// What the index must have for a message with this phrase.
    #[must_use]
    pub fn terms(&self) -> Vec<Term> {
        let mut terms = Vec::new();
        for (at, token) in self.tokens.iter().enumerate() {
            let paired = at > 0 && self.tokens[at - 1].joined;
            match self.tokens.get(at + 1) {
                Some(next) if token.joined => terms.push(Term::Word(format!("{}{}", token.text, next.text))),
                // The pair before has it already.
                _ if paired => {}
                None if self.open => terms.push(Term::Begin(token.text.chars().take(LONGEST_BEGIN).collect())),
                _ => terms.push(Term::Word(token.text.clone())),
            }
        }
        terms
    }

    /// Where the phrase stands in a text of these tokens: the bytes of each token of each place.
    #[must_use]
    pub fn places(&self, text: &[Token]) -> Vec<Range<usize>> {
        let mut places = Vec::new();
        for window in text.windows(self.tokens.len()) {
            if self.fits(window) {
                places.extend(window.iter().map(|token| token.range.clone()));
            }
        }
        places
    }

    fn fits(&self, window: &[Token]) -> bool {
        let last = self.tokens.len() - 1;
        self.tokens.iter().zip(window).enumerate().all(|(at, (own, other))| {
            let open = self.open && at == last;
            let same = if open { other.text.starts_with(&own.text) && !other.single } else { other.text == own.text };
            same && (!own.joined || other.joined)
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::search::index_terms;

    fn finds(typed: &str, text: &str) -> bool {
        let made = tokens(text);
        let query = Query::parse(typed);
        assert!(!query.phrases.is_empty(), "{typed}");
        query.phrases.iter().all(|phrase| !phrase.places(&made).is_empty())
    }

    #[test]
    fn words_find_beginnings_and_phrases_find_exactly_their_words() {
        for (typed, text, found) in [
            ("refund", "Where is my REFUND?", true),
            ("refu", "Where is my refund?", true),
            ("\"refu\"", "Where is my refund?", false),
            ("my where", "Where is my refund?", true),
            ("\"my where\"", "Where is my refund?", false),
            ("\"is my refund\"", "Where is my refund?", true),
            ("“is my", "Where is my refund?", true),
            ("a", "apple", false),
            ("a", "a pear", true),
            ("j.smi", "mail j.smith@example.com", true),
            ("smith.j", "mail j.smith@example.com", false),
            ("cafe", "Un café", true),
            ("café", "un CAFE", true),
            ("我们", "他我们是", true),
            ("们我", "他我们是", false),
            ("我是", "他我们是", false),
            ("们", "他我们是", true),
            ("\"我 们\"", "我们", true),
            ("我们", "我 们", false),
            ("สวัส", "คำว่าสวัสดี", true),
            ("안녕", "안녕하세요", true),
            ("foo:bar", "see foo, bar", true),
        ] {
            assert_eq!(finds(typed, text), found, "{typed} in {text}");
        }
    }

    #[test]
    fn operators_are_read_and_everything_else_is_words() {
        let query = Query::parse(
            "refund from:\"John Doe\" FROM:me from:staff channel:SMS has:media before:2026-03-05 after:2026-01-01T12:00:00+01:00",
        );
        assert_eq!(query.text, "refund");
        assert_eq!(query.from, [Sender::Person("John Doe".into()), Sender::Me, Sender::Staff]);
        assert_eq!((query.channel, query.has_media), (Some(Channel::Sms), true));
        assert_eq!((query.before_ms, query.after_ms), (Some(1_772_668_800_000), Some(1_767_265_200_000)));
        for typed in ["channel:pigeon", "has:teeth", "before:soon", "after:", "from:", "note:x", ":", "a:b:c"] {
            let query = Query::parse(typed);
            assert_eq!(query, Query { phrases: query.phrases.clone(), text: typed.to_owned(), ..Query::default() }, "{typed}");
        }
        for typed in ["", "  ", "\"\"", "\u{3000}"] {
            assert!(Query::parse(typed).is_empty(), "{typed:?}");
        }
        assert!(!Query::parse("%").is_empty() && !Query::parse("has:media").is_empty());
    }

    proptest! {
        #[test]
        fn what_a_phrase_finds_the_index_has(text in "[ab我们.é ]{0,12}", typed in "[ab我们.é\" ]{1,5}") {
            let made = tokens(&text);
            let index: Vec<_> = index_terms(&made).map(|term| term.into_owned()).collect();
            for phrase in Query::parse(&typed).phrases.iter().filter(|phrase| !phrase.places(&made).is_empty()) {
                for term in phrase.terms() {
                    let has = match &term {
                        Term::Word(word) => index.contains(word),
                        Term::Begin(begin) => index.iter().any(|word| word.starts_with(begin.as_str())),
                    };
                    prop_assert!(has, "{:?} is not in {:?}", term, index);
                }
            }
        }

        #[test]
        fn a_query_is_read_whatever_it_is(typed in any::<String>()) {
            let _ = Query::parse(&typed);
        }
    }
}
