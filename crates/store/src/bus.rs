//! Wake-up calls inside the process, sent after COMMIT and before the writer is told. They carry no facts: whoever wakes reads the database.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parlance_model::id::OrgId;
use tokio::sync::broadcast;

/// What somebody may want to wake up for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// The org's event log grew.
    Events(OrgId),
    /// There is a new job.
    Jobs,
    /// Who may call or whose account is whose has changed.
    Directory,
}

/// The sending side, shared by every database thread.
#[derive(Debug, Clone)]
pub struct Bus {
    signals: broadcast::Sender<Signal>,
    directory: Arc<AtomicU64>,
}

impl Bus {
    pub(crate) fn new() -> Self {
        // A slow listener loses signals and not facts: it reads the database when it wakes, and polls besides.
        Self { signals: broadcast::Sender::new(1024), directory: Arc::default() }
    }

    pub(crate) fn send(&self, signal: Signal) {
        if signal == Signal::Directory {
            self.directory.fetch_add(1, Ordering::SeqCst);
        }
        // Nobody listening is fine.
        let _ = self.signals.send(signal);
    }

    /// Listens from now on.
    #[must_use]
    pub fn listen(&self) -> broadcast::Receiver<Signal> {
        self.signals.subscribe()
    }

    /// A number that is another one after each commit of this process that changed the directory ([`recent`](crate::recent)).
    pub(crate) fn directory(&self) -> u64 {
        self.directory.load(Ordering::SeqCst)
    }
}
