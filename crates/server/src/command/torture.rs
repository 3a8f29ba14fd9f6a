//! `torture`: kills servers of this binary, and says which promises they kept.

use std::time::Duration;

use parlance_model::{Error, Result, entropy};
use parlance_rig::torture::{Options, Report, run as torture};
use serde_json::json;
use tokio::runtime::Handle;

use crate::cli::{PlaceArgs, TortureArgs};
use crate::output::Form;
use crate::place::parts;
use crate::progress::watched;

pub(crate) fn run(place: &PlaceArgs, form: Form, args: TortureArgs) -> Result<()> {
    let seed = args.seed.unwrap_or_else(|| u64::from(u32::from_le_bytes(entropy::bytes(parts().entropy.as_ref()))));
    let options = Options {
        binary: std::env::current_exe().map_err(Error::internal)?,
        database_url: place.database_url.clone(),
        seed,
        kills: args.kills,
        ready_within: Duration::from_secs(args.ready_within),
        settle: Duration::from_secs(args.settle),
        doctor_every: args.doctor_every,
        answers_early: args.answers_early,
    };
    let report = watched(move |watch| Handle::current().block_on(torture(&options, watch)))?;
    tell(form, &report)
}

/// # Errors
/// `promise_broken`, with where the evidence is.
fn tell(form: Form, report: &Report) -> Result<()> {
    form.record(vec![
        ("seed", report.seed.into()),
        ("kills", report.kills.into()),
        ("kills_at_steps", report.kills_at_steps.into()),
        ("full_disks", report.full_disks.into()),
        ("cuts", report.cuts.into()),
        ("acknowledged", report.acknowledged.into()),
        ("found", report.found.into()),
        ("doubled", report.doubled.into()),
        ("unknown", report.unknown.into()),
        ("sent", report.sent.into()),
        ("slowest_start_ms", json!(report.slowest_start.as_millis())),
        ("wrong", json!(report.wrong)),
        ("evidence", json!(report.evidence)),
    ])?;
    match &report.evidence {
        None => Ok(()),
        Some(folder) => {
            let text = format!(
                "The server broke {} promises. Its data, its log and the journal of what it acknowledged are in {}.",
                report.wrong.len(),
                folder.display()
            );
            Err(Error::conflict("promise_broken", text))
        }
    }
}
