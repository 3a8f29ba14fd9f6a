//! `bench`: what a measurement reports, and what all of them share. One module each: `ingest`, `footprint`, `list`, `mixed`.

mod ask;
pub mod footprint;
pub mod ingest;
mod kinds;
pub mod list;
pub mod mixed;
mod office;
mod subject;
mod target;
mod usage;

use std::future::Future;
use std::time::Duration;

use parlance_model::{Error, Result};
use parlance_store::watch::{self, Watch};
use serde_json::Value;
use tokio::time::MissedTickBehavior;

/// How often work that says nothing of itself is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// What was measured, for people and programs.
#[derive(Debug)]
pub struct Report {
    /// What it was measured on: the database's own settings, and sizes.
    pub settings: Vec<(String, Value)>,
    /// The names of the columns, units in them.
    pub columns: &'static [&'static str],
    /// A row for each thing measured. `null` where a column means nothing.
    pub rows: Vec<Vec<Value>>,
}

/// Waits for work, and looks meanwhile: at whatever the caller wants to see, and whether somebody wants it stopped.
///
/// # Errors
/// The work's own; `cancelled`.
async fn heeding<T>(watch: &dyn Watch, work: impl Future<Output = Result<T>>, mut look: impl FnMut()) -> Result<T> {
    let mut work = std::pin::pin!(work);
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            done = &mut work => return done,
            _ = looks.tick() => {
                look();
                watch::go_on(watch)?;
            }
        }
    }
}

/// The one in the middle; of an even number, the lower of the two.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or_default()
}

/// A number with so many digits after the point.
fn rounded(value: f64, digits: i32) -> Value {
    let scale = 10_f64.powi(digits);
    ((value * scale).round() / scale).into()
}

#[expect(clippy::cast_precision_loss, reason = "what is counted here is far below 2^53")]
const fn float(value: u64) -> f64 {
    value as f64
}

fn unreadable(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::unavailable("What this process uses cannot be read. The measurements need Linux's /proc.", 1).with_source(cause)
}

/// A temporary folder, in this one where it is given.
fn folder(inside: Option<&std::path::Path>) -> Result<tempfile::TempDir> {
    let mut builder = tempfile::Builder::new();
    let made = builder.prefix("parlance-bench-");
    let made = inside.map_or_else(|| made.tempdir(), |inside| made.tempdir_in(inside));
    made.map_err(|cause| Error::unavailable("No temporary folder can be made. --scratch takes another place.", 1).with_source(cause))
}

/// An empty database of a test. Blocks.
#[cfg(test)]
fn fresh(database: parlance_testkit::Database) -> (parlance_testkit::FreshDatabase, parlance_store::Place) {
    use parlance_store::{Durability, Place};
    use parlance_testkit::FreshDatabase;

    let fresh = database.fresh();
    let place = match &fresh {
        FreshDatabase::Sqlite(folder) => Place::Sqlite { data: folder.path().to_owned(), durability: Durability::Full },
        FreshDatabase::Postgres(url) => Place::Postgres { url: url.clone() },
    };
    (fresh, place)
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn the_median_is_in_the_middle() {
        assert!((median(vec![9.0, 1.0, 5.0]) - 5.0).abs() < f64::EPSILON);
        assert!((median(vec![4.0, 1.0, 3.0, 2.0]) - 2.0).abs() < f64::EPSILON);
    }
}
