//! A customer calls: the first request, speaking, keys, redirects, and how the call ends.

use super::*;

#[tokio::test]
async fn a_call_asks_for_twiml_with_twilios_fields_and_signature() {
    let mut bench = bench().await;
    bench.twiml("/voice", "<Say>Hello there</Say>");
    let report = bench.ring(customer()).await;
    assert_eq!(report.heard, ["Hello there"]);
    let hooks = bench.settled_hooks().await;
    assert_eq!(paths(&hooks), ["/voice", "/status"]);
    let first = &hooks[0];
    assert_eq!(first.form.keys().cloned().collect::<BTreeSet<_>>(), names(include_str!("../../../../testdata/voice_inbound.form")));
    assert_eq!((first.field("From"), first.field("Caller"), first.field("To")), (CUSTOMER, CUSTOMER, NUMBER));
    assert_eq!((first.field("CallStatus"), first.field("Direction"), first.field("ApiVersion")), ("ringing", "inbound", "2010-04-01"));
    let form = first.form.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let url = bench.business.join("/voice").unwrap();
    assert_eq!(first.header(signature::HEADER), signature::sign(TOKEN, url.as_str(), form));

    let last = &hooks[1];
    assert_eq!((last.field("CallStatus"), last.field("CallDuration"), last.field("SequenceNumber")), ("completed", "1", "0"));
    assert_eq!((last.field("Timestamp"), last.field("Duration")), ("Thu, 05 Mar 2026 20:00:01 +0000", "1"));
    assert_eq!(report.deliveries.iter().map(|delivery| delivery.kind).collect::<Vec<_>>(), [HookKind::Voice, HookKind::CallStatus]);
    let call = &report.calls[0];
    assert_eq!((call.sid.as_str(), call.status, call.duration_s), (first.field("CallSid"), CallStatus::Completed, Some(1)));
    assert_eq!((call.answered, call.answered_ms, call.ended_ms), (true, Some(START_MS), Some(START_MS + 1000)));
}

#[tokio::test]
async fn hidden_callers_come_in_too() {
    let mut bench = bench().await;
    bench.twiml("/voice", "<Hangup/>");
    for from in ["+266696687", "anonymous", "Restricted"] {
        bench.ring(InboundCall::new(from, NUMBER)).await;
        let hooks = bench.settled_hooks().await;
        assert_eq!((hooks[0].field("From"), hooks[0].field("FromCity")), (from, ""));
        assert!(!hooks[0].form.contains_key("StirVerstat"));
    }
}

#[tokio::test]
async fn keys_answer_one_question_after_the_other() {
    let mut bench = bench().await;
    bench.twiml("/voice", "<Gather numDigits='1' action='menu?lang=en'><Say>Press 1</Say><Pause/></Gather><Say>Nobody</Say>");
    bench.twiml("/menu", "<Gather><Say>Your number</Say></Gather>");
    let report = bench.ring(InboundCall { presses: Some("142#9".to_owned()), ..customer() }).await;
    // Without an action, a gather asks its own URL: so the second question is asked until nothing is pressed.
    assert_eq!(report.heard, ["Press 1", "Your number", "Your number", "Your number"]);
    let hooks = bench.settled_hooks().await;
    assert_eq!(paths(&hooks), ["/voice", "/menu?lang=en", "/menu?lang=en", "/menu?lang=en", "/status"]);
    assert_eq!(hooks[1..4].iter().map(|hook| hook.field("Digits")).collect::<Vec<_>>(), ["1", "42", "9"]);
    assert_eq!((hooks[2].field("FinishedOnKey"), hooks[3].field("FinishedOnKey")), ("#", ""));
    assert_eq!(hooks[1].field("CallStatus"), "in-progress");
}

#[tokio::test]
async fn silence_falls_through_a_question() {
    let mut bench = bench().await;
    bench.twiml("/voice", "<Gather timeout='7' action='/never'/><Gather actionOnEmptyResult='true' action='/empty'/>");
    bench.twiml("/empty", "<Redirect>/last</Redirect><Say>Never</Say>");
    bench.twiml("/last", "<Play loop='2'>/music.mp3</Play>");
    let report = bench.ring(customer()).await;
    assert_eq!(report.heard, ["/music.mp3"]);
    assert_eq!(report.calls[0].duration_s, Some(7 + 5 + 6));
    assert_eq!(paths(&bench.settled_hooks().await), ["/voice", "/empty", "/last", "/status"]);
}

#[tokio::test]
async fn a_refused_call_was_never_answered() {
    let bench = bench().await;
    for (verbs, status) in [("<Reject/>", CallStatus::NoAnswer), ("<Reject reason='busy'/>", CallStatus::Busy)] {
        bench.twiml("/voice", verbs);
        let report = bench.ring(customer()).await;
        assert_eq!((report.calls[0].status, report.calls[0].answered, report.calls[0].duration_s), (status, false, Some(0)));
    }
    bench.sim.set_voice_urls(ACCOUNT, None, None);
    let report = bench.ring(customer()).await;
    assert_eq!((report.calls[0].status, report.deliveries.len()), (CallStatus::Busy, 0));
    assert!(bench.ring(InboundCall::new(CUSTOMER, "+15550009999")).await.calls.is_empty());
}

#[tokio::test]
async fn a_caller_who_leaves_ends_the_call() {
    let bench = bench().await;
    bench.twiml("/voice", "<Pause length='5'/><Play loop='0'>/music.mp3</Play>");
    let report = bench.ring(InboundCall { hangs_up_after_ms: Some(4000), ..customer() }).await;
    assert_eq!((report.calls[0].status, report.calls[0].duration_s), (CallStatus::NoAnswer, Some(0)), "it still rang");
    let report = bench.ring(InboundCall { hangs_up_after_ms: Some(65_000), ..customer() }).await;
    assert_eq!((report.calls[0].status, report.calls[0].duration_s), (CallStatus::Completed, Some(60)));
}

#[tokio::test]
async fn faults_meet_the_hooks_of_a_call() {
    let mut bench = bench().await;
    bench.twiml(
        "/voice",
        "<Dial><Number statusCallback='/leg' statusCallbackEvent='initiated ringing answered completed'>+15550000001</Number></Dial>",
    );
    bench.answers(STAFF, 1000, 5000, None);
    bench.sim.fault(Fault::new(FaultKind::Duplicate { copies: 2, concurrent: false }).for_number(CUSTOMER).times(1));
    bench.ring(customer()).await;
    let hooks = bench.settled_hooks().await;
    assert_eq!(paths(&hooks).iter().filter(|path| **path == "/voice").count(), 2);
    assert_eq!(hooks[0].header("i-twilio-idempotency-token"), hooks[1].header("i-twilio-idempotency-token"));
    assert_eq!(paths(&hooks).iter().filter(|path| **path == "/leg").count(), 8);
    assert_eq!(bench.sim.calls().len(), 2, "one call and its leg");

    bench.fault(FaultKind::Reorder { order: Order::Reverse });
    bench.ring(customer()).await;
    let hooks = bench.settled_hooks().await;
    assert_eq!(paths(&hooks), ["/voice", "/status", "/leg", "/leg", "/leg", "/leg"]);
    assert_eq!(statuses(&hooks[2..]), ["completed", "in-progress", "ringing", "initiated"]);

    bench.fault(FaultKind::AcceptWithoutCallbacks);
    bench.ring(customer()).await;
    assert_eq!(paths(&bench.settled_hooks().await), ["/voice"]);
}
