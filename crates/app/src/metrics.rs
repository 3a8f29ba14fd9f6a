//! What the use cases measure, and the page of everything that is measured (`docs/operating.md` lists it).

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use metrics::{Counter, Gauge, Histogram};
use parlance_model::channel::Provider;
use parlance_model::outbound::SendOutcome;
use parlance_model::{Error, Result, words};
use parlance_store::job;
use parlance_store::metrics::{Registry, UPKEEP};

use crate::App;

/// How long a look at the jobs is good for, in milliseconds: scrapers may come often, and the look walks the table of jobs.
const FRESH_MS: i64 = 10_000;

/// The kind of job that there always is.
const SEND: &str = "send";

words! {
    /// What became of a hook.
    pub(crate) enum Hooked ("outcome") {
        /// On disk, or known before.
        Applied = "applied",
        /// Genuine, and kept because it could not be applied.
        Quarantined = "quarantined",
        /// For an account or a number that is not ours.
        NotFound = "not_found",
        /// Not signed by the account's secret.
        BadSignature = "bad_signature",
        /// For an org that is switched off: the provider tries again.
        PutOff = "put_off",
        /// Not taken for a reason of our own: the provider tries again.
        Failed = "failed",
    }
}

words! {
    /// What became of a call of a provider.
    enum Called ("outcome") {
        /// It took the message.
        Accepted = "accepted",
        /// It refused the message.
        Refused = "refused",
        /// It did not take the message, and may later.
        NotTaken = "not_taken",
        /// The answer was lost.
        Unknown = "unknown",
    }
}

words! {
    /// Where a job stands.
    enum JobState ("state") {
        /// It can be claimed now.
        Due = "due",
        /// Its time has not come, an earlier job of its lane is not done, or its org is switched off.
        Waiting = "waiting",
        /// A worker holds it.
        Leased = "leased",
    }
}

/// What whoever accepts connections counts.
#[derive(Debug, Clone)]
pub struct Sockets {
    /// Those that are open.
    pub open: Gauge,
    /// Those that were closed at once, because their network holds its share.
    pub refused: Counter,
}

impl Sockets {
    /// Counts for nobody.
    #[must_use]
    pub fn unmeasured() -> Self {
        Self { open: Gauge::noop(), refused: Counter::noop() }
    }

    fn new(registry: &Registry) -> Self {
        Self {
            open: registry.gauge("parlance_connections", "Connections that are open.", &[]),
            refused: registry.counter("parlance_connections_refused_total", "Connections closed because their network has too many.", &[]),
        }
    }
}

/// The handles of the use cases.
pub(crate) struct Measured {
    sockets: Sockets,
    hooks: HashMap<(Provider, Hooked), Counter>,
    calls: HashMap<(Provider, Called), Histogram>,
    pub(crate) received: Counter,
    pub(crate) duplicates: Counter,
    pub(crate) sent: Counter,
    database_up: Gauge,
    oldest_due: Gauge,
    search_behind: Gauge,
    /// When jobs were last looked at, unix ms, and every kind that was ever seen: one that is gone is 0.
    jobs: Mutex<(i64, HashSet<String>)>,
}

impl Measured {
    pub(crate) fn new(registry: &Registry) -> Self {
        let hook = |provider: Provider, outcome: Hooked| {
            let labels = [("provider", provider.as_str()), ("outcome", outcome.as_str())];
            ((provider, outcome), registry.counter("parlance_hooks_total", "Hooks of providers, by what became of them.", &labels))
        };
        let call = |provider: Provider, outcome: Called| {
            let help = "Calls of providers, by what became of them.";
            let labels = [("provider", provider.as_str()), ("outcome", outcome.as_str())];
            ((provider, outcome), registry.histogram("parlance_provider_call_duration_seconds", help, &labels))
        };
        let message = |direction| registry.counter("parlance_messages_total", "Messages stored.", &[("direction", direction)]);
        let providers = || Provider::ALL.iter().copied();
        Self {
            sockets: Sockets::new(registry),
            hooks: providers().flat_map(|provider| Hooked::ALL.iter().map(move |outcome| hook(provider, *outcome))).collect(),
            calls: providers().flat_map(|provider| Called::ALL.iter().map(move |outcome| call(provider, *outcome))).collect(),
            received: message("inbound"),
            sent: message("outbound"),
            duplicates: registry.counter("parlance_messages_duplicate_total", "Inbound messages that were stored before.", &[]),
            database_up: registry.gauge("parlance_database_up", "Whether the database answered the last look: 1 or 0.", &[]),
            oldest_due: registry.gauge("parlance_jobs_oldest_due_seconds", "How long the oldest job has been due; 0 without one.", &[]),
            search_behind: registry.events_behind("search"),
            // Sends are shown from the start, so that a page without one says 0.
            jobs: Mutex::new((i64::MIN, HashSet::from([SEND.to_owned()]))),
        }
    }

    /// Counts a hook.
    pub(crate) fn hook(&self, provider: Provider, outcome: Hooked) {
        if let Some(counter) = self.hooks.get(&(provider, outcome)) {
            counter.increment(1);
        }
    }

    /// Notes a call of a provider that began then.
    pub(crate) fn call(&self, provider: Provider, begun: Instant, outcome: &SendOutcome) {
        let outcome = match outcome {
            SendOutcome::Accepted { .. } => Called::Accepted,
            SendOutcome::Refused { .. } => Called::Refused,
            SendOutcome::NotTaken { .. } | SendOutcome::TooFast { .. } => Called::NotTaken,
            SendOutcome::Unknown { .. } => Called::Unknown,
        };
        if let Some(histogram) = self.calls.get(&(provider, outcome)) {
            histogram.record(begun.elapsed());
        }
    }

    /// Whether jobs should be looked at again. Of many who ask at once, one is told so.
    fn stale(&self, now_ms: i64) -> bool {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that was set back must not stop the looking.
        let stale = now_ms.saturating_sub(jobs.0) >= FRESH_MS || now_ms < jobs.0;
        if stale {
            jobs.0 = now_ms;
        }
        stale
    }

    fn jobs(&self, registry: &Registry, found: &[job::Standing], now_ms: i64) {
        let mut seen = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        seen.1.extend(found.iter().map(|standing| standing.kind.clone()));
        for kind in &seen.1 {
            for state in JobState::ALL {
                let (kind, state) = (kind.as_str(), state.as_str());
                let standing = found.iter().find(|standing| standing.kind == kind && standing.state == state);
                let gauge = registry.gauge("parlance_jobs", "Jobs by kind and state.", &[("kind", kind), ("state", state)]);
                gauge.set(u32::try_from(standing.map_or(0, |standing| standing.count)).unwrap_or(u32::MAX));
            }
        }
        let oldest = found.iter().filter(|standing| standing.state == JobState::Due.as_str()).map(|standing| standing.since_ms).min();
        let age_ms = oldest.map_or(0, |since_ms| now_ms.saturating_sub(since_ms).max(0));
        self.oldest_due.set(std::time::Duration::from_millis(age_ms.unsigned_abs()).as_secs_f64());
    }
}

/// What became of a hook that was refused.
pub(crate) fn refused(error: &Error) -> Hooked {
    match error.code() {
        "not_found" => Hooked::NotFound,
        "bad_signature" => Hooked::BadSignature,
        "put_off" => Hooked::PutOff,
        _ => Hooked::Failed,
    }
}

/// Keeps recorded samples from piling up while nobody scrapes.
pub(crate) fn start(app: &App) {
    let app = app.clone();
    app.clone().tasks().spawn(async move {
        loop {
            tokio::select! {
                () = tokio::time::sleep(UPKEEP) => app.store().registry().upkeep(),
                () = app.tasks().stopping() => return,
            }
        }
    });
}

impl App {
    /// Where connections are counted.
    #[must_use]
    pub fn sockets(&self) -> &Sockets {
        &self.0.measured.sockets
    }

    /// Everything that is measured, as Prometheus reads it. It is answered while the database is away, too: the
    /// numbers of the jobs then are those of the last look.
    pub async fn metrics(&self) -> String {
        let (registry, measured) = (self.store().registry(), &self.0.measured);
        let now_ms = self.now_ms();
        if measured.stale(now_ms) {
            let found: Result<_> = self.store().system_read(job::standing).await;
            if let Ok(behind) = self.search_lag().await {
                measured.search_behind.set(u32::try_from(behind).unwrap_or(u32::MAX));
            }
            measured.database_up.set(if found.is_ok() { 1.0 } else { 0.0 });
            match found {
                Ok(found) => measured.jobs(registry, &found, now_ms),
                Err(error) => tracing::warn!(?error, "the jobs could not be counted"),
            }
        }
        self.store().measure();
        registry.render()
    }
}
