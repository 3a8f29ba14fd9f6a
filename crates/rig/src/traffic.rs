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
        let mut form = Serializer::new(String::with_capacity(800));
        form.extend_pairs([("ToCountry", "US"), ("ToState", "CA"), ("SmsMessageSid", &sid), ("NumMedia", "0")]);
        form.extend_pairs([("ToCity", "SAN FRANCISCO"), ("FromZip", "94103"), ("SmsSid", &sid), ("FromState", "CA")]);
        form.extend_pairs([("SmsStatus", "received"), ("FromCity", "SAN FRANCISCO"), ("Body", &text(n)), ("FromCountry", "US")]);
        form.extend_pairs([("To", self.number.as_str()), ("MessagingServiceSid", "MG00000000000000000000000000000001")]);
        form.extend_pairs([("ToZip", "94105"), ("NumSegments", "1"), ("MessageSid", &sid), ("AccountSid", &self.account_sid)]);
        form.extend_pairs([("From", phone(from).as_str()), ("ApiVersion", "2010-04-01")]);
        form.finish()
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
fn phone(index: u64) -> String {
    let area = AREAS[usize::try_from(index / LOCAL).unwrap_or(usize::MAX) % AREAS.len()];
    format!("+1{area}{}", 2_000_000 + index % LOCAL)
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
const fn scattered(n: u64) -> u64 {
    let mut z = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use parlance_model::phone::{Address, Region};

    use super::{LOCAL, Line, phone};

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
        };
        let sizes: Vec<_> = (1..100).map(|n| line.later(n).len()).collect();
        assert!(sizes.iter().all(|size| (600..800).contains(size)), "{sizes:?}");
        assert_eq!(form_urlencoded::parse(line.later(1).as_bytes()).count(), 20);
    }
}
