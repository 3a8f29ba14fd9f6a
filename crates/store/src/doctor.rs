//! Recomputes what is promised (`docs/operating.md`, Doctor) and says where a row disagrees. Reads only, in chunks,
//! so that it can run beside a server under load.

mod contacts;
mod conversations;
mod messages;
mod search;

use std::collections::BTreeMap;

use parlance_model::Result;
use parlance_model::channel::Channel;
use parlance_model::conversation::{Standing, State};
use parlance_model::id::{OrgId, UserId};

use crate::db::params;
use crate::{OrgTx, Store, counter, org};

/// Something that disagrees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The org.
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

/// Checks every org: counters and the event log always, each conversation and message when `deep`.
///
/// # Errors
/// Those of the database.
pub async fn check(store: &Store, deep: bool) -> Result<Report> {
    let mut report = Report::default();
    for org in store.system_read(org::all).await? {
        report.orgs += 1;
        report.findings.extend(store.read(org.id, counters).await?);
        report.findings.extend(store.read(org.id, log).await?);
        if deep {
            contacts::check(store, org.id, &mut report).await?;
            conversations::check(store, org.id, &mut report).await?;
            messages::check(store, org.id, &mut report).await?;
            search::check(store, org.id, &mut report).await?;
        }
    }
    Ok(report)
}

fn finding(tx: &OrgTx<'_, '_>, invariant: &'static str, detail: String) -> Finding {
    Finding { org: tx.org(), invariant, detail }
}

fn counters(tx: &mut OrgTx<'_, '_>) -> Result<Vec<Finding>> {
    const RECOUNT: &str = "SELECT state, archived, channel, COALESCE(assigned_to, 0), COUNT(*),
            CAST(SUM(CASE WHEN unread_count > 0 THEN 1 ELSE 0 END) AS BIGINT), CAST(SUM(unread_count) AS BIGINT)
        FROM conversation WHERE org_id = $1 GROUP BY state, archived, channel, COALESCE(assigned_to, 0)";
    const CONTACTS: &str = "SELECT COUNT(*) FROM contact WHERE org_id = $1 AND redirect_to IS NULL";
    const KEPT: &str = "SELECT kind, key, n FROM counter WHERE org_id = $1 AND n <> 0";
    let rows = tx.query(RECOUNT, &[], |row| {
        let standing = Standing { state: row.word::<State>(0)?, archived: row.get(1)? };
        let (channel, assignee): (Channel, i64) = (row.word(2)?, row.get(3)?);
        let facets = counter::Facets { standing, channel, assigned_to: (assignee != 0).then_some(UserId(assignee)) };
        Ok((facets, [row.get::<i64>(4)?, row.get(5)?, row.get(6)?]))
    })?;
    let mut counts: BTreeMap<(String, String), (i64, i64)> = BTreeMap::new();
    for (facets, sums) in rows {
        for (kind, n) in counter::KINDS.into_iter().zip(sums).filter(|(_, n)| *n != 0) {
            counts.entry((kind.to_owned(), facets.key())).or_default().0 = n;
        }
    }
    let contacts: i64 = tx.query_one(CONTACTS, &[], |row| row.get(0))?;
    if contacts != 0 {
        counts.entry((counter::CONTACTS.to_owned(), String::new())).or_default().0 = contacts;
    }
    for (key, n) in tx.query(KEPT, &[], |row| Ok(((row.get(0)?, row.get(1)?), row.get::<i64>(2)?)))? {
        counts.entry(key).or_default().1 = n;
    }
    let wrong = counts.into_iter().filter(|(_, (recount, kept))| recount != kept);
    Ok(wrong
        .map(|((kind, key), (recount, kept))| {
            finding(tx, "counters equal a recount", format!("{kind} {key}: kept {kept}, recount {recount}"))
        })
        .collect())
}

fn log(tx: &mut OrgTx<'_, '_>) -> Result<Vec<Finding>> {
    const LOG: &str = "SELECT o.seq, COUNT(e.seq), COALESCE(MIN(e.seq), 1), COALESCE(MAX(e.seq), 0)
        FROM org o LEFT JOIN event e ON e.org_id = o.id WHERE o.id = $1 GROUP BY o.seq";
    let (seq, count, first, last) =
        tx.query_one(LOG, params![], |row| Ok((row.get::<i64>(0)?, row.get::<i64>(1)?, row.get::<i64>(2)?, row.get::<i64>(3)?)))?;
    let gapless = count == last - first + 1 && (last == seq || (count == 0 && last == 0));
    let detail = format!("{count} events from {first} to {last}, and the org is at {seq}");
    Ok(if gapless { Vec::new() } else { vec![finding(tx, "seq is gapless", detail)] })
}
