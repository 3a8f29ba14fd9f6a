//! What the simulator remembers: the newest messages, calls and recordings, and the newest deliveries, each in the
//! order they came.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::listing::Entry;
use super::webhook::Delivery;

/// The newest entries, by SID and in order.
#[derive(Debug)]
pub(crate) struct Log<T> {
    by_seq: BTreeMap<u64, T>,
    seq_of: HashMap<String, u64>,
    next_seq: u64,
}

impl<T> Default for Log<T> {
    fn default() -> Self {
        Self { by_seq: BTreeMap::new(), seq_of: HashMap::new(), next_seq: 0 }
    }
}

impl<T: Entry> Log<T> {
    /// Adds one, and forgets the oldest beyond `kept`.
    pub(crate) fn push(&mut self, entry: T, kept: usize) {
        self.seq_of.insert(entry.sid().to_owned(), self.next_seq);
        self.by_seq.insert(self.next_seq, entry);
        self.next_seq += 1;
        while self.by_seq.len() > kept.max(1) {
            if let Some((_, oldest)) = self.by_seq.pop_first() {
                self.seq_of.remove(oldest.sid());
            }
        }
    }

    pub(crate) fn get(&self, sid: &str) -> Option<&T> {
        self.by_seq.get(self.seq_of.get(sid)?)
    }

    pub(crate) fn get_mut(&mut self, sid: &str) -> Option<&mut T> {
        self.by_seq.get_mut(self.seq_of.get(sid)?)
    }

    pub(crate) fn remove(&mut self, sid: &str) -> Option<T> {
        self.by_seq.remove(&self.seq_of.remove(sid)?)
    }

    /// All of them, oldest first.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.by_seq.values()
    }
}

/// The newest deliveries, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Deliveries(VecDeque<Delivery>);

impl Deliveries {
    /// Adds one, and forgets the oldest beyond `kept`.
    pub(crate) fn push(&mut self, delivery: Delivery, kept: usize) {
        self.0.push_back(delivery);
        while self.0.len() > kept.max(1) {
            self.0.pop_front();
        }
    }

    pub(crate) fn to_vec(&self) -> Vec<Delivery> {
        self.0.iter().cloned().collect()
    }
}
