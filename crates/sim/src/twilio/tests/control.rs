//! The simulator's own HTTP under `/sim/`.

use super::*;

async fn send(bench: &Bench, method: Method, path: &str, body: &'static str) -> (u16, Value) {
    let mut request = bench.request(method, path);
    request.headers.insert("content-type", "application/json".parse().unwrap());
    request.body = Bytes::from_static(body.as_bytes());
    let response = bench.execute(request).await.unwrap();
    (response.status.as_u16(), serde_json::from_slice(&response.body).unwrap_or(Value::Null))
}

#[tokio::test]
async fn a_customer_writes_over_http() {
    let mut bench = Bench::start().await;
    let body = r#"{"from":"+15559876543","to":"+15551234567","body":"Hi","media":[{"content_type":"text/plain","base64":"SGk="}]}"#;
    let (status, report) = send(&bench, Method::POST, "sim/inbound", body).await;
    assert_eq!((status, &report["deliveries"][0]["outcome"]["status"]), (200, &200.into()));
    assert_eq!(bench.hook().await.field("NumMedia"), "1");
    let (_, list) = send(&bench, Method::GET, "sim/messages", "").await;
    assert_eq!((&list["messages"][0]["sid"], &list["messages"][0]["status"]), (&report["message_sid"], &"received".into()));
    let (_, list) = send(&bench, Method::GET, "sim/deliveries?limit=5", "").await;
    assert_eq!(list["deliveries"][0]["form"]["Body"], "Hi");
    let nobody = r#"{"from":"+15559876543","to":"+15550000000","body":"Hi"}"#;
    assert_eq!(send(&bench, Method::POST, "sim/inbound", nobody).await.0, 404);
}

#[tokio::test]
async fn faults_are_added_listed_and_cleared_over_http() {
    let bench = Bench::start().await;
    let (status, _) = send(&bench, Method::POST, "sim/faults", r#"{"kind":"refuse","status":503,"code":20503,"times":2}"#).await;
    assert_eq!(status, 201);
    assert_eq!(bench.create_text().await.unwrap().status, 503);
    let (_, list) = send(&bench, Method::GET, "sim/faults", "").await;
    assert_eq!((&list["faults"][0]["kind"], &list["faults"][0]["times"]), (&"refuse".into(), &1.into()));
    assert_eq!(send(&bench, Method::DELETE, "sim/faults", "").await.0, 204);
    assert_eq!(bench.create_text().await.unwrap().status, 201);
    assert_eq!(send(&bench, Method::POST, "sim/faults", r#"{"kind":"earthquake"}"#).await.0, 422);
}
