//! Pages of lists: by keyset, or by offset where a contract has it.

/// Which part of a list is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRequest {
    /// Rows, 1 to 200.
    pub limit: i64,
    /// Where it starts.
    pub start: Start,
}

/// Where a page starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// So many rows in.
    Offset(i64),
    /// Behind the row with this time and id: what a cursor says.
    After(Cursor),
}

/// A place in a list: the last row that was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// Its time, unix ms.
    pub at_ms: i64,
    /// Its id.
    pub id: i64,
}

impl PageRequest {
    pub(crate) fn offset(&self) -> i64 {
        match self.start {
            Start::Offset(offset) => offset,
            Start::After(_) => 0,
        }
    }

    pub(crate) fn after(&self) -> Option<Cursor> {
        match self.start {
            Start::Offset(_) => None,
            Start::After(cursor) => Some(cursor),
        }
    }
}

/// A part of a list.
#[derive(Debug, Clone)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// How many rows the whole list has.
    pub total: i64,
    /// Counting stopped before the end: there are more.
    pub total_bounded: bool,
    /// Where the next page starts; `None` at the end.
    pub next: Option<Cursor>,
}

impl<T> Page<T> {
    /// Cuts the one row too many that was fetched to learn whether there is a next page.
    pub(crate) fn cut(mut items: Vec<T>, limit: i64, total: (i64, bool), place: impl Fn(&T) -> Cursor) -> Self {
        let limit = usize::try_from(limit).unwrap_or(0);
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(place);
        Self { items, total: total.0, total_bounded: total.1, next }
    }

    /// The same part of the list, each row as something else.
    pub(crate) fn map<U>(self, to: impl Fn(T) -> U) -> Page<U> {
        let Self { items, total, total_bounded, next } = self;
        Page { items: items.into_iter().map(to).collect(), total, total_bounded, next }
    }
}
