//! The connections of the server: how many, how long they may dawdle, and how they end.

mod shares;

use std::convert::Infallible;
use std::net::SocketAddr;
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
use parlance_app::{Sockets, Tasks};
use parlance_model::place::Place;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use self::shares::Shares;
use crate::tls::Acceptor;

/// Connections at once. Those beyond wait to be accepted.
pub(crate) const AT_ONCE: usize = 16_384;
/// Of these, how many the callers of one network may hold. Those beyond are closed at once.
const OF_ONE_NETWORK: usize = AT_ONCE / 4;
/// How long accepting rests after the system refused (too many open files).
const REST: Duration = Duration::from_millis(50);

/// How long a client may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// For a TLS handshake.
    pub(crate) handshake: Duration,
    /// For a request's head to arrive, and for a connection to idle between two requests.
    pub(crate) head: Duration,
    /// For any part of an answer to be taken.
    pub(crate) stall: Duration,
    /// For open requests to end once the server stops. Those that take longer are cut off.
    pub(crate) end: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { handshake: seconds(10), head: seconds(30), stall: seconds(10), end: seconds(10) }
    }
}

/// What every connection of a listener shares.
#[derive(Clone)]
pub(crate) struct Connections {
    pub(crate) router: Router,
    /// Without one, plain http.
    pub(crate) tls: Option<Acceptor>,
    pub(crate) limits: Limits,
    /// Told when the server stops: no new connection, no further request.
    pub(crate) stop: CancellationToken,
    /// Where they are counted.
    pub(crate) sockets: Sockets,
}

impl Connections {
    /// Accepts until the server stops, then lets the requests that are under way end, as long as they may take.
    pub(crate) async fn serve(self, listener: TcpListener, tasks: Tasks) {
        let (places, shares) = (Arc::new(Semaphore::new(AT_ONCE)), Shares::default());
        let cut = CancellationToken::new();
        loop {
            let place = tokio::select! {
                place = Arc::clone(&places).acquire_owned() => place,
                () = self.stop.cancelled() => break,
            };
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = self.stop.cancelled() => break,
            };
            let Ok(place) = place else { break };
            match accepted {
                Ok((stream, from)) => {
                    let Some(share) = shares.take(Place::of(from.ip()), OF_ONE_NETWORK) else {
                        self.sockets.refused.increment(1);
                        tracing::debug!("a connection was closed: its network holds its share of them");
                        continue;
                    };
                    let (shared, cut) = (self.clone(), cut.clone());
                    tasks.spawn(async move {
                        let open = Open::counted(&shared.sockets);
                        tokio::select! {
                            () = shared.accepted(stream, from) => {}
                            () = cut.cancelled() => {}
                        }
                        // The place last: once all are free, nothing is counted any more.
                        drop((open, share, place));
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
        if tokio::time::timeout(self.limits.end, places.acquire_many(every)).await.is_err() {
            tracing::warn!("some requests did not end in time; they are cut off");
            cut.cancel();
        }
    }

    async fn accepted(self, stream: TcpStream, from: SocketAddr) {
        // Answers are small and waited for.
        let _ = stream.set_nodelay(true);
        match self.tls.clone() {
            None => self.http(stream, from).await,
            Some(acceptor) => {
                if let Some(stream) = self.shake_hands(&acceptor, stream).await {
                    Box::pin(self.http(stream, from)).await;
                }
            }
        }
    }

    /// The encrypted stream, unless the handshake failed or there is nothing to say behind it.
    async fn shake_hands<S>(&self, acceptor: &Acceptor, stream: S) -> Option<impl AsyncRead + AsyncWrite + Unpin + Send + use<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let shaken = tokio::select! {
            shaken = tokio::time::timeout(self.limits.handshake, acceptor.accept(stream)) => shaken,
            () = self.stop.cancelled() => return None,
        };
        match shaken {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                tracing::debug!(%error, "a TLS handshake failed");
                None
            }
            Err(_) => {
                tracing::debug!("a TLS handshake took too long");
                None
            }
        }
    }

    /// Requests, one after the other, until the client or the server has had enough.
    async fn http<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(self, stream: S, from: SocketAddr) {
        let Self { router, limits, stop, .. } = self;
        // A client that stops reading would hold its connection, and the answer in memory, for as long as it likes.
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(limits.stall));
        let service = service_fn(move |mut request: Request<Incoming>| {
            let router = router.clone();
            // Failed sign-ins are counted by where they come from.
            request.extensions_mut().insert(ConnectInfo(from));
            async move { Ok::<_, Infallible>(router.oneshot(request.map(Body::new)).await.unwrap_or_else(|never| match never {})) }
        });
        let mut connection = std::pin::pin!(
            http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(limits.head)
                .serve_connection(TokioIo::new(Box::pin(stream)), service)
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
}

/// A connection that counts as open until this is dropped.
struct Open(Sockets);

impl Open {
    fn counted(sockets: &Sockets) -> Self {
        sockets.open.increment(1.0);
        Self(sockets.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.decrement(1.0);
    }
}

#[cfg(test)]
mod tests;
