//! Phone calls that no hook told, or only half: found at the provider, with their recordings, and stored once.

use parlance_app::backfill::Compared;
use parlance_app::call::NewCall;
use parlance_model::call::CallStatus;
use parlance_model::delivery::DeliveryState;
use parlance_model::message::{Attachment, Kind};
use parlance_sim::twilio::{Behaviour, Fault, FaultKind, InboundCall, Phone};
use parlance_testkit::both_databases;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::fixture::{CUSTOMER, Fixture, NUMBER, SID, hook};

const MINUTE_MS: i64 = 60_000;
const STAFF: &str = "+14152000011";

/// Somebody else answers the calls of the number with this document while we are away.
async fn answered_elsewhere(on: &Fixture, twiml: &'static str) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    on.sim.set_voice_urls(SID, url.parse::<url::Url>().ok(), None);
    on.app.tasks().spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            // What is asked does not matter here, only that it was asked whole.
            let (mut request, mut whole) = (Vec::new(), false);
            while !whole && stream.read_buf(&mut request).await.is_ok_and(|read| read > 0) {
                let text = String::from_utf8_lossy(&request).to_ascii_lowercase();
                whole = text.split_once("\r\n\r\n").is_some_and(|(head, body)| head.contains(&format!("content-length: {}", body.len())));
            }
            let length = twiml.len();
            let answer =
                format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: text/xml\r\ncontent-length: {length}\r\n\r\n{twiml}");
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
}

/// Compares, and fetches the recordings that were found.
async fn compare(on: &Fixture) -> Compared {
    let compared = on.compare().await;
    on.app.run_jobs().await.unwrap();
    compared
}

both_databases! {
    async fn a_call_that_nobody_told_of_is_a_missed_one_of_its_time(database) {
        let on = Fixture::new(database).await;
        let began_ms = on.app.now_ms();
        on.sim.call(InboundCall::new(CUSTOMER, NUMBER)).await;
        on.clock.advance_ms(10 * MINUTE_MS);
        assert_eq!(compare(&on).await, Compared { listed: 1, stored: 1 });
        let (with, messages) = on.only().await;
        assert_eq!((with.preview.as_str(), with.unread_count, with.session_key.as_str()), ("Missed call", 0, "voice_+14152000001"));
        let [call] = &messages[..] else { panic!("{messages:?}") };
        assert_eq!((call.kind, call.at_ms, call.history), (Kind::Call, began_ms, true));
        assert_eq!(compare(&on).await.stored, 0);
        assert_eq!(on.only().await.1.len(), 1);
        on.assert_healthy().await;
    }

    async fn a_message_that_was_left_elsewhere_comes_with_its_recording(database) {
        let on = Fixture::new(database).await;
        answered_elsewhere(&on, "<Response><Record maxLength=\"60\" playBeep=\"true\"/></Response>").await;
        let says = Some("Please call me back about the red bicycle".to_owned());
        let report = on.sim.call(InboundCall { says, ..InboundCall::new(CUSTOMER, NUMBER) }).await;
        assert_eq!(report.twiml_errors.len(), 0);
        on.sim.settled().await;
        on.clock.advance_ms(10 * MINUTE_MS);
        assert_eq!(compare(&on).await.stored, 1);
        let (with, messages) = on.only().await;
        let facts = messages[0].call.clone().unwrap();
        assert_eq!((facts.status, facts.recordings.len()), (CallStatus::Voicemail, 1));
        assert!(with.preview.starts_with("Voicemail, 0:"), "{}", with.preview);
        assert!(matches!(&messages[0].attachments[..], [Attachment::Stored { .. }]), "{:?}", messages[0].attachments);
        assert_eq!(compare(&on).await.stored, 0);
        on.assert_healthy().await;
    }

    async fn a_call_that_somebody_took_elsewhere_is_no_missed_one(database) {
        let on = Fixture::new(database).await;
        on.sim.phone(STAFF, Phone::new(Behaviour::Answers { after_ms: 2000, talks_ms: 65_000, presses: None }));
        answered_elsewhere(&on, "<Response><Dial>+14152000011</Dial></Response>").await;
        on.sim.call(InboundCall::new(CUSTOMER, NUMBER)).await;
        on.sim.settled().await;
        on.clock.advance_ms(10 * MINUTE_MS);
        assert_eq!(compare(&on).await.stored, 1);
        let (with, messages) = on.only().await;
        assert_eq!(messages[0].call.as_ref().unwrap().status, CallStatus::Completed);
        assert!(with.preview.starts_with("Incoming call, 1:"), "{}", with.preview);
        on.assert_healthy().await;
    }

    async fn a_late_recording_of_a_call_that_nobody_knows_brings_the_call_with_it(database) {
        let on = Fixture::new(database).await;
        answered_elsewhere(&on, "<Response><Record maxLength=\"60\"/></Response>").await;
        let says = Some("It is urgent".to_owned());
        let report = on.sim.call(InboundCall { says, ..InboundCall::new(CUSTOMER, NUMBER) }).await;
        on.sim.settled().await;
        let (call, recording) = (report.calls[0].sid.clone(), on.sim.recordings()[0].sid.clone());
        let url = format!("https://api.twilio.com/2010-04-01/Accounts/{SID}/Recordings/{recording}");
        let form = [
            ("AccountSid", SID),
            ("CallSid", &call),
            ("RecordingSid", &recording),
            ("RecordingUrl", &url),
            ("RecordingStatus", "completed"),
            ("RecordingDuration", "3"),
        ];
        for _ in 0..2 {
            on.app.hook(hook("/webhooks/twilio", &form)).await.unwrap();
        }
        on.app.run_jobs().await.unwrap();
        let (with, messages) = on.only().await;
        // It came just now: somebody has to see it.
        assert_eq!((with.unread_count, messages.len(), messages[0].history), (1, 1, false));
        assert_eq!(messages[0].call.as_ref().unwrap().status, CallStatus::Voicemail);
        assert_eq!(on.app.run_jobs().await.unwrap(), 0);
        on.assert_healthy().await;
    }

    async fn the_end_of_a_call_is_read_from_the_list_when_its_hook_is_lost(database) {
        let on = Fixture::new(database).await;
        let sid = on.sim.call(InboundCall::new(CUSTOMER, NUMBER)).await.calls[0].sid.clone();
        let form = [("AccountSid", SID), ("CallSid", &sid), ("CallStatus", "ringing"), ("Direction", "inbound"), ("From", CUSTOMER), ("To", NUMBER)];
        let twiml = on.app.hook(hook("/webhooks/twilio", &form)).await.unwrap().body.into_owned();
        assert!(twiml.contains("<Record "), "{twiml}");
        on.clock.advance_ms(10 * MINUTE_MS);
        assert_eq!(compare(&on).await, Compared { listed: 1, stored: 0 });
        let (with, messages) = on.only().await;
        assert_eq!((messages.len(), with.preview.as_str(), with.unread_count), (1, "Missed call", 1));
        on.assert_healthy().await;
    }

    async fn a_call_accepted_before_the_timeout_is_found_and_never_placed_twice(database) {
        let on = Fixture::new(database).await;
        on.sim.phone(STAFF, Phone::new(Behaviour::NoAnswer));
        on.sim.fault(Fault::new(FaultKind::AcceptThenTimeout { hold_ms: 0 }).times(1));
        let sent = on.send("May we call?").await.unwrap();
        on.app.run_jobs().await.unwrap();
        on.sim.clear_faults();
        on.sim.fault(Fault::new(FaultKind::AcceptThenTimeout { hold_ms: 0 }).times(1));
        let new = NewCall { conversation: sent.conversation.id, staff_phone: Some(STAFF.into()), once: None };
        let placed = on.app.call(&on.who, new, false).await.unwrap();
        on.app.run_jobs().await.unwrap();
        assert_eq!(on.look(&placed).await.state, DeliveryState::Unknown);
        on.sim.settled().await;
        on.clock.advance_ms(MINUTE_MS);
        on.app.run_jobs().await.unwrap();
        let found = on.look(&placed).await;
        assert_eq!((found.state, found.error_code.as_deref()), (DeliveryState::Failed, Some("staff_no_answer")));
        on.clock.advance_ms(60 * MINUTE_MS);
        on.app.run_jobs().await.unwrap();
        assert_eq!(on.sim.calls().len(), 1);
        on.assert_healthy().await;
    }
}
