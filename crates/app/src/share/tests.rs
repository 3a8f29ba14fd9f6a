//! Places and tickets, on a clock that the test moves.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use parlance_model::clock::{Clock as _, ManualClock};

use super::*;

const NOW_MS: i64 = 1_772_740_800_000;
const ACCOUNT: AccountId = AccountId(1);

fn shares(most: usize) -> (Shares, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(NOW_MS));
    (Shares::new(most, clock.clone()), clock)
}

#[test]
fn a_place_above_the_share_is_free_again_when_one_is_given_back() {
    let (shares, _) = shares(3);
    let mut held: Vec<_> = (0..3).map(|_| shares.take(ACCOUNT).ok().unwrap()).collect();
    assert!(shares.take(ACCOUNT).is_err());
    assert!(shares.take(AccountId(2)).is_ok(), "another account has a share of its own");
    held.pop();
    assert!(shares.take(ACCOUNT).is_ok());
}

#[test]
fn tickets_are_as_far_apart_as_places_become_free_and_never_at_once() {
    let (shares, clock) = shares(2);
    // Each place is held for 400 ms, until nothing else is known.
    for _ in 0..100 {
        let place = shares.take(ACCOUNT);
        clock.advance_ms(400);
        drop(place);
    }
    let held = [shares.take(ACCOUNT), shares.take(ACCOUNT)];
    let ticket = || shares.take(ACCOUNT).err().unwrap() - clock.now_ms();
    let tickets = [ticket(), ticket(), ticket()];
    assert_eq!(tickets, [50, 201, 351]);
    drop(held);
    // Nobody holds a place, so nobody is ahead either.
    let _held = [shares.take(ACCOUNT), shares.take(ACCOUNT)];
    assert_eq!(shares.take(ACCOUNT).err().unwrap() - clock.now_ms(), 50);
}

#[test]
fn places_that_are_held_long_space_the_tickets_before_they_are_given_back() {
    let (shares, clock) = shares(1);
    let _held = shares.take(ACCOUNT);
    let mut asked = 0;
    while clock.now_ms() < NOW_MS + 60_000 {
        let at_ms = shares.take(ACCOUNT).err().unwrap();
        clock.advance_ms(at_ms - clock.now_ms());
        asked += 1;
    }
    assert!(asked < 20, "{asked} times in a minute");
}

#[test]
fn a_clock_that_was_ahead_leaves_no_ticket_there() {
    let (shares, clock) = shares(1);
    let _held = shares.take(ACCOUNT);
    clock.advance_ms(12 * 3_600_000);
    shares.take(ACCOUNT).err().unwrap();
    clock.advance_ms(-12 * 3_600_000);
    assert!(shares.take(ACCOUNT).err().unwrap() <= clock.now_ms() + FAR_US / 1000);
}

/// So many jobs, all due now, each of which holds a place for as long as this says of the time since the beginning (ms). Answers how
/// often jobs were claimed, and how long it took, in milliseconds.
fn queue(jobs: usize, held_ms: impl Fn(i64) -> i64) -> (usize, i64) {
    let (shares, clock) = shares(8);
    let mut due: BinaryHeap<_> = (0..jobs).map(|job| Reverse((NOW_MS, job))).collect();
    let mut ends: BinaryHeap<Reverse<(i64, usize)>> = BinaryHeap::new();
    let mut held = HashMap::new();
    let mut claims = 0;
    loop {
        let (job_ms, end_ms) = (due.peek().map(|Reverse((at_ms, _))| *at_ms), ends.peek().map(|Reverse((at_ms, _))| *at_ms));
        let Some(next_ms) = job_ms.into_iter().chain(end_ms).min() else { return (claims, clock.now_ms() - NOW_MS) };
        clock.advance_ms((next_ms - clock.now_ms()).max(0));
        if end_ms == Some(next_ms) {
            held.remove(&ends.pop().unwrap().0.1);
            continue;
        }
        let Reverse((_, job)) = due.pop().unwrap();
        claims += 1;
        match shares.take(ACCOUNT) {
            Ok(place) => {
                // Not all are alike.
                let ends_ms = next_ms + held_ms(next_ms - NOW_MS) * (50 + (job as i64 * 37) % 100) / 100;
                held.insert(job, place);
                ends.push(Reverse((ends_ms, job)));
            }
            Err(at_ms) => due.push(Reverse((at_ms, job))),
        }
    }
}

#[test]
fn a_long_queue_is_claimed_a_few_times_for_each_job_and_keeps_the_places_busy() {
    // It takes half a minute, six minutes, and an hour.
    for (held_ms, most_claims) in [(20, 7), (300, 9), (3000, 14)] {
        let jobs = 10_000;
        let (claims, took_ms) = queue(jobs, |_| held_ms);
        let least_ms = jobs as i64 * held_ms / 8;
        assert!(claims < most_claims * jobs, "{held_ms} ms: {claims} claims");
        assert!(took_ms < least_ms * 5 / 4, "{held_ms} ms: {took_ms} ms, and not {least_ms}");
    }
}

#[test]
fn a_queue_goes_on_soon_when_its_provider_does() {
    // For a minute each call takes ten seconds, then a tenth of one.
    let (claims, took_ms) = queue(2000, |at_ms| if at_ms < 60_000 { 10_000 } else { 100 });
    assert!(claims < 8 * 2000, "{claims} claims");
    assert!(took_ms < 60_000 * 5 / 2, "{took_ms} ms");
}

#[test]
fn a_queue_is_not_claimed_more_often_when_its_provider_becomes_slow() {
    let (claims, took_ms) = queue(2000, |at_ms| if at_ms < 10_000 { 100 } else { 2000 });
    assert!(claims < 9 * 2000, "{claims} claims");
    assert!(took_ms < 310_000 * 3 / 2, "{took_ms} ms");
}
