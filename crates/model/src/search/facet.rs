//! What is indexed of a message beside its words: one character of the private use area each, which no text yields as
//! a token. A single character is too short for the indexes of prefixes, which would make it dear.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::channel::Channel;
use crate::message::Direction;

/// Begins each gram of a contact.
pub const KIND_CONTACT: char = '\u{e000}';
/// Begins each gram of a visitor's own name, number or address, which a conversation has.
pub const KIND_VISITOR: char = '\u{e001}';

const MEDIA: char = '\u{e010}';
const OUTBOUND: char = '\u{e011}';
const CHANNEL: u32 = 0xe020;
const YEAR: u32 = 0xe100;
const MONTH: u32 = 0xe200;
/// Years that are told apart: 2000 to 2099. What is older or newer counts as the first or last of these.
const YEARS: u32 = 100;

fn facet(base: u32, index: u32) -> char {
    char::from_u32(base + index).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// The facet of a medium.
#[must_use]
pub fn of_channel(channel: Channel) -> char {
    facet(CHANNEL, channel as u32)
}

/// The facet of messages with files.
#[must_use]
pub const fn with_media() -> char {
    MEDIA
}

/// The facet of messages that went out.
#[must_use]
pub const fn outbound() -> char {
    OUTBOUND
}

/// The facets of a message.
#[must_use]
pub fn of_message(channel: Channel, direction: Direction, media: bool, at_ms: i64) -> Vec<char> {
    let month = month(at_ms);
    let mut facets = vec![of_channel(channel), facet(YEAR, month / 12), facet(MONTH, month)];
    facets.extend(media.then_some(MEDIA));
    facets.extend((direction == Direction::Outbound).then_some(OUTBOUND));
    facets
}

/// The years and months of which every message has one whose time is in these bounds (unix ms; from `after` on, and
/// before `before`). Empty when there is no bound. The first and last month have other messages too.
#[must_use]
pub fn between(after: Option<i64>, before: Option<i64>) -> Vec<char> {
    if after.is_none() && before.is_none() {
        return Vec::new();
    }
    let (first, last) = (after.map_or(0, month), before.map_or(YEARS * 12 - 1, |before| month(before.saturating_sub(1))));
    let mut facets = Vec::new();
    let mut at = first;
    while at <= last {
        if at.is_multiple_of(12) && at + 11 <= last {
            facets.push(facet(YEAR, at / 12));
            at += 12;
        } else {
            facets.push(facet(MONTH, at));
            at += 1;
        }
    }
    // Bounds that exclude each other: no message has this month and lies between them.
    if facets.is_empty() { vec![facet(MONTH, first)] } else { facets }
}

/// Months since January 2000, in UTC.
fn month(at_ms: i64) -> u32 {
    let Ok(at) = Timestamp::from_millisecond(at_ms) else { return if at_ms < 0 { 0 } else { YEARS * 12 - 1 } };
    let date = at.to_zoned(TimeZone::UTC).date();
    let months = (i32::from(date.year()) - 2000) * 12 + i32::from(date.month()) - 1;
    u32::try_from(months).unwrap_or(0).min(YEARS * 12 - 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_message_between_the_bounds_has_one_of_their_facets(at in -4_000_000_000_000_i64..6_000_000_000_000, a in 0_i64..2_000_000_000_000, b in 0_i64..2_000_000_000_000) {
            let own = of_message(Channel::Sms, Direction::Inbound, false, at);
            for (after, before) in [(Some(a), None), (None, Some(a)), (Some(a.min(b)), Some(a.max(b)))] {
                let inside = after.is_none_or(|after| at >= after) && before.is_none_or(|before| at < before);
                let wanted = between(after, before);
                prop_assert!(!inside || wanted.iter().any(|facet| own.contains(facet)));
                prop_assert!(wanted.len() <= 100 + 24);
            }
        }
    }

    #[test]
    fn facets_of_different_kinds_are_different() {
        let channels = Channel::ALL.iter().map(|channel| of_channel(*channel));
        let months = (0..YEARS * 12).map(|month| facet(MONTH, month));
        let years = (0..YEARS).map(|year| facet(YEAR, year));
        let all: Vec<char> = channels.chain(months).chain(years).chain([MEDIA, OUTBOUND, KIND_CONTACT, KIND_VISITOR]).collect();
        let distinct: std::collections::HashSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
        assert!(all.iter().all(|facet| ('\u{e000}'..='\u{f8ff}').contains(facet) && !facet.is_alphanumeric()));
    }
}
