//! `migrate` and `doctor`.

use parlance_model::{Error, Result};
use parlance_store::doctor;

use crate::cli::PlaceArgs;
use crate::output::say;
use crate::place;

pub(crate) fn migrate(args: &PlaceArgs) -> Result<()> {
    let place = args.place()?;
    if parlance_store::is_current(&place)? {
        return say("up to date");
    }
    // A schema does not change under a server that runs.
    let _lock = place::lock(args)?;
    let ran = parlance_store::migrate(&place, &place::setup(args, false)?)?;
    ran.iter().try_for_each(|name| say(&format!("applied {name}")))
}

pub(crate) fn doctor(args: &PlaceArgs, deep: bool) -> Result<()> {
    let report = place::once(args, false, async |app| doctor::check(app.store(), deep).await)?;
    for finding in &report.findings {
        say(&format!("org {}: {}: {}", finding.org, finding.invariant, finding.detail))?;
    }
    if !report.findings.is_empty() {
        let message = format!("{} rows disagree with what is promised. Keep a backup and report this as a bug.", report.findings.len());
        return Err(Error::conflict("doctor_found", message));
    }
    let depth = if deep { format!(", {} conversations, {} messages", report.conversations, report.messages) } else { String::new() };
    say(&format!("ok: {} organisations{depth}", report.orgs))
}
