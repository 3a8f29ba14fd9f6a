//! The opt-out ledger.

use parlance_model::contact::{Identity, IdentityKind};
use parlance_model::event::Event;
use parlance_model::opt_out::OptSource;
use parlance_store::total::Total;
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

    async fn the_ledger_is_listed_latest_first_with_whom_it_is_about(database) {
        let f = Fixture::new(database).await;
        let (other, _) = f.other_org().await;
        let ann = f.conversation(PEER).await.contact_id;
        for (peer, opted_out) in [(PEER, true), ("+15551110002", true), ("+15551110003", true), (PEER, false)] {
            f.write(move |tx| opt_out::set(tx, &identity(peer), opted_out, OptSource::Staff)).await.unwrap();
            f.clock.advance_ms(if peer == "+15551110003" { 1 } else { 0 });
        }
        let whole = f.read(|tx| opt_out::list(tx, None, 10, 0)).await.unwrap();
        let shown: Vec<_> = whole.iter().map(|row| (row.entry.identity.value.as_str(), row.entry.opted_out, row.entry.contact_id)).collect();
        assert_eq!(shown, [(PEER, false, Some(ann)), ("+15551110003", true, None), ("+15551110002", true, None)]);
        assert_eq!(f.read(opt_out::total).await.unwrap(), Total { n: 3, bounded: false });
        let mut after = None;
        for row in &whole {
            let page = f.read(move |tx| opt_out::list(tx, after, 1, 0)).await.unwrap();
            assert_eq!(page[0].entry, row.entry);
            after = Some(page[0].place);
        }
        assert!(f.read(move |tx| opt_out::list(tx, after, 1, 0)).await.unwrap().is_empty());
        assert!(f.store.read(other, |tx| opt_out::list(tx, None, 10, 0)).await.unwrap().is_empty());
        let unwritten = f.read(|tx| opt_out::get(tx, &identity("+15551110009"))).await.unwrap();
        assert_eq!((unwritten.opted_out, unwritten.written, unwritten.contact_id), (false, None, None));
        assert_eq!(f.read(|tx| opt_out::get(tx, &identity(PEER))).await.unwrap(), whole[0].entry);
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
