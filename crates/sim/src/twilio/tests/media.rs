//! Files of messages: the way to the bytes over two origins, and what may go wrong on it.

use http::header;

use super::*;
use crate::twilio::{Inbound, InboundMedia, MediaContent};

/// The link to a picture that a customer sent.
async fn picture(bench: &mut Bench) -> String {
    let media = vec![InboundMedia { content_type: "image/png".to_owned(), content: MediaContent::Bytes(Bytes::from_static(b"png")) }];
    bench.sim.inbound(Inbound { media, ..Inbound::text(CUSTOMER, NUMBER, "") }).await;
    bench.hook().await.field("MediaUrl0").to_owned()
}

async fn fetch(bench: &Bench, url: &str) -> Response {
    bench.execute(bench.request(Method::GET, url).basic_auth(ACCOUNT, TOKEN)).await.unwrap()
}

fn location(response: &Response) -> Url {
    assert_eq!(response.status, 307);
    Url::parse(response.headers["location"].to_str().unwrap()).unwrap()
}

#[tokio::test]
async fn a_file_lies_behind_credentials_and_a_redirect() {
    let mut bench = Bench::start().await;
    let media = vec![
        InboundMedia { content_type: "image/png".to_owned(), content: MediaContent::Bytes(Bytes::from_static(b"png")) },
        InboundMedia { content_type: "audio/amr".to_owned(), content: MediaContent::Url("https://a.example/1.amr".to_owned()) },
    ];
    bench.sim.inbound(Inbound { media, ..Inbound::text(CUSTOMER, NUMBER, "") }).await;
    let hook = bench.hook().await;
    assert!(hook.field("MessageSid").starts_with("MM"));
    assert_eq!(
        (hook.field("NumMedia"), hook.field("MediaContentType0"), hook.field("MediaUrl1")),
        ("2", "image/png", "https://a.example/1.amr")
    );

    let url = hook.field("MediaUrl0");
    assert_eq!(bench.execute(bench.request(Method::GET, url)).await.unwrap().status, 401);
    let response = bench.execute(bench.request(Method::GET, url).basic_auth(ACCOUNT, TOKEN)).await.unwrap();
    assert_eq!(response.status, 307);
    let file = bench.execute(bench.request(Method::GET, response.headers["location"].to_str().unwrap())).await.unwrap();
    assert_eq!((&file.body[..], &file.headers["content-type"]), (&b"png"[..], &"image/png".parse().unwrap()));

    let (status, list) = bench.get(&format!("2010-04-01/Accounts/{ACCOUNT}/Messages/{}/Media.json", hook.field("MessageSid"))).await;
    assert_eq!(status, 200);
    schema::check(&list, "ListMediaResponse");
    let (status, media) = bench.get(list["media_list"][0]["uri"].as_str().unwrap()).await;
    assert_eq!((status, &media["content_type"]), (200, &"image/png".into()));
}

#[tokio::test]
async fn credentials_that_follow_a_redirect_are_refused_and_noted() {
    let mut bench = Bench::start().await;
    let url = picture(&mut bench).await;
    let link = location(&fetch(&bench, &url).await);
    assert_ne!(link.origin(), bench.sim.base_url().origin());
    assert!(bench.sim.leaks().is_empty());

    assert_eq!(fetch(&bench, link.as_str()).await.status, 400);
    let mut request = bench.request(Method::GET, link.join("/elsewhere").unwrap().as_str());
    request.headers.insert(header::COOKIE, "session=1".parse().unwrap());
    assert_eq!(bench.execute(request).await.unwrap().status, 400);
    assert_eq!(bench.sim.leaks(), [link.path(), "/elsewhere"]);
    let list = bench.execute(bench.request(Method::GET, "sim/leaks")).await.unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&list.body).unwrap()["leaks"][0], link.path());

    assert_eq!(bench.execute(bench.request(Method::GET, link.as_str())).await.unwrap().status, 200);
    assert_eq!(bench.sim.leaks().len(), 2);
}

#[tokio::test]
async fn a_file_may_be_late() {
    let mut bench = Bench::start().await;
    let url = picture(&mut bench).await;
    bench.sim.fault(Fault::new(FaultKind::MediaLate).for_number(CUSTOMER).times(2));
    for _ in 0..2 {
        let response = fetch(&bench, &url).await;
        assert_eq!(response.status, 404);
        assert_eq!(serde_json::from_slice::<Value>(&response.body).unwrap()["code"], 20404);
    }
    assert_eq!(fetch(&bench, &url).await.status, 307);
}

#[tokio::test]
async fn a_redirect_may_lead_astray() {
    let mut bench = Bench::start().await;
    let url = picture(&mut bench).await;
    bench.fault(FaultKind::MediaRedirect { url: "http://10.0.0.1/".to_owned() });
    assert_eq!(location(&fetch(&bench, &url).await).as_str(), "http://10.0.0.1/");
    assert_eq!(location(&fetch(&bench, &url).await).host_str(), Some("127.0.0.1"));
}

#[tokio::test]
async fn a_link_may_be_dead() {
    let mut bench = Bench::start().await;
    let url = picture(&mut bench).await;
    let link = location(&fetch(&bench, &url).await);
    bench.sim.fault(Fault::new(FaultKind::MediaGone { status: 403 }).for_number("+15550000000"));
    bench.fault(FaultKind::MediaGone { status: 403 });
    for status in [403, 200] {
        assert_eq!(bench.execute(bench.request(Method::GET, link.as_str())).await.unwrap().status, status);
    }
}

#[tokio::test]
async fn faults_of_files_wait_for_a_file() {
    let mut bench = Bench::start().await;
    bench.fault(FaultKind::MediaLate);
    assert_eq!(bench.create_text().await.unwrap().status, 201);
    let url = picture(&mut bench).await;
    bench.settled_hooks().await;
    assert_eq!(fetch(&bench, &url).await.status, 404);
}
