//! A call that the REST API asks for: the checks that Twilio makes, and its course
//! (twilio.com/docs/voice/api/call-resource; twilio-oai, `CreateCall`).

use std::sync::Arc;

use tokio::task::JoinHandle;

use super::call::{CallDirection, CallEvent, SimCall};
use super::record::Take;
use super::recording::RecordingSource;
use super::run::{Document, End, Leg, Stage, read_twiml, seconds};
use super::twiml::{Place, RecordingCallback};
use crate::twilio::draft::{Fields, e164, web_url};
use crate::twilio::effects::Course;
use crate::twilio::magic;
use crate::twilio::refusal::Refusal;
use crate::twilio::state::{Account, Inner};
use crate::twilio::webhook::Form;

/// How long a phone rings unless the create says otherwise, and at most, in seconds.
const TIMEOUT_S: u64 = 60;
const MAX_TIMEOUT_S: u64 = 600;

/// A call that may be made.
#[derive(Debug)]
pub(super) struct CallDraft {
    pub(super) to: String,
    from: String,
    source: Source,
    status_callback: Option<String>,
    events: Vec<CallEvent>,
    record: bool,
    recording: RecordingCallback,
    timeout_s: u64,
    detects_machines: bool,
}

/// Where the first document is.
#[derive(Debug)]
enum Source {
    Url(String),
    Twiml(String),
}

impl CallDraft {
    pub(super) fn read(account: &Account, fields: &Fields) -> Result<Self, Refusal> {
        let to = fields.get("To").ok_or_else(|| Refusal::of(21201))?;
        let from = fields.get("From").ok_or_else(|| Refusal::of(21213))?;
        if let Some(code) = magic::called_refusal(to) {
            return Err(Refusal::of(code));
        }
        let to = e164(to).ok_or_else(|| Refusal::saying(21211, format!("Invalid 'To' Phone Number: {to}")))?;
        let events = fields.all("StatusCallbackEvent").join(" ");
        let events = if events.is_empty() { "completed" } else { &events };
        let recording_events = fields.all("RecordingStatusCallbackEvent").join(" ");
        let recording_events = if recording_events.is_empty() { "completed" } else { &recording_events };
        let url = |name: &str, code| match fields.get(name) {
            Some(url) if web_url(url).is_none() => Err(Refusal::of(code)),
            url => Ok(url.map(str::to_owned)),
        };
        let source = match (url("Url", 21205)?, fields.get("Twiml")) {
            (Some(url), _) => Source::Url(url),
            (None, Some(twiml)) => Source::Twiml(twiml.to_owned()),
            (None, None) => return Err(Refusal::of(21205)),
        };
        let timeout_s = fields.get("Timeout").map_or(Ok(TIMEOUT_S), str::parse).ok().filter(|seconds| *seconds <= MAX_TIMEOUT_S);
        for method in ["Method", "StatusCallbackMethod", "RecordingStatusCallbackMethod"] {
            if fields.get(method).is_some_and(|method| method != "POST") {
                return Err(Refusal::saying(20001, format!("Invalid parameter: the simulator only posts, {method} must be POST")));
            }
        }
        Ok(Self {
            from: caller(account, from)?,
            to,
            source,
            status_callback: url("StatusCallback", 21609)?,
            events: CallEvent::parse_all(events).ok_or_else(|| Refusal::of(21626))?,
            record: fields.get("Record") == Some("true"),
            recording: RecordingCallback::new(url("RecordingStatusCallback", 21609)?, recording_events)
                .ok_or_else(|| Refusal::of(21626))?,
            timeout_s: timeout_s.ok_or_else(|| Refusal::saying(20001, "Invalid parameter: Timeout must be between 0 and 600"))?,
            detects_machines: fields.get("MachineDetection").is_some(),
        })
    }
}

/// The account's own number that the call is from.
fn caller(account: &Account, from: &str) -> Result<String, Refusal> {
    if from == magic::VALID_SENDER {
        return Ok(from.to_owned());
    }
    let number = e164(from).filter(|_| magic::sender_refusal(from) != Some(21212)).ok_or_else(|| Refusal::of(21212))?;
    if account.owns(&number) {
        return Ok(number);
    }
    let sentence = format!(
        "The source phone number provided, {number}, is not yet verified for your account. You may only make calls from phone numbers that you've verified or purchased from Twilio."
    );
    Err(Refusal::saying(21210, sentence))
}

impl Inner {
    /// Stores a call and sets it going. The task ends when its last callback is done.
    pub(super) fn call_out(self: &Arc<Self>, account: Arc<Account>, draft: CallDraft, course: Course) -> (SimCall, JoinHandle<Option<()>>) {
        let (sid, account_sid) = (self.call_sid(), &account.config.account_sid);
        let root = SimCall {
            status_callback: draft.status_callback.clone(),
            events: draft.events.clone(),
            ..SimCall::new(sid, account_sid, CallDirection::OutboundApi, &draft.from, &draft.to, self.clock.now_ms())
        };
        let outstanding = self.begin();
        let stage = Stage::new(self, &account, root.clone(), course, None);
        let task = self.spawn(async move {
            let _outstanding = outstanding;
            stage.run_outbound(draft).await;
        });
        (root, task)
    }
}

impl Stage {
    async fn run_outbound(mut self, draft: CallDraft) {
        let sid = self.root.clone();
        let end = self.dial_out(&sid, &draft).await;
        let call = self.inner.voice.call(&sid);
        if let Some(answered_ms) = call.and_then(|call| call.answered_ms).filter(|_| draft.record) {
            let duration_s = seconds(self.now_ms().abs_diff(answered_ms));
            let taken = Take { source: RecordingSource::OutboundApi, channels: 1, started_ms: answered_ms, duration_s };
            self.record(&sid, taken, &draft.recording, None).await;
        }
        self.close(end).await;
    }

    /// Rings, and carries out what the business wants when somebody picks up.
    async fn dial_out(&mut self, sid: &str, draft: &CallDraft) -> Result<(), End> {
        let phone = self.inner.voice.phone(&draft.to);
        let fate = phone.fate(draft.timeout_s);
        self.report(sid, CallEvent::Initiated).await;
        if fate.rings {
            self.ring(sid).await;
        }
        self.wait(fate.at_ms).await?;
        if let Some(status) = fate.ending {
            return Err(End::Refused(status));
        }
        if draft.detects_machines {
            self.inner.voice.change(sid, |call| call.answered_by = Some(phone.answered_by().to_owned()));
        }
        self.answer(sid).await;
        let mut leg =
            Leg { sid: sid.to_owned(), keys: phone.presses().to_owned(), says: None, talks_ms: phone.talks_ms(), place: Place::Call };
        let document = match &draft.source {
            Source::Url(url) => self.document(&leg, None, url, Form::new()).await?,
            Source::Twiml(text) => match read_twiml(text, Place::Call) {
                Ok(verbs) => Document { verbs, url: None },
                Err(error) => return Err(self.broken(&leg, None, error)),
            },
        };
        self.follow(&mut leg, document).await
    }
}
