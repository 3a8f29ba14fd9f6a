//! Each conversation's counters, read position and preview against its messages, and its references.

use parlance_model::Result;
use parlance_model::id::{ConversationId, OrgId};

use super::{CHUNK, Finding, Report, finding};
use crate::db::params;
use crate::{OrgTx, Store, message};

pub(super) async fn check(store: &Store, org: OrgId, report: &mut Report) -> Result<()> {
    let mut after = ConversationId(0);
    loop {
        let (count, last, findings) = store.read(org, move |tx| chunk(tx, after)).await?;
        report.conversations += count;
        report.findings.extend(findings);
        match last {
            Some(last) => after = last,
            None => return Ok(()),
        }
    }
}

type Chunk = (usize, Option<ConversationId>, Vec<Finding>);

/// What a row says and what its messages say, in the same order.
type Images = ([i64; 4], [i64; 4]);

fn chunk(tx: &mut OrgTx<'_, '_>, after: ConversationId) -> Result<Chunk> {
    const ROWS: &str = "SELECT c.id, c.message_count, c.unread_count, c.newest_id, c.last_message_ms,
            (SELECT COUNT(*) FROM message m WHERE m.org_id = c.org_id AND m.conversation_id = c.id),
            (SELECT COUNT(*) FROM message m WHERE m.org_id = c.org_id AND m.conversation_id = c.id
                AND m.direction = 'inbound' AND m.id > c.read_through),
            (SELECT COALESCE(MAX(m.id), 0) FROM message m WHERE m.org_id = c.org_id AND m.conversation_id = c.id),
            (SELECT COALESCE(MAX(m.at_ms), c.last_message_ms) FROM message m WHERE m.org_id = c.org_id AND m.conversation_id = c.id),
            c.preview,
            (SELECT COUNT(*) FROM contact p WHERE p.org_id = c.org_id AND p.id = c.contact_id),
            (SELECT COUNT(*) FROM account a WHERE a.org_id = c.org_id AND a.id = c.account_id)
        FROM conversation c WHERE c.org_id = $1 AND c.id > $2 ORDER BY c.id LIMIT $3";
    let rows = tx.query(ROWS, params![after, CHUNK], |row| {
        let mut images: Images = Default::default();
        for index in 0..4 {
            images.0[index] = row.get(index + 1)?;
            images.1[index] = row.get(index + 5)?;
        }
        Ok((row.get::<ConversationId>(0)?, images, row.get::<String>(9)?, row.get::<i64>(10)?, row.get::<i64>(11)?))
    })?;
    let mut findings = Vec::new();
    for (id, (kept, recount), preview, contacts, accounts) in &rows {
        if kept != recount {
            let detail = format!("{id:?}: messages, unread, newest, last time kept as {kept:?}, recount {recount:?}");
            findings.push(finding(tx, "conversation rows equal a recount", detail));
        }
        let newest = message::list(tx, *id, None, 1, 0)?;
        let expected = newest.first().map(|newest| message::preview(&newest.body)).unwrap_or_default();
        if *preview != expected {
            findings.push(finding(tx, "previews equal the newest message", format!("{id:?}: kept {preview:?}, expected {expected:?}")));
        }
        if *contacts != 1 || *accounts != 1 {
            findings.push(finding(tx, "no row points into another org", format!("{id:?}: its contact or account is not in its org")));
        }
    }
    Ok((rows.len(), rows.last().map(|row| row.0), findings))
}
