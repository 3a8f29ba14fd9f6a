//! Hooks as Twilio's pages describe them beyond the files of `testdata/`: each is applied, or kept with a reason.

use parlance_model::call::CallStatus;
use parlance_model::call::news::{CallNews, News};
use parlance_model::delivery::DeliveryState;
use serde_json::json;

use super::super::testing::{By, URL, account, account_with, with_hook};
use super::*;

const OWN: &str = "AccountSid=AC00000000000000000000000000000001";
const ENDS: &str = "&From=%2B15559876543&To=%2B15551234567";
const OVER_WHATSAPP: &str = "&From=whatsapp%3A%2B15559876543&To=whatsapp%3A%2B15551234567";

/// A hook of the account at this place of its URL.
fn told(query: &str, more: &str) -> Parsed {
    let body = format!("{OWN}{more}");
    with_hook(By::Form, &[&format!("{URL}/a/tok3n{query}")], "", body.as_bytes(), |hook| parse(&account(), hook, Form::of(hook).as_ref()))
}

fn message(more: &str) -> InboundMessage {
    match told("", &format!("&MessageSid=SM1{more}")) {
        Parsed::Apply(applied) => match applied.into_iter().next() {
            Some(Inbound::Message(message)) => message,
            other => panic!("a message, not {other:?}"),
        },
        other => panic!("a message, not {other:?}"),
    }
}

fn report(query: &str, more: &str) -> Receipt {
    match told(query, &format!("&MessageSid=SM1{more}")) {
        Parsed::Apply(applied) => match applied.into_iter().next() {
            Some(Inbound::Receipt(receipt)) => receipt,
            other => panic!("a report, not {other:?}"),
        },
        other => panic!("a report, not {other:?}"),
    }
}

fn call(query: &str, more: &str) -> CallNews {
    match told(query, &format!("&CallSid=CA1{more}")) {
        Parsed::Call(news) => news,
        other => panic!("news of a call, not {other:?}"),
    }
}

fn kept(query: &str, more: &str) -> &'static str {
    match told(query, more) {
        Parsed::Quarantine(reason) => reason,
        other => panic!("kept with a reason, not {other:?}"),
    }
}

#[test]
fn files_count_by_their_addresses() {
    let ten: String =
        (0..10).map(|n| format!("&MediaUrl{n}=https%3A%2F%2Fapi.twilio.com%2F{n}&MediaContentType{n}=image%2Fjpeg")).collect();
    for count in ["&NumMedia=10", "&NumMedia=0", ""] {
        assert_eq!(message(&format!("{ENDS}&SmsStatus=received{count}{ten}")).attachments.len(), 10, "{count}");
    }
    let bare = message(&format!("{ENDS}{ten}"));
    assert_eq!((bare.attachments.len(), bare.body.as_str()), (10, ""));
    let card =
        message(&format!("{OVER_WHATSAPP}&NumMedia=1&MediaUrl0=https%3A%2F%2Fa%2F&MediaContentType0=text%2Fvcard&MessageType=contacts"));
    assert!(matches!(&card.attachments[..], [Attachment::Remote { content_type, .. }] if content_type == "text/vcard"));
}

#[test]
fn what_surrounds_a_message_does_not_change_it() {
    for more in [
        "&AddOns=%7B%22status%22%3A%22successful%22%2C%22results%22%3A%7B%7D%7D",
        "&FlowSid=FW1&FlowStepName=send&ExecutionSid=FN1",
        "&ErrorCode=11200&ErrorUrl=https%3A%2F%2Fchat.example.com%2F",
        "&MessageStatus=received&SmsStatus=received&EventType=",
        "&RawDlrDoneDate=2603051200&ChannelPrefix=&ParentMessageSid=",
    ] {
        let message = message(&format!("{ENDS}&Body=Hi&NumMedia=0{more}"));
        assert_eq!((message.body.as_str(), message.channel), ("Hi", Channel::Sms), "{more}");
    }
    let url = format!("{URL}?{OWN}&MessageSid=SM1{ENDS}&Body=Hi&FlowSid=FW1");
    let by_studio = with_hook(By::Get, &[&url], "", b"", |hook| parse(&account(), hook, Form::of(hook).as_ref()));
    assert!(matches!(by_studio, Parsed::Apply(_)));
}

#[test]
fn an_opt_out_counts_in_any_language() {
    for (word, kind, opt) in
        [("ARRET", "STOP", OptSignal::Stop), ("%E5%81%9C%E6%AD%A2", "STOP", OptSignal::Stop), ("ALTA", "START", OptSignal::Start)]
    {
        assert_eq!(message(&format!("{ENDS}&Body={word}&OptOutType={kind}")).opt, Some(opt), "{word}");
    }
}

#[test]
fn answers_of_whatsapp_keep_what_was_chosen() {
    let list = message(&format!("{OVER_WHATSAPP}&Body=&MessageType=interactive&ListTitle=Tuesday&ListId=2&ListDescription=at+nine"));
    assert_eq!((list.body.as_str(), &list.provider_meta.0["list_description"]), ("Tuesday", &json!("at nine")));
    let flow = message(&format!("{OVER_WHATSAPP}&Body=&MessageType=interactive&InteractiveData=%7B%22size%22%3A%22L%22%7D"));
    assert_eq!(flow.provider_meta.0["interactive_data"], json!("{\"size\":\"L\"}"));
    let reaction = message(&format!(
        "{OVER_WHATSAPP}&Body=%F0%9F%91%8D&MessageType=reaction&OriginalRepliedMessageSid=SM7&OriginalRepliedMessageSender=whatsapp%3A%2B15551234567"
    ));
    assert_eq!((reaction.body.as_str(), &reaction.provider_meta.0["original_replied_message_sid"]), ("👍", &json!("SM7")));
    let button = message(&format!("{OVER_WHATSAPP}&Body=Yes&ButtonText=Yes&ButtonPayload=yes-1&ButtonType=QUICK_REPLY&MessageType=button"));
    assert_eq!((button.body.as_str(), &button.provider_meta.0["button_type"]), ("Yes", &json!("QUICK_REPLY")));
}

#[test]
fn reports_are_read_with_all_that_may_surround_them() {
    for (word, state) in [
        ("scheduled", DeliveryState::Queued),
        ("partially_delivered", DeliveryState::Delivered),
        ("canceled", DeliveryState::Canceled),
        ("read&EventType=READ", DeliveryState::Read),
        ("delivered&EventType=DELIVERED&ChannelPrefix=whatsapp&ChannelInstallSid=XE1&ChannelToAddress=%2B1555", DeliveryState::Delivered),
    ] {
        let over_whatsapp = "&From=whatsapp%3A%2B15551234567&To=whatsapp%3A%2B15559876543";
        assert_eq!(report("", &format!("{over_whatsapp}&MessageStatus={word}")).state, state, "{word}");
    }
    let failed = report("?attempt=5", "&From=%2B15551234567&To=%2B15559876543&MessageStatus=failed&ErrorCode=30003");
    assert!(failed.error.is_some_and(|error| error.code == "30003" && !error.message.is_empty()));
}

/// A Messaging Service may hand a message over as RCS by itself: the report names another sender than ours, and our attempt.
#[test]
fn a_report_of_our_attempt_counts_on_whatever_channel_it_went_out() {
    let more = "&From=rcs%3Abrand_agent&To=rcs%3A%2B15559876543&MessageStatus=delivered&ChannelPrefix=rcs";
    let receipt = report("?attempt=5", more);
    assert_eq!((receipt.state, receipt.attempt), (DeliveryState::Delivered, Some(AttemptId(5))));
    assert_eq!(receipt.to.map(|to| to.key()).as_deref(), Some("+15559876543"));
    assert_eq!(kept("", &format!("&MessageSid=SM1{more}")), OTHER_CHANNEL);
}

#[test]
fn what_comes_over_another_channel_is_kept_whoever_it_names() {
    for to in ["rcs%3Abrand_agent", "messenger%3A1234", "rcs%3A%2B15551234567"] {
        let more = format!("&MessageSid=SM1&From=rcs%3A%2B15559876543&To={to}&Body=Hi");
        assert_eq!(kept("", &more), OTHER_CHANNEL, "{to}");
    }
}

#[test]
fn events_of_other_products_are_kept_and_no_messages() {
    let service = "&MessagingServiceSid=MG00000000000000000000000000000001";
    let conversations = "&EventType=onMessageAdded&ConversationSid=CH1&MessageSid=IM1&Body=Hi&Author=%2B15559876543&Source=SMS";
    assert_eq!(kept("", &format!("{conversations}{service}")), OTHER_PRODUCT);
    assert_eq!(kept("", conversations), OTHER_PRODUCT);
    assert_eq!(kept("", "&Sid=NO1&Level=ERROR&PayloadType=application%2Fjson&Payload=%7B%7D"), NO_SID);
    let json = with_hook(By::Json, &[&format!("{URL}?bodySHA256=00")], "", br#"{"MessageSid":"SM1"}"#, |hook| {
        parse(&account(), hook, Form::of(hook).as_ref())
    });
    assert!(matches!(json, Parsed::Quarantine(UNREADABLE)));
}

#[test]
fn calls_come_in_from_whoever_calls() {
    for (from, key) in [
        ("sip%3Aalice%40example.com", "sip:alice@example.com"),
        ("client%3Aalice", "client:alice"),
        ("", "anonymous"),
        ("%2B15559876543", "+15559876543"),
    ] {
        for status in ["queued", "ringing", "in-progress"] {
            let more = "&To=%2B15551234567&Direction=inbound&StirVerstat=TN-Validation-Failed-C&ForwardedFrom=%2B15550000000&CallToken=%7B%22a%22%3A1%7D";
            let News::Incoming { from, provider_meta, .. } = call("", &format!("&From={from}&CallStatus={status}{more}")).news else {
                panic!("{from}")
            };
            assert_eq!(from.key(), key);
            assert_eq!(provider_meta.0["stir_verstat"], json!("TN-Validation-Failed-C"));
        }
    }
}

#[test]
fn a_leg_speaks_for_itself_alone() {
    // Without our step in the URL too: else a phone that does not answer would end the whole call.
    let leg = call("", "&ParentCallSid=CA9&From=%2B15551234567&To=%2B15559876543&Direction=outbound-dial&CallStatus=no-answer");
    assert!(matches!(leg.news, News::Leg { status: CallStatus::NoAnswer, .. }) && leg.provider_id == "CA9");
    let call = call("?call=7", "&From=%2B15551234567&To=%2B15559876543&CallStatus=completed&AnsweredBy=machine_start&CallDuration=9");
    assert!(matches!(call.news, News::Call { status: CallStatus::Completed, duration_s: Some(9) }));
    assert_eq!(kept("?call=7", "&CallSid=CA1&AnsweredBy=machine_end_beep&MachineDetectionDuration=2000"), super::super::voice::NO_STATUS);
}

#[test]
fn the_end_of_a_dial_is_a_talk_only_where_both_were_connected() {
    for (more, talked) in [
        ("&DialCallStatus=answered&DialBridged=true", true),
        ("&DialCallStatus=answered", false),
        ("&DialCallStatus=completed&DialBridged=false", false),
    ] {
        let news = call("?call=7&step=dialed&n=1", &format!("{ENDS}&CallStatus=in-progress{more}")).news;
        assert!(matches!(news, News::Dialed { n: 1, bridged, .. } if bridged == talked), "{more}");
    }
}

#[test]
fn a_recording_or_transcription_that_is_not_there_says_nothing() {
    for more in [
        "&RecordingSid=RE1&RecordingStatus=absent",
        "&RecordingSid=RE1&RecordingStatus=failed&RecordingUrl=https%3A%2F%2Fapi.twilio.com%2FRE1",
        "&RecordingSid=RE1&RecordingStatus=in-progress&RecordingUrl=https%3A%2F%2Fapi.twilio.com%2FRE1",
        "&RecordingSid=RE1&TranscriptionSid=TR1&TranscriptionStatus=failed",
        "&RecordingSid=RE1&TranscriptionSid=TR1&TranscriptionStatus=failed&TranscriptionText=",
    ] {
        assert!(matches!(call("?call=7", more).news, News::Nothing), "{more}");
    }
    let of_a_talk = "&RecordingSid=RE1&RecordingStatus=completed&RecordingUrl=https%3A%2F%2Fapi.twilio.com%2FRE1&RecordingSource=DialVerb";
    assert!(matches!(call("?call=7", of_a_talk).news, News::Recorded { voicemail: false, .. }));
}

#[test]
fn nobody_elses_hook_is_taken_for_ours() {
    let other = account_with(|settings| settings.account_sid = "AC2".to_owned());
    for more in [
        "&MessageSid=SM1&From=rcs%3A1&To=rcs%3Ab&Body=Hi",
        "&CallSid=CA1&CallStatus=ringing",
        "&ConversationSid=CH1&MessageSid=IM1&Body=Hi",
    ] {
        let body = format!("{OWN}{more}");
        let parsed = with_hook(By::Form, &[URL], "", body.as_bytes(), |hook| parse(&other, hook, Form::of(hook).as_ref()));
        assert!(matches!(parsed, Parsed::NotOurs), "{more}");
    }
}
