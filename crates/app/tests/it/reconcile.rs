//! What became of a send whose answer was lost: told by the callback, else by the provider's list, else to a person.

use parlance_app::message::Retry;
use parlance_app::send::{Draft, Recipient, Sent};
use parlance_model::channel::Channel;
use parlance_model::delivery::DeliveryState;
use parlance_model::id::AttemptId;
use parlance_model::message::Message;
use parlance_model::outbound::{Outgoing, SendOutcome, Template};
use parlance_net::{Client, Policy};
use parlance_sim::twilio::{Fault, FaultKind};
use parlance_testkit::both_databases;

use crate::fixture::{CUSTOMER, Fixture, NUMBER, TOKEN, callback, draft, inbound, sid};

const SECOND_MS: i64 = 1000;
const HOUR_MS: i64 = 60 * 60 * SECOND_MS;

/// Taken by the provider, which then says nothing more about it: no answer, no callback.
fn swallow(on: &Fixture, times: u32) {
    on.sim.fault(Fault::new(FaultKind::AcceptThenTimeout { hold_ms: 0 }).times(times));
    on.sim.fault(Fault::new(FaultKind::AcceptWithoutCallbacks).times(times));
}

/// Runs every look, the last one an hour later.
async fn look_for_long(on: &Fixture) {
    for _ in 0..5 {
        on.clock.advance_ms(HOUR_MS);
        on.app.run_jobs().await.unwrap();
    }
}

async fn unknown(on: &Fixture, body: &str) -> Sent {
    let sent = on.send(body).await.unwrap();
    on.app.run_jobs().await.unwrap();
    assert_eq!(on.look(&sent).await.state, DeliveryState::Unknown, "{body}");
    sent
}

/// A message whose answer was lost, a day later in which no list could be had.
async fn unknown_for_a_day(on: &Fixture) -> Message {
    swallow(on, 1);
    let sent = unknown(on, "Are you still there?").await;
    on.set_token("wrong").await;
    for _ in 0..25 {
        on.clock.advance_ms(HOUR_MS);
        on.app.run_jobs().await.unwrap();
    }
    on.look(&sent).await
}

async fn provider_id(on: &Fixture, message: &Message) -> Option<String> {
    let (attempts, _) = on.app.attempts(&on.who, message.id, 10, 0).await.unwrap();
    attempts.last().and_then(|attempt| attempt.provider_id.clone())
}

/// Somebody else sends this to the customer over the same account.
async fn past_us(on: &Fixture, body: &str, files: &[String]) {
    let account = on.account().await;
    let message = Outgoing {
        attempt: AttemptId(1_000_000),
        channel: Channel::Sms,
        to: CUSTOMER.to_owned(),
        body: body.to_owned(),
        template: None,
        media_urls: files.to_vec(),
        status_callback: None,
        valid_for_s: None,
    };
    let http = Client::new(Policy::default()).unwrap();
    let outcome = parlance_channels::of(account.provider()).send(&http, &account, &message).await;
    assert!(matches!(outcome, SendOutcome::Accepted { .. }), "{outcome:?}");
}

/// Nothing is left to be found out.
async fn assert_settled(on: &Fixture) {
    on.assert_healthy().await;
    assert_eq!(on.app.run_jobs().await.unwrap(), 0);
}

fn taken(on: &Fixture) -> usize {
    on.sim.messages().iter().filter(|message| message.to == CUSTOMER).count()
}

both_databases! {
    async fn accept_then_timeout_is_found_in_the_list_and_never_sent_again(database) {
        let on = Fixture::new(database).await;
        swallow(&on, 1);
        let sent = unknown(&on, "Are you there?").await;
        on.sim.settled().await;
        // The callback has its chance first.
        on.clock.advance_ms(29 * SECOND_MS);
        assert_eq!(on.app.run_jobs().await.unwrap(), 0);
        on.clock.advance_ms(SECOND_MS);
        on.app.run_jobs().await.unwrap();
        let found = on.look(&sent).await;
        assert_eq!((found.state, taken(&on)), (DeliveryState::Delivered, 1));
        assert_eq!(provider_id(&on, &found).await, Some(on.sim.messages()[0].sid.clone()));
        look_for_long(&on).await;
        assert_eq!(taken(&on), 1);
        assert_settled(&on).await;
    }

    async fn an_old_message_that_was_sent_once_more_is_found(database) {
        let on = Fixture::new(database).await;
        on.sim.fault(Fault::new(FaultKind::Refuse { status: 400, code: 21612 }).times(1));
        let sent = on.send("Your receipt").await.unwrap();
        on.app.run_jobs().await.unwrap();
        assert_eq!(on.look(&sent).await.state, DeliveryState::Failed);
        on.clock.advance_ms(48 * HOUR_MS);
        swallow(&on, 1);
        on.app.retry(&on.who, sent.message.id, Retry::default(), false).await.unwrap();
        on.app.run_jobs().await.unwrap();
        on.sim.settled().await;
        look_for_long(&on).await;
        let found = on.look(&sent).await;
        assert_eq!((found.state, taken(&on)), (DeliveryState::Delivered, 1));
        assert_settled(&on).await;
    }

    async fn a_list_that_cannot_be_had_is_asked_for_until_it_can(database) {
        let on = Fixture::new(database).await;
        swallow(&on, 1);
        let sent = unknown(&on, "Are you there?").await;
        on.sim.settled().await;
        on.set_token("wrong").await;
        look_for_long(&on).await;
        assert_eq!((on.look(&sent).await.state, on.app.run_jobs().await.unwrap()), (DeliveryState::Unknown, 0));
        on.set_token(TOKEN).await;
        on.clock.advance_ms(HOUR_MS);
        on.app.run_jobs().await.unwrap();
        assert_eq!(on.look(&sent).await.state, DeliveryState::Delivered);
        assert_settled(&on).await;
        let lost = unknown_for_a_day(&on).await;
        assert_eq!(lost.error_code.as_deref(), Some("list_unavailable"));
    }

    async fn a_template_is_found_although_its_text_is_made_by_the_provider(database) {
        let on = Fixture::new(database).await;
        let (from, to) = (format!("whatsapp:{CUSTOMER}"), format!("whatsapp:{NUMBER}"));
        on.app.hook(inbound(&sid(1), &from, &to, "Hallo!")).await.unwrap();
        swallow(&on, 1);
        let template = Some(Template { id: format!("HX{:032x}", 1), variables: [("1".to_owned(), "Jane".to_owned())].into() });
        let to = Recipient::Phone(CUSTOMER.into(), Channel::Whatsapp);
        let sent = on.app.send(&on.who, Draft { to, template, ..draft("As the thread shows it", None) }, false).await.unwrap();
        on.app.run_jobs().await.unwrap();
        assert_eq!(on.look(&sent).await.state, DeliveryState::Unknown);
        on.sim.settled().await;
        on.clock.advance_ms(30 * SECOND_MS);
        on.app.run_jobs().await.unwrap();
        assert_eq!(provider_id(&on, &on.look(&sent).await).await, Some(on.sim.messages()[0].sid.clone()));
        assert_settled(&on).await;
    }

    async fn a_callback_that_comes_first_ends_the_search(database) {
        let on = Fixture::new(database).await;
        swallow(&on, 1);
        let sent = unknown(&on, "Hello").await;
        let message = on.sim.messages()[0].clone();
        let path = message.status_callback.unwrap().strip_prefix("https://chat.example.com").unwrap().to_owned();
        on.app.hook(callback(&path, &message.sid, "sent", None)).await.unwrap();
        on.clock.advance_ms(30 * SECOND_MS);
        assert_eq!(on.app.run_jobs().await.unwrap(), 1);
        assert_eq!(on.look(&sent).await.state, DeliveryState::Sent);
        assert_settled(&on).await;
    }

    async fn what_never_reached_the_provider_is_left_to_a_person_with_what_was_tried(database) {
        let on = Fixture::new(database).await;
        on.sim.fault(Fault::new(FaultKind::Drop).for_number(CUSTOMER).times(1));
        let sent = unknown(&on, "Into the void").await;
        on.clock.advance_ms(30 * SECOND_MS);
        on.app.run_jobs().await.unwrap();
        assert_eq!(on.look(&sent).await.error_code.as_deref(), Some("answer_lost"));
        look_for_long(&on).await;
        let left = on.look(&sent).await;
        assert_eq!((left.state, left.error_code.as_deref()), (DeliveryState::Unknown, Some("not_in_list")));
        let words = left.error_message.unwrap();
        assert!(words.contains("looked 2 times") && words.contains("2026-03-05T21:"), "{words}");
        assert_eq!(taken(&on), 0);
        assert_settled(&on).await;
        let again = on.app.retry(&on.who, sent.message.id, Retry { allow_duplicate: true, once: None }, false).await.unwrap();
        on.app.run_jobs().await.unwrap();
        assert_eq!((taken(&on), again.message.state), (1, DeliveryState::Pending));
    }

    async fn messages_alike_are_matched_one_to_one_and_in_their_order(database) {
        let on = Fixture::new(database).await;
        swallow(&on, 2);
        let first = unknown(&on, "OK").await;
        on.clock.advance_ms(SECOND_MS);
        let second = unknown(&on, "OK").await;
        on.sim.settled().await;
        on.clock.advance_ms(40 * SECOND_MS);
        on.app.run_jobs().await.unwrap();
        let sids: Vec<_> = on.sim.messages().iter().map(|message| Some(message.sid.clone())).collect();
        let (first, second) = (on.look(&first).await, on.look(&second).await);
        assert_eq!([first.state, second.state], [DeliveryState::Delivered; 2]);
        assert_eq!([provider_id(&on, &first).await, provider_id(&on, &second).await].to_vec(), sids);
        assert_settled(&on).await;
    }

    async fn what_cannot_be_told_apart_is_not_guessed(database) {
        let on = Fixture::new(database).await;
        swallow(&on, 1);
        let first = unknown(&on, "OK").await;
        on.sim.clear_faults();
        on.sim.fault(Fault::new(FaultKind::Drop).for_number(CUSTOMER).times(1));
        let second = unknown(&on, "OK").await;
        look_for_long(&on).await;
        for sent in [&first, &second] {
            let left = on.look(sent).await;
            assert_eq!((left.state, left.error_code.as_deref()), (DeliveryState::Unknown, Some("several_alike")));
        }
        assert_eq!(taken(&on), 1);
        assert_settled(&on).await;
    }

    async fn another_text_other_files_or_another_hour_is_another_message(database) {
        let on = Fixture::new(database).await;
        let picture = ["https://files.example.com/a.jpg".to_owned()];
        let others: [(&str, &[String], i64); 3] = [("Reminder!", &[], 0), ("Reminder", &picture, 0), ("Reminder", &[], 30 * 60 * SECOND_MS)];
        for (body, files, later_ms) in others {
            on.sim.fault(Fault::new(FaultKind::Drop).for_number(CUSTOMER).times(1));
            let lost = unknown(&on, "Reminder").await;
            on.clock.advance_ms(later_ms);
            past_us(&on, body, files).await;
            look_for_long(&on).await;
            assert_eq!(on.look(&lost).await.error_code.as_deref(), Some("not_in_list"), "{body} {files:?} {later_ms}");
        }
        assert_eq!(taken(&on), 3);
        assert_settled(&on).await;
    }

    async fn a_message_is_found_beside_lost_ones_of_another_text_other_files_or_another_hour(database) {
        let on = Fixture::new(database).await;
        let picture = Draft { media_urls: vec!["https://files.example.com/a.jpg".into()], ..draft("Yes", None) };
        on.sim.fault(Fault::new(FaultKind::Drop).for_number(CUSTOMER).times(3));
        unknown(&on, "Yes").await;
        on.clock.advance_ms(HOUR_MS);
        unknown(&on, "No").await;
        on.app.send(&on.who, picture, false).await.unwrap();
        on.app.run_jobs().await.unwrap();
        swallow(&on, 1);
        let sent = unknown(&on, "Yes").await;
        on.sim.settled().await;
        on.clock.advance_ms(30 * SECOND_MS);
        on.app.run_jobs().await.unwrap();
        assert_eq!((on.look(&sent).await.state, taken(&on)), (DeliveryState::Delivered, 1));
        look_for_long(&on).await;
        assert_settled(&on).await;
    }
}
