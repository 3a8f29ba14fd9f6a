//! The search index against the rows that it was made of. An index that is behind, as it is for a moment after every
//! write, is not compared: it is not wrong.

use std::collections::BTreeMap;

use parlance_model::Result;
use parlance_model::id::OrgId;
use parlance_model::search::KIND_CONTACT;

use super::{CHUNK, Finding, Report, finding};
use crate::db::params;
use crate::search::{Indexed, MESSAGE, PERSON, indexed_columns, is_level, message_tokens, person_tokens};
use crate::{OrgTx, Store};

type Chunk = (Option<i64>, Vec<Finding>);

pub(super) async fn check(store: &Store, org: OrgId, report: &mut Report) -> Result<()> {
    let mut after = Some(0);
    while let Some(start) = after {
        let (last, findings) = store.read_apart(org, move |tx| messages(tx, start)).await?;
        report.findings.extend(findings);
        after = last;
    }
    let mut after = Some(0);
    while let Some(start) = after {
        let (last, findings) = store.read_apart(org, move |tx| contacts(tx, start)).await?;
        report.findings.extend(findings);
        after = last;
    }
    Ok(())
}

/// What the rows behind `after` should be indexed as, and where they end.
fn expected<T>(rows: Vec<T>, id: impl Fn(&T) -> i64, tokens: impl Fn(&T) -> Option<String>) -> (Option<i64>, BTreeMap<i64, String>) {
    let last = rows.last().map(&id);
    (last, rows.iter().filter_map(|row| Some((id(row), tokens(row)?))).collect())
}

fn messages(tx: &mut OrgTx<'_, '_>, after: i64) -> Result<Chunk> {
    const ROWS: &str = concat!("SELECT ", indexed_columns!(), " FROM message WHERE org_id = $1 AND id > $2 ORDER BY id LIMIT $3");
    if !is_level(tx)? {
        return Ok((None, Vec::new()));
    }
    let rows = tx.query(ROWS, params![after, CHUNK], Indexed::read)?;
    let (last, expected) = expected(rows, |row| row.id, |row| Some(message_tokens(row)));
    let mut wrong = Vec::new();
    for (id, tokens) in &expected {
        if !MESSAGE.has(tx, *id, tokens)? {
            wrong.push(format!("message {id} is not found by all of its words"));
        }
    }
    let indexed = MESSAGE.ids(tx, after, last.unwrap_or(i64::MAX), CHUNK + 1)?;
    let strange = indexed.iter().filter(|id| !expected.contains_key(id));
    wrong.extend(strange.map(|id| format!("the index has a message {id} that there is not")));
    Ok((last, said(tx, wrong)))
}

fn contacts(tx: &mut OrgTx<'_, '_>, after: i64) -> Result<Chunk> {
    const ROWS: &str = "SELECT id, CASE WHEN redirect_to IS NULL THEN search ELSE '' END FROM contact
        WHERE org_id = $1 AND id > $2 ORDER BY id LIMIT $3";
    if !is_level(tx)? {
        return Ok((None, Vec::new()));
    }
    let rows = tx.query(ROWS, params![after, CHUNK], |row| Ok((row.get::<i64>(0)?, row.get::<String>(1)?)))?;
    let (last, expected) = expected(rows, |row| row.0, |row| person_tokens(&row.1, KIND_CONTACT));
    let mut wrong = Vec::new();
    for (id, tokens) in &expected {
        if !PERSON.has(tx, id * 2, tokens)? {
            wrong.push(format!("contact {id} is not found by all of their names, numbers and addresses"));
        }
    }
    // Contacts have the even rows, and visitors of conversations the odd ones.
    let end = last.map_or(i64::MAX, |last| last * 2);
    let indexed = PERSON.ids(tx, after * 2, end, 4 * CHUNK)?;
    let strange = indexed.iter().filter(|id| **id % 2 == 0 && !expected.contains_key(&(**id / 2)));
    wrong.extend(strange.map(|id| format!("the index has a contact {} that there is not", id / 2)));
    Ok((last, said(tx, wrong)))
}

fn said(tx: &OrgTx<'_, '_>, wrong: Vec<String>) -> Vec<Finding> {
    wrong.into_iter().map(|detail| finding(tx.org(), "search rows equal messages", detail)).collect()
}
