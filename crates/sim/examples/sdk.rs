//! tmp
use parlance_sim::customers::*;
use parlance_sim::twilio::*;
use std::sync::Arc;
#[tokio::main]
async fn main() {
    let l = tokio::net::TcpListener::bind("127.0.0.1:18499").await.unwrap();
    let config = Config {
        accounts: vec![AccountConfig {
            phone_numbers: vec!["+15551234567".into()],
            messaging_service_sid: Some("MG00000000000000000000000000000001".into()),
            inbound_url: Some("http://127.0.0.1:18498/in".parse().unwrap()),
            ..AccountConfig::new("AC00000000000000000000000000000001", "0123456789abcdef0123456789abcdef")
        }],
        ..Config::default()
    };
    let sim = Sim::start(config, l, Arc::new(parlance_model::clock::SystemClock), Arc::new(parlance_model::entropy::SystemEntropy))
        .await
        .unwrap();
    let _c = Customers::start(&sim, "AC00000000000000000000000000000001", "+15551234567", Pace { interval_ms: 2000, ..Pace::default() });
    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
}
