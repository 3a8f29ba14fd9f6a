//! Lists: filters and pages.

use super::schema::check;
use super::*;
use crate::twilio::Inbound;

fn messages(list: &Value) -> Vec<&str> {
    list["messages"].as_array().unwrap().iter().map(|message| message["body"].as_str().unwrap()).collect()
}

fn path(query: &str) -> String {
    format!("2010-04-01/Accounts/{ACCOUNT}/Messages.json{query}")
}

async fn seven_texts() -> Bench {
    let bench = Bench::start().await;
    for body in ["1", "2", "3", "4", "5", "6", "7"] {
        bench.create(&[("To", CUSTOMER), ("From", NUMBER), ("Body", body)]).await;
    }
    bench.sim.settled().await;
    bench
}

#[tokio::test]
async fn pages_follow_each_other_and_new_messages_shift_nothing() {
    let bench = seven_texts().await;
    let (status, first) = bench.get(&path("?PageSize=3")).await;
    assert_eq!(status, 200);
    check(&first, "ListMessageResponse");
    assert_eq!(messages(&first), ["7", "6", "5"]);
    assert_eq!((&first["start"], &first["end"], &first["previous_page_uri"]), (&0.into(), &2.into(), &Value::Null));
    bench.create(&[("To", CUSTOMER), ("From", NUMBER), ("Body", "8")]).await;

    let (_, second) = bench.get(first["next_page_uri"].as_str().unwrap()).await;
    assert_eq!(messages(&second), ["4", "3", "2"]);
    assert_eq!((&second["page"], &second["start"]), (&1.into(), &3.into()));
    let (_, last) = bench.get(second["next_page_uri"].as_str().unwrap()).await;
    assert_eq!((messages(&last), &last["next_page_uri"]), (vec!["1"], &Value::Null));
    let (_, back) = bench.get(last["previous_page_uri"].as_str().unwrap()).await;
    assert_eq!(messages(&back), ["4", "3", "2"]);
    assert_eq!(messages(&bench.get(&path("?PageSize=3&Page=1")).await.1), ["5", "4", "3"]);
}

#[tokio::test]
async fn filters_choose_by_both_sides() {
    let bench = Bench::start().await;
    bench.create(&[("To", CUSTOMER), ("From", NUMBER), ("Body", "out")]).await;
    bench.sim.inbound(Inbound::text(CUSTOMER, NUMBER, "in")).await;
    bench.sim.inbound(Inbound::text(CUSTOMER, OTHER_NUMBER, "other account")).await;
    assert_eq!(messages(&bench.get(&path("")).await.1), ["in", "out"]);
    assert_eq!(messages(&bench.get(&path("?To=%2B15559876543")).await.1), ["out"]);
    assert_eq!(messages(&bench.get(&path("?From=%2B15559876543")).await.1), ["in"]);
    assert_eq!(messages(&bench.get(&path("?From=%2B15559876543&To=%2B15559876543")).await.1), Vec::<&str>::new());
}

#[tokio::test]
async fn filters_choose_by_day_and_second() {
    let bench = Bench::start().await;
    bench.create(&[("To", CUSTOMER), ("From", NUMBER), ("Body", "Thursday")]).await;
    bench.sim.settled().await;
    bench.clock.advance_ms(86_400_000);
    bench.create(&[("To", CUSTOMER), ("From", NUMBER), ("Body", "Friday")]).await;
    bench.sim.settled().await;
    for (query, expected) in [
        ("?DateSent=2026-03-05", &["Thursday"][..]),
        ("?DateSent>=2026-03-06", &["Friday"]),
        ("?DateSent%3E=2026-03-05", &["Friday", "Thursday"]),
        ("?DateSent%3C=2026-03-05", &["Thursday"]),
        ("?DateSent<=2026-03-04", &[]),
        ("?DateSent%3E=2026-03-05T20%3A00%3A01Z", &["Friday"]),
        ("?DateSent%3C=2026-03-05T20%3A00%3A00Z", &["Thursday"]),
        ("?DateSent%3E=2026-03-05&DateSent%3C=2026-03-05T19%3A00%3A00Z", &[]),
    ] {
        assert_eq!(messages(&bench.get(&path(query)).await.1), expected, "{query}");
    }
    assert_eq!(bench.get(&path("?DateSent=soon")).await.0, 400);
    assert_eq!(bench.get(&path("?PageSize=many")).await.0, 400);
}

#[tokio::test]
async fn a_list_tells_what_a_backfill_needs() {
    let bench = Bench::start().await;
    bench.create(&[("To", CUSTOMER), ("From", NUMBER), ("Body", &"a".repeat(161))]).await;
    bench.sim.settled().await;
    bench.clock.advance_ms(1000);
    bench.create(&[("To", "+15005530003"), ("MessagingServiceSid", SERVICE), ("Body", "Hi")]).await;
    bench.sim.inbound(Inbound::text("whatsapp:+15559876543", "whatsapp:+15551234567", "Hallo")).await;
    let sent = bench.sim.messages().into_iter().map(|message| (message.from, message.created_ms)).next();
    assert_eq!(sent, Some((Some(NUMBER.to_owned()), START_MS)), "tells how fast a number sends");
    bench.sim.settled().await;

    let (_, list) = bench.get(&path("?To=whatsapp%3A%2B15551234567")).await;
    check(&list, "ListMessageResponse");
    assert_eq!((messages(&list), &list["messages"][0]["direction"]), (vec!["Hallo"], &"inbound".into()));
    let (_, list) = bench.get(&path("?To=%2B15559876543")).await;
    let text = &list["messages"][0];
    assert_eq!((&text["num_segments"], &text["num_media"], &text["error_code"]), (&"2".into(), &"0".into(), &Value::Null));
    for date in ["date_created", "date_sent", "date_updated"] {
        assert_eq!(text[date], "Thu, 05 Mar 2026 20:00:00 +0000");
    }
    let (_, list) = bench.get(&path("?To=%2B15005530003")).await;
    assert_eq!(list["messages"][0]["error_code"], 30003);
}

#[tokio::test]
async fn a_listed_message_has_no_sender_while_none_is_picked() {
    let bench = Bench::with(|config| config.callback_step_ms = 3_600_000).await;
    bench.create(&[("To", CUSTOMER), ("MessagingServiceSid", SERVICE), ("Body", "Hi")]).await;
    let (_, list) = bench.get(&path("")).await;
    let message = &list["messages"][0];
    assert_eq!((&message["from"], &message["date_sent"], &message["status"]), (&Value::Null, &Value::Null, &"accepted".into()));
}
