//! Calls as a client of the API asks for them: what is placed once, what is refused, and what no text gets into.

use parlance_model::role::Role;
use parlance_testkit::both_databases;
use serde_json::{Value, json};

use crate::support::{Answer, CUSTOMER, Client, TestApp, sid};

const SEND: &str = "/api/v1/conversations/send";
const PHONE: &str = "+14152000011";

/// Asks for a call, and does not wait for what comes of it.
async fn call(staff: &Client, about: &Value, headers: &[(&str, &str)]) -> Answer {
    let headers = [&[("prefer", "respond-async")], headers].concat();
    staff.post_with(&format!("/api/v1/conversations/{about}/calls"), &headers, json!({ "staff_phone": PHONE })).await
}

/// A conversation of texts with the customer.
async fn conversation(app: &TestApp, staff: &Client) -> Value {
    app.inbound(&sid(1), CUSTOMER, "Please call me").await;
    staff.get("/api/v1/conversations").await.data()[0]["id"].clone()
}

both_databases! {
    async fn no_text_is_stored_among_calls(database) {
        let (app, _, staff) = TestApp::new(database).await;
        let text = |to: Value| {
            let mut body = json!({ "channel": "voice", "message": "Hello!" });
            body.as_object_mut().unwrap().extend(to.as_object().unwrap().clone());
            body
        };
        let opened = staff.post("/api/v1/conversations", json!({ "phone": CUSTOMER, "channel": "voice" })).await.expect_problem(422, "no_account");
        assert!(opened.json["detail"].as_str().unwrap().contains("/calls"), "{}", opened.text());
        // Neither before there is a conversation of calls,
        let refused = staff.post(SEND, text(json!({ "phone": CUSTOMER }))).await.expect_problem(422, "not_answerable");
        assert!(refused.json["detail"].as_str().unwrap().contains("/calls"), "{}", refused.text());
        let about = conversation(&app, &staff).await;
        let placed = call(&staff, &about, &[]).await.expect(201);
        // nor in one that there is.
        let (calls, contact) = (placed.data()["conversation"]["id"].clone(), placed.data()["conversation"]["contact"]["id"].clone());
        for to in [json!({ "phone": CUSTOMER }), json!({ "contact_id": contact })] {
            staff.post(SEND, text(to)).await.expect_problem(422, "not_answerable");
        }
        staff.post(&format!("/api/v1/conversations/{calls}/messages"), json!({ "message": "Hello!" })).await.expect_problem(422, "not_answerable");
        assert_eq!(staff.get(&format!("/api/v1/conversations/{calls}/messages")).await.json["meta"]["total"], 1);
        assert_eq!(app.sim.messages().len(), 0);
    }

    async fn a_repeated_request_places_one_call(database) {
        let (app, _, staff) = TestApp::new(database).await;
        let about = conversation(&app, &staff).await;
        let first = call(&staff, &about, &[("idempotency-key", "call-1")]).await.expect(201);
        let again = call(&staff, &about, &[("idempotency-key", "call-1")]).await.expect(201);
        assert_eq!((again.header("idempotent-replayed"), &again.body), ("true", &first.body));
        call(&staff, &about, &[("idempotency-key", "call-2")]).await.expect(201);
        let path = format!("/api/v1/conversations/{}/messages", first.data()["conversation"]["id"]);
        assert_eq!(staff.get(&path).await.json["meta"]["total"], 2);
    }

    async fn a_call_is_not_retried_whatever_became_of_it(database) {
        let (app, _, staff) = TestApp::new(database).await;
        let about = conversation(&app, &staff).await;
        let placed = call(&staff, &about, &[]).await.expect(201);
        let path = format!("/api/v1/messages/{}/retry", placed.data()["message"]["id"]);
        let refused = staff.post(&path, json!({ "allow_duplicate": true })).await.expect_problem(409, "not_retryable");
        assert!(refused.json["detail"].as_str().unwrap().contains("phone call"), "{}", refused.text());
    }

    async fn no_call_is_taken_over_an_account_that_is_switched_off(database) {
        let (app, org, staff) = TestApp::new(database).await;
        let ada = app.staff(&org, "ada", Role::Admin).await;
        let about = conversation(&app, &staff).await;
        let account = format!("/api/v1/accounts/{}", ada.get("/api/v1/accounts").await.data()[0]["id"]);
        ada.put(&account, json!({ "enabled": false })).await.expect(200);
        call(&staff, &about, &[]).await.expect_problem(422, "no_account");
        assert_eq!(staff.get("/api/v1/conversations?channel=voice").await.json["meta"]["total"], 0);
    }
}
