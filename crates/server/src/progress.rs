//! Progress bars on a terminal, nothing on a pipe; and work that Ctrl-C ends cleanly.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressStyle};
use parlance_model::{Error, Result};
use parlance_store::watch::{Unit, Watch};
use tokio::signal::unix::{SignalKind, signal};

use crate::command::serve::{SIGXFSZ, ended};
use crate::place::runtime;

/// A bar for each stage, on standard error. indicatif shows it on a terminal only.
struct Progress {
    bar: Mutex<ProgressBar>,
    cancelled: AtomicBool,
}

impl Watch for Progress {
    fn stage(&self, what: &'static str, total: Option<u64>, unit: Unit) {
        let numbers = match (unit, total) {
            (Unit::Bytes, Some(_)) => "[{bar:30}] {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left",
            (Unit::Bytes, None) => "{bytes}, {bytes_per_sec}",
            (Unit::Rows, Some(_)) => "[{bar:30}] {human_pos} of {human_len}, {per_sec}, {eta} left",
            (Unit::Rows, None) => "{human_pos}, {per_sec}",
        };
        // The text is one of the four above, so it is always a template.
        let style = ProgressStyle::with_template(&format!("{{msg:24}} {numbers}")).unwrap_or_else(|_| ProgressStyle::default_bar());
        let next = total.map_or_else(ProgressBar::no_length, ProgressBar::new).with_style(style).with_message(what);
        let mut bar = self.bar.lock().unwrap_or_else(PoisonError::into_inner);
        bar.finish_and_clear();
        *bar = next;
    }

    fn advance(&self, by: u64) {
        self.bar.lock().unwrap_or_else(PoisonError::into_inner).inc(by);
    }

    fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::SeqCst)
    }
}

/// Runs work that takes its time, under a bar. SIGTERM and Ctrl-C ask it to stop, and it takes away what it began.
pub(crate) fn watched<T, F>(work: F) -> Result<T>
where
    F: FnOnce(&dyn Watch) -> Result<T> + Send + 'static,
    T: Send + 'static,
{
    let progress = Arc::new(Progress { bar: Mutex::new(ProgressBar::hidden()), cancelled: AtomicBool::new(false) });
    let result = runtime()?.block_on(async {
        // A file that outgrows the limit set by `ulimit -f` is a write that fails, like a full disk.
        let _file_limit = signal(SignalKind::from_raw(SIGXFSZ)).map_err(Error::internal)?;
        let watch = Arc::clone(&progress);
        let mut work = tokio::task::spawn_blocking(move || work(watch.as_ref()));
        tokio::select! {
            done = &mut work => return done.map_err(Error::internal)?,
            asked = ended() => asked?,
        }
        progress.cancelled.store(true, Ordering::SeqCst);
        tokio::select! {
            done = &mut work => done.map_err(Error::internal)?,
            // Asked again: it may hang, such as on a pipe that nobody reads.
            _ = ended() => std::process::exit(1),
        }
    });
    progress.bar.lock().unwrap_or_else(PoisonError::into_inner).finish_and_clear();
    result
}
