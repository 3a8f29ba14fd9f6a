//! What is asked of a list, and what is made of its answers, against a socket on the loopback interface.

use parlance_model::call::CallStatus;
use parlance_model::call::news::{CallNews, News};
use parlance_model::phone::Phone;
use parlance_net::Policy;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::super::testing::{By, URL, account_with, with_hook};
use super::*;

const SINCE_MS: i64 = 1_772_740_800_000;
const FIRST: Listing = Listing { since_ms: SINCE_MS, sent_to: None };

fn entry(change: Value) -> Value {
    let mut entry = json!({
        "sid": "SM00000000000000000000000000000001", "account_sid": "AC00000000000000000000000000000001", "direction": "inbound",
        "status": "received", "from": "+15559876543", "to": "+15551234567", "body": "Hi\u{0}", "messaging_service_sid": null,
        "num_media": "0", "num_segments": "1", "error_code": null, "error_message": null, "price": null,
        "date_created": "Thu, 05 Mar 2026 20:00:01 +0000", "date_sent": "Thu, 05 Mar 2026 20:00:02 +0000"
    });
    entry.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    entry
}

/// Asks a server that gives these answers, each on a connection of its own. Answers what came of it, and the lines of the requests.
async fn asked(
    change: impl FnOnce(&mut TwilioSettings),
    wanted: &Listing,
    from: Option<&str>,
    answers: &[(u16, Value)],
) -> (Result<Page, ListFailure>, Vec<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    let account = account_with(|settings| {
        settings.base_url = Some(base_url);
        settings.messaging_service_sid = None;
        change(settings);
    });
    let http = Client::new(Policy::default()).unwrap();
    tokio::join!(page(&http, &account, wanted, from), served(&listener, answers))
}

/// The same for one call.
async fn found(sid: &str, answers: &[(u16, Value)]) -> (Result<Vec<CallNews>, ListFailure>, Vec<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    let account = account_with(|settings| settings.base_url = Some(base_url));
    let http = Client::new(Policy::default()).unwrap();
    tokio::join!(calls::find(&http, &account, sid), served(&listener, answers))
}

async fn served(listener: &TcpListener, answers: &[(u16, Value)]) -> Vec<String> {
    let mut lines = Vec::new();
    for (status, body) in answers {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0, "the request ended early");
        }
        let request = String::from_utf8(request).unwrap();
        assert!(request.contains("authorization: Basic "), "{request}");
        lines.push(request.lines().next().unwrap().to_owned());
        let body = body.to_string();
        let head = format!("HTTP/1.1 {status} Whatever\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
        stream.write_all(&[head.as_bytes(), body.as_bytes()].concat()).await.unwrap();
    }
    lines
}

fn answer(entries: &[Value], next: Option<&str>) -> (u16, Value) {
    (200, json!({ "messages": entries, "calls": entries, "next_page_uri": next, "page": 0 }))
}

#[tokio::test]
async fn a_number_has_a_list_for_each_way_and_each_channel() {
    let mut page = None;
    let mut lines = Vec::new();
    loop {
        let (listed, asked) = asked(|_| {}, &FIRST, page.as_deref(), &[answer(&[], None)]).await;
        lines.extend(asked);
        page = listed.unwrap().next;
        if page.is_none() {
            break;
        }
    }
    insta::assert_snapshot!(lines.join("\n"), @r"
    GET /2010-04-01/Accounts/AC00000000000000000000000000000001/Messages.json?To=%2B15551234567&DateSent%3E=2026-03-05&PageSize=200 HTTP/1.1
    GET /2010-04-01/Accounts/AC00000000000000000000000000000001/Messages.json?From=%2B15551234567&DateSent%3E=2026-03-05&PageSize=200 HTTP/1.1
    GET /2010-04-01/Accounts/AC00000000000000000000000000000001/Messages.json?To=whatsapp%3A%2B15551234567&DateSent%3E=2026-03-05&PageSize=200 HTTP/1.1
    GET /2010-04-01/Accounts/AC00000000000000000000000000000001/Messages.json?From=whatsapp%3A%2B15551234567&DateSent%3E=2026-03-05&PageSize=200 HTTP/1.1
    GET /2010-04-01/Accounts/AC00000000000000000000000000000001/Calls.json?To=%2B15551234567&StartTime%3E=2026-03-05&PageSize=200 HTTP/1.1
    GET /2010-04-01/Accounts/AC00000000000000000000000000000001/Calls.json?From=%2B15551234567&StartTime%3E=2026-03-05&PageSize=200 HTTP/1.1
    ");
}

#[tokio::test]
async fn the_next_page_is_asked_of_the_same_server_whatever_the_answer_says() {
    let next = "https://evil.example/2010-04-01/Accounts/AC1/Messages.json?PageSize=200&Page=1&PageToken=PASM1";
    let (listed, _) = asked(|_| {}, &FIRST, None, &[answer(&[entry(json!({}))], Some(next))]).await;
    let page = listed.unwrap().next.unwrap();
    let (listed, lines) = asked(|_| {}, &FIRST, Some(&page), &[answer(&[], None)]).await;
    listed.unwrap();
    assert_eq!(
        lines,
        ["GET /2010-04-01/Accounts/AC00000000000000000000000000000001/Messages.json?PageSize=200&Page=1&PageToken=PASM1 HTTP/1.1"]
    );
}

#[tokio::test]
async fn a_list_is_left_once_everything_on_a_page_is_too_old() {
    let old = entry(json!({ "date_sent": "Thu, 05 Mar 2026 19:59:59 +0000" }));
    let (listed, _) = asked(|_| {}, &FIRST, None, &[answer(&[old], Some("/x?PageToken=PASM1"))]).await;
    assert_eq!(listed.unwrap().next.as_deref(), Some("1 "));
}

#[tokio::test]
async fn a_message_that_came_is_history_with_its_files() {
    let media = json!({ "media_list": [{ "sid": "ME1", "content_type": "image/jpeg" }, { "sid": "../x", "content_type": "image/png" }] });
    let (listed, lines) = asked(|_| {}, &FIRST, None, &[answer(&[entry(json!({ "num_media": "1" }))], None), (200, media)]).await;
    let items = listed.unwrap().items;
    let [Listed::Came(message)] = &items[..] else { panic!("{items:?}") };
    assert_eq!((message.body.as_str(), message.at_ms, message.history), ("Hi", Some(SINCE_MS + 2000), true));
    let [Attachment::Remote { provider_url, content_type, .. }] = &message.attachments[..] else { panic!("{:?}", message.attachments) };
    assert!(provider_url.ends_with("/Messages/SM00000000000000000000000000000001/Media/ME1"), "{provider_url}");
    assert_eq!(content_type, "image/jpeg");
    assert!(lines[1].contains("/Messages/SM00000000000000000000000000000001/Media.json "), "{lines:?}");
}

/// The day that is asked for has messages from before the time that is wanted. Nobody asks for their files, every ten minutes anew.
#[tokio::test]
async fn of_what_is_too_old_no_files_are_asked_for() {
    let old = entry(json!({ "num_media": "1", "date_sent": "Thu, 05 Mar 2026 19:59:59 +0000" }));
    let (listed, lines) = asked(|_| {}, &FIRST, None, &[answer(&[old, entry(json!({ "sid": "SM2" }))], None)]).await;
    assert_eq!((listed.unwrap().items.len(), lines.len()), (1, 1));
}

#[tokio::test]
async fn a_message_whose_files_were_deleted_meanwhile_has_none() {
    let gone = (404, json!({ "code": 20404 }));
    let (listed, _) = asked(|_| {}, &FIRST, None, &[answer(&[entry(json!({ "num_media": "1" }))], None), gone]).await;
    let items = listed.unwrap().items;
    assert!(matches!(&items[..], [Listed::Came(message)] if message.attachments.is_empty()), "{items:?}");
}

#[tokio::test]
async fn a_message_that_went_brings_how_far_it_got() {
    let went = entry(
        json!({ "direction": "outbound-api", "status": "undelivered", "from": "+15551234567", "to": "+15559876543", "error_code": 30003 }),
    );
    let (listed, _) = asked(|_| {}, &FIRST, None, &[answer(&[went], None)]).await;
    let items = listed.unwrap().items;
    let [Listed::Went(went)] = &items[..] else { panic!("{items:?}") };
    assert_eq!((went.created_ms, went.receipt.state), (SINCE_MS + 1000, DeliveryState::Undelivered));
    assert_eq!(went.receipt.to.as_ref().unwrap().key(), "+15559876543");
    assert_eq!(went.receipt.error.as_ref().unwrap().code, "30003");
}

#[tokio::test]
async fn what_is_not_the_accounts_own_is_passed_over() {
    let foreign = [
        entry(json!({ "to": "+15550000000" })),
        entry(json!({ "direction": "outbound-api", "status": "sent" })),
        entry(json!({ "from": "messenger:123" })),
        entry(json!({ "status": "receiving-or-so" })),
        entry(json!({ "sid": "../../Accounts" })),
        entry(json!({ "messaging_service_sid": "MG00000000000000000000000000000009", "to": "+15550000000" })),
    ];
    let (listed, _) = asked(|_| {}, &FIRST, None, &[answer(&foreign, None)]).await;
    assert!(listed.unwrap().items.is_empty());
    let service = "MG00000000000000000000000000000001";
    let pooled = entry(json!({ "messaging_service_sid": service, "to": "+15550000000" }));
    let with_service = |settings: &mut TwilioSettings| settings.messaging_service_sid = Some(service.to_owned());
    let (listed, lines) = asked(with_service, &FIRST, None, &[answer(&[pooled], None)]).await;
    assert_eq!(listed.unwrap().items.len(), 1);
    assert!(!lines[0].contains("To="), "{lines:?}");
    let whatsapp = entry(json!({ "to": "whatsapp:+15550000009", "from": "whatsapp:+15559876543" }));
    let with_whatsapp = |settings: &mut TwilioSettings| settings.whatsapp_number = Phone::parse("+15550000009", "US".parse().unwrap()).ok();
    let (listed, _) = asked(with_whatsapp, &FIRST, None, &[answer(&[whatsapp], None)]).await;
    let items = listed.unwrap().items;
    let [Listed::Came(message)] = &items[..] else { panic!("{items:?}") };
    assert_eq!(message.channel, Channel::Whatsapp);
}

/// Whether hooks of the same messages would be applied.
fn applied(account: &Account, entries: &[Value]) -> Vec<bool> {
    let is_applied = |entry: &Value| {
        let word = if entry["direction"] == "inbound" { ("Body", "Hi") } else { ("MessageStatus", "sent") };
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("MessageSid", "SM1").append_pair(word.0, word.1);
        for (name, key) in [("From", "from"), ("To", "to"), ("MessagingServiceSid", "messaging_service_sid")] {
            form.extend_pairs(entry[key].as_str().map(|text| (name, text)));
        }
        let parsed = with_hook(By::Form, &[URL], "", form.finish().as_bytes(), |hook| {
            super::super::parse::parse(account, hook, super::super::form::Form::of(hook).as_ref())
        });
        matches!(parsed, crate::Parsed::Apply(_))
    };
    entries.iter().map(is_applied).collect()
}

#[tokio::test]
async fn a_list_and_a_hook_agree_on_whose_a_message_is() {
    let owns = [
        "+15551234567",
        "whatsapp:+15551234567",
        "(555) 123-4567",
        "+15550000009",
        "whatsapp:+15550000009",
        "whatsapp:+15550000000",
        "+15550000000",
        "messenger:+15551234567",
    ];
    let services = [Value::Null, "MG00000000000000000000000000000001".into(), "MG00000000000000000000000000000009".into()];
    let mut entries = Vec::new();
    for (own, service) in owns.iter().flat_map(|own| services.iter().map(move |service| (own, service))) {
        for peer in ["+15559876543", "whatsapp:+15559876543", "whatsapp:messenger:1"] {
            entries.push(entry(json!({ "to": own, "from": peer, "messaging_service_sid": service })));
            let sent = json!({ "direction": "outbound-api", "status": "sent", "from": own, "to": peer, "messaging_service_sid": service });
            entries.push(entry(sent));
        }
    }
    for (number, entry) in entries.iter_mut().enumerate() {
        entry["sid"] = format!("SM{number}").into();
    }
    let settings = |settings: &mut TwilioSettings| {
        settings.messaging_service_sid = Some("MG00000000000000000000000000000001".to_owned());
        settings.whatsapp_number = Phone::parse("+15550000009", "US".parse().unwrap()).ok();
    };
    let (listed, _) = asked(settings, &FIRST, None, &[answer(&entries, None)]).await;
    let listed: Vec<String> = listed
        .unwrap()
        .items
        .into_iter()
        .map(|item| match item {
            Listed::Came(message) => message.provider_id,
            Listed::Went(went) => went.receipt.provider_id,
            Listed::Called(called) => called.provider_id,
        })
        .collect();
    for (entry, applied) in entries.iter().zip(applied(&account_with(settings), &entries)) {
        assert_eq!(listed.iter().any(|sid| entry["sid"] == sid.as_str()), applied, "{entry}");
    }
}

#[tokio::test]
async fn one_recipients_messages_are_asked_for_by_recipient() {
    let wanted = |channel| Listing { since_ms: SINCE_MS, sent_to: Some((channel, "+15559876543".to_owned())) };
    for (channel, to) in [
        (Channel::Sms, "Messages.json?To=%2B15559876543&"),
        (Channel::Whatsapp, "Messages.json?To=whatsapp%3A%2B15559876543&"),
        (Channel::Voice, "Calls.json?To=%2B15559876543&From=%2B15551234567&"),
    ] {
        let (listed, lines) = asked(|_| {}, &wanted(channel), None, &[answer(&[], None)]).await;
        assert!(listed.unwrap().next.is_none() && lines[0].contains(to), "{lines:?}");
    }
}

#[tokio::test]
async fn refused_credentials_are_told_from_a_bad_moment() {
    for (status, is_account) in [(401, true), (404, true), (429, false), (500, false), (200, false)] {
        let (listed, _) = asked(|_| {}, &FIRST, None, &[(status, json!({ "code": 1, "message": "No" }))]).await;
        let failure = listed.unwrap_err();
        assert_eq!(matches!(failure, ListFailure::Account(_)), is_account, "{status}: {failure:?}");
    }
}

fn call(change: Value) -> Value {
    let mut call = json!({
        "sid": "CA00000000000000000000000000000001", "parent_call_sid": null, "direction": "inbound", "status": "completed",
        "from": "+15559876543", "to": "+15551234567", "duration": "47", "price": null,
        "date_created": "Thu, 05 Mar 2026 20:00:00 +0000", "start_time": "Thu, 05 Mar 2026 20:00:01 +0000",
        "end_time": "Thu, 05 Mar 2026 20:00:48 +0000"
    });
    call.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    call
}

/// The page of the list of calls to the number.
const CALLS: &str = "4 ";

#[tokio::test]
async fn calls_are_read_and_their_legs_are_not_taken_for_calls() {
    let entries = [
        call(json!({})),
        call(json!({ "sid": "CA2", "parent_call_sid": "CA1", "direction": "outbound-dial" })),
        call(json!({ "sid": "CA3", "to": "+15550000000" })),
        call(json!({ "sid": "CA4", "status": "teleported" })),
        call(json!({ "sid": "CA5", "start_time": null, "status": "no-answer", "duration": "0" })),
    ];
    let (listed, _) = asked(|_| {}, &FIRST, Some(CALLS), &[answer(&entries, None)]).await;
    let called: Vec<_> = listed
        .unwrap()
        .items
        .into_iter()
        .map(|item| match item {
            Listed::Called(called) => (called.provider_id, called.inbound, called.at_ms - SINCE_MS, called.status, called.duration_s),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        called,
        [
            ("CA00000000000000000000000000000001".to_owned(), true, 1000, CallStatus::Completed, Some(47)),
            ("CA5".to_owned(), true, 0, CallStatus::NoAnswer, Some(0)),
        ]
    );
}

#[tokio::test]
async fn a_call_is_found_with_its_legs_and_recordings() {
    let leg = call(json!({ "sid": "CA2", "parent_call_sid": "CA1", "direction": "outbound-dial", "duration": "40" }));
    let recordings = json!({ "recordings": [
        { "sid": "RE1", "status": "completed", "source": "RecordVerb", "duration": "12" },
        { "sid": "RE2", "status": "absent", "source": "RecordVerb", "duration": "-1" },
        { "sid": "../RE3", "status": "completed", "source": "DialVerb", "duration": "1" }
    ] });
    let sid = "CA00000000000000000000000000000001";
    let answers = [(200, call(json!({ "from": "anonymous" }))), answer(&[leg], None), (200, recordings)];
    let (news, lines) = found(sid, &answers).await;
    let told: Vec<_> = news.unwrap().into_iter().map(|news| (news.provider_id == sid, news.news)).collect();
    let [
        (true, News::Incoming { from, missed_ms, .. }),
        (true, News::Call { .. }),
        (true, News::Dialed { bridged: true, .. }),
        (true, News::Recorded { recording, url, voicemail: true, .. }),
    ] = &told[..]
    else {
        panic!("{} news", told.len())
    };
    assert_eq!(
        (from, *missed_ms, recording.id.as_str(), recording.duration_s),
        (&Address::Anonymous, Some(SINCE_MS + 1000), "RE1", Some(12))
    );
    assert!(url.ends_with("/Recordings/RE1.mp3"), "{url}");
    assert!(lines[1].contains("Calls.json?ParentCallSid=CA"), "{lines:?}");
}

#[tokio::test]
async fn a_call_that_is_not_there_or_not_ours_is_nothing() {
    for (status, body) in [(404, json!({ "code": 20404 })), (200, call(json!({ "to": "+15550000000" })))] {
        assert!(found("CA1", &[(status, body)]).await.0.unwrap().is_empty(), "{status}");
    }
    assert!(found("../Messages", &[]).await.0.unwrap().is_empty());
}
