//! When messages go out: at the pace of their account, behind a pause that its provider asks for, once a queue that stopped goes
//! on, and at the time that they were meant for.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;

use parlance_app::account::AccountChanges;
use parlance_app::call::NewCall;
use parlance_app::directory::ApiKey;
use parlance_app::message::Retry;
use parlance_app::send::{Draft, Recipient, Sent};
use parlance_app::settings::ProviderChanges;
use parlance_model::account::HealthState;
use parlance_model::channel::Channel;
use parlance_model::delivery::DeliveryState::{self, Canceled, Expired, OptedOut, Pending, Queued};
use parlance_model::entropy::SeededEntropy;
use parlance_sim::twilio::{AccountConfig, Config as SimConfig, Fault, FaultKind, Sim};
use parlance_store::job;
use parlance_testkit::{Database, both_databases};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::fixture::{Fixture, KEY_SECRET, KEY_SID, NUMBER, SID, TOKEN, callback, draft, inbound, sid, twilio};

const HOUR_MS: i64 = 60 * 60 * 1000;

/// A text to the customer of this number: each has a conversation of their own.
fn to(customer: usize, body: &str) -> Draft {
    Draft { to: Recipient::Phone(format!("+141520001{customer:02}"), Channel::Sms), ..draft(body, None) }
}

pub(crate) async fn send(on: &Fixture, customer: usize, body: &str) -> Sent {
    on.app.send(&on.who, to(customer, body), false).await.unwrap()
}

/// Texts that the provider has taken from us, in their order.
fn taken(on: &Fixture) -> Vec<String> {
    on.sim.messages().into_iter().filter(|message| message.to.starts_with("+1415200")).map(|message| message.body).collect()
}

async fn change_account(on: &Fixture, changes: AccountChanges) {
    on.app.change_account(&on.who, on.account().await.id, changes).await.unwrap();
}

pub(crate) async fn at_a_pace_of(on: &Fixture, per_second: i64) {
    change_account(on, AccountChanges { messages_per_second: Some(Some(per_second)), ..AccountChanges::default() }).await;
}

async fn health(on: &Fixture) -> (HealthState, Option<String>) {
    let accounts = on.app.accounts(&on.who, 1, 0).await.unwrap().0;
    let health = on.app.healths(&on.who, &accounts).await.unwrap().remove(0);
    (health.state(true), health.last_error.map(|(error, _)| error.code))
}

pub(crate) async fn after_ms(on: &Fixture, ms: i64) -> Vec<String> {
    on.clock.advance_ms(ms);
    on.app.run_jobs().await.unwrap();
    taken(on)
}

async fn state(on: &Fixture, sent: &Sent) -> DeliveryState {
    on.look(sent).await.state
}

pub(crate) async fn attempts(on: &Fixture, sent: &Sent) -> i64 {
    on.app.attempts(&on.who, sent.message.id, 1, 0).await.unwrap().1
}

fn refuse(status: u16, code: u32, times: u32) -> Fault {
    Fault::new(FaultKind::Refuse { status, code }).times(times)
}

both_databases! {
    async fn messages_of_an_account_go_out_one_after_the_other(database) {
        let on = Fixture::new(database).await;
        at_a_pace_of(&on, 3).await;
        for (customer, body) in ["a", "b", "c", "d"].into_iter().enumerate() {
            send(&on, customer, body).await;
        }
        assert_eq!(after_ms(&on, 0).await, ["a"]);
        assert_eq!(after_ms(&on, 333).await, ["a"]);
        assert_eq!(after_ms(&on, 1).await, ["a", "b"]);
        let waits = send(&on, 5, "e").await;
        // What is late does not move the turns behind it.
        assert_eq!(after_ms(&on, 600).await, ["a", "b", "c"]);
        assert_eq!(after_ms(&on, 66).await, ["a", "b", "c", "d"]);
        assert_eq!((state(&on, &waits).await, attempts(&on, &waits).await), (Pending, 0));
        assert_eq!(after_ms(&on, 400).await, ["a", "b", "c", "d", "e"]);
        // A quiet while is not made up for by a burst.
        after_ms(&on, 10_000).await;
        send(&on, 6, "f").await;
        send(&on, 7, "g").await;
        assert_eq!(after_ms(&on, 0).await.len(), 6);
        on.assert_healthy().await;
    }

    async fn a_stop_while_a_message_waits_for_its_turn_stops_it(database) {
        let on = Fixture::new(database).await;
        at_a_pace_of(&on, 1).await;
        send(&on, 1, "first").await;
        let second = send(&on, 2, "second").await;
        on.app.run_jobs().await.unwrap();
        on.app.hook(inbound(&sid(1), "+14152000102", NUMBER, "STOP")).await.unwrap();
        assert_eq!(after_ms(&on, 1000).await, ["first"]);
        assert_eq!(state(&on, &second).await, OptedOut);
        on.assert_healthy().await;
    }

    async fn a_rate_limit_pauses_the_account_and_keeps_the_order(database) {
        let on = Fixture::new(database).await;
        on.sim.fault(refuse(429, 20429, 2));
        let first = send(&on, 1, "a").await;
        for (customer, body) in [(2, "b"), (3, "c")] {
            send(&on, customer, body).await;
        }
        assert_eq!(after_ms(&on, 0).await, Vec::<String>::new());
        assert_eq!((state(&on, &first).await, attempts(&on, &first).await), (Pending, 1));
        // The next pause is longer. Nobody else was tried meanwhile.
        assert_eq!(after_ms(&on, 1000).await, Vec::<String>::new());
        assert_eq!(attempts(&on, &first).await, 2);
        send(&on, 4, "d").await;
        assert_eq!(after_ms(&on, 1999).await, Vec::<String>::new());
        assert_eq!(after_ms(&on, 1).await, ["a", "b", "c", "d"]);
        on.assert_healthy().await;
    }

    async fn however_often_an_account_is_too_fast_its_message_is_not_given_up(database) {
        let on = Fixture::new(database).await;
        on.sim.fault(refuse(429, 20429, 20));
        let sent = send(&on, 1, "a").await;
        for _ in 0..20 {
            assert_eq!(after_ms(&on, 60_000).await, Vec::<String>::new());
        }
        assert_eq!((after_ms(&on, 60_000).await, attempts(&on, &sent).await), (vec!["a".to_owned()], 21));
    }

    async fn an_api_key_is_used_in_the_accounts_place_and_a_right_one_releases_the_queue(database) {
        let on = Fixture::new(database).await;
        let set = async |secret: Option<&str>| {
            let key = secret.map(|secret| ApiKey { sid: KEY_SID.into(), secret: secret.into() });
            change_account(&on, AccountChanges { api_key: Some(key), ..AccountChanges::default() }).await;
        };
        set(Some("not-the-secret")).await;
        send(&on, 1, "With a key").await;
        on.app.run_jobs().await.unwrap();
        assert_eq!(taken(&on), Vec::<String>::new());
        set(Some(KEY_SECRET)).await;
        on.app.run_jobs().await.unwrap();
        assert_eq!(taken(&on), ["With a key"]);
        // Hooks are signed with the auth token all the same.
        on.app.hook(inbound(&sid(1), "+14152000101", NUMBER, "Thanks")).await.unwrap();
        set(None).await;
        send(&on, 1, "Without").await;
        on.app.run_jobs().await.unwrap();
        assert_eq!(taken(&on), ["With a key", "Without"]);
        on.assert_healthy().await;
    }

    async fn refused_credentials_lose_nothing_and_new_ones_release_it_at_once(database) {
        let on = Fixture::new(database).await;
        on.sim.fault(refuse(401, 20003, 1000));
        let waiting = [send(&on, 1, "a").await, send(&on, 2, "b").await, send(&on, 3, "c").await];
        let later = on.app.send(&on.who, Draft { send_at_ms: Some(on.app.now_ms() + HOUR_MS), ..to(4, "later") }, false).await.unwrap();
        after_ms(&on, 0).await;
        let seen = on.look(&waiting[0]).await;
        assert_eq!((seen.state, seen.error_code.as_deref()), (Pending, Some("20003")));
        assert_eq!(health(&on).await, (HealthState::Failing, Some("20003".to_owned())));
        // One of them finds out, after one minute, five and fifteen.
        for (wait_ms, tries) in [(59_999, 1), (1, 2), (299_999, 2), (1, 3), (899_999, 3), (1, 4), (900_000, 5)] {
            after_ms(&on, wait_ms).await;
            let mut made = 0;
            for sent in &waiting {
                made += attempts(&on, sent).await;
            }
            assert_eq!(made, tries);
        }
        on.sim.clear_faults();
        let token = ProviderChanges { twilio_auth_token: Some(Some(TOKEN.into())), ..ProviderChanges::default() };
        let other = ProviderChanges { twilio_auth_token: Some(Some("another-made-up-token".into())), ..ProviderChanges::default() };
        on.app.change_providers(&on.who, other).await.unwrap();
        on.app.change_providers(&on.who, token).await.unwrap();
        assert_eq!(after_ms(&on, 0).await, ["a", "b", "c"]);
        assert_eq!((health(&on).await.0, state(&on, &later).await), (HealthState::Ok, Pending));
        assert_eq!(after_ms(&on, HOUR_MS).await, ["a", "b", "c", "later"]);
        on.assert_healthy().await;
    }

    async fn switching_an_account_on_lets_it_try_at_once(database) {
        let on = Fixture::new(database).await;
        on.sim.fault(refuse(403, 20005, 1));
        send(&on, 1, "a").await;
        send(&on, 2, "b").await;
        assert_eq!(after_ms(&on, 0).await, Vec::<String>::new());
        on.app.set_account_enabled("acme", on.account().await.id, true).await.unwrap();
        assert_eq!(after_ms(&on, 0).await, ["a", "b"]);
        on.assert_healthy().await;
    }

    async fn a_probe_that_is_taken_releases_the_rest(database) {
        let on = Fixture::new(database).await;
        on.sim.fault(refuse(403, 20005, 1));
        for (customer, body) in [(1, "a"), (2, "b"), (3, "c")] {
            send(&on, customer, body).await;
        }
        after_ms(&on, 0).await;
        assert_eq!(after_ms(&on, 60_000).await, ["a", "b", "c"]);
        assert_eq!(health(&on).await.0, HealthState::Ok);
        on.assert_healthy().await;
    }

    async fn what_nobody_could_send_for_a_day_expires(database) {
        let on = Fixture::new(database).await;
        on.sim.fault(refuse(401, 20003, 1000));
        let sent = send(&on, 1, "a").await;
        after_ms(&on, 0).await;
        after_ms(&on, 24 * HOUR_MS + 1).await;
        assert_eq!(state(&on, &sent).await, Expired);
        on.assert_healthy().await;
    }

    async fn a_senders_set_up_is_told_by_a_report_and_others_still_go_out(database) {
        let on = Fixture::new(database).await;
        on.app.hook(callback("/webhooks/twilio", &sid(70), "undelivered", Some("30034"))).await.unwrap();
        assert_eq!(health(&on).await.1.as_deref(), Some("30034"));
        send(&on, 1, "a").await;
        assert_eq!(after_ms(&on, 0).await, ["a"]);
        assert_eq!(health(&on).await, (HealthState::Ok, Some("30034".to_owned())));
    }

    async fn a_message_for_later_leaves_at_its_time_and_takes_its_place_in_the_thread(database) {
        let on = Fixture::new(database).await;
        let at_ms = on.app.now_ms() + HOUR_MS;
        let later = on.app.send(&on.who, Draft { send_at_ms: Some(at_ms), ..to(1, "later") }, true).await.unwrap();
        assert_eq!((later.message.state, later.message.send_at_ms), (Pending, Some(at_ms)));
        on.clock.advance_ms(1000);
        send(&on, 1, "now").await;
        assert_eq!(after_ms(&on, 0).await, ["now"]);
        assert_eq!(after_ms(&on, HOUR_MS - 1000).await, ["now", "later"]);
        let (conversation, thread) = on.app.conversation(&on.who, later.conversation.id).await.unwrap();
        assert_eq!((conversation.preview.as_str(), conversation.last_message_ms), ("later", at_ms));
        assert_eq!(thread.iter().map(|shown| shown.message.body.as_str()).collect::<Vec<_>>(), ["now", "later"]);
        on.assert_healthy().await;
    }

    async fn a_message_for_later_can_be_called_back_and_sent_at_once(database) {
        let on = Fixture::new(database).await;
        let at_ms = on.app.now_ms() + HOUR_MS;
        let later = on.app.send(&on.who, Draft { send_at_ms: Some(at_ms), ..to(1, "later") }, false).await.unwrap();
        on.app.cancel(&on.who, later.message.id, None).await.unwrap();
        assert_eq!((state(&on, &later).await, after_ms(&on, HOUR_MS).await.len()), (Canceled, 0));
        let again = on.app.send(&on.who, Draft { send_at_ms: Some(at_ms + HOUR_MS), ..to(1, "again") }, false).await.unwrap();
        let (org, id) = (on.who.org, again.message.id);
        for _ in 0..2 {
            on.app.cancel(&on.who, id, None).await.unwrap();
            assert_eq!(on.app.store().system_read(move |tx| job::of_org(tx, org)).await.unwrap(), 0);
            on.app.retry(&on.who, id, Retry::default(), false).await.unwrap();
        }
        assert_eq!(after_ms(&on, 0).await, ["again"]);
        on.assert_healthy().await;
    }

    async fn a_message_for_later_expires_a_day_after_its_time_and_heeds_a_stop(database) {
        let on = Fixture::new(database).await;
        let at_ms = on.app.now_ms() + 48 * HOUR_MS;
        let later = on.app.send(&on.who, Draft { send_at_ms: Some(at_ms), ..to(1, "later") }, false).await.unwrap();
        let too_late = on.app.send(&on.who, Draft { send_at_ms: Some(at_ms), ..to(2, "late") }, false).await.unwrap();
        let stopped = on.app.send(&on.who, Draft { send_at_ms: Some(at_ms - 1), ..to(3, "stopped") }, false).await.unwrap();
        on.app.hook(inbound(&sid(1), "+14152000103", NUMBER, "STOP")).await.unwrap();
        after_ms(&on, 48 * HOUR_MS - 1).await;
        on.sim.fault(refuse(503, 20503, 1).for_number("+14152000102"));
        assert_eq!(after_ms(&on, 1).await, ["later"]);
        after_ms(&on, 24 * HOUR_MS + 1).await;
        assert_eq!((state(&on, &later).await, state(&on, &too_late).await, state(&on, &stopped).await), (Queued, Expired, OptedOut));
        on.assert_healthy().await;
    }

    async fn a_message_is_not_handed_over_after_it_is_worth_delivering(database) {
        let on = Fixture::new(database).await;
        on.sim.fault(refuse(503, 20503, 2));
        let brief = on.app.send(&on.who, Draft { valid_s: Some(10), ..to(1, "brief") }, false).await.unwrap();
        let longer = on.app.send(&on.who, Draft { valid_s: Some(20), ..to(2, "longer") }, false).await.unwrap();
        after_ms(&on, 0).await;
        assert_eq!(after_ms(&on, 15_000).await, ["longer"]);
        let seen = on.look(&brief).await;
        assert_eq!((seen.state, seen.error_code.as_deref(), state(&on, &longer).await), (Expired, Some("expired"), Queued));
        on.assert_healthy().await;
    }

    async fn the_time_and_the_validity_of_a_message_have_bounds(database) {
        let on = Fixture::new(database).await;
        let now_ms = on.app.now_ms();
        let fields = async |draft: Draft| on.app.send(&on.who, draft, false).await.unwrap_err().fields()[0].name.to_string();
        for at_ms in [now_ms, now_ms - 1, now_ms + 35 * 24 * HOUR_MS + 1] {
            assert_eq!(fields(Draft { send_at_ms: Some(at_ms), ..to(1, "x") }).await, "send_at");
        }
        for valid_s in [0, -1, 36_001] {
            assert_eq!(fields(Draft { valid_s: Some(valid_s), ..to(1, "x") }).await, "valid_for");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn turns_are_as_far_apart_over_two_nodes() {
    let on = Fixture::new(Database::Postgres).await;
    at_a_pace_of(&on, 10).await;
    let other = on.second_node().await;
    for customer in 0..12 {
        send(&on, customer, "x").await;
    }
    for sent in 1..=12 {
        let (one, two) = tokio::join!(on.app.run_jobs(), other.run_jobs());
        one.unwrap();
        two.unwrap();
        assert_eq!(taken(&on).len(), sent);
        on.clock.advance_ms(100);
    }
    on.assert_healthy().await;
}

/// Another org whose provider answers at once gets a message out while jobs of the first hang.
async fn others_go_on(on: &Fixture) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let config = SimConfig {
        accounts: vec![AccountConfig { phone_numbers: vec![NUMBER.into()], ..AccountConfig::new(SID, TOKEN) }],
        ..SimConfig::default()
    };
    let quick = Sim::start(config, listener, on.clock.clone(), Arc::new(SeededEntropy::new(5))).await.unwrap();
    on.app.create_org("quick", "Quick", "US").await.unwrap();
    on.app.create_twilio("quick", twilio(&quick, NUMBER)).await.unwrap();
    let (_, token) = on.app.create_key("quick", None, "test", None, false).await.unwrap();
    let who = on.app.authenticate(&token).await.unwrap();
    let mut signals = on.app.store().bus().listen();
    let sent = on.app.send(&who, to(1, "quick"), false).await.unwrap();
    on.app.start();
    while on.app.conversation(&who, sent.conversation.id).await.unwrap().1[0].message.state == Pending {
        signals.recv().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_hangs_does_not_stop_the_others() {
    let on = Fixture::new(Database::Sqlite).await;
    on.sim.fault(Fault::new(FaultKind::Delay { ms: 5000 }));
    let mut hanging = Vec::new();
    for customer in 0..40 {
        hanging.push(send(&on, customer, "slow").await);
    }
    others_go_on(&on).await;
    for slow in &hanging {
        assert_eq!(state(&on, slow).await, Pending, "it was waited for");
    }
    on.app.shutdown().await;
}

/// Lets the account's provider take every connection from now on and never answer. Answers how many it has taken, and what stops it.
async fn fall_silent(on: &Fixture) -> (Arc<AtomicUsize>, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    on.answers_at(base_url).await;
    let taken = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&taken);
    let mut silence = JoinSet::new();
    silence.spawn(async move {
        let mut held = Vec::new();
        while let Ok(connection) = listener.accept().await {
            held.push(connection);
            counted.fetch_add(1, SeqCst);
        }
    });
    (taken, silence)
}

/// The jobs that are due now meet a provider that never answers, and hold no more than the account's places.
async fn assert_they_hold_their_places_only(on: &Fixture) {
    let (taken, silence) = fall_silent(on).await;
    others_go_on(on).await;
    assert!(taken.load(SeqCst) <= 8, "they were waited for");
    drop(silence);
    on.app.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn looks_for_lost_messages_that_hang_do_not_stop_the_others() {
    let on = Fixture::new(Database::Sqlite).await;
    on.sim.fault(Fault::new(FaultKind::Drop));
    for customer in 0..40 {
        send(&on, customer, "lost").await;
    }
    after_ms(&on, 0).await;
    on.clock.advance_ms(30_000);
    assert_they_hold_their_places_only(&on).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_that_hang_do_not_stop_the_others() {
    let on = Fixture::new(Database::Sqlite).await;
    let mut about = Vec::new();
    for customer in 0..40 {
        about.push(send(&on, customer, "May I call you?").await.conversation.id);
    }
    after_ms(&on, 0).await;
    for conversation in about {
        let new = NewCall { conversation, staff_phone: Some("+14152000099".into()), once: None };
        on.app.call(&on.who, new, false).await.unwrap();
    }
    assert_they_hold_their_places_only(&on).await;
}
