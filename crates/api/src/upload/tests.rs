//! An upload that stops arriving, or arrives too slowly. The rest is tested over HTTP.

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
const ENDED: &str = "\r\n--x--\r\n";

/// An application with one org, and a caller of it.
struct Fixture {
    app: App,
    who: Principal,
    folder: tempfile::TempDir,
}

impl Fixture {
    async fn new() -> Self {
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
        Self { app, who, folder }
    }

    fn files(&self) -> usize {
        let orgs = std::fs::read_dir(self.folder.path().join("media")).unwrap();
        let folders = orgs.flat_map(|org| std::fs::read_dir(org.unwrap().path()).unwrap());
        folders.map(|folder| std::fs::read_dir(folder.unwrap().path()).unwrap().count()).sum()
    }
}

#[tokio::test]
async fn an_upload_that_stops_arriving_ends_and_leaves_nothing() {
    let on = Fixture::new().await;
    let (day, none) = (Duration::from_secs(86_400), Duration::ZERO);
    for pace in [Pace { whole: day, piece: 1 << 10, wait: none }, Pace { whole: none, piece: 1 << 10, wait: day }] {
        for begun in ["", BEGUN] {
            // No time is left, and nothing comes any more.
            let body = Body::from_stream(stream::iter([Ok::<_, Error>(begun)]).chain(stream::pending()));
            let refused = Upload::of(body, "x".to_owned(), &on.app, pace).take(&on.app, &on.who).await.unwrap_err();
            assert_eq!((refused.code(), refused.message().contains("in time")), ("broken_body", true), "{refused:?}");
        }
    }
    assert_eq!(on.files(), 0);
}

/// Reads the form as far as it arrives in time, and keeps nothing.
async fn read(app: &App, body: Body, pace: Pace) -> Result<usize> {
    let Upload { mut form, begun, turn } = Upload::of(body, "x".to_owned(), app, pace);
    let read = async {
        let mut file = form.next_field().await.map_err(failed)?.unwrap();
        begun.store(true, Ordering::Relaxed);
        let mut size = 0;
        while let Some(chunk) = file.chunk().await.map_err(failed)? {
            size += chunk.len();
        }
        Ok(size)
    };
    in_turns(&turn, read).await
}

#[tokio::test]
async fn an_upload_that_trickles_ends_and_one_that_keeps_up_is_taken() {
    let on = Fixture::new().await;
    tokio::time::pause();
    // A second passes before each chunk.
    let body = |chunk: &'static str, chunks: usize| {
        let begun = stream::iter([BEGUN]).chain(stream::iter(std::iter::repeat_n(chunk, chunks))).chain(stream::iter([ENDED]));
        Body::from_stream(begun.then(async |chunk| {
            tokio::time::advance(Duration::from_secs(1)).await;
            Ok::<_, Error>(chunk)
        }))
    };
    let pace = Pace { whole: Duration::from_secs(86_400), piece: 100, wait: Duration::from_secs(10) };
    assert_eq!(read(&on.app, body("x", 10_000), pace).await.unwrap_err().message(), slow().message());
    assert_eq!(read(&on.app, body("0123456789ab", 1000), pace).await.unwrap(), 12_003);
    let ten_minutes = Pace { whole: Duration::from_secs(600), ..pace };
    assert_eq!(read(&on.app, body("0123456789ab", 1000), ten_minutes).await.unwrap_err().message(), slow().message());
}
