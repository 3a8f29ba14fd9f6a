//! The parameters of a hook, decoded once. As bytes, because that is what the signature covers; text is made on demand.

use std::borrow::Cow;

use http::header::CONTENT_TYPE;
use parlance_model::text;
use percent_encoding::percent_decode;

use crate::Hook;

/// Far more than Twilio sends (under a hundred), and few enough that a stranger's body costs nothing before it is verified.
const MAX_PARAMETERS: usize = 1000;

/// Names and values, sorted by both, no pair twice: the order in which they are signed.
pub(super) struct Form<'a>(Vec<(Bytes<'a>, Bytes<'a>)>);

type Bytes<'a> = Cow<'a, [u8]>;

impl<'a> Form<'a> {
    /// The parameters of a hook: the body's, or with `GET` the query's. `None` when the body is no form or too large a one.
    pub(super) fn of(hook: &Hook<'a>) -> Option<Self> {
        if hook.method == "GET" {
            Self::parse(query(hook.urls.first()?).as_bytes())
        } else if is_form(hook) {
            Self::parse(hook.body)
        } else {
            None
        }
    }

    /// Reads `application/x-www-form-urlencoded` bytes. Any bytes are a form; only their number is bounded.
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let mut pairs = Vec::new();
        for pair in bytes.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
            if pairs.len() == MAX_PARAMETERS {
                return None;
            }
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            let (name, value) = (halves.next().unwrap_or_default(), halves.next().unwrap_or_default());
            pairs.push((decode(name), decode(value)));
        }
        pairs.sort_unstable();
        pairs.dedup();
        Some(Self(pairs))
    }

    /// Names and values in turn, as they are signed.
    pub(super) fn signed(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().flat_map(|(name, value)| [&**name, &**value])
    }

    /// Whether there is such a parameter, even an empty one.
    pub(super) fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// The parameter's text without NUL, invalid UTF-8 replaced. `None` when it is missing or empty.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        let value = text::clean(&String::from_utf8_lossy(self.find(name)?));
        (!value.is_empty()).then_some(value)
    }

    /// The numbers of parameters that are named in a row, such as `MediaUrl0`, in no order; each once.
    pub(super) fn numbers(&self, name: &str) -> impl Iterator<Item = usize> {
        let first = self.0.partition_point(|(key, _)| &**key < name.as_bytes());
        let named = self.0[first..].iter().map_while(move |(key, _)| key.strip_prefix(name.as_bytes()));
        // A number has one spelling: MediaUrl01 is none, and a name that is there twice is met twice in succession.
        let number = |digits| std::str::from_utf8(digits).ok()?.parse::<usize>().ok().filter(|n| n.to_string().as_bytes() == digits);
        let numbers = named.filter_map(number);
        let mut last = None;
        numbers.filter(move |n| last.replace(*n) != Some(*n))
    }

    fn find(&self, name: &str) -> Option<&[u8]> {
        let at = self.0.partition_point(|(key, _)| &**key < name.as_bytes());
        self.0.get(at).filter(|(key, _)| **key == *name.as_bytes()).map(|(_, value)| &**value)
    }
}

/// Whether the body says that it is a form. One that says nothing is taken for one.
pub(super) fn is_form(hook: &Hook<'_>) -> bool {
    match hook.headers.get(CONTENT_TYPE).map(|value| value.to_str()) {
        None => true,
        Some(Ok(value)) => {
            let essence = value.split(';').next().unwrap_or_default();
            essence.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded")
        }
        Some(Err(_)) => false,
    }
}

/// The query of a URL, without the question mark; empty when there is none.
pub(super) fn query(url: &str) -> &str {
    let url = url.split_once('#').map_or(url, |(url, _)| url);
    url.split_once('?').map_or("", |(_, query)| query)
}

fn decode(encoded: &[u8]) -> Bytes<'_> {
    if encoded.contains(&b'+') {
        let spaced: Vec<u8> = encoded.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
        percent_decode(&spaced).collect::<Vec<u8>>().into()
    } else {
        percent_decode(encoded).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded_sorted_and_counted_once() {
        let form = Form::parse(b"b=2&a=x+y%21&&b=1&b=2&c&d=%F0%9F%91%8D=").unwrap();
        let signed: Vec<u8> = form.signed().flatten().copied().collect();
        assert_eq!(String::from_utf8(signed).unwrap(), "ax y!b1b2cd👍=");
        assert!(form.has("c"));
        assert_eq!(form.text("c"), None);
        assert_eq!(form.text("a").as_deref(), Some("x y!"));
        assert!(!form.has("e"));
    }

    #[test]
    fn text_that_is_no_text_is_kept_as_far_as_it_goes() {
        let form = Form::parse(b"Body=a%FFb%00c%&%FF=1").unwrap();
        assert_eq!(form.text("Body").as_deref(), Some("a\u{fffd}bc%"));
    }

    #[test]
    fn a_flood_of_parameters_is_refused() {
        assert!(Form::parse("a&".repeat(MAX_PARAMETERS).as_bytes()).is_some());
        assert!(Form::parse("a&".repeat(MAX_PARAMETERS + 1).as_bytes()).is_none());
    }

    #[test]
    fn parameters_in_a_row_are_numbered() {
        let form =
            Form::parse(b"MediaUrl2=c&MediaUrl10=d&MediaUrl0=a&MediaUrl0=b&MediaUrl01=e&MediaUrl=f&MediaUrls=g&MediaUrlX1=h&Media=i")
                .unwrap();
        let mut numbers: Vec<_> = form.numbers("MediaUrl").collect();
        numbers.sort_unstable();
        assert_eq!(numbers, [0, 2, 10]);
        assert_eq!(form.numbers("MediaUrl1").collect::<Vec<_>>(), [0]);
        assert_eq!(form.numbers("Z").count(), 0);
    }

    #[test]
    fn the_query_ends_at_the_fragment() {
        assert_eq!(query("https://a/b?c=d&e#f?g"), "c=d&e");
        assert_eq!(query("https://a/b#c?d"), "");
        assert_eq!(query("https://a/b"), "");
    }
}
