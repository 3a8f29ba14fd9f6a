//! Reading TwiML: what is understood, and what is refused rather than guessed.

use super::super::call::CallEvent;
use super::super::twiml::{Place, Verb, parse};

fn code(text: &str, place: Place) -> u32 {
    parse(text, place).unwrap_err().code
}

#[test]
fn a_document_is_its_verbs() {
    let verbs = parse(
        r#"<?xml version="1.0" encoding="UTF-8"?>
        <Response>
            <!-- A comment is nothing. -->
            <Say language="en-US" voice="alice">Bits &amp; <emphasis>pieces</emphasis></Say><Pause length="3"/>
            <Redirect>/next</Redirect><Reject reason="busy"/><Hangup/>
        </Response>"#,
        Place::Call,
    );
    let said = Verb::Say { text: "Bits & pieces".to_owned(), times: 1 };
    let next = Verb::Redirect { url: "/next".to_owned() };
    assert_eq!(verbs.unwrap(), [said, Verb::Pause { length_s: 3 }, next, Verb::Reject { busy: true }, Verb::Hangup]);
    assert_eq!(parse("<Response/>", Place::Call).unwrap(), []);
}

#[test]
fn dialling_reads_numbers_and_their_callbacks() {
    let verbs = parse(
        r#"<Response><Dial callerId="+15551234567" timeout="20" answerOnBridge="true" record="record-from-answer-dual" action="/done">
             <Number url="/whisper" statusCallback="/leg" statusCallbackEvent="initiated answered">+15550000001</Number>
             <Number>+15550000002</Number>
           </Dial></Response>"#,
        Place::Call,
    );
    let [Verb::Dial(dial)] = &verbs.unwrap()[..] else { panic!("no dial") };
    assert_eq!((dial.timeout_s, dial.answer_on_bridge, dial.record, dial.action.as_deref()), (20, true, Some(2), Some("/done")));
    assert_eq!(dial.numbers[0].events, [CallEvent::Initiated, CallEvent::Answered]);
    assert_eq!((dial.numbers[1].number.as_str(), &dial.numbers[1].events[..]), ("+15550000002", &[CallEvent::Completed][..]));
}

#[test]
fn what_is_not_xml_is_12100() {
    for text in ["", "Hello", "<Response>", "<Response></response>", "<!DOCTYPE a [<!ENTITY b 'c'>]><Response/>", "{}"] {
        assert_eq!(code(text, Place::Call), 12100, "{text}");
    }
}

#[test]
fn what_is_not_twiml_is_12200() {
    for inside in [
        "<say>Hi</say>",
        "<Conference/>",
        "Hi",
        "<Say/>",
        "<Say tone='kind'>Hi</Say>",
        "<Pause length='long'/>",
        "<Pause>1</Pause>",
        "<Hangup now='true'/>",
        "<Reject reason='mood'/>",
        "<Redirect/>",
        "<Redirect method='GET'>/a</Redirect>",
        "<Gather><Dial>+1</Dial></Gather>",
        "<Gather finishOnKey='ab'/>",
        "<Gather numDigits='-1'/>",
        "<Dial/>",
        "<Dial><Sip>sip:a@b</Sip></Dial>",
        "<Dial>+1<Number>+1</Number></Dial>",
        "<Dial record='yes'>+1</Dial>",
        "<Dial answerOnBridge='1'>+1</Dial>",
        "<Dial><Number statusCallbackEvent='done'>+1</Number></Dial>",
        "<Record>Hi</Record>",
        "<Record recordingStatusCallbackEvent='done'/>",
    ] {
        assert_eq!(code(&format!("<Response>{inside}</Response>"), Place::Call), 12200, "{inside}");
    }
    assert_eq!(code("<Answer/>", Place::Call), 12200);
    assert_eq!(code("<Response id='1'/>", Place::Call), 12200);
}

#[test]
fn a_whisper_may_not_dial() {
    assert!(parse("<Response><Gather><Say>Press 1</Say></Gather><Hangup/></Response>", Place::Whisper).is_ok());
    assert_eq!(code("<Response><Dial>+1</Dial></Response>", Place::Whisper), 12200);
    assert_eq!(code("<Response><Record/></Response>", Place::Whisper), 12200);
}
