//! Answers that nobody can carry out end the call, and are noted.

use super::*;

async fn fails(bench: &Bench, code: u32) -> CallReport {
    let report = bench.sim.call(customer()).await;
    assert_eq!(report.twiml_errors.iter().map(|error| error.code).collect::<Vec<_>>(), [code], "{:?}", report.twiml_errors);
    assert_eq!(report.calls[0].status, CallStatus::Completed);
    report
}

#[tokio::test]
async fn an_answer_that_is_not_twiml_ends_the_call() {
    let bench = bench().await;
    for (content_type, page, code) in [
        ("text/xml", "", 12100),
        ("text/xml", "<Response><Say>Hi</Response>", 12100),
        ("application/xml", "<Response><Say>Hi</Say><Smile/></Response>", 12200),
        ("application/xml", "<Response><Say>Hi</Say><Reject/></Response>", 12200),
        ("text/plain", "<Response/>", 12300),
        ("application/json", "<Response/>", 12300),
        ("text/xml", "<Response><Redirect>http://</Redirect></Response>", 11100),
        ("text/xml", "<Response><Redirect>/voice</Redirect></Response>", 11200),
        ("text/xml", "<Response><Dial callerId='+15557654321'>+15550000001</Dial></Response>", 13214),
    ] {
        bench.page("/voice", content_type, page.to_owned());
        let report = fails(&bench, code).await;
        assert_eq!((report.twiml_errors[0].call_sid.as_str(), page.is_empty()), (report.calls[0].sid.as_str(), page.is_empty()));
    }
    assert_eq!(bench.sim.twiml_errors().len(), 9);
}

#[tokio::test]
async fn a_business_that_answers_with_an_error_or_not_at_all_ends_the_call() {
    let bench = bench().await;
    bench.twiml("/voice", "<Say>Hi</Say>");
    bench.answer.store(503, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(fails(&bench, 11200).await.deliveries.len(), 2, "the document and the status");
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    bench.sim.set_voice_urls(ACCOUNT, Url::parse(&format!("http://{closed}/")).unwrap(), None);
    let report = fails(&bench, 11200).await;
    assert_eq!(report.deliveries.len(), 2, "once more");
}

#[tokio::test]
async fn a_bad_number_is_noted_and_the_call_goes_on() {
    let mut bench = bench().await;
    bench.twiml("/voice", "<Dial action='/dialled'>the shop</Dial>");
    bench.twiml("/dialled", "<Hangup/>");
    fails(&bench, 13223).await;
    assert_eq!(bench.hooks_at("/dialled").await[0].field("DialCallStatus"), "failed");
}

#[tokio::test]
async fn a_broken_whisper_connects_nobody() {
    let mut bench = bench().await;
    bench.twiml("/voice", "<Dial action='/dialled'><Number url='/whisper'>+15550000001</Number></Dial>");
    bench.twiml("/dialled", "<Hangup/>");
    bench.twiml("/whisper", "<Dial>+15550000002</Dial>");
    bench.answers(STAFF, 0, 1000, None);
    let report = fails(&bench, 12200).await;
    assert_eq!(report.twiml_errors[0].call_sid, report.calls[1].sid);
    assert_eq!(bench.hooks_at("/dialled").await[0].field("DialCallStatus"), "no-answer");
}

#[tokio::test]
async fn the_longest_times_do_no_harm() {
    let bench = bench().await;
    let longest = u64::MAX;
    for verbs in [
        format!("<Pause length='{longest}'/><Pause length='{longest}'/><Say loop='{longest}'>Hi</Say>"),
        format!("<Pause/><Dial timeout='{longest}' timeLimit='{longest}'>+15550000001</Dial>"),
        format!("<Record timeout='{longest}' maxLength='{longest}' action='/end'/>"),
        format!("<Gather timeout='{longest}' numDigits='{longest}'/>"),
    ] {
        bench.twiml("/voice", &verbs);
        bench.twiml("/end", "");
        let report = bench.ring(InboundCall { says: Some("Hi".to_owned()), ..customer() }).await;
        assert_eq!(report.calls[0].status, CallStatus::Completed, "{verbs}");
    }
}
