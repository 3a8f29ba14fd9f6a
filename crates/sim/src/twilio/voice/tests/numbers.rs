//! The account and its numbers in the REST API.

use super::*;
use crate::twilio::Inbound;

fn path(rest: &str) -> String {
    format!("2010-04-01/Accounts/{ACCOUNT}{rest}")
}

#[tokio::test]
async fn nothing_is_shown_without_the_accounts_credentials() {
    let bench = bench().await;
    for rest in [
        ".json",
        "/Calls.json",
        "/Calls/CA0.json",
        "/Calls/CA0/Recordings.json",
        "/Recordings.json",
        "/Recordings/RE0.json",
        "/Recordings/RE0.mp3",
        "/IncomingPhoneNumbers.json",
        "/IncomingPhoneNumbers/PN0.json",
        "/Messages/SM0/Media.json",
        "/Messages/SM0/Media/ME0",
    ] {
        let request = || bench.request(Method::GET, &path(rest));
        assert_eq!(bench.execute(request()).await.unwrap().status, 401, "{rest}");
        assert_eq!(bench.execute(request().basic_auth(ACCOUNT, "wrong")).await.unwrap().status, 401, "{rest}");
    }
}

#[tokio::test]
async fn an_account_shows_itself() {
    let bench = bench().await;
    let (status, account) = bench.get(&path(".json")).await;
    assert_eq!((status, &account["sid"], &account["status"], &account["type"]), (200, &ACCOUNT.into(), &"active".into(), &"Full".into()));
}

#[tokio::test]
async fn a_number_says_where_its_hooks_go() {
    let bench = bench().await;
    let (status, list) = bench.get(&path("/IncomingPhoneNumbers.json?PhoneNumber=%2B15551234567")).await;
    assert_eq!(status, 200);
    check(&list, "ListIncomingPhoneNumberResponse");
    let [number] = &list["incoming_phone_numbers"].as_array().unwrap()[..] else { panic!("{list}") };
    assert_eq!((&number["phone_number"], &number["capabilities"]["voice"]), (&NUMBER.into(), &true.into()));
    assert_eq!(number["sms_url"], bench.business.as_str());
    assert_eq!(number["voice_url"], bench.business.join("/voice").unwrap().as_str());
    assert_eq!(bench.get(&path("/IncomingPhoneNumbers.json")).await.1["incoming_phone_numbers"].as_array().unwrap().len(), 2);
    assert_eq!(bench.get(&path("/IncomingPhoneNumbers.json?PhoneNumber=%2B1")).await.1["incoming_phone_numbers"], Value::Array(Vec::new()));
    let (_, same) = bench.get(number["uri"].as_str().unwrap()).await;
    assert_eq!(&same, number);
}

#[tokio::test]
async fn hooks_of_one_number_are_moved() {
    let mut bench = bench().await;
    let (_, list) = bench.get(&path("/IncomingPhoneNumbers.json?PhoneNumber=%2B15551234567")).await;
    let uri = list["incoming_phone_numbers"][0]["uri"].as_str().unwrap();
    let url = |path: &str| bench.business.join(path).unwrap().to_string();
    let (sms, fallback, voice) = (url("/new-sms"), url("/new-fallback"), url("/new-voice"));
    let form = [("SmsUrl", sms.as_str()), ("SmsFallbackUrl", &fallback), ("VoiceUrl", &voice), ("StatusCallback", "")];
    let (status, number) = bench.call(Method::POST, uri, &form).await;
    assert_eq!((status, &number["sms_url"], &number["sms_fallback_url"]), (200, &sms.into(), &fallback.into()));
    assert_eq!((&number["voice_url"], &number["status_callback"]), (&voice.into(), &"".into()));
    check(&number, "api.v2010.account.incoming_phone_number");

    bench.twiml("/new-voice", "<Hangup/>");
    bench.ring(customer()).await;
    bench.sim.inbound(Inbound::text(CUSTOMER, NUMBER, "Hi")).await;
    bench.sim.inbound(Inbound::text(CUSTOMER, "+15551234568", "Hi")).await;
    assert_eq!(paths(&bench.settled_hooks().await), ["/new-voice", "/new-sms", "/hook"]);
    let (status, body) = bench.call(Method::POST, uri, &[("VoiceUrl", "nowhere")]).await;
    assert_eq!((status, &body["code"]), (400, &21502.into()));
    assert_eq!(bench.call(Method::POST, &path("/IncomingPhoneNumbers/PN0.json"), &[]).await.0, 404);
}
