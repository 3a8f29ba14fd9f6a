//! Each counter against a recount, a bounded number of rows at a time.

use std::collections::BTreeMap;

use parlance_model::Result;
use parlance_model::conversation::{Standing, State};
use parlance_model::id::{ContactId, OrgId};

use super::conversations::Place;
use super::{Finding, finding};
use crate::db::params;
use crate::watch::{self, Watch};
use crate::{OrgTx, Store, counter};

/// Rows that one read counts: well below the two seconds that a read may take.
const ROWS: i64 = 10_000;
/// How often an org that is written to meanwhile is counted anew.
const TRIES: usize = 5;

/// Kind and key, with one sum.
type Sums = BTreeMap<(String, String), i64>;

/// Kind and key, with what was kept and what was counted.
type Counts = BTreeMap<(String, String), (i64, i64)>;

/// Counts, and compares with what is kept. Where the org was written to meanwhile, a difference says nothing: it is
/// counted again.
pub(super) async fn check(store: &Store, org: OrgId, watch: &dyn Watch) -> Result<Vec<Finding>> {
    for _ in 0..TRIES {
        let before = store.read(org, kept).await?;
        let mut counts = recount(store, org, watch).await?;
        let after = store.read(org, kept).await?;
        let unmoved = before == after;
        for (key, n) in after.1 {
            counts.entry(key).or_default().0 = n;
        }
        let wrong: Vec<_> = counts.into_iter().filter(|(_, (kept, recount))| kept != recount).collect();
        if wrong.is_empty() || unmoved {
            let of = |((kind, key), (kept, recount))| {
                finding(org, "counters equal a recount", format!("{kind} {key}: kept {kept}, recount {recount}"))
            };
            return Ok(wrong.into_iter().map(of).collect());
        }
    }
    tracing::warn!(org = %org, "too much is written to compare the counters; doctor --deep compares a copy");
    Ok(Vec::new())
}

/// What is kept, with the org's last event: the same before and after, when nothing that is counted changed meanwhile.
fn kept(tx: &mut OrgTx<'_, '_>) -> Result<(i64, Sums)> {
    const SEQ: &str = "SELECT seq FROM org WHERE id = $1";
    const KEPT: &str = "SELECT kind, key, n FROM counter WHERE org_id = $1 AND n <> 0";
    let seq = tx.query_one(SEQ, &[], |row| row.get(0))?;
    let kept = tx.query(KEPT, &[], |row| Ok(((row.get(0)?, row.get(1)?), row.get(2)?)))?;
    Ok((seq, kept.into_iter().collect()))
}

async fn recount(store: &Store, org: OrgId, watch: &dyn Watch) -> Result<Counts> {
    let mut counts = Counts::new();
    let mut after = Some(Place::default());
    while let Some(start) = after {
        watch::go_on(watch)?;
        let (last, chunk) = store.read(org, move |tx| conversations(tx, &start)).await?;
        for (key, n) in chunk {
            counts.entry(key).or_default().1 += n;
        }
        after = last;
    }
    let mut after = Some(ContactId(0));
    while let Some(start) = after {
        watch::go_on(watch)?;
        let (last, living) = store.read(org, move |tx| contacts(tx, start)).await?;
        counts.entry((counter::CONTACTS.to_owned(), String::new())).or_default().1 += living;
        after = last;
    }
    Ok(counts)
}

type Chunk = (Option<Place>, Sums);

fn conversations(tx: &mut OrgTx<'_, '_>, after: &Place) -> Result<Chunk> {
    const NEXT: &str = "SELECT account_id, state, archived, channel, assigned_to, unread_count, session_key
        FROM conversation WHERE org_id = $1 AND (account_id, session_key) > ($2, $3) ORDER BY account_id, session_key LIMIT $4";
    let (mut last, mut counts) = (None, BTreeMap::new());
    tx.query(NEXT, params![after.0, &after.1, ROWS], |row| {
        last = Some((row.get(0)?, row.get(6)?));
        let standing = Standing { state: row.word::<State>(1)?, archived: row.get(2)? };
        let facets = counter::Facets { standing, channel: row.word(3)?, assigned_to: row.get(4)? };
        let unread: i64 = row.get(5)?;
        for (kind, n) in counter::KINDS.into_iter().zip([1, i64::from(unread > 0), unread]) {
            for counted in facets.rows(kind) {
                *counts.entry(counted).or_default() += n;
            }
        }
        Ok(())
    })?;
    Ok((last, counts))
}

fn contacts(tx: &mut OrgTx<'_, '_>, after: ContactId) -> Result<(Option<ContactId>, i64)> {
    const NEXT: &str = "SELECT id, redirect_to IS NULL FROM contact WHERE org_id = $1 AND id > $2 ORDER BY id LIMIT $3";
    let rows = tx.query(NEXT, params![after, ROWS], |row| Ok((row.get(0)?, row.get::<bool>(1)?)))?;
    let living = rows.iter().filter(|(_, living)| *living).count();
    Ok((rows.last().map(|(id, _)| *id), i64::try_from(living).unwrap_or(i64::MAX)))
}
