//! The listener: one task per connection, each of which a handler can cut without an answer. That is why hyper is
//! driven here rather than by `axum::serve`.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::state::Inner;

/// How long to wait after a failed accept (too many open files), in milliseconds.
const ACCEPT_PAUSE_MS: u64 = 50;

/// The connection that a request came on.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    /// The other side.
    pub(crate) peer: SocketAddr,
    cut: CancellationToken,
}

impl Line {
    /// Closes the connection. The caller's future is dropped with it, so this never returns.
    pub(crate) async fn hang_up(&self) -> Infallible {
        self.cut.cancel();
        std::future::pending().await
    }
}

/// Accepts connections for as long as the task lives.
pub(crate) async fn listen(inner: Arc<Inner>, listener: TcpListener, router: Router) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                inner.spawn(talk(stream, peer, router.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "the simulator could not accept a connection");
                tokio::time::sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await;
            }
        }
    }
}

async fn talk(stream: TcpStream, peer: SocketAddr, router: Router) {
    let line = Line { peer, cut: CancellationToken::new() };
    let cut = line.cut.clone();
    let service = TowerToHyperService::new(router.layer(Extension(line)));
    let connection = http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service);
    // An error is the other side going away: there is nobody left to tell.
    let _ = cut.run_until_cancelled(connection).await;
}
