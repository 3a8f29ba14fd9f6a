//! What a worker may say of an attempt when its own write failed.

use std::sync::Arc;

use parlance_model::channel::Channel;
use parlance_model::clock::ManualClock;
use parlance_model::entropy::SeededEntropy;
use parlance_store::secret::SecretKey;
use parlance_store::{Durability, Place, Setup, Store};
use tempfile::TempDir;

use super::*;
use crate::Config;
use crate::account::VoiceChanges;
use crate::directory::NewTwilio;
use crate::send::{Draft, Recipient};

/// An application with one message that waits to be sent.
async fn waiting() -> (App, MessageId, Arc<ManualClock>, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let (clock, entropy) = (Arc::new(ManualClock::at(1_772_740_800_000)), Arc::new(SeededEntropy::new(1)));
    let setup = Setup { clock: clock.clone(), entropy: entropy.clone(), secret: SecretKey::new([3; 32]) };
    let place = Place::Sqlite { data: folder.path().to_owned(), durability: Durability::Relaxed };
    let store = Store::open(&place, setup).unwrap();
    let http = parlance_net::Client::new(parlance_net::Policy::default()).unwrap();
    let app = App::new(store, http, entropy, Config { public_url: "https://chat.example.com".into(), ..Config::default() });
    app.create_org("acme", "Acme", "US").await.unwrap();
    let twilio = NewTwilio {
        account_sid: "AC00000000000000000000000000000001".into(),
        auth_token: "not-a-real-auth-token-0000000001".into(),
        api_key: None,
        phone_number: "+15551234567".into(),
        messaging_service_sid: None,
        whatsapp_number: None,
        base_url: None,
        messages_per_second: Some(0),
        voice: VoiceChanges::default(),
    };
    app.create_twilio("acme", twilio).await.unwrap();
    let (_, token) = app.create_key("acme", None, "test", None, false).await.unwrap();
    let who = app.authenticate(&token).await.unwrap();
    let to = Recipient::Phone("+14152000001".into(), Channel::Sms);
    let draft = Draft::text(to, "Hello");
    let sent = app.send(&who, draft, false).await.unwrap();
    (app, sent.message.id, clock, folder)
}

async fn claim(app: &App) -> Claimed {
    app.store().system_write(|tx| job::claim(tx, 1, LEASE_MS)).await.unwrap().remove(0)
}

/// Starts an attempt under a claim, then says that the claim's own write failed. Answers whether the attempt ended.
async fn ended_by(app: &App, id: MessageId, begun: bool, claimed: Claimed) -> bool {
    let write = move |tx: &mut OrgTx<'_, '_>| {
        if begun {
            let account = message::get(tx, id)?.account_id;
            attempt::start(tx, id, account)?;
        }
        not_called(tx, &claimed, id)?;
        Ok(attempt::latest(tx, id)?.is_some_and(|attempt| attempt.finished_ms.is_some()))
    };
    let org = app.org("acme").await.unwrap().id;
    app.store().write(org, write).await.unwrap()
}

#[tokio::test]
async fn the_first_claim_knows_that_its_attempt_was_not_made() {
    let (app, id, _, _folder) = waiting().await;
    let first = claim(&app).await;
    assert!(ended_by(&app, id, true, first).await);
}

#[tokio::test]
async fn a_later_claim_does_not_take_back_an_attempt_that_an_earlier_one_may_have_made() {
    let (app, id, clock, _folder) = waiting().await;
    let first = claim(&app).await;
    let org = first.org;
    // The first worker wrote its attempt down, called the provider, and was gone.
    let start = move |tx: &mut OrgTx<'_, '_>| {
        let account = message::get(tx, id)?.account_id;
        attempt::start(tx, id, account)
    };
    app.store().write(org, start).await.unwrap();
    clock.advance_ms(LEASE_MS);
    let second = claim(&app).await;
    assert_eq!(second.attempt, 2);
    assert!(!ended_by(&app, id, false, second).await, "it would be sent a second time");
}
