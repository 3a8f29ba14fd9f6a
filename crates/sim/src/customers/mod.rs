//! Simulated customers for the demo: a small cast that writes to a bicycle repair shop and answers what it writes back.
//!
//! Who they are and what they say is `script.rs`; who speaks when is `street.rs`, without a clock or a network; here
//! both meet the simulator.

mod script;
mod street;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::twilio::{Inbound, InboundCall, Inner, Sim};

pub use script::{CAST, Person};

use script::CALLER;
use street::{Line, Street};

/// Nobody sleeps longer than this before looking at the street again, in milliseconds; timers have an end.
const LONGEST_WAIT_MS: u64 = 3_600_000;

/// How lively the street is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pace {
    /// Milliseconds between two customers who write of their own accord; a quarter more or less.
    pub interval_ms: u64,
    /// The most messages of all customers together in a minute. What is beyond it comes later.
    pub per_minute: usize,
    /// Nobody else begins while so many wait for an answer.
    pub waiting: usize,
    /// The shortest time for an answer, in milliseconds; the longest is twice that.
    pub reply_ms: u64,
    /// When one of them calls, once, in milliseconds after the start. `None`: nobody does.
    pub call_ms: Option<u64>,
}

impl Default for Pace {
    fn default() -> Self {
        Self { interval_ms: 20_000, per_minute: 10, waiting: 4, reply_ms: 1200, call_ms: None }
    }
}

/// Running customers. They stop when this is dropped, and with the simulator.
#[derive(Debug)]
pub struct Customers {
    stop: CancellationToken,
}

impl Customers {
    /// Lets the cast write to `number`, which is the account's own. The first one writes at once.
    #[must_use]
    pub fn start(sim: &Sim, account_sid: impl Into<String>, number: impl Into<String>, pace: Pace) -> Self {
        let inner = Arc::clone(sim.inner());
        let stop = inner.stop.child_token();
        let number = number.into();
        if let Some(wait_ms) = pace.call_ms {
            let calls = calls(Arc::clone(&inner), number.clone(), wait_ms);
            inner.tasks.spawn(stop.clone().run_until_cancelled_owned(calls));
        }
        let live = live(Arc::clone(&inner), account_sid.into(), number, pace);
        inner.tasks.spawn(stop.clone().run_until_cancelled_owned(live));
        Self { stop }
    }
}

impl Drop for Customers {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn calls(inner: Arc<Inner>, number: String, wait_ms: u64) {
    tokio::time::sleep(Duration::from_millis(wait_ms)).await;
    let (person, words) = CALLER;
    inner.call_in(InboundCall { says: Some(words.to_owned()), ..InboundCall::new(person.number, number) }).await;
}

async fn live(inner: Arc<Inner>, account_sid: String, number: String, pace: Pace) {
    let mut arrived = inner.arrived.subscribe();
    let mut street = Street::new(pace, Arc::clone(&inner.entropy));
    let start = Instant::now();
    let now_ms = || u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
    loop {
        for Line { from, text } in street.speak(now_ms()) {
            let (inner, line) = (Arc::clone(&inner), Inbound::text(from, &number, text));
            inner.clone().spawn(async move { inner.inbound(line).await });
        }
        let wait_ms = street.next_ms().saturating_sub(now_ms()).min(LONGEST_WAIT_MS);
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(wait_ms)) => {}
            message = arrived.recv() => match message {
                Ok(message) if message.account_sid == account_sid && message.from.as_deref() == Some(&number) => {
                    street.hear(&message.to, now_ms());
                }
                // Messages that were missed stay unanswered, as in life.
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Pace;
    use crate::customers::{CALLER, CAST, Customers};
    use crate::twilio::tests::{ACCOUNT, Bench, NUMBER};

    #[tokio::test]
    async fn one_customer_writes_at_once_and_answers_what_is_sent() {
        let mut bench = Bench::start().await;
        let pace = Pace { interval_ms: 3_600_000, per_minute: 100, waiting: 4, reply_ms: 0, call_ms: None };
        let customers = Customers::start(&bench.sim, ACCOUNT, NUMBER, pace);
        let first = bench.hook().await;
        let customer = first.field("From").to_owned();
        assert!(CAST.iter().any(|person| person.number == customer));
        assert!(!first.field("Body").is_empty());

        bench.create(&[("To", &customer), ("From", NUMBER), ("Body", "Sure, when would you like to come by?")]).await;
        let second = bench.hook().await;
        assert_eq!(second.field("From"), customer);
        assert_ne!(second.field("Body"), first.field("Body"));
        drop(customers);
    }

    #[tokio::test]
    async fn one_customer_calls_when_asked_to() {
        let mut bench = Bench::start().await;
        bench.sim.set_voice_urls(ACCOUNT, bench.business.clone(), None);
        let pace = Pace { interval_ms: 3_600_000, call_ms: Some(0), ..Pace::default() };
        let customers = Customers::start(&bench.sim, ACCOUNT, NUMBER, pace);
        let hooks = [bench.hook().await, bench.hook().await];
        let call = hooks.iter().find(|hook| hook.form.contains_key("CallSid")).unwrap();
        assert_eq!((call.field("From"), call.field("To")), (CALLER.0.number, NUMBER));
        drop(customers);
    }
}
