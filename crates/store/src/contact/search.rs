//! Finding people by a piece of their name, number or e-mail address: the text that is kept for it, and what it is
//! compared with.

use parlance_model::contact::Identity;
use parlance_model::text::Needle;
use parlance_model::{Result, text};

use crate::db::Param;
use crate::search::people;
use crate::{OrgTx, org};

/// Bytes of the longest search. SQLite refuses patterns over 50,000 bytes.
const LONGEST_NEEDLE: usize = 10_000;

/// The text of a contact: the folded name and every identity, each in a line of its own.
pub(crate) fn text_of(first_name: &str, last_name: &str, identities: &[Identity]) -> String {
    let mut lines = text::fold(&format!("{first_name} {last_name}"));
    for identity in identities {
        lines.push('\n');
        lines.push_str(&text::fold(&identity.value));
    }
    lines
}

/// What a search looks for. `None`: it has nothing to look for, or more than any name has, so nothing is found.
pub(crate) fn needle(tx: &mut OrgTx<'_, '_>, typed: &str) -> Result<Option<Needle>> {
    Ok(text::needle(typed, org::current(tx)?.region).filter(|needle| needle.text.len() <= LONGEST_NEEDLE))
}

/// The two patterns of `LIKE … ESCAPE '\'` that a search stands for: what was typed, and the number that it reads as.
/// Both are NULL without a search. `None`: nothing can be found.
pub(crate) fn patterns(tx: &mut OrgTx<'_, '_>, typed: Option<&str>) -> Result<Option<[Param<'static>; 2]>> {
    let Some(typed) = typed else { return Ok(Some([Param::Null, Param::Null])) };
    Ok(needle(tx, typed)?.map(|needle| people::patterns(&needle).map(Param::from)))
}

/// Every contact whom a search finds, newest first, where the index knows and they are few.
pub(crate) fn few(tx: &mut OrgTx<'_, '_>, typed: Option<&str>) -> Result<Option<Vec<i64>>> {
    let Some(typed) = typed else { return Ok(None) };
    match needle(tx, typed)? {
        Some(needle) => people::contacts(tx, &needle, people::FEW),
        None => Ok(Some(Vec::new())),
    }
}
