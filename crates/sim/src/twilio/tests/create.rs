//! Creating: what is taken, what is refused, and who may ask.

use http::Method;

use super::schema::check;
use super::*;

const MESSAGE: &str = "api.v2010.account.message";

#[tokio::test]
async fn an_answer_is_the_message_of_the_official_schema() {
    let bench = Bench::start().await;
    let (status, message) = bench.create(&[("To", "(555) 987-6543"), ("From", NUMBER), ("Body", "Hello! 👍")]).await;
    assert_eq!(status, 201);
    check(&message, MESSAGE);
    assert_eq!(message["status"], "queued");
    assert_eq!(message["from"], NUMBER);
    assert_eq!(message["to"], CUSTOMER);
    assert_eq!(message["num_segments"], "1");
    assert_eq!(message["date_created"], "Thu, 05 Mar 2026 20:00:00 +0000");
    assert!(message["sid"].as_str().unwrap().starts_with("SM"));
    assert!(message["date_sent"].is_null() && message["messaging_service_sid"].is_null() && message["price"].is_null());
}

#[tokio::test]
async fn a_messaging_service_has_no_sender_yet() {
    let bench = Bench::start().await;
    let form = [
        ("To", CUSTOMER),
        ("MessagingServiceSid", SERVICE),
        ("Body", ""),
        ("MediaUrl", "https://a.example/1.png"),
        ("MediaUrl", "https://a.example/2.png"),
    ];
    let (status, message) = bench.create(&form).await;
    assert_eq!(status, 201);
    check(&message, MESSAGE);
    assert!(message["from"].is_null());
    assert_eq!(message["status"], "accepted");
    assert_eq!(message["num_segments"], "0");
    assert_eq!(message["num_media"], "2");
    assert!(message["sid"].as_str().unwrap().starts_with("MM"));
}

#[tokio::test]
async fn a_bad_create_is_refused_with_twilios_code() {
    let bench = Bench::start().await;
    let long = "a".repeat(1601);
    let media = ("MediaUrl", "https://a.example/1.png");
    let text = ("Body", "Hi");
    let (to, from) = (("To", CUSTOMER), ("From", NUMBER));
    let service = ("MessagingServiceSid", SERVICE);
    let fixed = ("ScheduleType", "fixed");
    let cases: &[(&[(&str, &str)], u32)] = &[
        (&[from, text], 21604),
        (&[("To", ""), from, text], 21604),
        (&[to, text], 21603),
        (&[to, from], 21602),
        (&[to, from, ("Body", "")], 21602),
        (&[to, from, ("Body", &long)], 21617),
        (&[("To", "hello"), from, text], 21211),
        (&[("To", "+1555"), from, text], 21211),
        (&[("To", "262966"), from, text], 21211),
        (&[to, ("From", "+15550001111"), text], 21606),
        (&[to, ("From", OTHER_NUMBER), text], 21660),
        (&[to, ("From", "@@"), text], 21212),
        (&[("To", NUMBER), from, text], 21266),
        (&[to, ("MessagingServiceSid", "MG00000000000000000000000000000009"), text], 21701),
        (&[to, from, media, media, media, media, media, media, media, media, media, media, media], 21623),
        (&[to, from, ("MediaUrl", "file:///etc/passwd")], 21620),
        (&[to, from, text, ("StatusCallback", "nowhere")], 21609),
        (&[to, from, text, ("StatusCallback", "https://my_host.example/hook")], 21609),
        (&[to, from, text, ("ValidityPeriod", "36001")], 20001),
        (&[to, service, text, fixed], 35111),
        (&[to, service, text, fixed, ("SendAt", "2026-03-05T20:14:59Z")], 35114),
        (&[to, service, text, fixed, ("SendAt", "2026-04-10T20:00:00Z")], 35114),
        (&[("To", "+15005550001"), from, text], 21211),
        (&[("To", "+15005550002"), from, text], 21612),
        (&[("To", "+15005550003"), from, text], 21408),
        (&[("To", "+15005550004"), from, text], 21610),
        (&[("To", "+15005550009"), from, text], 21614),
        (&[to, ("From", "+15005550001"), text], 21212),
        (&[to, ("From", "+15005550007"), text], 21606),
        (&[to, ("From", "+15005550008"), text], 21611),
    ];
    for (form, code) in cases {
        let (status, body) = bench.create(form).await;
        assert_eq!((u64::from(status), &body["code"]), (body["status"].as_u64().unwrap(), &Value::from(*code)), "{form:?}");
        assert!((400..500).contains(&status));
        assert_eq!(body["more_info"], format!("https://www.twilio.com/docs/errors/{code}"));
    }
    assert!(bench.sim.messages().is_empty());
}

#[tokio::test]
async fn the_limits_themselves_are_taken() {
    let bench = Bench::start().await;
    let body = "👍".repeat(1600);
    assert_eq!(bench.create(&[("To", CUSTOMER), ("From", NUMBER), ("Body", &body), ("ValidityPeriod", "36000")]).await.0, 201);
    assert_eq!(bench.create(&[("To", CUSTOMER), ("From", "+15005550006"), ("Body", "Hi")]).await.0, 201);
}

#[tokio::test]
async fn only_the_accounts_own_credentials_open_it() {
    let bench = Bench::start().await;
    let path = |account: &str| format!("2010-04-01/Accounts/{account}/Messages.json");
    for (user, password, account, status, code) in [
        (ACCOUNT, "wrong", ACCOUNT, 401, 20003),
        ("ACnobody", TOKEN, ACCOUNT, 401, 20003),
        (ACCOUNT, OTHER_TOKEN, ACCOUNT, 401, 20003),
        (ACCOUNT, TOKEN, OTHER_ACCOUNT, 404, 20404),
        (ACCOUNT, TOKEN, "ACnobody", 404, 20404),
    ] {
        for method in [Method::GET, Method::POST] {
            let response = bench.execute(bench.request(method, &path(account)).basic_auth(user, password)).await.unwrap();
            let body: Value = serde_json::from_slice(&response.body).unwrap();
            assert_eq!((response.status.as_u16(), &body["code"]), (status, &Value::from(code)), "{user} {account}");
        }
    }
    let anonymous = bench.execute(bench.request(Method::GET, &path(ACCOUNT))).await.unwrap();
    assert_eq!(anonymous.status, 401);
    let key = bench.request(Method::GET, &path(ACCOUNT)).basic_auth("SK00000000000000000000000000000001", "secret");
    assert_eq!(bench.execute(key).await.unwrap().status, 200);
    let owner = format!("2010-04-01/Accounts/{ACCOUNT}.json");
    assert_eq!(bench.get(&owner).await.0, 200);
    let key = bench.request(Method::GET, &owner).basic_auth("SK00000000000000000000000000000001", "secret");
    let refused = bench.execute(key).await.unwrap();
    let body: Value = serde_json::from_slice(&refused.body).unwrap();
    assert_eq!((refused.status.as_u16(), body["code"].as_u64()), (401, Some(20003)), "a Standard key may not read the account");
}

#[tokio::test]
async fn what_is_not_there_is_404_in_twilios_words() {
    let bench = Bench::start().await;
    let (status, body) = bench.get(&format!("2010-04-01/Accounts/{ACCOUNT}/Conferences.json")).await;
    assert_eq!((status, body["code"].as_u64()), (404, Some(20404)));
    let (status, _) = bench.get(&format!("2010-04-01/Accounts/{ACCOUNT}/Messages/SM00000000000000000000000000000000.json")).await;
    assert_eq!(status, 404);
}
