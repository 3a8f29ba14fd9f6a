//! Files through the binary: what a provider is handed serves the bytes over HTTP, a killed upload is seen by nobody, a full disk is
//! said, and a bucket serves as well as a folder.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::response::IntoResponse as _;
use axum::routing::get;
use http::{HeaderMap, Method, StatusCode};
use parlance_model::clock::SystemClock;
use parlance_model::entropy::SystemEntropy;
use parlance_net::{Client, Policy, Request};
use parlance_sim::twilio::{AccountConfig, Config, Sim};
use parlance_testkit::{Database, both_databases};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use crate::client::{Answer, Api, NUMBER, SID, TOKEN};
use crate::process::Place;

const FORM: (&str, &str) = ("content-type", "multipart/form-data; boundary=x");

/// A form with this file.
fn form(content: &[u8]) -> Vec<u8> {
    [b"--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.pdf\"\r\n\r\n", content, b"\r\n--x--\r\n"].concat()
}

pub(crate) async fn upload(api: &Api, content: &[u8]) -> Answer {
    api.send(Method::POST, "/api/v1/media", form(content), &[FORM]).await.unwrap()
}

/// What a link leads to, without a key.
pub(crate) async fn fetch(link: &str) -> (u16, Bytes) {
    let request = Request::get(link.parse().unwrap()).trusted(true).max_response_bytes(64 << 20);
    let answer = Client::new(Policy::default()).unwrap().execute(request).await.unwrap();
    (answer.status.as_u16(), answer.body)
}

/// The bytes of a file, by the link that the server at this URL shows.
pub(crate) async fn content(api: &Api, url: &str, id: &Value) -> Bytes {
    let shown = api.call(Method::GET, &format!("/api/v1/media/{id}"), None, &[]).await.unwrap();
    let link = shown.body["data"]["url"].as_str().unwrap().to_owned();
    let (status, content) = fetch(&format!("{url}{}", &link[link.find("/media/").unwrap()..])).await;
    assert_eq!(status, 200, "{link}");
    content
}

async fn simulator() -> Sim {
    let account = AccountConfig { phone_numbers: vec![NUMBER.into()], ..AccountConfig::new(SID, TOKEN) };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    Sim::start(Config { accounts: vec![account], ..Config::default() }, listener, Arc::new(SystemClock), Arc::new(SystemEntropy))
        .await
        .unwrap()
}

fn set_up(place: &Place, sim: &Sim) -> String {
    place.ok(&["org", "create", "Acme", "--slug", "acme"]);
    let account = ["account", "create", "--org", "acme", "twilio", "--account-sid", SID, "--auth-token", TOKEN, "--phone-number", NUMBER];
    place.ok(&[&account[..], &["--base-url", sim.base_url().as_str(), "--messages-per-second", "0"]].concat());
    place.ok(&["key", "create", "--org", "acme", "--name", "ci"])
}

both_databases! {
    async fn what_the_provider_is_handed_serves_the_bytes(database) {
        let (place, sim) = (Place::new(database).await, simulator().await);
        let key = set_up(&place, &sim);
        // The links need the port, so it is found out first.
        let first = place.serve(0, "http://127.0.0.1:0").await;
        let (port, url) = (first.port, first.url());
        first.kill().await;
        let server = place.serve(port, &url).await;
        let api = Api::new(&url, &key);
        let content = [b"%PDF-1.7\n".to_vec(), vec![7; 3 << 20]].concat();
        let file = upload(&api, &content).await;
        assert_eq!(file.status, 201, "{:?}", file.body);
        let body = json!({ "phone": "+14152000001", "media_ids": [file.body["data"]["id"]] });
        let sent = api.call(Method::POST, "/api/v1/conversations/send", Some(body), &[]).await.unwrap();
        assert_eq!(sent.status, 201, "{:?}", sent.body);
        let handed = sim.messages()[0].clone();
        assert_eq!((handed.body.as_str(), handed.media.len()), ("", 1));
        let (status, served) = fetch(&handed.media[0].url).await;
        assert_eq!((status, served == content), (200, true));

        // Killed in the middle of an upload, and started again: nothing of it is seen, and what was there still is.
        let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let half = form(&content);
        let head = format!(
            "POST /api/v1/media HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Type: {}\r\nContent-Length: {}\r\n\r\n",
            FORM.1,
            half.len()
        );
        stream.write_all(&[head.as_bytes(), &half[..half.len() - 100]].concat()).await.unwrap();
        server.kill().await;
        let server = place.serve(port, &url).await;
        let (status, served) = fetch(&handed.media[0].url).await;
        assert_eq!((status, served == content), (200, true));
        let id = file.body["data"]["id"].as_i64().unwrap();
        for unseen in [id + 1, id + 2] {
            let body = json!({ "phone": "+14152000001", "media_ids": [unseen] });
            assert_eq!(api.call(Method::POST, "/api/v1/conversations/send", Some(body), &[]).await.unwrap().status, 404);
        }
        server.kill().await;
        assert!(place.ok(&["doctor", "--deep"]).starts_with("ok"));
    }
}

#[tokio::test]
async fn a_full_disk_is_said_and_leaves_no_file() {
    let (place, sim) = (Place::new(Database::Sqlite).await, simulator().await);
    let key = set_up(&place, &sim);
    let server = place.serve_with_small_files(1024, "https://chat.example.com").await;
    let api = Api::new(&server.url(), &key);
    let refused = upload(&api, &vec![7; 2 << 20]).await;
    assert_eq!((refused.status, &refused.body["code"]), (503, &json!("unavailable")));
    let small = upload(&api, b"%PDF small").await;
    assert_eq!(small.status, 201, "there is room for a smaller one: {:?}", small.body);
    assert_eq!(api.call(Method::GET, "/api/v1/media/1", None, &[]).await.unwrap().status, 404);
    server.kill().await;
}

/// What `ListObjectsV2` answers for this prefix.
fn listed(objects: &HashMap<String, Bytes>, bucket: &str, prefix: &str) -> String {
    let own = objects.iter().filter_map(|(path, content)| Some((path.strip_prefix(bucket)?.strip_prefix('/')?, content)));
    let contents = own.filter(|(key, _)| key.starts_with(prefix)).map(|(key, content)| {
        let size = content.len();
        format!(
            "<Contents><Key>{key}</Key><LastModified>2026-03-05T20:00:00.000Z</LastModified><ETag>1</ETag><Size>{size}</Size></Contents>"
        )
    });
    format!("<ListBucketResult><IsTruncated>false</IsTruncated>{}</ListBucketResult>", contents.collect::<String>())
}

/// As much of S3 as is asked of it here: objects by their path, whole or in part, written whole or in pieces, and listed.
async fn bucket() -> (String, Arc<Mutex<HashMap<String, Bytes>>>) {
    type Objects = Arc<Mutex<HashMap<String, Bytes>>>;
    async fn object(
        State(objects): State<Objects>,
        method: Method,
        Path(key): Path<String>,
        Query(query): Query<HashMap<String, String>>,
        headers: HeaderMap,
        body: Bytes,
    ) -> axum::response::Response {
        let signed = headers
            .get("authorization")
            .is_some_and(|value| value.to_str().unwrap().starts_with("AWS4-HMAC-SHA256 Credential=not-a-real-key-id/"));
        if !signed {
            return StatusCode::FORBIDDEN.into_response();
        }
        let etag = [("etag", "\"1\""), ("last-modified", "Thu, 05 Mar 2026 20:00:00 GMT")];
        let mut objects = objects.lock().unwrap();
        match method {
            Method::GET if query.contains_key("list-type") => listed(&objects, &key, &query["prefix"]).into_response(),
            Method::PUT => {
                objects.insert(key, body);
                (etag, "").into_response()
            }
            Method::DELETE => {
                objects.remove(&key);
                StatusCode::NO_CONTENT.into_response()
            }
            _ => match objects.get(&key).cloned() {
                None => StatusCode::NOT_FOUND.into_response(),
                Some(whole) => {
                    match headers.get("range").map(|range| range.to_str().unwrap().trim_start_matches("bytes=").split_once('-').unwrap()) {
                        None => (etag, whole).into_response(),
                        Some((from, to)) => {
                            let (from, to): (usize, usize) = (from.parse().unwrap(), to.parse().unwrap());
                            let range = [("content-range", format!("bytes {from}-{to}/{}", whole.len()))];
                            (StatusCode::PARTIAL_CONTENT, etag, range, whole.slice(from..=to)).into_response()
                        }
                    }
                }
            },
        }
    }
    let objects = Objects::default();
    let routes = Router::new().route("/{*key}", get(object).put(object).delete(object)).with_state(objects.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::task::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    (url, objects)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_serves_as_well_as_a_folder() {
    let (place, sim) = (Place::new(Database::Sqlite).await, simulator().await);
    let key = set_up(&place, &sim);
    let (endpoint, objects) = bucket().await;
    let environment = [
        ("PARLANCE_MEDIA_STORE", "s3://files/parlance/one"),
        ("AWS_ENDPOINT", endpoint.as_str()),
        ("AWS_ALLOW_HTTP", "true"),
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "not-a-real-key-id"),
        ("AWS_SECRET_ACCESS_KEY", "not-a-real-secret"),
    ];
    let first = place.serve_in(&environment, 0, "http://127.0.0.1:0").await;
    let (port, url) = (first.port, first.url());
    first.kill().await;
    let server = place.serve_in(&environment, port, &url).await;
    let api = Api::new(&url, &key);
    let file = upload(&api, b"%PDF in a bucket").await;
    assert_eq!(file.status, 201, "{:?}", file.body);
    let keys: Vec<_> = objects.lock().unwrap().keys().cloned().collect();
    assert!(keys.len() == 1 && keys[0].starts_with("files/parlance/one/1/"), "{keys:?}");
    let Value::String(link) = &file.body["data"]["url"] else { panic!("{:?}", file.body) };
    assert_eq!(fetch(link).await, (200, Bytes::from_static(b"%PDF in a bucket")));
    let doctor = || place.run_in(&environment, &["doctor", "--deep"], "");
    let said = doctor();
    assert!(said.status.success() && said.stdout.starts_with("ok: 1 organisations, 1 files"), "{} {}", said.stdout, said.stderr);
    objects.lock().unwrap().clear();
    assert_eq!(fetch(link).await.0, 404);
    let said = doctor();
    assert!(said.status.code() == Some(1) && said.stdout.contains("is missing"), "{} {}", said.stdout, said.stderr);
    server.kill().await;
}
