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

/// What a row says of its contact, and what the contact's row says.
struct Person {
    kept: Option<String>,
    /// `None` without a contact.
    names: Option<String>,
    merged: bool,
}

impl Person {
    fn findings(&self, tx: &OrgTx<'_, '_>, id: ConversationId) -> Vec<Finding> {
        let mut findings = Vec::new();
        let name = self.names.as_deref().map(|names| Some(names.trim()).filter(|name| !name.is_empty()));
        if name.is_some_and(|name| name != self.kept.as_deref()) {
            let detail = format!("{id:?}: kept {:?}, and the contact is called {:?}", self.kept, name.flatten());
            findings.push(finding(tx, "conversations carry their contact's name", detail));
        }
        if self.merged {
            findings.push(finding(tx, "only living contacts are pointed at", format!("{id:?}: its contact was merged into another")));
        }
        findings
    }
}

fn chunk(tx: &mut OrgTx<'_, '_>, after: ConversationId) -> Result<Chunk> {
    const ROWS: &str = "SELECT c.id, c.message_count, c.unread_count, c.newest_id, c.last_message_ms,
            (SELECT COUNT(*) FROM message m WHERE m.org_id = c.org_id AND m.conversation_id = c.id),
            (SELECT COUNT(*) FROM message m WHERE m.org_id = c.org_id AND m.conversation_id = c.id
                AND m.direction = 'inbound' AND m.id > c.read_through),
            (SELECT COALESCE(MAX(m.id), 0) FROM message m WHERE m.org_id = c.org_id AND m.conversation_id = c.id),
            (SELECT COALESCE(MAX(m.at_ms), c.last_message_ms) FROM message m WHERE m.org_id = c.org_id AND m.conversation_id = c.id),
            c.preview,
            (SELECT COUNT(*) FROM contact p WHERE p.org_id = c.org_id AND p.id = c.contact_id),
            (SELECT COUNT(*) FROM account a WHERE a.org_id = c.org_id AND a.id = c.account_id),
            c.contact_name,
            (SELECT p.first_name || ' ' || p.last_name FROM contact p WHERE p.org_id = c.org_id AND p.id = c.contact_id),
            (SELECT COUNT(*) FROM contact p WHERE p.org_id = c.org_id AND p.id = c.contact_id AND p.redirect_to IS NOT NULL)
        FROM conversation c WHERE c.org_id = $1 AND c.id > $2 ORDER BY c.id LIMIT $3";
    let rows = tx.query(ROWS, params![after, CHUNK], |row| {
        let mut images: Images = Default::default();
        for index in 0..4 {
            images.0[index] = row.get(index + 1)?;
            images.1[index] = row.get(index + 5)?;
        }
        let person = Person { kept: row.get(12)?, names: row.get(13)?, merged: row.get::<i64>(14)? != 0 };
        Ok((row.get::<ConversationId>(0)?, images, row.get::<String>(9)?, row.get::<i64>(10)?, row.get::<i64>(11)?, person))
    })?;
    let mut findings = Vec::new();
    for (id, (kept, recount), preview, contacts, accounts, person) in &rows {
        if kept != recount {
            let detail = format!("{id:?}: messages, unread, newest, last time kept as {kept:?}, recount {recount:?}");
            findings.push(finding(tx, "conversation rows equal a recount", detail));
        }
        let newest = message::list(tx, *id, None, 1, 0)?;
        let expected = newest.first().map(|newest| message::preview(&newest.body, &newest.attachments)).unwrap_or_default();
        if *preview != expected {
            findings.push(finding(tx, "previews equal the newest message", format!("{id:?}: kept {preview:?}, expected {expected:?}")));
        }
        if *contacts != 1 || *accounts != 1 {
            findings.push(finding(tx, "no row points into another org", format!("{id:?}: its contact or account is not in its org")));
        }
        findings.extend(person.findings(tx, *id));
    }
    Ok((rows.len(), rows.last().map(|row| row.0), findings))
}
