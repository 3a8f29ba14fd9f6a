//! Clients that dawdle, and the server's end: over streams in memory with a clock that runs ahead, and over real ones.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use metrics::Gauge;
use parlance_app::{Sockets, Tasks};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;

use super::{Connections, Limits};
use crate::tls::Acceptor;

const FROM: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 1);

/// The length of a long answer: more than the connection and the server hold on its way.
const LARGE: usize = 1 << 20;

/// A server whose `/slow` answers when it is told to.
struct Slow {
    entered: Arc<Notify>,
    go: Arc<Notify>,
    connections: Connections,
    tasks: Tasks,
}

impl Slow {
    fn new(tls: Option<Acceptor>) -> Self {
        let (entered, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (told, wait) = (Arc::clone(&entered), Arc::clone(&go));
        let slow = async move || {
            told.notify_one();
            wait.notified().await;
            "slow"
        };
        let router =
            Router::new().route("/quick", get(async || "quick")).route("/slow", get(slow)).route("/large", get(async || vec![b'.'; LARGE]));
        let connections =
            Connections { router, tls, limits: Limits::default(), stop: CancellationToken::new(), sockets: Sockets::unmeasured() };
        Self { entered, go, connections, tasks: Tasks::default() }
    }

    /// Serves on a port of its own.
    async fn listen(&self) -> (SocketAddr, JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        (address, self.tasks.spawn(self.connections.clone().serve(listener, self.tasks.clone())))
    }

    /// Serves one stream in memory; this is the client's end.
    fn in_memory(&self) -> DuplexStream {
        self.watched().0
    }

    /// The same, with what ends when the server is done with it.
    fn watched(&self) -> (DuplexStream, JoinHandle<()>) {
        let (client, server) = duplex(64 * 1024);
        let served = self.connections.clone();
        (client, self.tasks.spawn(async move { served.http(server, FROM).await }))
    }
}

async fn ask(stream: &mut (impl AsyncWrite + Unpin), path: &str) {
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await.unwrap();
}

/// Everything up to the body, which is a known word.
async fn answered(stream: &mut (impl AsyncRead + Unpin), body: &str) -> String {
    let mut seen = Vec::new();
    while !seen.ends_with(body.as_bytes()) {
        assert_ne!(stream.read_buf(&mut seen).await.unwrap(), 0, "closed after {:?}", String::from_utf8_lossy(&seen));
    }
    String::from_utf8(seen).unwrap()
}

/// Nothing more comes. A TLS stream that ends without saying so is an error of its own.
async fn closed(stream: &mut (impl AsyncRead + Unpin)) {
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    assert!(rest.is_empty(), "{:?}", String::from_utf8_lossy(&rest));
}

/// What shakes hands for localhost, and a client that trusts it.
fn tls() -> (Acceptor, TlsConnector) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let provider = aws_lc_rs::default_provider();
    let key = PrivateKeyDer::try_from(made.key_pair.serialize_der()).unwrap();
    let pair = CertifiedKey::from_der(vec![made.cert.der().clone()], key, &provider).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let client = ClientConfig::builder_with_provider(Arc::new(provider)).with_safe_default_protocol_versions().unwrap();
    let client = client.with_root_certificates(roots).with_no_client_auth();
    (Acceptor::new(Arc::new(SingleCertAndKey::from(pair))).unwrap(), TlsConnector::from(Arc::new(client)))
}

#[tokio::test(start_paused = true)]
async fn a_head_that_does_not_arrive_is_waited_for_thirty_seconds() {
    let slow = Slow::new(None);
    for sent in ["", "GET /quick HTTP/1.1\r\nHost: x\r\n"] {
        let (begun, mut client) = (Instant::now(), slow.in_memory());
        client.write_all(sent.as_bytes()).await.unwrap();
        closed(&mut client).await;
        assert_eq!(begun.elapsed().as_secs(), 30, "{sent:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_that_drips_is_not_waited_for_longer() {
    let slow = Slow::new(None);
    let (begun, client) = (Instant::now(), slow.in_memory());
    let (mut reading, mut writing) = tokio::io::split(client);
    slow.tasks.spawn(async move {
        let mut drops = tokio::time::interval(Duration::from_secs(5));
        while writing.write_all(b"G").await.is_ok() {
            drops.tick().await;
        }
    });
    closed(&mut reading).await;
    assert_eq!(begun.elapsed().as_secs(), 30);
}

#[tokio::test(start_paused = true)]
async fn a_connection_may_idle_for_thirty_seconds_between_requests() {
    let slow = Slow::new(None);
    let mut client = slow.in_memory();
    for _ in 0..3 {
        ask(&mut client, "/quick").await;
        answered(&mut client, "quick").await;
        tokio::time::advance(Duration::from_secs(29)).await;
    }
    ask(&mut client, "/quick").await;
    answered(&mut client, "quick").await;
    let idle = Instant::now();
    closed(&mut client).await;
    assert_eq!(idle.elapsed().as_secs(), 30);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_stops_reading_its_answer_is_cut_off_after_ten_seconds() {
    let slow = Slow::new(None);
    let (begun, (mut client, served)) = (Instant::now(), slow.watched());
    ask(&mut client, "/large").await;
    tokio::time::timeout(Duration::from_secs(60), served).await.expect("it waits for ever").unwrap();
    assert_eq!(begun.elapsed().as_secs(), 10);
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).await.unwrap();
    assert!(rest.len() < LARGE);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_slowly_gets_all_of_its_answer() {
    let slow = Slow::new(None);
    let mut client = slow.in_memory();
    ask(&mut client, "/large").await;
    let mut seen = vec![0; LARGE];
    for part in seen.chunks_mut(64 * 1024) {
        tokio::time::advance(Duration::from_secs(9)).await;
        client.read_exact(part).await.unwrap();
    }
    answered(&mut client, ".").await;
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_does_not_come_is_waited_for_ten_seconds() {
    let slow = Slow::new(None);
    for sent in ["", "\u{16}\u{3}\u{1}"] {
        let (mut client, server) = duplex(1024);
        client.write_all(sent.as_bytes()).await.unwrap();
        let begun = Instant::now();
        assert!(slow.connections.shake_hands(&tls().0, server).await.is_none());
        assert_eq!(begun.elapsed().as_secs(), 10, "{sent:?}");
    }
}

/// What every kind of connection sees of the server's end.
async fn ends<S: AsyncRead + AsyncWrite + Unpin>(slow: Slow, mut open: impl AsyncFnMut(TcpStream) -> S) {
    let (address, server) = slow.listen().await;
    let mut connect = async || open(TcpStream::connect(address).await.unwrap()).await;
    let (mut fresh, mut idle, mut busy) = (connect().await, connect().await, connect().await);
    ask(&mut idle, "/quick").await;
    assert!(!answered(&mut idle, "quick").await.contains("connection: close"));
    ask(&mut busy, "/slow").await;
    slow.entered.notified().await;

    slow.connections.stop.cancel();
    // Idle connections end at once; nobody is let in any more; the open request is answered, and its connection ends.
    closed(&mut idle).await;
    closed(&mut fresh).await;
    assert!(!server.is_finished());
    slow.go.notify_one();
    let answer = answered(&mut busy, "slow").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.contains("connection: close"), "{answer}");
    closed(&mut busy).await;
    server.await.unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn open_connections_are_counted_until_they_end() {
    let mut slow = Slow::new(None);
    let open = Arc::new(AtomicU64::new(0));
    slow.connections.sockets.open = Gauge::from_arc(Arc::clone(&open));
    let count = || f64::from_bits(open.load(Ordering::SeqCst));
    let (address, served) = slow.listen().await;
    let mut clients = Vec::new();
    for expected in [1.0, 2.0] {
        let mut client = TcpStream::connect(address).await.unwrap();
        ask(&mut client, "/quick").await;
        client.read_exact(&mut [0; 12]).await.unwrap();
        clients.push(client);
        assert_eq!(count(), expected);
    }
    slow.connections.stop.cancel();
    served.await.unwrap();
    assert_eq!(count(), 0.0);
}

#[tokio::test]
async fn at_the_end_open_requests_are_answered_and_idle_connections_closed() {
    ends(Slow::new(None), async |stream| stream).await;
}

#[tokio::test]
async fn at_the_end_encrypted_connections_are_closed_in_the_same_way() {
    let (acceptor, connector) = tls();
    let name = ServerName::try_from("localhost").unwrap();
    ends(Slow::new(Some(acceptor)), async |stream| connector.connect(name.clone(), stream).await.unwrap()).await;
}

#[tokio::test]
async fn a_client_that_does_not_shake_hands_holds_nobody_up() {
    let (acceptor, connector) = tls();
    let slow = Slow::new(Some(acceptor));
    let (address, server) = slow.listen().await;
    let mut silent = TcpStream::connect(address).await.unwrap();
    let mut plain = TcpStream::connect(address).await.unwrap();
    ask(&mut plain, "/quick").await;
    let mut good = connector.connect(ServerName::try_from("localhost").unwrap(), TcpStream::connect(address).await.unwrap()).await.unwrap();
    ask(&mut good, "/quick").await;
    answered(&mut good, "quick").await;
    slow.connections.stop.cancel();
    closed(&mut silent).await;
    server.await.unwrap();
}

#[tokio::test]
async fn a_request_that_does_not_end_is_cut_off() {
    let mut slow = Slow::new(None);
    slow.connections.limits.end = Duration::from_millis(1);
    let (address, server) = slow.listen().await;
    let mut client = TcpStream::connect(address).await.unwrap();
    ask(&mut client, "/slow").await;
    slow.entered.notified().await;
    slow.connections.stop.cancel();
    server.await.unwrap();
    slow.tasks.shutdown().await;
    closed(&mut client).await;
}
