//! A customer calls one of an account's numbers.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::TwimlError;
use super::call::{CallDirection, CallStatus, SimCall};
use super::forms;
use super::run::{End, Leg, Stage};
use super::twiml::Place;
use crate::twilio::effects::{Course, Effects};
use crate::twilio::state::{Account, Inner};
use crate::twilio::webhook::Delivery;

/// A customer who calls. Times are on the call's clock.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct InboundCall {
    /// Who calls: E.164, or what Twilio shows of a hidden number, such as `anonymous` or `+266696687`.
    pub from: String,
    /// One of an account's numbers.
    pub to: String,
    /// When they hang up, in milliseconds after the call began; else they stay until the business hangs up.
    #[serde(default)]
    pub hangs_up_after_ms: Option<u64>,
    /// What they say when a message is taken; else nothing.
    #[serde(default)]
    pub says: Option<String>,
    /// The keys that they press when they are asked to.
    #[serde(default)]
    pub presses: Option<String>,
}

impl InboundCall {
    /// Somebody who stays on the line and says nothing.
    #[must_use]
    pub fn new(from: impl Into<String>, to: impl Into<String>) -> Self {
        Self { from: from.into(), to: to.into(), ..Self::default() }
    }
}

/// What came of an inbound call.
#[derive(Debug, Clone, Default, Serialize)]
pub struct CallReport {
    /// The call, then the legs that it dialled; none when no account has the number.
    pub calls: Vec<SimCall>,
    /// What was said (the text) and played (the URL) to the caller.
    pub heard: Vec<String>,
    /// Every request that was made about it.
    pub deliveries: Vec<Delivery>,
    /// Answers that could not be carried out.
    pub twiml_errors: Vec<TwimlError>,
}

impl Inner {
    /// Plays a call from its first ring to its last callback.
    pub(crate) async fn call_in(self: &Arc<Self>, call: InboundCall) -> CallReport {
        let Some(account) = self.owner_of(&call.to).cloned() else { return CallReport::default() };
        let course = Effects::of(&self.faults.take_for_inbound_call(&call.from)).course;
        let outstanding = self.begin();
        let sid = self.call_sid();
        let (inner, own) = (Arc::clone(self), sid.clone());
        // A task of its own: the call goes on when nobody waits for its report.
        let task = self.spawn(async move {
            let _outstanding = outstanding;
            inner.run_inbound(&account, own, call, course).await
        });
        let heard = task.await.ok().flatten().unwrap_or_default();
        self.call_report(&sid, heard)
    }

    async fn run_inbound(self: &Arc<Self>, account: &Arc<Account>, sid: String, call: InboundCall, course: Course) -> Vec<String> {
        let urls = account.urls(&call.to);
        let root = SimCall {
            status: CallStatus::Ringing,
            status_callback: urls.status_callback.map(String::from),
            ..SimCall::new(&sid, &account.config.account_sid, CallDirection::Inbound, call.from, call.to, self.clock.now_ms())
        };
        let form = forms::inbound(&root);
        let mut stage = Stage::new(self, account, root, course, call.hangs_up_after_ms);
        let mut leg = Leg { sid, keys: call.presses.unwrap_or_default(), says: call.says, talks_ms: u64::MAX, place: Place::Call };
        let end = match urls.voice {
            // A number without a voice URL takes no calls.
            None => Err(End::Refused(CallStatus::Busy)),
            Some(url) => {
                let copies = stage.callbacks.course.copies;
                match stage.fetch(&leg, url.into(), form, copies).await {
                    Ok(document) => stage.follow(&mut leg, document).await,
                    Err(end) => Err(end),
                }
            }
        };
        stage.close(end).await
    }

    fn call_report(&self, sid: &str, heard: Vec<String>) -> CallReport {
        let is_leg = |call: &SimCall| call.sid == sid || call.parent.as_deref() == Some(sid);
        let calls: Vec<_> = self.voice.calls().into_iter().filter(is_leg).collect();
        let of_call = |other: &str| calls.iter().any(|call| call.sid == other);
        let deliveries = self.deliveries().into_iter().filter(|delivery| of_call(&delivery.sid)).collect();
        let twiml_errors = self.voice.errors().into_iter().filter(|error| of_call(&error.call_sid)).collect();
        CallReport { calls, heard, deliveries, twiml_errors }
    }
}
