//! Wake-up calls inside the process, sent after COMMIT. They carry no facts: whoever wakes reads the database.

use parlance_model::id::OrgId;
use tokio::sync::broadcast;

/// What somebody may want to wake up for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// The org's event log grew.
    Events(OrgId),
    /// There is a new job.
    Jobs,
}

/// The sending side, shared by every database thread.
#[derive(Debug, Clone)]
pub struct Bus(broadcast::Sender<Signal>);

impl Bus {
    pub(crate) fn new() -> Self {
        // A slow listener loses signals and not facts: it reads the database when it wakes, and polls besides.
        Self(broadcast::Sender::new(1024))
    }

    pub(crate) fn send(&self, signal: Signal) {
        // Nobody listening is fine.
        let _ = self.0.send(signal);
    }

    /// Listens from now on.
    #[must_use]
    pub fn listen(&self) -> broadcast::Receiver<Signal> {
        self.0.subscribe()
    }
}
