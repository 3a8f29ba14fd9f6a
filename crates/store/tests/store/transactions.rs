//! What a transaction promises: all or nothing for each closure, in order for each org, whoever else writes.

use std::collections::BTreeSet;
use std::sync::{Arc, mpsc};

use parlance_model::error::Kind;
use parlance_model::id::ConversationId;
use parlance_store::{OrgTx, Store, contact, counter, event, installation, org};
use parlance_testkit::{Database, both_databases};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::fixture::{Fixture, code, identity, inbound, open, receive, refused, setup};

/// Numbers that were given to nobody.
fn peer(number: usize) -> String {
    format!("+1555222{number:04}")
}

both_databases! {
    async fn a_closure_that_fails_or_panics_takes_nobody_along(database) {
        let f = Fixture::new(database).await;
        let mut writes = JoinSet::new();
        for number in 0..60_usize {
            let (store, org) = (f.store.clone(), f.org);
            writes.spawn(async move {
                let written = store.write(org, move |tx| {
                    let made = contact::create(tx, &contact::Details::default(), &[identity(&peer(number))])?;
                    match number % 3 {
                        0 => Ok(made.id),
                        1 => Err(refused()),
                        _ => panic!("a defect, on purpose"),
                    }
                });
                (number, written.await.map(drop).map_err(|error| error.code()))
            });
        }
        for (number, written) in writes.join_all().await {
            let expected = [Ok(()), Err("test_refused"), Err("internal")][number % 3];
            assert_eq!(written, expected, "{number}");
            let there = f.read(move |tx| contact::by_identity(tx, &identity(&peer(number)))).await.unwrap().is_some();
            assert_eq!(there, expected.is_ok(), "{number}");
        }
    }

    async fn a_panic_in_a_read_is_an_error_and_the_next_read_works(database) {
        let f = Fixture::new(database).await;
        for _ in 0..8 {
            let read = f.read(|tx| -> parlance_model::Result<()> {
                org::current(tx)?;
                panic!("a defect, on purpose");
            });
            assert_eq!(code(read.await), "internal");
            assert_eq!(f.read(org::current).await.unwrap().slug, "acme");
        }
    }

    async fn a_system_write_that_fails_leaves_nothing(database) {
        let f = Fixture::new(database).await;
        let failed = f.system_write(|tx| {
            org::create(tx, "half", "Half", "US")?;
            Err::<(), _>(refused())
        });
        assert_eq!(code(failed.await), "test_refused");
        assert_eq!(code(f.system_read(|tx| org::by_slug(tx, "half").map(drop)).await), "not_found");
    }

    async fn concurrent_writes_of_an_org_draw_a_gapless_seq(database) {
        let f = Fixture::new(database).await;
        let written = hammer(std::slice::from_ref(&f.store), &f, 100, 100).await;
        assert_eq!(written.len(), 100, "one conversation for each key");
        // Each new conversation is three events: contact, conversation, message.
        assert_log(&f, 300).await;
        f.assert_clean().await;
    }

    /// Two stores are two nodes on PostgreSQL, and two processes beside each other on SQLite.
    async fn two_nodes_that_write_to_one_org_lose_nothing_and_make_nothing_twice(database) {
        let f = Fixture::new(database).await;
        let stores = [f.store.clone(), f.second_store().await];
        let written = hammer(&stores, &f, 120, 6).await;
        assert_eq!(written.len(), 6, "one conversation for each key");
        assert_log(&f, 132).await;
        assert_eq!(f.read(counter::unread).await.unwrap(), (120, 6));
        assert_eq!(f.read(|tx| counter::conversations(tx, None, None, None)).await.unwrap(), 6);
        assert_eq!(f.raw().query("SELECT message_count FROM conversation").concat(), ["20"; 6]);
        f.assert_clean().await;
    }

    async fn writers_of_several_orgs_do_not_mix(database) {
        let f = Fixture::new(database).await;
        let (other, theirs) = f.other_org().await;
        let mut writes = JoinSet::new();
        for number in 0..60 {
            let store = f.store.clone();
            let (org, account) = if number % 2 == 0 { (f.org, f.account.clone()) } else { (other, theirs.clone()) };
            writes.spawn(async move { store.write(org, move |tx| receive(tx, &account, "+15552220000", &inbound("Hi"))).await.unwrap() });
        }
        writes.join_all().await;
        for org in [f.org, other] {
            assert_eq!(f.store.read(org, counter::unread).await.unwrap(), (30, 1));
            assert_eq!(f.store.read(org, |tx| Ok(event::after(tx, 0, 100)?.len())).await.unwrap(), 32);
        }
        f.assert_clean().await;
    }

    async fn who_was_answered_reads_what_was_written(database) {
        let f = Fixture::new(database).await;
        for number in 0..20_usize {
            let made = f.write(move |tx| contact::create(tx, &contact::Details::default(), &[identity(&peer(number))])).await.unwrap();
            assert!(f.read(move |tx| contact::get(tx, made.id)).await.is_ok());
        }
    }

    async fn a_read_cannot_write(database) {
        let f = Fixture::new(database).await;
        assert!(f.read(|tx| org::default_sms_provider(tx, "twilio")).await.is_err());
        assert!(f.system_read(|tx| org::create(tx, "other", "Other", "US").map(drop)).await.is_err());
        assert_eq!(f.read(org::current).await.unwrap().sms_provider, None);
        f.write(|tx| org::default_sms_provider(tx, "twilio")).await.unwrap();
    }

    async fn what_was_written_is_there_when_the_store_is_opened_again(database) {
        let f = Fixture::new(database).await;
        let (id, _) = f.receive("+15552220000", "Hi").await;
        let Fixture { store, place, org, clock, account, _folder } = f;
        drop((store, account));
        let again = open(&place, setup(&clock)).await.unwrap();
        let found = again.read(org, move |tx| parlance_store::conversation::get(tx, id)).await.unwrap();
        assert_eq!(found.preview, "Hi");
    }

    async fn nul_in_a_text_is_refused_and_nothing_is_kept(database) {
        let f = Fixture::new(database).await;
        let account = f.account.clone();
        let stored = f.write(move |tx| receive(tx, &account, "+15552220000", &inbound("a\0b")));
        let error = stored.await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (Kind::Invalid, "validation_failed"));
        assert_eq!(f.raw().value("SELECT COUNT(*) FROM conversation"), "0");
        let lookup = f.system_read(|tx| parlance_store::account::by_route(tx, "twilio", "AC\0"));
        assert_eq!(code(lookup.await.map(|found| found.len())), "validation_failed");
    }

    async fn the_key_of_the_installation_is_that_of_the_first_who_asked(database) {
        let f = Fixture::new(database).await;
        for _ in 0..2 {
            f.system_write(installation::check_key).await.unwrap();
        }
        for (secret, expected) in [
            (parlance_store::secret::SecretKey::new([9; 32]), "wrong_secret_key"),
            (parlance_store::secret::SecretKey::absent(), "internal"),
        ] {
            let other = open(&f.place, parlance_store::Setup { secret, ..setup(&f.clock) }).await.unwrap();
            assert_eq!(code(other.system_write(installation::check_key).await), expected);
        }
        f.system_write(installation::check_key).await.unwrap();
    }
}

/// Messages from so many tasks over these stores, to so many numbers; the conversations that they went to.
async fn hammer(stores: &[Store], f: &Fixture, messages: usize, peers: usize) -> BTreeSet<ConversationId> {
    let mut writes = JoinSet::new();
    for number in 0..messages {
        let (store, org, account) = (stores[number % stores.len()].clone(), f.org, f.account.clone());
        // Not in step with the stores, so that each number is written to from all of them.
        let number = peer((number / stores.len()) % peers);
        writes.spawn(async move { store.write(org, move |tx| receive(tx, &account, &number, &inbound("Hi"))).await.unwrap().0 });
    }
    writes.join_all().await.into_iter().collect()
}

async fn assert_log(f: &Fixture, events: i64) {
    let seqs: Vec<_> = f.read(|tx| Ok(event::after(tx, 0, 10_000)?.iter().map(|entry| entry.seq).collect::<Vec<_>>())).await.unwrap();
    assert_eq!(seqs, (1..=events).collect::<Vec<_>>());
    assert_eq!(f.seq().await, events);
}

/// One queue serves both databases, so one of them shows its bound.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_refuses_who_comes_last_and_keeps_its_word_to_the_others() {
    const PLACES: usize = 8192;
    let f = Fixture::new(Database::Sqlite).await;
    let (release, held) = mpsc::channel::<()>();
    let mut writes = JoinSet::new();
    let (store, org) = (f.store.clone(), f.org);
    let entered = Arc::new(Notify::new());
    let inside = Arc::clone(&entered);
    let hold = move |_: &mut OrgTx<'_, '_>| {
        inside.notify_one();
        held.recv().map_err(parlance_model::Error::internal)
    };
    writes.spawn(async move { store.write(org, hold).await });
    // Only once it is held up: what the writer takes before would be answered.
    entered.notified().await;
    for _ in 0..PLACES {
        let store = f.store.clone();
        writes.spawn(async move { store.write(org, |_| Ok(())).await });
    }
    // The writer is held up, so nobody hears anything but the one for whom there is no place.
    let error = writes.join_next().await.unwrap().unwrap().unwrap_err();
    assert_eq!((error.kind(), error.code(), error.retry_after_s()), (Kind::Unavailable, "unavailable", Some(1)));
    release.send(()).unwrap();
    let answers = writes.join_all().await;
    assert_eq!((answers.len(), answers.iter().filter(|answer| answer.is_ok()).count()), (PLACES, PLACES));
    f.write(|_| Ok(())).await.unwrap();
}
