//! Copies files of inbound messages from their provider into the media store.

use parlance_model::id::MessageId;
use parlance_model::job::Claimed;
use parlance_model::{Error, Result};

use crate::App;

/// Runs a job to its end.
pub(crate) async fn run(_app: &App, _claimed: &Claimed, _message: MessageId, _index: usize) -> Result<()> {
    Err(Error::internal("not built"))
}
