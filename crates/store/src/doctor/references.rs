//! What the other modules do not read row by row: accounts of hooks and receipts, people, keys and routes. All of it is
//! small, or found by leaping from one value of an index to the next.

use parlance_model::Result;
use parlance_model::id::{OrgId, UserId};

use super::{Finding, finding};
use crate::db::params;
use crate::watch::{self, Watch};
use crate::{OrgTx, Store};

const FOREIGN: &str = "no row points into another org";

/// A question that answers with what dangles, as text. `$1` is the org.
type Question = (&'static str, &'static str);

/// Small tables, read whole.
const WHOLE: &[Question] = &[
    (
        "staff without a user",
        "SELECT CAST(s.user_id AS TEXT) FROM staff s WHERE s.org_id = $1 AND NOT EXISTS (SELECT 1 FROM \"user\" u WHERE u.id = s.user_id)",
    ),
    (
        "key of somebody who is not staff",
        "SELECT CAST(k.id AS TEXT) FROM api_key k WHERE k.org_id = $1 AND k.user_id IS NOT NULL AND k.revoked_ms IS NULL
            AND NOT EXISTS (SELECT 1 FROM \"user\" u WHERE u.id = k.user_id)",
    ),
    (
        "route to no account",
        "SELECT r.kind FROM account_route r WHERE r.org_id = $1
            AND NOT EXISTS (SELECT 1 FROM account a WHERE a.org_id = r.org_id AND a.id = r.account_id)",
    ),
    (
        "session of no user",
        "SELECT CAST(s.id AS TEXT) FROM session s WHERE (s.org_id = $1 OR s.org_id IS NULL)
            AND NOT EXISTS (SELECT 1 FROM \"user\" u WHERE u.id = s.user_id)",
    ),
    (
        "hook neither applied nor quarantined",
        "SELECT CAST(h.id AS TEXT) FROM hook h WHERE h.org_id = $1 AND h.state <> 'quarantined' LIMIT 100",
    ),
];

/// The next account, after `$2`, that a large table names.
const ACCOUNTS: &[Question] = &[
    ("receipt", "SELECT MIN(account_id) FROM receipt WHERE org_id = $1 AND account_id > $2"),
    ("account_pace", "SELECT MIN(account_id) FROM account_pace WHERE org_id = $1 AND account_id > $2"),
    ("account_turn", "SELECT MIN(account_id) FROM account_turn WHERE org_id = $1 AND account_id > $2"),
    ("account_sync", "SELECT MIN(account_id) FROM account_sync WHERE org_id = $1 AND account_id > $2"),
    ("account_health", "SELECT MIN(account_id) FROM account_health WHERE org_id = $1 AND account_id > $2"),
    ("hook", "SELECT MIN(account_id) FROM hook WHERE org_id = $1 AND account_id > $2"),
];

pub(super) async fn check(store: &Store, org: OrgId, watch: &dyn Watch) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for question in WHOLE {
        watch::go_on(watch)?;
        findings.extend(store.read(org, move |tx| whole(tx, *question)).await?);
    }
    findings.extend(store.read(org, accounts).await?);
    findings.extend(store.read(org, assignees).await?);
    findings.extend(read_marks(store, org, watch).await?);
    Ok(findings)
}

fn whole(tx: &mut OrgTx<'_, '_>, (what, question): Question) -> Result<Vec<Finding>> {
    let invariant = if what.starts_with("hook") { "every accepted hook is applied or quarantined" } else { FOREIGN };
    let found = tx.query(question, &[], |row| row.get::<String>(0))?;
    Ok(found.into_iter().map(|row| finding(tx.org(), invariant, format!("{what}: {row}"))).collect())
}

fn accounts(tx: &mut OrgTx<'_, '_>) -> Result<Vec<Finding>> {
    const FIND: &str = "SELECT COUNT(*) FROM account WHERE org_id = $1 AND id = $2";
    let mut findings = Vec::new();
    for (what, next) in ACCOUNTS {
        let mut last = i64::MIN;
        while let Some(account) = tx.query_one(*next, params![last], |row| row.get::<Option<i64>>(0))? {
            if tx.query_one(FIND, params![account], |row| row.get::<i64>(0))? != 1 {
                findings.push(finding(tx.org(), FOREIGN, format!("a {what} names account {account}, which is not in its org")));
            }
            last = account;
        }
    }
    Ok(findings)
}

/// Conversations are in the hands of the org's own people; a job takes them out of the hands of who left.
fn assignees(tx: &mut OrgTx<'_, '_>) -> Result<Vec<Finding>> {
    const NEXT: &str = "SELECT MIN(assigned_to) FROM conversation WHERE org_id = $1 AND assigned_to > $2 AND assigned_to IS NOT NULL";
    const FIND: &str = "SELECT COUNT(*) FROM \"user\" u WHERE u.id = $2
        AND NOT EXISTS (SELECT 1 FROM staff s WHERE s.org_id = $1 AND s.user_id = $2)
        AND NOT EXISTS (SELECT 1 FROM job j WHERE j.org_id = $1 AND j.kind = 'unassign')";
    let (mut findings, mut last) = (Vec::new(), UserId(i64::MIN));
    while let Some(user) = tx.query_one(NEXT, params![last], |row| row.get::<Option<UserId>>(0))? {
        if tx.query_one(FIND, params![user], |row| row.get::<i64>(0))? != 0 {
            findings.push(finding(tx.org(), FOREIGN, format!("a conversation is assigned to {user:?}, who is not staff")));
        }
        last = user;
    }
    Ok(findings)
}

async fn read_marks(store: &Store, org: OrgId, watch: &dyn Watch) -> Result<Vec<Finding>> {
    const NEXT: &str = "SELECT r.conversation_id, r.through_id,
            (SELECT COUNT(*) FROM conversation c WHERE c.org_id = r.org_id AND c.id = r.conversation_id)
        FROM read_mark r WHERE r.org_id = $1 AND (r.conversation_id, r.through_id) > ($2, $3)
        ORDER BY r.conversation_id, r.through_id LIMIT $4";
    const ROWS: i64 = 5000;
    let (mut findings, mut after) = (Vec::new(), (0_i64, 0_i64));
    loop {
        watch::go_on(watch)?;
        let read = move |tx: &mut OrgTx<'_, '_>| {
            tx.query(NEXT, params![after.0, after.1, ROWS], |row| Ok(((row.get(0)?, row.get(1)?), row.get::<i64>(2)?)))
        };
        let rows = store.read(org, read).await?;
        let Some((last, _)) = rows.last() else { return Ok(findings) };
        after = *last;
        let dangling = rows.iter().filter(|(_, conversations)| *conversations != 1);
        findings.extend(
            dangling.map(|((id, _), _)| finding(org, FOREIGN, format!("a read position is of conversation {id}, which is not in its org"))),
        );
    }
}
