//! Failures counted by who caused them, in this process's memory: guessing is slowed down, and memory stays bounded.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Names that are remembered at once. When full, those whose window is over go, and then all.
const REMEMBERED: usize = 10_000;

/// How many failures each name may cause in a window of time.
#[derive(Debug)]
pub struct Failures<K> {
    limit: u32,
    window_ms: i64,
    /// The count, and when its window began, unix ms.
    seen: Mutex<HashMap<K, (u32, i64)>>,
}

impl<K: Hash + Eq + Clone> Failures<K> {
    /// So many in a window of so many milliseconds.
    #[must_use]
    pub fn new(limit: u32, window_ms: i64) -> Self {
        Self { limit, window_ms, seen: Mutex::default() }
    }

    /// Counts one more.
    ///
    /// # Errors
    /// The seconds after which the name may try again, when there were too many in the window: this one is not counted.
    pub fn count(&self, name: &K, now_ms: i64) -> Result<(), u32> {
        let mut seen = self.seen();
        if seen.len() >= REMEMBERED {
            seen.retain(|_, (_, since_ms)| now_ms - *since_ms < self.window_ms);
        }
        if seen.len() >= REMEMBERED {
            seen.clear();
        }
        let (count, since_ms) = seen.entry(name.clone()).or_insert((0, now_ms));
        if now_ms - *since_ms >= self.window_ms {
            (*count, *since_ms) = (0, now_ms);
        }
        if *count >= self.limit {
            return Err(self.rest_s(*since_ms, now_ms));
        }
        *count += 1;
        Ok(())
    }

    /// Forgets what the name did.
    pub fn forget(&self, name: &K) {
        self.seen().remove(name);
    }

    fn rest_s(&self, since_ms: i64, now_ms: i64) -> u32 {
        u32::try_from((since_ms + self.window_ms - now_ms) / 1000 + 1).unwrap_or(1)
    }

    fn seen(&self) -> MutexGuard<'_, HashMap<K, (u32, i64)>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failure_too_many_waits_for_the_window_and_other_names_do_not() {
        let failures = Failures::new(5, 900_000);
        for _ in 0..5 {
            failures.count(&"ann", 0).unwrap();
        }
        assert_eq!((failures.count(&"ann", 1000), failures.count(&"bob", 1000)), (Err(900), Ok(())));
        assert_eq!(failures.count(&"ann", 900_000), Ok(()));
    }

    #[test]
    fn however_many_names_there_are_few_are_remembered() {
        let failures = Failures::new(1, 1000);
        for name in 0..3 * REMEMBERED {
            failures.count(&name, 0).unwrap();
        }
        assert!(failures.seen().len() <= REMEMBERED);
    }
}
