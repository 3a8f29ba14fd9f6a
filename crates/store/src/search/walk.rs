//! The messages of some conversations, newest first: each conversation is read a few messages at a time, and only as far as
//! the walk comes.

use std::collections::{BinaryHeap, VecDeque};

use parlance_model::Result;

use super::{by_id, id_list};
use crate::OrgTx;
use crate::db::{Sql, params};

/// Messages of each conversation that are read at the start.
const FIRST: i64 = 8;
/// Messages of one conversation that are read when those of it are used up.
const MORE: i64 = 256;

/// Where a walk stands.
pub(super) struct Walk {
    threads: Vec<Thread>,
    /// The next message of each conversation that has one, with its place in `threads`.
    heads: BinaryHeap<(i64, usize)>,
}

/// What was read of a conversation and not walked yet, newest first.
struct Thread {
    conversation: i64,
    ids: VecDeque<i64>,
    /// There may be more behind these.
    more: bool,
}

impl Walk {
    /// A walk over the messages of these conversations whose ids are below `before`.
    ///
    /// # Errors
    /// Those of the database.
    pub(super) fn begin(tx: &mut OrgTx<'_, '_>, mut conversations: Vec<i64>, before: i64) -> Result<Self> {
        conversations.sort_unstable();
        let mut threads: Vec<_> = conversations.iter().map(|id| Thread { conversation: *id, ids: VecDeque::new(), more: false }).collect();
        let list = id_list(conversations.iter().copied());
        let mut first = tx.query(NEWEST, params![list, before, FIRST], |row| Ok((row.get::<i64>(0)?, row.get::<i64>(1)?)))?;
        first.sort_unstable_by(|a, b| b.cmp(a));
        for (conversation, id) in first {
            if let Ok(place) = conversations.binary_search(&conversation) {
                threads[place].ids.push_back(id);
            }
        }
        let mut walk = Self { threads, heads: BinaryHeap::new() };
        for place in 0..walk.threads.len() {
            let thread = &mut walk.threads[place];
            thread.more = thread.ids.len() as u64 >= FIRST.unsigned_abs();
            walk.heads.extend(thread.ids.pop_front().map(|id| (id, place)));
        }
        Ok(walk)
    }

    /// The next messages, up to `limit`; fewer at the end.
    ///
    /// # Errors
    /// Those of the database.
    pub(super) fn next(&mut self, tx: &mut OrgTx<'_, '_>, limit: usize) -> Result<Vec<i64>> {
        let mut found = Vec::new();
        while found.len() < limit
            && let Some((id, place)) = self.heads.pop()
        {
            found.push(id);
            let next = self.threads[place].behind(tx, id)?;
            self.heads.extend(next.map(|id| (id, place)));
        }
        Ok(found)
    }
}

impl Thread {
    /// The message behind this one.
    fn behind(&mut self, tx: &mut OrgTx<'_, '_>, id: i64) -> Result<Option<i64>> {
        if self.ids.is_empty() && self.more {
            self.ids = tx.query(BEHIND, params![self.conversation, id, MORE], |row| row.get::<i64>(0))?.into();
            self.more = self.ids.len() as u64 >= MORE.unsigned_abs();
        }
        Ok(self.ids.pop_front())
    }
}

const BEHIND: &str = "SELECT id FROM message WHERE org_id = $1 AND conversation_id = $2 AND id < $3 ORDER BY id DESC LIMIT $4";

/// The newest of each conversation: down to the lowest id of those that are wanted.
const NEWEST: Sql = by_id!(
    "SELECT m.conversation_id, m.id FROM conversation c JOIN message m ON m.org_id = c.org_id AND m.conversation_id = c.id AND m.id < $3
        AND m.id >= (SELECT MIN(newest.id) FROM (SELECT n.id FROM message n
            WHERE n.org_id = c.org_id AND n.conversation_id = c.id AND n.id < $3 ORDER BY n.id DESC LIMIT $4) AS newest)",
    "c.",
    "$2",
    ""
);

/// The texts with the index that each should read.
#[cfg(test)]
pub(super) fn plans() -> [(Sql, &'static str); 2] {
    [
        (NEWEST, "message_stored (org_id=? AND conversation_id=? AND id>? AND id<?)"),
        (Sql::from(BEHIND), "message_stored (org_id=? AND conversation_id=? AND id<?)"),
    ]
}
