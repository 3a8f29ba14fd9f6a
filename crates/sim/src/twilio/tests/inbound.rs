//! Customers who write: fields, keywords, retries, fallback, copies, files.

use std::collections::BTreeSet;

use super::*;
use crate::twilio::{HookKind, Inbound, Outcome, signature};

#[tokio::test]
async fn an_inbound_message_has_twilios_fields_and_signature() {
    let mut bench = Bench::start().await;
    let report = bench.sim.inbound(Inbound::text("+14155550132", NUMBER, "Hi, I saw your ad 👍")).await;
    assert!(report.accepted());
    let hook = bench.hook().await;
    let real = include_str!("../../../testdata/inbound_sms.form").trim_end();
    let real: BTreeSet<_> = form_urlencoded::parse(real.as_bytes()).map(|(name, _)| name.into_owned()).collect();
    assert_eq!(hook.form.keys().cloned().collect::<BTreeSet<_>>(), real);
    assert_eq!((hook.field("From"), hook.field("To"), hook.field("Body")), ("+14155550132", NUMBER, "Hi, I saw your ad 👍"));
    assert_eq!((hook.field("FromCity"), hook.field("ToCountry"), hook.field("SmsStatus")), ("SAN FRANCISCO", "US", "received"));
    assert_eq!(report.message_sid.as_deref(), Some(hook.field("MessageSid")));
    let form = hook.form.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    assert_eq!(hook.header(signature::HEADER), signature::sign(TOKEN, bench.business.as_str(), form));
    assert!(!hook.header("i-twilio-idempotency-token").is_empty());
}

#[tokio::test]
async fn short_codes_names_and_empty_texts_come_in_too() {
    let mut bench = Bench::start().await;
    for (from, body) in [("262966", "Your code is 123456"), ("DHL", ""), (CUSTOMER, "")] {
        assert!(bench.sim.inbound(Inbound::text(from, NUMBER, body)).await.accepted());
        let hook = bench.hook().await;
        assert_eq!((hook.field("From"), hook.field("Body"), hook.field("NumSegments")), (from, body, "1"));
    }
}

#[tokio::test]
async fn stop_refuses_later_messages_until_start() {
    let mut bench = Bench::start().await;
    let from_number: &[_] = &[("To", CUSTOMER), ("From", NUMBER), ("Body", "Hi")];
    let from_second: &[_] = &[("To", CUSTOMER), ("From", SECOND_NUMBER), ("Body", "Hi")];
    let from_service: &[_] = &[("To", CUSTOMER), ("MessagingServiceSid", SERVICE), ("Body", "Hi")];
    assert!(bench.sim.inbound(Inbound::text(CUSTOMER, NUMBER, " Stop\n")).await.accepted(), "the message itself still arrives");
    for (form, expected) in [(from_number, 400), (from_service, 400), (from_second, 201)] {
        let (status, body) = bench.create(form).await;
        assert_eq!(status, expected);
        assert!(status == 201 || body["code"] == 21610);
    }
    bench.sim.inbound(Inbound::text(CUSTOMER, NUMBER, "can you start tomorrow?")).await;
    assert_eq!(bench.create(from_number).await.0, 400);
    bench.sim.inbound(Inbound::text(CUSTOMER, NUMBER, "START")).await;
    assert_eq!(bench.create(from_number).await.0, 201);
    assert_eq!(bench.create(from_service).await.0, 201);
    assert!(bench.settled_hooks().await.iter().all(|hook| !hook.form.contains_key("OptOutType")));
}

#[tokio::test]
async fn advanced_opt_out_says_which_keyword_it_was() {
    let mut bench = Bench::start().await;
    for (body, word) in [("stop", "STOP"), ("unstop", "START"), ("Info", "HELP"), ("hello", "")] {
        bench.sim.inbound(Inbound::text(CUSTOMER, OTHER_NUMBER, body)).await;
        let hook = bench.hook().await;
        assert_eq!((hook.field("OptOutType"), hook.field("AccountSid")), (word, OTHER_ACCOUNT));
    }
}

/// A URL on which nobody listens.
async fn closed_url() -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap()
}

#[tokio::test]
async fn a_closed_port_is_tried_again_and_then_the_fallback() {
    let mut bench = Bench::with(|config| config.accounts[0].fallback_url = config.accounts[0].inbound_url.clone()).await;
    let closed = closed_url().await;
    bench.sim.set_inbound_url(ACCOUNT, closed.clone());
    let report = bench.sim.inbound(Inbound::text(CUSTOMER, NUMBER, "Hi")).await;
    let kinds: Vec<_> = report.deliveries.iter().map(|delivery| delivery.kind).collect();
    assert_eq!(kinds, [HookKind::Inbound, HookKind::Inbound, HookKind::InboundFallback]);
    assert!(report.deliveries[..2].iter().all(|delivery| matches!(delivery.outcome, Outcome::NotConnected { .. })));
    assert!(report.accepted());
    let hook = bench.hook().await;
    assert_eq!((hook.field("ErrorCode"), hook.field("ErrorUrl")), ("11200", closed.as_str()));
    assert!(report.deliveries.iter().all(|delivery| delivery.idempotency_token == hook.header("i-twilio-idempotency-token")));
}

#[tokio::test]
async fn a_business_that_never_answers_is_given_up() {
    let bench = Bench::with(|config| config.webhook_timeout_ms = 50).await;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    bench.sim.set_inbound_url(ACCOUNT, Url::parse(&format!("http://{}/", silent.local_addr().unwrap())).unwrap());
    let report = bench.sim.inbound(Inbound::text(CUSTOMER, NUMBER, "Hi")).await;
    assert!(!report.accepted());
    assert!(matches!(report.deliveries[..], [crate::twilio::Delivery { outcome: Outcome::NoAnswer { .. }, .. }]));
}

#[tokio::test]
async fn an_error_is_repeated_only_when_the_url_asks_for_it() {
    let mut bench = Bench::start().await;
    bench.answer.store(503, Ordering::SeqCst);
    assert_eq!(bench.sim.inbound(Inbound::text(CUSTOMER, NUMBER, "Hi")).await.deliveries.len(), 1);
    let url = Url::parse(&format!("{}#rc=2&rp=all", bench.business)).unwrap();
    bench.sim.set_inbound_url(ACCOUNT, url);
    assert_eq!(bench.sim.inbound(Inbound::text(CUSTOMER, NUMBER, "Hi")).await.deliveries.len(), 3);
    let hooks = bench.settled_hooks().await;
    let form = hooks[3].form.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    assert_eq!(hooks[3].header(signature::HEADER), signature::sign(TOKEN, bench.business.as_str(), form), "the fragment is not signed");
}

#[tokio::test]
async fn duplicate_repeats_an_inbound_message_of_this_sender() {
    let mut bench = Bench::start().await;
    bench.sim.fault(Fault::new(FaultKind::Duplicate { copies: 2, concurrent: true }).for_number(CUSTOMER).times(1));
    bench.sim.inbound(Inbound::text("262966", NUMBER, "Hi")).await;
    assert_eq!(bench.settled_hooks().await.len(), 1);
    bench.sim.inbound(Inbound::text(CUSTOMER, NUMBER, "Hi")).await;
    let hooks = bench.settled_hooks().await;
    assert_eq!(hooks.len(), 2);
    assert_eq!(hooks[0].field("MessageSid"), hooks[1].field("MessageSid"));
}

#[tokio::test]
async fn a_number_that_nobody_has_receives_nothing() {
    let bench = Bench::start().await;
    let report = bench.sim.inbound(Inbound::text(CUSTOMER, "+15550000000", "Hi")).await;
    assert!(report.message_sid.is_none() && !report.accepted());
    bench.sim.set_inbound_url(ACCOUNT, None);
    let report = bench.sim.inbound(Inbound::text(CUSTOMER, NUMBER, "Hi")).await;
    assert!(report.message_sid.is_some() && report.deliveries.is_empty());
}
