//! Finding people by a piece of their name, number or e-mail address: the text that is kept for it, and what it is
//! compared with.

use parlance_model::contact::Identity;
use parlance_model::{Result, text};

use crate::db::Param;
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

/// The two patterns of `LIKE … ESCAPE '\'` that a search stands for: what was typed, and the number that it reads as.
/// Both are NULL without a search. `None`: it has nothing to look for, or more than any name has, so nothing is found.
pub(crate) fn patterns(tx: &mut OrgTx<'_, '_>, typed: Option<&str>) -> Result<Option<[Param<'static>; 2]>> {
    let Some(typed) = typed else { return Ok(Some([Param::Null, Param::Null])) };
    let needle = text::needle(typed, org::current(tx)?.region).filter(|needle| needle.text.len() <= LONGEST_NEEDLE);
    Ok(needle.map(|needle| {
        let number = needle.number.as_deref().unwrap_or(&needle.text);
        [&needle.text, number].map(|needle| format!("%{}%", text::like_escape(needle)).into())
    }))
}
