//! Reading TwiML (twilio.com/docs/voice/twiml): the verbs that the simulator carries out, and nothing else. What Twilio
//! would shrug off, an unknown verb or attribute, is an error here, so that a test can see it.

use std::str::FromStr;

use roxmltree::{Document as Xml, Node, ParsingOptions};

use super::call::CallEvent;

/// What is wrong with a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Invalid {
    /// 12100 no XML, 12200 not TwiML.
    pub(super) code: u32,
    pub(super) message: String,
}

/// One step of a call.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Verb {
    Say { text: String, times: u64 },
    Play { url: String, times: u64 },
    Pause { length_s: u64 },
    Hangup,
    Reject { busy: bool },
    Redirect { url: String },
    Gather(Gather),
    Dial(Dial),
    Record(Record),
}

/// Asking for keys.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Gather {
    pub(super) action: Option<String>,
    pub(super) timeout_s: u64,
    pub(super) num_digits: Option<usize>,
    pub(super) finish_on_key: Option<char>,
    pub(super) action_on_empty_result: bool,
    pub(super) prompts: Vec<Verb>,
}

/// Connecting with other phones.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Dial {
    pub(super) action: Option<String>,
    pub(super) timeout_s: u64,
    pub(super) time_limit_s: u64,
    pub(super) caller_id: Option<String>,
    pub(super) answer_on_bridge: bool,
    /// Channels of the recording, if one is made.
    pub(super) record: Option<u8>,
    pub(super) recording: RecordingCallback,
    pub(super) numbers: Vec<Number>,
}

/// A phone to connect with.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Number {
    pub(super) number: String,
    /// What whoever picks up hears before they are connected.
    pub(super) url: Option<String>,
    pub(super) status_callback: Option<String>,
    pub(super) events: Vec<CallEvent>,
}

/// Taking a message.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Record {
    pub(super) action: Option<String>,
    pub(super) timeout_s: u64,
    pub(super) max_length_s: u64,
    pub(super) transcribe: bool,
    pub(super) transcribe_callback: Option<String>,
    pub(super) recording: RecordingCallback,
}

/// Where progress of a recording is reported.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct RecordingCallback {
    pub(super) url: Option<String>,
    /// Of `in-progress`, `completed`, `absent`.
    pub(super) events: Vec<String>,
}

impl RecordingCallback {
    /// Reads the words of a list of events. `None` when one of them is none of Twilio's.
    pub(super) fn new(url: Option<String>, events: &str) -> Option<Self> {
        let events: Vec<_> = events.split_whitespace().map(str::to_owned).collect();
        let known = events.iter().all(|event| ["in-progress", "completed", "absent"].contains(&event.as_str()));
        known.then_some(Self { url, events })
    }

    /// The URL, if this event is reported.
    pub(super) fn of(&self, event: &str) -> Option<&str> {
        self.url.as_deref().filter(|_| self.events.iter().any(|wanted| wanted == event))
    }
}

/// Where a document is carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// On a call.
    Call,
    /// On the leg of whoever has picked up, before they are connected.
    Whisper,
}

const SPOKEN: &[&str] = &["Say", "Play", "Pause"];
const WHISPERED: &[&str] = &["Say", "Play", "Pause", "Gather", "Redirect", "Hangup"];

type Result<T> = std::result::Result<T, Invalid>;

/// Reads a document.
pub(super) fn parse(text: &str, place: Place) -> Result<Vec<Verb>> {
    // Without DTDs, which is the reader's default, a document cannot grow or reach out.
    let xml = Xml::parse_with_options(text.trim(), ParsingOptions::default())
        .map_err(|error| Invalid { code: 12100, message: format!("Document parse failure: {error}") })?;
    let response = Element(xml.root_element());
    if response.name() != "Response" {
        return Err(invalid(format!("The document begins with <{}>, not with <Response>.", response.name())));
    }
    response.allow(&[])?;
    response.children()?.into_iter().map(|element| verb(element, place)).collect()
}

fn verb(element: Element<'_, '_>, place: Place) -> Result<Verb> {
    let name = element.name();
    if place == Place::Whisper && !WHISPERED.contains(&name) {
        return Err(invalid(format!("<{name}> is not allowed before the call is connected.")));
    }
    match name {
        "Say" | "Play" | "Pause" => spoken(element),
        "Hangup" => {
            element.allow(&[])?;
            element.empty(Verb::Hangup)
        }
        "Reject" => {
            element.allow(&["reason"])?;
            let busy = element.one_of("reason", &["rejected", "busy"])? == Some("busy");
            element.empty(Verb::Reject { busy })
        }
        "Redirect" => {
            element.allow(&["method"])?;
            Ok(Verb::Redirect { url: element.content()? })
        }
        "Gather" => gather(element).map(Verb::Gather),
        "Dial" => dial(element).map(Verb::Dial),
        "Record" => record(element).map(Verb::Record),
        _ => Err(invalid(format!("The simulator does not know <{name}>."))),
    }
}

fn spoken(element: Element<'_, '_>) -> Result<Verb> {
    match element.name() {
        "Say" => {
            element.allow(&["voice", "language", "loop"])?;
            Ok(Verb::Say { text: element.speech()?, times: element.number("loop", 1)? })
        }
        "Play" => {
            element.allow(&["loop"])?;
            Ok(Verb::Play { url: element.content()?, times: element.number("loop", 1)? })
        }
        _ => {
            element.allow(&["length"])?;
            let length_s = element.number("length", 1)?;
            element.empty(Verb::Pause { length_s })
        }
    }
}

fn gather(element: Element<'_, '_>) -> Result<Gather> {
    element.allow(&[
        "action",
        "method",
        "timeout",
        "numDigits",
        "finishOnKey",
        "actionOnEmptyResult",
        "input",
        "language",
        "hints",
        "speechTimeout",
    ])?;
    element.one_of("input", &["dtmf", "speech", "dtmf speech", "speech dtmf"])?;
    let finish_on_key = element.attribute("finishOnKey").unwrap_or("#");
    if finish_on_key.chars().count() > 1 || !finish_on_key.chars().all(is_key) {
        return Err(element.misuse("finishOnKey"));
    }
    let prompt = |child: Element<'_, '_>| {
        if SPOKEN.contains(&child.name()) { spoken(child) } else { Err(invalid(format!("<{}> is not allowed in <Gather>.", child.name()))) }
    };
    Ok(Gather {
        action: element.url("action"),
        timeout_s: element.number("timeout", 5)?,
        num_digits: element.attribute("numDigits").map(|_| element.number("numDigits", 1)).transpose()?,
        finish_on_key: finish_on_key.chars().next(),
        action_on_empty_result: element.flag("actionOnEmptyResult")?,
        prompts: element.children()?.into_iter().map(prompt).collect::<Result<_>>()?,
    })
}

fn is_key(key: char) -> bool {
    key.is_ascii_digit() || key == '*' || key == '#'
}

fn dial(element: Element<'_, '_>) -> Result<Dial> {
    element.allow(&[
        "action",
        "method",
        "timeout",
        "timeLimit",
        "callerId",
        "answerOnBridge",
        "hangupOnStar",
        "record",
        "trim",
        "recordingStatusCallback",
        "recordingStatusCallbackMethod",
        "recordingStatusCallbackEvent",
        "ringTone",
    ])?;
    element.flag("hangupOnStar")?;
    let record = [
        "do-not-record",
        "true",
        "false",
        "record-from-answer",
        "record-from-ringing",
        "record-from-answer-dual",
        "record-from-ringing-dual",
    ];
    let record = match element.one_of("record", &record)? {
        None | Some("do-not-record" | "false") => None,
        Some(how) if how.ends_with("-dual") => Some(2),
        Some(_) => Some(1),
    };
    let bare = element.text();
    let numbers = if bare.is_empty() {
        element.children()?.into_iter().map(number).collect::<Result<Vec<_>>>()?
    } else if element.0.children().any(|child| child.is_element()) {
        return Err(invalid("<Dial> has both a number and other nouns.".to_owned()));
    } else {
        vec![Number { number: bare, url: None, status_callback: None, events: vec![CallEvent::Completed] }]
    };
    if numbers.is_empty() {
        return Err(invalid("<Dial> has no number.".to_owned()));
    }
    Ok(Dial {
        action: element.url("action"),
        timeout_s: element.number("timeout", 30)?,
        time_limit_s: element.number("timeLimit", 14_400)?,
        caller_id: element.url("callerId"),
        answer_on_bridge: element.flag("answerOnBridge")?,
        record,
        recording: element.recording_callback()?,
        numbers,
    })
}

fn number(element: Element<'_, '_>) -> Result<Number> {
    if element.name() != "Number" {
        return Err(invalid(format!("The simulator does not know <{}> in <Dial>.", element.name())));
    }
    element.allow(&["url", "method", "statusCallback", "statusCallbackEvent", "statusCallbackMethod", "sendDigits"])?;
    let events = element.attribute("statusCallbackEvent").unwrap_or("completed");
    Ok(Number {
        number: element.content()?,
        url: element.url("url"),
        status_callback: element.url("statusCallback"),
        events: CallEvent::parse_all(events).ok_or_else(|| element.misuse("statusCallbackEvent"))?,
    })
}

fn record(element: Element<'_, '_>) -> Result<Record> {
    element.allow(&[
        "action",
        "method",
        "timeout",
        "finishOnKey",
        "maxLength",
        "playBeep",
        "trim",
        "recordingStatusCallback",
        "recordingStatusCallbackMethod",
        "recordingStatusCallbackEvent",
        "transcribe",
        "transcribeCallback",
    ])?;
    element.flag("playBeep")?;
    element.one_of("trim", &["trim-silence", "do-not-trim"])?;
    let transcribe_callback = element.url("transcribeCallback");
    element.empty(Record {
        action: element.url("action"),
        timeout_s: element.number("timeout", 5)?,
        max_length_s: element.number("maxLength", 3600)?,
        // Twilio transcribes where a callback is given, too.
        transcribe: element.flag("transcribe")? || transcribe_callback.is_some(),
        transcribe_callback,
        recording: element.recording_callback()?,
    })
}

fn invalid(message: String) -> Invalid {
    Invalid { code: 12200, message }
}

/// An element, read strictly.
#[derive(Clone, Copy)]
struct Element<'a, 'input>(Node<'a, 'input>);

impl<'a, 'input> Element<'a, 'input> {
    fn name(&self) -> &'a str {
        self.0.tag_name().name()
    }

    /// Refuses every other attribute, and every method but POST.
    fn allow(&self, names: &[&str]) -> Result<()> {
        for attribute in self.0.attributes() {
            let name = attribute.name();
            if !names.contains(&name) {
                return Err(invalid(format!("<{}> has no attribute {name}.", self.name())));
            }
            if name.to_ascii_lowercase().ends_with("method") && attribute.value() != "POST" {
                return Err(invalid(format!("<{}> has {name}={}; the simulator only posts.", self.name(), attribute.value())));
            }
        }
        Ok(())
    }

    fn attribute(&self, name: &str) -> Option<&'a str> {
        self.0.attribute(name)
    }

    /// An attribute that is a URL or a number. An empty one counts as none.
    fn url(&self, name: &str) -> Option<String> {
        self.attribute(name).map(str::trim).filter(|value| !value.is_empty()).map(str::to_owned)
    }

    fn misuse(&self, name: &str) -> Invalid {
        invalid(format!("<{}> has {name}={}.", self.name(), self.attribute(name).unwrap_or_default()))
    }

    fn number<T: FromStr>(&self, name: &str, default: T) -> Result<T> {
        self.attribute(name).map_or(Ok(default), |text| text.parse().map_err(|_| self.misuse(name)))
    }

    fn flag(&self, name: &str) -> Result<bool> {
        Ok(self.one_of(name, &["true", "false"])? == Some("true"))
    }

    fn one_of(&self, name: &str, words: &[&str]) -> Result<Option<&'a str>> {
        match self.attribute(name) {
            Some(word) if !words.contains(&word) => Err(self.misuse(name)),
            word => Ok(word),
        }
    }

    fn recording_callback(&self) -> Result<RecordingCallback> {
        let events = self.attribute("recordingStatusCallbackEvent").unwrap_or("completed");
        RecordingCallback::new(self.url("recordingStatusCallback"), events).ok_or_else(|| self.misuse("recordingStatusCallbackEvent"))
    }

    /// The elements in it, where no text belongs.
    fn children(&self) -> Result<Vec<Self>> {
        let text = self.text();
        if !text.is_empty() {
            return Err(invalid(format!("<{}> contains the text {text:?}.", self.name())));
        }
        Ok(self.0.children().filter(Node::is_element).map(Self).collect())
    }

    /// Its own text.
    fn text(&self) -> String {
        let text: String = self.0.children().filter(Node::is_text).filter_map(|node| node.text()).collect();
        text.trim().to_owned()
    }

    /// Its own text, where nothing else belongs.
    fn content(&self) -> Result<String> {
        let text = self.text();
        if text.is_empty() || self.0.children().any(|child| child.is_element()) {
            return Err(invalid(format!("<{}> must contain a text and nothing else.", self.name())));
        }
        Ok(text)
    }

    /// All text in it: how it is to be spoken (SSML) is not looked at.
    fn speech(&self) -> Result<String> {
        let text: String = self.0.descendants().filter(Node::is_text).filter_map(|node| node.text()).collect();
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if text.is_empty() { Err(invalid("<Say> has nothing to say.".to_owned())) } else { Ok(text) }
    }

    /// The verb, if there is nothing in it.
    fn empty<T>(&self, verb: T) -> Result<T> {
        if self.children()?.is_empty() { Ok(verb) } else { Err(invalid(format!("<{}> must be empty.", self.name()))) }
    }
}
