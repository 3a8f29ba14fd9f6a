//! Whose turn it is when turns are not used, the pace changes or a clock was ahead; and the turns of each channel.

use parlance_app::account::AccountChanges;
use parlance_app::send::{Draft, Recipient};
use parlance_model::channel::Channel;
use parlance_testkit::both_databases;

use crate::fixture::{Fixture, NUMBER, draft, inbound, sid};
use crate::pace::{after_ms, at_a_pace_of, attempts, send};

const HOUR_MS: i64 = 60 * 60 * 1000;

both_databases! {
    async fn canceled_messages_hold_nobody_up(database) {
        let on = Fixture::new(database).await;
        at_a_pace_of(&on, 1).await;
        send(&on, 1, "a").await;
        let mut campaign = Vec::new();
        for customer in 10..30 {
            campaign.push(send(&on, customer, "campaign").await);
        }
        send(&on, 2, "b").await;
        send(&on, 3, "c").await;
        assert_eq!(after_ms(&on, 0).await, ["a"]);
        for sent in &campaign {
            on.app.cancel(&on.who, sent.message.id, None).await.unwrap();
        }
        send(&on, 4, "d").await;
        assert_eq!(after_ms(&on, 999).await, ["a"]);
        assert_eq!(after_ms(&on, 1).await, ["a", "b"]);
        assert_eq!(after_ms(&on, 1000).await, ["a", "b", "c"]);
        assert_eq!(after_ms(&on, 1000).await, ["a", "b", "c", "d"]);
        // Nor do they when nobody waits.
        let canceled = [send(&on, 5, "e").await, send(&on, 6, "f").await, send(&on, 7, "g").await];
        after_ms(&on, 0).await;
        for sent in &canceled {
            on.app.cancel(&on.who, sent.message.id, None).await.unwrap();
        }
        send(&on, 8, "h").await;
        assert_eq!(after_ms(&on, 999).await.len(), 4);
        assert_eq!(after_ms(&on, 1).await.last().unwrap(), "h");
        on.assert_healthy().await;
    }

    async fn those_who_opt_out_while_they_wait_hold_nobody_up(database) {
        let on = Fixture::new(database).await;
        at_a_pace_of(&on, 1).await;
        for customer in 1..=10 {
            send(&on, customer, &customer.to_string()).await;
        }
        assert_eq!(after_ms(&on, 0).await, ["1"]);
        for customer in 2..10 {
            on.app.hook(inbound(&sid(customer), &format!("+141520001{customer:02}"), NUMBER, "STOP")).await.unwrap();
        }
        // The first of them comes to its turn, and then the others come at once.
        assert_eq!(after_ms(&on, 1000).await, ["1", "10"]);
        on.assert_healthy().await;
    }

    async fn another_pace_holds_from_then_on_for_what_waits(database) {
        let on = Fixture::new(database).await;
        at_a_pace_of(&on, 1).await;
        let bodies: Vec<_> = (1..=20).map(|number| number.to_string()).collect();
        for (customer, body) in bodies.iter().enumerate() {
            send(&on, customer, body).await;
        }
        assert_eq!(after_ms(&on, 0).await.len(), 1);
        at_a_pace_of(&on, 10).await;
        assert_eq!(after_ms(&on, 0).await.len(), 1);
        for sent in 2..=10 {
            assert_eq!(after_ms(&on, 99).await.len(), sent - 1);
            assert_eq!(after_ms(&on, 1).await.len(), sent);
        }
        at_a_pace_of(&on, 1).await;
        assert_eq!(after_ms(&on, 0).await.len(), 10);
        assert_eq!(after_ms(&on, 100).await.len(), 11);
        assert_eq!(after_ms(&on, 999).await.len(), 11);
        assert_eq!(after_ms(&on, 1).await.len(), 12);
        at_a_pace_of(&on, 0).await;
        assert_eq!(after_ms(&on, 0).await, bodies);
        on.assert_healthy().await;
    }

    async fn a_clock_that_was_ahead_holds_nobody_up_for_long(database) {
        let on = Fixture::new(database).await;
        at_a_pace_of(&on, 1).await;
        on.clock.advance_ms(12 * HOUR_MS);
        send(&on, 1, "a").await;
        send(&on, 2, "b").await;
        assert_eq!(after_ms(&on, 0).await, ["a"]);
        on.clock.advance_ms(-12 * HOUR_MS);
        send(&on, 3, "c").await;
        assert_eq!(after_ms(&on, 0).await, ["a"]);
        assert_eq!(after_ms(&on, 1000).await, ["a", "b"]);
        assert_eq!(after_ms(&on, 1000).await, ["a", "b", "c"]);
        send(&on, 4, "d").await;
        assert_eq!(after_ms(&on, 1000).await, ["a", "b", "c", "d"]);
    }

    async fn each_channel_of_an_account_has_turns_of_its_own(database) {
        let on = Fixture::new(database).await;
        let whatsapp = "+15550001111";
        let changes = AccountChanges { whatsapp_number: Some(Some(whatsapp.into())), messages_per_second: Some(Some(1)), ..AccountChanges::default() };
        on.app.change_account(&on.who, on.account().await.id, changes).await.unwrap();
        let (from, to) = ("whatsapp:+14152000199", format!("whatsapp:{whatsapp}"));
        on.app.hook(inbound(&sid(1), from, &to, "Hello?")).await.unwrap();
        for customer in 0..10 {
            send(&on, customer, "campaign").await;
        }
        after_ms(&on, 0).await;
        let reply = || Draft { to: Recipient::Phone("+14152000199".into(), Channel::Whatsapp), ..draft("Hello!", None) };
        let replies = [on.app.send(&on.who, reply(), false).await.unwrap(), on.app.send(&on.who, reply(), false).await.unwrap()];
        after_ms(&on, 0).await;
        assert_eq!((attempts(&on, &replies[0]).await, attempts(&on, &replies[1]).await), (1, 0));
        after_ms(&on, 1000).await;
        assert_eq!(attempts(&on, &replies[1]).await, 1);
        on.assert_healthy().await;
    }
}
