//! A backup that was made while a provider was being called, restored, and the message given once more: what may have gone
//! out says so, and goes out again only when somebody wants that.

use std::path::Path;
use std::sync::Arc;

use parlance_app::App;
use parlance_app::message::Retry;
use parlance_app::send::Sent;
use parlance_model::clock::SharedClock;
use parlance_model::delivery::DeliveryState::{self, Delivered, Pending, Read, Unknown};
use parlance_model::entropy::SeededEntropy;
use parlance_sim::twilio::{Fault, FaultKind};
use parlance_store::backup::{self, Source, Target};
use parlance_store::secret::SecretKey;
use parlance_store::watch::Unwatched;
use parlance_store::{Setup, doctor};
use parlance_testkit::{Database, both_databases};
use tokio::task::spawn_blocking;

use crate::fixture::{CUSTOMER, Fixture, KEY, callback, node, place_of};

/// What the provider took, with the paths of its callbacks.
fn taken(on: &Fixture) -> Vec<(String, String)> {
    let ours = on.sim.messages().into_iter().filter(|message| message.to == CUSTOMER);
    let path = |url: String| url.strip_prefix("https://chat.example.com").unwrap().to_owned();
    ours.map(|message| (path(message.status_callback.unwrap()), message.sid)).collect()
}

async fn back_up(on: &Fixture, folder: &Path) -> Vec<u8> {
    let (folder, clock): (_, SharedClock) = (folder.to_owned(), on.clock.clone());
    let source = Source { place: on.place.clone(), folder: folder.clone(), media: None, with_key: false, scratch: folder };
    let write = move || {
        let mut file = Vec::new();
        backup::write(&source, &clock, &mut file, &Unwatched::default()).map(|_| file)
    };
    spawn_blocking(write).await.unwrap().unwrap()
}

/// Sends, and backs up while the provider has the message and does not answer. The original ends there.
async fn broken_off(on: &Fixture, folder: &Path) -> (Sent, Vec<u8>) {
    on.sim.fault(Fault::new(FaultKind::AcceptThenTimeout { hold_ms: 60_000 }).times(1));
    let sent = on.send("Did it arrive?").await.unwrap();
    let backing_up = async {
        while taken(on).is_empty() {
            tokio::task::yield_now().await;
        }
        back_up(on, folder).await
    };
    tokio::select! {
        _ = on.app.run_jobs() => panic!("the provider answered"),
        file = backing_up => (sent, file),
    }
}

async fn state(on: &Fixture, copy: &App, sent: &Sent) -> DeliveryState {
    let (_, messages) = copy.conversation(&on.who, sent.conversation.id).await.unwrap();
    messages.into_iter().find(|shown| shown.message.id == sent.message.id).unwrap().message.state
}

async fn found_and_never_sent_again(database: Database, keep_sending: bool) {
    let (on, folder) = (Fixture::new(database).await, tempfile::tempdir().unwrap());
    let (sent, file) = broken_off(&on, folder.path()).await;
    let fresh = spawn_blocking(move || database.fresh()).await.unwrap();
    let place = place_of(&fresh);
    let into = match &place {
        parlance_store::Place::Sqlite { data, .. } => data.clone(),
        parlance_store::Place::Postgres { .. } => folder.path().to_owned(),
    };
    let target = Target { place: place.clone(), folder: into, force: false, keep_sending };
    let setup = Setup { clock: on.clock.clone(), entropy: Arc::new(SeededEntropy::new(9)), secret: SecretKey::new(KEY) };
    let restore = move || backup::restore(&target, &setup, file.as_slice(), None, &Unwatched::default());
    let restored = spawn_blocking(restore).await.unwrap().unwrap();
    assert_eq!(restored.unknown, u64::from(!keep_sending));
    let copy = node(&place, &on.clock, 5, on.files.path()).await;

    assert_eq!(state(&on, &copy, &sent).await, if keep_sending { Pending } else { Unknown });
    // The original's claim has run out. The provider's list tells what its answer could not.
    on.clock.advance_ms(3_600_000);
    copy.run_jobs().await.unwrap();
    on.clock.advance_ms(60_000);
    copy.run_jobs().await.unwrap();
    assert_eq!((state(&on, &copy, &sent).await, taken(&on).len()), (Delivered, 1));
    let retry = Retry { allow_duplicate: true, once: None };
    assert_eq!(copy.retry(&on.who, sent.message.id, retry, false).await.unwrap_err().code(), "not_retryable");
    // A late callback of the original's attempt still finds its place.
    let (path, provider_id) = &taken(&on)[0];
    copy.hook(callback(path, provider_id, "read", None)).await.unwrap();
    let (attempts, _) = copy.attempts(&on.who, sent.message.id, 50, 0).await.unwrap();
    assert_eq!(attempts.iter().map(|attempt| attempt.outcome.state).collect::<Vec<_>>(), [Read]);
    assert_eq!(copy.run_jobs().await.unwrap(), 0);
    assert_eq!(doctor::check(copy.store(), true).await.unwrap().findings, Vec::new());
}

both_databases! {
    async fn what_was_being_sent_when_it_was_backed_up_is_found_in_the_providers_list_and_not_sent_again(database) {
        found_and_never_sent_again(database, false).await;
    }

    async fn the_same_after_a_planned_move(database) {
        found_and_never_sent_again(database, true).await;
    }
}
