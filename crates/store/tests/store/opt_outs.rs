//! The opt-out ledger.

use parlance_model::contact::{Identity, IdentityKind};
use parlance_model::event::Event;
use parlance_model::opt_out::OptSource;
use parlance_store::{event, opt_out};
use parlance_testkit::both_databases;

use crate::fixture::{Fixture, identity};

const PEER: &str = "+15551110001";

both_databases! {
    async fn what_changes_is_written_and_told_and_what_does_not_is_neither(database) {
        let f = Fixture::new(database).await;
        let set = |opted_out, source| f.write(move |tx| opt_out::set(tx, &identity(PEER), opted_out, source));
        let is = || f.read(|tx| opt_out::is_opted_out(tx, &identity(PEER)));
        assert!(!is().await.unwrap());
        set(false, OptSource::Staff).await.unwrap();
        assert_eq!(f.raw().value("SELECT COUNT(*) FROM opt_out"), "0");
        set(true, OptSource::Keyword).await.unwrap();
        assert!(is().await.unwrap());
        f.clock.advance_ms(1);
        set(true, OptSource::Provider).await.unwrap();
        assert_eq!(f.raw().query("SELECT source, at_ms FROM opt_out").concat(), ["keyword", &crate::fixture::START_MS.to_string()]);
        set(false, OptSource::Staff).await.unwrap();
        assert!(!is().await.unwrap());
        set(true, OptSource::Provider).await.unwrap();
        let told = f.read(|tx| event::after(tx, 0, 10)).await.unwrap();
        let event = |opted_out| Event::OptOutChanged { identity: PEER.to_owned(), opted_out };
        assert_eq!(told.into_iter().map(|entry| entry.event).collect::<Vec<_>>(), [event(true), event(false), event(true)]);
    }

    async fn an_opt_out_holds_for_one_identity_of_one_org(database) {
        let f = Fixture::new(database).await;
        let (other, _) = f.other_org().await;
        f.write(|tx| opt_out::set(tx, &identity(PEER), true, OptSource::Keyword)).await.unwrap();
        assert!(!f.store.read(other, |tx| opt_out::is_opted_out(tx, &identity(PEER))).await.unwrap());
        assert!(!f.read(|tx| opt_out::is_opted_out(tx, &identity("+15551110002"))).await.unwrap());
        let email = Identity { kind: IdentityKind::Email, value: PEER.to_owned() };
        assert!(!f.read(move |tx| opt_out::is_opted_out(tx, &email)).await.unwrap());
        f.store.write(other, |tx| opt_out::set(tx, &identity(PEER), false, OptSource::Staff)).await.unwrap();
        assert!(f.read(|tx| opt_out::is_opted_out(tx, &identity(PEER))).await.unwrap());
    }
}
