//! Writes TwiML, the XML by which Twilio is told what to do with a call (twilio.com/docs/voice/twiml).

use std::fmt::Display;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

/// A verb or noun with its attributes and what it holds.
pub(super) struct Verb {
    name: &'static str,
    attributes: Vec<(&'static str, String)>,
    children: Vec<Node>,
}

enum Node {
    Verb(Verb),
    Text(String),
}

impl Verb {
    pub(super) const fn new(name: &'static str) -> Self {
        Self { name, attributes: Vec::new(), children: Vec::new() }
    }

    /// `<Say>` with these words.
    pub(super) fn say(words: &str) -> Self {
        Self::new("Say").text(words)
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Display) -> Self {
        self.attributes.push((name, legal(&value.to_string())));
        self
    }

    pub(super) fn text(mut self, text: &str) -> Self {
        self.children.push(Node::Text(legal(text)));
        self
    }

    pub(super) fn holding(mut self, child: Self) -> Self {
        self.children.push(Node::Verb(child));
        self
    }

    fn write(&self, to: &mut Writer<Vec<u8>>) -> std::io::Result<()> {
        let start = BytesStart::new(self.name).with_attributes(self.attributes.iter().map(|(name, value)| (*name, value.as_str())));
        if self.children.is_empty() {
            return to.write_event(Event::Empty(start));
        }
        to.write_event(Event::Start(start))?;
        for child in &self.children {
            match child {
                Node::Verb(verb) => verb.write(to)?,
                Node::Text(text) => to.write_event(Event::Text(BytesText::new(text)))?,
            }
        }
        to.write_event(Event::End(BytesEnd::new(self.name)))
    }
}

/// The document that tells Twilio to do these one after the other.
pub(super) fn response(verbs: impl IntoIterator<Item = Verb>) -> String {
    let all = verbs.into_iter().fold(Verb::new("Response"), Verb::holding);
    let mut writer = Writer::new(Vec::new());
    // Nothing refuses bytes that are written to memory, and what is written is UTF-8.
    let written = writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None))).and_then(|()| all.write(&mut writer));
    written.ok().and_then(|()| String::from_utf8(writer.into_inner()).ok()).unwrap_or_default()
}

/// Text without the characters that XML 1.0 cannot hold, however they are written.
fn legal(text: &str) -> String {
    let fits = |c: &char| matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    text.chars().filter(fits).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use quick_xml::Reader;

    use super::*;

    /// The attribute and the text of the only verb, as a parser reads them.
    fn read(document: &str) -> (String, String) {
        let mut reader = Reader::from_str(document);
        let (mut url, mut words) = (String::new(), String::new());
        loop {
            match reader.read_event().unwrap() {
                Event::Start(start) if start.name().as_ref() == b"Number" => {
                    let attribute = start.attributes().next().unwrap().unwrap();
                    let value = std::str::from_utf8(&attribute.value).unwrap();
                    url = quick_xml::escape::unescape(value).unwrap().into_owned();
                }
                Event::Text(text) => words.push_str(&text.decode().unwrap()),
                Event::GeneralRef(reference) => {
                    let reference = format!("&{};", reference.decode().unwrap());
                    words.push_str(&quick_xml::escape::unescape(&reference).unwrap());
                }
                Event::Eof => return (url, words),
                _ => {}
            }
        }
    }

    proptest! {
        #[test]
        fn any_text_comes_out_of_a_parser_as_it_went_in(url: String, words: String) {
            let document = response([Verb::new("Number").with("url", &url).text(&words)]);
            prop_assert_eq!(read(&document), (legal(&url), legal(&words)));
        }
    }

    #[test]
    fn nothing_climbs_out_of_its_place_and_nothing_illegal_goes_in() {
        let document = response([Verb::new("Number").with("url", "https://a/?b=1&c=\"><Hangup/>").text("</Number><Dial>900</Dial>\u{1}")]);
        assert_eq!(
            document,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Number url=\"https://a/?b=1&amp;c=&quot;&gt;&lt;Hangup/&gt;\">\
             &lt;/Number&gt;&lt;Dial&gt;900&lt;/Dial&gt;</Number></Response>"
        );
    }
}
