//! Hooks end to end: what a provider sends is listed, and what is not the provider's is refused.

use parlance_testkit::both_databases;
use serde_json::json;

use crate::support::{CUSTOMER, NUMBER, SID, TestApp, inbound_form, sid};

both_databases! {
    async fn an_inbound_message_is_listed_once_however_often_it_comes(database) {
        let (app, _, staff) = TestApp::new(database).await;
        for _ in 0..3 {
            app.inbound(&sid(1), CUSTOMER, "Hi\u{0} there 👍").await;
        }
        let page = staff.get("/api/v1/conversations").await.expect(200).json;
        assert_eq!((&page["meta"]["total"], &page["data"][0]["unread_count"]), (&json!(1), &json!(1)));
        let thread = staff.get(&format!("/api/v1/conversations/{}", page["data"][0]["id"])).await.expect(200);
        let message = &thread.data()["messages"][0];
        assert_eq!((&message["body"], &message["direction"], &message["sender_type"]), (&json!("Hi there 👍"), &json!("inbound"), &json!("visitor")));
        assert_eq!((&message["delivery_status"], &message["sender_id"]), (&json!("delivered"), &json!(null)));
    }

    async fn a_hook_may_come_by_get_and_to_the_accounts_own_url(database) {
        let (app, _, staff) = TestApp::new(database).await;
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(inbound_form(&sid(1), CUSTOMER, NUMBER, "Hi")).finish();
        let path = format!("/webhooks/twilio?{query}");
        let signature = parlance_sim::twilio::signature::sign(crate::support::TOKEN, &format!("{}{path}", app.public_url), []);
        let answer = app.anonymous().send("GET", &path, &[("x-twilio-signature", &signature)], "").await.expect(200);
        assert_eq!((answer.header("content-type"), answer.text()), ("text/xml", "<Response/>"));
        app.anonymous().send("GET", &path, &[("x-twilio-signature", "wrong")], "").await.expect_problem(403, "bad_signature");

        // The sim learns the account's own URL from the callback of a message.
        staff.post("/api/v1/conversations/send", json!({ "phone": CUSTOMER, "message": "Hello!" })).await.expect(201);
        app.sim.settled().await;
        let own = app.sim.messages()[0].status_callback.clone().unwrap();
        let own = own.strip_prefix(&app.public_url).unwrap().split('?').next().unwrap().to_owned();
        app.hook(&own, &inbound_form(&sid(2), CUSTOMER, NUMBER, "Hi again")).await.expect(200);
        assert_eq!(staff.get("/api/v1/conversations").await.json["data"][0]["message_count"], 3);
    }

    async fn what_is_not_the_providers_is_refused(database) {
        let (app, _, staff) = TestApp::new(database).await;
        let id = sid(1);
        let form = inbound_form(&id, CUSTOMER, NUMBER, "Hi");
        let stranger: Vec<_> = form.iter().map(|&(name, value)| if name == "AccountSid" { (name, "AC00000000000000000000000000000009") } else { (name, value) }).collect();
        app.hook_signed("/webhooks/twilio", &form, "wrong").await.expect_problem(403, "bad_signature");
        app.hook_signed("/webhooks/twilio", &form, "").await.expect_problem(403, "bad_signature");
        app.hook("/webhooks/twilio", &stranger).await.expect_problem(404, "not_found");
        app.hook("/webhooks/twilio", &inbound_form(&sid(1), CUSTOMER, "+15550000000", "Hi")).await.expect_problem(404, "not_found");
        for token in ["nobody", "%00", "a%2Fb", "%FF", "ä"] {
            let path = format!("/webhooks/twilio/a/{}", token.replace('ä', "%C3%A4"));
            app.hook_signed(&path, &form, "wrong").await.expect_problem(404, "not_found");
        }
        for body in [&b""[..], b"AccountSid=%00", b"\xff\xfe", b"{}", b"AccountSid"] {
            app.anonymous().send("POST", "/webhooks/twilio", &[], body.to_vec()).await.expect_problem(404, "not_found");
        }
        let large = format!("AccountSid={SID}&Body={}", "x".repeat(1024 * 1024));
        app.anonymous().send("POST", "/webhooks/twilio", &[], large).await.expect_problem(413, "body_too_large");
        assert_eq!(staff.get("/api/v1/conversations").await.json["meta"]["total"], 0);
    }

    async fn what_is_genuine_and_unusable_is_kept_and_taken(database) {
        let (app, _, staff) = TestApp::new(database).await;
        let form = [("AccountSid", SID), ("From", CUSTOMER), ("To", NUMBER), ("Something", "new")];
        let answer = app.hook("/webhooks/twilio", &form).await.expect(200);
        assert_eq!((answer.header("content-type"), answer.text()), ("text/xml", "<Response/>"));
        assert_eq!(staff.get("/api/v1/conversations").await.json["meta"]["total"], 0);
    }
}
