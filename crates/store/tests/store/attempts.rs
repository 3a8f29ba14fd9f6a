//! Attempts and receipts: whatever the order and however often, the end is the same.

use parlance_model::delivery::{DeliveryError, DeliveryState, Outcome};
use parlance_model::id::{AccountId, AttemptId, MessageId};
use parlance_model::inbound::Receipt;
use parlance_store::{attempt, event, message};
use parlance_testkit::both_databases;

use crate::fixture::{Fixture, code, send};

const PEER: &str = "+15551110001";

fn error(code: &str, message: &str) -> DeliveryError {
    DeliveryError { code: code.to_owned(), message: message.to_owned() }
}

fn receipt(provider_id: &str, state: DeliveryState, error: Option<DeliveryError>) -> Receipt {
    Receipt { provider_id: provider_id.to_owned(), attempt: None, state, error, about_account: false, opted_out: false, to: None }
}

/// What is reported of one attempt, by the call itself and by callbacks.
#[derive(Clone, Debug)]
enum Report {
    Finish(Outcome),
    Receipt(DeliveryState, Option<DeliveryError>),
    /// A callback that carries our own id of the attempt.
    Ours(DeliveryState),
    /// Ended by ourselves.
    End(Outcome),
}

impl Report {
    fn apply(&self, tx: &mut parlance_store::OrgTx<'_, '_>, account: AccountId, row: &Row) -> parlance_model::Result<()> {
        match self {
            Self::Finish(outcome) => attempt::finish(tx, row.attempt, Some(&row.provider_id), outcome),
            Self::Receipt(state, error) => attempt::record(tx, account, &receipt(&row.provider_id, *state, error.clone())).map(drop),
            Self::Ours(state) => {
                let ours = Receipt { attempt: Some(row.attempt), ..receipt(&row.provider_id, *state, None) };
                attempt::record(tx, account, &ours).map(drop)
            }
            Self::End(outcome) => message::end(tx, row.message, outcome),
        }
    }
}

#[derive(Clone, Debug)]
struct Row {
    message: MessageId,
    attempt: AttemptId,
    provider_id: String,
}

fn permutations<T: Clone>(items: &[T]) -> Vec<Vec<T>> {
    if items.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for index in 0..items.len() {
        let mut rest = items.to_vec();
        let first = rest.remove(index);
        for mut tail in permutations(&rest) {
            tail.insert(0, first.clone());
            all.push(tail);
        }
    }
    all
}

/// A message for each order, each with its started attempt.
async fn started(f: &Fixture, count: usize) -> Vec<Row> {
    let account = f.account.clone();
    let started = f.write(move |tx| {
        (0..count)
            .map(|number| {
                let message = send(tx, &account, PEER, "Hi")?;
                let attempt = attempt::start(tx, message, account.id)?;
                Ok(Row { message, attempt, provider_id: format!("SM{number}") })
            })
            .collect::<parlance_model::Result<Vec<_>>>()
    });
    started.await.unwrap()
}

/// State and reason of every attempt and of its message, without what tells the rows apart.
fn ends(f: &Fixture) -> Vec<Vec<String>> {
    f.raw().query(
        "SELECT DISTINCT a.state, a.error_state, a.error_code, a.error_message, m.state, m.error_state, m.error_code, m.error_message
         FROM attempt a JOIN message m ON m.id = a.message_id",
    )
}

/// Applies the reports in every order, twice, and answers how all of them ended.
async fn ends_of_every_order(f: &Fixture, reports: &[Report]) -> Vec<Vec<String>> {
    let orders = permutations(reports);
    let rows = started(f, orders.len()).await;
    let account = f.account.id;
    for step in 0..reports.len() {
        let (orders, rows) = (orders.clone(), rows.clone());
        let applied = f.write(move |tx| orders.iter().zip(&rows).try_for_each(|(order, row)| order[step].apply(tx, account, row)));
        applied.await.unwrap();
    }
    let (before, seq) = (everything(f), f.seq().await);
    f.clock.advance_ms(5000);
    let again = f.write(move |tx| {
        orders.iter().zip(&rows).try_for_each(|(order, row)| order.iter().rev().try_for_each(|report| report.apply(tx, account, row)))
    });
    again.await.unwrap();
    assert_eq!(everything(f), before, "a repeated report changed something");
    assert_eq!(f.seq().await, seq, "a repeated report told something");
    f.assert_clean().await;
    ends(f)
}

fn everything(f: &Fixture) -> Vec<Vec<String>> {
    ["attempt", "message", "receipt", "conversation"]
        .iter()
        .flat_map(|table| f.raw().query(&format!("SELECT * FROM {table} ORDER BY 1, 2, 3, 4, 5")))
        .collect()
}

both_databases! {
    async fn receipts_in_every_order_end_equal_and_repeated_ones_change_nothing(database) {
        use DeliveryState::{Delivered, Queued, Sent, Undelivered};
        let f = Fixture::new(database).await;
        let reports = [
            Report::Finish(Outcome::of(Queued)),
            Report::Receipt(Sent, None),
            Report::Receipt(Undelivered, Some(error("30003", "Unreachable."))),
            Report::Receipt(Delivered, None),
        ];
        let ends = ends_of_every_order(&f, &reports).await;
        assert_eq!(ends, [["delivered", "undelivered", "30003", "Unreachable.", "delivered", "undelivered", "30003", "Unreachable."]]);
    }

    async fn receipts_that_differ_in_their_words_only_end_equal(database) {
        use DeliveryState::{Failed, Sent};
        let f = Fixture::new(database).await;
        let reports = [
            Report::Receipt(Failed, Some(error("30008", "Unknown error."))),
            Report::Receipt(Failed, Some(error("30008", "Another wording."))),
            Report::Receipt(Failed, Some(error("30005", "Unknown handset."))),
            Report::Receipt(Sent, Some(error("99999", "Loses, since it came with less."))),
            Report::Finish(Outcome::of(Sent)),
        ];
        let ends = ends_of_every_order(&f, &reports).await;
        assert_eq!(ends, [["failed", "failed", "30008", "Unknown error.", "failed", "failed", "30008", "Unknown error."]]);
    }

    async fn an_answer_that_was_lost_is_settled_by_a_callback_in_every_order(database) {
        use DeliveryState::{Delivered, Sent, Unknown};
        let f = Fixture::new(database).await;
        let reports = [Report::Finish(Outcome::of(Unknown)), Report::Ours(Sent), Report::Receipt(Delivered, None)];
        assert_eq!(ends_of_every_order(&f, &reports).await, [["delivered", "NULL", "NULL", "NULL", "delivered", "NULL", "NULL", "NULL"]]);
    }

    async fn a_late_worker_does_not_move_an_attempt_backwards(database) {
        use DeliveryState::{Queued, Unknown};
        let f = Fixture::new(database).await;
        let reports = [Report::Finish(Outcome::with_error(Unknown, error("answer_lost", "Lost."))), Report::Finish(Outcome::of(Queued))];
        let ends = ends_of_every_order(&f, &reports).await;
        assert_eq!(ends, [["queued", "queued", "answer_lost", "Lost.", "queued", "queued", "answer_lost", "Lost."]]);
    }

    async fn a_message_that_we_ended_is_not_brought_back_by_a_late_receipt(database) {
        use DeliveryState::{OptedOut, Sent, Unknown};
        let f = Fixture::new(database).await;
        let reports = [
            Report::Finish(Outcome::of(Unknown)),
            Report::Receipt(Sent, None),
            Report::End(Outcome::with_error(OptedOut, error("recipient_opted_out", "They wrote STOP."))),
        ];
        let end = ["opted_out", "opted_out", "recipient_opted_out", "They wrote STOP."];
        assert_eq!(ends_of_every_order(&f, &reports).await, [[end, end].concat()]);
    }

    async fn a_receipt_with_our_id_settles_an_attempt_whose_provider_id_is_unknown(database) {
        let f = Fixture::new(database).await;
        let row = started(&f, 1).await.remove(0);
        let (account, id) = (f.account.id, row.message);
        let settle = |ours: AttemptId, provider_id: &'static str, state| {
            f.write(move |tx| attempt::record(tx, account, &Receipt { attempt: Some(ours), ..receipt(provider_id, state, None) }))
        };
        settle(AttemptId(row.attempt.0 + 1000), "SM-stray", DeliveryState::Read).await.unwrap();
        settle(row.attempt, "SM-a", DeliveryState::Sent).await.unwrap();
        // Another id for the same attempt does not take it over.
        settle(row.attempt, "SM-b", DeliveryState::Read).await.unwrap();
        let found = f.read(move |tx| attempt::latest(tx, id)).await.unwrap().unwrap();
        assert_eq!((found.provider_id.as_deref(), found.outcome, found.finished_ms), (Some("SM-a"), Outcome::of(DeliveryState::Sent), None));
        assert_eq!(f.read(move |tx| message::get(tx, id)).await.unwrap().state, DeliveryState::Sent);
    }

    async fn a_receipt_of_another_account_does_not_count(database) {
        let f = Fixture::new(database).await;
        let second = f.write(|tx| parlance_store::account::create(tx, "Second", &crate::fixture::twilio("+15550000003"))).await.unwrap().id;
        let row = started(&f, 1).await.remove(0);
        let (attempt, id) = (row.attempt, row.message);
        f.write(move |tx| attempt::finish(tx, attempt, Some("SM0"), &Outcome::of(DeliveryState::Queued))).await.unwrap();
        f.write(move |tx| attempt::record(tx, second, &receipt("SM0", DeliveryState::Delivered, None))).await.unwrap();
        assert_eq!(f.read(move |tx| message::get(tx, id)).await.unwrap().state, DeliveryState::Queued);
    }

    async fn a_message_shows_its_latest_attempt(database) {
        use DeliveryState::{Failed, Pending, Queued, Sent};
        let f = Fixture::new(database).await;
        let row = started(&f, 1).await.remove(0);
        let (account, id, first) = (f.account.id, row.message, row.attempt);
        let shown = || async { f.read(move |tx| message::get(tx, id)).await.unwrap() };
        let refused = Outcome::with_error(Failed, error("30007", "Filtered."));
        f.write(move |tx| attempt::finish(tx, first, Some("SM-1"), &refused)).await.unwrap();
        assert_eq!((shown().await.state, shown().await.error_code.as_deref()), (Failed, Some("30007")));

        let second = f.write(move |tx| attempt::start(tx, id, account)).await.unwrap();
        assert!(second > first);
        assert_eq!((shown().await.state, shown().await.error_code), (Pending, None));
        f.assert_clean().await;
        f.write(move |tx| attempt::finish(tx, second, Some("SM-2"), &Outcome::of(Queued))).await.unwrap();
        f.write(move |tx| attempt::record(tx, account, &receipt("SM-1", Sent, None))).await.unwrap();
        assert_eq!(shown().await.state, Queued);
        let latest = f.read(move |tx| attempt::latest(tx, id)).await.unwrap().unwrap();
        assert_eq!((latest.id, latest.message_id, latest.account_id), (second, id, account));
        f.assert_clean().await;
    }

    async fn a_message_that_arrived_shows_it_whichever_attempt_it_was_and_in_every_order(database) {
        use DeliveryState::{Delivered, Failed, Pending, Queued, Undelivered, Unknown};
        let f = Fixture::new(database).await;
        let account = f.account.id;
        let refused = Outcome::with_error(Failed, error("30007", "Filtered."));
        // What happens after the first attempt's answer was lost and a person began anew.
        for arrives in 0..4 {
            let row = started(&f, 1).await.remove(0);
            let (id, first) = (row.message, row.attempt);
            let names = [format!("SM-{arrives}-1"), format!("SM-{arrives}-2")];
            let lost = Outcome::of(Unknown);
            f.write(move |tx| attempt::finish(tx, first, None, &lost)).await.unwrap();
            let arrive = async |at: usize| {
                if at == arrives {
                    let late = Receipt { attempt: Some(first), ..receipt(&names[0], Delivered, None) };
                    f.write(move |tx| attempt::record(tx, account, &late)).await.unwrap();
                }
            };
            arrive(0).await;
            if arrives > 0 {
                f.write(move |tx| message::begin_anew(tx, id)).await.unwrap();
                assert_eq!(f.read(move |tx| message::get(tx, id)).await.unwrap().state, Pending);
                arrive(1).await;
                let second = f.write(move |tx| attempt::start(tx, id, account)).await.unwrap();
                arrive(2).await;
                let (name, refused) = (names[1].clone(), refused.clone());
                f.write(move |tx| attempt::finish(tx, second, Some(&name), &refused)).await.unwrap();
                arrive(3).await;
                for state in [Queued, Undelivered] {
                    let second = receipt(&names[1], state, None);
                    f.write(move |tx| attempt::record(tx, account, &second)).await.unwrap();
                }
            }
            assert_eq!(f.read(move |tx| message::get(tx, id)).await.unwrap().state, Delivered, "{arrives}");
            f.assert_clean().await;
        }
    }

    async fn late_news_of_the_last_attempt_does_not_speak_for_a_message_that_was_begun_anew(database) {
        use DeliveryState::{Failed, OptedOut, Pending, Sent, Undelivered};
        let f = Fixture::new(database).await;
        let row = started(&f, 1).await.remove(0);
        let (account, id, first) = (f.account.id, row.message, row.attempt);
        f.write(move |tx| attempt::finish(tx, first, Some("SM-1"), &Outcome::of(Failed))).await.unwrap();
        f.write(move |tx| message::begin_anew(tx, id)).await.unwrap();
        for state in [Sent, Undelivered] {
            f.write(move |tx| attempt::record(tx, account, &receipt("SM-1", state, None))).await.unwrap();
            assert_eq!(f.read(move |tx| message::get(tx, id)).await.unwrap().state, Pending);
        }
        f.assert_clean().await;
        // Ended before an attempt was made: the first one keeps its own end.
        f.write(move |tx| message::end(tx, id, &Outcome::of(OptedOut))).await.unwrap();
        let (attempts, _) = f.read(move |tx| attempt::list(tx, id, 50, 0)).await.unwrap();
        assert_eq!(attempts.iter().map(|attempt| attempt.outcome.state).collect::<Vec<_>>(), [Failed]);
        assert_eq!(f.read(move |tx| message::get(tx, id)).await.unwrap().state, OptedOut);
        f.assert_clean().await;
    }

    async fn tries_are_counted_from_the_last_end_on(database) {
        let f = Fixture::new(database).await;
        let row = started(&f, 1).await.remove(0);
        let (account, id) = (f.account.id, row.message);
        let tries = async || f.read(move |tx| attempt::tries(tx, id)).await.unwrap();
        assert_eq!(tries().await, 1);
        f.write(move |tx| attempt::start(tx, id, account)).await.unwrap();
        assert_eq!(tries().await, 2);
        f.write(move |tx| message::end(tx, id, &Outcome::of(DeliveryState::Canceled))).await.unwrap();
        f.write(move |tx| message::begin_anew(tx, id)).await.unwrap();
        f.write(move |tx| attempt::start(tx, id, account)).await.unwrap();
        assert_eq!(tries().await, 1);
    }

    async fn each_rise_is_one_event(database) {
        use DeliveryState::{Delivered, Queued, Sent};
        let f = Fixture::new(database).await;
        let row = started(&f, 1).await.remove(0);
        let (account, attempt, seq) = (f.account.id, row.attempt, f.seq().await);
        f.write(move |tx| attempt::finish(tx, attempt, Some("SM0"), &Outcome::of(Queued))).await.unwrap();
        for state in [Delivered, Sent, Delivered] {
            f.write(move |tx| attempt::record(tx, account, &receipt("SM0", state, None))).await.unwrap();
        }
        let told = f.read(move |tx| event::after(tx, seq, 10)).await.unwrap();
        let states: Vec<_> = told
            .into_iter()
            .map(|entry| match entry.event {
                parlance_model::event::Event::MessageStatus { message_id, state, .. } if message_id == row.message => state,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(states, [Queued, Delivered]);
    }

    async fn a_message_is_read_when_the_provider_first_says_so(database) {
        let f = Fixture::new(database).await;
        let row = started(&f, 1).await.remove(0);
        let (account, attempt, id) = (f.account.id, row.attempt, row.message);
        f.write(move |tx| attempt::finish(tx, attempt, Some("SM0"), &Outcome::of(DeliveryState::Sent))).await.unwrap();
        assert_eq!(f.read(move |tx| message::get(tx, id)).await.unwrap().read_ms, None);
        f.clock.advance_ms(1000);
        for _ in 0..2 {
            f.write(move |tx| attempt::record(tx, account, &receipt("SM0", DeliveryState::Read, None))).await.unwrap();
            f.clock.advance_ms(1000);
        }
        assert_eq!(f.read(move |tx| message::get(tx, id)).await.unwrap().read_ms, Some(crate::fixture::START_MS + 1000));
    }

    async fn the_message_of_an_attempt_is_found(database) {
        let f = Fixture::new(database).await;
        let row = started(&f, 1).await.remove(0);
        assert_eq!(f.read(move |tx| attempt::message_of(tx, row.attempt)).await.unwrap().id, row.message);
        assert_eq!(code(f.read(move |tx| attempt::message_of(tx, AttemptId(row.attempt.0 + 1))).await), "not_found");
    }

    async fn another_org_reaches_no_attempt(database) {
        let f = Fixture::new(database).await;
        let (other, theirs) = f.other_org().await;
        let row = started(&f, 1).await.remove(0);
        let (attempt, id, account) = (row.attempt, row.message, f.account.id);
        f.write(move |tx| attempt::finish(tx, attempt, Some("SM0"), &Outcome::of(DeliveryState::Queued))).await.unwrap();
        let before = everything(&f);
        let delivered = Outcome::of(DeliveryState::Delivered);
        assert!(f.store.read(other, move |tx| attempt::latest(tx, id)).await.unwrap().is_none());
        assert_eq!(code(f.store.read(other, move |tx| attempt::message_of(tx, attempt)).await), "not_found");
        assert_eq!(code(f.store.write(other, move |tx| attempt::start(tx, id, theirs.id)).await), "not_found");
        assert_eq!(code(f.store.write(other, move |tx| attempt::finish(tx, attempt, Some("SM1"), &delivered)).await), "not_found");
        assert_eq!(code(f.store.write(other, move |tx| message::end(tx, id, &Outcome::of(DeliveryState::Read))).await), "not_found");
        assert_eq!(everything(&f), before);
        let ours = Receipt { attempt: Some(attempt), ..receipt("SM0", DeliveryState::Delivered, None) };
        f.store.write(other, move |tx| attempt::record(tx, account, &ours)).await.unwrap();
        assert_eq!(f.read(move |tx| message::get(tx, id)).await.unwrap().state, DeliveryState::Queued);
        assert_eq!(f.store.read(other, |tx| event::after(tx, 0, 10)).await.unwrap().len(), 0);
    }
}
