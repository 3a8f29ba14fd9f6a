//! Each conversation's counters, read position and preview against its messages, and its references.

use parlance_model::Result;
use parlance_model::id::{ConversationId, OrgId};
use parlance_model::message::Message;

use super::{Finding, Report, finding};
use crate::db::params;
use crate::watch::{self, Watch};
use crate::{OrgTx, Store, message};

/// Conversations that one read recounts: fewer than elsewhere, since each brings its messages.
const ROWS_A_READ: i64 = 100;

pub(super) async fn check(store: &Store, org: OrgId, report: &mut Report, watch: &dyn Watch) -> Result<()> {
    let mut after = Place::default();
    loop {
        let (count, last, findings) = store.read(org, move |tx| chunk(tx, &after)).await?;
        report.conversations += count;
        report.findings.extend(findings);
        watch::advance(watch, count as u64)?;
        match last {
            Some(last) => after = last,
            None => return Ok(()),
        }
    }
}

/// Account and session key: the order of the index that begins with the org and does not move.
pub(super) type Place = (i64, String);

type Chunk = (usize, Option<Place>, Vec<Finding>);

/// What a row says and what its messages say, in the same order.
type Images = ([i64; 4], [i64; 4]);

/// What a row says of its contact, what the contact's row says, and whether the row is alone.
struct Person {
    kept: Option<String>,
    /// `None` without a contact.
    names: Option<String>,
    merged: bool,
    /// Conversations before it under the same key.
    doubles: i64,
}

impl Person {
    fn findings(&self, tx: &OrgTx<'_, '_>, id: ConversationId) -> Vec<Finding> {
        let mut findings = Vec::new();
        let name = self.names.as_deref().map(|names| Some(names.trim()).filter(|name| !name.is_empty()));
        if name.is_some_and(|name| name != self.kept.as_deref()) {
            let detail = format!("{id:?}: kept {:?}, and the contact is called {:?}", self.kept, name.flatten());
            findings.push(finding(tx.org(), "conversations carry their contact's name", detail));
        }
        if self.doubles > 0 {
            findings.push(finding(tx.org(), "one conversation per key", format!("{id:?}: an earlier one has the same account and key")));
        }
        if self.merged {
            findings.push(finding(tx.org(), "only living contacts are pointed at", format!("{id:?}: its contact was merged into another")));
        }
        findings
    }
}

fn chunk(tx: &mut OrgTx<'_, '_>, after: &Place) -> Result<Chunk> {
    const ROWS: &str = "SELECT c.id, c.message_count, c.unread_count, c.newest_id, c.last_message_ms,
            (SELECT COUNT(*) FROM message m WHERE m.org_id = c.org_id AND m.conversation_id = c.id),
            (SELECT COUNT(*) FROM message m WHERE m.org_id = c.org_id AND m.conversation_id = c.id
                AND m.direction = 'inbound' AND NOT m.history AND m.id > c.read_through),
            (SELECT COALESCE(MAX(m.id), 0) FROM message m WHERE m.org_id = c.org_id AND m.conversation_id = c.id),
            (SELECT COALESCE(MAX(m.at_ms), c.last_message_ms) FROM message m WHERE m.org_id = c.org_id AND m.conversation_id = c.id),
            c.preview,
            (SELECT COUNT(*) FROM contact p WHERE p.org_id = c.org_id AND p.id = c.contact_id),
            (SELECT COUNT(*) FROM account a WHERE a.org_id = c.org_id AND a.id = c.account_id),
            c.contact_name,
            (SELECT p.first_name || ' ' || p.last_name FROM contact p WHERE p.org_id = c.org_id AND p.id = c.contact_id),
            (SELECT COUNT(*) FROM contact p WHERE p.org_id = c.org_id AND p.id = c.contact_id AND p.redirect_to IS NOT NULL),
            (SELECT COUNT(*) FROM conversation d WHERE d.org_id = c.org_id AND d.account_id = c.account_id
                AND d.session_key = c.session_key AND d.id < c.id),
            c.account_id, c.session_key
        FROM conversation c WHERE c.org_id = $1 AND (c.account_id, c.session_key) > ($2, $3)
        ORDER BY c.account_id, c.session_key LIMIT $4";
    let mut last = None;
    let rows = tx.query(ROWS, params![after.0, &after.1, ROWS_A_READ], |row| {
        last = Some((row.get(16)?, row.get(17)?));
        let mut images: Images = Default::default();
        for index in 0..4 {
            images.0[index] = row.get(index + 1)?;
            images.1[index] = row.get(index + 5)?;
        }
        let person = Person { kept: row.get(12)?, names: row.get(13)?, merged: row.get::<i64>(14)? != 0, doubles: row.get(15)? };
        Ok((row.get::<ConversationId>(0)?, images, row.get::<String>(9)?, row.get::<i64>(10)?, row.get::<i64>(11)?, person))
    })?;
    let mut findings = Vec::new();
    for (id, (kept, recount), preview, contacts, accounts, person) in &rows {
        if kept != recount {
            let detail = format!("{id:?}: messages, unread, newest, last time kept as {kept:?}, recount {recount:?}");
            findings.push(finding(tx.org(), "conversation rows equal a recount", detail));
        }
        let newest = message::list(tx, *id, None, 1, 0)?;
        let line = |newest: &Message| message::preview(newest.direction, &newest.body, &newest.attachments, newest.call.as_ref());
        let expected = newest.first().map(line).unwrap_or_default();
        if *preview != expected {
            findings.push(finding(
                tx.org(),
                "previews equal the newest message",
                format!("{id:?}: kept {preview:?}, expected {expected:?}"),
            ));
        }
        if *contacts != 1 || *accounts != 1 {
            findings.push(finding(tx.org(), "no row points into another org", format!("{id:?}: its contact or account is not in its org")));
        }
        findings.extend(person.findings(tx, *id));
    }
    Ok((rows.len(), last, findings))
}
