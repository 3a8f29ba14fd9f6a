//! Chances for tests that do random things: drawn from a seed, so that a run can be repeated.

use parlance_model::entropy::{self, SeededEntropy};

/// The chances of one operation: the same for the same seed and operation.
pub(crate) struct Dice(SeededEntropy);

impl Dice {
    pub(crate) fn new(seed: u64, operation: u64) -> Self {
        Self(SeededEntropy::new(seed.wrapping_mul(1_000_003).wrapping_add(operation)))
    }

    /// From 0 to one below.
    pub(crate) fn below(&self, end: i64) -> i64 {
        i64::from(u32::from_be_bytes(entropy::bytes(&self.0))) % end
    }

    pub(crate) fn chance(&self, one_in: i64) -> bool {
        self.below(one_in) == 0
    }

    pub(crate) fn pick<T: Clone>(&self, of: &[T]) -> Option<T> {
        let end = i64::try_from(of.len()).unwrap();
        (end > 0).then(|| of[usize::try_from(self.below(end)).unwrap()].clone())
    }

    /// One of the list, or none of it.
    pub(crate) fn maybe<T: Clone>(&self, of: &[T]) -> Option<T> {
        if self.chance(3) { None } else { self.pick(of) }
    }
}
