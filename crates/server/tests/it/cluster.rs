//! Two processes on one PostgreSQL, and clients that go away.

use futures::future::join_all;
use parlance_testkit::{Database, both_databases};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::client::{Api, NUMBER, SID, TOKEN};
use crate::process::Place;

pub(crate) const PUBLIC_URL: &str = "https://chat.example.com";

/// An org with an account whose provider is nowhere: sends stay pending.
pub(crate) fn set_up(place: &Place) -> String {
    place.ok(&["org", "create", "Acme", "--slug", "acme"]);
    let account = ["account", "create", "--org", "acme", "twilio", "--account-sid", SID, "--auth-token", TOKEN, "--phone-number", NUMBER];
    place.ok(&[&account[..], &["--base-url", "http://127.0.0.1:9", "--messages-per-second", "0"]].concat());
    place.ok(&["key", "create", "--org", "acme", "--name", "ci"])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn first_messages_of_one_number_at_two_processes_make_one_conversation() {
    let place = Place::new(Database::Postgres).await;
    let key = set_up(&place);
    let (one, two) = (place.serve(0, PUBLIC_URL).await, place.serve(0, PUBLIC_URL).await);
    let nodes = [Api::new(&one.url(), &key), Api::new(&one.url(), &key).at(&two.url())];
    let sids: Vec<_> = (0..64).map(|number| format!("SM{number:032x}")).collect();
    // Every message at both nodes: 128 deliveries, 64 messages.
    let deliveries = sids.iter().flat_map(|sid| nodes.iter().map(move |node| node.inbound(PUBLIC_URL, sid, "+14152000001", sid)));
    for status in join_all(deliveries).await {
        assert_eq!(status.unwrap(), 200);
    }
    let conversations = nodes[1].all("/api/v1/conversations").await;
    assert_eq!(conversations.len(), 1);
    let path = format!("/api/v1/conversations/{}/messages", conversations[0]["id"]);
    let mut bodies: Vec<_> = nodes[0].all(&path).await.iter().map(|message| message["body"].as_str().unwrap().to_owned()).collect();
    bodies.sort();
    assert_eq!(bodies, sids);
    assert!(place.ok(&["doctor", "--deep"]).ends_with("64 messages"));
}

both_databases! {
    async fn a_send_whose_client_went_away_is_made_once(database) {
        let place = Place::new(database).await;
        let key = set_up(&place);
        let server = place.serve(0, PUBLIC_URL).await;
        let api = Api::new(&server.url(), &key);
        let body = r#"{"phone":"+14152000001","message":"Once","channel":"sms"}"#;
        // Whoever goes before the server has read the request was never there; whoever goes later has sent. So: until one has.
        while api.all("/api/v1/conversations").await.is_empty() {
            // The request is written whole; then the client is gone before the answer.
            let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", server.port)).await.unwrap();
            let head = format!(
                "POST /api/v1/conversations/send HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\nIdempotency-Key: one\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        }
        let answer = loop {
            // 409 says that the first is still running, and to ask again.
            let body = serde_json::from_str(body).unwrap();
            let answer = api.call(http::Method::POST, "/api/v1/conversations/send", Some(body), &[("idempotency-key", "one")]).await.unwrap();
            if answer.status != 409 {
                break answer;
            }
        };
        assert_eq!(answer.status, 201, "{:?}", answer.body);
        let id = &answer.body["data"]["conversation"]["id"];
        assert_eq!(api.all(&format!("/api/v1/conversations/{id}/messages")).await.len(), 1);
    }
}

#[tokio::test]
async fn a_full_disk_is_said_with_503_and_nothing_acknowledged_is_lost() {
    let place = Place::new(Database::Sqlite).await;
    let key = set_up(&place);
    let server = place.serve_with_small_files(1024, PUBLIC_URL).await;
    let api = Api::new(&server.url(), &key);
    let (mut stored, mut refused) = (0, 0);
    for number in 0..2000 {
        match api.inbound(PUBLIC_URL, &format!("SM{number:032x}"), "+14152000001", &"x".repeat(1500)).await.unwrap() {
            200 => stored += 1,
            503 => refused += 1,
            other => panic!("{other}"),
        }
        if refused == 5 {
            break;
        }
    }
    assert_eq!(refused, 5, "the disk never filled");
    // Reading goes on, and the same server takes writes again once there is room: here, a server without the limit.
    assert_eq!(api.get("/api/v1/conversations").await["data"][0]["message_count"], stored);
    server.kill().await;
    let server = place.serve(0, PUBLIC_URL).await;
    let api = api.at(&server.url());
    assert_eq!(api.inbound(PUBLIC_URL, "SM0000000000000000000000000000ffff", "+14152000001", "room").await.unwrap(), 200);
    assert_eq!(api.get("/api/v1/conversations").await["data"][0]["message_count"], stored + 1);
    server.kill().await;
    assert!(place.ok(&["doctor", "--deep"]).starts_with("ok"));
}

#[tokio::test]
async fn a_slow_client_does_not_hold_up_the_end() {
    let place = Place::new(Database::Sqlite).await;
    let server = place.serve(0, PUBLIC_URL).await;
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", server.port)).await.unwrap();
    stream.write_all(b"POST /webhooks/twilio HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc").await.unwrap();
    assert!(server.terminate().await.success());
    let mut rest = Vec::new();
    // Cut off, one way or another.
    let _ = stream.read_to_end(&mut rest).await;
}
