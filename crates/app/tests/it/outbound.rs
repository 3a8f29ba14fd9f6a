//! What goes out: at most once an attempt, never after STOP, and with every outcome told truthfully.

use parlance_app::message::Retry;
use parlance_model::delivery::DeliveryState;
use parlance_sim::twilio::{Fault, FaultKind};
use parlance_store::bus::Signal;
use parlance_store::{OrgTx, Place, attempt};
use parlance_testkit::{Cluster, both_databases};

use crate::fixture::{CUSTOMER, Fixture, NUMBER, callback, draft, inbound, sid};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Texts that the provider has taken from us.
fn taken(on: &Fixture) -> Vec<String> {
    let ours = |message: &parlance_sim::twilio::SimMessage| message.to == CUSTOMER;
    on.sim.messages().into_iter().filter(ours).map(|message| message.body).collect()
}

/// The callback URL of the only message that the provider took, without the host.
fn callback_path(on: &Fixture) -> (String, String) {
    let message = on.sim.messages().into_iter().find(|message| message.to == CUSTOMER).unwrap();
    let url = message.status_callback.unwrap();
    (url.strip_prefix("https://chat.example.com").unwrap().to_owned(), message.sid)
}

both_databases! {
    async fn a_message_that_an_earlier_run_made_is_counted_once(database) {
        let on = Fixture::new(database).await;
        on.app.begin_once(&on.who, "k", [1; 32]).await.unwrap();
        let first = on.app.send(&on.who, draft("Hi", Some("k")), false).await.unwrap();
        let again = on.app.send(&on.who, draft("Hi", Some("k")), false).await.unwrap();
        assert_eq!(again.message.id, first.message.id);
        let page = on.app.metrics().await;
        assert!(page.contains("parlance_messages_total{direction=\"outbound\"} 1\n"), "{page}");
    }

    async fn a_message_goes_out_once_and_its_marks_advance(database) {
        let on = Fixture::new(database).await;
        let sent = on.send("Hello!").await.unwrap();
        assert_eq!(sent.message.state, DeliveryState::Pending);
        on.app.run_jobs().await.unwrap();
        assert_eq!(on.look(&sent).await.state, DeliveryState::Queued);
        let (path, provider_id) = callback_path(&on);
        for status in ["sent", "delivered", "sent"] {
            on.app.hook(callback(&path, &provider_id, status, None)).await.unwrap();
        }
        assert_eq!(on.look(&sent).await.state, DeliveryState::Delivered);
        assert_eq!(on.app.run_jobs().await.unwrap(), 0);
        assert_eq!(taken(&on), ["Hello!"]);
        on.assert_healthy().await;
    }

    async fn an_opt_out_race_is_won_by_the_stop_before_the_claim(database) {
        let on = Fixture::new(database).await;
        let sent = on.send("Special offer").await.unwrap();
        on.app.hook(inbound(&sid(1), CUSTOMER, NUMBER, " stop ")).await.unwrap();
        on.app.run_jobs().await.unwrap();
        assert_eq!(on.look(&sent).await.state, DeliveryState::OptedOut);
        assert_eq!(taken(&on), Vec::<String>::new());
        assert_eq!(on.send("Another").await.unwrap_err().code(), "recipient_opted_out");
        on.app.hook(inbound(&sid(2), CUSTOMER, NUMBER, "START")).await.unwrap();
        on.send("Welcome back").await.unwrap();
        on.app.run_jobs().await.unwrap();
        assert_eq!(taken(&on), ["Welcome back"]);
        on.assert_healthy().await;
    }

    async fn accept_then_timeout_is_unknown_until_the_callback_settles_it(database) {
        let on = Fixture::new(database).await;
        on.sim.fault(Fault::new(FaultKind::AcceptThenTimeout { hold_ms: 0 }).times(1));
        let sent = on.send("Did it arrive?").await.unwrap();
        on.app.run_jobs().await.unwrap();
        assert_eq!(on.look(&sent).await.state, DeliveryState::Unknown);
        assert_eq!(on.app.run_jobs().await.unwrap(), 0);
        assert_eq!(taken(&on), ["Did it arrive?"]);
        let (path, provider_id) = callback_path(&on);
        on.app.hook(callback(&path, &provider_id, "delivered", None)).await.unwrap();
        assert_eq!(on.look(&sent).await.state, DeliveryState::Delivered);
        on.assert_healthy().await;
    }

    async fn a_job_whose_worker_died_during_the_call_becomes_unknown(database) {
        let on = Fixture::new(database).await;
        let sent = on.send("Once only").await.unwrap();
        // What a worker leaves that was killed between the attempt's commit and the outcome's.
        let (message, account) = (sent.message.id, sent.message.account_id);
        on.app.store().write(on.who.org, move |tx| attempt::start(tx, message, account)).await.unwrap();
        on.app.run_jobs().await.unwrap();
        let seen = on.look(&sent).await;
        assert_eq!((seen.state, seen.error_code.as_deref()), (DeliveryState::Unknown, Some("answer_lost")));
        assert_eq!(taken(&on), Vec::<String>::new());
        on.assert_healthy().await;
    }

    async fn an_attempt_of_before_a_retry_that_was_never_finished_does_not_hold_the_message_up(database) {
        let on = Fixture::new(database).await;
        let sent = on.send("Once more").await.unwrap();
        let (message, account) = (sent.message.id, sent.message.account_id);
        let left = move |tx: &mut OrgTx<'_, '_>| {
            attempt::start(tx, message, account)?;
            parlance_store::message::begin_anew(tx, message)
        };
        on.app.store().write(on.who.org, left).await.unwrap();
        on.app.run_jobs().await.unwrap();
        assert_eq!((on.look(&sent).await.state, taken(&on)), (DeliveryState::Queued, vec!["Once more".to_owned()]));
        let (attempts, _) = on.app.attempts(&on.who, message, 50, 0).await.unwrap();
        assert_eq!(attempts.iter().map(|attempt| attempt.outcome.state).collect::<Vec<_>>(), [DeliveryState::Unknown, DeliveryState::Queued]);
        on.assert_healthy().await;
    }

    async fn a_message_that_waited_longer_than_a_day_expires_and_a_person_may_still_send_it(database) {
        let on = Fixture::new(database).await;
        let sent = on.send("See you today").await.unwrap();
        on.app.set_org_enabled("acme", false).await.unwrap();
        on.clock.advance_ms(DAY_MS);
        assert_eq!(on.app.run_jobs().await.unwrap(), 0);
        on.clock.advance_ms(1);
        on.app.set_org_enabled("acme", true).await.unwrap();
        on.app.run_jobs().await.unwrap();
        let seen = on.look(&sent).await;
        assert_eq!((seen.state, seen.error_code.as_deref(), taken(&on).len()), (DeliveryState::Expired, Some("expired"), 0));
        on.assert_healthy().await;
        on.app.retry(&on.who, sent.message.id, Retry::default(), false).await.unwrap();
        on.app.run_jobs().await.unwrap();
        assert_eq!((on.look(&sent).await.state, taken(&on)), (DeliveryState::Queued, vec!["See you today".to_owned()]));
        on.assert_healthy().await;
    }

    async fn a_message_that_waited_a_day_still_goes_out(database) {
        let on = Fixture::new(database).await;
        let sent = on.send("Just in time").await.unwrap();
        on.clock.advance_ms(DAY_MS);
        on.app.run_jobs().await.unwrap();
        assert_eq!((on.look(&sent).await.state, taken(&on).len()), (DeliveryState::Queued, 1));
    }

    async fn a_message_that_was_tried_expires_with_its_attempt(database) {
        let on = Fixture::new(database).await;
        on.sim.fault(Fault::new(FaultKind::Refuse { status: 503, code: 20503 }).times(1));
        let sent = on.send("Hello").await.unwrap();
        on.app.run_jobs().await.unwrap();
        on.clock.advance_ms(DAY_MS + 1);
        on.app.run_jobs().await.unwrap();
        assert_eq!((on.look(&sent).await.state, taken(&on).len()), (DeliveryState::Expired, 0));
        on.assert_healthy().await;
    }

    async fn a_refusal_fails_the_message_and_an_opt_out_at_the_provider_is_ours_too(database) {
        let on = Fixture::new(database).await;
        on.sim.fault(Fault::new(FaultKind::Refuse { status: 400, code: 21610 }).times(1));
        let sent = on.send("Hello").await.unwrap();
        on.app.run_jobs().await.unwrap();
        let seen = on.look(&sent).await;
        assert_eq!((seen.state, seen.error_code.as_deref()), (DeliveryState::Failed, Some("21610")));
        assert_eq!(on.send("Again").await.unwrap_err().code(), "recipient_opted_out");
        on.assert_healthy().await;
    }

    async fn a_repeated_refusal_does_not_undo_a_later_start(database) {
        let on = Fixture::new(database).await;
        let refused = || callback("/webhooks/twilio", &sid(70), "failed", Some("21610"));
        on.app.hook(refused()).await.unwrap();
        assert_eq!(on.send("Hello").await.unwrap_err().code(), "recipient_opted_out");
        on.app.hook(inbound(&sid(71), CUSTOMER, NUMBER, "START")).await.unwrap();
        on.app.hook(refused()).await.unwrap();
        on.send("Hello again").await.unwrap();
    }

    async fn an_attempt_that_was_written_down_and_never_made_is_not_taken_for_a_lost_answer(database) {
        let on = Fixture::new(database).await;
        let sent = on.send("Hello").await.unwrap();
        // Twilio is out of reach for certain: the attempt ends, the message waits, and goes out later, once.
        on.sim.fault(Fault::new(FaultKind::Refuse { status: 503, code: 20503 }).times(2));
        for _ in 0..3 {
            on.app.run_jobs().await.unwrap();
            on.clock.advance_ms(3_600_000);
        }
        on.app.run_jobs().await.unwrap();
        assert_eq!(on.look(&sent).await.state, DeliveryState::Queued);
        assert_eq!(taken(&on), ["Hello"]);
        on.assert_healthy().await;
    }

    async fn a_rate_limit_waits_and_then_sends_once(database) {
        let on = Fixture::new(database).await;
        on.sim.fault(Fault::new(FaultKind::Refuse { status: 429, code: 20429 }).times(1));
        let sent = on.send("Patience").await.unwrap();
        on.app.run_jobs().await.unwrap();
        let seen = on.look(&sent).await;
        assert_eq!((seen.state, seen.error_code.as_deref()), (DeliveryState::Pending, Some("20429")));
        assert_eq!(on.app.run_jobs().await.unwrap(), 0, "not due yet");
        on.clock.advance_ms(3_600_000);
        on.app.run_jobs().await.unwrap();
        assert_eq!(on.look(&sent).await.state, DeliveryState::Queued);
        assert_eq!(taken(&on), ["Patience"]);
        on.assert_healthy().await;
    }

    async fn a_status_before_our_own_commit_counts_and_every_order_ends_equal(database) {
        let on = Fixture::new(database).await;
        let reports = [("queued", None), ("sent", None), ("undelivered", Some("30003")), ("delivered", None)];
        let mut ends = Vec::new();
        for order in permutations(4) {
            let provider_id = sid(1000 + ends.len());
            // The receipts come before the attempt knows the provider's id; then it learns it.
            let sent = on.send(&format!("order {order:?}")).await.unwrap();
            let (message, account) = (sent.message.id, sent.message.account_id);
            let store = on.app.store();
            let attempt = store.write(on.who.org, move |tx| attempt::start(tx, message, account)).await.unwrap();
            let commit_after = ends.len() % 5;
            for (position, index) in order.iter().enumerate() {
                if position == commit_after {
                    finish(&on, attempt, &provider_id).await;
                }
                let (status, code) = reports[*index];
                on.app.hook(callback("/webhooks/twilio", &provider_id, status, code)).await.unwrap();
            }
            if commit_after == 4 {
                finish(&on, attempt, &provider_id).await;
            }
            let seen = on.look(&sent).await;
            ends.push((seen.state, seen.error_code, seen.error_message));
        }
        assert_eq!(ends.len(), 24);
        assert_eq!((ends[0].0, ends[0].1.as_deref()), (DeliveryState::Delivered, Some("30003")));
        assert!(ends.iter().all(|end| *end == ends[0]), "{ends:?}");
    }

    async fn the_same_key_sends_once(database) {
        let on = Fixture::new(database).await;
        let hash = [7; 32];
        on.app.begin_once(&on.who, "key-1", hash).await.unwrap();
        let first = on.send_once("Hello", Some("key-1")).await.unwrap();
        let second = on.send_once("Hello", Some("key-1")).await.unwrap();
        assert_eq!(first.message.id, second.message.id);
        on.app.run_jobs().await.unwrap();
        assert_eq!(taken(&on), ["Hello"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_send_that_is_stored_is_answered_so_even_when_the_database_goes_away_meanwhile() {
    let mut cluster = tokio::task::spawn_blocking(|| Cluster::start().unwrap()).await.unwrap();
    let url = cluster.database().unwrap();
    let on = Fixture::at(Place::Postgres { url }, None).await;
    let mut signals = on.app.store().bus().listen();
    // Nobody runs the job, so the answer waits for an outcome; the commit's signal is the moment to take the database away.
    let sending = on.app.send(&on.who, draft("Hello", None), true);
    let stopping = async {
        while signals.recv().await.unwrap() != Signal::Events(on.who.org) {}
        tokio::task::spawn_blocking(move || cluster.stop().map(|()| cluster)).await.unwrap().unwrap()
    };
    let (sent, _cluster) = tokio::join!(sending, stopping);
    assert_eq!(sent.unwrap().message.state, DeliveryState::Pending);
}

async fn finish(on: &Fixture, attempt: parlance_model::id::AttemptId, provider_id: &str) {
    let provider_id = provider_id.to_owned();
    let accepted = parlance_model::delivery::Outcome::of(DeliveryState::Queued);
    let write = move |tx: &mut parlance_store::OrgTx<'_, '_>| parlance_store::attempt::finish(tx, attempt, Some(&provider_id), &accepted);
    on.app.store().write(on.who.org, write).await.unwrap();
}

/// Every order of `0..n`.
pub(crate) fn permutations(n: usize) -> Vec<Vec<usize>> {
    if n == 0 {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for shorter in permutations(n - 1) {
        for place in 0..n {
            let mut order = shorter.clone();
            order.insert(place, n - 1);
            all.push(order);
        }
    }
    all
}
