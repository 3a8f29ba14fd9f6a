//! `<Dial>` (twilio.com/docs/voice/twiml/dial): rings phones, screens whoever picks up, connects, and reports.

use super::call::{CallDirection, CallEvent, CallStatus, SimCall};
use super::forms;
use super::lock;
use super::phone::{Fate, Phone};
use super::record::Take;
use super::recording::RecordingSource;
use super::run::{Document, End, Leg, Stage, resolve, seconds};
use super::twiml::{Dial, Number, Place};
use crate::twilio::draft::e164;
use crate::twilio::webhook::Form;

/// A phone that is being called.
struct Child<'a> {
    sid: String,
    number: &'a Number,
    phone: Phone,
    fate: Fate,
}

/// What came of dialling.
struct Dialled {
    status: CallStatus,
    /// The leg that counts: the one that was connected, else the first one.
    sid: String,
    bridged: bool,
    recording_url: Option<String>,
    /// Whether the call itself ended over it.
    end: Result<(), End>,
}

impl Stage {
    /// Returns the document that takes over, if there is an action.
    pub(super) async fn dial(&mut self, leg: &Leg, dial: &Dial, base: Option<&str>) -> Result<Option<Document>, End> {
        if !dial.answer_on_bridge {
            self.answer(&leg.sid).await;
        }
        let from = self.caller_id(leg, dial, base)?;
        let children = self.call_out(leg, dial, &from, base).await;
        let dialled = self.connect(leg, dial, &children, base).await;
        let mut extra = forms::form([
            ("DialCallStatus", dialled.status.as_str().to_owned()),
            ("DialCallSid", dialled.sid.clone()),
            ("DialBridged", dialled.bridged.to_string()),
        ]);
        if dialled.bridged {
            let duration = self.inner.voice.call(&dialled.sid).and_then(|call| call.duration_s).unwrap_or_default();
            extra.insert("DialCallDuration".to_owned(), duration.to_string());
        }
        extra.extend(dialled.recording_url.map(|url| ("RecordingUrl".to_owned(), url)));
        match (&dial.action, dialled.end) {
            (Some(action), Ok(())) => self.document(leg, base, action, extra).await.map(Some),
            (None, Ok(())) => Ok(None),
            (action, Err(end)) => {
                if let Some(action) = action {
                    self.tell(leg, Some(action), base, extra).await;
                }
                Err(end)
            }
        }
    }

    /// Whom the phones show: a number of the account, or one side of this call.
    fn caller_id(&self, leg: &Leg, dial: &Dial, base: Option<&str>) -> Result<String, End> {
        let Some(call) = self.inner.voice.call(&leg.sid) else { return Err(End::HungUp) };
        let Some(wanted) = &dial.caller_id else { return Ok(call.from) };
        if self.account.owns(wanted) || *wanted == call.from || *wanted == call.to {
            return Ok(wanted.clone());
        }
        Err(self.broken(leg, base, (13214, format!("Dial: Invalid callerId value {wanted}."))))
    }

    /// Calls every number. Returns them in the order in which something becomes of them.
    async fn call_out<'a>(&mut self, leg: &Leg, dial: &'a Dial, from: &str, base: Option<&str>) -> Vec<Child<'a>> {
        let mut children = Vec::new();
        for number in &dial.numbers {
            let to = e164(&number.number);
            let phone = to.as_deref().map(|to| self.inner.voice.phone(to)).unwrap_or_default();
            let mut fate = phone.fate(dial.timeout_s);
            if to.is_none() {
                // The call goes on: whether the business copes is worth seeing, too.
                self.broken(leg, base, (13223, format!("Dial: Invalid phone number {}.", number.number)));
                fate = Fate { rings: false, at_ms: 0, ending: Some(CallStatus::Failed) };
            }
            let sid = self.inner.call_sid();
            let (account_sid, to) = (&self.account.config.account_sid, to.unwrap_or_else(|| number.number.clone()));
            let call = SimCall {
                parent: Some(leg.sid.clone()),
                status_callback: number.status_callback.as_deref().and_then(|url| resolve(base, url)),
                events: number.events.clone(),
                ..SimCall::new(&sid, account_sid, CallDirection::OutboundDial, from, to, self.now_ms())
            };
            lock(&self.inner.voice.calls).push(call, self.inner.config.kept);
            self.report(&sid, CallEvent::Initiated).await;
            if fate.rings {
                self.ring(&sid).await;
            }
            children.push(Child { sid, number, phone, fate });
        }
        children.sort_by_key(|child| child.fate.at_ms);
        children
    }

    async fn connect(&mut self, leg: &Leg, dial: &Dial, children: &[Child<'_>], base: Option<&str>) -> Dialled {
        let begun_ms = self.at_ms;
        let mut statuses = Vec::new();
        let unanswered = |status, end| {
            let sid = children.first().map(|child| child.sid.clone()).unwrap_or_default();
            Dialled { status, sid, bridged: false, recording_url: None, end }
        };
        for (index, child) in children.iter().enumerate() {
            if let Err(end) = self.wait_until(begun_ms.saturating_add(child.fate.at_ms)).await {
                self.give_up(&children[index..]).await;
                return unanswered(CallStatus::NoAnswer, Err(end));
            }
            if let Some(status) = child.fate.ending {
                self.finish(&child.sid, status).await;
                statuses.push(status);
                continue;
            }
            self.answer(&child.sid).await;
            match self.screen(child, base).await {
                Ok(()) => {
                    self.give_up(&children[index + 1..]).await;
                    return self.bridge(leg, dial, child, base).await;
                }
                Err(end @ (End::Left | End::Halted(_))) => {
                    self.finish(&child.sid, CallStatus::Completed).await;
                    self.give_up(&children[index + 1..]).await;
                    return unanswered(CallStatus::NoAnswer, Err(end));
                }
                Err(_) => {
                    // For this leg it was a call; for whoever waits, nobody has answered.
                    self.finish(&child.sid, CallStatus::Completed).await;
                    statuses.push(CallStatus::NoAnswer);
                }
            }
        }
        let all = statuses.first().copied().filter(|first| statuses.iter().all(|status| status == first));
        unanswered(all.unwrap_or(CallStatus::NoAnswer), Ok(()))
    }

    /// Plays the whisper to whoever picked up. `Ok` when they are to be connected.
    async fn screen(&mut self, child: &Child<'_>, base: Option<&str>) -> Result<(), End> {
        let Some(url) = &child.number.url else { return Ok(()) };
        let mut leg = Leg {
            sid: child.sid.clone(),
            keys: child.phone.presses().to_owned(),
            says: None,
            talks_ms: child.phone.talks_ms(),
            place: Place::Whisper,
        };
        let document = self.document(&leg, base, url, Form::new()).await?;
        self.follow(&mut leg, document).await
    }

    /// They talk, until one of them hangs up.
    async fn bridge(&mut self, leg: &Leg, dial: &Dial, child: &Child<'_>, base: Option<&str>) -> Dialled {
        self.answer(&leg.sid).await;
        let (began_at_ms, began_ms) = (self.at_ms, self.now_ms());
        let talk_ms = child.phone.talks_ms().min(leg.talks_ms).min(dial.time_limit_s.saturating_mul(1000));
        let end = self.wait(talk_ms).await;
        self.finish(&child.sid, CallStatus::Completed).await;
        let recording_url = match dial.record {
            Some(channels) => {
                let duration_s = seconds(self.at_ms - began_at_ms);
                let taken = Take { source: RecordingSource::DialVerb, channels, started_ms: began_ms, duration_s };
                let recording = self.record(&leg.sid, taken, &dial.recording, base).await;
                Some(self.inner.recording_url(&recording))
            }
            None => None,
        };
        Dialled { status: CallStatus::Completed, sid: child.sid.clone(), bridged: true, recording_url, end }
    }

    /// Hangs up on phones that nobody has answered.
    async fn give_up(&mut self, children: &[Child<'_>]) {
        for child in children {
            self.finish(&child.sid, CallStatus::NoAnswer).await;
        }
    }
}
