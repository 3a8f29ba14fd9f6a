//! Voice: calls in and out, the TwiML that the business answers with, phones that pick up or do not, recordings.
//!
//! A call plays on a clock of its own: talking for a minute moves it by a minute, while in the world each wait takes a
//! step of the configuration at most. Durations and timestamps come from the call's clock.

mod call;
mod callbacks;
mod dial;
mod forms;
mod inbound;
mod outbound;
mod phone;
mod record;
mod recording;
mod rest;
mod run;
mod sound;
#[cfg(test)]
mod tests;
mod twiml;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use serde::Serialize;
use tokio::sync::watch;

pub use call::{CallDirection, CallStatus, SimCall};
pub use inbound::{CallReport, InboundCall};
pub use phone::{Behaviour, Phone};
pub use recording::{RecordingSource, SimRecording};

pub(crate) use recording::audio;

use super::log::Log;
use super::state::Inner;

/// An answer of the business that could not be carried out, as Twilio's debugger would show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TwimlError {
    /// The leg that asked for it.
    pub call_sid: String,
    /// Where the document came from; empty when it came with the call.
    pub url: String,
    /// Twilio's code: 11100 a bad URL, 11200 no answer or an error, 12100 no XML, 12200 not TwiML, 12300 a wrong content type,
    /// 13214 a caller ID that is not the account's, 13223 a bad number.
    pub code: u32,
    /// What is wrong.
    pub message: String,
}

/// What is remembered of calls.
#[derive(Debug, Default)]
pub(crate) struct Voice {
    calls: Mutex<Log<SimCall>>,
    recordings: Mutex<Log<SimRecording>>,
    phones: Mutex<BTreeMap<String, Phone>>,
    errors: Mutex<Vec<TwimlError>>,
    /// Calls that run, each with the way to end it.
    live: Mutex<HashMap<String, watch::Sender<Option<CallStatus>>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Voice {
    pub(crate) fn calls(&self) -> Vec<SimCall> {
        lock(&self.calls).iter().cloned().collect()
    }

    pub(crate) fn recordings(&self) -> Vec<SimRecording> {
        lock(&self.recordings).iter().cloned().collect()
    }

    pub(crate) fn errors(&self) -> Vec<TwimlError> {
        lock(&self.errors).clone()
    }

    pub(crate) fn phones(&self) -> BTreeMap<String, Phone> {
        lock(&self.phones).clone()
    }

    pub(crate) fn set_phone(&self, number: String, phone: Phone) {
        lock(&self.phones).insert(number, phone);
    }

    /// How the phone of this number behaves.
    fn phone(&self, number: &str) -> Phone {
        lock(&self.phones).get(number).cloned().unwrap_or_default()
    }

    fn call(&self, sid: &str) -> Option<SimCall> {
        lock(&self.calls).get(sid).cloned()
    }

    /// Changes a call. `None` when it is forgotten.
    fn change<R>(&self, sid: &str, change: impl FnOnce(&mut SimCall) -> R) -> Option<R> {
        lock(&self.calls).get_mut(sid).map(change)
    }

    fn recording(&self, sid: &str) -> Option<SimRecording> {
        lock(&self.recordings).get(sid).cloned()
    }
}

/// The routes of the REST API.
pub(crate) fn router() -> Router<Arc<Inner>> {
    rest::router().merge(recording::router())
}
