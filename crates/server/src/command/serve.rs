//! `serve`: opens, listens, and ends cleanly on SIGTERM or Ctrl-C.

use std::net::SocketAddr;
use std::time::Duration;

use parlance_app::{App, Config, media};
use parlance_model::{Error, Result};
use parlance_net::Policy;
use parlance_store::installation;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::connections;
use crate::cli::{PlaceArgs, ServeArgs};
use crate::place;

/// The signal of a file that outgrew its limit, on Linux.
pub(crate) const SIGXFSZ: i32 = 25;
/// How long open requests may take to end after the signal, and jobs after them. Together below 25 s.
const REQUESTS_END: Duration = Duration::from_secs(10);
const JOBS_END: Duration = Duration::from_secs(13);

pub(crate) fn run(args: &PlaceArgs, options: &ServeArgs) -> Result<()> {
    let _lock = place::lock(args)?;
    let runtime = place::runtime()?;
    let listener = runtime.block_on(bind(options.listen))?;
    let public_url = public_url(options, &listener)?;
    let app = {
        let _context = runtime.enter();
        let media = media::Config { files: args.files()?, limit: options.media_limit << 20 };
        place::open(args, true, Policy { allow: options.allow_outbound.clone() }, Config { public_url, media })?
    };
    runtime.block_on(async {
        app.store().system_write(installation::check_key).await?;
        serve(app, listener, ended()).await
    })
}

/// Listens on the address.
pub(crate) async fn bind(listen: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(listen).await.map_err(|cause| {
        Error::unavailable(format!("Cannot listen on {listen}. Is another server running there? --listen takes another address."), 1)
            .with_source(cause)
    })
}

fn public_url(options: &ServeArgs, listener: &TcpListener) -> Result<String> {
    match &options.public_url {
        Some(url) => Ok(url.as_str().trim_end_matches('/').to_owned()),
        None => Ok(format!("http://{}", listener.local_addr().map_err(Error::internal)?)),
    }
}

/// Serves until `end`, then lets what is under way finish.
pub(crate) async fn serve(app: App, listener: TcpListener, end: impl Future<Output = Result<()>> + Send + 'static) -> Result<()> {
    let router = parlance_api::router(app.clone());
    app.start();
    // A file that outgrows the limit set by `ulimit -f` is a write that fails, like a full disk, and not the server's end.
    let _file_limit = signal(SignalKind::from_raw(SIGXFSZ)).map_err(Error::internal)?;
    tracing::info!("listening on http://{}", listener.local_addr().map_err(Error::internal)?);
    let stop = CancellationToken::new();
    let mut server = app.tasks().spawn(connections::serve(listener, router, stop.clone(), app.tasks().clone()));
    end.await?;
    tracing::info!("stopping: open requests end first, then jobs");
    stop.cancel();
    if tokio::time::timeout(REQUESTS_END, &mut server).await.is_err() {
        tracing::warn!("some requests did not end in time; they are cut off");
        server.abort();
    }
    if tokio::time::timeout(JOBS_END, app.shutdown()).await.is_err() {
        tracing::warn!("some work did not end in time; its leases run out and it is taken up again");
        // Waiting for the database's threads could take for ever: one may be stuck with a server that went silent.
        std::process::exit(0);
    }
    Ok(())
}

/// Resolves at SIGTERM or Ctrl-C.
pub(crate) async fn ended() -> Result<()> {
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::internal)?;
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        pressed = tokio::signal::ctrl_c() => pressed.map_err(Error::internal),
    }
}
