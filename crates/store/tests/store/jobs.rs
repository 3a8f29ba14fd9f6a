//! Jobs: leases, lanes, and two nodes that claim at once.

use std::collections::BTreeSet;

use parlance_model::Result;
use parlance_model::id::{AccountId, AttemptId, ConversationId, JobId, MessageId, UserId};
use parlance_model::job::{Claimed, Job, Lane};
use parlance_store::bus::Signal;
use parlance_store::{OrgTx, Store, job};
use parlance_testkit::both_databases;

use crate::fixture::{Fixture, START_MS};

const LEASE_MS: i64 = 1000;

fn job_of(number: i64) -> Job {
    Job::Send { message_id: MessageId(number) }
}

async fn enqueue(f: &Fixture, number: i64, lane: Option<i64>, run_at_ms: i64) -> JobId {
    let lane = lane.map(|id| Lane::Conversation(ConversationId(id)));
    f.write(move |tx| job::enqueue(tx, &job_of(number), lane, run_at_ms)).await.unwrap()
}

async fn claim(store: &Store, limit: i64) -> Vec<Claimed> {
    store.system_write(move |tx| job::claim(tx, limit, LEASE_MS)).await.unwrap()
}

async fn claimed_ids(f: &Fixture, limit: i64) -> Vec<JobId> {
    claim(&f.store, limit).await.iter().map(|job| job.id).collect()
}

/// The first claim of a job, as a worker holds it.
fn held(f: &Fixture, id: JobId) -> Claimed {
    Claimed { id, org: f.org, job: job_of(0), attempt: 1, lost: 0, created_ms: START_MS }
}

both_databases! {
    async fn a_claim_tells_everything_about_the_job(database) {
        let f = Fixture::new(database).await;
        let id = enqueue(&f, 5, Some(1), START_MS).await;
        let claimed = claim(&f.store, 10).await.remove(0);
        assert_eq!((claimed.id, claimed.org, claimed.job, claimed.attempt, claimed.created_ms), (id, f.org, job_of(5), 1, START_MS));
    }

    async fn a_lane_runs_one_job_at_a_time_in_order_and_lanes_do_not_wait_for_each_other(database) {
        let f = Fixture::new(database).await;
        let first = enqueue(&f, 1, Some(1), START_MS).await;
        let second = enqueue(&f, 2, Some(1), START_MS).await;
        let elsewhere = enqueue(&f, 3, Some(2), START_MS).await;
        let free = [enqueue(&f, 4, None, START_MS).await, enqueue(&f, 5, None, START_MS).await];
        assert_eq!(claimed_ids(&f, 10).await, [first, elsewhere, free[0], free[1]]);
        assert!(claimed_ids(&f, 10).await.is_empty());
        {
            let first = held(&f, first);
            f.write(move |tx| job::finish(tx, &first)).await
        }.unwrap();
        assert_eq!(claimed_ids(&f, 10).await, [second]);
    }

    async fn a_job_that_waits_or_runs_in_its_lane_is_not_queued_again(database) {
        let f = Fixture::new(database).await;
        let queue = async |number: i64, lane: i64| {
            f.write(move |tx| job::enqueue_once(tx, &job_of(number), Lane::Conversation(ConversationId(lane)))).await.unwrap();
        };
        queue(1, 1).await;
        queue(1, 1).await;
        let first = claim(&f.store, 10).await;
        assert_eq!(first.iter().map(|claimed| claimed.job.clone()).collect::<Vec<_>>(), [job_of(1)]);
        queue(1, 1).await;
        assert!(claim(&f.store, 10).await.is_empty());
        // Another lane and another job are their own.
        queue(1, 2).await;
        queue(2, 3).await;
        assert_eq!(claim(&f.store, 10).await.len(), 2);
        let first = first[0].clone();
        f.write(move |tx| job::finish(tx, &first)).await.unwrap();
        queue(1, 1).await;
        assert_eq!(claim(&f.store, 10).await.len(), 1);
    }

    async fn what_people_wait_for_is_claimed_before_what_is_fetched_from_providers(database) {
        let f = Fixture::new(database).await;
        let fetches = [
            Job::FetchMedia { message_id: MessageId(1), index: 0 },
            Job::Reconcile { attempt_id: AttemptId(1) },
            Job::Backfill { account_id: AccountId(1) },
            Job::FindCall { account_id: AccountId(1), provider_id: "CA1".to_owned() },
        ];
        let write = move |tx: &mut OrgTx<'_, '_>| fetches.iter().map(|fetch| job::enqueue(tx, fetch, None, START_MS)).collect::<Result<Vec<_>>>();
        let fetched = f.write(write).await.unwrap();
        let message = enqueue(&f, 2, None, START_MS).await;
        assert_eq!((claimed_ids(&f, 1).await, claimed_ids(&f, 10).await), (vec![message], fetched));
    }

    async fn a_claim_that_was_declined_counts_as_none(database) {
        let f = Fixture::new(database).await;
        enqueue(&f, 1, None, START_MS).await;
        for _ in 0..2 {
            let claimed = claim(&f.store, 1).await.remove(0);
            assert_eq!((claimed.attempt, claimed.lost), (1, 0));
            f.write(move |tx| job::decline(tx, &claimed, START_MS)).await.unwrap();
        }
    }

    async fn jobs_are_counted_by_kind_and_by_where_they_stand(database) {
        let f = Fixture::new(database).await;
        let standing = async || {
            let mut found = f.store.system_read(job::standing).await.unwrap();
            found.sort_by(|a, b| (&a.kind, &a.state).cmp(&(&b.kind, &b.state)));
            found.into_iter().map(|of| (of.kind, of.state, of.count, of.since_ms - START_MS)).collect::<Vec<_>>()
        };
        let of = |kind: &str, state: &str, count: i64, since_ms: i64| (kind.to_owned(), state.to_owned(), count, since_ms);
        assert!(standing().await.is_empty());
        enqueue(&f, 1, Some(1), START_MS - 5000).await;
        // Behind the first in its lane, and before its time.
        enqueue(&f, 2, Some(1), START_MS - 9000).await;
        enqueue(&f, 3, Some(2), START_MS + 1).await;
        f.write(|tx| job::enqueue(tx, &Job::Unassign { user_id: UserId(1) }, None, START_MS)).await.unwrap();
        assert_eq!(standing().await, [of("send", "due", 1, -5000), of("send", "waiting", 2, -9000), of("unassign", "due", 1, 0)]);
        assert_eq!(claimed_ids(&f, 1).await.len(), 1);
        assert_eq!(standing().await[0], of("send", "leased", 1, LEASE_MS));
        // A lease that ran out makes the job due since then.
        f.clock.advance_ms(LEASE_MS);
        assert_eq!(standing().await[0], of("send", "due", 2, 1));
    }

    async fn lanes_of_two_orgs_with_one_number_are_two(database) {
        let f = Fixture::new(database).await;
        let (other, _) = f.other_org().await;
        let ours = enqueue(&f, 1, Some(1), START_MS).await;
        let theirs = f.store.write(other, |tx| job::enqueue(tx, &job_of(2), Some(Lane::Conversation(ConversationId(1))), START_MS)).await.unwrap();
        assert_eq!(claimed_ids(&f, 10).await, [ours, theirs]);
    }

    async fn no_more_are_claimed_than_asked_and_the_earliest_first(database) {
        let f = Fixture::new(database).await;
        let late = enqueue(&f, 1, None, START_MS).await;
        let early = enqueue(&f, 2, None, START_MS - 10).await;
        let middle = enqueue(&f, 3, None, START_MS - 5).await;
        assert_eq!(claimed_ids(&f, 2).await, [early, middle]);
        assert_eq!(claimed_ids(&f, 2).await, [late]);
    }

    /// However PostgreSQL joins: a subquery that it ran again for each row would claim all of them.
    async fn a_limit_holds_on_a_large_table_and_under_every_plan(database) {
        let f = Fixture::new(database).await;
        f.write(|tx| (1..=500).try_for_each(|number| job::enqueue(tx, &job_of(number), None, START_MS).map(drop))).await.unwrap();
        f.raw().execute("ANALYZE");
        let mut seen = BTreeSet::new();
        for round in 0..10 {
            let ways = ["hashjoin", "mergejoin", "hashagg", "sort", "material"].map(|way| format!("EXECUTE format('ALTER DATABASE %I SET enable_{way} = off', current_database());"));
            if round == 5 {
                f.raw().run("", &format!("DO $$ BEGIN {} END $$", ways.concat()));
            }
            let store = f.second_store().await;
            let ids: Vec<_> = claim(&store, 7).await.iter().map(|job| job.id).collect();
            assert_eq!(ids.len(), 7);
            assert!(ids.iter().all(|id| seen.insert(*id)), "claimed twice");
        }
    }

    async fn a_job_is_not_claimed_before_its_time(database) {
        let f = Fixture::new(database).await;
        let id = enqueue(&f, 1, None, START_MS + 10).await;
        assert_eq!(f.system_read(job::waiting).await.unwrap(), (1, Some(START_MS + 10)));
        f.clock.advance_ms(9);
        assert!(claimed_ids(&f, 10).await.is_empty());
        f.clock.advance_ms(1);
        assert_eq!(claimed_ids(&f, 10).await, [id]);
    }

    async fn a_lease_that_ran_out_is_claimed_again_and_the_old_claim_holds_no_longer(database) {
        let f = Fixture::new(database).await;
        enqueue(&f, 1, Some(1), START_MS).await;
        enqueue(&f, 2, Some(1), START_MS).await;
        let first = claim(&f.store, 10).await.remove(0);
        f.clock.advance_ms(LEASE_MS - 1);
        assert!(claim(&f.store, 10).await.is_empty());
        f.clock.advance_ms(1);
        let again = claim(&f.store, 10).await.remove(0);
        assert_eq!((again.id, again.attempt), (first.id, 2));
        let holds = |claimed: &Claimed| {
            let claimed = claimed.clone();
            f.read(move |tx| job::holds(tx, &claimed))
        };
        assert!(!holds(&first).await.unwrap());
        assert!(holds(&again).await.unwrap());
        for late in [first.clone(), again.clone()] {
            // The first claim is not theirs any more: only the second one ends the job.
            assert!(holds(&again).await.unwrap());
            f.write(move |tx| job::finish(tx, &late)).await.unwrap();
        }
        assert!(!holds(&again).await.unwrap());
    }

    async fn a_postponed_job_is_free_at_its_new_time_and_keeps_its_lane_waiting(database) {
        let f = Fixture::new(database).await;
        enqueue(&f, 1, Some(1), START_MS).await;
        enqueue(&f, 2, Some(1), START_MS).await;
        let first = claim(&f.store, 10).await.remove(0);
        let held = first.clone();
        f.write(move |tx| job::postpone(tx, &held, START_MS + 50)).await.unwrap();
        assert_eq!(f.system_read(job::waiting).await.unwrap(), (2, Some(START_MS + 50)));
        f.clock.advance_ms(49);
        assert!(claim(&f.store, 10).await.is_empty());
        f.clock.advance_ms(1);
        let again = claim(&f.store, 10).await;
        assert_eq!(again.iter().map(|job| (job.id, job.attempt)).collect::<Vec<_>>(), [(first.id, 2)]);
    }

    async fn a_lane_tells_when_its_first_job_may_be_claimed(database) {
        let f = Fixture::new(database).await;
        let lane = Lane::Conversation(ConversationId(1));
        let due = async || f.read(move |tx| job::first_due(tx, lane)).await.unwrap();
        assert_eq!(due().await, None);
        let first = held(&f, enqueue(&f, 1, Some(1), START_MS + 50).await);
        enqueue(&f, 2, Some(1), START_MS).await;
        enqueue(&f, 3, Some(2), START_MS).await;
        assert_eq!(due().await, Some(START_MS + 50));
        f.clock.advance_ms(50);
        claim(&f.store, 10).await;
        assert_eq!(due().await, None);
        f.write(move |tx| job::finish(tx, &first)).await.unwrap();
        assert_eq!(due().await, Some(START_MS));
    }

    async fn what_waits_is_counted_with_the_time_of_the_next_claim(database) {
        let f = Fixture::new(database).await;
        assert_eq!(f.system_read(job::waiting).await.unwrap(), (0, None));
        let id = enqueue(&f, 1, Some(1), START_MS - 5).await;
        enqueue(&f, 2, Some(1), START_MS - 9).await;
        assert_eq!(f.system_read(job::waiting).await.unwrap(), (2, Some(START_MS - 5)));
        claim(&f.store, 10).await;
        assert_eq!(f.system_read(job::waiting).await.unwrap(), (2, Some(START_MS + LEASE_MS)));
        let id = held(&f, id);
        f.write(move |tx| job::finish(tx, &id)).await.unwrap();
        assert_eq!(f.system_read(job::waiting).await.unwrap(), (1, Some(START_MS - 9)));
        let org = f.org;
        assert_eq!(f.system_read(move |tx| job::of_org(tx, org)).await.unwrap(), 1);
    }

    async fn new_and_finished_jobs_wake_the_workers_after_the_commit(database) {
        let f = Fixture::new(database).await;
        let mut signals = f.store.bus().listen();
        let id = enqueue(&f, 1, Some(1), START_MS).await;
        assert_eq!(signals.try_recv().unwrap(), Signal::Jobs);
        let id = held(&f, id);
        f.write(move |tx| job::finish(tx, &id)).await.unwrap();
        assert_eq!(signals.try_recv().unwrap(), Signal::Jobs);
        assert!(signals.try_recv().is_err());
    }

    async fn another_org_reaches_no_job(database) {
        let f = Fixture::new(database).await;
        let (other, _) = f.other_org().await;
        let id = enqueue(&f, 1, None, START_MS).await;
        let claimed = claim(&f.store, 1).await.remove(0);
        let theirs = claimed.clone();
        assert!(!f.store.read(other, move |tx| job::holds(tx, &theirs)).await.unwrap());
        let (finished, postponed) = (held(&f, id), held(&f, id));
        f.store.write(other, move |tx| job::finish(tx, &finished)).await.unwrap();
        f.store.write(other, move |tx| job::postpone(tx, &postponed, START_MS)).await.unwrap();
        assert!(f.read(move |tx| job::holds(tx, &claimed)).await.unwrap());
        assert!(claim(&f.store, 1).await.is_empty());
        assert_eq!(f.system_read(move |tx| job::of_org(tx, other)).await.unwrap(), 0);
    }

    /// On PostgreSQL these are two nodes; on SQLite two processes beside each other.
    async fn two_claimers_never_get_the_same_job(database) {
        let f = Fixture::new(database).await;
        f.write(|tx| (1..=120).try_for_each(|number| job::enqueue(tx, &job_of(number), Some(Lane::Conversation(ConversationId(number % 40))), START_MS).map(drop))).await.unwrap();
        let mut claimers = tokio::task::JoinSet::new();
        for store in [f.store.clone(), f.second_store().await, f.store.clone(), f.second_store().await] {
            let org = f.org;
            claimers.spawn(async move {
                let mut mine = Vec::new();
                loop {
                    let claimed = claim(&store, 5).await;
                    if claimed.is_empty() {
                        // Somebody else may still hold the head of every lane; only an empty table is the end.
                        if store.system_read(job::waiting).await.unwrap().0 == 0 {
                            return mine;
                        }
                        tokio::task::yield_now().await;
                    }
                    for job in claimed {
                        assert_eq!(job.attempt, 1);
                        mine.push(job.id);
                        store.write(org, move |tx| job::finish(tx, &job)).await.unwrap();
                    }
                }
            });
        }
        let claimed: Vec<JobId> = claimers.join_all().await.into_iter().flatten().collect();
        assert_eq!(claimed.len(), 120);
        assert_eq!(claimed.iter().collect::<BTreeSet<_>>().len(), 120);
    }
}
