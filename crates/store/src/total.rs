//! How many rows a list has where no counter knows: counted, and no further than ten thousand.

/// Where counting stops. Queries count up to one more, so that it shows.
pub(crate) const COUNT_LIMIT: i64 = 10_000;

/// How many rows a list has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Total {
    /// The number.
    pub n: i64,
    /// There are more: counting stopped at ten thousand.
    pub bounded: bool,
}

impl Total {
    /// A number that a counter knows.
    pub(crate) const fn exact(n: i64) -> Self {
        Self { n, bounded: false }
    }

    /// A count that went on to one past the limit.
    pub(crate) fn counted(n: i64) -> Self {
        Self { n: n.min(COUNT_LIMIT), bounded: n > COUNT_LIMIT }
    }
}
