//! WhatsApp: fields of what comes in, the course of what goes out, and the window.

use std::collections::BTreeSet;

use super::*;
use crate::twilio::{Button, Ending, Inbound, Location, WhatsApp};

const OWN: &str = "whatsapp:+15551234567";
const PERSON: &str = "whatsapp:+15559876543";

fn names(form: &str) -> BTreeSet<String> {
    form_urlencoded::parse(form.trim_end().as_bytes()).map(|(name, _)| name.into_owned()).collect()
}

async fn write(bench: &mut Bench, body: &str, whatsapp: WhatsApp) -> Hook {
    assert!(bench.sim.inbound(Inbound { whatsapp, ..Inbound::text(PERSON, OWN, body) }).await.accepted());
    bench.hook().await
}

async fn answer(bench: &mut Bench, extra: &[(&str, &str)]) -> Vec<Hook> {
    let url = bench.callback();
    let mut form = vec![("To", PERSON), ("StatusCallback", &*url)];
    form.extend(extra);
    let (status, message) = bench.create(&form).await;
    assert_eq!((status, &message["error_code"]), (201, &Value::Null));
    bench.settled_hooks().await
}

fn statuses(hooks: &[Hook]) -> Vec<&str> {
    hooks.iter().map(|hook| hook.field("MessageStatus")).collect()
}

#[tokio::test]
async fn a_customer_on_whatsapp_has_twilios_fields() {
    let mut bench = Bench::with(|config| config.accounts[0].messaging_service_sid = None).await;
    let hook = write(&mut bench, "Hallo!", WhatsApp { profile_name: Some("Jane Smith".to_owned()), ..WhatsApp::default() }).await;
    assert_eq!(hook.form.keys().cloned().collect::<BTreeSet<_>>(), names(include_str!("../../../testdata/inbound_whatsapp.form")));
    assert_eq!((hook.field("ProfileName"), hook.field("WaId"), hook.field("MessageType")), ("Jane Smith", "15559876543", "text"));
    assert_eq!((hook.field("From"), hook.field("To")), (PERSON, OWN));
    assert_eq!((hook.field("FromCountry"), hook.field("ChannelMetadata").starts_with('{')), ("US", true));

    let location = Location { latitude: 52.52, longitude: 13.405, address: None, label: Some("Office".to_owned()) };
    let hook = write(&mut bench, "", WhatsApp { location: Some(location), ..WhatsApp::default() }).await;
    assert_eq!((hook.field("MessageType"), hook.field("Latitude"), hook.field("Label")), ("location", "52.52", "Office"));
    assert!(!hook.form.contains_key("Address"));

    let button = Some(Button { text: "Yes".to_owned(), payload: "yes_1".to_owned() });
    let hook = write(&mut bench, "Yes", WhatsApp { button, replied_to: Some("SM1".to_owned()), ..WhatsApp::default() }).await;
    assert_eq!((hook.field("ButtonText"), hook.field("ButtonPayload")), ("Yes", "yes_1"));
    assert_eq!((hook.field("OriginalRepliedMessageSid"), hook.field("ProfileName")), ("SM1", "15559876543"));
}

#[tokio::test]
async fn nobody_writes_from_one_channel_to_another() {
    let bench = Bench::start().await;
    assert!(bench.sim.inbound(Inbound::text(PERSON, NUMBER, "Hi")).await.message_sid.is_none());
    assert!(bench.sim.inbound(Inbound::text(CUSTOMER, OWN, "Hi")).await.message_sid.is_none());
    let (status, body) = bench.create(&[("To", PERSON), ("From", NUMBER), ("Body", "Hi")]).await;
    assert_eq!((status, &body["code"]), (400, &21910.into()));
}

#[tokio::test]
async fn an_answer_is_read() {
    let mut bench = Bench::start().await;
    write(&mut bench, "Hallo!", WhatsApp::default()).await;
    let hooks = answer(&mut bench, &[("From", OWN), ("Body", "Hi")]).await;
    assert_eq!(statuses(&hooks), ["sent", "delivered", "read"]);
    assert!(hooks.iter().all(|hook| hook.field("ChannelPrefix") == "whatsapp" && hook.field("From") == OWN));
    assert_eq!(hooks[2].field("EventType"), "READ");
    let hooks = answer(&mut bench, &[("MessagingServiceSid", SERVICE), ("Body", "Hi")]).await;
    assert_eq!(statuses(&hooks), ["queued", "sent", "delivered", "read"]);
    assert_eq!(hooks[3].field("From"), OWN);
}

#[tokio::test]
async fn free_text_does_not_arrive_outside_of_the_window() {
    let mut bench = Bench::start().await;
    let free = [("From", OWN), ("Body", "Hi")];
    assert_eq!(statuses(&answer(&mut bench, &free).await), ["sent", "undelivered"], "the customer has never written");
    write(&mut bench, "Hallo!", WhatsApp::default()).await;
    bench.clock.advance_ms(86_399_999);
    assert_eq!(answer(&mut bench, &free).await.last().unwrap().field("MessageStatus"), "read");
    bench.clock.advance_ms(1);
    let hooks = answer(&mut bench, &free).await;
    assert_eq!((hooks[1].field("MessageStatus"), hooks[1].field("ErrorCode")), ("undelivered", "63016"));
    let hooks = answer(&mut bench, &[("From", OWN), ("ContentSid", "HX00000000000000000000000000000001")]).await;
    assert_eq!(statuses(&hooks), ["sent", "delivered", "read"]);
}

#[tokio::test]
async fn the_window_is_between_one_sender_and_one_customer() {
    let mut bench = Bench::start().await;
    write(&mut bench, "Hallo!", WhatsApp::default()).await;
    let hooks = answer(&mut bench, &[("From", "whatsapp:+15551234568"), ("Body", "Hi")]).await;
    assert_eq!(statuses(&hooks), ["sent", "undelivered"]);
}

#[tokio::test]
async fn a_fault_ends_a_whatsapp_message_too() {
    let mut bench = Bench::start().await;
    write(&mut bench, "Hallo!", WhatsApp::default()).await;
    bench.fault(FaultKind::FinalStatus { status: Ending::Failed, error_code: 63024 });
    assert_eq!(statuses(&answer(&mut bench, &[("From", OWN), ("Body", "Hi")]).await), ["failed"]);
}

#[tokio::test]
async fn stop_on_whatsapp_holds_for_the_service_too() {
    let mut bench = Bench::start().await;
    write(&mut bench, "STOP", WhatsApp::default()).await;
    let (status, body) = bench.create(&[("To", PERSON), ("MessagingServiceSid", SERVICE), ("Body", "Hi")]).await;
    assert_eq!((status, &body["code"]), (400, &21610.into()));
    assert_eq!(bench.create(&[("To", CUSTOMER), ("MessagingServiceSid", SERVICE), ("Body", "Hi")]).await.0, 201);
}
