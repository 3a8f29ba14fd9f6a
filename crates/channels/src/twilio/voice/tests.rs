//! Every payload about calls, the places in URLs, and the TwiML of each step.

use parlance_model::phone::Phone;

use super::super::testing::{By, URL, account, testdata, with_hook};
use super::*;

const CALL: &str = "CA00000000000000000000000000000001";

fn told(query: &str, body: &[u8]) -> CallNews {
    let url = format!("{URL}/a/tok3n{query}");
    let parsed = with_hook(By::Form, &[&url], "", body, |hook| {
        super::super::parse::parse(&account(), hook, super::super::form::Form::of(hook).as_ref())
    });
    match parsed {
        Parsed::Call(news) => news,
        other => panic!("news of a call, not {other:?}"),
    }
}

fn file(name: &str) -> CallNews {
    told("", &testdata(name))
}

#[test]
fn a_call_that_comes_in_is_read_whole() {
    let news = file("voice_inbound.form");
    assert_eq!((news.provider_id.as_str(), news.message), (CALL, None));
    let News::Incoming { from, provider_meta, .. } = news.news else { panic!("a call that comes in") };
    assert_eq!(from.key(), "+15559876543");
    assert_eq!(provider_meta.0["stir_verstat"], "TN-Validation-Passed-A");
}

#[test]
fn hidden_callers_are_anonymous() {
    let body = String::from_utf8(testdata("voice_inbound.form")).unwrap();
    for hidden in ["%2B266696687", "anonymous", "Restricted", ""] {
        let News::Incoming { from, .. } = told("", body.replace("From=%2B15559876543", &format!("From={hidden}")).as_bytes()).news else {
            panic!("a call that comes in")
        };
        assert_eq!(from, Address::Anonymous, "{hidden}");
    }
}

#[test]
fn every_status_has_its_word() {
    use CallStatus as S;
    for (name, expected) in [
        ("initiated", S::Queued),
        ("ringing", S::Ringing),
        ("in-progress", S::InProgress),
        ("busy", S::Busy),
        ("no-answer", S::NoAnswer),
        ("failed", S::Failed),
        ("canceled", S::Canceled),
        ("completed", S::Completed),
    ] {
        let News::Call { status, duration_s } = file(&format!("voice_status_{name}.form")).news else { panic!("{name}") };
        assert_eq!(status, expected);
        assert_eq!(duration_s, status.is_end().then_some(if status == S::Completed { 47 } else { 0 }), "{name}");
    }
}

#[test]
fn a_recording_is_told_by_its_source_or_its_step() {
    let News::Recorded { recording, url, voicemail, .. } = file("voice_recording_completed.form").news else { panic!("a recording") };
    assert_eq!((recording.id.as_str(), recording.duration_s, voicemail), ("RE00000000000000000000000000000001", Some(42), true));
    assert!(url.ends_with("/Recordings/RE00000000000000000000000000000001.mp3"), "{url}");
    let dialed = format!("CallSid={CALL}&RecordingSid=RE1&RecordingUrl=https%3A%2F%2Fa%2FRE1&RecordingSource=DialVerb");
    assert!(matches!(told("?call=5", dialed.as_bytes()).news, News::Recorded { voicemail: false, .. }));
    assert!(matches!(told("?call=5&step=voicemail&n=0", dialed.as_bytes()).news, News::Recorded { voicemail: true, .. }));
    for status in ["absent", "failed", "in-progress"] {
        assert!(matches!(told("?call=5", format!("{dialed}&RecordingStatus={status}").as_bytes()).news, News::Nothing), "{status}");
    }
    let written =
        format!("CallSid={CALL}&TranscriptionStatus=completed&TranscriptionText=Hi&RecordingSid=RE1&RecordingUrl=https%3A%2F%2Fa%2FRE1");
    assert!(matches!(told("?call=5", written.as_bytes()).news, News::Transcribed { text } if text == "Hi"));
}

#[test]
fn the_place_in_a_call_is_read_from_the_url() {
    let leg = format!("CallSid=CA2&ParentCallSid={CALL}&CallStatus=in-progress&Direction=outbound-dial&From=%2B1&To=%2B2");
    let news = told("?call=5&attempt=7&step=leg&n=2", leg.as_bytes());
    assert_eq!((news.provider_id.as_str(), news.message, news.attempt), (CALL, Some(MessageId(5)), Some(AttemptId(7))));
    assert!(matches!(news.news, News::Leg { status: CallStatus::InProgress, .. }));
    assert!(matches!(told("?call=5&step=answered&n=2", leg.as_bytes()).news, News::Answered { n: 2 }));
    assert!(matches!(told("?call=5&step=accepted&n=2", leg.as_bytes()).news, News::Accepted { n: 2 }));
    let dialed = format!("{leg}&DialCallStatus=completed&DialBridged=true&DialCallDuration=61");
    assert!(matches!(told("?call=5&step=dialed&n=2", dialed.as_bytes()).news, News::Dialed { n: 2, bridged: true, duration_s: Some(61) }));
}

fn twiml(next: Next) -> String {
    direct("https://chat.example.com", &account(), &Directed { call: MessageId(5), attempt: None, next })
}

#[test]
fn each_step_is_written_as_twilio_reads_it() {
    let phone = |text: &str| Phone::parse(text, "US".parse().unwrap()).unwrap();
    let dial = Dial { phone: phone("+15550001111"), caller_id: phone("+15559876543"), ring_s: 20, record: true, n: 1, screened: true };
    let written = [
        Next::Dial(dial.clone()),
        Next::Dial(Dial { record: false, screened: false, ..dial }),
        Next::Ask { n: 1, question: "Tom & Jerry's? Press any key.".to_owned() },
        Next::Voicemail { greeting: "Please leave a <message>.".to_owned() },
        Next::HangUp,
        Next::Bridge,
    ]
    .map(twiml);
    let head = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";
    let at = "https://chat.example.com/webhooks/twilio/a/tok3n?call=5";
    let steps = |step: &str, n: usize| format!("{at}&amp;step={step}&amp;n={n}");
    let (leg, dialed, voicemail) = (steps("leg", 1), steps("dialed", 1), steps("voicemail", 0));
    let ends = "statusCallbackEvent=\"initiated ringing answered completed\">+15550001111</Number></Dial></Response>";
    let begins = format!("{head}<Response><Dial timeout=\"20\" callerId=\"+15559876543\" answerOnBridge=\"true\" action=\"{dialed}\"");
    assert_eq!(
        written[0],
        format!(
            "{begins} record=\"record-from-answer-dual\" recordingStatusCallback=\"{at}\"><Number url=\"{}\" statusCallback=\"{leg}\" {ends}",
            steps("answered", 1)
        )
    );
    assert_eq!(written[1], format!("{begins}><Number statusCallback=\"{leg}\" {ends}"));
    assert_eq!(
        written[2],
        format!(
            "{head}<Response><Gather numDigits=\"1\" finishOnKey=\"\" timeout=\"10\" action=\"{}\"><Say>Tom &amp; Jerry&apos;s? Press any key.</Say></Gather><Hangup/></Response>",
            steps("accepted", 1)
        )
    );
    assert_eq!(
        written[3],
        format!(
            "{head}<Response><Say>Please leave a &lt;message&gt;.</Say><Record maxLength=\"119\" playBeep=\"true\" action=\"{voicemail}\" recordingStatusCallback=\"{voicemail}\" transcribe=\"true\" transcribeCallback=\"{voicemail}\"/><Hangup/></Response>"
        )
    );
    assert_eq!(written[4], format!("{head}<Response><Hangup/></Response>"));
    assert_eq!(written[5], format!("{head}<Response/>"));
}
