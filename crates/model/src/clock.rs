//! Time: unix milliseconds from an injected clock. Nothing else in the house asks the operating system.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Where "now" comes from.
pub trait Clock: Send + Sync {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    fn now_ms(&self) -> i64;
}

/// A shared clock.
pub type SharedClock = Arc<dyn Clock>;

/// The operating system's clock.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the system for the time")]
    fn now_ms(&self) -> i64 {
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
            Err(_) => 0,
        }
    }
}

/// A clock that a test advances by hand.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// Starts at the given unix milliseconds.
    #[must_use]
    pub fn at(now_ms: i64) -> Self {
        Self(AtomicI64::new(now_ms))
    }

    /// Moves time forward (or back, to test clock jumps).
    pub fn advance_ms(&self, by_ms: i64) {
        self.0.fetch_add(by_ms, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// RFC 3339 in UTC with `Z` and whole seconds, or milliseconds where there are any: the form of every API.
#[must_use]
pub fn iso8601(ms: i64) -> String {
    match jiff::Timestamp::from_millisecond(ms) {
        Ok(time) => time.to_string(),
        Err(_) => "1970-01-01T00:00:00Z".to_owned(),
    }
}

/// Unix milliseconds of an RFC 3339 time with any offset; what is finer is cut off.
#[must_use]
pub fn from_iso8601(text: &str) -> Option<i64> {
    text.parse().ok().map(jiff::Timestamp::as_millisecond)
}

/// Unix milliseconds of a time as e-mails and some providers write it (RFC 2822): `Thu, 05 Mar 2026 20:00:00 +0000`.
#[must_use]
pub fn from_rfc2822(text: &str) -> Option<i64> {
    jiff::fmt::rfc2822::parse(text).ok().map(|time| time.timestamp().as_millisecond())
}

/// The day in UTC, as `2026-03-05`.
#[must_use]
pub fn day(ms: i64) -> String {
    iso8601(ms)[..10].to_owned()
}

#[cfg(test)]
mod tests {
    use super::{day, from_iso8601, from_rfc2822, iso8601};

    #[test]
    fn times_of_mails_are_read_and_days_are_those_of_utc() {
        assert_eq!(from_rfc2822("Thu, 05 Mar 2026 20:00:00 +0000"), Some(1_772_740_800_000));
        assert_eq!(from_rfc2822("Thu, 5 Mar 2026 21:00:00 +0100"), Some(1_772_740_800_000));
        for text in ["", "2026-03-05T20:00:00Z", "Thu, 35 Mar 2026 20:00:00 +0000"] {
            assert_eq!(from_rfc2822(text), None, "{text}");
        }
        assert_eq!(day(1_772_755_199_999), "2026-03-05");
        assert_eq!(day(1_772_755_200_000), "2026-03-06");
    }

    #[test]
    fn a_written_time_reads_back_whatever_its_offset() {
        assert_eq!(from_iso8601(&iso8601(1_772_740_800_250)), Some(1_772_740_800_250));
        assert_eq!(from_iso8601("2026-03-05T21:00:00+01:00"), Some(1_772_740_800_000));
        for text in ["", "2026-03-05", "2026-03-05T20:00:00", "yesterday", "2026-02-30T00:00:00Z"] {
            assert_eq!(from_iso8601(text), None, "{text}");
        }
    }

    #[test]
    fn times_are_written_in_utc_with_a_z() {
        assert_eq!(iso8601(1_772_740_800_000), "2026-03-05T20:00:00Z");
        assert_eq!(iso8601(1_772_740_800_250), "2026-03-05T20:00:00.25Z");
    }
}
