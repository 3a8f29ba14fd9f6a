//! `migrate` and `doctor`.

use parlance_model::{Error, Result};
use parlance_store::doctor::{self, Report};
use serde_json::json;

use crate::cli::PlaceArgs;
use crate::output::{Form, say};
use crate::place;
use crate::progress::watched;

pub(crate) fn migrate(args: &PlaceArgs, form: Form) -> Result<()> {
    let place = args.place()?;
    let ran = if parlance_store::is_current(&place)? {
        Vec::new()
    } else {
        // A schema does not change under a server that runs.
        let _lock = place::lock(args)?;
        parlance_store::migrate(&place, &place::setup(args, false)?)?
    };
    match form {
        Form::Json => say(&json!({ "applied": ran }).to_string()),
        Form::Text if ran.is_empty() => say("up to date"),
        Form::Text => ran.iter().try_for_each(|name| say(&format!("applied {name}"))),
    }
}

pub(crate) fn doctor(args: &PlaceArgs, form: Form, deep: bool) -> Result<()> {
    let report = if deep {
        let (place, setup) = (args.place()?, place::setup(args, false)?);
        watched(move |watch| {
            doctor::examine(&place, setup, &std::env::temp_dir(), watch, |checks| tokio::runtime::Handle::current().block_on(checks))
        })?
    } else {
        quick(args)?
    };
    let sound = report.findings.is_empty();
    if form == Form::Json {
        let findings = report.findings.iter();
        let findings: Vec<_> =
            findings.map(|found| json!({ "org_id": found.org.0, "invariant": found.invariant, "detail": found.detail })).collect();
        let (conversations, messages) = (deep.then_some(report.conversations), deep.then_some(report.messages));
        let counts =
            json!({ "ok": sound, "orgs": report.orgs, "conversations": conversations, "messages": messages, "findings": findings });
        say(&counts.to_string())?;
    } else {
        for finding in &report.findings {
            let whose = if finding.org.0 == 0 { "installation".to_owned() } else { format!("org {}", finding.org) };
            say(&format!("{whose}: {}: {}", finding.invariant, finding.detail))?;
        }
    }
    if !sound {
        let message = format!("{} rows disagree with what is promised. Keep a backup and report this as a bug.", report.findings.len());
        return Err(Error::conflict("doctor_found", message));
    }
    if form == Form::Json {
        return Ok(());
    }
    let depth = if deep { format!(", {} conversations, {} messages", report.conversations, report.messages) } else { String::new() };
    say(&format!("ok: {} organisations{depth}", report.orgs))
}

/// Counters and the event log.
pub(crate) fn quick(args: &PlaceArgs) -> Result<Report> {
    place::once(args, false, async |app| doctor::check(app.store(), false).await)
}
