//! Callbacks of a call: when each goes out. Those about recordings come after all others, as they do at Twilio.

use crate::twilio::effects::Course;
use crate::twilio::state::Inner;
use crate::twilio::webhook::Hook;

/// The callbacks of one call with all of its legs.
#[derive(Debug)]
pub(super) struct Callbacks {
    pub(super) course: Course,
    held: Vec<Hook>,
    after: Vec<Hook>,
}

impl Callbacks {
    pub(super) const fn new(course: Course) -> Self {
        Self { course, held: Vec::new(), after: Vec::new() }
    }

    /// Delivers one now, unless a fault says otherwise.
    pub(super) async fn send(&mut self, inner: &Inner, hook: Hook) {
        if self.course.silent {
            return;
        }
        if self.course.order.is_some() {
            self.held.push(hook);
        } else {
            inner.deliver(&hook, self.course.copies).await;
        }
    }

    /// Delivers one when the call is over.
    pub(super) fn send_after(&mut self, hook: Hook) {
        if !self.course.silent {
            self.after.push(hook);
        }
    }

    /// Delivers what waited. The call is over.
    pub(super) async fn finish(mut self, inner: &Inner) {
        self.held.append(&mut self.after);
        inner.rearrange(&mut self.held, self.course.order);
        for hook in &self.held {
            inner.deliver(hook, self.course.copies).await;
        }
    }
}
