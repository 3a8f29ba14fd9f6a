//! A proxy on loopback that cuts some of its connections in the middle, and whose other end may change.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use parlance_model::{Error, Result};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use url::Url;

/// One in so many connections is cut...
const ONE_IN: u32 = 8;
/// ...within so many milliseconds.
const WITHIN_MS: u64 = 1500;

/// A running proxy. Dropping it ends it and its connections.
pub(super) struct Proxy {
    address: SocketAddr,
    target: Arc<Mutex<String>>,
    cuts: Arc<AtomicU64>,
    _work: JoinSet<()>,
}

impl Proxy {
    /// Listens on a free port. Connections go on to `target`, `host:port`; while nobody is there they are cut at once.
    pub(super) async fn start(seed: u64, target: &str) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(Error::internal)?;
        let address = listener.local_addr().map_err(Error::internal)?;
        let (target, cuts) = (Arc::new(Mutex::new(target.to_owned())), Arc::new(AtomicU64::new(0)));
        let mut work = JoinSet::new();
        work.spawn(accept(listener, Arc::clone(&target), Arc::clone(&cuts), StdRng::seed_from_u64(seed)));
        Ok(Self { address, target, cuts, _work: work })
    }

    /// `http://` and its address.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its address.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Leads new connections to this `host:port`.
    pub(super) fn lead_to(&self, target: &str) {
        target.clone_into(&mut self.target.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// How many connections it has cut.
    pub(super) fn cuts(&self) -> u64 {
        self.cuts.load(Ordering::Relaxed)
    }
}

/// Where a PostgreSQL URL leads, as `host:port`, and the URL. `None` for one that cannot be led through a proxy: without a host, or with
/// encryption, whose certificate names the host.
pub(super) fn postgres(url: &str) -> Option<(String, Url)> {
    let url: Url = url.parse().ok()?;
    let plain = !url.query_pairs().any(|(name, _)| name.starts_with("ssl") || name == "host");
    let target = format!("{}:{}", url.host_str().filter(|host| !host.is_empty())?, url.port().unwrap_or(5432));
    plain.then_some((target, url))
}

async fn accept(listener: TcpListener, target: Arc<Mutex<String>>, cuts: Arc<AtomicU64>, mut random: StdRng) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else {
                    // No file is free for it just now.
                    sleep(Duration::from_millis(50)).await;
                    continue;
                };
                let target = target.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let life = random.random_ratio(1, ONE_IN).then(|| Duration::from_millis(random.random_range(0..WITHIN_MS)));
                connections.spawn(join(stream, target, life, Arc::clone(&cuts)));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn join(mut near: TcpStream, target: String, life: Option<Duration>, cuts: Arc<AtomicU64>) {
    let Ok(mut far) = TcpStream::connect(target).await else { return };
    // Small packets must not wait for each other.
    let _ = (near.set_nodelay(true), far.set_nodelay(true));
    let joined = copy_bidirectional(&mut near, &mut far);
    match life {
        None => drop(joined.await),
        Some(life) => {
            if timeout(life, joined).await.is_err() {
                cuts.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}
