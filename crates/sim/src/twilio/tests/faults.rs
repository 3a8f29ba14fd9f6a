//! Each fault does what it says, as often as it was asked to, and to nobody else.

use super::*;
use crate::twilio::{Ending, Order, Status};

const COURSE: [&str; 3] = ["sending", "sent", "delivered"];

#[tokio::test]
async fn delay_answers_late_with_the_message() {
    let mut bench = Bench::start().await;
    bench.fault(FaultKind::Delay { ms: 5 });
    assert_eq!(bench.create_text().await.unwrap().status, 201);
    assert_eq!(bench.called_back().await, COURSE);
}

#[tokio::test]
async fn refuse_stores_nothing() {
    let mut bench = Bench::start().await;
    bench.fault(FaultKind::Refuse { status: 429, code: 20429 });
    let response = bench.create_text().await.unwrap();
    let body: Value = serde_json::from_slice(&response.body).unwrap();
    assert_eq!((response.status.as_u16(), &body["code"], &body["message"]), (429, &20429.into(), &"Too Many Requests".into()));
    assert!(bench.sim.messages().is_empty() && bench.settled_hooks().await.is_empty());
    assert_eq!(bench.create_text().await.unwrap().status, 201, "used up");
}

#[tokio::test]
async fn accept_then_timeout_takes_the_message_and_never_answers() {
    let mut bench = Bench::start().await;
    bench.fault(FaultKind::AcceptThenTimeout { hold_ms: 0 });
    assert!(matches!(bench.create_text().await, Err(Failure::Lost(_))));
    assert_eq!(bench.called_back().await, COURSE);
    let (_, list) = bench.get(&format!("2010-04-01/Accounts/{ACCOUNT}/Messages.json?To=%2B15559876543&DateSent%3E=2026-03-05")).await;
    assert_eq!(list["messages"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn accept_without_callbacks_still_delivers() {
    let mut bench = Bench::start().await;
    bench.fault(FaultKind::AcceptWithoutCallbacks);
    assert_eq!(bench.create_text().await.unwrap().status, 201);
    assert!(bench.settled_hooks().await.is_empty());
    assert_eq!(bench.sim.messages()[0].status, Status::Delivered);
}

#[tokio::test]
async fn duplicate_repeats_each_callback_with_its_token() {
    for concurrent in [false, true] {
        let mut bench = Bench::start().await;
        bench.fault(FaultKind::Duplicate { copies: 3, concurrent });
        bench.create_text().await.unwrap();
        let hooks = bench.settled_hooks().await;
        for status in COURSE {
            let mut tokens: Vec<_> = hooks
                .iter()
                .filter(|hook| hook.field("MessageStatus") == status)
                .map(|hook| hook.header("i-twilio-idempotency-token"))
                .collect();
            assert_eq!(tokens.len(), 3);
            tokens.dedup();
            assert_eq!(tokens.len(), 1);
        }
    }
}

#[tokio::test]
async fn reorder_turns_the_callbacks_round() {
    let mut bench = Bench::start().await;
    bench.fault(FaultKind::Reorder { order: Order::Reverse });
    bench.create_text().await.unwrap();
    assert_eq!(bench.called_back().await, ["delivered", "sent", "sending"]);

    bench.fault(FaultKind::Reorder { order: Order::Shuffle });
    bench.create_text().await.unwrap();
    let mut statuses = bench.called_back().await;
    statuses.sort();
    assert_eq!(statuses, ["delivered", "sending", "sent"]);
}

#[tokio::test]
async fn callbacks_can_come_before_the_answer() {
    let mut bench = Bench::start().await;
    bench.fault(FaultKind::CallbackBeforeAnswer);
    let response = bench.create_text().await.unwrap();
    // Without waiting for anything: they are all here when the answer is.
    let arrived: Vec<_> = std::iter::from_fn(|| bench.hooks.try_recv().ok()).collect();
    assert_eq!(arrived.iter().map(|hook| hook.field("MessageStatus")).collect::<Vec<_>>(), COURSE);
    let body: Value = serde_json::from_slice(&response.body).unwrap();
    assert_eq!(body["status"], "queued");
}

#[tokio::test]
async fn drop_closes_the_connection_and_stores_nothing() {
    let mut bench = Bench::start().await;
    bench.fault(FaultKind::Drop);
    assert!(bench.create_text().await.is_err());
    bench.sim.fault(Fault::new(FaultKind::Drop).for_number(CUSTOMER).times(1));
    assert!(bench.create_text().await.is_err());
    assert!(bench.sim.messages().is_empty() && bench.settled_hooks().await.is_empty());
    assert_eq!(bench.create_text().await.unwrap().status, 201);
}

#[tokio::test]
async fn a_message_ends_as_it_was_told_to() {
    let mut bench = Bench::start().await;
    bench.fault(FaultKind::FinalStatus { status: Ending::Undelivered, error_code: 30003 });
    bench.create_text().await.unwrap();
    let hooks = bench.settled_hooks().await;
    assert_eq!(hooks.iter().map(|hook| hook.field("MessageStatus")).collect::<Vec<_>>(), ["sending", "sent", "undelivered"]);
    assert_eq!(hooks.iter().map(|hook| hook.field("ErrorCode")).collect::<Vec<_>>(), ["", "", "30003"]);

    bench.fault(FaultKind::FinalStatus { status: Ending::Failed, error_code: 30001 });
    let created: Value = serde_json::from_slice(&bench.create_text().await.unwrap().body).unwrap();
    let hooks = bench.settled_hooks().await;
    assert_eq!(hooks.iter().map(|hook| hook.field("MessageStatus")).collect::<Vec<_>>(), ["sending", "failed"]);
    assert_eq!(hooks[1].field("ErrorMessage"), "Queue overflow");
    let (_, message) = bench.get(created["uri"].as_str().unwrap()).await;
    schema::check(&message, "api.v2010.account.message");
    assert_eq!((&message["error_code"], &message["error_message"]), (&30001.into(), &"Queue overflow".into()));
}

#[tokio::test]
async fn a_magic_number_is_a_fault_for_itself() {
    let mut bench = Bench::start().await;
    let url = bench.callback();
    let form = [("To", "+15005530007"), ("From", NUMBER), ("Body", "Hi"), ("StatusCallback", &*url)];
    assert_eq!(bench.create(&form).await.0, 201);
    assert_eq!(bench.settled_hooks().await.last().unwrap().field("ErrorCode"), "30007");
}

#[tokio::test]
async fn a_fault_waits_for_its_number_and_can_be_taken_back() {
    let bench = Bench::start().await;
    bench.sim.fault(Fault::new(FaultKind::Refuse { status: 500, code: 20500 }).for_number("+15550000000"));
    assert_eq!(bench.create_text().await.unwrap().status, 201);
    assert_eq!(bench.create(&[("To", "+15550000000"), ("From", NUMBER), ("Body", "Hi")]).await.0, 500);
    bench.sim.clear_faults();
    assert_eq!(bench.create(&[("To", "+15550000000"), ("From", NUMBER), ("Body", "Hi")]).await.0, 201);
}
