//! What comes in: once, in one conversation, in the right org, whatever the number and order of deliveries.

use futures::future::join_all;
use parlance_app::conversation::Filter;
use parlance_app::page::{PageRequest, Start};
use parlance_model::error::Kind;
use parlance_store::hook as kept;
use parlance_testkit::{Database, both_databases};

use crate::fixture::{CUSTOMER, Fixture, NUMBER, SERVICE, SID, TOKEN, callback, hook, inbound, sid, twilio};

both_databases! {
    async fn a_duplicate_delivery_changes_nothing_even_thirty_two_at_once(database) {
        let on = Fixture::new(database).await;
        let copies = (0..32).map(|_| on.app.hook(inbound(&sid(1), CUSTOMER, NUMBER, "Hello")));
        for answer in join_all(copies).await {
            assert_eq!(answer.unwrap().body, "<Response/>");
        }
        let found = on.conversations().await;
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].message_count, found[0].unread_count), (1, 1));
        on.assert_healthy().await;
    }

    async fn sixty_four_first_messages_of_a_new_number_at_once_make_one_conversation(database) {
        let on = Fixture::new(database).await;
        let sids: Vec<_> = (0..64).map(sid).collect();
        for answer in join_all(sids.iter().map(|sid| on.app.hook(inbound(sid, CUSTOMER, NUMBER, sid)))).await {
            answer.unwrap();
        }
        let found = on.conversations().await;
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].message_count, found[0].unread_count), (64, 64));
        on.assert_healthy().await;
    }

    async fn a_token_that_another_node_changed_is_known_at_the_first_hook_that_it_signs(database) {
        let on = Fixture::new(database).await;
        let other = on.second_node().await;
        on.app.hook(inbound(&sid(1), CUSTOMER, NUMBER, "Signed with the first")).await.unwrap();
        on.set_token("not-a-real-auth-token-0000000002").await;
        for _ in 0..2 {
            let refused = on.app.hook(inbound(&sid(2), CUSTOMER, NUMBER, "Signed with the first still")).await.unwrap_err();
            assert_eq!(refused.code(), "bad_signature");
        }
        on.set_token_at(&other, TOKEN).await;
        on.app.hook(inbound(&sid(2), CUSTOMER, NUMBER, "Signed with the first again")).await.unwrap();
        assert_eq!(on.conversations().await[0].message_count, 2);
    }

    async fn a_hook_reaches_the_org_whose_number_it_names(database) {
        let on = Fixture::new(database).await;
        on.app.create_org("other", "Other", "US").await.unwrap();
        on.app.create_twilio("other", twilio(&on.sim, "+15557654321")).await.unwrap();
        on.app.hook(inbound(&sid(1), CUSTOMER, "+15557654321", "For the other")).await.unwrap();
        assert_eq!(on.conversations().await.len(), 0);
        let (_, token) = on.app.create_key("other", None, "test", None, false).await.unwrap();
        let other = on.app.authenticate(&token).await.unwrap();
        let page = PageRequest { limit: 10, start: Start::Offset(0) };
        let found = on.app.conversations(&other, Filter::default(), page).await.unwrap().items;
        assert_eq!(found[0].preview, "For the other");
        let refused = on.app.conversation(&on.who, found[0].id).await.unwrap_err();
        assert_eq!(refused.kind(), Kind::NotFound);
    }

    async fn any_number_of_our_messaging_service_is_ours(database) {
        let on = Fixture::new(database).await;
        on.app.create_org("service", "Service", "US").await.unwrap();
        let new = parlance_app::directory::NewTwilio { messaging_service_sid: Some(SERVICE.into()), ..twilio(&on.sim, "+15550001111") };
        on.app.create_twilio("service", new).await.unwrap();
        let request = hook("/webhooks/twilio", &[
            ("AccountSid", SID), ("MessageSid", &sid(5)), ("From", CUSTOMER), ("To", "+15559990000"), ("MessagingServiceSid", SERVICE), ("Body", "Hi"),
        ]);
        on.app.hook(request).await.unwrap();
        let org = on.app.org("service").await.unwrap();
        assert_eq!(org.seq, 3, "a contact, a conversation and a message");
    }

    async fn what_is_not_ours_or_not_genuine_is_refused_and_changes_nothing(database) {
        let on = Fixture::new(database).await;
        let stranger = hook("/webhooks/twilio", &[("AccountSid", "AC00000000000000000000000000000009"), ("MessageSid", &sid(1)), ("From", CUSTOMER), ("To", NUMBER)]);
        assert_eq!(on.app.hook(stranger).await.unwrap_err().kind(), Kind::NotFound);
        let mut forged = inbound(&sid(1), CUSTOMER, NUMBER, "Hello");
        forged.body = bytes::Bytes::from(String::from_utf8(forged.body.to_vec()).unwrap().replace("Hello", "Jello"));
        assert_eq!(on.app.hook(forged).await.unwrap_err().code(), "bad_signature");
        let foreign = inbound(&sid(1), CUSTOMER, "+15550009999", "Hello");
        assert_eq!(on.app.hook(foreign).await.unwrap_err().kind(), Kind::NotFound);
        assert_eq!(on.app.org("acme").await.unwrap().seq, 0);
    }

    async fn hooks_by_get_are_kept_with_what_their_query_says(database) {
        let on = Fixture::new(database).await;
        for sid in [sid(1), sid(2), sid(1)] {
            let path = format!("/webhooks/twilio?AccountSid={SID}&MessageSid={sid}&MessageStatus=teleported&From=%2B15551234567");
            let mut request = hook(&path, &[]);
            request.method = "GET".into();
            on.app.hook(request).await.unwrap();
        }
        let hooks = on.app.store().read(on.who.org, |tx| kept::quarantined(tx, 10)).await.unwrap();
        assert_eq!(hooks.len(), 2);
        assert!(hooks[1].request.contains(&sid(2)), "{}", hooks[1].request);
    }

    async fn a_genuine_hook_that_cannot_be_applied_is_kept_once(database) {
        let on = Fixture::new(database).await;
        for _ in 0..2 {
            on.app.hook(callback("/webhooks/twilio", &sid(1), "teleported", None)).await.unwrap();
        }
        let hooks = on.app.store().read(on.who.org, |tx| kept::quarantined(tx, 10)).await.unwrap();
        assert_eq!(hooks.len(), 1);
        assert!(String::from_utf8_lossy(&hooks[0].body).contains("teleported"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_that_receive_first_messages_at_once_make_one_conversation() {
    let on = Fixture::new(Database::Postgres).await;
    let other = on.second_node().await;
    let sids: Vec<_> = (0..64).map(sid).collect();
    let answers = sids.iter().enumerate().map(|(number, sid)| {
        let node = if number % 2 == 0 { &on.app } else { &other };
        node.hook(inbound(sid, CUSTOMER, NUMBER, sid))
    });
    for answer in join_all(answers).await {
        answer.unwrap();
    }
    let found = on.conversations().await;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].message_count, 64);
    on.assert_healthy().await;
}
