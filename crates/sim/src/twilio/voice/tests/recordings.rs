//! Recordings in the REST API, and the way to their sound.

use super::*;
use parlance_net::Response;

fn path(rest: &str) -> String {
    format!("2010-04-01/Accounts/{ACCOUNT}/{rest}")
}

/// A bench with one recording of four seconds.
async fn recorded() -> (Bench, SimCall) {
    let bench = bench().await;
    bench.twiml("/voice", "<Record action='/end' transcribe='false'/>");
    bench.twiml("/end", "<Hangup/>");
    let says = Some("My chain came off, can you call me back today?".to_owned());
    let call = bench.ring(InboundCall { says, ..customer() }).await.calls.remove(0);
    (bench, call)
}

async fn fetch(bench: &Bench, url: &str) -> Response {
    bench.execute(bench.request(Method::GET, url).basic_auth(ACCOUNT, TOKEN)).await.unwrap()
}

#[tokio::test]
async fn recordings_are_listed_fetched_and_deleted() {
    let (bench, call) = recorded().await;
    let sid = &call.recordings[0];
    let (_, list) = bench.get(&path("Recordings.json")).await;
    check(&list, "ListRecordingResponse");
    assert_eq!((&list["recordings"][0]["sid"], &list["recordings"][0]["duration"]), (&sid.as_str().into(), &"4".into()));
    let (_, list) = bench.get(&path(&format!("Calls/{}/Recordings.json", call.sid))).await;
    check(&list, "ListCallRecordingResponse");
    assert_eq!(list["recordings"].as_array().unwrap().len(), 1);
    assert_eq!(bench.get(&path("Recordings.json?CallSid=CA0")).await.1["recordings"], Value::Array(Vec::new()));
    let uri = path(&format!("Recordings/{sid}.json"));
    let (_, recording) = bench.get(&uri).await;
    check(&recording, "api.v2010.account.recording");
    assert_eq!((&recording["source"], &recording["status"]), (&"RecordVerb".into(), &"completed".into()));
    assert_eq!(bench.call(Method::DELETE, &uri, &[]).await.0, 204);
    assert_eq!((bench.get(&uri).await.0, bench.call(Method::DELETE, &uri, &[]).await.0), (404, 404));
}

#[tokio::test]
async fn sound_lies_behind_credentials_and_a_redirect() {
    let (bench, call) = recorded().await;
    let url = path(&format!("Recordings/{}", call.recordings[0]));
    for (end, content_type, begins) in
        [("", "audio/x-wav", &b"RIFF"[..]), (".wav", "audio/x-wav", b"RIFF"), (".mp3", "audio/mpeg", b"\xFF\xFB")]
    {
        let url = format!("{url}{end}");
        assert_eq!(bench.execute(bench.request(Method::GET, &url)).await.unwrap().status, 401);
        let response = fetch(&bench, &url).await;
        assert_eq!(response.status, 307);
        let link = response.headers["location"].to_str().unwrap();
        let file = bench.execute(bench.request(Method::GET, link)).await.unwrap();
        assert_eq!((file.headers["content-type"].to_str().unwrap(), file.body.starts_with(begins)), (content_type, true));
        assert!(bench.sim.leaks().is_empty());
    }
    let link = fetch(&bench, &url).await.headers["location"].to_str().unwrap().to_owned();
    assert_eq!(fetch(&bench, &link).await.status, 400);
    assert_eq!(bench.sim.leaks().len(), 1);
    assert_eq!(fetch(&bench, &format!("{url}.ogg")).await.status, 404);
}

#[tokio::test]
async fn sound_may_be_late_and_its_redirect_may_lead_astray() {
    let (bench, call) = recorded().await;
    let url = path(&format!("Recordings/{}.mp3", call.recordings[0]));
    bench.sim.fault(Fault::new(FaultKind::RecordingLate).for_number(CUSTOMER).times(1));
    assert_eq!(fetch(&bench, &url).await.status, 404);
    bench.sim.fault(Fault::new(FaultKind::MediaRedirect { url: "http://10.0.0.1/".to_owned() }).times(1));
    assert_eq!(fetch(&bench, &url).await.headers["location"], "http://10.0.0.1/");
    let link = fetch(&bench, &url).await.headers["location"].to_str().unwrap().to_owned();
    bench.fault(FaultKind::MediaGone { status: 404 });
    assert_eq!(bench.execute(bench.request(Method::GET, &link)).await.unwrap().status, 404);
}
