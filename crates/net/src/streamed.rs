//! An answer whose body is still on its way.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use tokio::time::timeout;

use crate::client::failure;
use crate::request::Failure;

/// An answer of any status, with a body that is read chunk by chunk. Dropping it ends the connection.
pub struct Streamed {
    origin: String,
    answer: reqwest::Response,
    pause: Duration,
}

impl Streamed {
    pub(crate) fn new(origin: String, answer: reqwest::Response, pause: Duration) -> Self {
        Self { origin, answer, pause }
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.answer.status()
    }

    /// The headers.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        self.answer.headers()
    }

    /// The next bytes of the body; `None` at its end.
    ///
    /// # Errors
    /// [`Failure::Lost`] when the connection breaks before that, or the time runs out.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Failure> {
        match timeout(self.pause, self.answer.chunk()).await {
            Ok(chunk) => chunk.map_err(|error| failure(&self.origin, &error)),
            Err(_) => Err(Failure::Lost(format!("{} gave no whole answer: the time ran out.", self.origin))),
        }
    }
}

impl fmt::Debug for Streamed {
    /// Headers and body may hold secrets, so only the status is told.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Streamed({})", self.status())
    }
}
