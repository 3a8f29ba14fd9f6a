//! How many connections each network of callers holds, so that none takes them all.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use parlance_model::place::{Network, Place};

/// The connections of a listener, by network.
#[derive(Debug, Clone, Default)]
pub(super) struct Shares(Arc<Mutex<HashMap<Network, usize>>>);

/// A connection that is counted until this is dropped.
#[derive(Debug)]
pub(super) struct Share {
    shares: Shares,
    /// Where it is counted; nowhere for callers on this machine.
    network: Option<Network>,
}

impl Shares {
    /// Counts one more connection, unless its network holds `most` already. Callers on this machine are not counted: one of them may
    /// be a proxy, from which everybody comes.
    pub(super) fn take(&self, from: Place, most: usize) -> Option<Share> {
        if from.is_loopback() {
            return Some(Share { shares: self.clone(), network: None });
        }
        let network = from.network();
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_network = held.entry(network).or_default();
        if *of_network >= most {
            return None;
        }
        *of_network += 1;
        Some(Share { shares: self.clone(), network: Some(network) })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let Some(network) = self.network else { return };
        let mut held = self.shares.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(of_network) = held.get_mut(&network) {
            *of_network -= 1;
            if *of_network == 0 {
                held.remove(&network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(address: &str) -> Place {
        Place::of(address.parse().unwrap())
    }

    #[test]
    fn a_network_holds_its_share_and_takes_nothing_from_others() {
        let shares = Shares::default();
        let first = shares.take(from("2001:db8::1"), 2).unwrap();
        let second = shares.take(from("2001:db8::2"), 2).unwrap();
        assert!(shares.take(from("2001:db8::3"), 2).is_none());
        let other = shares.take(from("2001:db8:0:1::1"), 2).unwrap();
        drop(first);
        let third = shares.take(from("2001:db8::3"), 2).unwrap();
        assert!(shares.take(from("2001:db8::1"), 2).is_none());
        drop((second, third, other));
        assert!(shares.0.lock().unwrap().is_empty());
    }

    #[test]
    fn callers_on_this_machine_are_not_counted() {
        let shares = Shares::default();
        let held: Vec<_> = ["127.0.0.1", "::1", "127.0.0.1"].into_iter().filter_map(|address| shares.take(from(address), 1)).collect();
        assert_eq!(held.len(), 3);
    }
}
