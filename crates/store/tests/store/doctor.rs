//! Doctor: clean after whatever the store did, and blind to no damage.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parlance_model::conversation::{Standing, State};
use parlance_model::delivery::{DeliveryError, DeliveryState, Outcome};
use parlance_model::entropy::{self, SeededEntropy};
use parlance_model::id::{OrgId, UserId};
use parlance_model::inbound::Receipt;
use parlance_model::opt_out::OptSource;
use parlance_model::role::Role;
use parlance_model::{Result, account::Account};
use parlance_store::message::NewMessage;
use parlance_store::watch::Unwatched;
use parlance_store::{OrgTx, attempt, contact, conversation, doctor, installation, message, opt_out, staff};
use parlance_testkit::both_databases;

use crate::fixture::{Fixture, START_MS, identity, inbound, outbound, phone, receive, send, setup, talk};

const PEERS: [&str; 5] = ["+15551110001", "+15551110002", "+15551110003", "+15551110004", "+15551110005"];

/// A few random numbers for one operation, drawn before it, because a closure may run twice.
fn draw(random: &SeededEntropy) -> [usize; 6] {
    entropy::bytes::<6>(random).map(usize::from)
}

/// One random thing that happens to an org.
fn happen(tx: &mut OrgTx<'_, '_>, account: &Account, drawn: [usize; 6]) -> Result<()> {
    let peer = PEERS[drawn[1] % PEERS.len()];
    let late = i64::try_from(drawn[2]).unwrap() * 100;
    match drawn[0] % 8 {
        0 => receive(tx, account, peer, &inbound("in")).map(drop),
        1 => receive(tx, account, peer, &NewMessage { at_ms: Some(START_MS - late), ..inbound("late") }).map(drop),
        2 => send(tx, account, peer, &"long ".repeat(drawn[2])).map(drop),
        3 => {
            let (found, _) = talk(tx, account, peer)?;
            conversation::mark_read(tx, &found).map(drop)
        }
        4 => {
            let (before, _) = talk(tx, account, peer)?;
            let mut after = before.clone();
            after.standing = Standing { state: State::ALL[drawn[2] % 4], archived: drawn[3].is_multiple_of(2) };
            after.assigned_to = (!drawn[4].is_multiple_of(3)).then(|| UserId(i64::try_from(drawn[4] % 3).unwrap()));
            conversation::save(tx, &before, &after)
        }
        5 if drawn[3].is_multiple_of(4) => {
            let (_, other) = talk(tx, account, PEERS[drawn[4] % PEERS.len()])?;
            let (_, survivor) = talk(tx, account, peer)?;
            contact::merge(tx, survivor.id, other.id).map(drop)
        }
        5 if drawn[3].is_multiple_of(3) => {
            let (found, _) = talk(tx, account, peer)?;
            let last_name = Some(format!("Name {}", drawn[4] % 3)).filter(|_| drawn[5].is_multiple_of(2));
            let phone = Some(Some(phone(peer))).filter(|_| drawn[5].is_multiple_of(3));
            match contact::change(tx, found.contact_id, &contact::Changes { last_name, phone, ..contact::Changes::default() }) {
                Err(error) if error.code() == "identity_taken" => Ok(()),
                changed => changed.map(drop),
            }
        }
        5 => opt_out::set(tx, &identity(peer), drawn[2].is_multiple_of(2), OptSource::Staff).map(drop),
        _ => hand_over(tx, account, peer, drawn),
    }
}

/// Something about the delivery of an outbound message of this conversation.
fn hand_over(tx: &mut OrgTx<'_, '_>, account: &Account, peer: &str, drawn: [usize; 6]) -> Result<()> {
    let (found, _) = talk(tx, account, peer)?;
    let outbound = message::list(tx, found.id, None, 100, 0)?.into_iter().filter(|message| message.meta.0.is_empty());
    let outbound: Vec<_> = outbound.filter(|message| message.direction == parlance_model::message::Direction::Outbound).collect();
    let Some(target) = outbound.get(drawn[2] % outbound.len().max(1)) else { return Ok(()) };
    let state = DeliveryState::ALL[drawn[3] % DeliveryState::ALL.len()];
    let error =
        drawn[4].is_multiple_of(3).then(|| DeliveryError { code: format!("300{}", drawn[4] % 7), message: format!("Words {}.", drawn[5]) });
    let outcome = error.clone().map_or(Outcome::of(state), |error| Outcome::with_error(state, error));
    let latest = attempt::latest(tx, target.id)?;
    match (drawn[5] % 4, latest) {
        (0, _) | (_, None) => attempt::start(tx, target.id, account.id).map(drop),
        (1, Some(latest)) => attempt::finish(tx, latest.id, Some(&format!("SM{}", latest.id)), &outcome),
        (2, Some(_)) if state != DeliveryState::Pending => message::end(tx, target.id, &outcome),
        (_, Some(latest)) => {
            let provider_id = format!("SM{}", latest.id);
            attempt::record(
                tx,
                account.id,
                &Receipt { provider_id, attempt: Some(latest.id), state, error, about_account: false, opted_out: false, to: None },
            )
            .map(drop)
        }
    }
}

/// What is found at one moment of the whole installation.
async fn examined(f: &Fixture) -> BTreeSet<(OrgId, &'static str)> {
    let (place, setup) = (f.place.clone(), setup(&f.clock));
    let report = tokio::task::spawn_blocking(move || {
        let scratch = tempfile::tempdir().unwrap();
        let run =
            |checks: std::pin::Pin<Box<dyn Future<Output = Result<()>> + Send + '_>>| tokio::runtime::Handle::current().block_on(checks);
        let report = doctor::examine(&place, setup, scratch.path(), &Unwatched::default(), run);
        assert_eq!(std::fs::read_dir(&scratch).unwrap().count(), 0, "the copy stayed behind");
        report
    });
    report.await.unwrap().unwrap().findings.into_iter().map(|finding| (finding.org, finding.invariant)).collect()
}

async fn findings(f: &Fixture, deep: bool) -> BTreeSet<(OrgId, &'static str)> {
    doctor::check(&f.store, deep).await.unwrap().findings.into_iter().map(|finding| (finding.org, finding.invariant)).collect()
}

both_databases! {
    async fn whatever_happened_the_doctor_finds_nothing(database) {
        let f = Fixture::new(database).await;
        let (other, theirs) = f.other_org().await;
        let random = SeededEntropy::new(3);
        for round in 0..60 {
            let drawn: Vec<_> = (0..10).map(|_| draw(&random)).collect();
            let (org, account) = if round % 3 == 0 { (other, theirs.clone()) } else { (f.org, f.account.clone()) };
            f.store.write(org, move |tx| drawn.iter().try_for_each(|drawn| happen(tx, &account, *drawn))).await.unwrap();
            f.clock.advance_ms(10);
        }
        let report = doctor::check(&f.store, true).await.unwrap();
        assert_eq!(report.findings, Vec::new());
        assert_eq!((report.orgs, report.conversations), (2, 10));
        assert!(report.messages > 100, "{}", report.messages);
        let states = f.raw().query("SELECT DISTINCT state FROM message WHERE direction = 'outbound'").len();
        assert!(states > 5, "only {states} states were visited");
    }

    async fn every_row_is_looked_at_in_chunks(database) {
        let f = Fixture::new(database).await;
        let account = f.account.clone();
        f.write(move |tx| (0..1001).try_for_each(|number| receive(tx, &account, &format!("+1555222{number:04}"), &inbound("Hi")).map(drop))).await.unwrap();
        let report = doctor::check(&f.store, true).await.unwrap();
        assert_eq!((report.orgs, report.conversations, report.messages, report.findings), (1, 1001, 1001, Vec::new()));
        f.raw().execute("UPDATE message SET account_id = 0 WHERE id = (SELECT MAX(id) FROM message)");
        f.raw().execute("UPDATE conversation SET message_count = 2 WHERE id = (SELECT MAX(id) FROM conversation)");
        assert_eq!(findings(&f, true).await.len(), 2);
    }

    async fn each_damage_is_found_and_its_repair_is_seen(database) {
        const COUNTERS: &str = "counters equal a recount";
        const ROWS: &str = "conversation rows equal a recount";
        const FOREIGN: &str = "no row points into another org";
        const FOLD: &str = "a message's status is the fold of its receipts";
        const ATTEMPT: &str = "an attempt's state is the fold of its receipts";
        const WORK: &str = "every message has its job or outcome";
        const LOG: &str = "seq is gapless";
        const NAME: &str = "conversations carry their contact's name";
        const LIVING: &str = "only living contacts are pointed at";
        const REDIRECT: &str = "redirects lead to living contacts";
        const REACHED: &str = "contact rows equal their identities";
        let f = Fixture::new(database).await;
        let (other, theirs) = f.other_org().await;
        let (their_conversation, their_message) = f.store.write(other, move |tx| receive(tx, &theirs, PEERS[0], &inbound("theirs"))).await.unwrap();
        let stranger = f.store.write(other, move |tx| staff::add(tx, "eve@example.com", "Eve", Role::Agent, "hash")).await.unwrap().user;
        f.system_write(installation::check_key).await.unwrap();
        f.receive(PEERS[0], "in").await;
        let sent = f.send(PEERS[0], "out").await;
        let done = f.send(PEERS[0], "done").await;
        f.raw().execute(&format!("DELETE FROM job WHERE payload LIKE '%{done}}}'"));
        f.write(move |tx| message::end(tx, done, &Outcome::of(DeliveryState::Failed))).await.unwrap();
        let waiting = f.send(PEERS[0], "waiting").await;
        let account = f.account.id;
        let attempt = f.write(move |tx| {
            let id = attempt::start(tx, sent, account)?;
            attempt::finish(tx, id, Some("SM1"), &Outcome::of(DeliveryState::Sent))?;
            Ok(id)
        });
        let attempt = attempt.await.unwrap();
        assert_eq!(findings(&f, true).await, BTreeSet::new());

        let (one, merged) = f
            .write(|tx| {
                let [one, merged] = ["Ada", "Eve"].map(|name| contact::create(tx, &contact::Details::from_name(name), &[]));
                let (one, merged) = (one?.id, merged?.id);
                contact::merge(tx, one, merged)?;
                Ok((one, merged))
            })
            .await
            .unwrap();
        let org = f.org;
        let here = format!("org_id = {org}");
        // What is damaged, how it is put right, what is said of it, and whether a shallow look sees it.
        let damages: Vec<(String, String, Vec<&str>, bool)> = vec![
            (format!("UPDATE counter SET n = n + 1 WHERE {here} AND kind = 'conversations'"), format!("UPDATE counter SET n = n - 1 WHERE {here} AND kind = 'conversations'"), vec![COUNTERS], true),
            (format!("INSERT INTO counter (org_id, kind, key, n) VALUES ({org}, 'unread_messages', 'open/current/web', 1)"), format!("DELETE FROM counter WHERE {here} AND key = 'open/current/web'"), vec![COUNTERS], true),
            (format!("UPDATE counter SET kind = 'x' WHERE {here} AND kind = 'unread_conversations'"), format!("UPDATE counter SET kind = 'unread_conversations' WHERE {here} AND kind = 'x'"), vec![COUNTERS], true),
            (format!("UPDATE org SET seq = seq + 1 WHERE id = {org}"), format!("UPDATE org SET seq = seq - 1 WHERE id = {org}"), vec![LOG], true),
            (format!("UPDATE event SET seq = 1000 WHERE {here} AND seq = 2"), format!("UPDATE event SET seq = 2 WHERE {here} AND seq = 1000"), vec![LOG], true),
            (format!("UPDATE conversation SET message_count = message_count + 1 WHERE {here}"), format!("UPDATE conversation SET message_count = message_count - 1 WHERE {here}"), vec![ROWS], false),
            (format!("UPDATE conversation SET unread_count = unread_count + 1 WHERE {here}"), format!("UPDATE conversation SET unread_count = unread_count - 1 WHERE {here}"), vec![ROWS, COUNTERS], true),
            (format!("UPDATE conversation SET newest_id = newest_id + 1 WHERE {here}"), format!("UPDATE conversation SET newest_id = newest_id - 1 WHERE {here}"), vec![ROWS], false),
            (format!("UPDATE conversation SET last_message_ms = last_message_ms + 1 WHERE {here}"), format!("UPDATE conversation SET last_message_ms = last_message_ms - 1 WHERE {here}"), vec![ROWS], false),
            (format!("UPDATE conversation SET read_through = {} WHERE {here}", waiting.0), format!("UPDATE conversation SET read_through = 0 WHERE {here}"), vec![ROWS], false),
            (format!("UPDATE conversation SET preview = 'old' WHERE {here}"), format!("UPDATE conversation SET preview = 'waiting' WHERE {here}"), vec!["previews equal the newest message"], false),
            (format!("UPDATE conversation SET contact_id = contact_id - 1 WHERE {here}"), format!("UPDATE conversation SET contact_id = contact_id + 1 WHERE {here}"), vec![FOREIGN], false),
            (format!("UPDATE conversation SET account_id = account_id + 1 WHERE {here}"), format!("UPDATE conversation SET account_id = account_id - 1 WHERE {here}"), vec![FOREIGN], false),
            (format!("UPDATE message SET conversation_id = {their_conversation} WHERE {here} AND id = {}", sent.0), format!("UPDATE message SET conversation_id = (SELECT id FROM conversation WHERE {here}) WHERE {here} AND id = {}", sent.0), vec![FOREIGN, ROWS], false),
            (format!("UPDATE message SET state = 'delivered' WHERE id = {}", sent.0), format!("UPDATE message SET state = 'sent' WHERE id = {}", sent.0), vec![FOLD], false),
            (format!("UPDATE message SET error_state = 'sent', error_code = '1', error_message = '' WHERE id = {}", sent.0), format!("UPDATE message SET error_state = NULL, error_code = NULL, error_message = NULL WHERE id = {}", sent.0), vec![FOLD], false),
            (format!("INSERT INTO receipt (org_id, account_id, provider_id, state, error_code, error_message, received_ms) VALUES ({org}, {account}, 'SM1', 'read', '', '', 0)"), "DELETE FROM receipt".to_owned(), vec![ATTEMPT], false),
            (format!("UPDATE message SET attempt_id = {} WHERE id = {}", attempt.0 + 1, sent.0), format!("UPDATE message SET attempt_id = {} WHERE id = {}", attempt.0, sent.0), vec![FOREIGN], false),
            (format!("UPDATE conversation SET contact_name = 'Bob' WHERE {here}"), format!("UPDATE conversation SET contact_name = NULL WHERE {here}"), vec![NAME], false),
            (format!("UPDATE contact SET redirect_to = {merged} WHERE id = {merged}"), format!("UPDATE contact SET redirect_to = {one} WHERE id = {merged}"), vec![REDIRECT], false),
            (format!("UPDATE contact SET redirect_to = -1 WHERE id = {merged}"), format!("UPDATE contact SET redirect_to = {one} WHERE id = {merged}"), vec![REDIRECT], false),
            (format!("INSERT INTO identity (org_id, kind, value, contact_id) VALUES ({org}, 'email', 'eve@example.com', {merged})"), "DELETE FROM identity WHERE kind = 'email'".to_owned(), vec![LIVING], false),
            (format!("INSERT INTO identity (org_id, kind, value, contact_id) VALUES ({org}, 'email', 'eve@example.com', {one})"), "DELETE FROM identity WHERE kind = 'email'".to_owned(), vec![REACHED], false),
            (format!("UPDATE contact SET phone = '+15550000009' WHERE id = {one}"), format!("UPDATE contact SET phone = NULL WHERE id = {one}"), vec![REACHED], false),
            (format!("UPDATE contact SET search = 'eve' WHERE id = {one}"), format!("UPDATE contact SET search = 'ada' WHERE id = {one}"), vec![REACHED], false),
            (format!("UPDATE counter SET n = n + 1 WHERE {here} AND kind = 'contacts'"), format!("UPDATE counter SET n = n - 1 WHERE {here} AND kind = 'contacts'"), vec![COUNTERS], true),
            (format!("UPDATE attempt SET message_id = {} WHERE {here}", waiting.0), format!("UPDATE attempt SET message_id = {} WHERE {here}", sent.0), vec![FOREIGN, FOLD], false),
            (format!("UPDATE attempt SET account_id = account_id + 1 WHERE {here}"), format!("UPDATE attempt SET account_id = account_id - 1 WHERE {here}"), vec![FOREIGN], false),
            (format!("UPDATE attempt SET state = 'delivered' WHERE {here}"), format!("UPDATE attempt SET state = 'sent' WHERE {here}"), vec![FOLD, ATTEMPT], false),
            (format!("INSERT INTO attempt (id, org_id, message_id, account_id, outcome, state, started_ms, finished_ms) VALUES (99, {org}, {}, {account}, 'pending', 'pending', 0, 0)", sent.0), "DELETE FROM attempt WHERE id = 99".to_owned(), vec![FOLD], false),
            (format!("INSERT INTO attempt (id, org_id, message_id, account_id, outcome, state, started_ms) VALUES (98, {org}, {}, {account}, 'pending', 'pending', 0)", done.0), "DELETE FROM attempt WHERE id = 98".to_owned(), vec![FOLD, WORK], false),
            (format!("INSERT INTO job (id, org_id, kind, payload, priority, run_at_ms, attempt, created_ms) VALUES (99, {org}, 'send', '{{\"kind\":\"send\",\"message_id\":{}}}', 0, 0, 0, 0)", their_message.0), "DELETE FROM job WHERE id = 99".to_owned(), vec![FOREIGN], false),
            (format!("INSERT INTO hook (org_id, account_id, state, reason, digest, request, content_type, body, received_ms) SELECT {org}, {account}, 'half', '', key_check, '', '', key_check, 0 FROM installation"), "DELETE FROM hook".to_owned(), vec!["every accepted hook is applied or quarantined"], false),
            (format!("INSERT INTO hook (org_id, account_id, state, reason, digest, request, content_type, body, received_ms) SELECT {org}, -1, 'quarantined', '', key_check, '', '', key_check, 0 FROM installation"), "DELETE FROM hook".to_owned(), vec![FOREIGN], false),
            (format!("INSERT INTO receipt (org_id, account_id, provider_id, state, error_code, error_message, received_ms) VALUES ({org}, -1, 'SM9', 'read', '', '', 0)"), "DELETE FROM receipt".to_owned(), vec![FOREIGN], false),
            (format!("INSERT INTO read_mark (org_id, conversation_id, through_id, at_ms) VALUES ({org}, {their_conversation}, 1, 0)"), "DELETE FROM read_mark".to_owned(), vec![FOREIGN], false),
            (format!("INSERT INTO staff (org_id, user_id, role, created_ms) VALUES ({org}, -1, 'agent', 0)"), "DELETE FROM staff WHERE user_id = -1".to_owned(), vec![FOREIGN], false),
            (format!("UPDATE conversation SET assigned_to = {stranger} WHERE {here}"), format!("UPDATE conversation SET assigned_to = NULL WHERE {here}"), vec![FOREIGN, COUNTERS], true),
            (format!("UPDATE account_route SET account_id = -account_id WHERE {here}"), format!("UPDATE account_route SET account_id = -account_id WHERE {here}"), vec![FOREIGN], false),
            (format!("UPDATE job SET kind = 'x' WHERE {here}"), format!("UPDATE job SET kind = 'send' WHERE {here}"), vec![WORK], false),
        ];
        for (damage, repair, said, shallow) in damages {
            f.raw().execute(&damage);
            let found = findings(&f, true).await;
            assert!(!found.iter().any(|(of, _)| *of != org), "{damage}: {found:?}");
            assert_eq!(found.iter().map(|(_, invariant)| *invariant).collect::<BTreeSet<_>>(), said.into_iter().collect(), "{damage}");
            assert_eq!(!findings(&f, false).await.is_empty(), shallow, "{damage}");
            f.raw().execute(&repair);
            assert_eq!(findings(&f, true).await, BTreeSet::new(), "{repair}");
        }
    }

    async fn a_log_whose_old_events_were_swept_is_gapless(database) {
        let f = Fixture::new(database).await;
        f.receive(PEERS[0], "in").await;
        f.receive(PEERS[0], "in").await;
        f.raw().execute("DELETE FROM event WHERE seq < 3");
        assert_eq!(findings(&f, false).await, BTreeSet::new());
        f.raw().execute("DELETE FROM event");
        assert_eq!(findings(&f, false).await, BTreeSet::new());
    }

    async fn an_outbound_message_without_work_is_found(database) {
        let f = Fixture::new(database).await;
        let account = f.account.clone();
        f.write(move |tx| receive(tx, &account, PEERS[0], &outbound("nobody will send this"))).await.unwrap();
        assert_eq!(findings(&f, true).await, BTreeSet::from([(f.org, "every message has its job or outcome")]));
    }

    async fn what_an_index_should_have_refused_is_found(database) {
        let f = Fixture::new(database).await;
        f.receive(PEERS[0], "one").await;
        f.receive(PEERS[1], "two").await;
        let (sent, again) = (f.send(PEERS[0], "out").await, f.send(PEERS[0], "out").await);
        let account = f.account.id;
        f.write(move |tx| [sent, again].iter().try_for_each(|id| attempt::start(tx, *id, account).map(drop))).await.unwrap();
        assert_eq!(examined(&f).await, BTreeSet::new());
        let doubles = [
            ("message_inbound", "message (org_id, account_id, inbound_id) WHERE inbound_id IS NOT NULL", "UPDATE message SET inbound_id = 'SM1' WHERE direction = 'inbound'", "provider ids are unique"),
            ("attempt_provider", "attempt (org_id, account_id, provider_id) WHERE provider_id IS NOT NULL", "UPDATE attempt SET provider_id = 'SM1'", "provider ids are unique"),
            ("conversation_key", "conversation (org_id, account_id, session_key)", "UPDATE conversation SET session_key = 'sms_+1'", "one conversation per key"),
        ];
        for (index, of, double, invariant) in doubles {
            f.raw().execute(&format!("DROP INDEX {index}; {double}"));
            let missing = (OrgId(0), "unique indexes are there");
            assert_eq!(examined(&f).await, BTreeSet::from([missing, (f.org, invariant)]), "{index}");
            let undo = double.replace("'SM1'", "NULL").replace("'sms_+1'", "peer");
            f.raw().execute(&format!("{undo}; CREATE UNIQUE INDEX {index} ON {of}"));
            assert_eq!(examined(&f).await, BTreeSet::new(), "{index}");
        }
    }

    async fn rows_of_an_org_that_is_not_there_are_found(database) {
        let f = Fixture::new(database).await;
        f.raw().execute("INSERT INTO counter (org_id, kind, key, n) VALUES (99, 'contacts', '', 1)");
        assert_eq!(examined(&f).await, BTreeSet::from([(OrgId(99), "no row points into another org")]));
    }

    async fn a_gap_in_a_long_log_is_found_in_whichever_chunk(database) {
        let f = Fixture::new(database).await;
        let account = f.account.clone();
        f.write(move |tx| (0..30).try_for_each(|_| receive(tx, &account, PEERS[0], &inbound("Hi")).map(drop))).await.unwrap();
        let org = f.org;
        f.raw().execute(&format!("INSERT INTO event (org_id, seq, kind, data, at_ms) WITH RECURSIVE n (n) AS (SELECT (SELECT seq + 1 FROM org WHERE id = {org}) UNION ALL SELECT n + 1 FROM n WHERE n < 45000) SELECT {org}, n, 'x', '{{}}', 0 FROM n; UPDATE org SET seq = 45000 WHERE id = {org}"));
        assert_eq!(findings(&f, false).await, BTreeSet::new());
        for seq in [2, 20_001, 40_000, 45_000] {
            f.raw().execute(&format!("UPDATE event SET org_id = -1 WHERE seq = {seq}"));
            assert_eq!(findings(&f, false).await, BTreeSet::from([(org, "seq is gapless")]), "{seq}");
            f.raw().execute(&format!("UPDATE event SET org_id = {org} WHERE seq = {seq}"));
        }
        f.raw().execute("DELETE FROM event WHERE seq < 20002");
        assert_eq!(findings(&f, false).await, BTreeSet::new());
    }

    async fn a_deep_look_beside_a_busy_server_finds_nothing(database) {
        let f = Fixture::new(database).await;
        let stop = Arc::new(AtomicBool::new(false));
        let (store, account, org, stopped) = (f.store.clone(), f.account.clone(), f.org, Arc::clone(&stop));
        let writing = async move {
            let random = SeededEntropy::new(5);
            let mut rounds = 0;
            while !stopped.load(Ordering::SeqCst) {
                let (drawn, account) = (draw(&random), account.clone());
                store.write(org, move |tx| happen(tx, &account, drawn)).await.unwrap();
                rounds += 1;
            }
            rounds
        };
        let looking = async {
            for _ in 0..5 {
                assert_eq!(examined(&f).await, BTreeSet::new());
                assert_eq!(findings(&f, false).await, BTreeSet::new());
            }
            stop.store(true, Ordering::SeqCst);
        };
        let (rounds, ()) = tokio::join!(writing, looking);
        assert!(rounds > 10, "only {rounds} writes");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_file_is_found() {
    use std::os::unix::fs::FileExt as _;
    let f = Fixture::new(parlance_testkit::Database::Sqlite).await;
    let account = f.account.clone();
    f.write(move |tx| (0..300).try_for_each(|number| receive(tx, &account, PEERS[number % 5], &inbound("Hi")).map(drop))).await.unwrap();
    f.raw().execute("PRAGMA wal_checkpoint(TRUNCATE)");
    let page: u64 = f.raw().value("SELECT rootpage FROM sqlite_schema WHERE name = 'message_thread'").parse().unwrap();
    let file = std::fs::OpenOptions::new().write(true).open(f._folder.as_ref().unwrap().path().join("parlance.db")).unwrap();
    file.write_all_at(&[0xff; 100], (page - 1) * 4096).unwrap();
    assert!(examined(&f).await.contains(&(OrgId(0), "the database file is sound")));
}
