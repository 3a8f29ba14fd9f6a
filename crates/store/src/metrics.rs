//! What is measured, and the text that Prometheus reads. It lives here because the store is the lowest part that
//! measures; the parts above register their own metrics in the store's [`Registry`].
//!
//! A handle is taken once and kept: recording is an atomic operation or two. Each store has a registry of its own, so two in
//! one process do not count into each other.

use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Label, Level, Metadata, Recorder as _, Unit};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use metrics_process::Collector;
use parlance_model::{Error, Result};

/// Bounds of every duration's buckets, in seconds: from a read in place to the longest wait for a provider.
const SECONDS: [f64; 14] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// Bounds of the buckets of a commit's size.
const SIZES: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];

/// Every metric of one store and of what stands on it. Names follow Prometheus: base units, `_total` for counters.
pub struct Registry {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    process: Collector,
}

/// A metric's labels. Their values come from closed sets: never an id, an org or a path.
pub type Labels<'a> = &'a [(&'static str, &'a str)];

const HERE: Metadata<'static> = Metadata::new("parlance", Level::INFO, None);

impl Registry {
    pub(crate) fn new() -> Result<Self> {
        let builder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
            .and_then(|builder| builder.set_buckets_for_metric(Matcher::Suffix("_size".to_owned()), &SIZES))
            .map_err(Error::internal)?;
        let recorder = builder.build_recorder();
        let registry = Self { handle: recorder.handle(), recorder, process: Collector::default() };
        metrics::with_local_recorder(&registry.recorder, || registry.process.describe());
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        registry.gauge("parlance_build_info", "The version that runs; always 1.", &version).set(1.0);
        Ok(registry)
    }

    /// A number that only grows.
    pub fn counter(&self, name: &'static str, help: &'static str, labels: Labels<'_>) -> Counter {
        self.recorder.describe_counter(KeyName::from_const_str(name), None, help.into());
        self.recorder.register_counter(&key(name, labels), &HERE)
    }

    /// A number that goes up and down.
    pub fn gauge(&self, name: &'static str, help: &'static str, labels: Labels<'_>) -> Gauge {
        self.recorder.describe_gauge(KeyName::from_const_str(name), None, help.into());
        self.recorder.register_gauge(&key(name, labels), &HERE)
    }

    /// A distribution: of seconds where the name ends in `_seconds`, of batches where it ends in `_size`.
    pub fn histogram(&self, name: &'static str, help: &'static str, labels: Labels<'_>) -> Histogram {
        let unit = name.ends_with("_seconds").then_some(Unit::Seconds);
        self.recorder.describe_histogram(KeyName::from_const_str(name), unit, help.into());
        self.recorder.register_histogram(&key(name, labels), &HERE)
    }

    /// How many events of the log a consumer has not read yet, all orgs together. Whoever consumes the log sets it.
    pub fn events_behind(&self, consumer: &'static str) -> Gauge {
        let help = "Events of the log that this consumer has not read yet.";
        self.gauge("parlance_events_behind", help, &[("consumer", consumer)])
    }

    /// The text, in Prometheus's exposition format 0.0.4, with a fresh look at the process.
    #[must_use]
    pub fn render(&self) -> String {
        metrics::with_local_recorder(&self.recorder, || self.process.collect());
        self.handle.run_upkeep();
        self.handle.render()
    }

    /// Puts recorded samples into their buckets. Called every few seconds: samples wait in memory until then.
    pub fn upkeep(&self) {
        self.handle.run_upkeep();
    }
}

fn key(name: &'static str, labels: Labels<'_>) -> Key {
    let labels: Vec<_> = labels.iter().map(|(name, value)| Label::new(*name, (*value).to_owned())).collect();
    Key::from_parts(name, labels)
}

/// What the store itself measures, on either database.
#[derive(Clone)]
pub(crate) struct Measured {
    /// Reads that ended where they were asked for (SQLite alone).
    pub(crate) in_place: Histogram,
    /// Reads by the pool, with their wait for it. On SQLite: those that were not done within 3 ms.
    pub(crate) pool: Histogram,
    /// Writes, from the call to the answer.
    pub(crate) write: Histogram,
    /// Writes that found no place in the queue.
    pub(crate) refused: Counter,
    /// Writes in the queue or under way.
    pub(crate) depth: Gauge,
    /// What the driver's threads measure.
    pub(crate) batches: Batches,
}

impl Measured {
    pub(crate) fn new(registry: &Registry) -> Self {
        let read = |place| {
            let help = "Reads, by where they ran: in_place on the caller's thread, pool on a thread of the pool, waiting included.";
            registry.histogram("parlance_read_duration_seconds", help, &[("place", place)])
        };
        Self {
            in_place: read("in_place"),
            pool: read("pool"),
            write: registry.histogram("parlance_write_duration_seconds", "Writes, from the call to the answer after COMMIT.", &[]),
            refused: registry.counter("parlance_write_refused_total", "Writes that were refused because the queue was full.", &[]),
            depth: registry.gauge("parlance_write_queue_depth", "Writes that wait or run now; 8192 may.", &[]),
            batches: Batches::new(registry, "main"),
        }
    }
}

/// What the threads that write measure.
#[derive(Clone)]
pub(crate) struct Batches {
    /// Closures of a commit.
    pub(crate) size: Histogram,
    /// COMMIT itself: the fsync, or the answer of PostgreSQL.
    pub(crate) commit: Histogram,
    /// Batches that did not commit.
    pub(crate) failed: Counter,
    /// Bytes in SQLite's WAL.
    pub(crate) wal: Gauge,
    /// PASSIVE checkpoints of the WAL.
    pub(crate) checkpoints: Counter,
    /// RESTARTs of the WAL.
    pub(crate) restarts: Counter,
    /// RESTARTs that readers held up.
    pub(crate) held_up: Counter,
}

impl Batches {
    /// Of the writer of `main` data, or of the search `index`.
    pub(crate) fn new(registry: &Registry, of: &'static str) -> Self {
        let restart = |outcome| {
            let help = "Restarts of SQLite's write-ahead log between two batches, by outcome: done or held_up by readers.";
            registry.counter("parlance_sqlite_wal_restarts_total", help, &[("of", of), ("outcome", outcome)])
        };
        let of = &[("of", of)];
        Self {
            size: registry.histogram("parlance_write_batch_size", "Writes that shared one COMMIT.", of),
            commit: registry.histogram("parlance_write_commit_duration_seconds", "COMMIT alone.", of),
            failed: registry.counter("parlance_write_batches_failed_total", "Batches of writes that did not commit.", of),
            wal: registry.gauge("parlance_sqlite_wal_bytes", "Bytes in SQLite's write-ahead log since its last restart.", of),
            checkpoints: registry.counter(
                "parlance_sqlite_checkpoints_total",
                "Times that SQLite's write-ahead log was moved into the database beside the writer.",
                of,
            ),
            restarts: restart("done"),
            held_up: restart("held_up"),
        }
    }

    /// Runs COMMIT and notes how long it took and how many shared it.
    pub(crate) fn commit<T>(&self, size: usize, commit: impl FnOnce() -> Result<T>) -> Result<T> {
        let begun = std::time::Instant::now();
        let done = commit()?;
        self.commit.record(begun.elapsed());
        self.size.record(u32::try_from(size).unwrap_or(u32::MAX));
        Ok(done)
    }

    /// Measures into nothing: for tests of a driver alone.
    #[cfg(test)]
    pub(crate) fn unwatched() -> Self {
        let (histogram, counter) = (Histogram::noop(), Counter::noop());
        Self {
            size: histogram.clone(),
            commit: histogram,
            failed: counter.clone(),
            wal: Gauge::noop(),
            checkpoints: counter.clone(),
            restarts: counter.clone(),
            held_up: counter,
        }
    }
}

/// How often [`Registry::upkeep`] is due.
pub const UPKEEP: Duration = Duration::from_secs(5);
