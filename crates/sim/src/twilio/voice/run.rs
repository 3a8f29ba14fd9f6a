//! Carrying a document out, step by step, on the clock of the call. Connecting is `dial.rs`, taking a message `record.rs`.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header;
use tokio::sync::watch;
use url::Url;

use super::call::{CallEvent, CallStatus, SimCall};
use super::callbacks::Callbacks;
use super::forms;
use super::twiml::{self, Gather, Place, Verb};
use super::{TwimlError, lock};
use crate::twilio::effects::{Copies, Course};
use crate::twilio::message;
use crate::twilio::state::{Account, Inner};
use crate::twilio::webhook::{Form, Hook, HookKind};

/// How many documents one call may ask for: a redirect in a circle ends here.
const MAX_DOCUMENTS: u32 = 100;
/// How many documents that could not be carried out are remembered.
const MAX_ERRORS: usize = 10_000;
/// How fast is spoken, in characters a second.
const CHARS_A_SECOND: u64 = 15;
/// How long a file plays, in milliseconds: it is not fetched.
const PLAY_MS: u64 = 3000;

/// Why a document came to no end of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The business hung up.
    HungUp,
    /// The business refused the call.
    Refused(CallStatus),
    /// The person on the first leg hung up.
    Left,
    /// The REST API ended the call.
    Halted(CallStatus),
    /// The business did not answer with TwiML.
    Broken,
}

/// The person on a leg, and the leg.
#[derive(Debug, Clone)]
pub(super) struct Leg {
    pub(super) sid: String,
    /// Keys that are yet to be pressed.
    pub(super) keys: String,
    /// What is said when a message is taken.
    pub(super) says: Option<String>,
    /// How long they talk to whom they are connected with.
    pub(super) talks_ms: u64,
    /// What may be carried out on it.
    pub(super) place: Place,
}

/// A document, and where it came from.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) verbs: Vec<Verb>,
    /// `None` when it came with the call.
    pub(super) url: Option<String>,
}

/// A call with all its legs, while it runs.
pub(super) struct Stage {
    pub(super) inner: Arc<Inner>,
    pub(super) account: Arc<Account>,
    /// The first leg.
    pub(super) root: String,
    start_ms: i64,
    /// Milliseconds since the start.
    pub(super) at_ms: u64,
    leaves_at_ms: Option<u64>,
    wish: watch::Receiver<Option<CallStatus>>,
    pub(super) callbacks: Callbacks,
    /// What was said and played to the person on the first leg.
    pub(super) heard: Vec<String>,
    documents: u32,
}

impl Stage {
    /// Stores the first leg of a call and makes ready to run it.
    pub(super) fn new(inner: &Arc<Inner>, account: &Arc<Account>, root: SimCall, course: Course, leaves_at_ms: Option<u64>) -> Self {
        let (sender, wish) = watch::channel(None);
        let (sid, start_ms) = (root.sid.clone(), root.created_ms);
        lock(&inner.voice.live).insert(sid.clone(), sender);
        lock(&inner.voice.calls).push(root, inner.config.kept);
        Self {
            inner: Arc::clone(inner),
            account: Arc::clone(account),
            root: sid,
            start_ms,
            at_ms: 0,
            leaves_at_ms,
            wish,
            callbacks: Callbacks::new(course),
            heard: Vec::new(),
            documents: 0,
        }
    }

    /// Unix ms on the call's clock.
    pub(super) fn now_ms(&self) -> i64 {
        self.start_ms.saturating_add_unsigned(self.at_ms)
    }

    /// Lets time pass on the call's clock.
    pub(super) async fn wait(&mut self, ms: u64) -> Result<(), End> {
        let until_ms = self.at_ms.saturating_add(ms);
        let leaves = self.leaves_at_ms.filter(|leaves_at_ms| *leaves_at_ms <= until_ms);
        let end_ms = leaves.map_or(until_ms, |leaves_at_ms| leaves_at_ms.max(self.at_ms));
        let pause_ms = (end_ms - self.at_ms).min(self.inner.config.callback_step_ms);
        self.at_ms = end_ms;
        let wish = tokio::time::timeout(Duration::from_millis(pause_ms), self.wish.wait_for(Option::is_some)).await;
        match wish {
            Ok(Ok(status)) => Err(End::Halted(status.unwrap_or(CallStatus::Completed))),
            _ if leaves.is_some() => Err(End::Left),
            _ => Ok(()),
        }
    }

    /// Lets time pass until this moment of the call's clock, which may be past.
    pub(super) async fn wait_until(&mut self, at_ms: u64) -> Result<(), End> {
        self.wait(at_ms.saturating_sub(self.at_ms)).await
    }

    /// Carries a document out, and those that it leads to. `Ok` when the last one ran out of steps.
    pub(super) async fn follow(&mut self, leg: &mut Leg, mut document: Document) -> Result<(), End> {
        while let Some(next) = self.perform(leg, &document).await? {
            document = next;
        }
        Ok(())
    }

    /// Carries the steps out. Returns the document that takes over, if one does.
    async fn perform(&mut self, leg: &mut Leg, document: &Document) -> Result<Option<Document>, End> {
        for (index, verb) in document.verbs.iter().enumerate() {
            let base = document.url.as_deref();
            let next = match verb {
                Verb::Reject { busy } if index == 0 => {
                    return Err(End::Refused(if *busy { CallStatus::Busy } else { CallStatus::NoAnswer }));
                }
                Verb::Reject { .. } => return Err(self.broken(leg, base, (12200, "<Reject> must be the first verb.".to_owned()))),
                Verb::Hangup => {
                    self.answer(&leg.sid).await;
                    return Err(End::HungUp);
                }
                Verb::Redirect { url } => Some(self.document(leg, base, url, Form::new()).await?),
                Verb::Gather(gather) => self.gather(leg, gather, base).await?,
                Verb::Record(record) => self.take_message(leg, record, base).await?,
                // Whoever is whispered to cannot dial, so this goes one level deep; but the compiler does not know.
                Verb::Dial(dial) => Box::pin(self.dial(leg, dial, base)).await?,
                Verb::Say { .. } | Verb::Play { .. } | Verb::Pause { .. } => {
                    self.speak(leg, verb).await?;
                    None
                }
            };
            if next.is_some() {
                return Ok(next);
            }
        }
        Ok(None)
    }

    async fn speak(&mut self, leg: &Leg, verb: &Verb) -> Result<(), End> {
        let (what, ms, times) = match verb {
            Verb::Say { text, times } => (text, speech_ms(text), *times),
            Verb::Play { url, times } => (url, PLAY_MS, *times),
            // A pause before everything else leaves the phone ringing.
            Verb::Pause { length_s } => return self.wait(length_s.saturating_mul(1000)).await,
            _ => return Ok(()),
        };
        self.answer(&leg.sid).await;
        if leg.sid == self.root {
            self.heard.push(what.clone());
        }
        // Zero times is without end: until the caller hangs up, or Twilio does after four hours.
        let whole_ms = if times == 0 { 4 * 3_600_000 } else { ms.saturating_mul(times) };
        self.wait(whole_ms).await
    }

    async fn gather(&mut self, leg: &mut Leg, gather: &Gather, base: Option<&str>) -> Result<Option<Document>, End> {
        self.answer(&leg.sid).await;
        for prompt in &gather.prompts {
            self.speak(leg, prompt).await?;
        }
        let (digits, finished_on) = press(&mut leg.keys, gather);
        if digits.is_empty() {
            self.wait(gather.timeout_s.saturating_mul(1000)).await?;
            if !gather.action_on_empty_result {
                return Ok(None);
            }
        }
        let mut extra = forms::form([("Digits", digits), ("msg", "Gather End".to_owned())]);
        extra.extend(finished_on.map(|key| ("FinishedOnKey".to_owned(), key.to_string())));
        self.action(leg, gather.action.as_deref(), base, extra).await.map(Some)
    }

    /// Asks for the document of an action. Without a URL of its own it is the current document's.
    pub(super) async fn action(&mut self, leg: &Leg, action: Option<&str>, base: Option<&str>, extra: Form) -> Result<Document, End> {
        let Some(target) = action.or(base) else {
            return Err(self.broken(leg, base, (11100, "An action needs a URL when the document came with the call.".to_owned())));
        };
        self.document(leg, base, target, extra).await
    }

    /// Tells an action how a call ended whose caller is gone: what it answers is of no use to anybody.
    pub(super) async fn tell(&mut self, leg: &Leg, action: Option<&str>, base: Option<&str>, mut extra: Form) {
        let Some(url) = action.or(base).and_then(|target| resolve(base, target)) else { return };
        let Some(call) = self.inner.voice.call(&leg.sid) else { return };
        let status = if call.answered { CallStatus::Completed } else { CallStatus::NoAnswer };
        extra.insert("CallStatus".to_owned(), status.as_str().to_owned());
        let mut form = forms::call(&call);
        form.extend(extra);
        let hook = self.hook(HookKind::Voice, &leg.sid, url, form);
        self.inner.deliver(&hook, Copies::default()).await;
    }

    /// Asks for a document about a leg. `target` is relative to `base`.
    pub(super) async fn document(&mut self, leg: &Leg, base: Option<&str>, target: &str, extra: Form) -> Result<Document, End> {
        let Some(url) = resolve(base, target) else {
            return Err(self.broken(leg, base, (11100, format!("Invalid URL {target}."))));
        };
        let mut form = self.inner.voice.call(&leg.sid).as_ref().map(forms::call).unwrap_or_default();
        form.extend(extra);
        self.fetch(leg, url, form, Copies::default()).await
    }

    /// Posts the form and reads the answer.
    pub(super) async fn fetch(&mut self, leg: &Leg, url: String, form: Form, copies: Copies) -> Result<Document, End> {
        self.documents += 1;
        if self.documents > MAX_DOCUMENTS {
            return Err(self.broken(leg, Some(&url), (11200, format!("A call may ask for {MAX_DOCUMENTS} documents."))));
        }
        let hook = self.hook(HookKind::Voice, &leg.sid, url, form);
        let exchanges = self.inner.exchange(&hook, copies).await;
        let mut answers: Vec<_> = exchanges.into_iter().filter_map(|(_, response)| response).collect();
        let taken = answers.iter().position(|response| response.status.is_success());
        let answer = taken.map(|at| answers.swap_remove(at)).or_else(|| answers.pop());
        let read = answer.ok_or_else(|| (11200, "HTTP retrieval failure: no answer.".to_owned())).and_then(|response| {
            if !response.status.is_success() {
                return Err((11200, format!("HTTP retrieval failure: {}.", response.status)));
            }
            let content_type = response.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
            read_document(content_type.unwrap_or_default(), &response.body, leg.place)
        });
        match read {
            Ok(verbs) => Ok(Document { verbs, url: Some(hook.url) }),
            Err(error) => Err(self.broken(leg, Some(&hook.url), error)),
        }
    }

    pub(super) fn hook(&self, kind: HookKind, sid: &str, url: String, form: Form) -> Hook {
        let idempotency_token = self.inner.idempotency_token();
        Hook { kind, account: Arc::clone(&self.account), sid: sid.to_owned(), url, idempotency_token, form }
    }

    /// Notes an answer that cannot be carried out.
    pub(super) fn broken(&self, leg: &Leg, url: Option<&str>, (code, message): (u32, String)) -> End {
        tracing::warn!(call = %leg.sid, code, %message, "the simulator cannot carry out what it was answered");
        let error = TwimlError { call_sid: leg.sid.clone(), url: url.unwrap_or_default().to_owned(), code, message };
        let mut errors = lock(&self.inner.voice.errors);
        if errors.len() < MAX_ERRORS {
            errors.push(error);
        }
        End::Broken
    }

    /// A leg is answered, unless it is already.
    pub(super) async fn answer(&mut self, sid: &str) {
        let now_ms = self.now_ms();
        let answered = self.inner.voice.change(sid, |call| {
            let early = call.status.is_early();
            if early {
                call.status = CallStatus::InProgress;
                call.answered = true;
                call.answered_ms = Some(now_ms);
            }
            early
        });
        if answered == Some(true) {
            self.report(sid, CallEvent::Answered).await;
        }
    }

    /// A leg rings.
    pub(super) async fn ring(&mut self, sid: &str) {
        self.inner.voice.change(sid, |call| call.status = CallStatus::Ringing);
        self.report(sid, CallEvent::Ringing).await;
    }

    /// A leg is over.
    pub(super) async fn finish(&mut self, sid: &str, status: CallStatus) {
        let now_ms = self.now_ms();
        self.inner.voice.change(sid, |call| {
            call.status = status;
            call.ended_ms = Some(now_ms);
            call.duration_s = Some(call.answered_ms.map_or(0, |answered_ms| seconds(now_ms.abs_diff(answered_ms))));
        });
        self.report(sid, CallEvent::Completed).await;
    }

    /// Calls back, if this was asked for.
    pub(super) async fn report(&mut self, sid: &str, event: CallEvent) {
        let now_ms = self.now_ms();
        let due = self.inner.voice.change(sid, |call| {
            let url = call.status_callback.clone().filter(|_| call.events.contains(&event))?;
            let form = forms::status(call, now_ms);
            call.sequence += 1;
            Some((url, form))
        });
        if let Some(Some((url, form))) = due {
            let hook = self.hook(HookKind::CallStatus, sid, url, form);
            self.callbacks.send(&self.inner, hook).await;
        }
    }

    /// Ends the first leg, and with it the call. Returns what the person on it heard.
    pub(super) async fn close(mut self, end: Result<(), End>) -> Vec<String> {
        let root = self.root.clone();
        // What ends without a word, or with Twilio's own excuse, was answered.
        if matches!(end, Ok(()) | Err(End::Broken)) {
            self.answer(&root).await;
        }
        let answered = self.inner.voice.call(&root).is_some_and(|call| call.answered);
        let status = match end {
            Err(End::Refused(status)) => status,
            Err(End::Halted(CallStatus::Canceled)) if !answered => CallStatus::Canceled,
            _ if answered => CallStatus::Completed,
            _ => CallStatus::NoAnswer,
        };
        self.finish(&root, status).await;
        lock(&self.inner.voice.live).remove(&root);
        self.callbacks.finish(&self.inner).await;
        self.heard
    }
}

impl Inner {
    /// A fresh SID of a leg.
    pub(super) fn call_sid(&self) -> String {
        message::sid("CA", &*self.entropy)
    }
}

/// Reads a document by its content type and its bytes.
fn read_document(content_type: &str, body: &Bytes, place: Place) -> Result<Vec<Verb>, (u32, String)> {
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if kind != "text/xml" && kind != "application/xml" {
        return Err((12300, format!("Invalid Content-Type {content_type:?}.")));
    }
    let text = std::str::from_utf8(body).map_err(|error| (12100, format!("Document parse failure: {error}")))?;
    read_twiml(text, place)
}

/// Reads a document that came with the call.
pub(super) fn read_twiml(text: &str, place: Place) -> Result<Vec<Verb>, (u32, String)> {
    twiml::parse(text, place).map_err(|invalid| (invalid.code, invalid.message))
}

/// A URL as it was written, or joined to the document's. What is signed is what is written.
pub(super) fn resolve(base: Option<&str>, target: &str) -> Option<String> {
    if Url::parse(target).is_ok() {
        return Some(target.to_owned());
    }
    Url::parse(base?).ok()?.join(target).ok().map(String::from)
}

/// Takes the keys that answer one question from those that are left, and the key that ended it.
fn press(keys: &mut String, gather: &Gather) -> (String, Option<char>) {
    let limit = gather.num_digits.unwrap_or(usize::MAX);
    let mut digits = String::new();
    while digits.len() < limit && !keys.is_empty() {
        let key = keys.remove(0);
        if Some(key) == gather.finish_on_key {
            return (digits, Some(key));
        }
        digits.push(key);
    }
    (digits, None)
}

/// How long it takes to say this, in whole seconds.
pub(super) fn speech_ms(text: &str) -> u64 {
    (text.chars().count() as u64).div_ceil(CHARS_A_SECOND).max(1) * 1000
}

/// Whole seconds, rounded up as they are billed.
pub(super) const fn seconds(ms: u64) -> u64 {
    ms.div_ceil(1000)
}
