//! The Message and Media resources as Twilio's REST API shows them (twilio-oai, `api.v2010.account.message`): numbers
//! are strings, dates are RFC 2822, and every field is there, `null` where there is nothing to say.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::message::{Media, SimMessage};
use super::refusal;

/// What a segment costs, in hundred-thousandths of a dollar.
const SEGMENT_PRICE: usize = 790;

/// The Message resource.
pub(crate) fn message(message: &SimMessage) -> Value {
    let uri = format!("/2010-04-01/Accounts/{}/Messages/{}", message.account_sid, message.sid);
    json!({
        "account_sid": message.account_sid,
        "api_version": "2010-04-01",
        "body": message.body,
        "date_created": date(message.created_ms),
        "date_sent": message.sent_ms.map(date),
        "date_updated": date(message.updated_ms),
        "direction": message.direction,
        "error_code": message.error_code,
        "error_message": message.error_code.map(refusal::sentence),
        "from": message.from,
        "messaging_service_sid": message.messaging_service_sid,
        "num_media": message.media.len().to_string(),
        "num_segments": message.num_segments.to_string(),
        "price": message.sent_ms.map(|_| price(message.num_segments)),
        "price_unit": "USD",
        "sid": message.sid,
        "status": message.status,
        "subresource_uris": { "media": format!("{uri}/Media.json"), "feedback": format!("{uri}/Feedback.json") },
        "to": message.to,
        "uri": format!("{uri}.json"),
    })
}

/// The Media resource.
pub(crate) fn media(message: &SimMessage, media: &Media) -> Value {
    json!({
        "account_sid": message.account_sid,
        "content_type": media.content_type,
        "date_created": date(message.created_ms),
        "date_updated": date(message.created_ms),
        "parent_sid": message.sid,
        "sid": media.sid,
        "uri": format!("/2010-04-01/Accounts/{}/Messages/{}/Media/{}.json", message.account_sid, message.sid, media.sid),
    })
}

/// `Thu, 05 Mar 2026 20:00:00 +0000`, the day with two digits as at Twilio, which jiff's own RFC 2822 printer writes with one.
pub(crate) fn date(ms: i64) -> Option<String> {
    let time = Timestamp::from_millisecond(ms).ok()?;
    Some(time.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string())
}

fn price(segments: usize) -> String {
    let price = segments * SEGMENT_PRICE;
    format!("-{}.{:05}", price / 100_000, price % 100_000)
}

#[cfg(test)]
mod tests {
    use super::{date, price};

    #[test]
    fn dates_and_prices_look_like_twilios() {
        assert_eq!(date(1_772_740_800_999).as_deref(), Some("Thu, 05 Mar 2026 20:00:00 +0000"));
        assert_eq!(price(1), "-0.00790");
        assert_eq!(price(200), "-1.58000");
    }
}
