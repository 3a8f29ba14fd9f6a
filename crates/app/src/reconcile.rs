//! Finds out by the provider's own list whether an attempt whose answer was lost went out.

use parlance_model::id::AttemptId;
use parlance_model::job::Claimed;
use parlance_model::{Error, Result};

use crate::App;

/// Runs a job to its end.
pub(crate) async fn run(_app: &App, _claimed: &Claimed, _attempt: AttemptId) -> Result<()> {
    Err(Error::internal("not built"))
}
