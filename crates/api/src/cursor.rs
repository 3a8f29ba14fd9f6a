//! Cursors of lists: opaque to clients, and made of the list's kind and the last row that was seen.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use parlance_app::page::Cursor;
use parlance_model::error::Kind;
use parlance_model::{Error, Result};

/// Which list a cursor is of. The number is the token's first byte, so a new form of a list's cursor is a new number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum List {
    /// Conversations, by newest activity.
    Conversations = 1,
    /// The messages of a conversation, newest first.
    Messages = 2,
    /// Contacts, newest first.
    Contacts = 3,
    /// The ledger of opt-outs, latest first.
    OptOuts = 4,
    /// Messages that a search found, newest first.
    Search = 8,
    /// The audit log, newest first.
    Audit = 9,
}

/// The token of a place in a list.
pub(crate) fn write(list: List, place: Cursor) -> String {
    let mut bytes = vec![list as u8];
    bytes.extend(place.at_ms.to_be_bytes());
    bytes.extend(place.id.to_be_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The place that a token of this list names.
///
/// # Errors
/// `bad_cursor`.
pub(crate) fn read(list: List, token: &str) -> Result<Cursor> {
    let bytes: Option<[u8; 17]> = URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| bytes.try_into().ok());
    match bytes {
        Some([kind, a, b, c, d, e, f, g, h, id @ ..]) if kind == list as u8 => {
            Ok(Cursor { at_ms: i64::from_be_bytes([a, b, c, d, e, f, g, h]), id: i64::from_be_bytes(id) })
        }
        _ => {
            let text = "Must be the `meta.next_cursor` of a page of the same list.";
            Err(Error::new(Kind::Malformed, "bad_cursor", format!("`cursor`: {text}")).with_field("cursor", text))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_cursor_reads_back_in_its_own_list_only(at_ms: i64, id: i64) {
            let place = Cursor { at_ms, id };
            let token = write(List::Messages, place);
            prop_assert_eq!(read(List::Messages, &token).ok(), Some(place));
            prop_assert!(read(List::Conversations, &token).is_err());
        }

        #[test]
        fn any_other_text_is_refused(token in "\\PC{0,40}") {
            if let Ok(place) = read(List::Messages, &token) {
                prop_assert_eq!(write(List::Messages, place), token);
            }
        }
    }
}
