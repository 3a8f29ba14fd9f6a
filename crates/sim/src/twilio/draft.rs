//! Reading a create: the checks that Twilio makes before it takes a message, in its order and with its codes
//! (twilio.com/docs/messaging/api/message-resource; twilio-oai, `CreateMessage`).

use parlance_model::phone::{Phone, Region};
use url::Url;

use super::magic;
use super::refusal::Refusal;
use super::state::{Account, Inner};
use super::whatsapp;

/// The longest text, in characters.
const MAX_BODY_CHARS: usize = 1600;
/// The most files.
const MAX_MEDIA: usize = 10;
/// How far ahead a message may be scheduled, in milliseconds: 15 minutes to 35 days.
const SEND_AHEAD_MS: std::ops::RangeInclusive<i64> = 15 * 60_000..=35 * 86_400_000;
/// How long a message may wait in the queue, in seconds.
const VALIDITY_S: std::ops::RangeInclusive<u32> = 1..=36_000;

/// A message that may be taken.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) to: String,
    pub(crate) from: Option<String>,
    pub(crate) messaging_service_sid: Option<String>,
    pub(crate) body: String,
    pub(crate) media_urls: Vec<String>,
    pub(crate) content_sid: Option<String>,
    pub(crate) status_callback: Option<String>,
    pub(crate) send_at_ms: Option<i64>,
}

/// The fields of a form. An empty value counts as none.
pub(crate) struct Fields(Vec<(String, String)>);

impl Fields {
    pub(crate) fn parse(form: &[u8]) -> Self {
        Self(form_urlencoded::parse(form).into_owned().collect())
    }

    /// The first value, even an empty one.
    pub(crate) fn given(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.given(name).filter(|value| !value.is_empty())
    }

    pub(crate) fn all(&self, name: &str) -> Vec<String> {
        self.0.iter().filter(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.clone()).collect()
    }
}

impl Inner {
    /// Reads a create.
    pub(crate) fn draft(&self, account: &Account, fields: &Fields) -> Result<Draft, Refusal> {
        let to = fields.get("To").ok_or_else(|| Refusal::of(21604))?;
        if fields.get("From").is_none() && fields.get("MessagingServiceSid").is_none() {
            return Err(Refusal::of(21603));
        }
        let (body, media_urls) = content(fields)?;
        let to = e164(to).ok_or_else(|| Refusal::saying(21211, format!("Invalid 'To' Phone Number: {to}")))?;
        if let Some(code) = magic::recipient_refusal(&to) {
            return Err(Refusal::of(code));
        }
        let messaging_service_sid = service(account, fields)?;
        let from = fields.get("From").map(|from| self.sender(account, from)).transpose()?;
        if from.as_ref() == Some(&to) {
            return Err(Refusal::of(21266));
        }
        if from.as_ref().is_some_and(|from| whatsapp::prefix(from) != whatsapp::prefix(&to)) {
            return Err(Refusal::of(21910));
        }
        let draft = Draft {
            send_at_ms: self.send_at(fields, messaging_service_sid.is_some())?,
            status_callback: status_callback(fields)?,
            content_sid: fields.get("ContentSid").map(str::to_owned),
            to,
            from,
            messaging_service_sid,
            body,
            media_urls,
        };
        validity(fields)?;
        if self.is_opted_out(account, &draft) {
            return Err(Refusal::of(21610));
        }
        Ok(draft)
    }

    fn sender(&self, account: &Account, from: &str) -> Result<String, Refusal> {
        if let Some(code) = magic::sender_refusal(from) {
            return Err(Refusal::of(code));
        }
        let written = if account.owns(from) { Some(from.to_owned()) } else { e164(from) };
        match written {
            Some(number) if account.owns(&number) || number == magic::VALID_SENDER => Ok(number),
            Some(number) if self.owner_of(&number).is_some() => {
                let account_sid = &account.config.account_sid;
                Err(Refusal::saying(21660, format!("Mismatch between the 'From' number {number} and the account {account_sid}")))
            }
            Some(number) => Err(Refusal::saying(
                21606,
                format!(
                    "The 'From' phone number provided ({number}) is not a valid, message-capable Twilio phone number for this destination."
                ),
            )),
            None => Err(Refusal::saying(
                21212,
                format!("The 'From' number {from} is not a valid phone number, shortcode, or alphanumeric sender ID."),
            )),
        }
    }

    /// When it is meant to leave. Without a Messaging Service the wish is ignored, as at Twilio.
    fn send_at(&self, fields: &Fields, with_service: bool) -> Result<Option<i64>, Refusal> {
        if fields.get("ScheduleType").is_none() || !with_service {
            return Ok(None);
        }
        let at = fields.get("SendAt").ok_or_else(|| Refusal::of(35111))?;
        let at_ms = at.parse::<jiff::Timestamp>().map_err(|_| Refusal::of(35114))?.as_millisecond();
        if SEND_AHEAD_MS.contains(&(at_ms - self.clock.now_ms())) { Ok(Some(at_ms)) } else { Err(Refusal::of(35114)) }
    }
}

fn content(fields: &Fields) -> Result<(String, Vec<String>), Refusal> {
    let body = fields.get("Body").unwrap_or_default();
    let media_urls = fields.all("MediaUrl");
    if body.is_empty() && media_urls.is_empty() && fields.get("ContentSid").is_none() {
        return Err(Refusal::of(21602));
    }
    if body.chars().count() > MAX_BODY_CHARS {
        return Err(Refusal::of(21617));
    }
    if media_urls.len() > MAX_MEDIA {
        return Err(Refusal::of(21623));
    }
    if let Some(wrong) = media_urls.iter().find(|url| web_url(url).is_none()) {
        return Err(Refusal::saying(21620, format!("Invalid media URL(s): {wrong}")));
    }
    Ok((body.to_owned(), media_urls))
}

fn service(account: &Account, fields: &Fields) -> Result<Option<String>, Refusal> {
    let Some(wanted) = fields.get("MessagingServiceSid") else { return Ok(None) };
    if account.config.messaging_service_sid.as_deref() != Some(wanted) {
        return Err(Refusal::of(21701).with_status(404));
    }
    if account.config.phone_numbers.is_empty() {
        return Err(Refusal::of(21703));
    }
    Ok(Some(wanted.to_owned()))
}

fn status_callback(fields: &Fields) -> Result<Option<String>, Refusal> {
    let Some(url) = fields.get("StatusCallback") else { return Ok(None) };
    // Twilio refuses underscores in the host (twilio-oai, `StatusCallback`).
    match web_url(url) {
        Some(parsed) if !parsed.host_str().unwrap_or_default().contains('_') => Ok(Some(url.to_owned())),
        _ => Err(Refusal::saying(21609, format!("The 'StatusCallback' URL {url} is not a valid URL."))),
    }
}

fn validity(fields: &Fields) -> Result<(), Refusal> {
    match fields.get("ValidityPeriod").map(str::parse::<u32>) {
        None => Ok(()),
        Some(Ok(seconds)) if VALIDITY_S.contains(&seconds) => Ok(()),
        Some(_) => Err(Refusal::saying(20001, "Invalid parameter: ValidityPeriod must be between 1 and 36000")),
    }
}

pub(crate) fn web_url(text: &str) -> Option<Url> {
    Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

/// The number in E.164 form, with its channel prefix. Ten digits are read as a number of the United States.
pub(crate) fn e164(text: &str) -> Option<String> {
    let region: Region = "US".parse().ok()?;
    let phone = Phone::parse(whatsapp::bare(text), region).ok()?;
    Some(format!("{}{phone}", whatsapp::prefix(text)))
}
