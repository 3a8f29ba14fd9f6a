//! The journal of what the server acknowledged. A line is on the disk before it counts.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use parlance_model::{Error, Result};
use serde::Serialize;

/// Something that the server answered 2xx to.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub(super) enum Acknowledged {
    /// A customer's message. Its text occurs once.
    Inbound { text: String },
    /// A message to a customer, and the id that it got. Its text occurs once.
    Outbound { text: String, id: i64 },
    /// A customer asked for no more messages: this text, which was written to them afterwards, must never go out.
    Stopped { text: String },
    /// A file, and the SHA-256 of its content in hexadecimal digits.
    File { id: i64, sha256: String },
    /// A conversation's state: the newest of each conversation counts.
    Handled { conversation: i64, turn: u64, assigned_to: Option<i64> },
}

/// The journal. It also knows what clients found wrong on the way, and whether the load is to end.
pub(super) struct Journal {
    file: Arc<Mutex<File>>,
    entries: Mutex<Vec<Acknowledged>>,
    wrong: Mutex<Vec<String>>,
    stopped: AtomicBool,
}

impl Journal {
    pub(super) fn create(path: &Path) -> Result<Self> {
        let file = File::create_new(path).map_err(Error::internal)?;
        Ok(Self { file: Arc::new(Mutex::new(file)), entries: Mutex::default(), wrong: Mutex::default(), stopped: AtomicBool::new(false) })
    }

    /// Writes an entry down for good.
    pub(super) async fn write(&self, entry: Acknowledged) {
        let (file, line) = (Arc::clone(&self.file), serde_json::to_string(&entry));
        let written = tokio::task::spawn_blocking(move || {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            writeln!(file, "{}", line?)?;
            file.sync_data()
        });
        match written.await {
            Ok(Ok(())) => self.entries.lock().unwrap_or_else(PoisonError::into_inner).push(entry),
            Ok(Err(cause)) => self.complain(format!("the journal cannot be written: {cause}")),
            Err(cause) => self.complain(format!("the journal cannot be written: {cause}")),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// The entries from this one on.
    pub(super) fn since(&self, first: usize) -> Vec<Acknowledged> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)[first..].to_vec()
    }

    /// Notes that a client was answered what it must not be.
    pub(super) fn complain(&self, what: String) {
        self.wrong.lock().unwrap_or_else(PoisonError::into_inner).push(what);
    }

    pub(super) fn complaints(&self) -> Vec<String> {
        self.wrong.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lets each client end what it is at.
    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }
}
