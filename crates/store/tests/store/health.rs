//! The health of accounts: what was seen adds up, and failing and working are told once.

use parlance_model::account::{HealthState, Seen};
use parlance_model::delivery::DeliveryError;
use parlance_model::event::Event;
use parlance_model::id::AccountId;
use parlance_store::{event, health};
use parlance_testkit::both_databases;

use crate::fixture::{Fixture, START_MS};

fn refused() -> DeliveryError {
    DeliveryError { code: "20003".into(), message: "Check the auth token.".into() }
}

both_databases! {
    async fn what_was_seen_adds_up_in_any_order(database) {
        let f = Fixture::new(database).await;
        let id = f.account.id;
        assert_eq!(f.read(move |tx| health::get(tx, id)).await.unwrap().state(true), HealthState::Unused);
        let first = Seen { last_in_ms: Some(5), last_out_ms: None, refused_hooks: 2, last_refused_ms: Some(9) };
        let second = Seen { last_in_ms: Some(4), last_out_ms: Some(6), refused_hooks: 1, last_refused_ms: Some(7) };
        for seen in [first, second] {
            f.write(move |tx| health::merge(tx, id, &seen)).await.unwrap();
        }
        let known = f.read(health::all).await.unwrap().remove(&id).unwrap();
        assert_eq!(known.seen, Seen { last_in_ms: Some(5), last_out_ms: Some(6), refused_hooks: 3, last_refused_ms: Some(9) });
        assert_eq!((known.state(true), known.state(false)), (HealthState::Ok, HealthState::Off));
    }

    async fn failing_and_working_again_are_each_told_once(database) {
        let f = Fixture::new(database).await;
        let (id, seq) = (f.account.id, f.seq().await);
        f.write(move |tx| health::works(tx, id)).await.unwrap();
        for _ in 0..2 {
            f.write(move |tx| health::fails(tx, id, &refused())).await.unwrap();
        }
        let failing = f.read(move |tx| health::get(tx, id)).await.unwrap();
        assert_eq!((failing.state(true), failing.last_error), (HealthState::Failing, Some((refused(), START_MS))));
        f.write(move |tx| health::merge(tx, id, &Seen { last_out_ms: Some(1), ..Seen::default() })).await.unwrap();
        assert!(f.read(move |tx| health::get(tx, id)).await.unwrap().failing, "a late count does not mend it");
        for _ in 0..2 {
            f.write(move |tx| health::works(tx, id)).await.unwrap();
        }
        let mended = f.read(move |tx| health::get(tx, id)).await.unwrap();
        assert_eq!((mended.state(true), mended.last_error), (HealthState::Ok, Some((refused(), START_MS))));
        let told: Vec<_> = f.read(move |tx| event::after(tx, seq, 10)).await.unwrap().into_iter().map(|entry| entry.event).collect();
        assert_eq!(told, [Event::AccountHealth { account_id: id, failing: true }, Event::AccountHealth { account_id: id, failing: false }]);
    }

    async fn nothing_is_kept_of_an_account_of_another_org_or_of_none(database) {
        let f = Fixture::new(database).await;
        let (other, theirs) = f.other_org().await;
        for id in [theirs.id, AccountId(999)] {
            f.write(move |tx| health::merge(tx, id, &Seen { refused_hooks: 1, ..Seen::default() })).await.unwrap();
        }
        assert!(f.read(health::all).await.unwrap().is_empty());
        assert!(f.store.read(other, health::all).await.unwrap().is_empty());
    }
}
