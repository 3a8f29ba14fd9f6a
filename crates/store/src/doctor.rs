//! Recomputes what is promised (`docs/operating.md`, Doctor) and says where a row disagrees. Reads only, in chunks. The
//! quick look runs on the database as it is; the deep one on one moment of it, and beside a server under load.

mod attempts;
mod contacts;
mod conversations;
mod counters;
mod log;
mod media;
mod messages;
mod references;
mod search;
mod whole;

use std::path::Path;

use parlance_model::Result;
use parlance_model::id::OrgId;

use crate::watch::{Unwatched, Watch};
use crate::{Place, Setup, Store, org};

/// Something that disagrees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The org; 0 for the installation as a whole.
    pub org: OrgId,
    /// Which invariant.
    pub invariant: &'static str,
    /// The row, and what it should be.
    pub detail: String,
}

/// What was looked at, and what was found.
#[derive(Debug, Default)]
pub struct Report {
    /// Orgs looked at.
    pub orgs: usize,
    /// Conversations recounted (deep only).
    pub conversations: usize,
    /// Messages recomputed (deep only).
    pub messages: usize,
    /// What disagrees.
    pub findings: Vec<Finding>,
}

/// Rows a read transaction looks at.
const CHUNK: i64 = 500;

/// Checks every org: counters and the event log always, each row when `deep`. For a deep look beside a server that writes,
/// there is [`examine`].
///
/// # Errors
/// Those of the database.
pub async fn check(store: &Store, deep_too: bool) -> Result<Report> {
    let (mut report, watch) = (Report::default(), Unwatched::default());
    if deep_too {
        deep(store, &watch, &mut report).await?;
        searches(store, &mut report).await?;
        return Ok(report);
    }
    for org in store.system_read(org::all).await? {
        report.orgs += 1;
        quick(store, org.id, &watch, &mut report).await?;
    }
    Ok(report)
}

/// Checks everything as it is at one moment: a copy of the embedded database, which takes as much room in `scratch` as the
/// database has, or one snapshot of PostgreSQL. Blocks; `run` runs the asynchronous part to its end.
///
/// # Errors
/// `no_database`, `schema_too_old`, `schema_too_new`; those of the database; `cancelled`.
pub fn examine<R>(place: &Place, setup: Setup, scratch: &Path, watch: &dyn Watch, run: R) -> Result<Report>
where
    R: for<'a> Fn(std::pin::Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>>) -> Result<()>,
{
    let (mut report, live) = (Report::default(), setup.clone());
    let checked = whole::open(place, setup, scratch, watch, &mut report)
        .and_then(|(store, _snapshot)| run(Box::pin(deep(&store, watch, &mut report))))
        .and_then(|()| match Store::open_beside(place, live) {
            Err(error) if error.code() == "search_unfit" => {
                report.findings.push(finding(OrgId(0), "the search index is this database's", error.message().to_owned()));
                Ok(())
            }
            opened => opened.and_then(|store| run(Box::pin(searches(&store, &mut report)))),
        });
    match checked {
        // A damaged file cannot be read everywhere, and without an index some reads take too long. That much was found.
        Err(error) if !report.findings.is_empty() && error.code() != "cancelled" => {
            tracing::warn!(?error, "not every row could be checked");
            Ok(report)
        }
        checked => checked.map(|()| report),
    }
}

async fn quick(store: &Store, org: OrgId, watch: &dyn Watch, report: &mut Report) -> Result<()> {
    report.findings.extend(counters::check(store, org, watch).await?);
    report.findings.extend(log::check(store, org, watch).await?);
    Ok(())
}

async fn deep(store: &Store, watch: &dyn Watch, report: &mut Report) -> Result<()> {
    for org in store.system_read(org::all).await? {
        report.orgs += 1;
        quick(store, org.id, watch, report).await?;
        contacts::check(store, org.id, report).await?;
        conversations::check(store, org.id, report, watch).await?;
        messages::check(store, org.id, report, watch).await?;
        report.findings.extend(attempts::check(store, org.id, watch).await?);
        report.findings.extend(references::check(store, org.id, watch).await?);
        report.findings.extend(media::check(store, org.id, watch).await?);
    }
    Ok(())
}

/// The index says itself how far it has read, so it is compared as it is.
async fn searches(store: &Store, report: &mut Report) -> Result<()> {
    for org in store.system_read(org::all).await? {
        search::check(store, org.id, report).await?;
    }
    Ok(())
}

fn finding(org: OrgId, invariant: &'static str, detail: String) -> Finding {
    Finding { org, invariant, detail }
}
