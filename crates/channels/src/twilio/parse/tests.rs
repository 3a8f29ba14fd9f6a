//! Every payload of `testdata/`, and the cases that decide whose a hook is.

use parlance_model::delivery::DeliveryState;
use serde_json::json;

use super::super::testing::{By, URL, account, account_with, testdata, with_hook};
use super::*;

const OTHER_NUMBER: &str = "+15550000000";
const SERVICE: &str = "MG00000000000000000000000000000001";

fn parsed_by(account: &Account, url: &str, body: &[u8]) -> Parsed {
    with_hook(By::Form, &[url], "", body, |hook| parse(account, hook, Form::of(hook).as_ref()))
}

fn parsed(body: &str) -> Parsed {
    parsed_by(&account(), URL, body.as_bytes())
}

fn message_of(parsed: Parsed) -> InboundMessage {
    match parsed {
        Parsed::Apply(mut applied) if applied.len() == 1 => match applied.remove(0) {
            Inbound::Message(message) => message,
            Inbound::Receipt(receipt) => panic!("a message, not {receipt:?}"),
        },
        other => panic!("one message, not {other:?}"),
    }
}

fn receipt_of(parsed: Parsed) -> Receipt {
    match parsed {
        Parsed::Apply(mut applied) if applied.len() == 1 => match applied.remove(0) {
            Inbound::Receipt(receipt) => receipt,
            Inbound::Message(message) => panic!("a receipt, not {message:?}"),
        },
        other => panic!("one receipt, not {other:?}"),
    }
}

fn message(file: &str) -> InboundMessage {
    message_of(parsed_by(&account(), URL, &testdata(file)))
}

fn receipt(file: &str) -> Receipt {
    receipt_of(parsed_by(&account(), URL, &testdata(file)))
}

fn quarantined(parsed: &Parsed, reason: &str) -> bool {
    matches!(parsed, Parsed::Quarantine(given) if *given == reason)
}

/// A parameter list with one parameter replaced, added, or (with an empty text) taken away.
fn with(body: &str, name: &str, value: &str) -> String {
    let rest = body.split('&').filter(|pair| pair.split('=').next() != Some(name));
    let given = (!value.is_empty()).then(|| format!("{name}={value}"));
    rest.map(str::to_owned).chain(given).collect::<Vec<_>>().join("&")
}

fn sms() -> String {
    String::from_utf8(testdata("inbound_sms.form")).unwrap()
}

fn whatsapp() -> String {
    String::from_utf8(testdata("inbound_whatsapp_text.form")).unwrap()
}

fn delivered() -> String {
    String::from_utf8(testdata("status_delivered.form")).unwrap()
}

#[test]
fn a_text_message_is_read_whole() {
    let message = message("inbound_sms.form");
    assert_eq!(message.provider_id, "SM00000000000000000000000000000001");
    assert_eq!(message.channel, Channel::Sms);
    assert_eq!(message.from.key(), "+15559876543");
    assert_eq!(message.profile_name, None);
    assert_eq!(message.body, "Hi, I saw your ad and I'm interested 👍");
    assert_eq!(message.attachments, []);
    assert_eq!(message.at_ms, None);
    assert_eq!(message.opt, None);
    let meta = json!({
        "to": "+15551234567", "messaging_service_sid": SERVICE, "num_segments": 1,
        "from_city": "SAN FRANCISCO", "from_state": "CA", "from_zip": "94103", "from_country": "US",
        "to_city": "SAN FRANCISCO", "to_state": "CA", "to_zip": "94105", "to_country": "US",
    });
    assert_eq!(Value::Object(message.provider_meta.0), meta);
}

#[test]
fn pictures_come_with_their_addresses_and_types() {
    let message = message("inbound_mms_2_media.form");
    let base =
        "https://api.twilio.com/2010-04-01/Accounts/AC00000000000000000000000000000001/Messages/MM00000000000000000000000000000003/Media";
    let attachment = |media: &str, content_type: &str| Attachment::remote(format!("{base}/{media}"), content_type.into());
    assert_eq!(message.body, "Two pictures");
    assert_eq!(
        message.attachments,
        [attachment("ME00000000000000000000000000000000", "image/jpeg"), attachment("ME00000000000000000000000000000001", "audio/amr"),]
    );
}

#[test]
fn the_number_of_files_is_bounded_and_never_trusted() {
    let many: String = (0..100).map(|n| format!("&MediaUrl{n}=https%3A%2F%2Fexample.com%2F{n}")).collect();
    for count in ["2", "100", "99999999999999999999", "-1", "", "two"] {
        let message = message_of(parsed(&(with(&sms(), "NumMedia", count) + &many)));
        assert_eq!(message.attachments.len(), MAX_MEDIA, "{count}");
    }
    let gap = message_of(parsed(&(with(&sms(), "NumMedia", "2") + "&MediaUrl1=https%3A%2F%2Fexample.com%2F1")));
    assert_eq!(gap.attachments, [Attachment::remote("https://example.com/1".into(), "application/octet-stream".into())]);
}

#[test]
fn an_empty_body_and_a_short_code_are_fine() {
    assert_eq!(message("inbound_sms_empty_body.form").body, "");
    assert_eq!(message("inbound_shortcode_sender.form").from, Address::ShortCode("262966".into()));
}

#[test]
fn senders_need_not_be_numbers() {
    for (from, address) in [
        ("DHL", Address::Name("DHL".into())),
        ("%2B266696687", Address::Anonymous),
        ("", Address::Anonymous),
        ("Deutsche%20Post", Address::Name("Deutsche Post".into())),
    ] {
        assert_eq!(message_of(parsed(&with(&sms(), "From", from))).from, address, "{from}");
    }
}

#[test]
fn twilios_judgement_of_an_opt_out_goes_before_the_body() {
    assert_eq!(message("inbound_optout_stop.form").opt, Some(OptSignal::Stop));
    assert_eq!(message("inbound_optout_start.form").opt, Some(OptSignal::Start));
    assert_eq!(message("inbound_optout_help.form").opt, Some(OptSignal::Help));
    let opt = |body: &str, kind: &str| message_of(parsed(&with(&with(&sms(), "Body", body), "OptOutType", kind))).opt;
    assert_eq!(opt("arr%C3%AAt", "STOP"), Some(OptSignal::Stop));
    assert_eq!(opt("STOP", "HELP"), Some(OptSignal::Help));
    assert_eq!(opt("stop", ""), Some(OptSignal::Stop));
    assert_eq!(opt("stop", "NEW"), Some(OptSignal::Stop));
    assert_eq!(opt("can+you+stop+by%3F", ""), None);
}

#[test]
fn a_message_is_ours_by_its_number_or_by_its_service() {
    let elsewhere = with(&sms(), "To", "%2B15550000000");
    assert_eq!(Value::from(message_of(parsed(&elsewhere)).provider_meta.0.clone()).get("to"), Some(&json!(OTHER_NUMBER)));
    assert!(matches!(parsed(&with(&elsewhere, "MessagingServiceSid", "")), Parsed::NotOurs));
    assert!(matches!(parsed(&with(&elsewhere, "MessagingServiceSid", "MG2")), Parsed::NotOurs));
    message_of(parsed(&with(&sms(), "MessagingServiceSid", "MG2")));
    message_of(parsed(&with(&sms(), "To", "(555)+123-4567")));
    let without_service = account_with(|settings| settings.messaging_service_sid = None);
    message_of(parsed_by(&without_service, URL, sms().as_bytes()));
    assert!(matches!(parsed_by(&without_service, URL, elsewhere.as_bytes()), Parsed::NotOurs));
    assert!(matches!(parsed(&with(&sms(), "AccountSid", "AC2")), Parsed::NotOurs));
    assert!(quarantined(&parsed(&with(&with(&sms(), "To", ""), "MessagingServiceSid", "")), NO_RECIPIENT));
}

#[test]
fn the_id_may_come_under_any_of_its_names() {
    let id = |body: &str| message_of(parsed(body)).provider_id;
    let newest = with(&sms(), "MessageSid", "SM9");
    assert_eq!(id(&newest), "SM9");
    assert_eq!(id(&with(&newest, "MessageSid", "")), "SM00000000000000000000000000000001");
    let bare = ["MessageSid", "SmsSid", "SmsMessageSid"].iter().fold(sms(), |body, name| with(&body, name, ""));
    assert_eq!(id(&with(&bare, "SmsMessageSid", "SM7")), "SM7");
    assert!(quarantined(&parsed(&bare), NO_SID));
    for malformed in ["SM%201", "SM%2F..", &"S".repeat(65)] {
        assert!(quarantined(&parsed(&with(&bare, "MessageSid", malformed)), NO_SID), "{malformed}");
    }
}

#[test]
fn every_status_has_its_word() {
    use DeliveryState::*;
    for (file, state) in [
        ("status_accepted.form", Queued),
        ("status_queued.form", Queued),
        ("status_sending.form", Sending),
        ("status_sent.form", Sent),
        ("status_delivered.form", Delivered),
        ("status_canceled.form", Canceled),
        ("status_failed_21610.form", Failed),
        ("status_undelivered_30003.form", Undelivered),
        ("status_undelivered_30005.form", Undelivered),
        ("status_undelivered_30007.form", Undelivered),
        ("status_undelivered_30008.form", Undelivered),
        ("status_undelivered_30034.form", Undelivered),
    ] {
        let receipt = receipt(file);
        assert_eq!(receipt.state, state, "{file}");
        assert_eq!(receipt.provider_id, "SM00000000000000000000000000000040", "{file}");
        assert_eq!(receipt.to.map(|to| to.key()).as_deref(), Some("+15559876543"), "{file}");
        assert_eq!(receipt.attempt, None, "{file}");
        let code = file.strip_suffix(".form").and_then(|name| name.rsplit('_').next()).filter(|code| code.parse::<u32>().is_ok());
        assert_eq!(receipt.error.map(|error| error.code).as_deref(), code, "{file}");
        assert_eq!(receipt.opted_out, code == Some("21610"), "{file}");
    }
    for (word, state) in [("scheduled", Queued), ("partially_delivered", Delivered), ("read", Read)] {
        assert_eq!(receipt_of(parsed(&with(&delivered(), "MessageStatus", word))).state, state);
    }
}

#[test]
fn a_report_of_the_older_kind_counts_and_the_newer_word_wins() {
    let older = with(&with(&delivered(), "MessageStatus", ""), "SmsStatus", "sent");
    assert_eq!(receipt_of(parsed(&older)).state, DeliveryState::Sent);
    assert_eq!(receipt_of(parsed(&with(&delivered(), "SmsStatus", "sent"))).state, DeliveryState::Delivered);
}

#[test]
fn the_attempt_is_read_from_the_url_that_was_called() {
    let attempt = |query: &str| receipt_of(parsed_by(&account(), &format!("{URL}/a/tok3n{query}"), delivered().as_bytes())).attempt;
    assert_eq!(attempt("?attempt=123"), Some(AttemptId(123)));
    assert_eq!(attempt("?x=1&attempt=9223372036854775807#rc=2"), Some(AttemptId(i64::MAX)));
    for query in ["", "?attempt=", "?attempt=0", "?attempt=-1", "?attempt=1x", "?attempt=9223372036854775808", "#attempt=1"] {
        assert_eq!(attempt(query), None, "{query}");
    }
    let made = super::super::status_callback("https://chat.example.com", "tok3n", AttemptId(77));
    assert_eq!(receipt_of(parsed_by(&account(), &made, delivered().as_bytes())).attempt, Some(AttemptId(77)));
}

#[test]
fn a_report_is_ours_by_sender_service_or_attempt_or_when_it_names_none() {
    let elsewhere = with(&delivered(), "From", "%2B15550000000");
    let nobodys = with(&elsewhere, "MessagingServiceSid", "");
    receipt_of(parsed(&elsewhere));
    receipt_of(parsed(&with(&delivered(), "MessagingServiceSid", "MG2")));
    receipt_of(parsed(&with(&nobodys, "From", "")));
    assert!(matches!(parsed(&nobodys), Parsed::NotOurs));
    assert!(matches!(parsed(&with(&elsewhere, "MessagingServiceSid", "MG2")), Parsed::NotOurs));
    receipt_of(parsed_by(&account(), &format!("{URL}?attempt=5"), nobodys.as_bytes()));
}

#[test]
fn no_error_is_no_error() {
    for code in ["", "0", "+0"] {
        let receipt = receipt_of(parsed(&with(&delivered(), "ErrorCode", code)));
        assert_eq!((receipt.error, receipt.opted_out), (None, false), "{code}");
    }
}

#[test]
fn a_whatsapp_message_is_read_whole() {
    let message = message("inbound_whatsapp_text.form");
    assert_eq!((message.channel, message.from.key().as_str(), message.body.as_str()), (Channel::Whatsapp, "+15559876543", "Hallo!"));
    assert_eq!((message.profile_name.as_deref(), message.segments), (Some("Jane Smith"), None));
    let meta = message.provider_meta.0;
    assert_eq!(
        (&meta["to"], &meta["wa_id"], &meta["message_type"]),
        (&json!("whatsapp:+15551234567"), &json!("15559876543"), &json!("text"))
    );
}

#[test]
fn a_place_is_told_in_words_and_in_numbers() {
    let message = message("inbound_whatsapp_location.form");
    assert_eq!(message.body, "Office, Alexanderplatz (52.5200, 13.4050)");
    let place = json!({ "latitude": 52.52, "longitude": 13.405, "address": "Alexanderplatz", "label": "Office" });
    assert_eq!(message.provider_meta.0["location"], place);
    let located = |label: &str, address: &str, body: &str| {
        let form = with(&with(&with(&whatsapp(), "Label", label), "Address", address), "Body", body);
        message_of(parsed(&(form + "&Latitude=52.5&Longitude=-1")))
    };
    assert_eq!(located("", "Home", "").body, "Home (52.5, -1)");
    assert_eq!(located("", "", "").body, "(52.5, -1)");
    assert_eq!(located("a", "b", "Here+I+am").body, "Here I am");
    let nowhere = message_of(parsed(&(whatsapp() + "&Latitude=NaN&Longitude=x")));
    assert_eq!(nowhere.provider_meta.0.get("location"), None);
}

#[test]
fn an_empty_body_is_what_was_tapped_or_chosen() {
    let tapped = with(&whatsapp(), "Body", "")
        + "&ButtonText=Yes&ButtonPayload=yes-1&OriginalRepliedMessageSid=MM1&Forwarded=true&ReferralHeadline=Ad";
    let message = message_of(parsed(&tapped));
    assert_eq!((message.body.as_str(), &message.provider_meta.0["button_payload"]), ("Yes", &json!("yes-1")));
    let meta = &message.provider_meta.0;
    assert_eq!(
        (&meta["original_replied_message_sid"], &meta["forwarded"], &meta["referral_headline"]),
        (&json!("MM1"), &json!("true"), &json!("Ad"))
    );
    let chosen = message_of(parsed(&(with(&whatsapp(), "Body", "") + "&ListTitle=Tuesday&ListId=2")));
    assert_eq!((chosen.body.as_str(), &chosen.provider_meta.0["list_id"]), ("Tuesday", &json!("2")));
}

#[test]
fn whatsapp_is_ours_by_either_number_and_by_the_service() {
    let other = with(&with(&whatsapp(), "To", "whatsapp%3A%2B15550001111"), "MessagingServiceSid", "");
    let own = account_with(|settings| settings.whatsapp_number = Some(Phone::parse("+15550001111", "US".parse().unwrap()).unwrap()));
    assert!(matches!(parsed(&other), Parsed::NotOurs));
    let read = |body: &str| message_of(parsed_by(&own, URL, body.as_bytes())).channel;
    assert_eq!((read(&other), read(&whatsapp()), read(&sms())), (Channel::Whatsapp, Channel::Whatsapp, Channel::Sms));
    let by_service = with(&other, "MessagingServiceSid", SERVICE);
    assert_eq!(message_of(parsed(&by_service)).channel, Channel::Whatsapp);
    // A text message to the number that only WhatsApp goes over is not the account's.
    let text = with(&with(&sms(), "To", "%2B15550001111"), "MessagingServiceSid", "");
    assert!(matches!(parsed_by(&own, URL, text.as_bytes()), Parsed::NotOurs));
}

#[test]
fn somebody_on_whatsapp_may_have_no_number() {
    let message = message_of(parsed(&with(&whatsapp(), "From", "whatsapp%3AUS.13491208655302741918")));
    assert_eq!((message.channel, message.from), (Channel::Whatsapp, Address::Name("US.13491208655302741918".into())));
}

#[test]
fn a_whatsapp_report_is_read_like_any_other() {
    let receipt = receipt("status_read_whatsapp.form");
    assert_eq!((receipt.state, receipt.to.map(|to| to.key()).as_deref()), (DeliveryState::Read, Some("+15559876543")));
    let failed = |code: &str| {
        let report = with(&String::from_utf8(testdata("status_read_whatsapp.form")).unwrap(), "MessageStatus", "failed");
        receipt_of(parsed(&with(&report, "ErrorCode", code)))
    };
    assert!(failed("21610").opted_out && !failed("63016").opted_out && !failed("63032").opted_out);
}

#[test]
fn other_channels_are_kept_for_a_later_version() {
    for mark in ["messenger%3A", "rcs%3A", "whatsapp%3Arcs%3A", "new%3A"] {
        let body = with(&sms(), "From", &format!("{mark}15559876543"));
        assert!(quarantined(&parsed(&body), OTHER_CHANNEL), "{mark}");
        let report = with(&delivered(), "To", &format!("{mark}15559876543"));
        assert!(quarantined(&parsed(&report), OTHER_CHANNEL), "{mark}");
    }
}

#[test]
fn what_is_for_another_number_is_not_ours_on_any_channel() {
    let other = account_with(|settings| {
        settings.phone_number = Phone::parse(OTHER_NUMBER, "US".parse().unwrap()).unwrap();
        settings.messaging_service_sid = None;
    });
    for file in
        ["inbound_sms.form", "inbound_whatsapp_text.form", "status_read_whatsapp.form", "voice_inbound.form", "voice_status_busy.form"]
    {
        assert!(matches!(parsed_by(&other, URL, &testdata(file)), Parsed::NotOurs), "{file}");
    }
}

#[test]
fn what_cannot_be_read_is_kept_with_its_reason() {
    assert!(quarantined(&parsed(""), NO_SID));
    assert!(quarantined(&parsed("MessageSid=SM1&To=%2B15551234567"), NO_CONTENT));
    assert!(quarantined(&parsed(&with(&delivered(), "MessageStatus", "teleported")), UNKNOWN_STATUS));
    assert!(quarantined(&parsed(&format!("{}{}", sms(), "&x".repeat(2000))), UNREADABLE));
    let json = with_hook(By::Json, &[URL], "", b"{}", |hook| parse(&account(), hook, Form::of(hook).as_ref()));
    assert!(quarantined(&json, UNREADABLE));
}

#[test]
fn with_get_the_parameters_are_in_the_url() {
    let url = format!("{URL}?{}", sms());
    let parsed = with_hook(By::Get, &[&url], "", b"", |hook| parse(&account(), hook, Form::of(hook).as_ref()));
    assert_eq!(message_of(parsed).from.key(), "+15559876543");
}

#[test]
fn text_that_is_no_text_arrives_as_far_as_it_goes() {
    assert_eq!(message_of(parsed(&with(&sms(), "Body", "a%00b%FFc%E2%80%AE"))).body, "ab\u{fffd}c\u{202e}");
    assert_eq!(message_of(parsed(&with(&sms(), "Body", &"x".repeat(1 << 20)))).body.len(), 1 << 20);
}

#[test]
fn a_message_is_one_whatever_its_status_word_says() {
    for word in ["received", "receiving", "a-word-of-next-year", "delivered"] {
        assert_eq!(message_of(parsed(&with(&sms(), "SmsStatus", word))).provider_id, message("inbound_sms.form").provider_id, "{word}");
    }
}
