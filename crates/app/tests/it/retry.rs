//! Messages that are called back, and messages that a person gives to the provider once more: never twice by accident, and
//! never a worse state than the truth.

use futures::future::join_all;
use parlance_app::message::Retry;
use parlance_app::send::Sent;
use parlance_model::Result;
use parlance_model::delivery::DeliveryError;
use parlance_model::delivery::DeliveryState::{self, Canceled, Delivered, Failed, OptedOut, Pending, Queued, Undelivered, Unknown};
use parlance_model::id::MessageId;
use parlance_model::inbound::Receipt;
use parlance_model::message::{Direction, Kind, Message, SenderKind};
use parlance_sim::twilio::{Fault, FaultKind};
use parlance_store::message::NewMessage;
use parlance_store::{OrgTx, attempt, conversation, job, message};
use parlance_testkit::both_databases;

use crate::fixture::{CUSTOMER, Fixture, NUMBER, callback, inbound, sid};

/// What the provider took from us, with the paths of its callbacks.
fn taken(on: &Fixture) -> Vec<(String, String)> {
    let ours = on.sim.messages().into_iter().filter(|message| message.to == CUSTOMER);
    let path = |url: String| url.strip_prefix("https://chat.example.com").unwrap().to_owned();
    ours.map(|message| (path(message.status_callback.unwrap()), message.sid)).collect()
}

async fn cancel(on: &Fixture, sent: &Sent) -> Result<Message> {
    Ok(on.app.cancel(&on.who, sent.message.id, None).await?.message)
}

async fn retry(on: &Fixture, sent: &Sent, allow_duplicate: bool) -> Result<Message> {
    on.app.retry(&on.who, sent.message.id, Retry { allow_duplicate, once: None }, false).await.map(|shown| shown.message)
}

fn code<T: std::fmt::Debug>(result: Result<T>) -> &'static str {
    result.unwrap_err().code()
}

/// A message that ended so at the simulator's wish.
async fn refused(on: &Fixture) -> Sent {
    on.sim.fault(Fault::new(FaultKind::Refuse { status: 400, code: 21612 }).times(1));
    let sent = on.send("Hello").await.unwrap();
    on.app.run_jobs().await.unwrap();
    assert_eq!(on.look(&sent).await.state, Failed);
    sent
}

/// A message that was taken, and of which we do not know that.
async fn lost(on: &Fixture) -> Sent {
    on.sim.fault(Fault::new(FaultKind::AcceptThenTimeout { hold_ms: 0 }).times(1));
    let sent = on.send("Did it arrive?").await.unwrap();
    on.app.run_jobs().await.unwrap();
    assert_eq!(on.look(&sent).await.state, Unknown);
    sent
}

both_databases! {
    async fn a_message_that_waits_is_called_back_and_the_next_one_goes_out(database) {
        let on = Fixture::new(database).await;
        let (first, second) = (on.send("Oops").await.unwrap(), on.send("Hello").await.unwrap());
        assert_eq!(cancel(&on, &first).await.unwrap().state, Canceled);
        assert_eq!(on.app.run_jobs().await.unwrap(), 1);
        assert_eq!((on.look(&first).await.state, on.look(&second).await.state, taken(&on).len()), (Canceled, Queued, 1));
        for sent in [&first, &second] {
            assert_eq!(code(cancel(&on, sent).await), "too_late");
        }
        on.assert_healthy().await;
    }

    async fn a_message_between_two_tries_is_called_back(database) {
        let on = Fixture::new(database).await;
        on.sim.fault(Fault::new(FaultKind::Refuse { status: 503, code: 20503 }).times(1));
        let sent = on.send("Hello").await.unwrap();
        on.app.run_jobs().await.unwrap();
        assert_eq!(on.look(&sent).await.state, Pending);
        assert_eq!(cancel(&on, &sent).await.unwrap().state, Canceled);
        on.clock.advance_ms(3_600_000);
        assert_eq!((on.app.run_jobs().await.unwrap(), taken(&on).len()), (0, 0));
        on.assert_healthy().await;
        // And given once more after all, with all its tries.
        assert_eq!(retry(&on, &sent, false).await.unwrap().state, Pending);
        on.app.run_jobs().await.unwrap();
        assert_eq!((on.look(&sent).await.state, taken(&on).len()), (Queued, 1));
        on.assert_healthy().await;
    }

    async fn a_claimed_job_whose_message_is_called_back_calls_nobody(database) {
        let on = Fixture::new(database).await;
        let sent = on.send("Oops").await.unwrap();
        let claimed = on.app.store().system_write(|tx| job::claim(tx, 1, 60_000)).await.unwrap().remove(0);
        assert_eq!(cancel(&on, &sent).await.unwrap().state, Canceled);
        let held = on.app.store().write(on.who.org, move |tx| job::holds(tx, &claimed)).await.unwrap();
        assert!(!held, "the worker goes on");
        on.assert_healthy().await;
    }

    async fn however_a_cancel_and_a_worker_meet_it_is_canceled_or_sent_and_never_both(database) {
        let on = Fixture::new(database).await;
        let second = on.second_node().await;
        for round in 0..12 {
            let before = taken(&on).len();
            let sent = on.send("Race").await.unwrap();
            // The cancel comes a little later in each round.
            let canceling = async {
                for _ in 0..round {
                    tokio::task::yield_now().await;
                }
                second.cancel(&on.who, sent.message.id, None).await.map(|shown| shown.message)
            };
            let (canceled, ran) = tokio::join!(canceling, on.app.run_jobs());
            ran.unwrap();
            let went_out = taken(&on).len() - before;
            match canceled {
                Ok(message) => assert_eq!((message.state, went_out, on.look(&sent).await.state), (Canceled, 0, Canceled)),
                Err(error) => assert_eq!((error.code(), went_out, on.look(&sent).await.state), ("too_late", 1, Queued)),
            }
        }
        on.assert_healthy().await;
    }

    async fn a_cancel_during_the_providers_call_is_too_late(database) {
        let on = Fixture::new(database).await;
        on.sim.fault(Fault::new(FaultKind::Delay { ms: 300 }).times(1));
        let sent = on.send("Gone").await.unwrap();
        let canceling = async {
            // As soon as the provider has it, the call is under way; its answer takes longer.
            while taken(&on).is_empty() {
                tokio::task::yield_now().await;
            }
            cancel(&on, &sent).await
        };
        let (canceled, ran) = tokio::join!(canceling, on.app.run_jobs());
        ran.unwrap();
        assert_eq!((code(canceled), on.look(&sent).await.state), ("too_late", Queued));
        on.assert_healthy().await;
    }

    async fn a_failed_message_goes_out_once_more_and_shows_how_that_went(database) {
        let on = Fixture::new(database).await;
        let sent = refused(&on).await;
        let waiting = retry(&on, &sent, false).await.unwrap();
        assert_eq!((waiting.state, waiting.error_code), (Pending, None));
        on.assert_healthy().await;
        assert_eq!(code(retry(&on, &sent, true).await), "not_retryable");
        on.app.run_jobs().await.unwrap();
        let (path, provider_id) = taken(&on).remove(0);
        assert_eq!(on.look(&sent).await.state, Queued);
        assert_eq!(code(retry(&on, &sent, true).await), "not_retryable");
        on.app.hook(callback(&path, &provider_id, "delivered", None)).await.unwrap();
        assert_eq!((on.look(&sent).await.state, code(retry(&on, &sent, true).await)), (Delivered, "not_retryable"));
        let (attempts, _) = on.app.attempts(&on.who, sent.message.id, 50, 0).await.unwrap();
        assert_eq!(attempts.iter().map(|attempt| attempt.outcome.state).collect::<Vec<_>>(), [Failed, Delivered]);
        on.assert_healthy().await;
    }

    async fn two_people_who_press_retry_make_one_attempt(database) {
        let on = Fixture::new(database).await;
        let second = on.second_node().await;
        let sent = refused(&on).await;
        let presses = (0..16).map(|number| {
            let (app, who, id) = (if number % 2 == 0 { &on.app } else { &second }, &on.who, sent.message.id);
            async move { app.retry(who, id, Retry::default(), false).await }
        });
        let codes: Vec<_> = join_all(presses).await.into_iter().filter_map(|pressed| pressed.err().map(|error| error.code())).collect();
        assert_eq!(codes, vec!["not_retryable"; 15]);
        assert_eq!(on.app.run_jobs().await.unwrap(), 1);
        assert_eq!(taken(&on).len(), 1);
        on.assert_healthy().await;
    }

    async fn the_same_request_again_changes_nothing_and_is_answered(database) {
        let on = Fixture::new(database).await;
        let sent = refused(&on).await;
        on.app.begin_once(&on.who, "again", [1; 32]).await.unwrap();
        for _ in 0..2 {
            let wish = Retry { allow_duplicate: false, once: Some("again".into()) };
            on.app.retry(&on.who, sent.message.id, wish, false).await.unwrap();
            on.app.run_jobs().await.unwrap();
        }
        assert_eq!(taken(&on).len(), 1);
        let waits = on.send("Oops").await.unwrap();
        on.app.begin_once(&on.who, "back", [2; 32]).await.unwrap();
        for _ in 0..2 {
            assert_eq!(on.app.cancel(&on.who, waits.message.id, Some("back".into())).await.unwrap().message.state, Canceled);
        }
        on.assert_healthy().await;
    }

    async fn what_may_have_been_sent_goes_again_only_when_a_duplicate_is_allowed(database) {
        let on = Fixture::new(database).await;
        let sent = lost(&on).await;
        assert_eq!(code(retry(&on, &sent, false).await), "may_have_been_sent");
        retry(&on, &sent, true).await.unwrap();
        on.app.run_jobs().await.unwrap();
        assert_eq!((on.look(&sent).await.state, taken(&on).len()), (Queued, 2));
        on.assert_healthy().await;
    }

    async fn a_late_delivery_of_the_lost_attempt_is_seen_whatever_became_of_the_second(database) {
        for second_fails in [false, true] {
            let on = Fixture::new(database).await;
            let sent = lost(&on).await;
            let (first, first_id) = taken(&on).remove(0);
            retry(&on, &sent, true).await.unwrap();
            // Less than an arrival does not speak for the message.
            on.app.hook(callback(&first, &first_id, "undelivered", Some("30003"))).await.unwrap();
            assert_eq!(on.look(&sent).await.state, Pending);
            if second_fails {
                on.sim.fault(Fault::new(FaultKind::Refuse { status: 400, code: 21612 }).times(1));
                on.app.run_jobs().await.unwrap();
                assert_eq!(on.look(&sent).await.state, Failed);
            }
            on.app.hook(callback(&first, &first_id, "delivered", None)).await.unwrap();
            assert_eq!(on.look(&sent).await.state, Delivered);
            // It arrived before the second attempt was made: that is not made any more.
            on.app.run_jobs().await.unwrap();
            assert_eq!((on.look(&sent).await.state, taken(&on).len()), (Delivered, 1));
            on.assert_healthy().await;
        }
    }

    async fn a_receipt_before_the_calls_own_answer_makes_no_second_job(database) {
        let on = Fixture::new(database).await;
        let sent = on.send("Hello").await.unwrap();
        let (id, account) = (sent.message.id, sent.message.account_id);
        let during_the_call = move |tx: &mut OrgTx<'_, '_>| {
            let attempt = attempt::start(tx, id, account)?;
            let reason = Some(DeliveryError { code: "30003".into(), message: "Unreachable.".into() });
            attempt::record(tx, account, &Receipt { provider_id: sid(9), attempt: Some(attempt), state: Undelivered, error: reason, about_account: false, opted_out: false, to: None })
        };
        on.app.store().write(on.who.org, during_the_call).await.unwrap();
        assert_eq!(on.look(&sent).await.state, Undelivered);
        assert_eq!(code(retry(&on, &sent, true).await), "under_way");
        assert_eq!(code(cancel(&on, &sent).await), "too_late");
    }

    async fn what_refuses_a_send_refuses_a_retry(database) {
        let on = Fixture::new(database).await;
        let sent = refused(&on).await;
        on.app.hook(inbound(&sid(1), CUSTOMER, NUMBER, "STOP")).await.unwrap();
        assert_eq!(code(retry(&on, &sent, false).await), "recipient_opted_out");
        on.app.hook(inbound(&sid(2), CUSTOMER, NUMBER, "START")).await.unwrap();
        on.set_account(|account| account.enabled = false).await;
        assert_eq!(code(retry(&on, &sent, false).await), "no_account");
        on.set_account(|account| account.enabled = true).await;
        on.app.store().write(on.who.org, |tx| parlance_store::org::set_sms_provider(tx, None)).await.unwrap();
        assert_eq!(code(retry(&on, &sent, false).await), "sms_provider_off");
        assert_eq!(on.look(&sent).await.state, Failed);
        on.assert_healthy().await;
    }

    async fn a_stop_between_the_retry_and_its_attempt_stops_it(database) {
        let on = Fixture::new(database).await;
        let sent = refused(&on).await;
        retry(&on, &sent, false).await.unwrap();
        on.app.hook(inbound(&sid(1), CUSTOMER, NUMBER, "STOP")).await.unwrap();
        on.app.run_jobs().await.unwrap();
        assert_eq!((on.look(&sent).await.state, taken(&on).len()), (OptedOut, 0));
        on.app.hook(inbound(&sid(2), CUSTOMER, NUMBER, "START")).await.unwrap();
        retry(&on, &sent, false).await.unwrap();
        on.app.run_jobs().await.unwrap();
        assert_eq!((on.look(&sent).await.state, taken(&on).len()), (Queued, 1));
        on.assert_healthy().await;
    }

    async fn only_what_goes_out_can_be_canceled_or_retried(database) {
        let on = Fixture::new(database).await;
        on.app.hook(inbound(&sid(1), CUSTOMER, NUMBER, "Hello?")).await.unwrap();
        let sent = on.send("Hello").await.unwrap();
        let (_, messages) = on.app.conversation(&on.who, sent.conversation.id).await.unwrap();
        let came_in = messages.into_iter().find(|shown| shown.message.id != sent.message.id).unwrap().message.id;
        assert_eq!(code(on.app.cancel(&on.who, came_in, None).await), "not_outbound");
        assert_eq!(code(on.app.retry(&on.who, came_in, Retry::default(), false).await), "not_outbound");
        let nobody = MessageId(999);
        assert_eq!(code(on.app.cancel(&on.who, nobody, None).await), "not_found");
        assert_eq!(code(on.app.retry(&on.who, nobody, Retry::default(), false).await), "not_found");
        let conversation = sent.conversation.id;
        let note = move |tx: &mut OrgTx<'_, '_>| {
            let before = conversation::get(tx, conversation)?;
            let mut after = before.clone();
            let note = NewMessage::new(Direction::Outbound, SenderKind::Staff, Kind::Note, "Call back");
            let id = message::append(tx, &mut after, &note, false)?;
            conversation::save(tx, &before, &after).map(|()| id)
        };
        let note = on.app.store().write(on.who.org, note).await.unwrap();
        assert_eq!(code(on.app.cancel(&on.who, note, None).await), "not_outbound");
    }

    async fn a_retry_has_all_its_tries_again(database) {
        let on = Fixture::new(database).await;
        on.sim.fault(Fault::new(FaultKind::Refuse { status: 503, code: 20503 }).times(9));
        let sent = on.send("Patience").await.unwrap();
        let run = async || {
            // Behind the longest wait, and nine times less than a day.
            on.clock.advance_ms(9_000_000);
            on.app.run_jobs().await.unwrap();
            on.look(&sent).await.state
        };
        for _ in 0..8 {
            assert_eq!(run().await, Pending);
        }
        assert_eq!(run().await, Failed);
        on.sim.fault(Fault::new(FaultKind::Refuse { status: 503, code: 20503 }).times(1));
        retry(&on, &sent, false).await.unwrap();
        assert_eq!((run().await, run().await), (Pending, DeliveryState::Queued));
        on.assert_healthy().await;
    }
}
