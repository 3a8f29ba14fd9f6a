//! What no hook told: found in the provider's lists, stored once, in order, as history.

use bytes::BytesMut;
use parlance_app::backfill::Compared;
use parlance_app::conversation::Changes;
use parlance_app::directory::NewTwilio;
use parlance_model::account::Backfill;
use parlance_model::contact::{Identity, IdentityKind};
use parlance_model::conversation::Status;
use parlance_model::delivery::DeliveryState;
use parlance_model::id::AccountId;
use parlance_model::job::{Job, Lane};
use parlance_sim::twilio::{Fault, FaultKind, Inbound};
use parlance_store::watch::Unwatched;
use parlance_store::{OrgTx, backfill, job, opt_out};
use parlance_testkit::both_databases;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::fixture::{CUSTOMER, Fixture, NUMBER, SERVICE, TOKEN, inbound, sid, twilio};

const MINUTE_MS: i64 = 60_000;

fn text(body: &str) -> Inbound {
    Inbound::text(CUSTOMER, NUMBER, body)
}

/// A customer writes while nobody listens: the provider has it, and no hook comes.
async fn missed(on: &Fixture, body: &str) -> String {
    let report = on.sim.inbound(text(body)).await;
    on.clock.advance_ms(MINUTE_MS);
    report.message_sid.unwrap()
}

/// Lets the account ask a server that the test plays with [`answered`].
async fn scripted(on: &Fixture) -> (AccountId, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    on.answers_at(base_url).await;
    (on.account().await.id, listener)
}

/// Answers one request after the other, without an end, with a status and a body.
async fn answered(listener: &TcpListener, answer: impl Fn(usize) -> (u16, String)) {
    for number in 0.. {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = BytesMut::new();
        while !request.ends_with(b"\r\n\r\n") {
            assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0, "the request ended early");
        }
        let (status, body) = answer(number);
        let head = format!("HTTP/1.1 {status} Whatever\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
        stream.write_all(&[head.as_bytes(), body.as_bytes()].concat()).await.unwrap();
    }
}

/// An entry of the list of messages: from the customer.
fn came(number: usize, time: &str) -> String {
    let (sid, ends) = (sid(number), format!(r#""from":"{CUSTOMER}","to":"{NUMBER}""#));
    format!(r#"{{"sid":"{sid}","direction":"inbound","status":"received",{ends},"date_created":"Thu, 05 Mar 2026 {time} +0000"}}"#)
}

/// The same: to the customer.
fn outbound(number: usize, time: &str) -> String {
    let (sid, ends) = (sid(number), format!(r#""from":"{NUMBER}","to":"{CUSTOMER}""#));
    format!(r#"{{"sid":"{sid}","direction":"outbound-api","status":"sent",{ends},"date_created":"Thu, 05 Mar 2026 {time} +0000"}}"#)
}

/// How far the account's lists were compared.
async fn kept(on: &Fixture, id: AccountId) -> Backfill {
    on.app.store().read(on.who.org, move |tx| backfill::get(tx, id)).await.unwrap().unwrap()
}

both_databases! {
    async fn what_came_while_we_were_away_is_stored_once_in_order_and_as_history(database) {
        let on = Fixture::new(database).await;
        let start_ms = on.app.now_ms();
        for body in ["One", "Two", "Three"] {
            missed(&on, body).await;
        }
        on.clock.advance_ms(10 * MINUTE_MS);
        assert_eq!(on.compare().await, Compared { listed: 3, stored: 3 });
        let (conversation, messages) = on.only().await;
        let said: Vec<_> = messages.iter().map(|message| (message.body.as_str(), message.at_ms - start_ms, message.history)).collect();
        assert_eq!(said, [("One", 0, true), ("Two", MINUTE_MS, true), ("Three", 2 * MINUTE_MS, true)]);
        assert_eq!((conversation.unread_count, conversation.message_count), (0, 3));
        assert_eq!((conversation.preview.as_str(), conversation.last_message_ms), ("Three", start_ms + 2 * MINUTE_MS));
        assert_eq!(on.compare().await.stored, 0);
        on.assert_healthy().await;
    }

    async fn the_hook_and_the_list_make_one_message_whichever_comes_first(database) {
        let on = Fixture::new(database).await;
        let told = missed(&on, "By hook").await;
        let listed = missed(&on, "By list").await;
        on.app.hook(inbound(&told, CUSTOMER, NUMBER, "By hook")).await.unwrap();
        on.clock.advance_ms(10 * MINUTE_MS);
        assert_eq!(on.compare().await, Compared { listed: 2, stored: 1 });
        on.app.hook(inbound(&listed, CUSTOMER, NUMBER, "By list")).await.unwrap();
        let (conversation, messages) = on.only().await;
        assert_eq!((messages.len(), conversation.unread_count), (2, 1));
        on.assert_healthy().await;
    }

    async fn what_one_account_has_is_not_stored_by_another_with_the_same_list(database) {
        let on = Fixture::new(database).await;
        let sid = missed(&on, "Hello").await;
        on.app.hook(inbound(&sid, CUSTOMER, NUMBER, "Hello")).await.unwrap();
        let service = NewTwilio { messaging_service_sid: Some(SERVICE.into()), ..twilio(&on.sim, "+14155550177") };
        let other = on.app.create_twilio("acme", service).await.unwrap();
        on.clock.advance_ms(10 * MINUTE_MS);
        let compared = on.app.backfill("acme", other.id, None, &Unwatched::default()).await.unwrap();
        assert_eq!(compared, Compared { listed: 1, stored: 0 });
        assert_eq!(on.only().await.1.len(), 1);
        on.assert_healthy().await;
    }

    async fn a_later_start_that_somebody_chose_leaves_what_is_before_it_to_be_compared(database) {
        let on = Fixture::new(database).await;
        missed(&on, "Early").await;
        on.clock.advance_ms(2 * 24 * 60 * MINUTE_MS);
        missed(&on, "Late").await;
        on.clock.advance_ms(10 * MINUTE_MS);
        let id = on.account().await.id;
        let since_ms = on.app.now_ms() - 60 * MINUTE_MS;
        let chosen = on.app.backfill("acme", id, Some(since_ms), &Unwatched::default()).await.unwrap();
        assert_eq!(chosen, Compared { listed: 1, stored: 1 });
        assert_eq!(on.compare().await, Compared { listed: 2, stored: 1 });
    }

    async fn history_neither_opens_a_conversation_again_nor_hides_what_is_newer(database) {
        let on = Fixture::new(database).await;
        missed(&on, "Long ago").await;
        on.app.hook(inbound(&sid(7), CUSTOMER, NUMBER, "Just now")).await.unwrap();
        let (open, _) = on.only().await;
        on.app.update(&on.who, open.id, Changes { status: Some(Status::Closed), ..Changes::default() }).await.unwrap();
        on.clock.advance_ms(10 * MINUTE_MS);
        on.compare().await;
        let (after, messages) = on.only().await;
        assert_eq!((after.standing.status(), after.preview.as_str(), after.unread_count), (Status::Closed, "Just now", 1));
        assert_eq!(messages.iter().map(|message| message.body.as_str()).collect::<Vec<_>>(), ["Long ago", "Just now"]);
        on.assert_healthy().await;
    }

    async fn what_came_a_moment_ago_is_left_to_its_hook(database) {
        let on = Fixture::new(database).await;
        missed(&on, "Under way").await;
        assert_eq!(on.compare().await, Compared { listed: 0, stored: 0 });
        on.clock.advance_ms(2 * MINUTE_MS);
        assert_eq!(on.compare().await, Compared { listed: 1, stored: 1 });
    }

    async fn a_stop_that_was_missed_counts_unless_something_newer_was_said(database) {
        let on = Fixture::new(database).await;
        let is_out = async || {
            let identity = Identity { kind: IdentityKind::Phone, value: CUSTOMER.into() };
            on.app.store().read(on.who.org, move |tx| opt_out::is_opted_out(tx, &identity)).await.unwrap()
        };
        missed(&on, "STOP").await;
        on.clock.advance_ms(10 * MINUTE_MS);
        on.compare().await;
        assert!(is_out().await);
        on.app.hook(inbound(&sid(8), CUSTOMER, NUMBER, "START")).await.unwrap();
        assert!(!is_out().await);
        // The list is read again from an hour before, with the STOP in it, and one more from before the START.
        on.clock.advance_ms(-5 * MINUTE_MS);
        on.sim.inbound(text("stop")).await;
        on.clock.advance_ms(20 * MINUTE_MS);
        assert_eq!(on.compare().await.stored, 1);
        assert!(!is_out().await);
        on.assert_healthy().await;
    }

    async fn however_many_pages_there_are_each_message_is_stored_once(database) {
        let on = Fixture::new(database).await;
        for number in 0..450 {
            on.sim.inbound(text(&format!("Message {number}"))).await;
            on.clock.advance_ms(1000);
        }
        on.clock.advance_ms(10 * MINUTE_MS);
        assert_eq!(on.compare().await, Compared { listed: 450, stored: 450 });
        let (conversation, messages) = on.only().await;
        assert_eq!((conversation.message_count, conversation.preview.as_str()), (450, "Message 449"));
        assert_eq!(messages.last().unwrap().body, "Message 449");
        on.assert_healthy().await;
    }

    async fn an_account_that_was_switched_off_meanwhile_takes_nothing_in(database) {
        let on = Fixture::new(database).await;
        missed(&on, "Too late").await;
        on.clock.advance_ms(10 * MINUTE_MS);
        on.set_account(|account| account.enabled = false).await;
        let id = on.account().await.id;
        let write = move |tx: &mut OrgTx<'_, '_>| {
            let now_ms = tx.now_ms();
            job::enqueue(tx, &Job::Backfill { account_id: id }, Some(Lane::Account(id)), now_ms).map(drop)
        };
        on.app.store().write(on.who.org, write).await.unwrap();
        assert_eq!(on.app.run_jobs().await.unwrap(), 1);
        assert_eq!(on.app.org("acme").await.unwrap().seq, 0);
        let refused = on.app.backfill("acme", id, None, &Unwatched::default()).await.unwrap_err();
        assert_eq!(refused.code(), "account_disabled");
    }

    async fn a_clock_that_was_ahead_does_not_put_the_next_comparison_off(database) {
        let on = Fixture::new(database).await;
        on.clock.advance_ms(365 * 24 * 60 * MINUTE_MS);
        on.compare().await;
        on.clock.advance_ms(-365 * 24 * 60 * MINUTE_MS);
        missed(&on, "Now").await;
        on.clock.advance_ms(10 * MINUTE_MS);
        assert_eq!(on.compare().await, Compared { listed: 1, stored: 1 });
        let id = on.account().await.id;
        let kept = kept(&on, id).await;
        assert!(kept.through_ms <= on.app.now_ms() && kept.looked_ms <= on.app.now_ms());
    }

    async fn a_list_without_an_end_is_left(database) {
        let on = Fixture::new(database).await;
        let (id, listener) = scripted(&on).await;
        let answer = (200, format!(r#"{{"messages":[{}],"next_page_uri":"/x?Page=1&PageToken=PASM1"}}"#, outbound(1, "20:00:00")));
        let watch = Unwatched::default();
        tokio::select! {
            compared = on.app.backfill("acme", id, None, &watch) => assert_eq!(compared.unwrap_err().code(), "unavailable"),
            () = answered(&listener, |_| answer.clone()) => {}
        }
        assert_eq!(kept(&on, id).await.error.unwrap().code, "list_endless");
    }

    async fn a_round_that_is_done_stays_done_when_the_next_one_fails(database) {
        let on = Fixture::new(database).await;
        let (id, listener) = scripted(&on).await;
        let start_ms = on.app.now_ms();
        on.clock.advance_ms(10 * MINUTE_MS);
        // One more than a round holds; all but one were sent past us, and are not kept.
        let mut entries = vec![outbound(20_000, "20:00:02"), came(1, "20:00:01")];
        entries.extend((1..20_000).map(|number| outbound(number, "20:00:00")));
        let full = (200, format!(r#"{{"messages":[{}]}}"#, entries.join(",")));
        // The first round reads this and five empty lists.
        let answer = |number| match number {
            0 => full.clone(),
            1..6 => (200, r#"{"messages":[],"calls":[]}"#.to_owned()),
            _ => (500, "{}".to_owned()),
        };
        let watch = Unwatched::default();
        tokio::select! {
            compared = on.app.backfill("acme", id, None, &watch) => assert_eq!(compared.unwrap_err().code(), "unavailable"),
            () = answered(&listener, answer) => {}
        }
        let kept = kept(&on, id).await;
        assert_eq!((kept.through_ms - start_ms, kept.found, kept.error.unwrap().code.as_str()), (2000, 1, "http_500"));
    }

    async fn a_try_whose_time_is_ahead_does_not_count(database) {
        let on = Fixture::new(database).await;
        let id = on.account().await.id;
        let due = async || { let now_ms = on.app.now_ms(); on.app.store().system_read(move |tx| backfill::due(tx, now_ms - MINUTE_MS)).await.unwrap() };
        let ahead = Backfill { through_ms: 0, looked_ms: on.app.now_ms() + 10 * MINUTE_MS, found: 0, error: None };
        on.app.store().write(on.who.org, move |tx| backfill::save(tx, id, &ahead)).await.unwrap();
        assert_eq!(due().await, [(on.who.org, id)]);
    }

    async fn a_report_that_was_missed_is_read_from_the_list(database) {
        let on = Fixture::new(database).await;
        on.sim.fault(Fault::new(FaultKind::AcceptWithoutCallbacks).times(1));
        let sent = on.send("Did it arrive?").await.unwrap();
        on.app.run_jobs().await.unwrap();
        on.sim.settled().await;
        assert_eq!(on.look(&sent).await.state, DeliveryState::Queued);
        on.clock.advance_ms(10 * MINUTE_MS);
        assert_eq!(on.compare().await, Compared { listed: 1, stored: 0 });
        assert_eq!(on.look(&sent).await.state, DeliveryState::Delivered);
        on.assert_healthy().await;
    }

    async fn a_provider_that_refuses_leaves_its_reason_and_the_place_to_go_on_from(database) {
        let on = Fixture::new(database).await;
        missed(&on, "Later").await;
        on.clock.advance_ms(10 * MINUTE_MS);
        let id = on.account().await.id;
        on.set_token("wrong").await;
        assert_eq!(on.app.backfill("acme", id, None, &Unwatched::default()).await.unwrap_err().code(), "provider_refused");
        assert_eq!(kept(&on, id).await.error.unwrap().code, "20003");
        on.set_token(TOKEN).await;
        assert_eq!(on.compare().await, Compared { listed: 1, stored: 1 });
    }
}
