//! `migrate` and `doctor`.

use std::path::PathBuf;

use parlance_app::media::{self, Inspected};
use parlance_model::{Error, Result};
use parlance_store::Store;
use parlance_store::doctor::{self, Finding, Report};
use parlance_store::watch::Unwatched;
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

pub(crate) fn doctor(args: &PlaceArgs, form: Form, deep: bool, scratch: Option<PathBuf>) -> Result<()> {
    let (files, place, setup) = (args.files()?, args.place()?, place::setup(args, false)?);
    let (report, inspected) = if deep {
        let scratch = scratch.unwrap_or_else(|| args.data.clone());
        watched(move |watch| {
            let runtime = tokio::runtime::Handle::current();
            let report = doctor::examine(&place, setup.clone(), &scratch, watch, |checks| runtime.block_on(checks))?;
            let inspected = match Store::open_beside(&place, setup) {
                // That was found already.
                Err(error) if error.code() == "search_unfit" => None,
                opened => Some(runtime.block_on(media::inspect(&opened?, &files, true, watch))?),
            };
            Ok((report, inspected))
        })?
    } else {
        beside(args, async |store| {
            let report = doctor::check(&store, false).await?;
            Ok((report, Some(media::inspect(&store, &files, false, &Unwatched::default()).await?)))
        })?
    };
    tell(&report, inspected.as_ref(), form, deep)
}

/// Counters and the event log.
pub(crate) fn quick(args: &PlaceArgs) -> Result<Report> {
    beside(args, async |store| doctor::check(&store, false).await)
}

/// Looks at what is there as it is.
fn beside<T>(args: &PlaceArgs, look: impl AsyncFnOnce(Store) -> Result<T>) -> Result<T> {
    let runtime = place::runtime()?;
    let store = {
        let _context = runtime.enter();
        Store::open_beside(&args.place()?, place::setup(args, false)?)?
    };
    runtime.block_on(look(store))
}

/// Says what was found, and fails when something disagrees.
pub(crate) fn tell(report: &Report, inspected: Option<&Inspected>, form: Form, deep: bool) -> Result<()> {
    let findings: Vec<_> = report.findings.iter().chain(inspected.iter().flat_map(|inspected| &inspected.findings)).collect();
    let notices: Vec<_> = inspected.iter().flat_map(|inspected| &inspected.notices).collect();
    let files = inspected.map(|inspected| inspected.files);
    if form == Form::Json {
        let shown = |found: &[&Finding]| -> Vec<_> {
            let found = found.iter();
            found.map(|found| json!({ "org_id": found.org.0, "invariant": found.invariant, "detail": found.detail })).collect()
        };
        let (conversations, messages) = (deep.then_some(report.conversations), deep.then_some(report.messages));
        let counts = json!({ "ok": findings.is_empty(), "orgs": report.orgs, "conversations": conversations, "messages": messages,
            "files": files, "findings": shown(&findings), "notices": shown(&notices) });
        say(&counts.to_string())?;
    } else {
        for (word, found) in findings.iter().map(|found| ("", found)).chain(notices.iter().map(|found| ("notice: ", found))) {
            let whose = if found.org.0 == 0 { "installation".to_owned() } else { format!("org {}", found.org) };
            say(&format!("{word}{whose}: {}: {}", found.invariant, found.detail))?;
        }
    }
    if !findings.is_empty() {
        let message = format!("{} rows or files disagree with what is promised. Keep a backup and report this as a bug.", findings.len());
        return Err(Error::conflict("doctor_found", message));
    }
    if form == Form::Json {
        return Ok(());
    }
    let files = files.map_or_else(String::new, |files| format!(", {files} files"));
    let depth = if deep { format!(", {} conversations, {} messages", report.conversations, report.messages) } else { String::new() };
    say(&format!("ok: {} organisations{files}{depth}", report.orgs))
}
