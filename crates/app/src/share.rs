//! How many of this node's places for jobs an account holds. A provider that hangs keeps a place for as long as a call may take;
//! without a bound, one account could hold all of them, and nobody else's messages went out.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use parlance_model::id::AccountId;

/// Who holds how many places.
#[derive(Debug, Clone)]
pub(crate) struct Shares {
    most: usize,
    held: Arc<Mutex<HashMap<AccountId, usize>>>,
}

/// A place that is held until this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    shares: Shares,
    account: AccountId,
}

impl Shares {
    /// The places for what an account hands over, messages and phone calls, and for looks for what was lost.
    pub(crate) fn of_messages() -> Self {
        Self::new(8)
    }

    /// The places for files that come in: fewer than the uploads that an org may have at once, so that its people can still upload.
    pub(crate) fn of_files() -> Self {
        Self::new(2)
    }

    fn new(most: usize) -> Self {
        Self { most, held: Arc::default() }
    }

    /// A place for a call over the account. `None`: it holds its share already.
    pub(crate) fn take(&self, account: AccountId) -> Option<Place> {
        let mut all = self.lock();
        let held = all.entry(account).or_default();
        if *held >= self.most {
            return None;
        }
        *held += 1;
        Some(Place { shares: self.clone(), account })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<AccountId, usize>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Entry::Occupied(mut held) = self.shares.lock().entry(self.account) {
            *held.get_mut() -= 1;
            if *held.get() == 0 {
                held.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_above_the_share_is_free_again_when_one_is_given_back() {
        let shares = Shares::new(3);
        let mut held: Vec<_> = (0..3).map(|_| shares.take(AccountId(1)).unwrap()).collect();
        assert!(shares.take(AccountId(1)).is_none());
        assert!(shares.take(AccountId(2)).is_some(), "another account has a share of its own");
        held.pop();
        assert!(shares.take(AccountId(1)).is_some());
        drop(held);
        assert!(shares.lock().is_empty());
    }
}
