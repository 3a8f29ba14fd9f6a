//! Phone calls played from end to end: the simulator carries our TwiML out over HTTP, and phones answer or do not.

use parlance_model::role::Role;
use parlance_sim::twilio::{Behaviour, CallReport, Fault, FaultKind, HookKind, InboundCall, Phone};
use parlance_store::doctor;
use parlance_testkit::{Database, both_databases};
use serde_json::{Value, json};

use crate::support::{CUSTOMER, Client, NUMBER, SID, TestApp, sid};

const FIRST: &str = "+14152000011";
const SECOND: &str = "+14152000012";

/// An organisation whose calls are played. Jobs run when the test says so.
struct Played {
    app: TestApp,
    ann: Client,
    /// Ann's id.
    ann_id: Value,
}

impl Played {
    /// Calls ring the first phone, which is nobody's, and then Ann's.
    async fn new(database: Database) -> Self {
        let app = TestApp::empty(database).await;
        let org = app.org("acme").await;
        app.account(&org, NUMBER).await;
        let ann = app.staff(&org, "ann", Role::Admin).await;
        let ann_id = ann.get("/api/v1/me").await.data()["user"]["id"].clone();
        let account = ann.get("/api/v1/accounts").await.data()[0].clone();
        let ring = json!([{ "phone": FIRST }, { "phone": SECOND, "user_id": ann_id }]);
        ann.put(&format!("/api/v1/accounts/{}", account["id"]), json!({ "voice": { "ring": ring } })).await.expect(200);
        let hook: url::Url = account["hook_url"].as_str().unwrap().parse().unwrap();
        app.sim.set_voice_urls(SID, hook.clone(), hook);
        Self { app, ann, ann_id }
    }

    fn phone(&self, number: &str, behaviour: Behaviour) {
        self.app.sim.phone(number, Phone::new(behaviour));
    }

    /// A customer calls, and everything that follows from it is done.
    async fn call(&self, call: InboundCall) -> CallReport {
        let report = self.app.sim.call(call).await;
        self.whole().await;
        report
    }

    /// Ann calls the customer, and everything that follows from it is done.
    async fn call_out(&self) -> Value {
        self.app.inbound(&sid(1), CUSTOMER, "Please call me").await;
        let about = self.ann.get("/api/v1/conversations").await.data()[0]["id"].clone();
        let path = format!("/api/v1/conversations/{about}/calls");
        self.ann.post_with(&path, &[("prefer", "respond-async")], json!({})).await.expect(201);
        self.app.app.run_jobs().await.unwrap();
        self.whole().await;
        self.message().await
    }

    /// Waits for the last callback, runs what is due, and finds nothing wrong.
    async fn whole(&self) {
        self.app.sim.settled().await;
        self.app.app.run_jobs().await.unwrap();
        assert_eq!(self.app.sim.twiml_errors(), []);
        assert_eq!(self.app.sim.leaks(), Vec::<String>::new());
        assert_eq!(doctor::check(self.app.app.store(), true).await.unwrap().findings, Vec::new());
    }

    /// The conversation of calls.
    async fn conversation(&self) -> Value {
        let listed = self.ann.get("/api/v1/conversations?channel=voice").await.data().as_array().unwrap().clone();
        let [only] = listed.try_into().unwrap();
        only
    }

    /// The only message in it.
    async fn message(&self) -> Value {
        let listed = self.ann.get(&format!("/api/v1/conversations/{}/messages", self.conversation().await["id"])).await;
        let [only] = listed.data().as_array().unwrap().clone().try_into().unwrap();
        only
    }

    /// The numbers that were called for it, in turn.
    fn called(&self) -> Vec<String> {
        self.app.sim.calls().into_iter().map(|call| call.to).collect()
    }
}

const fn answers(after_ms: u64, talks_ms: u64, presses: Option<String>) -> Behaviour {
    Behaviour::Answers { after_ms, talks_ms, presses }
}

fn key() -> Option<String> {
    Some("1".to_owned())
}

fn speaker(says: &str) -> InboundCall {
    InboundCall { says: Some(says.to_owned()), ..InboundCall::new(CUSTOMER, NUMBER) }
}

both_databases! {
    async fn the_second_phone_takes_the_call_when_the_first_is_busy(database) {
        let on = Played::new(database).await;
        on.phone(FIRST, Behaviour::Busy);
        on.phone(SECOND, answers(4000, 42_000, key()));
        let report = on.call(InboundCall::new(CUSTOMER, NUMBER)).await;
        assert_eq!(on.called(), [NUMBER, FIRST, SECOND]);
        assert_eq!(report.heard, Vec::<String>::new(), "the caller hears the ringing and then Ann");
        let message = on.message().await;
        let call = json!({ "status": "completed", "duration_seconds": 42, "answered_by": on.ann_id, "voicemail": false, "transcription": null, "recordings": [] });
        assert_eq!((&message["kind"], &message["call"], &message["call_duration_seconds"]), (&json!("call"), &call, &json!(42)));
        assert_eq!(on.conversation().await["last_message_preview"], "Incoming call, 0:42");
    }

    async fn a_caller_whom_nobody_answers_leaves_a_message_that_can_be_heard_and_read(database) {
        let on = Played::new(database).await;
        let report = on.call(speaker("This is Jane. Please call me back about the blue bicycle.")).await;
        assert_eq!(on.called(), [NUMBER, FIRST, SECOND]);
        assert!(report.heard[0].contains("leave a message"), "{:?}", report.heard);
        let hooks: Vec<_> = on.app.sim.deliveries().into_iter().map(|hook| hook.kind).collect();
        let ended = hooks.iter().rposition(|kind| *kind == HookKind::CallStatus).unwrap();
        assert_eq!(hooks[ended + 1..], [HookKind::Recording, HookKind::Transcription], "both come after the end");
        let message = on.message().await;
        assert_eq!(message["body"], "This is Jane. Please call me back about the blue bicycle.");
        let (call, seconds) = (&message["call"], &message["call_duration_seconds"]);
        assert_eq!((&call["status"], &call["voicemail"], &call["transcription"]), (&json!("voicemail"), &json!(true), &message["body"]));
        assert_eq!(call["recordings"], json!([{ "duration_seconds": seconds, "attachment": 0 }]));
        assert!(seconds.as_i64().is_some_and(|seconds| seconds > 0));
        assert_eq!(message["attachments"][0]["url"], message["recording_url"]);
        let path = message["recording_url"].as_str().unwrap().strip_prefix(&on.app.public_url).unwrap().to_owned();
        let heard = on.app.anonymous().get(&path).await.expect(200);
        assert_eq!((heard.header("content-type"), heard.body.len() as i64), ("audio/mpeg", message["attachments"][0]["size"].as_i64().unwrap()));
        assert_eq!(on.conversation().await["unread_count"], 1);
    }

    async fn the_mailbox_of_a_phone_takes_no_call(database) {
        let on = Played::new(database).await;
        for number in [FIRST, SECOND] {
            on.phone(number, Behaviour::Voicemail { after_ms: 10_000, talks_ms: 60_000 });
        }
        on.call(speaker("Hello, is anybody there?")).await;
        let message = on.message().await;
        assert_eq!((&message["call"]["status"], &message["call"]["answered_by"]), (&json!("voicemail"), &Value::Null));
        assert_eq!(message["body"], "Hello, is anybody there?");
    }

    async fn somebody_who_answers_and_presses_nothing_has_not_taken_the_call(database) {
        let on = Played::new(database).await;
        on.phone(FIRST, answers(2000, 60_000, None));
        on.phone(SECOND, answers(2000, 7000, key()));
        on.call(InboundCall::new(CUSTOMER, NUMBER)).await;
        let message = on.message().await;
        assert_eq!((&message["call"]["answered_by"], &message["call_duration_seconds"]), (&on.ann_id, &json!(7)));
    }

    async fn a_hidden_caller_leaves_a_message_too(database) {
        let on = Played::new(database).await;
        on.call(InboundCall { from: "anonymous".to_owned(), ..speaker("You do not know me.") }).await;
        assert_eq!(on.message().await["body"], "You do not know me.");
        let about = on.conversation().await["id"].clone();
        on.ann.post(&format!("/api/v1/conversations/{about}/calls"), json!({})).await.expect_problem(422, "not_answerable");
    }

    async fn a_caller_who_hangs_up_while_it_rings_is_missed(database) {
        let on = Played::new(database).await;
        on.phone(FIRST, answers(10_000, 60_000, key()));
        on.call(InboundCall { hangs_up_after_ms: Some(4000), ..InboundCall::new(CUSTOMER, NUMBER) }).await;
        let (with, message) = (on.conversation().await, on.message().await);
        assert_eq!((&with["last_message_preview"], &with["unread_count"]), (&json!("Missed call"), &json!(1)));
        assert_eq!((&message["call"]["status"], &message["call_duration_seconds"]), (&json!("no_answer"), &Value::Null));
    }

    async fn a_caller_who_says_nothing_is_missed(database) {
        let on = Played::new(database).await;
        on.call(InboundCall::new(CUSTOMER, NUMBER)).await;
        let message = on.message().await;
        assert_eq!((&message["call"]["status"], &message["attachments"]), (&json!("no_answer"), &json!([])));
        assert_eq!(on.conversation().await["last_message_preview"], "Missed call");
    }

    async fn a_call_that_is_recorded_can_be_heard(database) {
        let on = Played::new(database).await;
        let account = format!("/api/v1/accounts/{}", on.ann.get("/api/v1/accounts").await.data()[0]["id"]);
        on.ann.put(&account, json!({ "voice": { "record": true } })).await.expect(200);
        on.phone(FIRST, answers(1000, 9000, key()));
        on.call(InboundCall::new(CUSTOMER, NUMBER)).await;
        let message = on.message().await;
        assert_eq!((&message["call"]["status"], &message["call"]["voicemail"]), (&json!("completed"), &json!(false)));
        assert_eq!(message["call"]["recordings"], json!([{ "duration_seconds": 9, "attachment": 0 }]));
        assert!(message["recording_url"].is_string());
    }

    async fn a_call_of_ours_connects_the_staff_with_the_contact(database) {
        let on = Played::new(database).await;
        on.phone(SECOND, answers(2000, 600_000, key()));
        on.phone(CUSTOMER, answers(3000, 42_000, None));
        let message = on.call_out().await;
        assert_eq!(on.called(), [SECOND, CUSTOMER], "Ann's own phone, and then the contact's");
        assert_eq!((&message["delivery_state"], &message["error_code"]), (&json!("delivered"), &Value::Null));
        assert_eq!((&message["call"]["status"], &message["call_duration_seconds"]), (&json!("completed"), &json!(42)));
        assert_eq!(on.conversation().await["last_message_preview"], "Outgoing call, 0:42");
    }

    async fn a_call_that_the_staff_does_not_answer_reaches_nobody(database) {
        let on = Played::new(database).await;
        on.phone(CUSTOMER, answers(3000, 42_000, None));
        let message = on.call_out().await;
        assert_eq!(on.called(), [SECOND]);
        assert_eq!((&message["delivery_state"], &message["error_code"]), (&json!("failed"), &json!("staff_no_answer")));
    }

    async fn a_call_to_a_contact_whose_line_is_in_use_says_so(database) {
        let on = Played::new(database).await;
        on.phone(SECOND, answers(2000, 600_000, key()));
        on.phone(CUSTOMER, Behaviour::Busy);
        let message = on.call_out().await;
        assert_eq!((&message["delivery_state"], &message["error_code"]), (&json!("failed"), &json!("contact_busy")));
        assert_eq!((&message["call"]["status"], &message["call_duration_seconds"]), (&json!("busy"), &Value::Null));
    }

    async fn a_call_whose_answer_was_lost_is_placed_once(database) {
        let on = Played::new(database).await;
        on.phone(SECOND, answers(2000, 600_000, key()));
        on.phone(CUSTOMER, answers(3000, 42_000, None));
        on.app.sim.fault(Fault::new(FaultKind::AcceptThenTimeout { hold_ms: 0 }).times(1));
        let message = on.call_out().await;
        assert_eq!(on.called(), [SECOND, CUSTOMER]);
        assert_eq!((&message["delivery_state"], &message["call_duration_seconds"]), (&json!("delivered"), &json!(42)));
    }

    async fn whoever_left_the_staff_is_not_rung(database) {
        let on = Played::new(database).await;
        let added = on.ann.post("/api/v1/staff", json!({ "email": "bo@acme.example.com", "name": "Bo", "role": "agent" })).await.expect(201);
        let bo = added.data()["id"].clone();
        let account = format!("/api/v1/accounts/{}", on.ann.get("/api/v1/accounts").await.data()[0]["id"]);
        let ring = json!([{ "phone": FIRST, "user_id": bo }, { "phone": SECOND, "user_id": on.ann_id }]);
        on.ann.put(&account, json!({ "voice": { "ring": ring } })).await.expect(200);
        on.ann.send("DELETE", &format!("/api/v1/staff/{bo}"), &[], "").await.expect(204);
        on.phone(FIRST, answers(1000, 9000, key()));
        on.phone(SECOND, answers(1000, 9000, key()));
        on.call(InboundCall::new(CUSTOMER, NUMBER)).await;
        assert_eq!(on.called(), [NUMBER, SECOND]);
        assert_eq!(on.message().await["call"]["answered_by"], on.ann_id);
    }
}
