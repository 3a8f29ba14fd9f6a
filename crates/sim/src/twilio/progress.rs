//! The course of a message that was taken: its states one after the other, and the status callback of each.
//! Twilio calls back no initial state, does not retry, and promises no order (twilio.com/docs/messaging/guides/track-outbound-message-status).

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use parlance_model::entropy;
use parlance_model::segments::Segments;
use tokio::task::JoinHandle;

use super::effects::{Copies, Course};
use super::fault::{Ending, Order};
use super::message::{SimMessage, Status};
use super::refusal;
use super::state::{Account, Inner};
use super::webhook::{Form, Hook, HookKind};
use super::whatsapp;

/// How often a scheduled message looks at the clock, in milliseconds. The clock may be one that a test moves.
const SCHEDULE_LOOK_MS: i64 = 250;

impl Inner {
    /// Sets a message going. The task ends when its last callback is done.
    pub(crate) fn start_course(self: &Arc<Self>, account: Arc<Account>, message: &SimMessage, course: Course) -> JoinHandle<Option<()>> {
        let (inner, sid, due) = (Arc::clone(self), message.sid.clone(), message.send_at_ms);
        // A message that waits for tomorrow is not outstanding; all others are, from before the create is answered.
        let outstanding = due.is_none().then(|| self.begin());
        self.spawn(async move {
            if let Some(due_ms) = due {
                inner.wait_while_scheduled(&sid, due_ms).await;
            }
            let _outstanding = outstanding.unwrap_or_else(|| inner.begin());
            inner.run_course(&account, &sid, &course).await;
        })
    }

    /// Waits until a scheduled message is due, or is scheduled no more.
    async fn wait_while_scheduled(&self, sid: &str, due_ms: i64) {
        loop {
            let scheduled = self.messages().get(sid).is_some_and(|message| message.status == Status::Scheduled);
            let left_ms = due_ms - self.clock.now_ms();
            if !scheduled || left_ms <= 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(left_ms.min(SCHEDULE_LOOK_MS).unsigned_abs())).await;
        }
    }

    async fn run_course(&self, account: &Arc<Account>, sid: &str, course: &Course) {
        let Some(first) = self.messages().get(sid).cloned() else { return };
        let from = first.from.clone().or_else(|| self.pick_sender(account, &first.to));
        let ending = course.ending.or_else(|| self.outside_window(from.as_deref(), &first));
        let mut held = Vec::new();
        let mut last = None;
        for (status, error_code) in states(&first, ending) {
            tokio::time::sleep(Duration::from_millis(self.config.callback_step_ms)).await;
            // Forgotten, deleted or canceled in the meantime: it goes no further.
            let Some(message) = self.advance(account, sid, status, error_code) else { return };
            match self.callback(account, &message).filter(|_| !course.silent) {
                Some(hook) if course.order.is_some() => held.push(hook),
                Some(hook) => drop(self.deliver(&hook, course.copies).await),
                None => {}
            }
            last = Some(message);
        }
        self.rearrange(&mut held, course.order);
        for hook in &held {
            self.deliver(hook, course.copies).await;
        }
        if let Some(message) = last.filter(|message| matches!(message.status, Status::Delivered | Status::Read)) {
            // Nobody listens unless there are simulated customers.
            let _ = self.arrived.send(message);
        }
    }

    /// Moves a message forward. `None` when it is not there any more, or was canceled.
    fn advance(&self, account: &Account, sid: &str, status: Status, error_code: Option<u32>) -> Option<SimMessage> {
        let now_ms = self.clock.now_ms();
        let mut messages = self.messages();
        let message = messages.get_mut(sid).filter(|message| message.status != Status::Canceled)?;
        if message.from.is_none() {
            message.from = self.pick_sender(account, &message.to);
        }
        message.num_segments = message.num_segments.max(Segments::of(&message.body).count);
        message.status = status;
        message.error_code = error_code;
        message.updated_ms = now_ms;
        if status == Status::Sent {
            message.sent_ms = Some(now_ms);
        }
        Some(message.clone())
    }

    /// The number that the customer last wrote to, else the service's first.
    fn pick_sender(&self, account: &Account, to: &str) -> Option<String> {
        let sticky = self.peers().last_number.get(to).filter(|number| account.owns(number)).cloned();
        sticky.or_else(|| account.config.phone_numbers.first().map(|number| format!("{}{number}", whatsapp::prefix(to))))
    }

    /// Reports a cancellation, once, in the background.
    pub(crate) fn report_canceled(self: &Arc<Self>, account: &Arc<Account>, message: &SimMessage) {
        let Some(hook) = self.callback(account, message) else { return };
        let (inner, outstanding) = (Arc::clone(self), self.begin());
        self.spawn(async move {
            inner.deliver(&hook, Copies::default()).await;
            drop(outstanding);
        });
    }

    /// The status callback of a message as it is now, where one was asked for.
    fn callback(&self, account: &Arc<Account>, message: &SimMessage) -> Option<Hook> {
        Some(Hook {
            kind: HookKind::StatusCallback,
            account: Arc::clone(account),
            sid: message.sid.clone(),
            url: message.status_callback.clone()?,
            idempotency_token: self.idempotency_token(),
            form: callback_form(message),
        })
    }

    /// Puts callbacks in the order that a fault asks for.
    pub(crate) fn rearrange(&self, hooks: &mut [Hook], order: Option<Order>) {
        match order {
            None => {}
            Some(Order::Reverse) => hooks.reverse(),
            // Fisher and Yates; the slight bias of a remainder does not matter for five items.
            Some(Order::Shuffle) => {
                for at in (1..hooks.len()).rev() {
                    let [byte] = entropy::bytes(&*self.entropy);
                    hooks.swap(at, usize::from(byte) % (at + 1));
                }
            }
        }
    }
}

/// The states after the first one, with the error of the last.
fn states(first: &SimMessage, ending: Option<(Ending, u32)>) -> Vec<(Status, Option<u32>)> {
    let whole: &[Status] = if whatsapp::prefix(&first.to).is_empty() {
        &[Status::Queued, Status::Sending, Status::Sent, Status::Delivered]
    } else {
        &[Status::Queued, Status::Sent, Status::Delivered, Status::Read]
    };
    let beyond = match ending {
        None => None,
        Some((Ending::Undelivered, _)) => Some(Status::Delivered),
        Some((Ending::Failed, _)) => Some(Status::Sent),
    };
    let way = whole.iter().copied().take_while(|status| Some(*status) != beyond);
    let way = way.filter(|status| *status != first.status).map(|status| (status, None));
    way.chain(ending.map(|(status, code)| (status.into(), Some(code)))).collect()
}

fn callback_form(message: &SimMessage) -> Form {
    let status = message.status.as_str();
    let mut form: Form = [
        ("AccountSid", message.account_sid.as_str()),
        ("ApiVersion", "2010-04-01"),
        ("MessageSid", &message.sid),
        ("MessageStatus", status),
        ("SmsSid", &message.sid),
        ("SmsStatus", status),
        ("To", &message.to),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    let mut add = |name: &str, value: Option<String>| form.extend(value.map(|value| (name.to_owned(), value)));
    add("From", message.from.clone());
    add("MessagingServiceSid", message.messaging_service_sid.clone());
    add("ErrorCode", message.error_code.map(|code| code.to_string()));
    if message.status == Status::Failed {
        add("ErrorMessage", message.error_code.map(|code| refusal::sentence(code).to_owned()));
    }
    if message.status == Status::Delivered {
        add("RawDlrDoneDate", done_date(message.updated_ms));
    }
    whatsapp::callback_fields(&mut form, message);
    form
}

/// The carrier's own time of delivery, `YYMMDDhhmm`, without a time zone.
fn done_date(ms: i64) -> Option<String> {
    Timestamp::from_millisecond(ms).ok().map(|time| time.strftime("%y%m%d%H%M").to_string())
}
