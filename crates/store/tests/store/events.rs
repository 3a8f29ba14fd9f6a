//! The event log: gapless, in order, and of one org.

use parlance_model::delivery::DeliveryState;
use parlance_model::event::Event;
use parlance_model::id::{ContactId, ConversationId, MessageId};
use parlance_model::message::Direction;
use parlance_store::bus::Signal;
use parlance_store::event;
use parlance_testkit::both_databases;

use crate::fixture::{Fixture, START_MS, code, refused};

fn one_of_each() -> [Event; 8] {
    [
        Event::ContactCreated { contact_id: ContactId(2) },
        Event::ContactUpdated { contact_id: ContactId(2) },
        Event::ContactMerged { contact_id: ContactId(2), merged_id: ContactId(4) },
        Event::ConversationCreated { conversation_id: ConversationId(1), contact_id: ContactId(2) },
        Event::ConversationUpdated { conversation_id: ConversationId(1) },
        Event::MessageCreated {
            conversation_id: ConversationId(1),
            message_id: MessageId(3),
            direction: Direction::Inbound,
            contact_created: true,
        },
        Event::MessageStatus { conversation_id: ConversationId(1), message_id: MessageId(3), state: DeliveryState::Unknown },
        Event::OptOutChanged { identity: "+15551110001".to_owned(), opted_out: true },
    ]
}

both_databases! {
    async fn every_event_reads_back_in_the_order_in_which_it_was_emitted(database) {
        let f = Fixture::new(database).await;
        f.write(|tx| {
            one_of_each().into_iter().for_each(|event| tx.emit(event));
            Ok(())
        })
        .await
        .unwrap();
        let log = f.read(|tx| event::after(tx, 0, 100)).await.unwrap();
        assert_eq!(log.iter().map(|entry| entry.event.clone()).collect::<Vec<_>>(), one_of_each());
        assert_eq!(log.iter().map(|entry| (entry.seq, entry.at_ms)).collect::<Vec<_>>(), (1..=8).map(|seq| (seq, START_MS)).collect::<Vec<_>>());
        let kinds = f.raw().query("SELECT kind FROM event ORDER BY seq").concat();
        assert_eq!(kinds, one_of_each().map(|event| event.kind().to_owned()));
    }

    async fn an_event_of_a_newer_version_is_read_as_it_is(database) {
        let f = Fixture::new(database).await;
        f.write(|tx| {
            one_of_each().into_iter().for_each(|event| tx.emit(event));
            Ok(())
        })
        .await
        .unwrap();
        f.raw().execute(r#"UPDATE event SET kind = 'call.ended', data = '{"kind":"call.ended","call_id":5,"from":"+15551110001"}' WHERE seq = 2"#);
        let log = f.read(|tx| event::after(tx, 0, 100)).await.unwrap();
        assert_eq!((log.len(), log[1].event.kind(), format!("{:?}", log[1].event).as_str()), (8, "call.ended", "call.ended"));
        assert_eq!(serde_json::to_value(&log[1].event).unwrap(), serde_json::json!({ "kind": "call.ended", "call_id": 5, "from": "+15551110001" }));
    }

    async fn a_page_begins_behind_a_seq_and_is_limited(database) {
        let f = Fixture::new(database).await;
        for _ in 0..3 {
            f.write(|tx| {
                tx.emit(one_of_each()[1].clone());
                tx.emit(one_of_each()[1].clone());
                Ok(())
            })
            .await
            .unwrap();
        }
        let page = |seq, limit| f.read(move |tx| Ok(event::after(tx, seq, limit)?.iter().map(|entry| entry.seq).collect::<Vec<_>>()));
        assert_eq!(page(0, 4).await.unwrap(), [1, 2, 3, 4]);
        assert_eq!(page(4, 4).await.unwrap(), [5, 6]);
        assert!(page(6, 4).await.unwrap().is_empty());
        assert_eq!(f.seq().await, 6);
    }

    async fn a_failed_write_leaves_no_hole_and_wakes_nobody(database) {
        let f = Fixture::new(database).await;
        let mut signals = f.store.bus().listen();
        let emit = |fail: bool| {
            f.write(move |tx| {
                tx.emit(one_of_each()[1].clone());
                if fail { Err(refused()) } else { Ok(()) }
            })
        };
        emit(false).await.unwrap();
        assert_eq!(code(emit(true).await), "test_refused");
        emit(false).await.unwrap();
        assert_eq!(f.seq().await, 2);
        let org = f.org;
        assert_eq!([signals.try_recv().unwrap(), signals.try_recv().unwrap()], [Signal::Events(org); 2]);
        assert!(signals.try_recv().is_err());
    }

    async fn each_org_has_a_log_of_its_own(database) {
        let f = Fixture::new(database).await;
        let (other, _) = f.other_org().await;
        f.receive("+15551110001", "Hi").await;
        assert_eq!(f.seq().await, 3);
        assert!(f.store.read(other, |tx| event::after(tx, 0, 10)).await.unwrap().is_empty());
        f.store.write(other, |tx| { tx.emit(one_of_each()[1].clone()); Ok(()) }).await.unwrap();
        assert_eq!(f.store.read(other, |tx| Ok(event::after(tx, 0, 10)?.len())).await.unwrap(), 1);
        assert_eq!(f.seq().await, 3);
    }

    async fn an_org_that_is_not_there_has_no_log(database) {
        let f = Fixture::new(database).await;
        let nowhere = parlance_model::id::OrgId(f.org.0 + 1000);
        let emitted = f.store.write(nowhere, |tx| { tx.emit(one_of_each()[1].clone()); Ok(()) }).await;
        assert_eq!(code(emitted), "not_found");
        assert_eq!(f.raw().value("SELECT COUNT(*) FROM event"), "0");
    }

    async fn aged_events_go_from_the_start_and_the_last_one_stays(database) {
        let f = Fixture::new(database).await;
        assert_eq!(f.read(event::swept_through).await.unwrap(), 0);
        for _ in 0..3 {
            f.write(|tx| {
                tx.emit(Event::ConversationUpdated { conversation_id: ConversationId(1) });
                Ok(())
            })
            .await
            .unwrap();
            f.clock.advance_ms(1000);
        }
        assert_eq!(f.write(|tx| event::sweep(tx, START_MS)).await.unwrap(), 0);
        assert_eq!(f.write(|tx| event::sweep(tx, START_MS + 1000)).await.unwrap(), 1);
        assert_eq!(f.read(event::swept_through).await.unwrap(), 1);
        assert_eq!(f.write(|tx| event::sweep(tx, START_MS + 10_000)).await.unwrap(), 1);
        assert_eq!((f.read(event::swept_through).await.unwrap(), f.read(|tx| event::after(tx, 0, 10)).await.unwrap()[0].seq), (2, 3));
        f.assert_clean().await;
    }
}
