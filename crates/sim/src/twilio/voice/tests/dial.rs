//! Connecting: who is rung, who picks up, who is screened, and what is told of it.

use std::collections::BTreeMap;

use super::*;

const LEG: &str = "statusCallback='/leg' statusCallbackEvent='initiated ringing answered completed'";

/// Lets every call ring these numbers, each an attribute list and a number.
fn dials(bench: &Bench, attributes: &str, numbers: &[(&str, &str)]) {
    let numbers: String = numbers.iter().map(|(attributes, number)| format!("<Number {attributes}>{number}</Number>")).collect();
    bench.twiml("/voice", &format!("<Dial action='/dialled' {attributes}>{numbers}</Dial>"));
    bench.twiml("/dialled", "<Hangup/>");
}

#[tokio::test]
async fn whoever_answers_is_connected() {
    let mut bench = bench().await;
    dials(&bench, "callerId='+15551234567'", &[(LEG, STAFF)]);
    bench.answers(STAFF, 4000, 42_000, None);
    let report = bench.ring(customer()).await;
    let hooks = bench.settled_hooks().await;
    assert_eq!(paths(&hooks), ["/voice", "/leg", "/leg", "/leg", "/leg", "/dialled", "/status"]);

    let legs = &hooks[1..5];
    assert_eq!(statuses(legs), ["initiated", "ringing", "in-progress", "completed"]);
    assert_eq!(legs.iter().map(|leg| leg.field("SequenceNumber")).collect::<Vec<_>>(), ["0", "1", "2", "3"]);
    assert_eq!(legs[3].field("Timestamp"), "Thu, 05 Mar 2026 20:00:46 +0000");
    for leg in legs {
        assert_eq!((leg.field("Direction"), leg.field("From"), leg.field("To")), ("outbound-dial", NUMBER, STAFF));
        assert_eq!((leg.field("ParentCallSid"), leg.field("CallSid")), (hooks[0].field("CallSid"), report.calls[1].sid.as_str()));
        assert_eq!(leg.form.contains_key("CallDuration"), leg.field("CallStatus") == "completed");
    }
    let dialled = &hooks[5];
    assert_eq!(
        (dialled.field("DialCallStatus"), dialled.field("DialCallDuration"), dialled.field("DialBridged")),
        ("completed", "42", "true")
    );
    assert_eq!((dialled.field("DialCallSid"), dialled.field("CallStatus")), (report.calls[1].sid.as_str(), "in-progress"));
    assert_eq!((hooks[6].field("CallSid"), hooks[6].field("CallDuration")), (hooks[0].field("CallSid"), "46"));
    assert_eq!(report.calls[1].parent.as_deref(), Some(hooks[0].field("CallSid")));
}

#[tokio::test]
async fn each_phone_ends_a_call_in_its_own_way() {
    let mut bench = bench().await;
    for (behaviour, dial_status, legs) in [
        (Behaviour::Busy, "busy", &["initiated", "busy"][..]),
        (Behaviour::Fails, "failed", &["initiated", "failed"]),
        (Behaviour::Rejects, "busy", &["initiated", "ringing", "busy"]),
        (Behaviour::NoAnswer, "no-answer", &["initiated", "ringing", "no-answer"]),
        (Behaviour::Answers { after_ms: 20_001, talks_ms: 1, presses: None }, "no-answer", &["initiated", "ringing", "no-answer"]),
        (Behaviour::Voicemail { after_ms: 20_000, talks_ms: 9000 }, "completed", &["initiated", "ringing", "in-progress", "completed"]),
    ] {
        dials(&bench, "timeout='20'", &[(LEG, STAFF)]);
        bench.sim.phone(STAFF, Phone::new(behaviour.clone()));
        bench.ring(customer()).await;
        let hooks = bench.settled_hooks().await;
        let (dialled, leg): (Vec<_>, Vec<_>) =
            hooks.into_iter().skip(1).filter(|hook| hook.path != "/status").partition(|hook| hook.path == "/dialled");
        assert_eq!((dialled[0].field("DialCallStatus"), statuses(&leg)), (dial_status, legs.to_vec()), "{behaviour:?}");
        assert_eq!(dialled[0].field("DialBridged"), (dial_status == "completed").to_string());
        let code = BTreeMap::from([("busy", "486"), ("failed", "404"), ("no-answer", "487"), ("completed", "200")])[dial_status];
        assert_eq!(leg.last().unwrap().field("SipResponseCode"), code);
    }
}

#[tokio::test]
async fn without_an_action_the_document_goes_on() {
    let bench = bench().await;
    bench.twiml("/voice", "<Dial timeout='3'>+1 555 000 0001</Dial><Say>Nobody is there</Say>");
    let report = bench.ring(customer()).await;
    assert_eq!((report.heard, report.calls[1].to.as_str()), (vec!["Nobody is there".to_owned()], STAFF));
    assert_eq!(report.calls[1].from, CUSTOMER, "without a caller ID the phone shows the caller");
}

#[tokio::test]
async fn a_whisper_lets_only_a_person_through() {
    let mut bench = bench().await;
    bench.twiml("/whisper", "<Gather numDigits='1' action='/accept'><Say>Press 1 to accept</Say></Gather><Hangup/>");
    bench.twiml("/accept", "<Say>Connecting</Say>");
    dials(&bench, "answerOnBridge='true'", &[("url='/whisper'", STAFF)]);

    bench.answers(STAFF, 1000, 10_000, Some("1"));
    let report = bench.ring(customer()).await;
    assert!(report.heard.is_empty(), "the caller does not hear the whisper");
    let hooks = bench.settled_hooks().await;
    assert_eq!(paths(&hooks), ["/voice", "/whisper", "/accept", "/dialled", "/status"]);
    assert_eq!((hooks[1].field("CallSid"), hooks[1].field("ParentCallSid")), (report.calls[1].sid.as_str(), report.calls[0].sid.as_str()));
    assert_eq!(
        (hooks[2].field("Digits"), hooks[2].field("CallStatus"), hooks[3].field("DialCallStatus")),
        ("1", "in-progress", "completed")
    );
    assert_eq!(report.calls[0].duration_s, Some(10), "the caller was answered when they were connected");

    bench.sim.phone(STAFF, Phone::new(Behaviour::Voicemail { after_ms: 1000, talks_ms: 10_000 }));
    let report = bench.ring(customer()).await;
    let hooks = bench.settled_hooks().await;
    assert_eq!(paths(&hooks), ["/voice", "/whisper", "/dialled", "/status"]);
    assert_eq!((hooks[2].field("DialCallStatus"), hooks[2].field("DialBridged")), ("no-answer", "false"));
    assert_eq!((report.calls[1].status, report.calls[1].answered), (CallStatus::Completed, true));
}

#[tokio::test]
async fn of_several_phones_the_first_to_accept_is_connected() {
    let mut bench = bench().await;
    bench.twiml("/whisper", "<Gather numDigits='1' action='/accept'/><Hangup/>");
    bench.twiml("/accept", "");
    dials(&bench, "", &[("url='/whisper'", STAFF), ("url='/whisper'", COLLEAGUE), (LEG, "+15550000003")]);
    bench.sim.phone(STAFF, Phone::new(Behaviour::Voicemail { after_ms: 1000, talks_ms: 1000 }));
    bench.answers(COLLEAGUE, 2000, 8000, Some("1"));
    let report = bench.ring(customer()).await;
    let dialled = bench.hooks_at("/dialled").await;
    assert_eq!((dialled[0].field("DialCallSid"), dialled[0].field("DialCallStatus")), (report.calls[2].sid.as_str(), "completed"));
    let ends: Vec<_> = report.calls.iter().map(|call| (call.status, call.answered)).collect();
    let [completed, no_answer] = [CallStatus::Completed, CallStatus::NoAnswer];
    assert_eq!(ends, [(completed, true), (completed, true), (completed, true), (no_answer, false)]);
}

#[tokio::test]
async fn a_caller_who_leaves_is_told_of_and_not_asked() {
    let mut bench = bench().await;
    bench.answers(STAFF, 10_000, 30_000, None);
    for (on_bridge, leaves_ms, parent, status, bridged) in [
        (true, 5000, CallStatus::NoAnswer, "no-answer", "false"),
        (false, 5000, CallStatus::Completed, "no-answer", "false"),
        (true, 25_000, CallStatus::Completed, "completed", "true"),
    ] {
        dials(&bench, &format!("answerOnBridge='{on_bridge}'"), &[(LEG, STAFF)]);
        bench.page("/dialled", "text/plain", "nobody reads this".to_owned());
        let report = bench.ring(InboundCall { hangs_up_after_ms: Some(leaves_ms), ..customer() }).await;
        assert_eq!(report.calls[0].status, parent);
        let dialled = bench.hooks_at("/dialled").await;
        assert_eq!((dialled[0].field("DialCallStatus"), dialled[0].field("DialBridged")), (status, bridged));
        assert_eq!(dialled[0].field("CallStatus"), parent.as_str());
        assert_eq!(report.calls[1].duration_s, Some(if bridged == "true" { 15 } else { 0 }));
    }
}

#[tokio::test]
async fn a_conversation_is_recorded_on_request() {
    let mut bench = bench().await;
    dials(&bench, "record='record-from-answer-dual' recordingStatusCallback='/recorded' timeLimit='20'", &[("", STAFF)]);
    bench.answers(STAFF, 0, 60_000, None);
    let report = bench.ring(customer()).await;
    let hooks = bench.settled_hooks().await;
    assert_eq!(paths(&hooks), ["/voice", "/dialled", "/status", "/recorded"]);
    let recorded = &hooks[3];
    assert_eq!(
        (recorded.field("RecordingDuration"), recorded.field("RecordingChannels"), recorded.field("RecordingSource")),
        ("20", "2", "DialVerb")
    );
    assert_eq!((recorded.field("CallSid"), recorded.field("RecordingUrl")), (report.calls[0].sid.as_str(), hooks[1].field("RecordingUrl")));
    assert_eq!(report.calls[0].recordings, [recorded.field("RecordingSid")]);
}
