//! Calls over the simulator's own HTTP.

use super::*;

async fn send(bench: &Bench, method: Method, path: &str, body: &str) -> (u16, Value) {
    let mut request = bench.request(method, path);
    request.headers.insert("content-type", "application/json".parse().unwrap());
    request.body = body.to_owned().into();
    let response = bench.execute(request).await.unwrap();
    (response.status.as_u16(), serde_json::from_slice(&response.body).unwrap_or(Value::Null))
}

#[tokio::test]
async fn phones_are_set_and_a_customer_calls_over_http() {
    let bench = bench().await;
    bench.twiml("/voice", "<Say>One moment</Say><Dial>+15550000001</Dial>");
    let phone = r#"{"number":"+15550000001","behaviour":"answers","after_ms":100,"talks_ms":4000,"presses":"1"}"#;
    assert_eq!(send(&bench, Method::POST, "sim/phones", phone).await.0, 204);
    assert_eq!(send(&bench, Method::POST, "sim/phones", r#"{"number":"+15550000002","behaviour":"busy"}"#).await.0, 204);
    let (_, list) = send(&bench, Method::GET, "sim/phones", "").await;
    assert_eq!((&list["phones"][STAFF]["talks_ms"], &list["phones"][COLLEAGUE]["behaviour"]), (&4000.into(), &"busy".into()));

    let (status, report) = send(&bench, Method::POST, "sim/call", r#"{"from":"+15559876543","to":"+15551234567"}"#).await;
    assert_eq!((status, &report["heard"][0], &report["calls"][1]["status"]), (200, &"One moment".into(), &"completed".into()));
    assert_eq!(report["twiml_errors"], Value::Array(Vec::new()));
    let (_, list) = send(&bench, Method::GET, "sim/calls?limit=1", "").await;
    assert_eq!((&list["calls"][0]["direction"], &list["calls"][0]["duration_s"]), (&"outbound-dial".into(), &4.into()));
    assert_eq!(send(&bench, Method::POST, "sim/call", r#"{"from":"+1","to":"+15550009999"}"#).await.0, 404);
    bench.page("/voice", "text/plain", String::new());
    send(&bench, Method::POST, "sim/call", r#"{"from":"+15559876543","to":"+15551234567"}"#).await;
    assert_eq!(send(&bench, Method::GET, "sim/twiml-errors", "").await.1["twiml_errors"][0]["code"], 12300);
}
