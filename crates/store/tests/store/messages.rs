//! Messages, and what appending one does to its conversation.

use parlance_model::channel::JsonObject;
use parlance_model::conversation::{Standing, State};
use parlance_model::delivery::{DeliveryError, DeliveryState, Outcome};
use parlance_model::event::Event;
use parlance_model::id::{ConversationId, MessageId, UserId};
use parlance_model::message::{Attachment, Direction, Kind, SenderKind};
use parlance_store::message::{After, NewMessage};
use parlance_store::{conversation, event, message};
use parlance_testkit::both_databases;

use crate::fixture::{Fixture, START_MS, code, inbound, outbound, receive};

const PEER: &str = "+15551110001";

async fn store(f: &Fixture, new: NewMessage) -> (ConversationId, MessageId) {
    let account = f.account.clone();
    f.write(move |tx| receive(tx, &account, PEER, &new)).await.unwrap()
}

both_databases! {
    async fn every_field_reads_back(database) {
        let f = Fixture::new(database).await;
        let mut meta = JsonObject::default();
        meta.0.insert("provider".to_owned(), serde_json::json!({"z": 1, "a": ["ü", null]}));
        let attachments = vec![Attachment::remote("https://media.example/1".to_owned(), "image/png".to_owned())];
        let new = NewMessage {
            sender: SenderKind::Assistant,
            sender_user: Some(UserId(4)),
            kind: Kind::Email,
            attachments: attachments.clone(),
            meta: meta.clone(),
            at_ms: Some(START_MS - 500),
            ..outbound("Ünïcode 👍\n'$1' \u{202e}")
        };
        let (conversation, id) = store(&f, new).await;
        let found = f.read(move |tx| message::get(tx, id)).await.unwrap();
        assert_eq!((found.id, found.conversation_id, found.account_id), (id, conversation, f.account.id));
        assert_eq!((found.direction, found.sender, found.sender_user), (Direction::Outbound, SenderKind::Assistant, Some(UserId(4))));
        assert_eq!((found.kind, found.body.as_str()), (Kind::Email, "Ünïcode 👍\n'$1' \u{202e}"));
        assert_eq!((found.attachments, found.meta, found.state), (attachments, meta, DeliveryState::Pending));
        assert_eq!((found.at_ms, found.received_ms, found.updated_ms, found.read_ms), (START_MS - 500, START_MS, START_MS, None));
        assert_eq!((found.error_code, found.error_message), (None, None));

        let (_, plain) = store(&f, inbound("")).await;
        let found = f.read(move |tx| message::get(tx, plain)).await.unwrap();
        assert_eq!((found.attachments, found.meta, found.state), (Vec::new(), JsonObject::default(), DeliveryState::Delivered));
    }

    async fn an_inbound_message_opens_counts_and_leads_the_conversation(database) {
        let f = Fixture::new(database).await;
        let image = f.conversation(PEER).await;
        f.write(move |tx| {
            let mut after = image.clone();
            after.standing = Standing { state: State::Abandoned, archived: true };
            conversation::save(tx, &image, &after)
        })
        .await
        .unwrap();
        f.clock.advance_ms(100);
        let (id, first) = store(&f, inbound("Hello,\n  there")).await;
        let found = f.reload(id).await;
        assert_eq!((found.message_count, found.unread_count, found.newest_id, found.standing), (1, 1, first, Standing::NEW));
        assert_eq!((found.last_message_ms, found.preview.as_str(), found.last_direction), (START_MS + 100, "Hello, there", Some(Direction::Inbound)));
        let (_, second) = store(&f, outbound("Hi")).await;
        let found = f.reload(id).await;
        assert_eq!((found.message_count, found.unread_count, found.newest_id, found.last_direction), (2, 1, second, Some(Direction::Outbound)));
        let told = f.read(|tx| event::after(tx, 2, 10)).await.unwrap();
        let created = |message_id, direction| Event::MessageCreated { conversation_id: id, message_id, direction, contact_created: false };
        let told: Vec<_> = told.into_iter().map(|entry| entry.event).collect();
        assert_eq!(told, [created(first, Direction::Inbound), created(second, Direction::Outbound)]);
    }

    async fn an_older_message_does_not_lead_and_a_future_one_is_clamped(database) {
        let f = Fixture::new(database).await;
        let at = |at_ms, body| NewMessage { at_ms: Some(at_ms), ..inbound(body) };
        let (id, _) = store(&f, at(START_MS - 1000, "first")).await;
        assert_eq!(f.reload(id).await.last_message_ms, START_MS - 1000, "the first message leads, however old");
        store(&f, at(START_MS - 2000, "older")).await;
        let found = f.reload(id).await;
        assert_eq!((found.last_message_ms, found.preview.as_str(), found.message_count), (START_MS - 1000, "first", 2));
        store(&f, at(START_MS - 1000, "as old")).await;
        assert_eq!(f.reload(id).await.preview, "as old");
        let (_, future) = store(&f, at(START_MS + 1_000_000, "future")).await;
        assert_eq!(f.read(move |tx| message::get(tx, future)).await.unwrap().at_ms, START_MS);
        let bodies: Vec<_> = f.read(move |tx| message::list(tx, id, None, 10, 0)).await.unwrap().into_iter().map(|m| m.body).collect();
        assert_eq!(bodies, ["future", "as old", "first", "older"]);
        f.raw().execute("UPDATE message SET state = 'delivered'");
        f.assert_clean().await;
    }

    async fn pages_of_a_thread_give_each_message_once_newest_first(database) {
        let f = Fixture::new(database).await;
        let account = f.account.clone();
        // Several share a time, so that the id decides.
        let thread = f.write(move |tx| {
            let ids = (0..23_i64).map(|number| {
                let new = NewMessage { at_ms: Some(START_MS - 1000 * ((number * 7) % 5)), ..inbound("x") };
                receive(tx, &account, PEER, &new)
            });
            ids.collect::<parlance_model::Result<Vec<_>>>()
        });
        let thread = thread.await.unwrap();
        let id = thread[0].0;
        let mut expected: Vec<_> = thread.iter().zip(0..).map(|(row, number)| (START_MS - 1000 * ((number * 7) % 5), row.1)).collect();
        expected.sort_by(|a, b| b.cmp(a));
        for limit in [1, 4, 23, 100] {
            let (mut walked, mut after) = (Vec::new(), None);
            loop {
                let page = f.read(move |tx| message::list(tx, id, after, limit, 0)).await.unwrap();
                let Some(last) = page.last() else { break };
                after = Some(After { at_ms: last.at_ms, id: last.id });
                walked.extend(page.iter().map(|message| (message.at_ms, message.id)));
            }
            assert_eq!(walked, expected, "{limit}");
        }
        let offset: Vec<_> = f.read(move |tx| message::list(tx, id, None, 5, 20)).await.unwrap().iter().map(|m| (m.at_ms, m.id)).collect();
        assert_eq!(offset, expected[20..]);
    }

    async fn a_provider_id_comes_in_once_for_each_account(database) {
        let f = Fixture::new(database).await;
        let (other, theirs) = f.other_org().await;
        let account = f.account.id;
        let new = NewMessage { inbound_id: Some("SM-in".to_owned()), ..inbound("Hi") };
        store(&f, new.clone()).await;
        let ids = [(account, "SM-in"), (account, "SM-other"), (theirs.id, "SM-in")];
        assert_eq!(f.read(move |tx| message::known(tx, &ids)).await.unwrap(), [(account, "SM-in".to_owned())].into());
        assert!(f.store.read(other, move |tx| message::known(tx, &ids)).await.unwrap().is_empty());
        // Who forgets to ask is stopped by the index, and nothing of it stays.
        let sender = f.account.clone();
        let second = new.clone();
        assert_eq!(code(f.write(move |tx| receive(tx, &sender, PEER, &second)).await), "internal");
        assert_eq!(f.raw().value("SELECT COUNT(*) FROM message"), "1");
        f.store.write(other, move |tx| receive(tx, &theirs, PEER, &new)).await.unwrap();
        f.assert_clean().await;
    }

    async fn a_message_that_never_leaves_ends_with_its_reason(database) {
        let f = Fixture::new(database).await;
        let id = f.send(PEER, "Hi").await;
        f.clock.advance_ms(10);
        let error = DeliveryError { code: "recipient_opted_out".to_owned(), message: "They wrote STOP.".to_owned() };
        let outcome = Outcome::with_error(DeliveryState::OptedOut, error);
        f.write(move |tx| message::end(tx, id, &outcome)).await.unwrap();
        let found = f.read(move |tx| message::get(tx, id)).await.unwrap();
        assert_eq!((found.state, found.error_code.as_deref(), found.updated_ms), (DeliveryState::OptedOut, Some("recipient_opted_out"), START_MS + 10));
        assert_eq!(found.error_message.as_deref(), Some("They wrote STOP."));
        let last = f.read(|tx| event::after(tx, 0, 10)).await.unwrap().pop().unwrap();
        assert!(matches!(last.event, Event::MessageStatus { message_id, state: DeliveryState::OptedOut, .. } if message_id == id));
        f.assert_clean().await;
    }

    async fn another_org_reaches_no_message(database) {
        let f = Fixture::new(database).await;
        let (other, _) = f.other_org().await;
        let (conversation, id) = f.receive(PEER, "secret").await;
        assert_eq!(code(f.store.read(other, move |tx| message::get(tx, id)).await), "not_found");
        assert!(f.store.read(other, move |tx| message::list(tx, conversation, None, 10, 0)).await.unwrap().is_empty());
        assert_eq!(code(f.read(|tx| message::get(tx, MessageId(0))).await), "not_found");
    }
}
