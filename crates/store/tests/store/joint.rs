//! Joint writes: one closure for all that wait, an answer for each of them.

use std::pin::Pin;
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Waker};

use parlance_model::id::{ContactId, OrgId};
use parlance_model::{Error, Result};
use parlance_store::{Joint, OrgTx, Store, contact};
use parlance_testkit::both_databases;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::fixture::{Fixture, identity, refused};

/// The number of a contact to be made, and where the sizes of the slices are written down.
type Wanted = (String, Arc<Mutex<Vec<(OrgId, usize)>>>);

/// Makes contacts. Of a slice in which one has a bad number, it makes those before it.
fn make(tx: &mut OrgTx<'_, '_>, wanted: &[&Wanted]) -> Result<Vec<ContactId>> {
    wanted[0].1.lock().unwrap().push((tx.org(), wanted.len()));
    let one = |(number, _): &&Wanted| match number.as_str() {
        "refused" => Err(refused()),
        "panic" => panic!("a defect, on purpose"),
        _ => contact::create(tx, &contact::Details::default(), &[identity(number)]).map(|made| made.id),
    };
    wanted.iter().map(one).collect()
}

/// Queues these, for the orgs in turn, while whoever writes for the first is held up, so that they meet. Answers what came of each, and the
/// sizes of the slices of each org.
async fn together(store: &Store, orgs: &[OrgId], numbers: &[String]) -> (Vec<Result<ContactId>>, Vec<Vec<usize>>) {
    let (release, held) = mpsc::channel::<()>();
    let (entered, held) = (Arc::new(Notify::new()), Mutex::new(held));
    let (inside, holding, first) = (Arc::clone(&entered), store.clone(), orgs[0]);
    let hold = move |_: &mut OrgTx<'_, '_>| {
        inside.notify_one();
        held.lock().unwrap().recv().map_err(Error::internal)
    };
    let mut holder = JoinSet::new();
    holder.spawn(async move { holding.write(first, hold).await });
    entered.notified().await;
    let (joint, slices) = (Joint::new(make), Arc::default());
    let mut writes: Vec<Pin<Box<_>>> = Vec::new();
    for (number, org) in numbers.iter().zip(orgs.iter().cycle()) {
        // Without tokio's budget, which would hold back whoever is polled late in the loop below.
        writes.push(Box::pin(tokio::task::unconstrained(joint.write(store, *org, (number.clone(), Arc::clone(&slices))))));
    }
    for write in &mut writes {
        assert!(write.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    release.send(()).unwrap();
    holder.join_next().await.unwrap().unwrap().unwrap();
    let mut answers = Vec::new();
    for write in writes {
        answers.push(write.await);
    }
    let slices = slices.lock().unwrap();
    let of = |org: &OrgId| slices.iter().filter(|(of, _)| of == org).map(|(_, size)| *size).collect();
    (answers, orgs.iter().map(of).collect())
}

fn numbers(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("+1555222{number:04}")).collect()
}

both_databases! {
    async fn what_waits_is_one_slice_and_each_is_answered_with_its_own(database) {
        let f = Fixture::new(database).await;
        let numbers = numbers(40);
        let (answers, slices) = together(&f.store, &[f.org], &numbers).await;
        assert_eq!(slices, [[40]]);
        for (number, made) in numbers.into_iter().zip(answers) {
            let found = f.read(move |tx| contact::by_identity(tx, &identity(&number))).await.unwrap();
            assert_eq!(found, Some(made.unwrap()));
        }
        f.assert_clean().await;
    }

    async fn one_that_fails_or_panics_takes_nobody_along(database) {
        for (bad, code) in [("refused", "test_refused"), ("panic", "internal")] {
            let f = Fixture::new(database).await;
            let mut numbers = numbers(5);
            numbers[3] = bad.to_owned();
            let (answers, slices) = together(&f.store, &[f.org], &numbers).await;
            // As a whole, and then each by itself.
            assert_eq!(slices, [[5, 1, 1, 1, 1, 1]]);
            let codes: Vec<_> = answers.iter().map(|answer| answer.as_ref().map_or_else(Error::code, |_| "made")).collect();
            assert_eq!(codes, ["made", "made", "made", code, "made"]);
            assert_eq!(f.raw().value("SELECT COUNT(*) FROM contact"), "4");
            f.assert_clean().await;
        }
    }

    async fn a_slice_is_of_one_org_and_has_a_bound(database) {
        let f = Fixture::new(database).await;
        let (other, _) = f.other_org().await;
        let (answers, slices) = together(&f.store, &[f.org, other], &numbers(1300)).await;
        assert!(answers.iter().all(Result::is_ok));
        assert_eq!(slices[0], [512, 138]);
        // On PostgreSQL the other org has a lane of its own, which nobody holds up.
        assert!(slices[1].iter().all(|size| *size <= 512) && slices[1].iter().sum::<usize>() == 650, "{slices:?}");
        for org in [f.org, other] {
            assert_eq!(f.store.read(org, parlance_store::counter::contacts).await.unwrap(), 650);
        }
        f.assert_clean().await;
    }
}
