//! How many of this node's places for jobs an account holds. A provider that hangs keeps a place for as long as a call may take;
//! without a bound, one account could hold all of them, and nobody else's messages went out.
//!
//! Whoever finds no place free is given a time at which one is likely to be. Tickets are as far apart as places become free, so a
//! long queue comes one by one and not all of it again and again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use parlance_model::clock::SharedClock;
use parlance_model::id::AccountId;

/// How long a place is held, before anything is known, in microseconds.
const FIRST_GUESS_US: i64 = 500_000;
/// The least that is believed of it.
const SHORTEST_US: i64 = 1_000;
/// The most: no call takes longer.
const LONGEST_US: i64 = 60_000_000;
/// The weight of one more place that was given back is one in so many.
const WEIGHT: i64 = 8;
/// How soon a ticket may be, in microseconds.
const SOONEST_US: i64 = 50_000;
/// How far ahead tickets go at least and at most, in microseconds. Between the two it is for as long as the queue has stood: so, when
/// places become free faster than they did, none stands idle for longer than the queue has stood already.
const NEAR_US: i64 = 10_000_000;
const FAR_US: i64 = 600_000_000;

/// Who holds how many places, and who waits for one.
#[derive(Clone)]
pub(crate) struct Shares {
    most: usize,
    clock: SharedClock,
    /// Some bytes for each account that ever held one.
    queues: Arc<Mutex<HashMap<AccountId, Queue>>>,
}

/// A place that is held until this is dropped.
pub(crate) struct Place {
    shares: Shares,
    account: AccountId,
    since_us: i64,
}

impl Shares {
    /// The places for what an account hands over, messages and phone calls, and for looks for what was lost.
    pub(crate) fn of_messages(clock: SharedClock) -> Self {
        Self::new(8, clock)
    }

    /// The places for files that come in: fewer than the uploads that an org may have at once, so that its people can still upload.
    pub(crate) fn of_files(clock: SharedClock) -> Self {
        Self::new(2, clock)
    }

    fn new(most: usize, clock: SharedClock) -> Self {
        Self { most, clock, queues: Arc::default() }
    }

    /// A place for a call over the account.
    ///
    /// # Errors
    /// When to come again, unix ms: the account holds its share already.
    pub(crate) fn take(&self, account: AccountId) -> Result<Place, i64> {
        let now_us = self.clock.now_ms() * 1000;
        let mut queues = self.lock();
        let queue = queues.entry(account).or_insert_with(|| Queue::new(now_us));
        if queue.held.len() < self.most {
            queue.held.push(now_us);
            return Ok(Place { shares: self.clone(), account, since_us: now_us });
        }
        Err((queue.ticket(now_us) + 999) / 1000)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<AccountId, Queue>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let now_us = self.shares.clock.now_ms() * 1000;
        if let Some(queue) = self.shares.lock().get_mut(&self.account) {
            queue.give_back(self.since_us, now_us);
        }
    }
}

/// An account's places, and the tickets for them. Times are unix µs.
struct Queue {
    /// Since when each place is held.
    held: Vec<i64>,
    /// How long one is, as a moving average.
    average_us: i64,
    /// The next ticket.
    next_us: i64,
    /// Since when there was always a ticket ahead.
    since_us: i64,
    /// How many were told to come for a ticket later.
    sent_away: i64,
}

impl Queue {
    const fn new(now_us: i64) -> Self {
        Self { held: Vec::new(), average_us: FIRST_GUESS_US, next_us: now_us, since_us: now_us, sent_away: 0 }
    }

    /// The time of the next ticket or, where tickets go too far ahead already, a time to come for one.
    fn ticket(&mut self, now_us: i64) -> i64 {
        if self.next_us <= now_us {
            self.since_us = now_us;
        }
        let ticket_us = self.next_us.clamp(now_us + SOONEST_US, now_us + FAR_US);
        let ahead_us = (now_us - self.since_us).clamp(NEAR_US, FAR_US);
        if ticket_us <= now_us + ahead_us {
            self.next_us = ticket_us + self.apart_us(now_us);
            return ticket_us;
        }
        // Before the last ticket, and spread: by the golden ratio no two come together, however many there are.
        self.sent_away = (self.sent_away + 618) % 1000;
        now_us + ahead_us / 2 + ahead_us / 2 * self.sent_away / 1000
    }

    /// How far tickets are apart: a little less than places become free, so that none waits for a job. Those that are held now count
    /// for as long as they have been: a provider that has begun to hang is not known to the average before it answers.
    fn apart_us(&self, now_us: i64) -> i64 {
        let places = i64::try_from(self.held.len().max(1)).unwrap_or(i64::MAX);
        let so_far_us = self.held.iter().map(|since_us| (now_us - since_us).clamp(0, LONGEST_US)).sum::<i64>() / places;
        self.average_us.max(so_far_us) * 3 / 4 / places
    }

    fn give_back(&mut self, since_us: i64, now_us: i64) {
        if let Some(at) = self.held.iter().position(|held_us| *held_us == since_us) {
            self.held.swap_remove(at);
        }
        let before_us = self.average_us;
        let last_us = (now_us - since_us).clamp(SHORTEST_US, LONGEST_US);
        self.average_us += (last_us - before_us) / WEIGHT;
        // As many tickets are ahead as before, but they are worth another time. While a place stands idle there are none.
        let ahead_us = (self.next_us - now_us).clamp(0, FAR_US);
        self.next_us = now_us + if self.held.is_empty() { 0 } else { ahead_us * self.average_us / before_us };
    }
}

#[cfg(test)]
mod tests;
