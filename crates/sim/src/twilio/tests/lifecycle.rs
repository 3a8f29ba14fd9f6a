//! The way of a message: its callbacks, cancelling, emptying, deleting, forgetting.

use super::schema::check;
use super::*;
use crate::twilio::{HookKind, Inbound, Outcome, signature};

#[tokio::test]
async fn every_state_after_the_first_is_called_back_and_signed() {
    let mut bench = Bench::start().await;
    let url = bench.callback();
    let (_, message) = bench.create(&[("To", CUSTOMER), ("From", NUMBER), ("Body", "Hi"), ("StatusCallback", &url)]).await;
    let hooks = bench.settled_hooks().await;
    assert_eq!(hooks.iter().map(|hook| hook.field("MessageStatus")).collect::<Vec<_>>(), ["sending", "sent", "delivered"]);
    for hook in &hooks {
        assert_eq!(hook.path, "/hook?m=att_1");
        assert_eq!(hook.field("MessageSid"), message["sid"].as_str().unwrap());
        assert_eq!(hook.field("SmsStatus"), hook.field("MessageStatus"));
        assert_eq!((hook.field("From"), hook.field("To"), hook.field("AccountSid")), (NUMBER, CUSTOMER, ACCOUNT));
        let form = hook.form.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        assert_eq!(hook.header(signature::HEADER), signature::sign(TOKEN, &url, form));
        assert_eq!(hook.header("content-type"), "application/x-www-form-urlencoded; charset=UTF-8");
        assert_eq!(hook.form.contains_key("RawDlrDoneDate"), hook.field("MessageStatus") == "delivered");
    }
    assert_eq!(hooks[2].field("RawDlrDoneDate"), "2603052000");
    assert!(bench.sim.deliveries().iter().all(|delivery| delivery.accepted() && delivery.kind == HookKind::StatusCallback));
}

#[tokio::test]
async fn a_messaging_service_answers_from_the_number_that_was_written_to() {
    let mut bench = Bench::start().await;
    bench.sim.inbound(Inbound::text(CUSTOMER, SECOND_NUMBER, "Hi")).await;
    bench.settled_hooks().await;
    let url = bench.callback();
    bench.create(&[("To", CUSTOMER), ("MessagingServiceSid", SERVICE), ("Body", "Hi"), ("StatusCallback", &url)]).await;
    let hooks = bench.settled_hooks().await;
    assert_eq!(hooks.iter().map(|hook| hook.field("MessageStatus")).collect::<Vec<_>>(), ["queued", "sending", "sent", "delivered"]);
    assert!(hooks.iter().all(|hook| hook.field("From") == SECOND_NUMBER && hook.field("MessagingServiceSid") == SERVICE));
}

#[tokio::test]
async fn a_callback_that_fails_is_recorded_and_not_repeated() {
    let mut bench = Bench::start().await;
    bench.answer.store(500, Ordering::SeqCst);
    bench.create_text().await.unwrap();
    assert_eq!(bench.called_back().await, ["sending", "sent", "delivered"]);
    assert!(bench.sim.deliveries().iter().all(|delivery| delivery.outcome == Outcome::Answered { status: 500 }));
}

#[tokio::test]
async fn a_delivered_message_is_fetched_as_it_is_now() {
    let bench = Bench::start().await;
    let (_, created) = bench.create(&[("To", CUSTOMER), ("From", NUMBER), ("Body", "Hi")]).await;
    bench.sim.settled().await;
    let (status, message) = bench.get(created["uri"].as_str().unwrap()).await;
    assert_eq!((status, &message["status"]), (200, &Value::from("delivered")));
    check(&message, "api.v2010.account.message");
    assert_eq!(message["price"], "-0.00790");
    assert!(message["date_sent"].is_string());
}

async fn schedule(bench: &Bench) -> Value {
    let form = [
        ("To", CUSTOMER),
        ("MessagingServiceSid", SERVICE),
        ("Body", "Hi"),
        ("StatusCallback", &*bench.callback()),
        ("ScheduleType", "fixed"),
        ("SendAt", "2026-03-05T20:15:00Z"),
    ];
    let (status, message) = bench.create(&form).await;
    assert_eq!((status, &message["status"]), (201, &Value::from("scheduled")));
    message
}

#[tokio::test]
async fn a_scheduled_message_can_be_canceled_once() {
    let mut bench = Bench::start().await;
    let uri = schedule(&bench).await["uri"].as_str().unwrap().to_owned();
    let (status, message) = bench.call(Method::POST, &uri, &[("Status", "canceled")]).await;
    assert_eq!((status, &message["status"]), (200, &Value::from("canceled")));
    check(&message, "api.v2010.account.message");
    assert_eq!(bench.called_back().await, ["canceled"]);
    let (status, body) = bench.call(Method::POST, &uri, &[("Status", "canceled")]).await;
    assert_eq!((status, body["code"].as_u64()), (400, Some(30409)));
}

#[tokio::test]
async fn a_scheduled_message_leaves_when_its_time_has_come() {
    let mut bench = Bench::start().await;
    schedule(&bench).await;
    assert_eq!(bench.called_back().await, Vec::<String>::new());
    bench.clock.advance_ms(15 * 60_000);
    let mut statuses = Vec::new();
    while statuses.last().is_none_or(|status| status != "delivered") {
        statuses.push(bench.hook().await.field("MessageStatus").to_owned());
    }
    assert_eq!(statuses, ["queued", "sending", "sent", "delivered"]);
}

#[tokio::test]
async fn a_text_is_emptied_and_a_message_deleted() {
    let bench = Bench::start().await;
    let (_, created) = bench.create(&[("To", CUSTOMER), ("From", NUMBER), ("Body", "secret")]).await;
    let uri = created["uri"].as_str().unwrap();
    assert_eq!(bench.call(Method::POST, uri, &[("Body", "")]).await.1["body"], "");
    assert_eq!(bench.call(Method::POST, uri, &[("Body", "other")]).await.0, 400);
    assert_eq!(bench.call(Method::POST, uri, &[("Status", "sent")]).await.0, 400);
    assert_eq!(bench.call(Method::DELETE, uri, &[]).await.0, 204);
    assert_eq!(bench.get(uri).await.0, 404);
}

#[tokio::test]
async fn the_oldest_messages_are_forgotten() {
    let bench = Bench::with(|config| config.kept = 2).await;
    let mut sids = Vec::new();
    for _ in 0..3 {
        let (_, message) = bench.create(&[("To", CUSTOMER), ("From", NUMBER), ("Body", "Hi")]).await;
        sids.push(message["sid"].as_str().unwrap().to_owned());
    }
    assert_eq!(bench.sim.messages().into_iter().map(|message| message.sid).collect::<Vec<_>>(), sids[1..]);
}

#[tokio::test]
async fn a_shutdown_ends_open_connections() {
    let bench = Bench::start().await;
    bench.fault(FaultKind::Delay { ms: 3_600_000 });
    let (create, stop) = (bench.request(Method::POST, &format!("2010-04-01/Accounts/{ACCOUNT}/Messages.json")), bench.sim);
    let create = create.basic_auth(ACCOUNT, TOKEN).form([("To", CUSTOMER), ("From", NUMBER), ("Body", "Hi")]);
    let taken = stop.inner().clone();
    let stopping = async {
        // The message is there, so the create is under way.
        while taken.messages().iter().next().is_none() {
            tokio::task::yield_now().await;
        }
        stop.shutdown().await;
    };
    let (answer, ()) = tokio::join!(bench.client.execute(create), stopping);
    assert!(matches!(answer, Err(Failure::Lost(_))));
}
