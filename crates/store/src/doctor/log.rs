//! The event log: no number is missing between its first entry and the org's own.

use parlance_model::Result;
use parlance_model::id::OrgId;

use super::{Finding, finding};
use crate::db::params;
use crate::watch::{self, Watch};
use crate::{OrgTx, Store, event};

/// Entries that one read looks at.
const ROWS: i64 = 20_000;

pub(super) async fn check(store: &Store, org: OrgId, watch: &dyn Watch) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    let mut after = store.read(org, event::swept_through).await?;
    loop {
        watch::go_on(watch)?;
        let (last, found) = store.read(org, move |tx| chunk(tx, after)).await?;
        findings.extend(found);
        match last {
            Some(last) => after = last,
            None => return Ok(findings),
        }
    }
}

/// The entries after this one. At the log's end, `None`, and the org's own number was looked at.
fn chunk(tx: &mut OrgTx<'_, '_>, after: i64) -> Result<(Option<i64>, Option<Finding>)> {
    const NEXT: &str = "SELECT COUNT(*), COALESCE(MIN(seq), 0), COALESCE(MAX(seq), 0)
        FROM (SELECT seq FROM event WHERE org_id = $1 AND seq > $2 ORDER BY seq LIMIT $3) next";
    const SEQ: &str = "SELECT seq FROM org WHERE id = $1";
    let (count, first, last) =
        tx.query_one(NEXT, params![after, ROWS], |row| Ok((row.get::<i64>(0)?, row.get::<i64>(1)?, row.get::<i64>(2)?)))?;
    let found = |detail| finding(tx.org(), "seq is gapless", detail);
    if count == 0 {
        let seq: i64 = tx.query_one(SEQ, &[], |row| row.get(0))?;
        let detail = || format!("the last event is {after}, and the org is at {seq}");
        return Ok((None, (after != seq).then(|| finding(tx.org(), "seq is gapless", detail()))));
    }
    let gapless = count == last - first + 1 && first == after + 1;
    let detail = || format!("{count} events after {after}, from {first} to {last}");
    let gap = (!gapless).then(|| found(detail()));
    // The log's start may have been swept meanwhile.
    let swept = gap.is_some() && event::swept_through(tx)? > after;
    Ok((Some(last), gap.filter(|_| !swept)))
}
