//! Lists of conversations under a search that few have: the index names contacts and visitors, their conversations are
//! read all at once, and the page is cut from them. What many have is found by walking the list (`list.rs`).

use std::collections::BTreeSet;

use parlance_model::Result;
use parlance_model::conversation::Conversation;

use super::list::{After, Filter, facets};
use super::{columns, read};
use crate::db::{Row, Sql, params};
use crate::search::{among, by_id, id_list, people};
use crate::{OrgTx, contact};

/// Conversations, by time of the newest message and id.
type Places = BTreeSet<(i64, i64)>;

const BY_CONTACT: Sql =
    among!(concat!("SELECT last_message_ms, id FROM conversation WHERE org_id = $1", facets!(), " AND contact_id"), "$6", " LIMIT $7");
const BY_VISITOR: Sql =
    by_id!("SELECT last_message_ms, id FROM conversation", "", "$6", concat!(facets!(), " AND visitor_search LIKE $7 ESCAPE '\\'"));

/// Every conversation of the filter, when it has a search, the index knows, and they are few; else `None`.
pub(super) fn few(tx: &mut OrgTx<'_, '_>, filter: &Filter) -> Result<Option<Places>> {
    let Some(typed) = filter.search.as_deref() else { return Ok(None) };
    let Some(needle) = contact::search::needle(tx, typed)? else { return Ok(Some(Places::new())) };
    let (Some(contacts), Some(visitors)) = (people::contacts(tx, &needle, people::FEW)?, people::visitors(tx, &needle, people::FEW)?)
    else {
        return Ok(None);
    };
    let place = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
    let most = i64::try_from(people::FEW).unwrap_or(i64::MAX);
    let with = |list: &[i64], last| [filter.facets(), params![id_list(list.iter().copied())].to_vec(), vec![last]].concat();
    let mut found = Places::new();
    if !contacts.is_empty() {
        found.extend(tx.query(BY_CONTACT, &with(&contacts, (most + 1).into()), place)?);
    }
    if !visitors.is_empty() {
        let [typed, _] = people::patterns(&needle);
        found.extend(tx.query(BY_VISITOR, &with(&visitors, typed.into()), place)?);
    }
    Ok((found.len() <= people::FEW).then_some(found))
}

/// A page of them: up to `limit` behind `after`, or from `offset` on.
pub(super) fn page(tx: &mut OrgTx<'_, '_>, found: &Places, after: After, limit: i64, offset: i64) -> Result<Vec<Conversation>> {
    const ROWS: Sql = by_id!(columns!(), "", "$2", "");
    let behind = found.range(..(after.last_message_ms, after.id.0)).rev();
    let [skip, take] = [offset, limit].map(|n| usize::try_from(n).unwrap_or(usize::MAX));
    let ids: Vec<i64> = behind.skip(skip).take(take).map(|(_, id)| *id).collect();
    let mut rows = tx.query(ROWS, params![id_list(ids)], read)?;
    rows.sort_by_key(|row| std::cmp::Reverse((row.last_message_ms, row.id)));
    Ok(rows)
}

/// The texts with the index that each should read.
#[cfg(test)]
pub(crate) fn plans() -> [(Sql, &'static str); 2] {
    [(BY_CONTACT, "conversation_contact (org_id=? AND contact_id=?)"), (BY_VISITOR, "INTEGER PRIMARY KEY")]
}
