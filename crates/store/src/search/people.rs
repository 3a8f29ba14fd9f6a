//! Finding contacts and visitors by a piece of a name, a number or an address. What few have is read from the index, and
//! compared with the rows; what many have is found soon by walking the list itself, which is left to the lists.

use std::collections::BTreeSet;

use parlance_model::Result;
use parlance_model::contact::Profile;
use parlance_model::id::ContactId;
use parlance_model::search::{KIND_CONTACT, KIND_VISITOR, pieces};
use parlance_model::text::{self, Needle};

use super::rows::{PERSON, Wanted};
use super::touched::pending;
use super::{Stage, by_id, id_list, stage};
use crate::db::{Sql, params};
use crate::total::COUNT_LIMIT;
use crate::{OrgTx, contact, org};

/// The most people that are few. Totals go no further either.
pub(crate) const FEW: usize = COUNT_LIMIT as usize;
/// Grams of a needle that narrow it down; the rest is compared.
const GRAMS: usize = 32;
/// Contacts of which an answer's best are chosen.
const CHOICE: usize = 200;

/// The patterns of `LIKE … ESCAPE '\'` of a needle: what was typed, and the number that it reads as.
pub(crate) fn patterns(needle: &Needle) -> [String; 2] {
    let number = needle.number.as_deref().unwrap_or(&needle.text);
    [&needle.text, number].map(|needle| format!("%{}%", text::like_escape(needle)))
}

/// Every contact with this needle, newest first; `None` when more than `most` may have it, or the index cannot say yet.
pub(crate) fn contacts(tx: &mut OrgTx<'_, '_>, needle: &Needle, most: usize) -> Result<Option<Vec<i64>>> {
    if stage(tx)? <= Stage::Contacts {
        return Ok(None);
    }
    let Some(new) = pending(tx)? else { return Ok(None) };
    let mut ids = newest(tx, needle, KIND_CONTACT, most + 1)?;
    if ids.len() > most {
        return Ok(None);
    }
    ids.extend(new.contacts);
    with(tx, needle, &ids).map(Some)
}

/// The conversations whose visitor may have this needle; `None` when more than `most` may, or the index cannot say yet.
pub(crate) fn visitors(tx: &mut OrgTx<'_, '_>, needle: &Needle, most: usize) -> Result<Option<Vec<i64>>> {
    if stage(tx)? <= Stage::Visitors {
        return Ok(None);
    }
    let Some(new) = pending(tx)? else { return Ok(None) };
    let mut ids = newest(tx, needle, KIND_VISITOR, most + 1)?;
    let few = ids.len() <= most;
    ids.extend(new.conversations);
    Ok(few.then_some(ids))
}

/// Contacts for a query's answer: those whose name, number or address begins with the text first, then the newest.
///
/// # Errors
/// Those of the database.
pub fn people(tx: &mut OrgTx<'_, '_>, typed: &str, limit: usize) -> Result<Vec<Profile>> {
    const TEXTS: Sql = by_id!("SELECT id, search FROM contact", "", "$2", "");
    let Some(needle) = text::needle(typed, org::current(tx)?.region) else { return Ok(Vec::new()) };
    if stage(tx)? <= Stage::Contacts {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        return contact::list(tx, Some(typed), None, limit, 0);
    }
    let mut candidates = newest(tx, &needle, KIND_CONTACT, CHOICE)?;
    candidates.extend(pending(tx)?.map(|new| new.contacts).unwrap_or_default());
    let mut found = with(tx, &needle, &candidates)?;
    let begins =
        |line: &str| [Some(&needle.text), needle.number.as_ref()].into_iter().flatten().any(|text| line.starts_with(text.as_str()));
    let texts = tx.query(TEXTS, params![id_list(found.iter().copied())], |row| Ok((row.get::<i64>(0)?, row.get::<String>(1)?)))?;
    // A line is a name, a number or an address; a name's words and a number's digits behind the plus count too.
    let best = |text: &str| text.lines().any(|line| begins(line) || begins(line.trim_start_matches('+')) || line.split(' ').any(begins));
    let first: BTreeSet<i64> = texts.iter().filter(|(_, text)| best(text)).map(|(id, _)| *id).collect();
    found.sort_by_key(|id| !first.contains(id));
    found.truncate(limit);
    let ids: Vec<ContactId> = found.into_iter().map(ContactId).collect();
    contact::profiles(tx, &ids)
}

/// The newest that the index has for a needle.
fn newest(tx: &mut OrgTx<'_, '_>, needle: &Needle, kind: char, limit: usize) -> Result<Vec<i64>> {
    let mut ids = BTreeSet::new();
    for text in [Some(&needle.text), needle.number.as_ref()].into_iter().flatten() {
        let wanted = Wanted::pieces(pieces(text).into_iter().take(GRAMS), kind);
        ids.extend(PERSON.find(tx, &wanted, i64::MAX, limit)?);
    }
    Ok(ids.into_iter().rev().take(limit).map(|id| id / 2).collect())
}

const WITH: Sql =
    by_id!("SELECT id FROM contact", "", "$2", " AND redirect_to IS NULL AND (search LIKE $3 ESCAPE '\\' OR search LIKE $4 ESCAPE '\\')");

/// Those of these contacts who have the needle, newest first.
fn with(tx: &mut OrgTx<'_, '_>, needle: &Needle, ids: &[i64]) -> Result<Vec<i64>> {
    let [typed, number] = patterns(needle);
    let mut found = tx.query(WITH, params![id_list(ids.iter().copied()), typed, number], |row| row.get::<i64>(0))?;
    found.sort_unstable_by(|a, b| b.cmp(a));
    Ok(found)
}

/// The text with the index that it should read.
#[cfg(test)]
pub(crate) fn plans() -> [(Sql, &'static str); 1] {
    [(WITH, "INTEGER PRIMARY KEY")]
}
