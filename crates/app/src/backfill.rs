//! Compares an account's lists at its provider with what came by hooks, and stores what is missing, as history.

use parlance_model::id::AccountId;
use parlance_model::job::Claimed;
use parlance_model::{Error, Result};

use crate::App;

/// Runs a job to its end.
pub(crate) async fn run(_app: &App, _claimed: &Claimed, _account: AccountId) -> Result<()> {
    Err(Error::internal("not built"))
}

/// Finds a call that a hook named and nobody here knows.
pub(crate) async fn find_call(_app: &App, _claimed: &Claimed, _account: AccountId, _provider_id: &str) -> Result<()> {
    Err(Error::internal("not built"))
}
