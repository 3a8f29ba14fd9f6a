//! Made-up traffic: the nth message that customers send, always the same one, as Twilio's form and as a signed request. Nothing here is
//! random, so that every variant meets the same work.

use form_urlencoded::Serializer;
use parlance_sim::twilio::signature;
use serde::{Deserialize, Serialize};

/// Of so many messages, one comes from somebody who never wrote before.
const NEW: u64 = 10;
/// Numbers of an area code that a phone can have.
const LOCAL: u64 = 8_000_000;
const AREAS: [u64; 4] = [212, 312, 415, 617];
/// Words of a text.
const LENGTH: u64 = 24;
/// Of a varied line's senders, one in so many writes over WhatsApp.
const OVER_WHATSAPP: u64 = 10;
/// Each of so many times, there are twice as many words, and each of those comes up half as often.
const DOUBLINGS: u64 = 17;
const CONSONANTS: &[u8; 20] = b"bcdfghjklmnpqrstvwxz";
const VOWELS: &[u8; 5] = b"aeiou";
/// What Twilio writes before a number that is reached over WhatsApp.
const WHATSAPP: &str = "whatsapp:";
const WORDS: [&str; 24] = [
    "about",
    "again",
    "appointment",
    "bike",
    "brakes",
    "call",
    "could",
    "delivery",
    "friday",
    "hello",
    "invoice",
    "morning",
    "my",
    "order",
    "please",
    "question",
    "repair",
    "the",
    "thanks",
    "tomorrow",
    "wheel",
    "when",
    "would",
    "you",
];

/// A number of ours that is written to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) account_sid: String,
    pub(crate) auth_token: String,
    pub(crate) number: String,
    /// The path of its hooks.
    pub(crate) path: String,
    /// How many people have written to it before: at least one.
    pub(crate) senders: u64,
    /// Whether some write over WhatsApp, and texts have common words and rare ones.
    pub(crate) varied: bool,
}

/// Messages to some numbers, in turn.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Traffic {
    /// What the signatures cover, with the path.
    pub(crate) public_url: String,
    pub(crate) lines: Vec<Line>,
    /// The number of the first message. One is used once in the life of a database.
    pub(crate) first: u64,
}

impl Line {
    /// The form of the nth message, from one of those who have written before or write first, in turn.
    pub(crate) fn early(&self, n: u64) -> String {
        self.form(n, n % self.senders)
    }

    /// The form of the nth message, from somebody who has written before or, once in a while, from somebody new.
    fn later(&self, n: u64) -> String {
        let from = if n.is_multiple_of(NEW) { self.senders + n } else { scattered(n) % self.senders };
        self.form(n, from)
    }

    /// Twenty fields, as Twilio posts them.
    fn form(&self, n: u64, from: u64) -> String {
        let sid = format!("SM{n:032x}");
        let (text, from, mut to) = (if self.varied { varied_text(n) } else { text(n) }, self.sender(from), self.number.clone());
        let mut form = Serializer::new(String::with_capacity(800));
        form.extend_pairs([("ToCountry", "US"), ("ToState", "CA"), ("SmsMessageSid", &sid), ("NumMedia", "0")]);
        form.extend_pairs([("ToCity", "SAN FRANCISCO"), ("FromZip", "94103"), ("SmsSid", &sid), ("FromState", "CA")]);
        form.extend_pairs([("SmsStatus", "received"), ("FromCity", "SAN FRANCISCO"), ("Body", &text), ("FromCountry", "US")]);
        if from.starts_with(WHATSAPP) {
            to.insert_str(0, WHATSAPP);
        }
        form.extend_pairs([("To", to.as_str()), ("MessagingServiceSid", "MG00000000000000000000000000000001")]);
        form.extend_pairs([("ToZip", "94105"), ("NumSegments", "1"), ("MessageSid", &sid), ("AccountSid", &self.account_sid)]);
        form.extend_pairs([("From", from.as_str()), ("ApiVersion", "2010-04-01")]);
        form.finish()
    }

    /// Somebody's address.
    fn sender(&self, index: u64) -> String {
        let mark = if self.varied && index % OVER_WHATSAPP == 1 { WHATSAPP } else { "" };
        format!("{mark}{}", phone(index))
    }
}

impl Traffic {
    /// The request that brings the nth message, whole and signed.
    pub(crate) fn request(&self, n: u64) -> String {
        let Traffic { public_url, lines, .. } = self;
        let turn = usize::try_from(n % lines.len() as u64).unwrap_or(0);
        let line = &lines[turn];
        let body = line.later(n);
        let fields: Vec<_> = form_urlencoded::parse(body.as_bytes()).collect();
        let url = format!("{public_url}{}", line.path);
        let signed = signature::sign(&line.auth_token, &url, fields.iter().map(|(name, value)| (name.as_ref(), value.as_ref())));
        let (path, header, length) = (&line.path, signature::HEADER, body.len());
        format!(
            "POST {path} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/x-www-form-urlencoded; charset=UTF-8\r\n\
             content-length: {length}\r\nuser-agent: TwilioProxy/1.1\r\naccept: */*\r\n{header}: {signed}\r\n\r\n{body}"
        )
    }
}

/// Somebody's number.
pub(crate) fn phone(index: u64) -> String {
    let area = AREAS[usize::try_from(index / LOCAL).unwrap_or(usize::MAX) % AREAS.len()];
    format!("+1{area}{}", 2_000_000 + index % LOCAL)
}

/// The word that is in most varied texts.
pub(crate) const COMMON: &str = WORDS[0];

/// The word that is in the nth varied text alone.
pub(crate) fn mark(n: u64) -> String {
    made_up(n, 6)
}

/// Some words, of which the second is half as common as the first, and so on into a long tail; with a mark of its own.
fn varied_text(n: u64) -> String {
    let mut text = String::with_capacity(200);
    for place in 0..LENGTH {
        let drawn = scattered(n * LENGTH + place);
        let size = 1 << (drawn % DOUBLINGS);
        let rank = size + (drawn / DOUBLINGS) % size - 1;
        match usize::try_from(rank).ok().and_then(|rank| WORDS.get(rank)) {
            Some(word) => text.push_str(word),
            None => text.push_str(&made_up(rank, 3)),
        }
        text.push(' ');
    }
    text.push_str(&mark(n));
    text
}

/// A word of so many syllables that is no other number's.
fn made_up(mut number: u64, syllables: usize) -> String {
    let mut word = String::with_capacity(2 * syllables);
    let mut letter = |letters: &[u8]| {
        let at = number % letters.len() as u64;
        number /= letters.len() as u64;
        word.extend(usize::try_from(at).ok().and_then(|at| letters.get(at)).map(|letter| char::from(*letter)));
    };
    for _ in 0..syllables {
        letter(CONSONANTS);
        letter(VOWELS);
    }
    word
}

/// Some hundred and fifty characters: nearly a whole SMS.
fn text(n: u64) -> String {
    let mut text = String::with_capacity(200);
    for mut rest in [scattered(n), scattered(!n)] {
        for _ in 0..12 {
            text.push_str(WORDS[usize::try_from(rest % WORDS.len() as u64).unwrap_or(0)]);
            text.push(' ');
            rest /= WORDS.len() as u64;
        }
    }
    text.push_str(&n.to_string());
    text
}

/// A number that looks like any other (the finalizer of SplitMix64).
pub(crate) const fn scattered(n: u64) -> u64 {
    let mut z = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use parlance_model::phone::{Address, Region};

    use super::{COMMON, LOCAL, Line, mark, phone, varied_text};

    #[test]
    fn everybody_has_a_number_of_their_own_that_is_one() {
        let region: Region = "US".parse().unwrap();
        let some: Vec<_> = (0..200).map(|n| n * 97_003).chain([LOCAL - 1, LOCAL, 3 * LOCAL - 1]).collect();
        let numbers: HashSet<_> = some.iter().map(|index| phone(*index)).collect();
        assert_eq!(numbers.len(), some.len());
        for number in numbers {
            assert!(matches!(Address::parse(&number, region), Address::Phone(_)), "{number}");
        }
    }

    #[test]
    fn a_form_is_about_as_large_as_a_real_one() {
        let line = Line {
            account_sid: format!("AC{:032}", 1),
            auth_token: String::new(),
            number: "+15551234567".to_owned(),
            path: String::new(),
            senders: 50_000,
            varied: false,
        };
        let sizes: Vec<_> = (1..100).map(|n| line.later(n).len()).collect();
        assert!(sizes.iter().all(|size| (600..800).contains(size)), "{sizes:?}");
        assert_eq!(form_urlencoded::parse(line.later(1).as_bytes()).count(), 20);
    }

    #[test]
    fn varied_texts_have_a_common_word_a_long_tail_and_a_mark_of_their_own() {
        let texts: Vec<_> = (0..1000).map(varied_text).collect();
        let with = |word: &str| texts.iter().filter(|text| text.split(' ').any(|one| one == word)).count();
        assert!((650..900).contains(&with(COMMON)), "{}", with(COMMON));
        let words: HashSet<_> = texts.iter().flat_map(|text| text.split(' ')).collect();
        assert!(words.len() > 5000, "{}", words.len());
        assert_eq!((0..1000).map(mark).collect::<HashSet<_>>().len(), 1000);
        assert!((0..1000).all(|n| with(&mark(n)) == 1));
        assert!(texts.iter().all(|text| text.len() <= 200), "longer than a text");
    }
}
