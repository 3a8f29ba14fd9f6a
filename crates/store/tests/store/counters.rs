//! Counters: what lists and badges show, kept equal to a recount.

use parlance_model::channel::Channel;
use parlance_model::conversation::{Conversation, Standing, State, Status};
use parlance_model::id::UserId;
use parlance_store::{contact, conversation, counter};
use parlance_testkit::both_databases;

use crate::fixture::{Fixture, code, identity, refused};

const PEERS: [&str; 4] = ["+15551110001", "+15551110002", "+15551110003", "+15551110004"];

async fn change(f: &Fixture, peer: &'static str, edit: impl Fn(&mut Conversation) + Send + 'static) {
    let image = f.conversation(peer).await;
    f.write(move |tx| {
        let mut after = image.clone();
        edit(&mut after);
        conversation::save(tx, &image, &after)
    })
    .await
    .unwrap();
}

async fn count(f: &Fixture, status: Option<Status>, channel: Option<Channel>, assigned_to: Option<UserId>) -> i64 {
    f.read(move |tx| counter::conversations(tx, status, channel, assigned_to)).await.unwrap()
}

both_databases! {
    async fn conversations_are_counted_under_each_facet(database) {
        let f = Fixture::new(database).await;
        for peer in PEERS {
            f.conversation(peer).await;
        }
        change(&f, PEERS[0], |row| row.assigned_to = Some(UserId(1))).await;
        change(&f, PEERS[1], |row| row.standing = Standing { state: State::Escalated, archived: false }).await;
        change(&f, PEERS[2], |row| row.standing = Standing { state: State::Abandoned, archived: false }).await;
        change(&f, PEERS[3], |row| row.standing = Standing { state: State::Open, archived: true }).await;
        assert_eq!(count(&f, None, None, None).await, 4);
        assert_eq!(count(&f, Some(Status::Open), None, None).await, 2);
        assert_eq!(count(&f, Some(Status::Closed), None, None).await, 1);
        assert_eq!(count(&f, Some(Status::Archived), None, None).await, 1);
        assert_eq!(count(&f, None, Some(Channel::Sms), None).await, 4);
        assert_eq!(count(&f, None, Some(Channel::Email), None).await, 0);
        assert_eq!(count(&f, Some(Status::Open), Some(Channel::Sms), Some(UserId(1))).await, 1);
        assert_eq!(count(&f, Some(Status::Closed), None, Some(UserId(1))).await, 0);
        assert_eq!(count(&f, None, None, Some(UserId(2))).await, 0);
        f.assert_clean().await;
    }

    async fn unread_messages_and_the_conversations_that_hold_them_are_counted(database) {
        let f = Fixture::new(database).await;
        assert_eq!(f.read(counter::unread).await.unwrap(), (0, 0));
        f.receive(PEERS[0], "one").await;
        f.receive(PEERS[0], "two").await;
        f.receive(PEERS[1], "three").await;
        f.send(PEERS[1], "four").await;
        f.send(PEERS[2], "five").await;
        assert_eq!(f.read(counter::unread).await.unwrap(), (3, 2));
        change(&f, PEERS[0], |row| row.standing.archived = true).await;
        assert_eq!(f.read(counter::unread).await.unwrap(), (3, 2));
        f.assert_clean().await;
    }

    async fn what_is_rolled_back_is_not_counted(database) {
        let f = Fixture::new(database).await;
        let account = f.account.clone();
        let failed = f.write(move |tx| {
            crate::fixture::receive(tx, &account, PEERS[0], &crate::fixture::inbound("Hi"))?;
            Err::<(), _>(refused())
        });
        assert_eq!(code(failed.await), "test_refused");
        assert_eq!((count(&f, None, None, None).await, f.seq().await), (0, 0));
        assert_eq!(f.read(counter::unread).await.unwrap(), (0, 0));
    }

    async fn contacts_are_counted_until_they_are_merged(database) {
        let f = Fixture::new(database).await;
        let mut made = Vec::new();
        for peer in PEERS {
            made.push(f.conversation(peer).await.contact_id);
        }
        assert_eq!(f.read(counter::contacts).await.unwrap(), 4);
        let (one, other) = (made[0], made[1]);
        for _ in 0..2 {
            f.write(move |tx| contact::merge(tx, one, other)).await.unwrap();
            assert_eq!(f.read(counter::contacts).await.unwrap(), 3);
        }
        f.assert_clean().await;
    }

    async fn each_org_counts_its_own(database) {
        let f = Fixture::new(database).await;
        let (other, _) = f.other_org().await;
        f.receive(PEERS[0], "one").await;
        assert_eq!(f.store.read(other, counter::unread).await.unwrap(), (0, 0));
        assert_eq!(f.store.read(other, |tx| counter::conversations(tx, None, None, None)).await.unwrap(), 0);
    }

    async fn a_conversation_keeps_its_place_when_its_contact_changes(database) {
        let f = Fixture::new(database).await;
        f.receive(PEERS[0], "one").await;
        let eve = f.write(|tx| contact::create(tx, &contact::Details::from_name("Eve"), &[identity("+15551110099")])).await.unwrap();
        change(&f, PEERS[0], move |row| {
            row.contact_id = eve.id;
            row.contact_name = eve.name();
        })
        .await;
        assert_eq!(f.read(counter::unread).await.unwrap(), (1, 1));
        f.assert_clean().await;
    }
}
