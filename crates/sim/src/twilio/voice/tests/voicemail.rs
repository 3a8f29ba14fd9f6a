//! Taking a message: the recording, its callbacks after the call's end, and its words.

use super::*;

const WORDS: &str = "My chain came off, can you call me back today?";

fn takes_messages(bench: &Bench, attributes: &str) {
    let callbacks = "recordingStatusCallback='/recorded' recordingStatusCallbackEvent='in-progress completed absent'";
    bench.twiml("/voice", &format!("<Say>Leave a message</Say><Record action='/thanks' {callbacks} {attributes}/><Say>Good bye</Say>"));
    bench.twiml("/thanks", "<Hangup/>");
}

fn caller_who_says(words: &str) -> InboundCall {
    InboundCall { says: Some(words.to_owned()), ..customer() }
}

#[tokio::test]
async fn a_recording_is_told_of_after_the_end_of_the_call() {
    let mut bench = bench().await;
    takes_messages(&bench, "transcribe='true' transcribeCallback='/words' playBeep='true'");
    let report = bench.ring(caller_who_says(WORDS)).await;
    let hooks = bench.settled_hooks().await;
    assert_eq!(paths(&hooks), ["/voice", "/recorded", "/thanks", "/status", "/recorded", "/words"]);
    assert_eq!((hooks[1].field("RecordingStatus"), hooks[1].form.contains_key("RecordingDuration")), ("in-progress", false));
    let (thanks, recorded, words) = (&hooks[2], &hooks[4], &hooks[5]);
    assert_eq!((thanks.field("RecordingDuration"), thanks.field("Digits")), ("4", ""));
    assert_eq!(
        recorded.form.keys().cloned().collect::<BTreeSet<_>>(),
        names(include_str!("../../../../testdata/recording_completed.form"))
    );
    assert_eq!((recorded.field("RecordingStatus"), recorded.field("RecordingDuration")), ("completed", "4"));
    assert_eq!(
        (recorded.field("RecordingSource"), recorded.field("RecordingStartTime")),
        ("RecordVerb", "Thu, 05 Mar 2026 20:00:01 +0000")
    );
    assert_eq!(recorded.field("RecordingUrl"), thanks.field("RecordingUrl"));
    assert_eq!((words.field("TranscriptionText"), words.field("TranscriptionStatus")), (WORDS, "completed"));
    assert_eq!((words.field("RecordingSid"), words.field("CallSid")), (recorded.field("RecordingSid"), report.calls[0].sid.as_str()));
    assert!(words.field("TranscriptionSid").starts_with("TR") && words.field("url").contains(words.field("TranscriptionSid")));
}

#[tokio::test]
async fn a_caller_who_hangs_up_has_left_what_they_said() {
    let mut bench = bench().await;
    takes_messages(&bench, "");
    bench.ring(InboundCall { hangs_up_after_ms: Some(3000), ..caller_who_says(WORDS) }).await;
    let hooks = bench.settled_hooks().await;
    let thanks = hooks.iter().find(|hook| hook.path == "/thanks").unwrap();
    assert_eq!((thanks.field("Digits"), thanks.field("RecordingDuration"), thanks.field("CallStatus")), ("hangup", "2", "completed"));
    assert_eq!(hooks.last().unwrap().field("RecordingDuration"), "2");
}

#[tokio::test]
async fn silence_is_no_recording() {
    let mut bench = bench().await;
    takes_messages(&bench, "transcribe='true' transcribeCallback='/words'");
    let report = bench.ring(customer()).await;
    assert_eq!(report.heard, ["Leave a message", "Good bye"]);
    let hooks = bench.settled_hooks().await;
    assert_eq!(paths(&hooks), ["/voice", "/status", "/recorded"]);
    assert_eq!((hooks[2].field("RecordingStatus"), hooks[2].field("RecordingDuration")), ("absent", "0"));
    assert!(bench.sim.recordings().is_empty());
}

#[tokio::test]
async fn a_recording_that_is_too_short_is_not_written_down() {
    let mut bench = bench().await;
    takes_messages(&bench, "maxLength='1' transcribe='true' transcribeCallback='/words'");
    bench.ring(caller_who_says(WORDS)).await;
    let hooks = bench.hooks_at("/words").await;
    assert_eq!((hooks[0].field("TranscriptionStatus"), hooks[0].field("TranscriptionText")), ("failed", ""));
    assert_eq!(bench.sim.recordings()[0].duration_s, 1);
}
