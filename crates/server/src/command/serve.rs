//! `serve`: opens, listens, and ends cleanly on SIGTERM or Ctrl-C.

use std::net::SocketAddr;
use std::time::Duration;

use parlance_api::Options;
use parlance_app::{App, Config, media};
use parlance_model::{Error, Result};
use parlance_net::Policy;
use parlance_store::installation;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::connections::{AT_ONCE, Connections, Limits};
use super::{open_files, redirect};
use crate::cli::{PlaceArgs, ServeArgs};
use crate::output::announce;
use crate::place;
use crate::tls::Tls;

/// The signal of a file that outgrew its limit, on Linux.
pub(crate) const SIGXFSZ: i32 = 25;
/// How long jobs may take to end after open requests have. Together with those below 25 s.
const JOBS_END: Duration = Duration::from_secs(13);

pub(crate) fn run(args: &PlaceArgs, options: &ServeArgs) -> Result<()> {
    let _lock = place::lock(args)?;
    let listeners = 1 + u64::from(options.tls.redirect_http.is_some());
    open_files::allow(listeners * AT_ONCE as u64);
    let runtime = place::runtime()?;
    let tls = Tls::of(&options.tls, &args.data, place::parts().clock)?;
    let front = runtime.block_on(async {
        let redirect = match options.tls.redirect_http {
            Some(listen) => Some(bind(listen).await?),
            None => None,
        };
        Ok::<_, Error>(Front { listener: bind(options.listen).await?, tls, redirect })
    })?;
    let public_url = public_url(options, &front)?;
    let app = {
        let _context = runtime.enter();
        let media = media::Config { files: args.files()?, limit: options.media_limit << 20, ..media::Config::default() };
        place::open(args, Policy { allow: options.allow_outbound.clone() }, Config { public_url, media })?
    };
    runtime.block_on(async {
        app.store().system_write(installation::check_key).await?;
        serve(app, &options.api(), front, ended()).await
    })
}

/// Where the server is reached.
pub(crate) struct Front {
    listener: TcpListener,
    tls: Option<Tls>,
    /// The plain listener beside TLS.
    redirect: Option<TcpListener>,
}

impl Front {
    /// Plain http.
    pub(crate) fn plain(listener: TcpListener) -> Self {
        Self { listener, tls: None, redirect: None }
    }

    /// Its own address as a URL.
    fn url(&self) -> Result<String> {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        Ok(format!("{scheme}://{}", self.listener.local_addr().map_err(Error::internal)?))
    }
}

impl ServeArgs {
    /// What the API needs to know of them.
    fn api(&self) -> Options {
        Options { rate_limit: self.rate_limit, metrics_token: self.metrics_token.clone() }
    }
}

/// Listens on the address.
pub(crate) async fn bind(listen: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(listen).await.map_err(|cause| {
        let why = match cause.kind() {
            std::io::ErrorKind::PermissionDenied => "Ports below 1024 need a right of their own (CAP_NET_BIND_SERVICE).",
            _ => "Is another server running there?",
        };
        Error::unavailable(format!("Cannot listen on {listen}. {why} --listen takes another address."), 1).with_source(cause)
    })
}

fn public_url(options: &ServeArgs, front: &Front) -> Result<String> {
    match &options.public_url {
        Some(url) => Ok(url.as_str().trim_end_matches('/').to_owned()),
        None => front.tls.as_ref().and_then(Tls::public_url).map_or_else(|| front.url(), Ok),
    }
}

/// Serves until `end`, then lets what is under way finish.
pub(crate) async fn serve(app: App, options: &Options, front: Front, end: impl Future<Output = Result<()>> + Send + 'static) -> Result<()> {
    let router = parlance_api::router(app.clone(), options);
    app.start();
    // A file that outgrows the limit set by `ulimit -f` is a write that fails, like a full disk, and not the server's end.
    let _file_limit = signal(SignalKind::from_raw(SIGXFSZ)).map_err(Error::internal)?;
    tracing::info!("listening on {}", front.url()?);
    let (stop, tasks) = (CancellationToken::new(), app.tasks());
    let plain = Connections { router, tls: None, limits: Limits::default(), stop: stop.clone(), sockets: app.sockets().clone() };
    let mut servers = Vec::new();
    if let Some(listener) = front.redirect {
        let redirect = Connections { router: redirect::router(app.public_url())?, ..plain.clone() };
        servers.push(tasks.spawn(redirect.serve(listener, tasks.clone())));
    }
    let tls = front.tls.map(|tls| tls.start(tasks));
    servers.push(tasks.spawn(Connections { tls, ..plain }.serve(front.listener, tasks.clone())));
    announce_first_run(&app).await;
    end.await?;
    tracing::info!("stopping: open requests end first, then jobs");
    stop.cancel();
    for server in servers {
        server.await.map_err(Error::internal)?;
    }
    if tokio::time::timeout(JOBS_END, app.shutdown()).await.is_err() {
        tracing::warn!("some work did not end in time; its leases run out and it is taken up again");
        // Waiting for the database's threads could take for ever: one may be stuck with a server that went silent.
        std::process::exit(0);
    }
    Ok(())
}

/// Says where the first organisation is made, while there is none.
async fn announce_first_run(app: &App) {
    match app.first_run_token().await {
        Ok(None) => {}
        Ok(Some(token)) => announce(
            "There is no organisation yet. Make the first one and its owner here; the link works until it is made:",
            &format!("{}/setup?token={token}", app.public_url()),
        ),
        Err(error) => tracing::warn!(?error, "it is not known whether there is an organisation"),
    }
}

/// Resolves at SIGTERM or Ctrl-C. Both are heeded from this call on, not only once it is waited for.
pub(crate) fn ended() -> impl Future<Output = Result<()>> + Send + 'static {
    let heeded = signal(SignalKind::terminate()).and_then(|terminate| Ok((terminate, signal(SignalKind::interrupt())?)));
    async move {
        let (mut terminate, mut interrupt) = heeded.map_err(Error::internal)?;
        tokio::select! {
            _ = terminate.recv() => Ok(()),
            _ = interrupt.recv() => Ok(()),
        }
    }
}
