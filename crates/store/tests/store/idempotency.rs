//! Idempotency keys: one run, one answer, one message.

use parlance_model::id::{KeyId, MessageId};
use parlance_store::idempotency::{self, Begun, IdempotencyKey, KEPT_MS, RUNNING_MS};
use parlance_testkit::both_databases;

use crate::fixture::Fixture;

const HASH: [u8; 32] = [1; 32];

fn key(value: &str) -> IdempotencyKey {
    IdempotencyKey { key: KeyId(1), value: value.to_owned() }
}

async fn begin(f: &Fixture, value: &'static str, hash: [u8; 32]) -> Begun {
    f.write(move |tx| idempotency::begin(tx, &key(value), &hash, tx.now_ms())).await.unwrap()
}

async fn answer(f: &Fixture, value: &'static str, status: u16, body: &'static [u8]) {
    // The run that begins is named by its time.
    f.write(move |tx| idempotency::answered(tx, &key(value), tx.now_ms(), status, body)).await.unwrap();
}

both_databases! {
    async fn a_request_runs_once_and_is_answered_the_same_again(database) {
        let f = Fixture::new(database).await;
        assert!(matches!(begin(&f, "a", HASH).await, Begun::Run(_)));
        assert_eq!(begin(&f, "a", HASH).await, Begun::Running);
        answer(&f, "a", 201, b"{\"id\":\xff}").await;
        f.clock.advance_ms(RUNNING_MS * 2);
        assert_eq!(begin(&f, "a", HASH).await, Begun::Replay { status: 201, body: b"{\"id\":\xff}".to_vec() });
        assert!(matches!(begin(&f, "b", HASH).await, Begun::Run(_)));
    }

    async fn an_empty_answer_is_an_answer(database) {
        let f = Fixture::new(database).await;
        begin(&f, "a", HASH).await;
        answer(&f, "a", 204, b"").await;
        assert_eq!(begin(&f, "a", HASH).await, Begun::Replay { status: 204, body: Vec::new() });
    }

    async fn the_key_of_another_request_is_a_mismatch(database) {
        let f = Fixture::new(database).await;
        begin(&f, "a", HASH).await;
        assert_eq!(begin(&f, "a", [2; 32]).await, Begun::Mismatch);
        answer(&f, "a", 201, b"x").await;
        assert_eq!(begin(&f, "a", [2; 32]).await, Begun::Mismatch);
        f.clock.advance_ms(RUNNING_MS * 2);
        assert_eq!(begin(&f, "a", [2; 32]).await, Begun::Mismatch);
    }

    async fn a_request_that_died_runs_again_and_only_one_at_a_time(database) {
        let f = Fixture::new(database).await;
        begin(&f, "a", HASH).await;
        f.clock.advance_ms(RUNNING_MS - 1);
        assert_eq!(begin(&f, "a", HASH).await, Begun::Running);
        f.clock.advance_ms(1);
        assert!(matches!(begin(&f, "a", HASH).await, Begun::Run(_)));
        assert_eq!(begin(&f, "a", HASH).await, Begun::Running);
    }

    async fn a_run_that_shows_that_it_lives_is_not_taken_for_dead(database) {
        let f = Fixture::new(database).await;
        let Begun::Run(first) = begin(&f, "a", HASH).await else { panic!("it is new") };
        f.clock.advance_ms(RUNNING_MS - 1);
        let number = f.write(move |tx| idempotency::go_on(tx, &key("a"), first)).await.unwrap().unwrap();
        f.clock.advance_ms(RUNNING_MS - 1);
        assert_eq!(begin(&f, "a", HASH).await, Begun::Running);
        assert_eq!(f.write(move |tx| idempotency::go_on(tx, &key("a"), first)).await.unwrap(), None, "it has another number now");
        f.write(move |tx| idempotency::answered(tx, &key("a"), number, 201, b"x")).await.unwrap();
        assert_eq!(f.write(move |tx| idempotency::go_on(tx, &key("a"), number)).await.unwrap(), None, "it is answered");
        assert_eq!(begin(&f, "a", HASH).await, Begun::Replay { status: 201, body: b"x".to_vec() });
    }

    async fn a_run_that_was_overtaken_cannot_go_on(database) {
        let f = Fixture::new(database).await;
        let Begun::Run(first) = begin(&f, "a", HASH).await else { panic!("it is new") };
        f.clock.advance_ms(RUNNING_MS);
        assert!(matches!(begin(&f, "a", HASH).await, Begun::Run(_)));
        assert_eq!(f.write(move |tx| idempotency::go_on(tx, &key("a"), first)).await.unwrap(), None);
    }

    async fn a_repetition_that_waited_in_the_queue_does_not_take_a_run_for_dead(database) {
        let f = Fixture::new(database).await;
        let Begun::Run(started_ms) = begin(&f, "a", HASH).await else { panic!("it is new") };
        f.clock.advance_ms(RUNNING_MS * 3);
        let ask = async |asked_ms| f.write(move |tx| idempotency::begin(tx, &key("a"), &HASH, asked_ms)).await.unwrap();
        assert_eq!(ask(started_ms + RUNNING_MS - 1).await, Begun::Running);
        assert!(matches!(ask(started_ms + RUNNING_MS).await, Begun::Run(_)));
    }

    async fn a_second_run_finds_the_message_of_the_first(database) {
        let f = Fixture::new(database).await;
        begin(&f, "a", HASH).await;
        assert_eq!(f.read(|tx| idempotency::message(tx, &key("a"))).await.unwrap(), None);
        let id = f.send("+15551110001", "Hi").await;
        f.write(move |tx| idempotency::made(tx, &key("a"), id)).await.unwrap();
        f.clock.advance_ms(RUNNING_MS);
        assert!(matches!(begin(&f, "a", HASH).await, Begun::Run(_)));
        assert_eq!(f.read(|tx| idempotency::message(tx, &key("a"))).await.unwrap(), Some(id));
        assert_eq!(f.read(|tx| idempotency::message(tx, &key("b"))).await.unwrap(), None);
    }

    async fn a_late_end_of_a_dead_run_does_not_end_the_next(database) {
        let f = Fixture::new(database).await;
        let Begun::Run(first) = begin(&f, "a", HASH).await else { panic!("it is new") };
        f.clock.advance_ms(RUNNING_MS);
        let Begun::Run(second) = begin(&f, "a", HASH).await else { panic!("the first is dead") };
        f.write(move |tx| idempotency::abandon(tx, &key("a"), first)).await.unwrap();
        f.write(move |tx| idempotency::answered(tx, &key("a"), first, 500, b"late")).await.unwrap();
        assert_eq!(begin(&f, "a", HASH).await, Begun::Running);
        f.write(move |tx| idempotency::answered(tx, &key("a"), second, 201, b"x")).await.unwrap();
        assert_eq!(begin(&f, "a", HASH).await, Begun::Replay { status: 201, body: b"x".to_vec() });
    }

    async fn a_message_is_not_made_for_a_request_that_is_gone(database) {
        let f = Fixture::new(database).await;
        let gone = f.write(|tx| idempotency::made(tx, &key("a"), MessageId(7))).await.unwrap_err();
        assert_eq!(gone.code(), "unavailable");
    }

    async fn an_abandoned_request_is_forgotten_unless_it_made_a_message(database) {
        let f = Fixture::new(database).await;
        begin(&f, "a", HASH).await;
        f.write(|tx| idempotency::abandon(tx, &key("a"), tx.now_ms())).await.unwrap();
        assert!(matches!(begin(&f, "a", [2; 32]).await, Begun::Run(_)));
        f.write(|tx| idempotency::made(tx, &key("a"), MessageId(7))).await.unwrap();
        f.write(|tx| idempotency::abandon(tx, &key("a"), tx.now_ms())).await.unwrap();
        assert_eq!(f.read(|tx| idempotency::message(tx, &key("a"))).await.unwrap(), Some(MessageId(7)));
        assert_eq!(begin(&f, "a", [2; 32]).await, Begun::Running);
    }

    async fn an_answer_is_kept_for_a_day(database) {
        let f = Fixture::new(database).await;
        begin(&f, "a", HASH).await;
        f.write(|tx| idempotency::made(tx, &key("a"), MessageId(7))).await.unwrap();
        answer(&f, "a", 201, b"x").await;
        f.clock.advance_ms(KEPT_MS - 1);
        assert_eq!(begin(&f, "a", HASH).await, Begun::Replay { status: 201, body: b"x".to_vec() });
        f.clock.advance_ms(1);
        assert!(matches!(begin(&f, "a", [2; 32]).await, Begun::Run(_)));
        assert_eq!(f.read(|tx| idempotency::message(tx, &key("a"))).await.unwrap(), None);
        assert_eq!(begin(&f, "a", [2; 32]).await, Begun::Running);
    }

    async fn a_sweep_takes_what_is_older_than_a_day_a_thousand_at_a_time(database) {
        let f = Fixture::new(database).await;
        f.write(|tx| (0..1001).try_for_each(|number| idempotency::begin(tx, &key(&format!("old-{number}")), &HASH, 0).map(drop))).await.unwrap();
        f.clock.advance_ms(KEPT_MS);
        assert_eq!(f.system_write(idempotency::sweep).await.unwrap(), 0, "exactly a day is not older");
        begin(&f, "new", HASH).await;
        f.clock.advance_ms(1);
        assert_eq!(f.system_write(idempotency::sweep).await.unwrap(), 1000);
        assert_eq!(f.system_write(idempotency::sweep).await.unwrap(), 1);
        assert_eq!(f.system_write(idempotency::sweep).await.unwrap(), 0);
        assert_eq!(begin(&f, "new", HASH).await, Begun::Running);
    }

    async fn the_same_value_of_another_key_or_org_is_another_request(database) {
        let f = Fixture::new(database).await;
        let (other, _) = f.other_org().await;
        begin(&f, "a", HASH).await;
        f.write(|tx| idempotency::made(tx, &key("a"), MessageId(7))).await.unwrap();
        answer(&f, "a", 201, b"ours").await;
        let second = IdempotencyKey { key: KeyId(2), value: "a".to_owned() };
        assert!(matches!(f.write(move |tx| idempotency::begin(tx, &second, &HASH, 0)).await.unwrap(), Begun::Run(_)));
        assert_eq!(f.store.read(other, |tx| idempotency::message(tx, &key("a"))).await.unwrap(), None);
        f.store.write(other, |tx| idempotency::abandon(tx, &key("a"), tx.now_ms())).await.unwrap();
        f.store.write(other, |tx| idempotency::answered(tx, &key("a"), tx.now_ms(), 500, b"theirs")).await.unwrap();
        f.store.write(other, |tx| idempotency::made(tx, &key("a"), MessageId(8))).await.unwrap_err();
        assert!(matches!(f.store.write(other, |tx| idempotency::begin(tx, &key("a"), &HASH, 0)).await.unwrap(), Begun::Run(_)));
        assert_eq!(begin(&f, "a", HASH).await, Begun::Replay { status: 201, body: b"ours".to_vec() });
        assert_eq!(f.read(|tx| idempotency::message(tx, &key("a"))).await.unwrap(), Some(MessageId(7)));
    }
}
