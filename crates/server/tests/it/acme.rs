//! Automatic certificates from Pebble, a certificate authority for tests that others wrote (github.com/letsencrypt/pebble): it calls us
//! back for the proof, as a public one does.

use std::path::Path;
use std::process::Stdio;

use parlance_testkit::Database;
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::https::Https;
use crate::process::Place;

/// No domain of this kind exists, and Pebble's resolver says that it is here.
const DOMAIN: &str = "chat.parlance.example";

/// The authority and its resolver, ended when dropped.
struct Pebble {
    _authority: Child,
    _resolver: Child,
    directory: String,
    management: u16,
}

/// A port that nobody uses now.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Starts a program and waits until it says this.
async fn until_it_says(command: &mut Command, what: &str) -> Child {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    let mut child = command.spawn().expect("Pebble is missing (Debian, Ubuntu: apt-get install pebble)");
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    while let Some(line) = lines.next_line().await.unwrap() {
        if line.contains(what) {
            tokio::task::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return child;
        }
    }
    panic!("it ended without saying {what:?}");
}

/// Its own https, by an authority of ours, which is written to `root.pem`.
fn own_certificate(folder: &Path) -> String {
    let (authority, key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = params.self_signed(&authority).unwrap();
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let own = CertificateParams::new(names).unwrap().signed_by(&key, &root, &authority).unwrap();
    for (name, text) in [("root.pem", root.pem()), ("own.pem", own.pem()), ("own.key", key.serialize_pem())] {
        std::fs::write(folder.join(name), text).unwrap();
    }
    root.pem()
}

impl Pebble {
    /// Starts both; proofs are asked for at `proof_port`.
    async fn start(folder: &Path, proof_port: u16) -> Self {
        let [api, management, dns, control] = [(); 4].map(|()| free_port());
        let config = serde_json::json!({ "pebble": {
            "listenAddress": format!("127.0.0.1:{api}"),
            "managementListenAddress": format!("127.0.0.1:{management}"),
            "certificate": folder.join("own.pem"),
            "privateKey": folder.join("own.key"),
            "httpPort": free_port(),
            "tlsPort": proof_port,
            "ocspResponderURL": "",
            "externalAccountBindingRequired": false,
        }});
        std::fs::write(folder.join("config.json"), config.to_string()).unwrap();
        let dns_at = format!("127.0.0.1:{dns}");
        let mut resolver = Command::new("pebble-challtestsrv");
        resolver.args(["-defaultIPv4", "127.0.0.1", "-defaultIPv6", "", "-http01", "", "-https01", "", "-tlsalpn01", ""]);
        resolver.args(["-dns01", &dns_at, "-management", &format!("127.0.0.1:{control}")]);
        let resolver = until_it_says(&mut resolver, "Starting management server").await;
        let mut authority = Command::new("pebble");
        authority.args(["-strict", "-dnsserver", &dns_at, "-config"]).arg(folder.join("config.json"));
        // It refuses some nonces and sleeps before proofs to train clients; here only the first matters, and it is off too.
        authority.env("PEBBLE_VA_NOSLEEP", "1").env("PEBBLE_WFE_NONCEREJECT", "0");
        let authority = until_it_says(&mut authority, "ACME directory available at").await;
        for port in [api, management] {
            // It says so a moment before it listens.
            while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
                tokio::task::yield_now().await;
            }
        }
        Self { _authority: authority, _resolver: resolver, directory: format!("https://localhost:{api}/dir"), management }
    }
}

#[tokio::test]
async fn a_certificate_is_had_kept_and_served_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let api_root = own_certificate(folder.path());
    let port = free_port();
    let pebble = Pebble::start(folder.path(), port).await;
    let root = Https::trusting(&api_root).get("localhost", pebble.management, "/roots/0").await.unwrap();
    let client = Https::trusting(&root);

    let place = Place::new(Database::Sqlite).await;
    let listen = format!("127.0.0.1:{port}");
    let trusted = folder.path().join("root.pem").display().to_string();
    let directory = pebble.directory.clone();
    let args = ["--listen", &listen, "--acme", DOMAIN, "--acme-contact", "mailto:ann@example.com", "--acme-directory", &directory];
    let mut server = place.serve_with(&args, &[("SSL_CERT_FILE", &trusted)]).await;
    let link = server.says("/setup?token=").await;
    assert!(link.contains(&format!("https://{DOMAIN}/setup?token=")), "{link}");
    server.says("a new certificate is served").await;
    let answer = client.get(DOMAIN, port, "/health").await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(server.terminate().await.success());

    // What was had is kept: it is served again although the authority is away.
    drop(pebble);
    let mut server = place.serve_with(&args, &[("SSL_CERT_FILE", &trusted)]).await;
    server.says("the kept certificate is served").await;
    let answer = client.get(DOMAIN, port, "/health").await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(server.terminate().await.success());
}
