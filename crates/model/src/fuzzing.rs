//! Fuzz targets of what is read of strangers' text: phone numbers, searches, times. `fuzz/` runs them for as long as one likes,
//! the tests below for a moment.

use crate::clock::{from_iso8601, from_rfc2822, iso8601};
use crate::opt_out::OptSignal;
use crate::phone::{Address, Phone, Region};
use crate::search::{Query, between, grams, index_terms, pieces, snippet, tokens};
use crate::text;

fn regions() -> [Region; 3] {
    ["US", "DE", "IT"].map(|code| code.parse().unwrap_or_else(|_| unreachable!("{code} has numbers")))
}

/// Numbers and addresses: whatever was read once reads back as itself.
pub fn phone(data: &[u8]) {
    let typed = String::from_utf8_lossy(data);
    for region in regions() {
        if let Ok(phone) = Phone::parse(&typed, region) {
            assert_eq!(Phone::parse(phone.as_str(), region).ok().as_ref(), Some(&phone));
            let _ = (phone.line(), phone.is_premium());
        }
        let address = Address::parse(&typed, region);
        assert!(!address.key().is_empty() && !address.display().contains('\0'));
        if let Some(needle) = text::needle(&typed, region) {
            assert!(!needle.text.is_empty());
        }
    }
    let _ = OptSignal::from_body(&typed);
}

/// A query in the first line, the text that it is looked for in behind it.
pub fn search_query(data: &[u8]) {
    let input = String::from_utf8_lossy(data);
    let (typed, body) = input.split_once('\n').unwrap_or((&input, &input));
    let query = Query::parse(typed);
    let words = tokens(body);
    for word in index_terms(&words) {
        assert!(!word.is_empty());
    }
    let mut places = Vec::new();
    for phrase in &query.phrases {
        assert!(!phrase.terms().is_empty());
        places.extend(phrase.places(&words));
    }
    assert!(places.iter().all(|place| body.get(place.clone()).is_some_and(|found| !found.is_empty())));
    let shown: String = snippet(body, &places).iter().map(|part| part.text.as_str()).collect();
    assert!(shown.len() <= body.len() + 2 * '…'.len_utf8());
    let _ = (between(query.after_ms, query.before_ms), grams(&text::fold(typed)), pieces(&text::fold(typed)));
    assert!(text::preview(body, 20).chars().count() <= 20);
}

/// Times as people and providers write them.
pub fn time(data: &[u8]) {
    let typed = String::from_utf8_lossy(data);
    if let Some(ms) = from_iso8601(&typed) {
        assert_eq!(from_iso8601(&iso8601(ms)), Some(ms));
    }
    let _ = from_rfc2822(&typed);
}

#[cfg(test)]
mod tests {
    use parlance_testkit::fuzz::run;

    #[test]
    fn phone_numbers_read_back_as_themselves() {
        run("phone", super::phone);
    }

    #[test]
    fn searches_find_places_that_are_there() {
        run("search_query", super::search_query);
    }

    #[test]
    fn times_read_back_as_themselves() {
        run("time", super::time);
    }
}
