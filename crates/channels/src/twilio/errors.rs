//! Twilio's error codes in words that tell staff what to do (twilio.com/docs/api/errors). Codes come in answers to a send
//! and in status callbacks; both are read here.

use parlance_model::delivery::DeliveryError;
use parlance_model::outbound::Refusal;

/// Wrong account SID or auth token.
pub(super) const CREDENTIALS: &str = "20003";
/// Too many requests at once; the message was not taken.
pub(super) const TOO_MANY_REQUESTS: &str = "20429";
/// The service is down; the message was not taken.
pub(super) const UNAVAILABLE: &str = "20503";
/// The recipient has opted out of this sender's messages.
pub(super) const OPTED_OUT: &str = "21610";

/// The code with its sentence. A code that is not in the list gets one that says so, and where to look it up.
pub(super) fn explain(code: &str) -> DeliveryError {
    // A code is a few digits; whatever else came is cut to something that can be shown.
    let code: String = code.chars().filter(char::is_ascii_alphanumeric).take(16).collect();
    let message = match sentence(&code) {
        Some(sentence) => sentence.to_owned(),
        None => format!("Twilio reports error {code}. What it means is told at https://www.twilio.com/docs/api/errors/{code}."),
    };
    DeliveryError { code, message }
}

/// What a refusal with this code says beyond the message. Of the account's troubles, those that meet every message over it.
pub(super) fn refusal(code: &str) -> Refusal {
    match code {
        OPTED_OUT => Refusal::OptedOut,
        CREDENTIALS | "20005" | "20008" | "20404" | "30002" | "90010" => Refusal::Stopped,
        "20006" | "21212" | "21603" | "21606" | "21657" | "21660" | "21701" | "21702" | "21703" | "21704" | "21705" => Refusal::Account,
        _ => Refusal::Message,
    }
}

/// Whether a report with this code tells of how the account or its sender is set up, rather than of one message.
pub(super) fn is_about_account(code: &str) -> bool {
    refusal(code) == Refusal::Account || matches!(code, "21711" | "30018" | "30024" | "30032" | "30033" | "30034" | "30035" | "30037")
}

fn sentence(code: &str) -> Option<&'static str> {
    sender(code).or_else(|| recipient(code)).or_else(|| content(code)).or_else(|| delivery(code)).or_else(|| whatsapp(code))
}

/// The account and what it sends from: for an admin to put right.
fn sender(code: &str) -> Option<&'static str> {
    Some(match code {
        CREDENTIALS => {
            "Twilio refused the account's credentials. An admin should check the account SID and the auth token in the account's settings, \
             or the API key, where it has one."
        }
        "20005" | "30002" | "90010" => {
            "The Twilio account is suspended or not active. An admin should sign in to Twilio's console to see why."
        }
        "20006" => "The Twilio account may not use this service. An admin should check its permissions in Twilio's console.",
        "20008" => "These are Twilio's test credentials, which send nothing. An admin should enter the live account SID and auth token.",
        "20404" => "Twilio does not know this account or service. An admin should check the account SID and the Messaging Service SID.",
        "21212" | "21603" | "21657" => "Twilio does not take this sender. An admin should check the account's number or Messaging Service.",
        "21606" | "21621" | "21659" | "21661" => {
            "The account's number cannot send this kind of message to this destination. An admin should check its capabilities in Twilio's console."
        }
        "21660" => "The account's number belongs to another Twilio account. An admin should check which account SID goes with the number.",
        "21609" => {
            "Twilio does not take the address for delivery reports. An admin should check the public URL: https, and no underscore in its host name."
        }
        "21210" => "Twilio does not place calls from this number. An admin should check the account's number in Twilio's console.",
        "13227" | "21215" => {
            "The Twilio account may not call this country. An admin can allow it in Twilio's console under Voice, Geo permissions."
        }
        "21701" | "21702" | "21705" => {
            "Twilio does not know this Messaging Service, or it is not ready. An admin should check its SID in the account's settings."
        }
        "21703" | "21704" | "21711" => {
            "The Messaging Service has no number that can send this. An admin should add a fitting sender to it in Twilio's console."
        }
        "21607" | "21608" | "21219" => {
            "A Twilio trial account sends to verified numbers only. Verify the recipient in Twilio's console, or upgrade the Twilio account."
        }
        "21408" => {
            "The Twilio account may not send to this country. An admin can allow it in Twilio's console under Messaging, Geo permissions."
        }
        "21611" | "30001" => "This sender's queue at Twilio is full. Wait a while, then send again, and send more slowly.",
        "21730" => "Twilio is under maintenance. Send again later.",
        "30018" | "30024" | "30040" | "30041" | "30042" => {
            "The recipient's country or carrier takes only registered senders. An admin should register the sender with Twilio."
        }
        "30022" | "30023" | "30027" => {
            "The daily or per-second limit of the business's US registration (A2P 10DLC) is reached. Send the rest later, or ask for a higher limit."
        }
        "30032" => "The toll-free number is not verified. An admin should finish its verification in Twilio's console.",
        "30033" => {
            "The US messaging campaign (A2P 10DLC) is suspended. An admin should see why in Twilio's console, and stop sending until then."
        }
        "30034" => {
            "The number is not registered for business messages to the US (A2P 10DLC). An admin should register it in Twilio's console, and stop sending until then."
        }
        "30035" => "The number's US registration (A2P 10DLC) is still being set up. Send again tomorrow, and leave the number where it is.",
        "30037" => "Outbound messages are switched off for this Twilio account. An admin should ask Twilio's support.",
        "30454" => "The Twilio account has reached its message limit. Send the rest later, or ask Twilio for a higher limit.",
        _ => return None,
    })
}

/// The person who should get the message.
fn recipient(code: &str) -> Option<&'static str> {
    Some(match code {
        "21211" | "21217" | "21401" | "21604" => "This is not a phone number that Twilio knows. Check the number.",
        "13224" | "13225" => "Twilio does not call this number. Check the number.",
        "21214" | "21612" => "There is no route from the account's number to this one. Check the number, or send from another account.",
        "21265" => "Twilio cannot send to short codes.",
        "21266" => "The recipient is the account's own number. Choose another.",
        "21268" => "Twilio does not send to premium-rate or information numbers.",
        "21614" => "This number cannot get text messages. Check whether it is a mobile number.",
        "21635" | "30006" => "This is a landline, or its carrier takes no text messages. Call, or ask for a mobile number.",
        OPTED_OUT => "The recipient has opted out by replying STOP. Nothing may be sent until they reply START.",
        _ => return None,
    })
}

/// The message itself.
fn content(code: &str) -> Option<&'static str> {
    Some(match code {
        "21602" | "21619" => "The message is empty. Write something, or attach a file.",
        "21605" | "21617" => "The message is longer than 1600 characters. Send it in parts.",
        "21618" | "30453" | "30485" => "Twilio does not send this text. Change its wording, leave out shortened links, and send again.",
        "21620" => "Twilio cannot take an attachment's address. An admin should check that the public URL is reachable from the internet.",
        "12300" | "11200" => {
            "Twilio could not fetch an attachment. An admin should check that the public URL is reachable from the internet."
        }
        "11205" => {
            "Twilio could not connect to this installation. An admin should check that the public URL is reachable from the internet."
        }
        "21622" | "30011" => "Attachments cannot be sent to this number or country. Send a text with a link.",
        "21623" => "There are more than ten attachments. Send fewer at once.",
        "11751" | "30019" => "The attachments are too large for the carrier. Send smaller ones, or a link.",
        _ => return None,
    })
}

/// What happened on the way.
fn delivery(code: &str) -> Option<&'static str> {
    Some(match code {
        TOO_MANY_REQUESTS => "Twilio got too many requests at once. The message was not taken and can be sent again.",
        UNAVAILABLE => "Twilio was not available. The message was not taken and can be sent again.",
        "20500" | "20504" | "30500" => "Twilio had an internal error. Check whether the message arrived before it is sent again.",
        "14107" => "Too many messages went to this number within seconds. Look for two machines that answer each other, then send again.",
        "30003" => "The phone could not be reached: it may be off or out of coverage. Send again later.",
        "30004" => "The message was blocked: the recipient may have blocked the sender or may not get messages. Reach them another way.",
        "30005" => "The number is unknown or no longer in use. Check the number.",
        "30007" => {
            "The carrier filtered the message as unwanted. Change its wording, leave out shortened links, and do not repeat it to many."
        }
        "30008" => {
            "The carrier did not deliver the message and gave no reason. Send again once; if it fails again, reach them another way."
        }
        "30010" => "The message would have cost more than the price limit. An admin should raise the limit, or send it in parts.",
        "30017" => "The carrier's network was congested. Send again later.",
        "30036" => "The message waited longer than it was valid. Send again, and send more slowly.",
        "30039" => "It looked like two machines that answer each other, so Twilio stopped it.",
        "30410" => "The carrier gave no answer in time. Check whether the message arrived before it is sent again.",
        "30450" => "Twilio blocked the message, as it often does when one number is sent very much. Wait, then send again.",
        _ => return None,
    })
}

/// WhatsApp's own refusals.
fn whatsapp(code: &str) -> Option<&'static str> {
    Some(match code {
        "63016" => "The contact last wrote more than 24 hours ago, so WhatsApp takes templates only. Send a template.",
        "63003" => "WhatsApp does not know this recipient. Check the number, or reach them by text message.",
        "63024" | "63036" => "WhatsApp cannot deliver to this recipient. Check that the number uses WhatsApp, or reach them another way.",
        "63014" => "WhatsApp did not deliver it because of something that the recipient did. Reach them another way.",
        "63015" => "This is Twilio's WhatsApp sandbox, which sends only to numbers that have joined it.",
        "63032" | "63049" => {
            "WhatsApp keeps marketing messages from this recipient for now. Send a text message, or wait until they write."
        }
        "63007" => {
            "The account has no such WhatsApp sender. An admin should check its WhatsApp number, and that Twilio's console lists it as a sender."
        }
        "63018" | "63038" => "The WhatsApp sender has reached its limit. Send the rest later, and more slowly.",
        "63051" => "The WhatsApp business account is locked. An admin should see why in Meta's business manager.",
        "63005" | "63021" => "WhatsApp does not take this content. Check the text, the type of the file, or the template's variables.",
        "63013" => "WhatsApp takes the message for one that breaks its rules. Change its wording, and do not repeat it.",
        "63019" => "WhatsApp could not fetch the attachment. An admin should check that the public URL is reachable from the internet.",
        "21655" | "63027" => "There is no such template in this language. An admin should check its id in Twilio's console.",
        "21656" | "63028" => "The template's variables do not fit it. Give each of its places a text.",
        "63040" | "63041" | "63042" => "WhatsApp has rejected or paused this template. Choose another, or change it in Twilio's console.",
        "63010" | "63012" => "WhatsApp had an internal error. Check whether the message arrived before it is sent again.",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_of_the_contract_has_a_sentence_of_its_own() {
        for code in [
            "20003", "20429", "20503", "21211", "21408", "21606", "21608", "21610", "21612", "21614", "21617", "21620", "21703", "30003",
            "30004", "30005", "30006", "30007", "30008", "30034", "11200", "11205", "63003", "63007", "63016", "63018", "63024", "63032",
        ] {
            assert!(sentence(code).is_some(), "{code}");
        }
    }

    #[test]
    fn every_sentence_ends_like_one_and_is_short_enough_to_show() {
        for code in 10_000..100_000 {
            if let Some(sentence) = sentence(&code.to_string()) {
                assert!(sentence.ends_with('.') && sentence.len() < 200, "{code}");
            }
        }
    }

    #[test]
    fn an_unknown_code_is_honest() {
        let error = explain("99999");
        assert_eq!(error.code, "99999");
        assert_eq!(error.message, "Twilio reports error 99999. What it means is told at https://www.twilio.com/docs/api/errors/99999.");
        assert_eq!(explain("<b>30003</b>\0").code, "b30003b");
        assert_eq!(explain(&"9".repeat(1000)).code.len(), 16);
    }
}
