//! Sessions: whom a cookie stands for, and until when.

use parlance_model::entropy::SeededEntropy;
use parlance_model::role::Role;
use parlance_store::{session, staff};
use parlance_testkit::both_databases;

use crate::fixture::Fixture;

#[test]
fn tokens_are_long_and_different() {
    let entropy = SeededEntropy::new(1);
    let (one, other) = (session::new_token(&entropy), session::new_token(&entropy));
    assert!(one.len() == 42 && one != other, "{one} {other}");
}

both_databases! {
    async fn a_session_is_found_by_its_token_until_it_ends(database) {
        let f = Fixture::new(database).await;
        let org = f.org;
        let user = f.write(move |tx| staff::add(tx, "ann@example.com", "Ann", Role::Agent, "hash")).await.unwrap().user;
        let id = f.system_write(move |tx| session::create(tx, user, Some(org), "cookie-one")).await.unwrap();
        let found = f.system_read(|tx| session::find(tx, "cookie-one")).await.unwrap().unwrap();
        assert_eq!((found.id, found.user, found.org, found.slide), (id, user, Some(org), false));
        assert!(f.system_read(|tx| session::find(tx, "cookie-two")).await.unwrap().is_none());
        assert_eq!(f.system_read(move |tx| session::orgs(tx, user)).await.unwrap(), [org]);
        assert_eq!(f.system_read(move |tx| session::role(tx, user, org)).await.unwrap(), Some(Role::Agent));
        assert!(!f.raw().query("SELECT * FROM session").concat().iter().any(|value| value.contains("cookie-one")));
        f.system_write(move |tx| session::end(tx, id)).await.unwrap();
        assert!(f.system_read(|tx| session::find(tx, "cookie-one")).await.unwrap().is_none());
    }

    async fn a_session_slides_with_its_use_and_is_swept_at_its_end(database) {
        let f = Fixture::new(database).await;
        let user = f.write(move |tx| staff::add(tx, "ann@example.com", "Ann", Role::Agent, "hash")).await.unwrap().user;
        let id = f.system_write(move |tx| session::create(tx, user, None, "cookie-one")).await.unwrap();
        f.clock.advance_ms(session::LASTS_MS - 1);
        assert!(f.system_read(|tx| session::find(tx, "cookie-one")).await.unwrap().unwrap().slide);
        f.system_write(move |tx| session::slide(tx, id)).await.unwrap();
        f.clock.advance_ms(session::LASTS_MS - 1);
        assert_eq!(f.system_write(session::sweep).await.unwrap(), 0);
        f.clock.advance_ms(1);
        assert!(f.system_read(|tx| session::find(tx, "cookie-one")).await.unwrap().is_none());
        assert_eq!(f.system_write(session::sweep).await.unwrap(), 1);
    }
}
