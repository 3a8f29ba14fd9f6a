//! https by files, as an operator sets it up, and the link of the first run.

use parlance_testkit::{Database, both_databases};
use rcgen::generate_simple_self_signed;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::https::Https;
use crate::process::Place;

/// A folder with a certificate for localhost and its key, and a client that trusts it.
struct Pair {
    folder: tempfile::TempDir,
    client: Https,
}

impl Pair {
    fn new() -> Self {
        let made = generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("chain.pem"), made.cert.pem()).unwrap();
        std::fs::write(folder.path().join("key.pem"), made.key_pair.serialize_pem()).unwrap();
        Self { folder, client: Https::trusting(&made.cert.pem()) }
    }

    fn file(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn args(&self) -> [String; 6] {
        ["--listen", "127.0.0.1:0", "--tls-cert", &self.file("chain.pem"), "--tls-key", &self.file("key.pem")].map(ToOwned::to_owned)
    }
}

/// One plain request; the whole answer.
async fn plainly(port: u16, request: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn a_certificate_and_its_key_make_it_https() {
    let (place, pair) = (Place::new(Database::Sqlite).await, Pair::new());
    // A port that is free now; the server says only where it serves https.
    let redirect = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let redirect_to = redirect.to_string();
    let args = pair.args();
    let mut args: Vec<&str> = args.iter().map(String::as_str).collect();
    args.extend(["--redirect-http", &redirect_to]);
    let mut server = place.serve_with(&args, &[]).await;
    let link = server.says("/setup?token=").await;
    let (_, path) = link.split_once(&format!("https://127.0.0.1:{}", server.port)).unwrap();
    let form = pair.client.get("localhost", server.port, path).await.unwrap();
    assert!(form.starts_with("HTTP/1.1 200 OK") && form.contains("Set up your organisation"), "{form}");

    let other = Https::trusting(&generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap().cert.pem());
    assert!(other.get("localhost", server.port, "/health").await.is_err(), "a client that does not trust it");
    let sent_on = plainly(redirect.port(), "GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    let location = format!("location: https://127.0.0.1:{}/health\r\n", server.port);
    assert!(sent_on.starts_with("HTTP/1.1 308 ") && sent_on.contains(&location), "{sent_on}");

    // An idle connection and one in the middle of its handshake do not hold up the end.
    let _idle = pair.client.connect("localhost", server.port).await.unwrap();
    let _silent = TcpStream::connect(("127.0.0.1", server.port)).await.unwrap();
    assert!(server.terminate().await.success());
}

#[tokio::test]
async fn files_that_do_not_fit_are_refused_at_the_start() {
    let (place, pair, other) = (Place::new(Database::Sqlite).await, Pair::new(), Pair::new());
    let (chain, key, other_key, none) = (pair.file("chain.pem"), pair.file("key.pem"), other.file("key.pem"), pair.file("none.pem"));
    let run = |args: &[&str]| place.run(&[&["serve", "--listen", "127.0.0.1:0"][..], args].concat());
    for (args, why) in [
        (["--tls-cert", &chain, "--tls-key", &other_key], "is not that of the first certificate"),
        (["--tls-cert", &none, "--tls-key", &key], "none.pem cannot be read"),
        (["--acme", "*.example.com", "--acme-contact", "ann@example.com"], "without a wildcard"),
        (["--acme", "chat.example.com", "--acme-contact", "ann"], "mailto:"),
        (["--redirect-http", "127.0.0.1:0", "--public-url", "https://chat.example.com"], "Needs --tls-cert"),
    ] {
        let ended = run(&args);
        assert_eq!(ended.status.code(), Some(1), "{args:?}");
        assert!(ended.stderr.contains(why), "{args:?}: {}", ended.stderr);
    }
    for args in [&["--tls-cert", &chain][..], &["--tls-key", &key], &["--acme-contact", "a@example.com"]] {
        assert_eq!(run(args).status.code(), Some(2), "{args:?}");
    }
    assert_eq!(run(&["--tls-cert", &chain, "--tls-key", &key, "--acme", "chat.example.com"]).status.code(), Some(2));
}

both_databases! {
    async fn the_link_is_the_same_after_a_restart_and_printed_no_more_once_there_is_an_org(database) {
        let place = Place::new(database).await;
        let mut links = Vec::new();
        for _ in 0..2 {
            let mut server = place.serve(0, "https://chat.example.com").await;
            let line = server.says("/setup?token=").await;
            links.push(line.split_once("https://chat.example.com/setup?token=").unwrap().1.to_owned());
            assert!(server.terminate().await.success());
        }
        assert_eq!(links[0], links[1]);
        assert!(links[0].len() >= 43, "{links:?}");

        place.ok(&["org", "create", "Acme", "--slug", "acme"]);
        let server = place.serve(0, "https://chat.example.com").await;
        let answer = plainly(server.port, &format!("GET /setup?token={} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", links[0])).await;
        assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
        server.signal();
        let said = server.rest().await;
        assert!(!said.iter().any(|line| line.contains("token=")), "{said:?}");
    }
}
