//! How often a caller may ask, and how often a network may show a wrong key. Counted in this process's memory: each node of
//! several counts for itself.
//!
//! A key may ask `rate_limit` times a minute: it has that many requests in hand, and gets one back every `60 / rate_limit`
//! seconds (GCRA). Hooks carry no key and are never counted.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::response::{IntoResponse as _, Response};
use governor::clock::Clock;
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use http::{HeaderMap, HeaderName};
use parlance_app::App;
use parlance_app::failures::Failures;
use parlance_model::Error;
use parlance_model::error::Kind;
use parlance_model::key::Credential;
use parlance_model::place::{Network, Place};

use crate::problem::{Answer, Problem};

/// The headers that say where a caller stands.
pub(crate) const HEADERS: [&str; 3] = ["RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"];

/// In which quotas are counted.
const MINUTE: Duration = Duration::from_secs(60);
/// Requests between two looks for callers who have gone quiet.
const TIDY: u32 = 10_000;
/// Of so many requests that a key has a minute, a network may get one wrong.
const WRONG: u32 = 10;

/// The limits of every caller.
pub(crate) struct Limits {
    app: App,
    keys: Option<Keys>,
    guesses: Option<Failures<Network>>,
    refused: [metrics::Counter; 2],
}

struct Keys {
    limit: NonZeroU32,
    limiter: RateLimiter<Credential, HashMapStateStore<Credential>, Steady, StateInformationMiddleware>,
    taken: AtomicU32,
}

/// Where a caller stands after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    limit: u32,
    remaining: u32,
    /// Set when there was nothing left: the seconds until there is.
    retry_after_s: Option<u32>,
}

impl Limits {
    /// So many requests a minute for each key; 0 for no limit of either kind.
    pub(crate) fn new(app: &App, per_minute: u32) -> Self {
        let refused = |what| {
            let help = "Requests refused with 429: of a key that asked too often, or of an address with too many wrong keys.";
            app.registry().counter("parlance_rate_limited_total", help, &[("what", what)])
        };
        let keys = NonZeroU32::new(per_minute).map(|limit| {
            let limiter = RateLimiter::hashmap_with_clock(Quota::per_minute(limit), Steady::new(app.clone()));
            Keys { limit, limiter: limiter.with_middleware(), taken: AtomicU32::new(0) }
        });
        let window_ms = i64::try_from(MINUTE.as_millis()).unwrap_or(i64::MAX);
        let guesses = (per_minute > 0).then(|| Failures::new((per_minute / WRONG).max(1), window_ms));
        Self { app: app.clone(), keys, guesses, refused: [refused("key"), refused("address")] }
    }

    /// Takes one request from what the caller has in hand.
    pub(crate) fn take(&self, caller: Credential) -> Option<Standing> {
        let keys = self.keys.as_ref()?;
        if keys.taken.fetch_add(1, Ordering::Relaxed) % TIDY == TIDY - 1 {
            keys.limiter.retain_recent();
            keys.limiter.shrink_to_fit();
        }
        let limit = keys.limit.get();
        Some(match keys.limiter.check_key(&caller) {
            Ok(state) => Standing { limit, remaining: state.remaining_burst_capacity(), retry_after_s: None },
            Err(refused) => {
                self.refused[0].increment(1);
                let wait = refused.wait_time_from(keys.limiter.clock().now());
                Standing { limit, remaining: 0, retry_after_s: Some(whole_seconds(wait).max(1)) }
            }
        })
    }

    /// Counts a wrong key of a caller's network. Right ones are never held up: behind a proxy everybody has its address, and a stranger
    /// must not be able to lock the others out.
    ///
    /// # Errors
    /// `too_many_failures`, in place of the answer to a wrong key.
    pub(crate) fn wrong(&self, from: Place) -> Answer<()> {
        let Some(guesses) = &self.guesses else { return Ok(()) };
        guesses.count(&from.network(), self.app.now_ms()).map_err(|wait_s| {
            self.refused[1].increment(1);
            let text = "Too many requests with wrong keys came from this address. Wait, and try again.";
            Error::new(Kind::RateLimited, "too_many_failures", text).with_retry_after(wait_s).into()
        })
    }
}

impl Standing {
    /// The refusal, when nothing was left: 429 `rate_limited`.
    pub(crate) fn refusal(self) -> Option<Response> {
        let wait_s = self.retry_after_s?;
        let text = format!("Too many requests: this key may make {} a minute. Retry-After says when the next will be taken.", self.limit);
        let problem = Problem::from(Error::new(Kind::RateLimited, "rate_limited", text).with_retry_after(wait_s));
        let mut response = problem.into_response();
        self.tell(&mut response);
        Some(response)
    }

    /// Says it in the answer's headers.
    pub(crate) fn tell(self, response: &mut Response) {
        let missing = u64::from(self.limit - self.remaining.min(self.limit));
        // Until all is in hand again.
        let reset_s = (missing * MINUTE.as_secs()).div_ceil(u64::from(self.limit));
        for (name, value) in HEADERS.into_iter().zip([self.limit.into(), self.remaining.into(), reset_s]) {
            set(response.headers_mut(), name, value);
        }
    }
}

fn set(headers: &mut HeaderMap, name: &'static str, value: u64) {
    if let Ok(name) = HeaderName::try_from(name) {
        headers.insert(name, value.into());
    }
}

fn whole_seconds(wait: Duration) -> u32 {
    u32::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u32::MAX)
}

/// The injected clock as one that never goes back: when it is set back, time goes on from where it was.
#[derive(Clone)]
struct Steady {
    app: App,
    /// What the clock said last, unix ms, and the time that has passed, in milliseconds.
    last: Arc<Mutex<(i64, u64)>>,
}

impl Steady {
    fn new(app: App) -> Self {
        let now_ms = app.now_ms();
        Self { app, last: Arc::new(Mutex::new((now_ms, 0))) }
    }
}

impl Clock for Steady {
    type Instant = Duration;

    fn now(&self) -> Duration {
        let now_ms = self.app.now_ms();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.1 += u64::try_from(now_ms.saturating_sub(last.0)).unwrap_or(0);
        last.0 = now_ms;
        Duration::from_millis(last.1)
    }
}

impl std::fmt::Debug for Steady {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Steady")
    }
}
