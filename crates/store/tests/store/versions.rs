//! The version of an org's lists: it moves with whatever they show, and with nothing else.

use parlance_model::contact::{Identity, IdentityKind};
use parlance_model::conversation::Conversation;
use parlance_model::delivery::{DeliveryError, DeliveryState, Outcome};
use parlance_model::job::Job;
use parlance_model::opt_out::OptSource;
use parlance_store::{attempt, contact, conversation, event, hook, job, message, opt_out, version};
use parlance_testkit::both_databases;

use crate::fixture::{Fixture, START_MS};

async fn now(f: &Fixture) -> i64 {
    f.read(version::current).await.unwrap()
}

both_databases! {
    async fn a_change_moves_it_to_the_time_of_the_change_and_never_back(database) {
        let f = Fixture::new(database).await;
        let details = contact::Details { first_name: "John".into(), last_name: String::new() };
        let create = { let details = details.clone(); move |tx: &mut parlance_store::OrgTx<'_, '_>| contact::create(tx, &details, &[]).map(drop) };
        f.clock.advance_ms(1000);
        f.write(create.clone()).await.unwrap();
        assert_eq!(now(&f).await, START_MS + 1000);
        f.write(create.clone()).await.unwrap();
        assert_eq!(now(&f).await, START_MS + 1001);
        f.clock.advance_ms(-60_000);
        f.write(create.clone()).await.unwrap();
        assert_eq!(now(&f).await, START_MS + 1002);
        let before = now(&f).await;
        let identity = Identity { kind: IdentityKind::Phone, value: "+15551110001".into() };
        f.write(move |tx| opt_out::set(tx, &identity, true, OptSource::Staff)).await.unwrap();
        assert_eq!(now(&f).await, before + 1);
    }

    async fn a_change_that_no_event_tells_moves_it_too(database) {
        let f = Fixture::new(database).await;
        let (message, account) = (f.send("+15551110001", "Hi").await, f.account.id);
        let attempt = f.write(move |tx| attempt::start(tx, message, account)).await.unwrap();
        let failed = |code: &str| Outcome::with_error(DeliveryState::Failed, DeliveryError { code: code.into(), message: format!("For {code}.") });
        let finish = async |code: &str| {
            let outcome = failed(code);
            f.write(move |tx| attempt::finish(tx, attempt, Some("SM1"), &outcome)).await.unwrap();
        };
        finish("2").await;
        let (events, before) = (f.read(|tx| event::after(tx, 0, 100)).await.unwrap().len(), now(&f).await);
        finish("2").await;
        assert_eq!(now(&f).await, before, "what changes nothing moves nothing");
        let star = move |tx: &mut parlance_store::OrgTx<'_, '_>| {
            let conversation = message::get(tx, message)?.conversation_id;
            let unstarred = conversation::get(tx, conversation)?;
            conversation::save(tx, &unstarred, &Conversation { starred: true, ..unstarred.clone() })
        };
        f.write(star).await.unwrap();
        let after = now(&f).await;
        assert_eq!(f.read(|tx| event::after(tx, 0, 100)).await.unwrap().len(), events);
        assert!(after > before, "{after}");
    }

    async fn work_that_no_list_shows_leaves_it_alone(database) {
        let f = Fixture::new(database).await;
        let before = now(&f).await;
        f.write(|tx| job::enqueue(tx, &Job::Unassign { user_id: parlance_model::id::UserId(1) }, None, START_MS)).await.unwrap();
        let account = f.account.id;
        f.write(move |tx| {
            hook::quarantine(tx, &hook::NewHook { account, reason: "test", request: "POST /", content_type: "", body: b"x" })
        }).await.unwrap();
        assert_eq!(now(&f).await, before);
        let (other, _) = f.other_org().await;
        f.store.write(other, |tx| contact::create(tx, &contact::Details::default(), &[])).await.unwrap();
        assert_eq!(now(&f).await, before, "another org's change is none of this one's");
    }
}
