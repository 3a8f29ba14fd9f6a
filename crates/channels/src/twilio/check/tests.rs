//! What is asked of Twilio before an account is used, and what `configure` changes there, against a socket on the loopback interface.

use parlance_model::account::Ring;
use parlance_model::phone::Phone;
use parlance_net::Policy;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::super::testing::account_with;
use super::*;

const HOOK: &str = "https://chat.example.com/webhooks/twilio/a/tok3n";
const ELSEWHERE: &str = "https://pbx.example.com/voice";
const NUMBER: &str = "POST /2010-04-01/Accounts/AC00000000000000000000000000000001/IncomingPhoneNumbers/PN1.json";
const SERVICE: &str = "POST /v1/Services/MG00000000000000000000000000000001";

/// A number whose messages come to us, and whose calls go nowhere.
fn number(change: Value) -> Value {
    let mut number = json!({
        "sid": "PN1", "phone_number": "+15551234567", "sms_url": HOOK, "sms_fallback_url": HOOK, "voice_url": "", "status_callback": "",
        "voice_application_sid": null, "trunk_sid": null
    });
    number.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    number
}

fn ring_one(settings: &mut TwilioSettings) {
    settings.voice.ring = vec![Ring { phone: Phone::parse("+14152000011", "US".parse().unwrap()).unwrap(), user_id: None }];
}

/// Checks an account of this number and Messaging Service. Answers the last step, and what was set: where, and each value.
async fn checked(
    change: impl FnOnce(&mut TwilioSettings),
    number: Value,
    service: Option<Value>,
    configure: bool,
) -> (Finding, Vec<(String, Vec<(String, String)>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    let account = account_with(|settings| {
        settings.base_url = Some(base_url);
        settings.messaging_service_sid = settings.messaging_service_sid.take().filter(|_| service.is_some());
        change(settings);
    });
    let http = Client::new(Policy::default()).unwrap();
    let mut set = Vec::new();
    let answers = async {
        loop {
            let (line, body) = answered(&listener, &number, service.as_ref()).await;
            if line.starts_with("POST ") {
                let fields = url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
                set.push((line.strip_suffix(" HTTP/1.1").unwrap().to_owned(), fields));
            }
        }
    };
    let found = tokio::select! {
        found = check(&http, &account, HOOK, configure) => found,
        () = answers => unreachable!("it answers for as long as it is asked"),
    };
    let last = found.into_iter().next_back().unwrap();
    assert_eq!(last.step, "hooks", "{last:?}");
    (last, set)
}

/// Answers one request. Gives back its first line and its body.
async fn answered(listener: &TcpListener, number: &Value, service: Option<&Value>) -> (String, String) {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut request = Vec::new();
    let (head, body) = loop {
        assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0, "the request ended early");
        let text = std::str::from_utf8(&request).unwrap();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |length| length.parse().unwrap());
        if body.len() == length {
            break (head.to_owned(), body.to_owned());
        }
    };
    let line = head.lines().next().unwrap().to_owned();
    let answer = if line.contains("/IncomingPhoneNumbers.json?") {
        json!({ "incoming_phone_numbers": [number] })
    } else if line.starts_with("GET /v1/Services/") {
        service.unwrap().clone()
    } else {
        json!({ "status": "active" })
    };
    let answer = answer.to_string();
    let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", answer.len());
    stream.write_all(&[head.as_bytes(), answer.as_bytes()].concat()).await.unwrap();
    (line, body)
}

fn set(place: &str, parameters: &[&str]) -> Vec<(String, Vec<(String, String)>)> {
    vec![(place.to_owned(), parameters.iter().map(|parameter| ((*parameter).to_owned(), HOOK.to_owned())).collect())]
}

#[tokio::test]
async fn what_is_as_it_should_be_is_not_touched() {
    let ours = number(json!({ "voice_url": HOOK, "status_callback": HOOK }));
    for change in [ring_one, |_: &mut TwilioSettings| {}] {
        let (found, set) = checked(change, ours.clone(), None, true).await;
        assert_eq!((found.ok, found.text, set), (true, format!("Twilio calls {HOOK}."), Vec::new()));
    }
}

#[tokio::test]
async fn nothing_is_set_without_leave() {
    let (found, set) = checked(ring_one, number(json!({ "sms_url": ELSEWHERE })), None, false).await;
    let text = format!(
        "SmsUrl is {ELSEWHERE}, VoiceUrl is not set, StatusCallback is not set. Set it to {HOOK} in Twilio's console, or let --configure do it."
    );
    assert_eq!((found.ok, found.text, set), (false, text, Vec::new()));
}

#[tokio::test]
async fn with_leave_only_what_differs_is_set() {
    let (found, done) = checked(|_| {}, number(json!({ "sms_url": ELSEWHERE, "voice_url": ELSEWHERE })), None, true).await;
    assert!(found.ok, "{found:?}");
    assert_eq!(done, set(NUMBER, &["SmsUrl"]));
    let (found, done) = checked(ring_one, number(json!({ "voice_url": ELSEWHERE, "status_callback": HOOK })), None, true).await;
    assert_eq!((found.ok, found.text), (true, format!("Twilio calls {HOOK} from now on.")));
    assert_eq!(done, set(NUMBER, &["VoiceUrl"]));
}

#[tokio::test]
async fn a_messaging_service_has_the_urls_of_messages_unless_it_leaves_them_to_its_numbers() {
    let astray = number(json!({ "sms_url": ELSEWHERE, "sms_fallback_url": null, "voice_url": HOOK, "status_callback": HOOK }));
    let of_service =
        |on_number: bool| json!({ "inbound_request_url": null, "fallback_url": ELSEWHERE, "use_inbound_webhook_on_number": on_number });
    let (found, done) = checked(|_| {}, astray.clone(), Some(of_service(false)), false).await;
    assert!(!found.ok && found.text.starts_with(&format!("InboundRequestUrl is not set, FallbackUrl is {ELSEWHERE}. ")), "{found:?}");
    assert_eq!(done, Vec::new());
    let (found, done) = checked(|_| {}, astray.clone(), Some(of_service(false)), true).await;
    assert!(found.ok, "{found:?}");
    assert_eq!(done, set(SERVICE, &["InboundRequestUrl", "FallbackUrl"]));
    let (found, done) = checked(|_| {}, astray, Some(of_service(true)), true).await;
    assert!(found.ok, "{found:?}");
    assert_eq!(done, set(NUMBER, &["SmsUrl", "SmsFallbackUrl"]));
}

#[tokio::test]
async fn both_a_service_and_its_number_are_set() {
    let service = json!({ "inbound_request_url": "", "fallback_url": HOOK, "use_inbound_webhook_on_number": false });
    let (found, done) = checked(ring_one, number(json!({})), Some(service), true).await;
    assert!(found.ok, "{found:?}");
    assert_eq!(done, [set(SERVICE, &["InboundRequestUrl"]), set(NUMBER, &["VoiceUrl", "StatusCallback"])].concat());
}

#[tokio::test]
async fn calls_that_go_nowhere_are_told_of_and_taken_with_leave() {
    let (found, done) = checked(|_| {}, number(json!({})), None, false).await;
    assert!(found.ok && found.text.contains("VoiceUrl is not set") && found.text.contains("--configure"), "{found:?}");
    assert_eq!(done, Vec::new());
    let (found, done) = checked(|_| {}, number(json!({})), None, true).await;
    assert_eq!((found.ok, found.text), (true, format!("Twilio calls {HOOK} from now on.")));
    assert_eq!(done, set(NUMBER, &["VoiceUrl", "StatusCallback"]));
}

#[tokio::test]
async fn calls_that_go_elsewhere_stay_there_while_nobody_is_rung() {
    for (field, value) in [("voice_url", ELSEWHERE), ("voice_application_sid", "AP1"), ("trunk_sid", "TK1")] {
        for configure in [false, true] {
            let (found, done) = checked(|_| {}, number(json!({ field: value })), None, configure).await;
            assert!(found.ok && found.text.contains(value) && found.text.contains("--ring"), "{found:?}");
            assert_eq!(done, Vec::new(), "{field}");
        }
    }
}

#[tokio::test]
async fn calls_that_a_trunk_or_an_application_takes_never_come_here() {
    for (field, value) in [("voice_application_sid", "AP1"), ("trunk_sid", "TK1")] {
        let number = number(json!({ "voice_url": HOOK, "status_callback": HOOK, field: value }));
        let (found, done) = checked(ring_one, number, None, true).await;
        assert!(!found.ok && found.text.contains(value), "{found:?}");
        assert_eq!(done, Vec::new(), "{field}");
    }
}
