//! The parameters of lists.

use parlance_app::conversation::Filter;
use parlance_app::page::{PageRequest, Start};
use parlance_model::channel::Channel;
use parlance_model::conversation::Status;
use parlance_model::id::{ContactId, UserId};
use parlance_model::{Error, Result};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::cursor::{self, List};
use crate::value::{Text, Whole, Within, Word, not_null};

/// Rows of a page when nothing is said.
const LIMIT: i64 = 50;

pub(super) type Limit = Within<1, 200>;
type Offset = Within<0, { i64::MAX }>;

/// Which conversations are listed.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct ConversationList {
    /// Only this medium.
    #[schemars(transform = not_null)]
    channel: Option<Word<Channel>>,
    /// Only this status.
    #[schemars(transform = not_null)]
    status: Option<Word<Status>>,
    /// Only those with this contact.
    contact_id: Option<Whole>,
    /// Only those that this user answers.
    assigned_to: Option<Whole>,
    /// A piece of the contact's name, number or e-mail address.
    search: Option<Text<200>>,
    /// The most rows of the page; 50 when not given.
    limit: Option<Limit>,
    /// How many rows are skipped; not together with `cursor`.
    offset: Option<Offset>,
    /// The `meta.next_cursor` of the page before. Deep pages cost what the first does.
    cursor: Option<String>,
}

impl ConversationList {
    /// What the use case takes.
    ///
    /// # Errors
    /// `bad_cursor`; `validation_failed`.
    pub(crate) fn read(self) -> Result<(Filter, PageRequest)> {
        let page = page(List::Conversations, self.limit, self.offset, self.cursor.as_deref())?;
        let filter = Filter {
            channel: self.channel.map(|word| word.0),
            status: self.status.map(|word| word.0),
            contact_id: self.contact_id.map(|id| ContactId(id.get())),
            assigned_to: self.assigned_to.map(|id| UserId(id.get())),
            search: searched(self.search),
        };
        Ok((filter, page))
    }
}

/// Which messages are listed.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct MessageList {
    /// The most rows of the page; 50 when not given.
    limit: Option<Limit>,
    /// How many rows are skipped; not together with `cursor`.
    offset: Option<Offset>,
    /// The `meta.next_cursor` of the page before.
    cursor: Option<String>,
}

impl MessageList {
    /// What the use case takes.
    ///
    /// # Errors
    /// `bad_cursor`; `validation_failed`.
    pub(crate) fn read(self) -> Result<PageRequest> {
        page(List::Messages, self.limit, self.offset, self.cursor.as_deref())
    }
}

/// Which rows of a short list are answered.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct RowList {
    /// The most rows; 50 when not given.
    limit: Option<Limit>,
    /// How many rows are skipped.
    offset: Option<Offset>,
}

impl RowList {
    pub(crate) fn limit(&self) -> i64 {
        self.limit.map_or(LIMIT, Within::get)
    }

    pub(crate) fn offset(&self) -> i64 {
        self.offset.map_or(0, Within::get)
    }
}

/// Which events are answered.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct EventList {
    /// The last `seq` that is known already; 0 when not given.
    after: Option<Offset>,
    /// The most events; 100 when not given.
    limit: Option<Within<1, 1000>>,
}

impl EventList {
    /// Where to go on, and how far.
    pub(crate) fn read(&self) -> (i64, i64) {
        (self.after.map_or(0, Within::get), self.limit.map_or(100, Within::get))
    }
}

/// Which contacts are listed.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct ContactList {
    /// A piece of the name, of a number in any written form, or of an e-mail address.
    search: Option<Text<200>>,
    /// The most rows of the page; 50 when not given.
    limit: Option<Limit>,
    /// How many rows are skipped; not together with `cursor`.
    offset: Option<Offset>,
    /// The `meta.next_cursor` of the page before. Deep pages cost what the first does.
    cursor: Option<String>,
}

impl ContactList {
    /// What the use case takes.
    ///
    /// # Errors
    /// `bad_cursor`; `validation_failed`.
    pub(crate) fn read(self) -> Result<(Option<String>, PageRequest)> {
        let page = page(List::Contacts, self.limit, self.offset, self.cursor.as_deref())?;
        Ok((searched(self.search), page))
    }
}

/// Which entries of the ledger are listed.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct OptOutList {
    /// The most rows of the page; 50 when not given.
    limit: Option<Limit>,
    /// How many rows are skipped; not together with `cursor`.
    offset: Option<Offset>,
    /// The `meta.next_cursor` of the page before. Deep pages cost what the first does.
    cursor: Option<String>,
}

impl OptOutList {
    /// What the use case takes.
    ///
    /// # Errors
    /// `bad_cursor`; `validation_failed`.
    pub(crate) fn read(self) -> Result<PageRequest> {
        page(List::OptOuts, self.limit, self.offset, self.cursor.as_deref())
    }
}

/// An empty search field is no search.
fn searched(search: Option<Text<200>>) -> Option<String> {
    search.map(Text::into_inner).filter(|search| !search.trim().is_empty())
}

pub(super) fn page(list: List, limit: Option<Limit>, offset: Option<Offset>, cursor: Option<&str>) -> Result<PageRequest> {
    let start = match (cursor, offset) {
        (Some(_), Some(_)) => return Err(Error::invalid("cursor", "Must not be given together with `offset`. Leave one out.")),
        (Some(cursor), None) => Start::After(cursor::read(list, cursor)?),
        (None, offset) => Start::Offset(offset.map_or(0, Within::get)),
    };
    Ok(PageRequest { limit: limit.map_or(LIMIT, Within::get), start })
}
