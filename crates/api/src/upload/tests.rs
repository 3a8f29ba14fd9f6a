//! An upload that stops arriving. The rest is tested over HTTP.

use std::sync::Arc;

use parlance_app::Config;
use parlance_app::media::{self, Files};
use parlance_model::clock::SystemClock;
use parlance_model::entropy::SeededEntropy;
use parlance_net::{Client, Policy};
use parlance_store::secret::SecretKey;
use parlance_store::{Durability, Place, Setup, Store};

use super::*;

const BEGUN: &str = "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\nHel";

#[tokio::test]
async fn an_upload_that_stops_arriving_ends_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let entropy = Arc::new(SeededEntropy::new(1));
    let setup = Setup { clock: Arc::new(SystemClock), entropy: entropy.clone(), secret: SecretKey::new([3; 32]) };
    let store = Store::open(&Place::Sqlite { data: folder.path().to_owned(), durability: Durability::Relaxed }, setup).unwrap();
    let files = folder.path().join("media");
    std::fs::create_dir(&files).unwrap();
    let media = media::Config { files: Files::in_folder(&files).unwrap(), ..media::Config::default() };
    let app = App::new(store, Client::new(Policy::default()).unwrap(), entropy, Config { media, ..Config::default() });
    app.create_org("acme", "Acme", "US").await.unwrap();
    let (_, token) = app.create_key("acme", None, "test", None, false).await.unwrap();
    let who = app.authenticate(&token).await.unwrap();
    let (day, none) = (Duration::from_secs(86_400), Duration::ZERO);
    for pace in [Pace { whole: day, pause: none }, Pace { whole: none, pause: day }] {
        for begun in ["", BEGUN] {
            // What has come is read even when no time is left; then nothing comes any more.
            let body = Body::from_stream(stream::iter([Ok::<_, Error>(begun)]).chain(stream::pending()));
            let refused = Upload::of(body, "x".to_owned(), &app, pace).take(&app, &who).await.unwrap_err();
            assert_eq!((refused.code(), refused.message().contains("in time")), ("broken_body", true), "{refused:?}");
        }
    }
    let left: Vec<_> = std::fs::read_dir(&files).unwrap().flat_map(|org| std::fs::read_dir(org.unwrap().path()).unwrap()).collect();
    let left: usize = left.into_iter().map(|folder| std::fs::read_dir(folder.unwrap().path()).unwrap().count()).sum();
    assert_eq!(left, 0);
}
