//! Failures counted by who caused them, in this process's memory: guessing is slowed down, and memory stays bounded.
//!
//! When there is no room for one more name, it takes the place of one whose window is over, else of the one with the fewest failures,
//! and takes over that count (the algorithm Space-Saving: Metwally, Agrawal and El Abbadi, 2005). So no count is ever too low:
//! whoever floods the memory with names gains no further try under an older one. A newcomer's may be too high, by
//! one for each 10,000 failures in a window.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Names that are remembered at once.
const REMEMBERED: usize = 10_000;

/// How many failures each name may cause in a window of time.
#[derive(Debug)]
pub struct Failures<K> {
    limit: u32,
    window_ms: i64,
    seen: Mutex<HashMap<K, Count>>,
}

/// What a name did in its window.
#[derive(Debug, Clone, Copy)]
struct Count {
    failures: u32,
    /// Of these, how many it took over.
    inherited: u32,
    /// When the window began, unix ms.
    since_ms: i64,
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
        let fresh = Count { failures: 0, inherited: 0, since_ms: now_ms };
        let known = seen.get(name).copied();
        let known = known.or_else(|| if seen.len() < REMEMBERED { None } else { self.make_room(&mut seen, now_ms) });
        let mut count = known.filter(|count| self.is_open(count, now_ms)).unwrap_or(fresh);
        let refused = count.failures >= self.limit;
        count.failures += u32::from(!refused);
        seen.insert(name.clone(), count);
        if refused { Err(self.rest_s(count.since_ms, now_ms)) } else { Ok(()) }
    }

    /// Forgets what the name did.
    pub fn forget(&self, name: &K) {
        let mut seen = self.seen();
        match seen.get_mut(name) {
            Some(count) if count.inherited > 0 => count.failures = count.inherited,
            _ => drop(seen.remove(name)),
        }
    }

    /// Takes a name out; answers what a newcomer takes over from it.
    fn make_room(&self, seen: &mut HashMap<K, Count>, now_ms: i64) -> Option<Count> {
        let rank = |count: &Count| (self.is_open(count, now_ms), count.failures, count.since_ms);
        let name = seen.iter().min_by_key(|(_, count)| rank(count)).map(|(name, _)| name.clone())?;
        seen.remove(&name).map(|gone| Count { inherited: gone.failures, ..gone })
    }

    /// Whether the count's window has not ended yet. One that begins in the future is of a clock that was set back.
    fn is_open(&self, count: &Count, now_ms: i64) -> bool {
        (0..self.window_ms).contains(&(now_ms - count.since_ms))
    }

    fn rest_s(&self, since_ms: i64, now_ms: i64) -> u32 {
        u32::try_from((since_ms + self.window_ms - now_ms) / 1000 + 1).unwrap_or(1)
    }

    fn seen(&self) -> MutexGuard<'_, HashMap<K, Count>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A name of its own for each number.
    fn flood(failures: &Failures<String>, names: usize, now_ms: i64) {
        for name in 0..names {
            let _ = failures.count(&format!("flood {name}"), now_ms);
        }
    }

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
    fn a_right_try_takes_back_the_wrong_ones_before_it() {
        let failures = Failures::new(1, 1000);
        failures.count(&"ann", 0).unwrap();
        failures.forget(&"ann");
        assert_eq!((failures.count(&"ann", 0), failures.count(&"ann", 0)), (Ok(()), Err(2)));
    }

    #[test]
    fn however_many_names_there_are_few_are_remembered() {
        let failures = Failures::new(1, 1000);
        flood(&failures, REMEMBERED + 100, 0);
        assert_eq!(failures.seen().len(), REMEMBERED);
    }

    #[test]
    fn a_flood_of_names_frees_none_that_tried_too_often() {
        let failures = Failures::new(2, 900_000);
        let ann = "ann".to_owned();
        failures.count(&ann, 0).unwrap();
        failures.count(&ann, 0).unwrap();
        flood(&failures, REMEMBERED + 100, 1);
        assert!(failures.count(&ann, 2).is_err());
    }

    #[test]
    fn whoever_is_pushed_out_comes_back_with_no_fewer_failures() {
        let failures = Failures::new(2, 900_000);
        let ann = "ann".to_owned();
        failures.count(&ann, 0).unwrap();
        flood(&failures, REMEMBERED, 1);
        assert!(!failures.seen().contains_key(&ann));
        assert_eq!(failures.count(&ann, 2), Ok(()));
        assert!(failures.count(&ann, 2).is_err());
        // What it took over it keeps, even where it was right.
        failures.forget(&ann);
        assert_eq!((failures.count(&ann, 3), failures.count(&ann, 3)), (Ok(()), Err(900)));
    }

    #[test]
    fn names_whose_time_is_over_make_room_first_and_leave_nothing() {
        let failures = Failures::new(1, 1000);
        flood(&failures, REMEMBERED, 0);
        let (ann, bob) = ("ann".to_owned(), "bob".to_owned());
        assert!(failures.count(&ann, 999).is_err());
        assert_eq!((failures.count(&ann, 1000), failures.count(&bob, 1000)), (Ok(()), Ok(())));
        assert!(failures.count(&ann, 1001).is_err());
    }

    #[test]
    fn a_clock_that_is_set_back_holds_nobody_up_for_longer() {
        let failures = Failures::new(1, 1000);
        failures.count(&"ann", 5000).unwrap();
        assert_eq!(failures.count(&"ann", 0), Ok(()));
    }
}
