//! The connections of the server: how many, how long they may dawdle, and how they end.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use parlance_app::Tasks;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

/// Connections at once. Those beyond wait to be accepted.
const AT_ONCE: usize = 16_384;
/// How long a request's head may take to arrive, and how long a connection may idle between two requests.
const HEAD: Duration = Duration::from_secs(30);
/// How long accepting rests after the system refused (too many open files).
const REST: Duration = Duration::from_millis(50);

/// Accepts until `stop`, then lets the requests that are under way end.
pub(crate) async fn serve(listener: TcpListener, router: Router, stop: CancellationToken, tasks: Tasks) {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        let place = tokio::select! {
            place = Arc::clone(&places).acquire_owned() => place,
            () = stop.cancelled() => break,
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        let Ok(place) = place else { break };
        match accepted {
            Ok((stream, _)) => {
                let (router, stop) = (router.clone(), stop.clone());
                tasks.spawn(async move {
                    connection(stream, router, stop).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(REST).await;
            }
        }
    }
    drop(listener);
    let every = u32::try_from(AT_ONCE).unwrap_or(u32::MAX);
    // All places are free once the last connection has ended. The semaphore is never closed.
    let _ = places.acquire_many(every).await;
}

async fn connection(stream: TcpStream, router: Router, stop: CancellationToken) {
    // Answers are small and waited for.
    let _ = stream.set_nodelay(true);
    let from = stream.peer_addr().ok().map(ConnectInfo);
    let service = service_fn(move |mut request: Request<Incoming>| {
        let router = router.clone();
        // Failed sign-ins are counted by where they come from.
        if let Some(from) = from {
            request.extensions_mut().insert(from);
        }
        async move { Ok::<_, Infallible>(router.oneshot(request.map(Body::new)).await.unwrap_or_else(|never| match never {})) }
    });
    let mut connection = std::pin::pin!(
        http1::Builder::new().timer(TokioTimer::new()).header_read_timeout(HEAD).serve_connection(TokioIo::new(stream), service)
    );
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke");
    }
}
