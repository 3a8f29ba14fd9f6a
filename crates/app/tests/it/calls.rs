//! Phone calls: one message each, whatever the order and number of what is told of them.

use parlance_app::call::NewCall;
use parlance_app::ingest::HookRequest;
use parlance_app::send::Sent;
use parlance_model::account::{Account, Ring, Settings, Voice};
use parlance_model::call::CallStatus;
use parlance_model::conversation::Conversation;
use parlance_model::delivery::DeliveryState;
use parlance_model::id::{MessageId, UserId};
use parlance_model::job::Job;
use parlance_model::message::{Attachment, Message};
use parlance_model::role::Role;
use parlance_sim::twilio::{Fault, FaultKind};
use parlance_store::{OrgTx, account, job};
use parlance_testkit::both_databases;

use crate::fixture::{CUSTOMER, Fixture, NUMBER, SID, hook, inbound, sid};

const CALL: &str = "CA00000000000000000000000000000001";
const RECORDING: &str = "RE00000000000000000000000000000001";
const FIRST: &str = "+14152000011";
const SECOND: &str = "+14152000012";

/// Lets these phones ring when somebody calls. Answers the path of the account's own hook URL.
async fn rings(on: &Fixture, phones: &[&str]) -> String {
    rings_whose(on, &phones.iter().map(|phone| (*phone, None)).collect::<Vec<_>>()).await
}

/// The same for phones that are somebody's.
async fn rings_whose(on: &Fixture, phones: &[(&str, Option<UserId>)]) -> String {
    let ring = phones.iter().map(|(phone, user_id)| Ring { phone: serde_json::from_value((*phone).into()).unwrap(), user_id: *user_id });
    let voice = Voice { ring: ring.collect(), ..Voice::default() };
    let set = move |account: &mut Account| {
        let Settings::Twilio(twilio) = &mut account.settings;
        twilio.voice = voice.clone();
    };
    on.set_account(set).await;
    format!("/webhooks/twilio/a/{}", on.account().await.hook_token)
}

fn about(path: &str, call: &str, more: &[(&str, &str)]) -> HookRequest {
    let mut form = vec![("AccountSid", SID), ("CallSid", call)];
    form.extend_from_slice(more);
    hook(path, &form)
}

fn calling(call: &str, from: &str) -> HookRequest {
    about("/webhooks/twilio", call, &[("CallStatus", "ringing"), ("Direction", "inbound"), ("From", from), ("To", NUMBER)])
}

fn ended(call: &str) -> HookRequest {
    let form = [("CallStatus", "completed"), ("Direction", "inbound"), ("From", CUSTOMER), ("To", NUMBER), ("CallDuration", "125")];
    about("/webhooks/twilio", call, &form)
}

fn recorded(path: &str) -> HookRequest {
    let url = format!("https://api.twilio.com/2010-04-01/Accounts/{SID}/Recordings/{RECORDING}");
    let form = [("RecordingSid", RECORDING), ("RecordingUrl", &url), ("RecordingStatus", "completed"), ("RecordingDuration", "42")];
    about(path, CALL, &form)
}

fn transcribed(path: &str) -> HookRequest {
    about(path, CALL, &[("TranscriptionStatus", "completed"), ("TranscriptionText", "Please call me back"), ("RecordingSid", RECORDING)])
}

async fn taken(on: &Fixture, request: HookRequest) -> String {
    on.app.hook(request).await.unwrap().body.into_owned()
}

/// The only conversation, and the only message in it.
async fn only(on: &Fixture) -> (Conversation, Message) {
    let (conversation, messages) = on.only().await;
    let [message] = messages.try_into().unwrap_or_else(|found| panic!("one message: {found:?}"));
    (conversation, message)
}

async fn jobs(on: &Fixture) -> Vec<Job> {
    let claimed = on.app.store().system_write(|tx| job::claim(tx, 64, 1)).await.unwrap();
    claimed.into_iter().map(|claimed| claimed.job).collect()
}

async fn call(on: &Fixture, about: &Conversation, staff_phone: Option<&str>) -> parlance_model::Result<Sent> {
    let new = NewCall { conversation: about.id, staff_phone: staff_phone.map(Into::into), once: None };
    on.app.call(&on.who, new, false).await
}

both_databases! {
    async fn a_late_recording_updates_the_one_call_message(database) {
        let on = Fixture::new(database).await;
        let path = rings(&on, &[]).await;
        let twiml = taken(&on, calling(CALL, CUSTOMER)).await;
        assert!(twiml.contains("<Record ") && !twiml.contains("<Dial"), "{twiml}");
        taken(&on, ended(CALL)).await;
        let (missed, message) = only(&on).await;
        assert_eq!((missed.preview.as_str(), missed.unread_count, missed.session_key.as_str()), ("Missed call", 1, "voice_+14152000001"));
        on.app.run_jobs().await.unwrap();
        let step = format!("{path}?call={}&step=voicemail&n=0", message.id);
        taken(&on, recorded(&step)).await;
        taken(&on, recorded(&step)).await;
        taken(&on, transcribed(&step)).await;
        let (after, message) = only(&on).await;
        assert_eq!(after.preview, "Voicemail, 0:42: Please call me back");
        assert_eq!(after.unread_count, 1);
        assert_eq!(message.body, "Please call me back");
        assert_eq!(message.call.unwrap().status, CallStatus::Voicemail);
        let url = format!("https://api.twilio.com/2010-04-01/Accounts/{SID}/Recordings/{RECORDING}.mp3");
        assert!(matches!(&message.attachments[..], [Attachment::Remote { provider_url, .. }] if *provider_url == url));
        on.assert_healthy().await;
        assert_eq!(jobs(&on).await, [Job::FetchMedia { message_id: message.id, index: 0 }]);
        // The index has read the call before; what was said is found all the same.
        on.app.run_jobs().await.unwrap();
        on.assert_healthy().await;
    }

    async fn a_second_delivery_changes_nothing_and_gets_the_same_answer(database) {
        let on = Fixture::new(database).await;
        rings(&on, &[FIRST]).await;
        let first = taken(&on, calling(CALL, CUSTOMER)).await;
        let seq = on.app.org("acme").await.unwrap().seq;
        assert_eq!(taken(&on, calling(CALL, CUSTOMER)).await, first);
        assert_eq!(on.app.org("acme").await.unwrap().seq, seq);
        only(&on).await;
    }

    async fn the_staff_are_rung_in_turn_until_somebody_presses_a_key(database) {
        let on = Fixture::new(database).await;
        let path = rings(&on, &[CUSTOMER, FIRST, SECOND]).await;
        let twiml = taken(&on, calling(CALL, CUSTOMER)).await;
        assert!(twiml.contains(FIRST) && twiml.contains(&format!("callerId=\"{CUSTOMER}\"")), "the caller is not rung: {twiml}");
        let id = only(&on).await.1.id;
        let step = |step: &str, n: usize| format!("{path}?call={id}&step={step}&n={n}");
        let machine = taken(&on, about(&step("answered", 1), "CA9", &[("ParentCallSid", CALL)])).await;
        assert!(machine.contains("<Gather") && machine.contains("<Hangup/>"), "{machine}");
        let dialed = |n, bridged| about(&step("dialed", n), CALL, &[("DialCallStatus", "completed"), ("DialBridged", bridged), ("DialCallDuration", "61")]);
        assert!(taken(&on, dialed(1, "false")).await.contains(SECOND));
        assert!(taken(&on, about(&step("accepted", 2), "CA8", &[("ParentCallSid", CALL), ("Digits", "1")])).await.ends_with("<Response/>"));
        assert!(taken(&on, dialed(2, "true")).await.contains("<Hangup/>"));
        let (with, message) = only(&on).await;
        assert_eq!((with.preview.as_str(), message.call.unwrap().status), ("Incoming call, 1:01", CallStatus::Completed));
        on.assert_healthy().await;
    }

    async fn once_somebody_talks_with_a_caller_none_of_their_calls_is_unread(database) {
        let on = Fixture::new(database).await;
        let path = rings(&on, &[FIRST]).await;
        taken(&on, calling("CA1", CUSTOMER)).await;
        taken(&on, ended("CA1")).await;
        taken(&on, calling(CALL, CUSTOMER)).await;
        let with = on.conversations().await.remove(0);
        assert_eq!(with.unread_count, 2);
        let accepted = |id| about(&format!("{path}?call={id}&step=accepted&n=0"), CALL, &[("ParentCallSid", CALL), ("Digits", "1")]);
        let (_, messages) = on.app.conversation(&on.who, with.id).await.unwrap();
        let [missed, taken_call] = [0, 1].map(|at: usize| messages[at].message.id);
        // Late news of an earlier call says nothing of the one after it.
        taken(&on, accepted(missed)).await;
        assert_eq!(on.conversations().await[0].unread_count, 2);
        taken(&on, accepted(taken_call)).await;
        assert_eq!(on.conversations().await[0].unread_count, 0);
        on.assert_healthy().await;
    }

    async fn when_nobody_of_the_staff_answers_the_caller_may_leave_a_message(database) {
        let on = Fixture::new(database).await;
        let path = rings(&on, &[FIRST]).await;
        taken(&on, calling(CALL, CUSTOMER)).await;
        let step = format!("{path}?call={}&step=dialed&n=0", only(&on).await.1.id);
        assert!(taken(&on, about(&step, CALL, &[("DialCallStatus", "no-answer")])).await.contains("<Record "));
        assert_eq!(only(&on).await.0.preview, "Missed call");
    }

    async fn an_anonymous_caller_has_one_conversation_that_cannot_be_answered(database) {
        let on = Fixture::new(database).await;
        for (number, from) in ["+266696687", "anonymous", "Restricted", ""].into_iter().enumerate() {
            taken(&on, calling(&format!("CA{number}"), from)).await;
        }
        let found = on.conversations().await;
        assert_eq!((found.len(), found[0].message_count, found[0].session_key.as_str()), (1, 4, "voice_anonymous"));
        assert_eq!(call(&on, &found[0], Some(FIRST)).await.unwrap_err().code(), "not_answerable");
        on.assert_healthy().await;
    }

    async fn reports_in_any_order_end_equal(database) {
        let mut ends = Vec::new();
        let on = Fixture::new(database).await;
        let path = rings(&on, &[FIRST]).await;
        for (number, order) in crate::outbound::permutations(4).into_iter().enumerate() {
            let call = format!("CA{number}");
            taken(&on, calling(&call, CUSTOMER)).await;
            let find = { let call = call.clone(); move |tx: &mut OrgTx<'_, '_>| {
                let account = account::list(tx)?.remove(0);
                parlance_store::call::find(tx, account.id, &call)
            } };
            let id: MessageId = on.app.store().read(on.who.org, find).await.unwrap().unwrap();
            let step = |step: &str| format!("{path}?call={id}&step={step}&n=0");
            for index in order {
                let request = match index {
                    0 => ended(&call),
                    1 => about(&step("dialed"), &call, &[("DialCallStatus", "no-answer"), ("DialBridged", "false")]),
                    2 => recorded(&step("voicemail")),
                    _ => transcribed(&step("voicemail")),
                };
                taken(&on, request).await;
            }
            let (_, messages) = on.app.conversation(&on.who, on.conversations().await[0].id).await.unwrap();
            let message = messages.into_iter().map(|shown| shown.message).find(|message| message.id == id).unwrap();
            ends.push((message.call, message.body, message.attachments));
        }
        assert_eq!(ends.len(), 24);
        assert!(ends.iter().all(|end| *end == ends[0]), "{ends:?}");
        on.assert_healthy().await;
    }

    async fn a_call_of_another_account_is_not_moved(database) {
        let on = Fixture::new(database).await;
        let path = rings(&on, &[]).await;
        for (message, kind) in [(99, "of nobody"), (1, "that is a text")] {
            on.app.hook(inbound(&sid(1), CUSTOMER, NUMBER, "Hello")).await.unwrap();
            let refused = on.app.hook(recorded(&format!("{path}?call={message}&step=voicemail&n=0"))).await.unwrap_err();
            assert_eq!(refused.code(), "not_found", "{kind}");
        }
        assert_eq!(only(&on).await.1.attachments, []);
    }

    async fn a_report_of_a_call_that_nobody_knows_is_asked_about_once(database) {
        let on = Fixture::new(database).await;
        for _ in 0..2 {
            assert_eq!(taken(&on, ended(CALL)).await, "<Response/>");
        }
        assert_eq!(on.conversations().await.len(), 0);
        assert!(matches!(&jobs(&on).await[..], [Job::FindCall { provider_id, .. }] if provider_id == CALL));
    }

    async fn neither_who_is_disabled_nor_who_left_the_staff_is_rung(database) {
        let on = Fixture::new(database).await;
        let join = async |email: &str| on.app.create_user("acme", email, "Olga", Role::Agent, Some("a-made-up-password".into())).await.unwrap().0;
        let (disabled, gone) = (join("olga@example.com").await, join("gone@example.com").await);
        rings_whose(&on, &[(FIRST, Some(disabled)), (SECOND, Some(gone))]).await;
        on.app.remove_staff(&on.who, gone).await.unwrap();
        assert!(taken(&on, calling(CALL, CUSTOMER)).await.contains(FIRST));
        on.app.set_user_enabled("olga@example.com", false).await.unwrap();
        let twiml = taken(&on, calling("CA00000000000000000000000000000002", CUSTOMER)).await;
        assert!(twiml.contains("<Record ") && !twiml.contains("<Dial"), "{twiml}");
        on.app.set_user_enabled("olga@example.com", true).await.unwrap();
        assert!(taken(&on, calling("CA00000000000000000000000000000003", CUSTOMER)).await.contains(FIRST));
        on.assert_healthy().await;
    }

    async fn no_number_that_costs_by_the_minute_is_called_or_rung(database) {
        let on = Fixture::new(database).await;
        on.app.hook(inbound(&sid(1), "+19002345678", NUMBER, "Call us")).await.unwrap();
        let costly = on.conversations().await.remove(0);
        assert_eq!(call(&on, &costly, Some(FIRST)).await.unwrap_err().code(), "not_answerable");
        on.app.hook(inbound(&sid(2), CUSTOMER, NUMBER, "Call me")).await.unwrap();
        let customer = on.conversations().await.into_iter().find(|with| with.peer == CUSTOMER).unwrap();
        assert_eq!(call(&on, &customer, Some("+19002345678")).await.unwrap_err().code(), "validation_failed");
        assert_eq!(on.app.run_jobs().await.unwrap(), 0);
    }

    async fn a_call_of_ours_rings_the_staff_and_then_the_contact(database) {
        let on = Fixture::new(database).await;
        let path = rings(&on, &[]).await;
        on.app.hook(inbound(&sid(1), CUSTOMER, NUMBER, "STOP")).await.unwrap();
        let text = on.conversations().await.remove(0);
        assert_eq!(call(&on, &text, None).await.unwrap_err().code(), "no_staff_phone");
        let placed = call(&on, &text, Some(FIRST)).await.unwrap();
        assert_eq!((placed.message.state, placed.conversation.session_key.as_str()), (DeliveryState::Pending, "voice_+14152000001"));
        on.assert_healthy().await;
        on.app.run_jobs().await.unwrap();
        let made = on.sim.calls();
        assert_eq!((made.len(), made[0].to.as_str(), made[0].from.as_str()), (1, FIRST, NUMBER));
        assert_eq!(on.look(&placed).await.state, DeliveryState::Queued);
        let at = |step: &str| format!("{path}?call={}&attempt=1{step}", placed.message.id);
        let asked = taken(&on, about(&at("&step=answered&n=0"), &made[0].sid, &[])).await;
        assert!(asked.contains("to be connected to + 1 4 1 5"), "{asked}");
        let dial = taken(&on, about(&at("&step=accepted&n=0"), &made[0].sid, &[("Digits", "5")])).await;
        assert!(dial.contains(CUSTOMER) && dial.contains(&format!("callerId=\"{NUMBER}\"")), "{dial}");
        // The end of the whole call may be told before the end of the contact's leg.
        taken(&on, about(&at(""), &made[0].sid, &[("CallStatus", "completed"), ("CallDuration", "90")])).await;
        assert_eq!(on.look(&placed).await.error_code.as_deref(), Some("not_connected"));
        let leg = about(&at("&step=leg&n=0"), "CA7", &[("ParentCallSid", &made[0].sid), ("CallStatus", "completed"), ("CallDuration", "61")]);
        taken(&on, leg).await;
        let seen = on.look(&placed).await;
        assert_eq!((seen.state, seen.call.unwrap().duration_s), (DeliveryState::Delivered, Some(61)));
        on.assert_healthy().await;
    }

    async fn a_repeated_run_of_a_request_places_one_call(database) {
        let on = Fixture::new(database).await;
        taken(&on, calling(CALL, CUSTOMER)).await;
        let about = on.conversations().await[0].id;
        on.app.begin_once(&on.who, "key-1", [7; 32]).await.unwrap();
        let again = async || {
            let new = NewCall { conversation: about, staff_phone: Some(FIRST.into()), once: Some("key-1".into()) };
            on.app.call(&on.who, new, false).await.unwrap().message.id
        };
        assert_eq!(again().await, again().await);
        on.app.run_jobs().await.unwrap();
        assert_eq!(on.sim.calls().len(), 1);
        on.assert_healthy().await;
    }

    async fn a_call_that_waits_is_not_placed_over_an_account_that_was_switched_off(database) {
        let on = Fixture::new(database).await;
        taken(&on, calling(CALL, CUSTOMER)).await;
        let about = on.conversations().await.remove(0);
        let waiting = call(&on, &about, Some(FIRST)).await.unwrap();
        on.app.set_account_enabled("acme", about.account_id, false).await.unwrap();
        on.app.run_jobs().await.unwrap();
        let seen = on.look(&waiting).await;
        assert_eq!((seen.state, seen.error_code.as_deref()), (DeliveryState::Failed, Some("account_disabled")));
        assert_eq!(on.sim.calls().len(), 0);
        on.assert_healthy().await;
    }

    async fn a_call_that_waits_can_be_called_back_and_one_that_waited_too_long_is_not_placed(database) {
        let on = Fixture::new(database).await;
        taken(&on, calling(CALL, CUSTOMER)).await;
        let with = on.conversations().await.remove(0);
        let first = call(&on, &with, Some(FIRST)).await.unwrap();
        on.app.cancel(&on.who, first.message.id, None).await.unwrap();
        let second = call(&on, &with, Some(FIRST)).await.unwrap();
        on.clock.advance_ms(5 * 60 * 1000 + 1);
        on.app.run_jobs().await.unwrap();
        assert_eq!(on.sim.calls().len(), 0);
        let status = async |sent: &Sent| { let seen = on.look(sent).await; (seen.state, seen.call.unwrap().status) };
        assert_eq!(status(&first).await, (DeliveryState::Canceled, CallStatus::Canceled));
        assert_eq!(status(&second).await, (DeliveryState::Expired, CallStatus::Failed));
        let refused = call(&on, &with, Some(FIRST)).await.unwrap();
        on.sim.fault(Fault::new(FaultKind::Refuse { status: 400, code: 21215 }).times(1));
        on.app.run_jobs().await.unwrap();
        assert_eq!(status(&refused).await, (DeliveryState::Failed, CallStatus::Failed));
        on.assert_healthy().await;
    }
}
