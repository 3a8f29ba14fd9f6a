//! The files that messages name, against their rows. Whether the bytes are there is asked in `app`, which knows the media store.

use parlance_model::Result;
use parlance_model::id::{ConversationId, MediaId, MessageId, OrgId};
use parlance_model::message::Attachment;

use super::{Finding, finding};
use crate::db::params;
use crate::watch::{self, Watch};
use crate::{OrgTx, Store};

/// Messages that one read looks at.
const ROWS: i64 = 5000;

/// A message's place in its thread: the order of the index that begins with the org.
type Place = (ConversationId, i64, MessageId);

pub(super) async fn check(store: &Store, org: OrgId, watch: &dyn Watch) -> Result<Vec<Finding>> {
    let (mut findings, mut after) = (Vec::new(), Some((ConversationId(0), i64::MIN, MessageId(0))));
    while let Some(start) = after {
        watch::go_on(watch)?;
        let (last, found) = store.read(org, move |tx| chunk(tx, start)).await?;
        findings.extend(found);
        after = last;
    }
    Ok(findings)
}

fn chunk(tx: &mut OrgTx<'_, '_>, after: Place) -> Result<(Option<Place>, Vec<Finding>)> {
    const NEXT: &str = "SELECT conversation_id, at_ms, id, attachments FROM message
        WHERE org_id = $1 AND (conversation_id, at_ms, id) > ($2, $3, $4) ORDER BY conversation_id, at_ms, id LIMIT $5";
    const STATE: &str = "SELECT state FROM media WHERE org_id = $1 AND id = $2";
    let rows = tx.query(NEXT, params![after.0, after.1, after.2, ROWS], |row| {
        let attachments = match row.get::<Option<String>>(3)? {
            Some(_) => row.json::<Vec<Attachment>>(3)?,
            None => Vec::new(),
        };
        Ok(((row.get(0)?, row.get(1)?, row.get(2)?), attachments))
    })?;
    let mut findings = Vec::new();
    for ((_, _, message), attachments) in &rows {
        for attachment in attachments {
            let Attachment::Stored { media_id, .. } = attachment else { continue };
            let state = tx.query_opt(STATE, params![*media_id], |row| row.get::<String>(0))?;
            findings.extend(wrong(tx.org(), *message, *media_id, state.as_deref()));
        }
    }
    Ok((rows.last().map(|(place, _)| *place), findings))
}

fn wrong(org: OrgId, message: MessageId, media: MediaId, state: Option<&str>) -> Option<Finding> {
    match state {
        Some("attached") => None,
        Some(state) => {
            let detail = format!("{message:?} names {media:?}, which is {state} and would be removed");
            Some(finding(org, "a file that a message names stays", detail))
        }
        None => {
            let detail = format!("{message:?} names {media:?}, which is not in its org");
            Some(finding(org, "no row points into another org", detail))
        }
    }
}
