//! The client against real sockets on the loopback interface, and names from a table.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::header::{AUTHORIZATION, LOCATION};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

use crate::names::{LookUp, LookingUp};
use crate::{Client, Failure, Policy, Request, Response};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";

/// A table of names; a name without addresses is looked up forever.
struct Table(HashMap<&'static str, Vec<IpAddr>>);

impl LookUp for Table {
    fn addresses(&self, host: &str) -> LookingUp {
        match self.0.get(host).cloned() {
            Some(addresses) if addresses.is_empty() => Box::pin(std::future::pending()),
            Some(addresses) => Box::pin(std::future::ready(Ok(addresses))),
            None => Box::pin(std::future::ready(Err("no such name".into()))),
        }
    }
}

fn client() -> Client {
    Client::new(Policy::default()).unwrap()
}

fn client_with(policy: Policy, names: &[(&'static str, &[&str])]) -> Client {
    let table = names.iter().map(|(name, list)| (*name, list.iter().map(|address| address.parse().unwrap()).collect())).collect();
    Client::with_names(policy, Arc::new(Table(table)), Duration::from_millis(200)).unwrap()
}

fn request(url: &str) -> Request {
    Request::get(Url::parse(url).unwrap())
}

async fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// Reads one request whole.
async fn read_request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let mut buffer = [0; 4096];
        let read = stream.read(&mut buffer).await.unwrap();
        bytes.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let body_len = |head: &str| {
            let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
            length.unwrap_or(0)
        };
        match text.split_once("\r\n\r\n") {
            Some((head, body)) if body.len() >= body_len(head) => return text,
            _ => assert_ne!(read, 0, "the request ended early"),
        }
    }
}

/// Answers the next connection's request with these bytes and closes. Gives back the request.
async fn answer(listener: &TcpListener, bytes: &str) -> String {
    let (mut stream, _) = listener.accept().await.unwrap();
    let request = read_request(&mut stream).await;
    stream.write_all(bytes.as_bytes()).await.unwrap();
    request
}

async fn exchange(client: &Client, request: Request, listener: &TcpListener, bytes: &str) -> (Result<Response, Failure>, String) {
    tokio::join!(client.execute(request), answer(listener, bytes))
}

fn is_blocked(outcome: &Result<Response, Failure>) -> bool {
    matches!(outcome, Err(Failure::Blocked(why)) if why.contains("--allow-outbound"))
}

#[test]
fn a_client_needs_no_runtime_to_be_made() {
    client();
}

#[tokio::test]
async fn special_addresses_in_the_url_are_refused_in_every_spelling() {
    for host in [
        "127.0.0.1",
        "127.1",
        "0x7f.1",
        "0x7f000001",
        "2130706433",
        "0177.0.0.1",
        "127.0.0.1.",
        "%31%32%37.0.0.1",
        "１２７.0.0.1",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.0.1",
        "100.64.0.1",
        "169.254.169.254",
        "0.0.0.0",
        "0",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::127.0.0.1]",
        "[64:ff9b::127.0.0.1]",
        "[2002:7f00:1::]",
        "[fd00::1]",
        "[fe80::1]",
        "[ff02::1]",
        "[2001:db8::1]",
    ] {
        let outcome = client().execute(request(&format!("http://{host}/"))).await;
        assert!(is_blocked(&outcome), "{host}: {outcome:?}");
    }
}

#[tokio::test]
async fn only_http_and_https_are_spoken() {
    for url in ["ftp://example.com/", "file:///etc/passwd", "data:text/plain,hello"] {
        assert!(matches!(client().execute(request(url)).await, Err(Failure::Blocked(_))), "{url}");
    }
}

#[tokio::test]
async fn names_that_lead_to_private_addresses_are_refused() {
    let names: &[(_, &[&str])] = &[("inside.test", &["10.0.0.1", "::1"]), ("metadata.test", &["169.254.169.254"])];
    let client = client_with(Policy::default(), names);
    for url in ["http://inside.test/", "https://inside.test/", "http://metadata.test/latest"] {
        let outcome = client.execute(request(url)).await;
        assert!(is_blocked(&outcome), "{url}: {outcome:?}");
    }
    let outcome = client.execute(request("http://metadata.test/").trusted(true)).await;
    assert!(is_blocked(&outcome), "{outcome:?}");
}

#[tokio::test]
async fn the_systems_own_names_are_looked_at_too() {
    let (_listener, port) = listener().await;
    let outcome = client().execute(request(&format!("http://localhost:{port}/"))).await;
    assert!(is_blocked(&outcome), "{outcome:?}");
}

#[tokio::test]
async fn of_a_name_with_several_addresses_only_the_admitted_are_used() {
    let (_listener, port) = listener().await;
    let policy = Policy { allow: vec!["127.0.0.2/32".parse().unwrap()] };
    let client = client_with(policy, &[("mixed.test", &["127.0.0.1", "127.0.0.2"])]);
    // Only the refused address has a listener, so an answer would mean that it was asked.
    let outcome = client.execute(request(&format!("http://mixed.test:{port}/"))).await;
    assert!(matches!(outcome, Err(Failure::NotSent(_))), "{outcome:?}");
}

#[tokio::test]
async fn the_allow_list_opens_names() {
    let (listener, port) = listener().await;
    let policy = Policy { allow: vec!["127.0.0.1/32".parse().unwrap()] };
    let client = client_with(policy, &[("inside.test", &["127.0.0.1"])]);
    let (outcome, _) = exchange(&client, request(&format!("http://inside.test:{port}/")), &listener, OK).await;
    assert_eq!(outcome.unwrap().body, "hello");
}

#[tokio::test]
async fn the_allow_list_opens_literals() {
    let (listener, port) = listener().await;
    let client = Client::new(Policy { allow: vec!["127.0.0.0/8".parse().unwrap()] }).unwrap();
    let (outcome, _) = exchange(&client, request(&format!("http://127.0.0.1:{port}/")), &listener, OK).await;
    assert_eq!(outcome.unwrap().body, "hello");
}

#[tokio::test]
async fn trust_opens_literals_and_names_of_this_machine() {
    for host in ["127.0.0.1", "localhost"] {
        let (listener, port) = listener().await;
        let (outcome, _) = exchange(&client(), request(&format!("http://{host}:{port}/")).trusted(true), &listener, OK).await;
        assert_eq!(outcome.unwrap().body, "hello", "{host}");
    }
}

#[tokio::test]
async fn a_connection_left_by_a_trusted_request_does_not_carry_another() {
    let (listener, port) = listener().await;
    let client = client_with(Policy::default(), &[("inside.test", &["127.0.0.1"])]);
    let url = format!("http://inside.test:{port}/");
    let trusted = async {
        let first = client.execute(request(&url).trusted(true)).await;
        (first, client.execute(request(&url)).await)
    };
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_request(&mut stream).await;
        stream.write_all(OK.as_bytes()).await.unwrap();
        stream
    };
    let ((first, second), _open) = tokio::join!(trusted, server);
    assert_eq!(first.unwrap().status, 200);
    assert!(is_blocked(&second), "{second:?}");
}

#[tokio::test]
async fn a_request_is_sent_as_it_was_made() {
    let (listener, port) = listener().await;
    let url = Url::parse(&format!("http://127.0.0.1:{port}/a%20b?c=d")).unwrap();
    let made = Request::post(url).basic_auth("user", "pass:word").form([("To", "+15551234567"), ("Body", "hi & ü")]).trusted(true);
    assert!(made.headers[AUTHORIZATION].is_sensitive());
    let (outcome, sent) = exchange(&client(), made, &listener, OK).await;
    assert!(outcome.is_ok());
    assert!(sent.starts_with("POST /a%20b?c=d HTTP/1.1\r\n"), "{sent}");
    assert!(sent.contains("authorization: Basic dXNlcjpwYXNzOndvcmQ=\r\n"), "{sent}");
    assert!(sent.contains("content-type: application/x-www-form-urlencoded\r\n"), "{sent}");
    assert!(sent.ends_with("\r\n\r\nTo=%2B15551234567&Body=hi+%26+%C3%BC"), "{sent}");
}

#[tokio::test]
async fn a_redirect_is_an_answer() {
    let (listener, port) = listener().await;
    let redirect = format!("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:{port}/second\r\ncontent-length: 0\r\n\r\n");
    let (outcome, _) = exchange(&client(), request(&format!("http://127.0.0.1:{port}/")).trusted(true), &listener, &redirect).await;
    let answer = outcome.unwrap();
    assert_eq!(answer.status, 302);
    assert!(answer.headers.contains_key(LOCATION));
}

#[tokio::test]
async fn a_refused_connection_was_not_sent() {
    let (listener, port) = listener().await;
    drop(listener);
    let outcome = client().execute(request(&format!("http://127.0.0.1:{port}/")).trusted(true)).await;
    assert!(matches!(outcome, Err(Failure::NotSent(_))), "{outcome:?}");
}

#[tokio::test]
async fn a_name_that_does_not_exist_or_never_resolves_was_not_sent() {
    let client = client_with(Policy::default(), &[("slow.test", &[])]);
    for url in ["http://none.test/", "http://slow.test/"] {
        let outcome = client.execute(request(url)).await;
        assert!(matches!(outcome, Err(Failure::NotSent(_))), "{url}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_failed_tls_handshake_was_not_sent() {
    let (listener, port) = listener().await;
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"this is no TLS\r\n").await.unwrap();
    };
    let client = client();
    let sending = client.execute(request(&format!("https://127.0.0.1:{port}/")).trusted(true));
    let (outcome, ()) = tokio::join!(sending, server);
    assert!(matches!(outcome, Err(Failure::NotSent(_))), "{outcome:?}");
}

#[tokio::test]
async fn a_connection_that_breaks_after_the_request_is_lost() {
    for half in ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf", "no HTTP at all"] {
        let (listener, port) = listener().await;
        let (outcome, _) = exchange(&client(), request(&format!("http://127.0.0.1:{port}/")).trusted(true), &listener, half).await;
        assert!(matches!(outcome, Err(Failure::Lost(_))), "{half:?}: {outcome:?}");
    }
}

#[tokio::test]
async fn an_answer_that_never_comes_or_never_ends_is_lost() {
    for start in ["", "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"] {
        let (listener, port) = listener().await;
        let server = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            read_request(&mut stream).await;
            stream.write_all(start.as_bytes()).await.unwrap();
            stream
        };
        let client = client();
        let patience = Duration::from_millis(500);
        let sending = client.execute(request(&format!("http://127.0.0.1:{port}/")).trusted(true).timeout(patience));
        let (outcome, _open) = tokio::join!(sending, server);
        assert!(matches!(&outcome, Err(Failure::Lost(why)) if why.contains("time ran out")), "{start:?}: {outcome:?}");
    }
}

#[tokio::test]
async fn an_answer_over_the_limit_is_lost_announced_or_not() {
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n";
    for (bytes, limit, fits) in [(OK, 5, true), (OK, 4, false), (chunked, 6, true), (chunked, 5, false)] {
        let (listener, port) = listener().await;
        let limited = request(&format!("http://127.0.0.1:{port}/")).trusted(true).max_response_bytes(limit);
        let (outcome, _) = exchange(&client(), limited, &listener, bytes).await;
        assert_eq!(outcome.is_ok(), fits, "{limit}: {outcome:?}");
        assert!(fits || matches!(outcome, Err(Failure::Lost(_))));
    }
}

#[tokio::test]
async fn an_open_answer_comes_chunk_by_chunk_and_says_when_it_breaks() {
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n";
    for (bytes, whole) in [(format!("{chunked}0\r\n\r\n"), true), (chunked.to_owned(), false)] {
        let (listener, port) = listener().await;
        // The limit of bytes is of whole answers.
        let asked = request(&format!("http://127.0.0.1:{port}/")).trusted(true).max_response_bytes(1);
        let client = client();
        let (opened, _) = tokio::join!(client.open(asked, Duration::from_secs(10)), answer(&listener, &bytes));
        let (mut opened, mut read) = (opened.unwrap(), Vec::new());
        let end = loop {
            match opened.chunk().await {
                Ok(Some(chunk)) => read.extend_from_slice(&chunk),
                end => break end,
            }
        };
        assert_eq!((opened.status().as_u16(), &read[..]), (200, &b"abcdef"[..]));
        assert_eq!(matches!(end, Ok(None)), whole, "{end:?}");
        assert!(whole || matches!(end, Err(Failure::Lost(_))));
    }
}

#[tokio::test]
async fn an_open_answer_is_guarded_and_its_redirects_are_answers() {
    let (listener, port) = listener().await;
    let url = format!("http://127.0.0.1:{port}/");
    let client = client();
    let refused = client.open(request(&url), Duration::from_secs(10)).await;
    assert!(matches!(&refused, Err(Failure::Blocked(why)) if why.contains("--allow-outbound")), "{refused:?}");
    let redirect = format!("HTTP/1.1 307 Temporary Redirect\r\nlocation: {url}second\r\ncontent-length: 0\r\n\r\n");
    let (opened, _) = tokio::join!(client.open(request(&url).trusted(true), Duration::from_secs(10)), answer(&listener, &redirect));
    assert_eq!(opened.unwrap().status(), 307);
}

#[tokio::test]
async fn an_open_answer_that_stands_still_is_lost() {
    let half = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf";
    let (soon, late) = (Duration::from_millis(500), Duration::from_secs(60));
    for (start, pause, whole) in [("", soon, late), (half, soon, late), (half, late, soon)] {
        let (listener, port) = listener().await;
        let server = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            read_request(&mut stream).await;
            stream.write_all(start.as_bytes()).await.unwrap();
            stream
        };
        let client = client();
        let opening = client.open(request(&format!("http://127.0.0.1:{port}/")).trusted(true).timeout(pause), whole);
        let (opened, _open) = tokio::join!(opening, server);
        let lost = match opened {
            Ok(mut opened) => {
                assert_eq!(opened.chunk().await.unwrap().unwrap(), "half");
                opened.chunk().await.unwrap_err()
            }
            Err(lost) => lost,
        };
        assert!(matches!(&lost, Failure::Lost(why) if why.contains("time ran out")), "{lost:?}");
    }
}

#[tokio::test]
async fn no_failure_tells_secrets_of_the_url() {
    let (listener, port) = listener().await;
    let secret = |host: &str| request(&format!("http://user:hunter2@{host}:{port}/bot123:token?key=hunter3")).trusted(true);
    let (lost, _) = exchange(&client(), secret("127.0.0.1"), &listener, "").await;
    drop(listener);
    let client = client_with(Policy::default(), &[("inside.test", &["169.254.0.1"])]);
    let mut outcomes = vec![lost, client.execute(secret("169.254.0.1")).await, client.execute(secret("inside.test")).await];
    outcomes.push(client.execute(secret("127.0.0.1")).await);
    outcomes.push(client.execute(secret("none.test")).await);
    for outcome in outcomes {
        let why = outcome.unwrap_err().to_string();
        assert!(!why.contains("hunter") && !why.contains("token") && !why.contains("user"), "{why}");
        assert!(why.contains(&port.to_string()), "{why}");
    }
}
