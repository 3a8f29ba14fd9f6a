//! Calls that the REST API asks for: what is taken, what is refused, their course, their end, and their list.

use super::*;
use crate::twilio::tests::OTHER_ACCOUNT;
use parlance_net::{Failure, Response};

fn calls(rest: &str) -> String {
    format!("2010-04-01/Accounts/{ACCOUNT}/Calls{rest}")
}

impl Bench {
    async fn place(&self, form: &[(&str, &str)]) -> (u16, Value) {
        self.call(Method::POST, &calls(".json"), form).await
    }

    async fn try_place(&self) -> Result<Response, Failure> {
        let status = self.business.join("/status").unwrap();
        let form = [("To", STAFF), ("From", NUMBER), ("Twiml", "<Response/>"), ("StatusCallback", status.as_str())];
        self.execute(self.request(Method::POST, &calls(".json")).basic_auth(ACCOUNT, TOKEN).form(form)).await
    }
}

#[tokio::test]
async fn a_call_is_placed_and_connected() {
    let mut bench = bench().await;
    bench.answers(STAFF, 2000, 90_000, None);
    bench.answers(CUSTOMER, 5000, 30_000, None);
    bench.twiml("/connect", "<Dial callerId='+15551234567'>+15559876543</Dial>");
    let (connect, status, recorded) =
        (bench.business.join("/connect").unwrap(), bench.business.join("/status").unwrap(), bench.business.join("/recorded").unwrap());
    let (code, call) = bench
        .place(&[
            ("To", STAFF),
            ("From", NUMBER),
            ("Url", connect.as_str()),
            ("StatusCallback", status.as_str()),
            ("StatusCallbackEvent", "initiated"),
            ("StatusCallbackEvent", "ringing answered"),
            ("StatusCallbackEvent", "completed"),
            ("Record", "true"),
            ("RecordingStatusCallback", recorded.as_str()),
            ("MachineDetection", "Enable"),
        ])
        .await;
    assert_eq!((code, &call["status"], &call["direction"]), (201, &"queued".into(), &"outbound-api".into()));
    check(&call, "api.v2010.account.call");
    let hooks = bench.settled_hooks().await;
    assert_eq!(paths(&hooks), ["/status", "/status", "/status", "/connect", "/status", "/recorded"]);
    let progress: Vec<_> = hooks.iter().filter(|hook| hook.path == "/status").collect();
    assert_eq!(
        progress.iter().map(|hook| hook.field("CallStatus")).collect::<Vec<_>>(),
        ["initiated", "ringing", "in-progress", "completed"]
    );
    assert_eq!((progress[3].field("CallDuration"), progress[3].field("SequenceNumber")), ("35", "3"));
    assert_eq!((hooks[3].field("AnsweredBy"), hooks[3].field("CallStatus")), ("human", "in-progress"));
    assert_eq!((hooks[5].field("RecordingSource"), hooks[5].field("RecordingDuration")), ("OutboundAPI", "35"));
    let (code, call) = bench.get(call["uri"].as_str().unwrap()).await;
    check(&call, "api.v2010.account.call");
    assert_eq!((code, &call["status"], &call["duration"], &call["answered_by"]), (200, &"completed".into(), &"35".into(), &"human".into()));
    assert_eq!(bench.sim.twiml_errors(), []);
}

#[tokio::test]
async fn an_unanswered_call_asks_for_nothing() {
    let mut bench = bench().await;
    let status = bench.business.join("/status").unwrap();
    for (behaviour, expected) in [
        (Behaviour::Busy, "busy"),
        (Behaviour::NoAnswer, "no-answer"),
        (Behaviour::Fails, "failed"),
        (Behaviour::Answers { after_ms: 11_000, talks_ms: 1, presses: None }, "no-answer"),
    ] {
        bench.sim.phone(STAFF, Phone::new(behaviour));
        let url = bench.business.join("/connect").unwrap();
        let form = [("To", STAFF), ("From", NUMBER), ("Url", url.as_str()), ("Timeout", "10"), ("StatusCallback", status.as_str())];
        assert_eq!(bench.place(&form).await.0, 201);
        let hooks = bench.settled_hooks().await;
        assert_eq!((paths(&hooks), statuses(&hooks)), (vec!["/status"], vec![expected]));
        assert_eq!(hooks[0].field("CallDuration"), "0");
    }
}

#[tokio::test]
async fn a_bad_create_is_refused_with_twilios_code() {
    let bench = bench().await;
    let (to, from, twiml) = (("To", STAFF), ("From", NUMBER), ("Twiml", "<Response/>"));
    let cases: &[(&[(&str, &str)], u32)] = &[
        (&[from, twiml], 21201),
        (&[to, twiml], 21213),
        (&[("To", "the shop"), from, twiml], 21211),
        (&[("To", "+15005550001"), from, twiml], 21217),
        (&[("To", "+15005550003"), from, twiml], 21215),
        (&[to, ("From", "the shop"), twiml], 21212),
        (&[to, ("From", "+15005550001"), twiml], 21212),
        (&[to, ("From", "+15550001111"), twiml], 21210),
        (&[to, ("From", OTHER_NUMBER), twiml], 21210),
        (&[to, from], 21205),
        (&[to, from, ("Url", "nowhere")], 21205),
        (&[to, from, twiml, ("StatusCallback", "nowhere")], 21609),
        (&[to, from, twiml, ("StatusCallbackEvent", "done")], 21626),
        (&[to, from, twiml, ("RecordingStatusCallbackEvent", "done")], 21626),
        (&[to, from, twiml, ("Timeout", "601")], 20001),
        (&[to, from, twiml, ("Method", "GET")], 20001),
    ];
    for (form, code) in cases {
        let (status, body) = bench.place(form).await;
        assert_eq!((status, &body["code"]), (400, &Value::from(*code)), "{form:?}");
    }
    assert!(bench.sim.calls().is_empty());
    let (status, body) = bench.get(&calls("/CA00000000000000000000000000000000.json")).await;
    assert_eq!((status, &body["code"]), (404, &20404.into()));
    let anonymous = bench.execute(bench.request(Method::GET, &calls(".json"))).await.unwrap();
    assert_eq!(anonymous.status, 401);
    let foreign = bench.call(Method::GET, &format!("2010-04-01/Accounts/{OTHER_ACCOUNT}/Calls.json"), &[]).await;
    assert_eq!(foreign.0, 404);
}

#[tokio::test]
async fn twiml_that_came_with_the_call_is_judged_when_it_is_answered() {
    let bench = bench().await;
    bench.answers(STAFF, 0, 1, None);
    assert_eq!(bench.place(&[("To", STAFF), ("From", NUMBER), ("Twiml", "<Response><Smile/></Response>")]).await.0, 201);
    assert_eq!(bench.place(&[("To", STAFF), ("From", NUMBER), ("Twiml", "<Response><Redirect>/a</Redirect></Response>")]).await.0, 201);
    bench.sim.settled().await;
    let mut codes: Vec<_> = bench.sim.twiml_errors().iter().map(|error| error.code).collect();
    codes.sort_unstable();
    assert_eq!(codes, [11100, 12200]);
}

#[tokio::test]
async fn faults_meet_a_create() {
    let mut bench = bench().await;
    bench.answers(STAFF, 0, 1, None);
    bench.fault(FaultKind::Refuse { status: 429, code: 20429 });
    assert_eq!(bench.try_place().await.unwrap().status, 429);
    bench.fault(FaultKind::Drop);
    assert!(bench.try_place().await.is_err());
    bench.sim.fault(Fault::new(FaultKind::Drop).for_number(STAFF).times(1));
    assert!(bench.try_place().await.is_err());
    assert!(bench.sim.calls().is_empty() && bench.settled_hooks().await.is_empty());

    bench.fault(FaultKind::AcceptThenTimeout { hold_ms: 0 });
    assert!(matches!(bench.try_place().await, Err(Failure::Lost(_))));
    assert_eq!(statuses(&bench.settled_hooks().await), ["completed"]);
    bench.fault(FaultKind::Duplicate { copies: 3, concurrent: true });
    assert_eq!(bench.try_place().await.unwrap().status, 201);
    assert_eq!(statuses(&bench.settled_hooks().await), ["completed"; 3]);
    bench.fault(FaultKind::CallbackBeforeAnswer);
    let body: Value = serde_json::from_slice(&bench.try_place().await.unwrap().body).unwrap();
    assert_eq!((&body["status"], bench.settled_hooks().await.len()), (&"queued".into(), 1));
}

/// A call that is still in this state: each wait within it is as long as it says.
async fn lasting(after_ms: u64, wanted: CallStatus) -> (Bench, SimCall) {
    let bench = bench_with(|config| config.callback_step_ms = u64::MAX).await;
    bench.answers(STAFF, after_ms, 1, None);
    let (_, call) = bench.place(&[("To", STAFF), ("From", NUMBER), ("Twiml", "<Response><Pause length='3600'/></Response>")]).await;
    loop {
        let (_, now) = bench.get(call["uri"].as_str().unwrap()).await;
        if now["status"] == wanted.as_str() {
            break;
        }
        tokio::task::yield_now().await;
    }
    let call = bench.sim.calls().remove(0);
    (bench, call)
}

#[tokio::test]
async fn a_ringing_call_is_canceled_and_an_answered_one_ended() {
    for (after_ms, status, wish, last) in
        [(50_000, CallStatus::Ringing, "canceled", CallStatus::Canceled), (0, CallStatus::InProgress, "completed", CallStatus::Completed)]
    {
        let (bench, call) = lasting(after_ms, status).await;
        let uri = calls(&format!("/{}.json", call.sid));
        let (code, body) = bench.call(Method::POST, &uri, &[("Status", wish)]).await;
        assert_eq!((code, &body["status"]), (200, &wish.into()));
        bench.sim.settled().await;
        assert_eq!(bench.sim.calls()[0].status, last);
        let (code, body) = bench.call(Method::POST, &uri, &[("Status", wish)]).await;
        assert_eq!((code, &body["code"]), (400, &21220.into()));
        assert_eq!(bench.call(Method::POST, &uri, &[("Status", "paused")]).await.0, 400);
    }
}

#[tokio::test]
async fn an_answered_call_cannot_be_canceled() {
    let (bench, call) = lasting(0, CallStatus::InProgress).await;
    let (code, body) = bench.call(Method::POST, &calls(&format!("/{}.json", call.sid)), &[("Status", "canceled")]).await;
    assert_eq!((code, &body["code"]), (400, &21220.into()));
}

#[tokio::test]
async fn calls_are_listed_by_both_sides_time_state_and_parent() {
    let bench = bench().await;
    bench.twiml("/voice", "<Dial>+15550000001</Dial>");
    bench.answers(STAFF, 0, 1000, None);
    let first = bench.ring(customer()).await;
    bench.clock.advance_ms(86_400_000);
    bench.twiml("/voice", "<Reject reason='busy'/>");
    bench.ring(InboundCall::new("anonymous", NUMBER)).await;
    let parent = format!("?ParentCallSid={}", first.calls[0].sid);
    for (query, count) in [
        ("", 3),
        ("?To=%2B15551234567", 2),
        ("?From=anonymous", 1),
        ("?Status=busy", 1),
        ("?StartTime%3E=2026-03-06", 1),
        ("?StartTime%3C=2026-03-05T23%3A00%3A00Z", 2),
        (&parent, 1),
    ] {
        let (status, list) = bench.get(&calls(&format!(".json{query}"))).await;
        assert_eq!((status, list["calls"].as_array().unwrap().len()), (200, count), "{query}");
        check(&list, "ListCallResponse");
    }
    let (_, page) = bench.get(&calls(".json?PageSize=2")).await;
    let (_, next) = bench.get(page["next_page_uri"].as_str().unwrap()).await;
    assert_eq!((&next["calls"][0]["sid"], &next["next_page_uri"]), (&first.calls[0].sid.clone().into(), &Value::Null));
}
