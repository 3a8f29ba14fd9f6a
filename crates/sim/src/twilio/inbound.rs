//! A customer writes: the message is stored and posted to the business, with Twilio's fields, retries and fallback
//! (twilio.com/docs/messaging/guides/webhook-request). An answer in TwiML is not carried out.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use parlance_model::opt_out::OptSignal;
use parlance_model::segments::Segments;
use serde::{Deserialize, Deserializer, Serialize};

use super::effects::Copies;
use super::message::{self, Direction, Media, SimMessage, Status};
use super::opt_out;
use super::place;
use super::state::{Account, Inner};
use super::webhook::{Delivery, Form, Hook, HookKind, Outcome};
use super::whatsapp::{self, WhatsApp};

/// What a customer sends.
#[derive(Debug, Clone, Deserialize)]
pub struct Inbound {
    /// The customer: E.164, a short code or a name; on WhatsApp `whatsapp:` and E.164.
    pub from: String,
    /// One of an account's numbers; `whatsapp:` before it when the customer writes on WhatsApp.
    pub to: String,
    /// The text; may be empty.
    #[serde(default)]
    pub body: String,
    /// Files.
    #[serde(default)]
    pub media: Vec<InboundMedia>,
    /// What only WhatsApp knows.
    #[serde(flatten)]
    pub whatsapp: WhatsApp,
}

impl Inbound {
    /// A text without files.
    #[must_use]
    pub fn text(from: impl Into<String>, to: impl Into<String>, body: impl Into<String>) -> Self {
        Self { from: from.into(), to: to.into(), body: body.into(), media: Vec::new(), whatsapp: WhatsApp::default() }
    }
}

/// A file that a customer sends.
#[derive(Debug, Clone, Deserialize)]
pub struct InboundMedia {
    /// The media type, such as `image/jpeg`.
    pub content_type: String,
    /// Where it is.
    #[serde(flatten)]
    pub content: MediaContent,
}

/// Where a file is.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MediaContent {
    /// Somewhere else: `MediaUrl0` is this link.
    Url(String),
    /// Here: the simulator serves it as Twilio does, behind Basic auth and a redirect. In JSON it is base64.
    #[serde(rename = "base64", deserialize_with = "from_base64")]
    Bytes(Bytes),
}

fn from_base64<'de, D: Deserializer<'de>>(from: D) -> Result<Bytes, D::Error> {
    STANDARD.decode(String::deserialize(from)?).map(Bytes::from).map_err(serde::de::Error::custom)
}

/// What came of an inbound message.
#[derive(Debug, Clone, Default, Serialize)]
pub struct DeliveryReport {
    /// Its SID; `None` when no account has the number that it was sent to, or the two sides are on different channels.
    pub message_sid: Option<String>,
    /// Every call that was made: none when the account has no inbound URL.
    pub deliveries: Vec<Delivery>,
}

impl DeliveryReport {
    /// Whether the business took it.
    #[must_use]
    pub fn accepted(&self) -> bool {
        self.deliveries.iter().any(Delivery::accepted)
    }
}

impl Inner {
    /// Stores and delivers what a customer sends.
    pub(crate) async fn inbound(&self, inbound: Inbound) -> DeliveryReport {
        let reachable = whatsapp::prefix(&inbound.from) == whatsapp::prefix(&inbound.to);
        let Some(account) = self.owner_of(&inbound.to).filter(|_| reachable).cloned() else { return DeliveryReport::default() };
        let _outstanding = self.begin();
        let signal = OptSignal::from_body(&inbound.body);
        if let Some(signal) = signal {
            self.note_opt_out(&account, &inbound.to, &inbound.from, signal);
        }
        let message = self.receive(&account, &inbound);
        let copies = Copies::of(&self.faults.take_for_inbound(message.from.as_deref().unwrap_or_default()));
        let mut form = inbound_form(&message, signal.filter(|_| account.config.advanced_opt_out));
        whatsapp::inbound_fields(&mut form, &inbound);
        let deliveries = self.deliver_inbound(&account, &message, form, copies).await;
        DeliveryReport { message_sid: Some(message.sid), deliveries }
    }

    fn receive(&self, account: &Account, inbound: &Inbound) -> SimMessage {
        let now_ms = self.clock.now_ms();
        let sid = message::sid(if inbound.media.is_empty() { "SM" } else { "MM" }, &*self.entropy);
        self.note_writer(inbound, now_ms);
        let media = inbound.media.iter().map(|media| self.take_media(account, &sid, media)).collect();
        let message = SimMessage {
            account_sid: account.config.account_sid.clone(),
            direction: Direction::Inbound,
            from: Some(inbound.from.clone()),
            to: inbound.to.clone(),
            num_segments: Segments::of(&inbound.body).count,
            body: inbound.body.clone(),
            media,
            status: Status::Received,
            error_code: None,
            messaging_service_sid: account.config.messaging_service_sid.clone(),
            content_sid: None,
            status_callback: None,
            send_at_ms: None,
            created_ms: now_ms,
            updated_ms: now_ms,
            sent_ms: Some(now_ms),
            sid,
        };
        self.remember(message.clone());
        message
    }

    fn note_writer(&self, inbound: &Inbound, now_ms: i64) {
        let mut peers = self.peers();
        // Beyond the bound everything is forgotten at once: another of the numbers may answer, and windows close early.
        if peers.last_number.len().max(peers.wrote_ms.len()) >= self.config.kept {
            peers.last_number.clear();
            peers.wrote_ms.clear();
        }
        peers.wrote_ms.insert((inbound.to.clone(), inbound.from.clone()), now_ms);
        peers.last_number.insert(inbound.from.clone(), inbound.to.clone());
    }

    fn take_media(&self, account: &Account, message_sid: &str, media: &InboundMedia) -> Media {
        let sid = message::sid("ME", &*self.entropy);
        let (url, data) = match &media.content {
            MediaContent::Url(url) => (url.clone(), None),
            MediaContent::Bytes(data) => {
                let path = format!("2010-04-01/Accounts/{}/Messages/{message_sid}/Media/{sid}", account.config.account_sid);
                (format!("{}{path}", self.base_url), Some(data.clone()))
            }
        };
        Media { sid, content_type: media.content_type.clone(), url, data }
    }

    /// Calls the inbound URL; if that fails for good, the fallback URL.
    async fn deliver_inbound(&self, account: &Arc<Account>, message: &SimMessage, form: Form, copies: Copies) -> Vec<Delivery> {
        let urls = account.urls(&message.to);
        let Some(url) = urls.sms else { return Vec::new() };
        let mut hook = Hook {
            kind: HookKind::Inbound,
            account: Arc::clone(account),
            sid: message.sid.clone(),
            url: url.into(),
            idempotency_token: self.idempotency_token(),
            form,
        };
        let mut deliveries = self.deliver(&hook, copies).await;
        let taken = deliveries.iter().any(|delivery| matches!(delivery.outcome, Outcome::Answered { status: ..=399 }));
        if let Some(fallback) = urls.sms_fallback.filter(|_| !taken) {
            hook.form.insert("ErrorCode".to_owned(), "11200".to_owned());
            hook.form.insert("ErrorUrl".to_owned(), hook.url);
            hook.kind = HookKind::InboundFallback;
            hook.url = fallback.into();
            deliveries.extend(self.deliver(&hook, Copies::default()).await);
        }
        deliveries
    }
}

fn inbound_form(message: &SimMessage, opt_out: Option<OptSignal>) -> Form {
    let mut form = Form::new();
    let mut add = |name: &str, value: &str| {
        form.insert(name.to_owned(), value.to_owned());
    };
    let from = message.from.as_deref().unwrap_or_default();
    for name in ["MessageSid", "SmsSid", "SmsMessageSid"] {
        add(name, &message.sid);
    }
    add("AccountSid", &message.account_sid);
    add("ApiVersion", "2010-04-01");
    add("SmsStatus", message.status.as_str());
    add("From", from);
    add("To", &message.to);
    add("Body", &message.body);
    add("NumSegments", &message.num_segments.to_string());
    add("NumMedia", &message.media.len().to_string());
    for (side, number) in [("From", from), ("To", &message.to)] {
        let place = place::of(number);
        add(&format!("{side}City"), place.city);
        add(&format!("{side}State"), place.state);
        add(&format!("{side}Zip"), place.zip);
        add(&format!("{side}Country"), place.country);
    }
    for (index, media) in message.media.iter().enumerate() {
        add(&format!("MediaUrl{index}"), &media.url);
        add(&format!("MediaContentType{index}"), &media.content_type);
    }
    if let Some(service) = &message.messaging_service_sid {
        add("MessagingServiceSid", service);
    }
    if let Some(signal) = opt_out {
        add("OptOutType", opt_out::word(signal));
    }
    form
}
