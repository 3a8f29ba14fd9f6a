//! How accounts do: what passed over them and was refused in their name, and a provider that does not take them any more.

use http::HeaderValue;
use parlance_app::settings::ProviderChanges;
use parlance_model::account::{Health, HealthState};
use parlance_model::delivery::DeliveryState::{Pending, Queued};
use parlance_sim::twilio::{Fault, FaultKind};
use parlance_store::health;
use parlance_testkit::both_databases;

use crate::fixture::{CUSTOMER, Fixture, NUMBER, inbound, sid};

/// As the API shows it, and as it is stored.
async fn looks(on: &Fixture) -> (Health, Health) {
    let accounts = on.app.accounts(&on.who, 10, 0).await.unwrap().0;
    let id = accounts[0].id;
    let stored = on.app.store().read(on.who.org, move |tx| health::get(tx, id)).await.unwrap();
    (on.app.healths(&on.who, &accounts).await.unwrap().remove(0), stored)
}

both_databases! {
    async fn what_passes_is_seen_at_once_and_stored_by_and_by(database) {
        let on = Fixture::new(database).await;
        assert_eq!(looks(&on).await.0.state(true), HealthState::Unused);
        on.app.hook(inbound(&sid(1), CUSTOMER, NUMBER, "Hello?")).await.unwrap();
        on.clock.advance_ms(5);
        on.send("Hello").await.unwrap();
        on.app.run_jobs().await.unwrap();
        let (shown, stored) = looks(&on).await;
        assert_eq!(shown.seen.last_out_ms, shown.seen.last_in_ms.map(|in_ms| in_ms + 5));
        assert_eq!((shown.state(true), stored), (HealthState::Ok, Health::default()));
        on.app.flush_health().await;
        assert_eq!(looks(&on).await.1, shown);
        on.app.flush_health().await;
        assert_eq!(looks(&on).await, (shown.clone(), shown));
    }

    async fn refused_hooks_are_counted_in_memory_and_stored_at_the_end(database) {
        let on = Fixture::new(database).await;
        for number in 0..100 {
            let mut forged = inbound(&sid(number), CUSTOMER, NUMBER, "Hello?");
            forged.headers.insert("x-twilio-signature", HeaderValue::from_static("forged"));
            assert_eq!(on.app.hook(forged).await.unwrap_err().code(), "bad_signature");
        }
        let (shown, stored) = looks(&on).await;
        assert_eq!((shown.seen.refused_hooks, stored.seen.refused_hooks), (100, 0));
        assert_eq!(shown.state(true), HealthState::Unused, "a stranger cannot make an account look ill");
        on.app.shutdown().await;
        assert_eq!(looks(&on).await.1.seen.refused_hooks, 100);
    }

    async fn refused_credentials_are_failing_until_a_message_is_taken(database) {
        let on = Fixture::new(database).await;
        on.sim.fault(Fault::new(FaultKind::Refuse { status: 401, code: 20003 }).times(1));
        let sent = on.send("Hello").await.unwrap();
        on.app.run_jobs().await.unwrap();
        assert_eq!(on.look(&sent).await.state, Pending);
        let (shown, _) = looks(&on).await;
        let (error, _) = shown.last_error.clone().unwrap();
        assert_eq!((shown.state(true), error.code.as_str()), (HealthState::Failing, "20003"));
        assert!(error.message.contains("auth token"));
        on.clock.advance_ms(60_000);
        on.app.run_jobs().await.unwrap();
        assert_eq!((on.look(&sent).await.state, looks(&on).await.0.state(true)), (Queued, HealthState::Ok));
        // A message's own trouble is none of the account's.
        on.sim.fault(Fault::new(FaultKind::Refuse { status: 400, code: 21612 }).times(1));
        on.send("Hello").await.unwrap();
        on.app.run_jobs().await.unwrap();
        assert_eq!(looks(&on).await.0.state(true), HealthState::Ok);
    }

    async fn new_credentials_end_the_failing(database) {
        let on = Fixture::new(database).await;
        on.sim.fault(Fault::new(FaultKind::Refuse { status: 401, code: 20003 }).times(1));
        on.send("Hello").await.unwrap();
        on.app.run_jobs().await.unwrap();
        assert_eq!(looks(&on).await.0.state(true), HealthState::Failing);
        let token = ProviderChanges { twilio_auth_token: Some(Some("another-made-up-token".into())), ..ProviderChanges::default() };
        on.app.change_providers(&on.who, token).await.unwrap();
        assert_eq!(looks(&on).await.0.state(true), HealthState::Unused);
    }
}
