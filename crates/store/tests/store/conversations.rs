//! The conversation's row: one for each key, saved with its counters, read by the team.

use parlance_model::channel::Channel;
use parlance_model::conversation::{Conversation, Standing, State, Visitor};
use parlance_model::event::Event;
use parlance_model::id::{ConversationId, MessageId, UserId};
use parlance_model::message::Direction;
use parlance_store::{contact, conversation, counter, event, message};
use parlance_testkit::both_databases;

use crate::fixture::{Fixture, START_MS, code, identity, talk};

const PEER: &str = "+15551110001";

both_databases! {
    async fn a_key_has_one_conversation_open_or_closed(database) {
        let f = Fixture::new(database).await;
        let first = f.conversation(PEER).await;
        assert_eq!((first.session_key.as_str(), first.channel, first.peer.as_str()), ("sms_+15551110001", Channel::Sms, PEER));
        assert_eq!((first.standing, first.starred, first.assigned_to), (Standing::NEW, false, None));
        assert_eq!((first.message_count, first.unread_count, first.read_through, first.newest_id), (0, 0, MessageId(0), MessageId(0)));
        assert_eq!((first.last_message_ms, first.created_ms, first.last_direction), (START_MS, START_MS, None));
        let closed = Conversation { standing: Standing { state: State::Completed, archived: true }, ..first.clone() };
        let before = first.clone();
        f.write(move |tx| conversation::save(tx, &before, &closed)).await.unwrap();
        assert_eq!(f.conversation(PEER).await.id, first.id);
        let account = f.account.clone();
        let found = f.read(move |tx| conversation::find(tx, &account, "sms_+15551110001")).await.unwrap().unwrap();
        assert_eq!((found.id, found.standing.archived), (first.id, true));
        let account = f.account.clone();
        assert!(f.read(move |tx| conversation::find(tx, &account, "voice_+15551110001")).await.unwrap().is_none());
        let told = f.read(|tx| event::after(tx, 0, 10)).await.unwrap();
        let told: Vec<_> = told.into_iter().map(|entry| entry.event).collect();
        let contact_id = first.contact_id;
        assert_eq!(told, [Event::ContactCreated { contact_id }, Event::ConversationCreated { conversation_id: first.id, contact_id }]);
    }

    async fn a_new_conversation_carries_its_contacts_name(database) {
        let f = Fixture::new(database).await;
        f.write(|tx| contact::create(tx, &contact::Details::from_name("Ada Lovelace"), &[identity(PEER)])).await.unwrap();
        assert_eq!(f.conversation(PEER).await.contact_name.as_deref(), Some("Ada Lovelace"));
    }

    async fn every_field_that_is_saved_reads_back(database) {
        let f = Fixture::new(database).await;
        let before = f.conversation(PEER).await;
        let somebody = f.write(|tx| contact::create(tx, &contact::Details::from_name("Eve"), &[identity("+15551110009")])).await.unwrap();
        let mut after = before.clone();
        after.contact_id = somebody.id;
        after.contact_name = Some("Eve".to_owned());
        after.standing = Standing { state: State::Escalated, archived: true };
        after.starred = true;
        after.assigned_to = Some(UserId(5));
        (after.message_count, after.unread_count) = (7, 3);
        (after.read_through, after.newest_id) = (MessageId(4), MessageId(9));
        after.last_message_ms = START_MS - 5;
        after.preview = "'$1' \"ü\" …".to_owned();
        after.last_direction = Some(Direction::Outbound);
        after.metadata.0.insert("k\0".to_owned(), serde_json::json!({"z": [1, null, "ü"], "a": 1.5}));
        after.visitor = Visitor { name: Some("V".to_owned()), email: Some("v@example.com".to_owned()), phone: Some("555".to_owned()) };
        f.clock.advance_ms(10);
        let (image, saved) = (before.clone(), after.clone());
        f.write(move |tx| conversation::save(tx, &image, &saved)).await.unwrap();
        let found = f.reload(before.id).await;
        assert_eq!(found.updated_ms, START_MS + 10);
        assert_eq!(format!("{found:?}"), format!("{:?}", Conversation { updated_ms: START_MS + 10, ..after.clone() }));
        // And back: what is empty reads back as empty.
        let (image, saved) = (after, before.clone());
        f.write(move |tx| conversation::save(tx, &image, &saved)).await.unwrap();
        let found = f.reload(before.id).await;
        assert_eq!(format!("{found:?}"), format!("{:?}", Conversation { updated_ms: START_MS + 10, ..before }));
        f.assert_clean().await;
    }

    async fn reading_moves_the_teams_position_once(database) {
        let f = Fixture::new(database).await;
        let (id, first) = f.receive(PEER, "one").await;
        let (_, second) = f.receive(PEER, "two").await;
        assert_eq!(f.read(counter::unread).await.unwrap(), (2, 1));
        f.clock.advance_ms(1000);
        let (image, seq) = (f.reload(id).await, f.seq().await);
        let read = f.write(move |tx| conversation::mark_read(tx, &image)).await.unwrap();
        assert_eq!((read.unread_count, read.read_through, read.updated_ms), (0, second, START_MS + 1000));
        assert_eq!(format!("{read:?}"), format!("{:?}", f.reload(id).await));
        assert_eq!(f.read(counter::unread).await.unwrap(), (0, 0));
        let told = f.read(move |tx| event::after(tx, seq, 10)).await.unwrap();
        assert_eq!(told.iter().map(|entry| entry.event.clone()).collect::<Vec<_>>(), [Event::ConversationUpdated { conversation_id: id }]);

        f.clock.advance_ms(1000);
        let image = f.reload(id).await;
        f.write(move |tx| conversation::mark_read(tx, &image)).await.unwrap();
        assert_eq!(f.seq().await, seq + 1, "reading what is read tells nobody");
        let (_, third) = f.receive(PEER, "three").await;
        let image = f.reload(id).await;
        assert_eq!(image.unread_count, 1);
        f.clock.advance_ms(1000);
        f.write(move |tx| conversation::mark_read(tx, &image)).await.unwrap();
        let read_ms: Vec<_> = f.read(move |tx| [first, second, third].into_iter().map(|id| Ok(message::get(tx, id)?.read_ms)).collect()).await.unwrap();
        assert_eq!(read_ms, [Some(START_MS + 1000), Some(START_MS + 1000), Some(START_MS + 3000)]);
        f.assert_clean().await;
    }

    async fn another_org_reaches_no_conversation(database) {
        let f = Fixture::new(database).await;
        let (other, _) = f.other_org().await;
        let (id, _) = f.receive(PEER, "Hi").await;
        let ours = f.reload(id).await;
        let rows = || f.raw().query("SELECT * FROM conversation ORDER BY id");
        let before = rows();
        assert_eq!(code(f.store.read(other, move |tx| conversation::get(tx, id)).await), "not_found");
        let image = ours.clone();
        assert_eq!(code(f.store.write(other, move |tx| conversation::mark_read(tx, &image)).await), "not_found");
        let image = ours.clone();
        let save = move |tx: &mut parlance_store::OrgTx<'_, '_>| conversation::save(tx, &image, &Conversation { starred: true, ..image.clone() });
        assert_eq!(code(f.store.write(other, save).await), "not_found");
        let account = f.account.clone();
        assert!(f.store.read(other, move |tx| conversation::find(tx, &account, "sms_+15551110001")).await.unwrap().is_none());
        let account = f.account.clone();
        assert_eq!(code(f.store.write(other, move |tx| talk(tx, &account, PEER).map(drop)).await), "not_found");
        let image = ours.clone();
        let append = f.store.write(other, move |tx| {
            let mut after = image.clone();
            message::append(tx, &mut after, &crate::fixture::inbound("theirs"), false)?;
            conversation::save(tx, &image, &after)
        });
        assert_eq!(code(append.await), "not_found");
        assert_eq!(rows(), before);
        for table in ["read_mark", "counter", "contact", "message", "event"] {
            assert_eq!(f.raw().value(&format!("SELECT COUNT(*) FROM {table} WHERE org_id = {other}")), "0", "{table}");
        }
        assert_eq!(code(f.read(|tx| conversation::get(tx, ConversationId(0))).await), "not_found");
    }

    async fn a_conversation_with_another_orgs_contact_is_not_made(database) {
        let f = Fixture::new(database).await;
        let (other, theirs) = f.other_org().await;
        let ours = f.write(|tx| contact::create(tx, &contact::Details::from_name("Ada"), &[identity(PEER)])).await.unwrap();
        let create = f.store.write(other, move |tx| {
            let key = conversation::Key {
                account: &theirs,
                session_key: "sms_x".to_owned(),
                channel: Channel::Sms,
                peer: "x".to_owned(),
                contact: ours.id,
            };
            conversation::find_or_create(tx, &key).map(drop)
        });
        assert_eq!(code(create.await), "not_found");
        assert_eq!(f.raw().value("SELECT COUNT(*) FROM conversation"), "0");
    }
}
