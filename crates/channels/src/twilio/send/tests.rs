//! Each request as it goes over the wire, and each class of answer, against a socket on the loopback interface.

use parlance_model::id::AttemptId;
use parlance_model::outbound::Template;
use parlance_model::phone::Phone;
use parlance_net::Policy;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::super::testing::{account, account_with, testdata};
use super::*;

fn outgoing() -> Outgoing {
    Outgoing {
        attempt: AttemptId(123),
        channel: Channel::Sms,
        to: "+15559876543".to_owned(),
        body: "Hello & goodbye 👍".to_owned(),
        template: None,
        media_urls: Vec::new(),
        status_callback: Some("https://chat.example.com/webhooks/twilio/a/tok3n?attempt=123".to_owned()),
        valid_for_s: None,
    }
}

fn client() -> Client {
    Client::new(Policy::default()).unwrap()
}

/// Sends to a server that gives this answer. Gives back what came of it, and the request: one line for each header that
/// matters and for each field of the form.
async fn exchange(change: impl FnOnce(&mut TwilioSettings), message: &Outgoing, answer: &[u8]) -> (SendOutcome, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    let account = account_with(|settings| {
        settings.base_url = Some(base_url.clone());
        change(settings);
    });
    let http = client();
    let (outcome, request) = tokio::join!(send(&http, &account, message), serve(&listener, answer));
    (outcome, request)
}

async fn serve(listener: &TcpListener, answer: &[u8]) -> String {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut request = Vec::new();
    let (head, form) = loop {
        assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0, "the request ended early");
        let text = String::from_utf8(request.clone()).unwrap();
        let Some((head, form)) = text.split_once("\r\n\r\n") else { continue };
        if head.contains(&format!("content-length: {}", form.len())) {
            break (head.to_owned(), form.to_owned());
        }
    };
    stream.write_all(answer).await.unwrap();
    let matters = |line: &&str| ["POST", "authorization:", "content-type:"].iter().any(|start| line.starts_with(start));
    let lines = head.lines().filter(matters).chain(form.split('&'));
    lines.collect::<Vec<_>>().join("\n")
}

async fn answered(status: u16, headers: &str, body: &[u8]) -> SendOutcome {
    let head = format!("HTTP/1.1 {status} Whatever\r\n{headers}content-length: {}\r\n\r\n", body.len());
    exchange(|_| {}, &outgoing(), &[head.as_bytes(), body].concat()).await.0
}

async fn sent(change: impl FnOnce(&mut TwilioSettings), message: &Outgoing) -> String {
    exchange(change, message, b"HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n").await.1
}

fn error_of(outcome: &SendOutcome) -> &DeliveryError {
    match outcome {
        SendOutcome::Refused { error, .. } | SendOutcome::NotTaken { error, .. } | SendOutcome::TooFast { error, .. } => error,
        SendOutcome::Unknown { error } => error,
        SendOutcome::Accepted { .. } => panic!("{outcome:?} has no error"),
    }
}

#[tokio::test]
async fn a_message_goes_out_through_the_messaging_service_when_there_is_one() {
    insta::assert_snapshot!(sent(|_| {}, &outgoing()).await, @r"
    POST /2010-04-01/Accounts/AC00000000000000000000000000000001/Messages.json HTTP/1.1
    authorization: Basic QUMwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMTowMTIzNDU2Nzg5YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZg==
    content-type: application/x-www-form-urlencoded
    To=%2B15559876543
    MessagingServiceSid=MG00000000000000000000000000000001
    Body=Hello+%26+goodbye+%F0%9F%91%8D
    StatusCallback=https%3A%2F%2Fchat.example.com%2Fwebhooks%2Ftwilio%2Fa%2Ftok3n%3Fattempt%3D123
    ");
}

#[tokio::test]
async fn a_message_goes_out_from_the_number_otherwise() {
    let message = Outgoing { status_callback: None, to: "262966".to_owned(), ..outgoing() };
    insta::assert_snapshot!(sent(|settings| settings.messaging_service_sid = None, &message).await, @r"
    POST /2010-04-01/Accounts/AC00000000000000000000000000000001/Messages.json HTTP/1.1
    authorization: Basic QUMwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMTowMTIzNDU2Nzg5YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZg==
    content-type: application/x-www-form-urlencoded
    To=262966
    From=%2B15551234567
    Body=Hello+%26+goodbye+%F0%9F%91%8D
    ");
}

#[tokio::test]
async fn files_go_out_by_their_addresses_with_or_without_text() {
    let media_urls = vec!["https://chat.example.com/media/1?sig=a&b".to_owned(), "https://chat.example.com/media/2".to_owned()];
    let message = Outgoing { media_urls, status_callback: None, body: String::new(), ..outgoing() };
    insta::assert_snapshot!(sent(|_| {}, &message).await, @r"
    POST /2010-04-01/Accounts/AC00000000000000000000000000000001/Messages.json HTTP/1.1
    authorization: Basic QUMwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMTowMTIzNDU2Nzg5YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZg==
    content-type: application/x-www-form-urlencoded
    To=%2B15559876543
    MessagingServiceSid=MG00000000000000000000000000000001
    MediaUrl=https%3A%2F%2Fchat.example.com%2Fmedia%2F1%3Fsig%3Da%26b
    MediaUrl=https%3A%2F%2Fchat.example.com%2Fmedia%2F2
    ");
}

/// The fields that a message over WhatsApp goes out with, but for its callback.
async fn over_whatsapp(change: impl FnOnce(&mut TwilioSettings), message: Outgoing) -> String {
    let message = Outgoing { channel: Channel::Whatsapp, status_callback: None, ..message };
    let request = sent(change, &message).await;
    request.lines().skip(3).collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn whatsapp_goes_out_from_its_number_else_the_service_else_the_number() {
    let number =
        |settings: &mut TwilioSettings| settings.whatsapp_number = Some(Phone::parse("+15550001111", "US".parse().unwrap()).unwrap());
    insta::assert_snapshot!(over_whatsapp(number, outgoing()).await,
        @"To=whatsapp%3A%2B15559876543 From=whatsapp%3A%2B15550001111 Body=Hello+%26+goodbye+%F0%9F%91%8D");
    insta::assert_snapshot!(over_whatsapp(|_| {}, outgoing()).await,
        @"To=whatsapp%3A%2B15559876543 MessagingServiceSid=MG00000000000000000000000000000001 Body=Hello+%26+goodbye+%F0%9F%91%8D");
    insta::assert_snapshot!(over_whatsapp(|settings| settings.messaging_service_sid = None, outgoing()).await,
        @"To=whatsapp%3A%2B15559876543 From=whatsapp%3A%2B15551234567 Body=Hello+%26+goodbye+%F0%9F%91%8D");
}

#[tokio::test]
async fn a_template_goes_out_in_place_of_the_text() {
    let template = |variables: &[(&str, &str)]| {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Outgoing { template: Some(Template { id: "HX0123".to_owned(), variables }), ..outgoing() }
    };
    insta::assert_snapshot!(over_whatsapp(|_| {}, template(&[("1", "Ann \"A.\""), ("2", "3 pm")])).await,
        @"To=whatsapp%3A%2B15559876543 MessagingServiceSid=MG00000000000000000000000000000001 ContentSid=HX0123 ContentVariables=%7B%221%22%3A%22Ann+%5C%22A.%5C%22%22%2C%222%22%3A%223+pm%22%7D");
    insta::assert_snapshot!(over_whatsapp(|_| {}, template(&[])).await,
        @"To=whatsapp%3A%2B15559876543 MessagingServiceSid=MG00000000000000000000000000000001 ContentSid=HX0123");
}

#[tokio::test]
async fn a_base_url_keeps_its_path_and_the_account_cannot_climb_out_of_its_own() {
    let change = |settings: &mut TwilioSettings| {
        settings.base_url.as_mut().unwrap().push_str("/twilio/");
        settings.account_sid = "../../AC1?x=#".to_owned();
    };
    let request = sent(change, &outgoing()).await;
    let expected = "POST /twilio/2010-04-01/Accounts/..%2F..%2FAC1%3Fx=%23/Messages.json HTTP/1.1";
    assert_eq!(request.lines().next(), Some(expected));
}

#[test]
fn without_a_base_url_it_is_twilio_and_not_trusted() {
    let account = account();
    let settings = settings(&account);
    let request = request(settings, resource(settings, &["Messages.json"]).unwrap(), Vec::new());
    assert_eq!(request.url.as_str(), "https://api.twilio.com/2010-04-01/Accounts/AC00000000000000000000000000000001/Messages.json");
    assert!(!request.trusted);
}

#[tokio::test]
async fn a_message_that_was_taken_has_its_id_and_state() {
    let body = testdata("api_message_created_201.json");
    let provider_id = "SMaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa".to_owned();
    assert_eq!(answered(201, "", &body).await, SendOutcome::Accepted { provider_id, state: DeliveryState::Queued, segments: Some(1) });
    for (body, state, segments) in [
        (&br#"{"sid":"SM1","status":"accepted","num_segments":"0"}"#[..], DeliveryState::Queued, None),
        (br#"{"sid":"SM1","status":"sent","to":null,"num_segments":"3"}"#, DeliveryState::Sent, Some(3)),
        (br#"{"sid":"SM1","status":"levitating","num_segments":{}}"#, DeliveryState::Queued, None),
        (br#"{"sid":"SM1"}"#, DeliveryState::Queued, None),
    ] {
        assert_eq!(answered(200, "", body).await, SendOutcome::Accepted { provider_id: "SM1".to_owned(), state, segments });
    }
}

#[tokio::test]
async fn a_yes_that_cannot_be_read_is_unknown() {
    for body in [&b""[..], b"<html>", b"{}", br#"{"sid":""}"#, br#"{"sid":7}"#, br#"{"sid":"SM\u0000"}"#, b"\xff"] {
        let outcome = answered(201, "", body).await;
        assert!(matches!(&outcome, SendOutcome::Unknown { error } if error.code == "answer_unreadable"), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_pause_that_twilio_asks_for_is_kept_within_an_hour() {
    let body = testdata("api_error_429_20429.json");
    for (header, expected) in [
        ("", None),
        ("retry-after: 7\r\n", Some(7000)),
        ("retry-after: 0\r\n", Some(0)),
        ("retry-after: 999999999999\r\n", Some(3_600_000)),
        ("retry-after: -1\r\n", None),
        ("retry-after: Thu, 05 Mar 2026 20:00:00 GMT\r\n", None),
        ("retry-after: 99999999999999999999999\r\n", None),
    ] {
        match answered(429, header, &body).await {
            SendOutcome::TooFast { error, retry_after_ms } => {
                assert_eq!((error.code.as_str(), retry_after_ms), ("20429", expected), "{header}");
            }
            other => panic!("{header}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn what_twilio_certainly_did_not_take_may_be_tried_again() {
    for (status, body, code) in [
        (429, "", "http_429"),
        (429, r#"{"code":20429}"#, "20429"),
        (400, r#"{"code":20429}"#, "20429"),
        (503, r#"{"code":20503}"#, "20503"),
    ] {
        let outcome = answered(status, "", body.as_bytes()).await;
        let fits = match status {
            503 => matches!(outcome, SendOutcome::NotTaken { .. }),
            _ => matches!(outcome, SendOutcome::TooFast { .. }),
        };
        assert!(fits, "{status} {body}: {outcome:?}");
        assert_eq!(error_of(&outcome).code, code);
    }
}

#[tokio::test]
async fn a_refusal_is_final_and_explained() {
    for (status, body, code) in [
        (400, r#"{"code":21211,"message":"x"}"#, "21211"),
        (400, r#"{"code":99999}"#, "99999"),
        (404, r#"{"code":21610000}"#, "21610000"),
        (400, "", "http_400"),
        (403, "<html>", "http_403"),
        (302, "", "http_302"),
    ] {
        let outcome = answered(status, "", body.as_bytes()).await;
        assert!(matches!(outcome, SendOutcome::Refused { why: Refusal::Message, .. }), "{status} {body}: {outcome:?}");
        assert_eq!(error_of(&outcome).code, code);
        assert!(error_of(&outcome).message.ends_with('.'));
    }
}

#[tokio::test]
async fn a_refusal_for_the_recipients_stop_is_an_opt_out() {
    match answered(400, "", &testdata("api_error_400_21610.json")).await {
        SendOutcome::Refused { error, why: Refusal::OptedOut } => assert_eq!(error.code, "21610"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_account_that_twilio_takes_nothing_from_is_told_from_one_that_is_set_up_wrong() {
    for (code, why) in [
        (20005, Refusal::Stopped),
        (20008, Refusal::Stopped),
        (20404, Refusal::Stopped),
        (30002, Refusal::Stopped),
        (90010, Refusal::Stopped),
        (21606, Refusal::Account),
        (21703, Refusal::Account),
        (21660, Refusal::Account),
    ] {
        let outcome = answered(400, "", format!(r#"{{"code":{code}}}"#).as_bytes()).await;
        assert!(matches!(&outcome, SendOutcome::Refused { why: said, .. } if *said == why), "{code}: {outcome:?}");
    }
}

#[tokio::test]
async fn what_is_left_of_a_validity_goes_along() {
    let message = Outgoing { valid_for_s: Some(90), ..outgoing() };
    assert!(sent(|_| {}, &message).await.contains("ValidityPeriod=90"));
}

#[tokio::test]
async fn wrong_credentials_say_so() {
    for (status, body, code) in
        [(401, testdata("api_error_401_20003.json"), "20003"), (401, Vec::new(), "http_401"), (403, br#"{"code":20003}"#.to_vec(), "20003")]
    {
        let outcome = answered(status, "", &body).await;
        assert!(matches!(outcome, SendOutcome::Refused { why: Refusal::Stopped, .. }), "{outcome:?}");
        assert_eq!(error_of(&outcome).code, code);
        assert!(error_of(&outcome).message.contains("auth token"));
    }
}

#[tokio::test]
async fn what_may_have_been_taken_is_unknown() {
    for (status, body, code) in [
        (500, r#"{"code":20500}"#, "20500"),
        (502, "<html>bad gateway</html>", "http_502"),
        (503, "", "http_503"),
        (504, "", "http_504"),
        (408, "", "http_408"),
    ] {
        let outcome = answered(status, "", body.as_bytes()).await;
        assert!(matches!(outcome, SendOutcome::Unknown { .. }), "{status} {body}: {outcome:?}");
        assert_eq!(error_of(&outcome).code, code);
    }
}

#[tokio::test]
async fn an_answer_that_is_cut_or_endless_is_unknown() {
    let endless = format!("HTTP/1.1 201 Created\r\ncontent-length: {}\r\n\r\n", MAX_RESPONSE_BYTES + 1);
    for half in ["", "HTTP/1.1 201 Created\r\ncontent-length: 100\r\n\r\n{\"sid\":", &endless] {
        let (outcome, _) = exchange(|_| {}, &outgoing(), half.as_bytes()).await;
        assert!(matches!(&outcome, SendOutcome::Unknown { error } if error.code == "answer_lost"), "{half:?}: {outcome:?}");
    }
}

#[tokio::test]
async fn no_connection_may_be_tried_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let account = account_with(|settings| settings.base_url = Some(base_url));
    let outcome = send(&client(), &account, &outgoing()).await;
    assert!(matches!(&outcome, SendOutcome::NotTaken { error, retry_after_ms: None } if error.code == "not_sent"), "{outcome:?}");
}

#[tokio::test]
async fn a_blocked_address_and_a_wrong_setting_are_refused() {
    for (base_url, code) in [
        ("http://169.254.169.254", "outbound_blocked"),
        ("ftp://example.com", "base_url_invalid"),
        ("mailto:me@example.com", "base_url_invalid"),
        ("api.twilio.com", "base_url_invalid"),
    ] {
        let account = account_with(|settings| settings.base_url = Some(base_url.to_owned()));
        let outcome = send(&client(), &account, &outgoing()).await;
        assert!(matches!(outcome, SendOutcome::Refused { why: Refusal::Account, .. }), "{base_url}: {outcome:?}");
        assert_eq!(error_of(&outcome).code, code);
    }
}

#[tokio::test]
async fn other_channels_are_refused_before_anything_is_sent() {
    let message = Outgoing { channel: Channel::Email, ..outgoing() };
    let outcome = send(&client(), &account(), &message).await;
    assert_eq!(error_of(&outcome).code, "channel_unsupported");
}
