//! The layer around a handler that is held: what happens between the first request and its answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::post;
use parlance_app::Config;
use parlance_model::clock::ManualClock;
use parlance_model::entropy::SeededEntropy;
use parlance_net::{Client, Policy};
use parlance_store::secret::SecretKey;
use parlance_store::{Place, Setup, Store};
use tempfile::TempDir;
use tokio::sync::Semaphore;
use tokio::task::{JoinSet, spawn_blocking};
use tower::ServiceExt as _;

use super::*;

/// A route behind the layer whose handler waits until it is let go, and then answers as it is told.
struct Bench {
    router: Router,
    runs: Arc<AtomicUsize>,
    entered: Arc<Semaphore>,
    go: Arc<Semaphore>,
    clock: Arc<ManualClock>,
    _folder: TempDir,
}

impl Bench {
    async fn new(answer: fn(usize) -> Answer<&'static str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (clock, entropy) = (Arc::new(ManualClock::at(1)), Arc::new(SeededEntropy::new(1)));
        let setup = Setup { clock: clock.clone(), entropy: entropy.clone(), secret: SecretKey::new([1; 32]) };
        let place = Place::Sqlite { data: folder.path().to_owned(), durability: Default::default() };
        let store = spawn_blocking(move || Store::open(&place, setup)).await.unwrap().unwrap();
        let app = App::new(store, Client::new(Policy::default()).unwrap(), entropy, Config::default());
        app.create_org("acme", "Acme", "US").await.unwrap();
        let (_, token) = app.create_key("acme", None, "test", None, false).await.unwrap();
        let who = app.authenticate(&token).await.unwrap();

        let (runs, entered, go) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let (counted, told, held) = (Arc::clone(&runs), Arc::clone(&entered), Arc::clone(&go));
        let handler = move || async move {
            let run = counted.fetch_add(1, Ordering::SeqCst);
            told.add_permits(1);
            held.acquire().await.unwrap().forget();
            answer(run)
        };
        let router = Router::new()
            .route("/", post(handler))
            .layer(from_fn_with_state(app, once))
            .layer(axum::Extension(who))
            .layer(tower_http::catch_panic::CatchPanicLayer::custom(problem::of_panic));
        Self { router, runs, entered, go, clock, _folder: folder }
    }

    fn request(&self, body: &'static str) -> impl Future<Output = (u16, bool, Bytes)> + 'static {
        let request = http::Request::post("/").header(HEADER, "k").body(Body::from(body)).unwrap();
        let router = self.router.clone();
        async move {
            let response = problem::finish(router.oneshot(request).await.unwrap(), "id");
            let (status, replayed) = (response.status().as_u16(), response.headers().contains_key(&REPLAYED));
            (status, replayed, body::read(response.into_body()).await.unwrap())
        }
    }

    /// Waits until the handler runs.
    async fn entered(&self) {
        self.entered.acquire().await.unwrap().forget();
    }
}

#[tokio::test]
async fn a_second_request_is_told_that_the_first_still_runs() {
    let bench = Bench::new(|_| Ok("done")).await;
    let mut first = JoinSet::new();
    first.spawn(bench.request("body"));
    bench.entered().await;
    let (status, replayed, body) = bench.request("body").await;
    assert_eq!((status, replayed), (409, false));
    assert!(String::from_utf8_lossy(&body).contains("idempotency_running"));
    assert_eq!(bench.request("another body").await.0, 422);
    bench.go.add_permits(1);
    assert_eq!(first.join_next().await.unwrap().unwrap(), (200, false, "done".into()));
    assert_eq!(bench.request("body").await, (200, true, "done".into()));
    assert_eq!(bench.runs.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_run_keeps_its_key_for_as_long_as_it_takes() {
    let bench = Bench::new(|_| Ok("done")).await;
    let mut first = JoinSet::new();
    first.spawn(bench.request("body"));
    bench.entered().await;
    for _ in 0..10 {
        bench.clock.advance_ms(RUNNING_MS / 3);
        // Its sign of life is written before the next request looks: writes keep their order.
        tokio::time::pause();
        tokio::time::advance(BEAT).await;
        tokio::time::resume();
        tokio::select! {
            (status, ..) = bench.request("body") => assert_eq!(status, 409),
            () = bench.entered() => panic!("it runs a second time"),
        }
    }
    bench.go.add_permits(1);
    assert_eq!(first.join_next().await.unwrap().unwrap(), (200, false, "done".into()));
    bench.clock.advance_ms(RUNNING_MS * 2);
    assert_eq!(bench.request("body").await, (200, true, "done".into()));
    assert_eq!(bench.runs.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_client_that_goes_away_does_not_stop_what_it_has_begun() {
    let bench = Bench::new(|_| Ok("done")).await;
    let mut first = JoinSet::new();
    first.spawn(bench.request("body"));
    bench.entered().await;
    first.shutdown().await;
    bench.go.add_permits(1);
    let answered = loop {
        let answer = bench.request("body").await;
        if answer.0 != 409 {
            break answer;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(answered, (200, true, "done".into()));
    assert_eq!(bench.runs.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn what_may_be_tried_again_frees_its_key() {
    let bench = Bench::new(|run| match run {
        0 => Err(Error::unavailable("Not now.", 1).into()),
        1 => Err(Error::internal("broken").into()),
        2 => Err(Error::new(Kind::RateLimited, "rate_limited", "Slower.").into()),
        3 => Err(Error::conflict("conflict", "Changed meanwhile.").with_retry_after(1).into()),
        _ => Err(Error::invalid("x", "Must be y.").into()),
    })
    .await;
    bench.go.add_permits(9);
    for expected in [(503, false), (500, false), (429, false), (409, false), (422, false), (422, true)] {
        let (status, replayed, _) = bench.request("body").await;
        assert_eq!((status, replayed), expected);
    }
}

#[tokio::test]
async fn a_panic_is_answered_and_the_key_is_free_again_after_its_time() {
    let bench = Bench::new(|run| if run == 0 { panic!("a defect") } else { Ok("done") }).await;
    bench.go.add_permits(9);
    let (status, _, body) = bench.request("body").await;
    assert_eq!(status, 500);
    assert!(!String::from_utf8_lossy(&body).contains("a defect"));
    assert_eq!(bench.request("body").await.0, 409);
    bench.clock.advance_ms(60_000);
    assert_eq!(bench.request("body").await, (200, false, "done".into()));
}

#[test]
fn requests_are_the_same_only_if_method_path_and_body_are() {
    let base = hash(&["POST", "/a"], b"b");
    assert_eq!(base, hash(&["POST", "/a"], b"b"));
    for other in [hash(&["PUT", "/a"], b"b"), hash(&["POST", "/a?"], b"b"), hash(&["POST", "/"], b"ab"), hash(&["POST", "/a"], b"")] {
        assert_ne!(base, other);
    }
}
