//! Orgs and users that are switched off: who is refused, what rests, and who cannot be.

use std::collections::BTreeMap;

use parlance_model::id::{ConversationId, MessageId, OrgId, UserId};
use parlance_model::job::{Job, Lane};
use parlance_model::key::Scopes;
use parlance_model::org::User;
use parlance_model::role::Role;
use parlance_store::key::{self, NewKey};
use parlance_store::{SystemTx, job, org, session, staff, user};
use parlance_testkit::both_databases;

use crate::fixture::{Fixture, START_MS, code};

async fn add(f: &Fixture, org: OrgId, email: &'static str, role: Role) -> User {
    let id = f.store.write(org, move |tx| staff::add(tx, email, "Somebody", role, "hash")).await.unwrap().user;
    f.system_read(move |tx| user::get(tx, id)).await.unwrap()
}

async fn key_of(f: &Fixture, org: OrgId, user: Option<UserId>, token: &'static str) {
    let new = NewKey { user, name: "bot".to_owned(), dialect: None, scopes: Scopes::FULL, expires_ms: None };
    f.store.write(org, move |tx| key::create(tx, &new, token)).await.unwrap();
}

async fn switch_org(f: &Fixture, disabled: bool) {
    f.write(move |tx| org::set_disabled(tx, disabled)).await.unwrap();
}

async fn disable(f: &Fixture, user: &User) -> parlance_model::Result<()> {
    let user = user.clone();
    f.system_write(move |tx| user::disable(tx, &user)).await
}

async fn shown(f: &Fixture, token: &'static str) -> &'static str {
    match f.system_read(move |tx| key::authenticate(tx, token)).await {
        Ok(_) => "ok",
        Err(error) => error.code(),
    }
}

both_databases! {
    async fn nobody_gets_into_a_disabled_org_until_it_is_enabled(database) {
        let f = Fixture::new(database).await;
        let (org, (other, _)) = (f.org, f.other_org().await);
        let ann = add(&f, org, "ann@example.com", Role::Owner).await;
        let id = ann.id;
        add(&f, other, "ann@example.com", Role::Agent).await;
        for (org, user, token) in [(org, None, "plk_test_bare"), (org, Some(id), "plk_test_ann"), (other, Some(id), "plk_test_theirs")] {
            key_of(&f, org, user, token).await;
        }
        let of = async |tx: fn(&mut SystemTx<'_, '_>, UserId) -> parlance_model::Result<Vec<OrgId>>| f.system_read(move |t| tx(t, id)).await.unwrap();
        assert_eq!(of(session::orgs).await, [org, other]);
        switch_org(&f, true).await;
        f.clock.advance_ms(5);
        switch_org(&f, true).await;
        assert_eq!(f.read(org::current).await.unwrap().disabled_ms, Some(START_MS));
        assert_eq!(shown(&f, "plk_test_bare").await, "org_disabled");
        assert_eq!(shown(&f, "plk_test_ann").await, "org_disabled");
        assert_eq!(shown(&f, "plk_test_theirs").await, "ok");
        assert_eq!(code(f.system_read(move |tx| session::role(tx, id, org)).await), "org_disabled");
        assert_eq!(f.system_read(move |tx| session::role(tx, id, other)).await.unwrap(), Some(Role::Agent));
        // The one that is left is the one that is meant.
        assert_eq!(of(session::orgs).await, [other]);
        switch_org(&f, false).await;
        assert_eq!((shown(&f, "plk_test_bare").await, shown(&f, "plk_test_ann").await), ("ok", "ok"));
    }

    async fn jobs_of_a_disabled_org_rest_and_are_due_when_it_is_enabled(database) {
        let f = Fixture::new(database).await;
        let (other, _) = f.other_org().await;
        let enqueue = async |org, number| f.store.write(org, move |tx| job::enqueue(tx, &Job::Send { message_id: MessageId(number) }, None, START_MS)).await.unwrap();
        let (resting, theirs) = (enqueue(f.org, 1).await, enqueue(other, 2).await);
        switch_org(&f, true).await;
        let claim = async || f.system_write(|tx| job::claim(tx, 10, 1000)).await.unwrap().iter().map(|job| job.id).collect::<Vec<_>>();
        assert_eq!(claim().await, [theirs]);
        assert!(claim().await.is_empty());
        let standing = f.store.system_read(job::standing).await.unwrap().into_iter().map(|jobs| (jobs.state, jobs.count)).collect::<BTreeMap<_, _>>();
        assert_eq!(standing, [("leased".to_owned(), 1), ("waiting".to_owned(), 1)].into());
        switch_org(&f, false).await;
        assert_eq!(claim().await, [resting]);
    }

    async fn jobs_follow_the_switch_in_chunks_and_keep_their_order(database) {
        let f = Fixture::new(database).await;
        let count = 2 * i64::try_from(job::CHUNK).unwrap() + 1;
        f.write(move |tx| (1..=count).try_for_each(|number| job::enqueue(tx, &Job::Send { message_id: MessageId(number) }, Some(Lane::Conversation(ConversationId(1))), START_MS).map(drop))).await.unwrap();
        let behind = async || f.system_read(job::behind_switch).await.unwrap();
        let resting = || f.raw().value("SELECT COUNT(*) FROM job WHERE resting").parse::<i64>().unwrap();
        let follow = async || f.write(job::follow_switch).await.unwrap();
        let claim = async || f.system_write(|tx| job::claim(tx, 10, 1000)).await.unwrap().into_iter().map(|job| job.job).collect::<Vec<_>>();
        assert!(behind().await.is_empty());
        switch_org(&f, true).await;
        for marked in [job::CHUNK, job::CHUNK, 1, 0] {
            assert!(claim().await.is_empty());
            assert_eq!(behind().await.is_empty(), marked == 0);
            assert_eq!(follow().await, marked);
        }
        assert_eq!(resting(), count);
        switch_org(&f, false).await;
        let waiting = f.store.system_read(job::standing).await.unwrap().into_iter().map(|jobs| (jobs.state, jobs.count)).collect::<Vec<_>>();
        assert_eq!(waiting, [("waiting".to_owned(), count)]);
        assert_eq!((behind().await, follow().await), (vec![f.org], job::CHUNK));
        // The first of the lane is awake, and what rests behind it waits for its turn anyway.
        assert_eq!(claim().await, [Job::Send { message_id: MessageId(1) }]);
        assert!(claim().await.is_empty());
        assert_eq!((follow().await, follow().await, follow().await), (job::CHUNK, 1, 0));
        assert_eq!((resting(), behind().await), (0, Vec::new()));
    }

    async fn a_disabled_user_is_signed_out_and_refused_everywhere(database) {
        let f = Fixture::new(database).await;
        let org = f.org;
        let (ann, bob) = (add(&f, org, "ann@example.com", Role::Agent).await, add(&f, org, "bob@example.com", Role::Agent).await);
        for (user, token) in [(&ann, "cookie-ann"), (&bob, "cookie-bob")] {
            let id = user.id;
            f.system_write(move |tx| session::create(tx, id, Some(org), token)).await.unwrap();
        }
        key_of(&f, org, Some(ann.id), "plk_test_ann").await;
        disable(&f, &ann).await.unwrap();
        let found = async |token: &'static str| f.system_read(move |tx| session::find(tx, token)).await.unwrap().is_some();
        assert_eq!((found("cookie-ann").await, found("cookie-bob").await), (false, true));
        assert_eq!(shown(&f, "plk_test_ann").await, "user_disabled");
        // A sign-in that was under way.
        let id = ann.id;
        f.system_write(move |tx| session::create(tx, id, Some(org), "cookie-late")).await.unwrap();
        assert!(!found("cookie-late").await);
        f.system_write(move |tx| user::enable(tx, id)).await.unwrap();
        assert_eq!((found("cookie-ann").await, shown(&f, "plk_test_ann").await), (false, "ok"));
    }

    async fn an_owner_who_can_sign_in_is_left_to_every_org(database) {
        let f = Fixture::new(database).await;
        let (org, (other, _)) = (f.org, f.other_org().await);
        let (ann, bob) = (add(&f, org, "ann@example.com", Role::Owner).await, add(&f, org, "bob@example.com", Role::Owner).await);
        add(&f, other, "bob@example.com", Role::Owner).await;
        assert_eq!(code(disable(&f, &bob).await), "last_owner");
        disable(&f, &ann).await.unwrap();
        let id = bob.id;
        assert_eq!(code(f.write(move |tx| staff::remove(tx, id)).await), "last_owner");
        assert_eq!(code(f.write(move |tx| staff::set_role(tx, id, Role::Agent)).await), "last_owner");
        // The one who is off may go.
        let id = ann.id;
        f.write(move |tx| staff::remove(tx, id)).await.unwrap();
    }

    async fn two_owners_who_are_disabled_at_once_are_not_both_disabled(database) {
        let f = Fixture::new(database).await;
        let (ann, bob) = (add(&f, f.org, "ann@example.com", Role::Owner).await, add(&f, f.org, "bob@example.com", Role::Owner).await);
        let second = f.second_store().await;
        let (one, other) = tokio::join!(disable(&f, &ann), second.system_write(move |tx| user::disable(tx, &bob)));
        assert_eq!([one.is_ok(), other.is_ok()].iter().filter(|ok| **ok).count(), 1, "{one:?} {other:?}");
        assert_eq!(code(one.and(other)), "last_owner");
    }

    async fn another_password_ends_the_sessions_that_the_old_one_began(database) {
        let f = Fixture::new(database).await;
        let id = add(&f, f.org, "ann@example.com", Role::Agent).await.id;
        f.system_write(move |tx| session::create(tx, id, None, "cookie-ann")).await.unwrap();
        f.system_write(move |tx| user::set_password(tx, id, "another-hash")).await.unwrap();
        assert!(f.system_read(|tx| session::find(tx, "cookie-ann")).await.unwrap().is_none());
        assert_eq!(f.system_read(|tx| staff::password_hash(tx, "ann@example.com")).await.unwrap(), Some((id, "another-hash".to_owned())));
        assert_eq!(f.system_read(|tx| user::by_email(tx, "ANN@example.com")).await.unwrap().id, id);
        assert_eq!(code(f.system_read(|tx| user::by_email(tx, "bob@example.com")).await), "not_found");
    }
}
