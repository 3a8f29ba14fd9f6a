//! `<Record>` (twilio.com/docs/voice/twiml/record): takes a message, and tells of it when the call is over.

use super::forms;
use super::lock;
use super::recording::{RecordingSource, SimRecording};
use super::run::{Document, End, Leg, Stage, resolve, seconds, speech_ms};
use super::twiml::{Record, RecordingCallback};
use crate::twilio::message;
use crate::twilio::webhook::{Hook, HookKind};

/// How long a recording must and may be to be transcribed, in seconds.
const TRANSCRIBED_S: std::ops::RangeInclusive<u64> = 2..=120;

/// A recording that is about to be stored.
#[derive(Debug, Clone, Copy)]
pub(super) struct Take {
    pub(super) source: RecordingSource,
    pub(super) channels: u8,
    /// Unix ms of its beginning, on the call's clock.
    pub(super) started_ms: i64,
    pub(super) duration_s: u64,
}

impl Take {
    /// A message that somebody left.
    const fn message(started_ms: i64, duration_s: u64) -> Self {
        Self { source: RecordingSource::RecordVerb, channels: 1, started_ms, duration_s }
    }
}

impl Stage {
    /// Records what is said until there is silence. Returns the action's document; nothing when nothing was said.
    pub(super) async fn take_message(&mut self, leg: &mut Leg, record: &Record, base: Option<&str>) -> Result<Option<Document>, End> {
        self.answer(&leg.sid).await;
        let (began_at_ms, began_ms) = (self.at_ms, self.now_ms());
        let silence_ms = record.timeout_s.saturating_mul(1000);
        let Some(text) = leg.says.take() else {
            let end = self.wait(silence_ms).await;
            self.report_absent(leg, record, base, began_ms).await;
            return end.map(|()| None);
        };
        let longest_ms = record.max_length_s.saturating_mul(1000);
        let spoken_ms = speech_ms(&text).min(longest_ms);
        let end = self.wait(spoken_ms.saturating_add(silence_ms).min(longest_ms)).await;
        let duration_s = seconds((self.at_ms - began_at_ms).min(spoken_ms));
        if duration_s == 0 {
            self.report_absent(leg, record, base, began_ms).await;
            return end.map(|()| None);
        }
        let recording = self.record(&leg.sid, Take::message(began_ms, duration_s), &record.recording, base).await;
        let url = self.inner.recording_url(&recording);
        if record.transcribe {
            self.transcribe(leg, record, base, (&recording, &text));
        }
        let mut extra = forms::form([
            ("RecordingUrl", url),
            ("RecordingSid", recording.sid),
            ("RecordingDuration", duration_s.to_string()),
            ("Digits", String::new()),
        ]);
        match end {
            Ok(()) => self.action(leg, record.action.as_deref(), base, extra).await.map(Some),
            Err(end) => {
                extra.insert("Digits".to_owned(), "hangup".to_owned());
                self.tell(leg, record.action.as_deref(), base, extra).await;
                Err(end)
            }
        }
    }

    /// Stores a recording and lets it be told of.
    pub(super) async fn record(&mut self, call_sid: &str, take: Take, callback: &RecordingCallback, base: Option<&str>) -> SimRecording {
        let recording = self.recording(call_sid, take);
        lock(&self.inner.voice.recordings).push(recording.clone(), self.inner.config.kept);
        self.inner.voice.change(call_sid, |call| call.recordings.push(recording.sid.clone()));
        if let Some(hook) = self.recording_hook(&recording, callback, base, "in-progress") {
            self.callbacks.send(&self.inner, hook).await;
        }
        if let Some(hook) = self.recording_hook(&recording, callback, base, "completed") {
            self.callbacks.send_after(hook);
        }
        recording
    }

    fn recording(&self, call_sid: &str, take: Take) -> SimRecording {
        let customer = self.inner.voice.call(call_sid).map(|call| call.customer().to_owned());
        SimRecording {
            sid: message::sid("RE", &*self.inner.entropy),
            account_sid: self.account.config.account_sid.clone(),
            call_sid: call_sid.to_owned(),
            source: take.source,
            channels: take.channels,
            duration_s: take.duration_s,
            started_ms: take.started_ms,
            customer: customer.unwrap_or_default(),
        }
    }

    /// Nothing was said: there is no recording to tell of, which may be told.
    async fn report_absent(&mut self, leg: &Leg, record: &Record, base: Option<&str>, began_ms: i64) {
        let nothing = self.recording(&leg.sid, Take::message(began_ms, 0));
        if let Some(hook) = self.recording_hook(&nothing, &record.recording, base, "absent") {
            self.callbacks.send_after(hook);
        }
    }

    fn recording_hook(&self, recording: &SimRecording, callback: &RecordingCallback, base: Option<&str>, status: &str) -> Option<Hook> {
        let url = resolve(base, callback.of(status)?)?;
        let form = forms::recording(recording, &self.inner.recording_url(recording), status);
        Some(self.hook(HookKind::Recording, &recording.call_sid, url, form))
    }

    fn transcribe(&mut self, leg: &Leg, record: &Record, base: Option<&str>, (recording, text): (&SimRecording, &str)) {
        let Some(url) = record.transcribe_callback.as_deref().and_then(|url| resolve(base, url)) else { return };
        let Some(call) = self.inner.voice.call(&leg.sid) else { return };
        let readable = TRANSCRIBED_S.contains(&recording.duration_s);
        let sid = message::sid("TR", &*self.inner.entropy);
        let recording_url = self.inner.recording_url(recording);
        let form = forms::form([
            ("AccountSid", call.account_sid.clone()),
            ("ApiVersion", "2010-04-01".to_owned()),
            ("CallSid", call.sid.clone()),
            ("CallStatus", "completed".to_owned()),
            ("Direction", call.direction.as_str().to_owned()),
            ("From", call.from.clone()),
            ("To", call.to.clone()),
            ("RecordingSid", recording.sid.clone()),
            ("RecordingUrl", recording_url.clone()),
            ("TranscriptionSid", sid.clone()),
            ("TranscriptionStatus", if readable { "completed" } else { "failed" }.to_owned()),
            ("TranscriptionText", if readable { text.to_owned() } else { String::new() }),
            ("TranscriptionType", "fast".to_owned()),
            ("TranscriptionUrl", format!("{recording_url}/Transcriptions/{sid}")),
            ("url", format!("{recording_url}/Transcriptions/{sid}")),
        ]);
        let hook = self.hook(HookKind::Transcription, &leg.sid, url, form);
        self.callbacks.send_after(hook);
    }
}
