//! The search over people and messages, and what lists find once the index has everything.

use parlance_testkit::both_databases;
use serde_json::{Value, json};

use crate::support::{CUSTOMER, Client, TestApp, sid};

async fn search(staff: &Client, query: &str) -> Value {
    staff.get(&format!("/api/v1/search?{query}")).await.expect(200).json
}

fn ids(found: &Value) -> Vec<i64> {
    found["data"]["messages"].as_array().unwrap().iter().map(|hit| hit["id"].as_i64().unwrap()).collect()
}

both_databases! {
    async fn people_and_messages_are_found_with_their_matches_set_apart(database) {
        let (app, _, staff) = TestApp::new(database).await;
        app.inbound(&sid(1), CUSTOMER, "Where is my Réfund?\n<b>Please</b>").await;
        staff.post("/api/v1/contacts", json!({ "first_name": "Ref", "last_name": "Eree", "phone": "+14152000009" })).await.expect(201);
        app.app.drain_search().await.unwrap();
        let found = search(&staff, "q=ref").await;
        let hit = &found["data"]["messages"][0];
        let snippet = json!([{ "text": "Where is my ", "matched": false }, { "text": "Réfund", "matched": true }, { "text": "? <b>Please</b>", "matched": false }]);
        assert_eq!(hit["snippet"], snippet);
        assert_eq!((&hit["channel"], &hit["direction"], &hit["sender_type"], &hit["has_media"]), (&json!("sms"), &json!("inbound"), &json!("visitor"), &json!(false)));
        assert_eq!((&hit["contact"]["name"], &hit["contact"]["phone_number"]), (&Value::Null, &json!(CUSTOMER)));
        assert_eq!(found["meta"], json!({ "limit": 20, "next_cursor": null, "complete": true }));
        assert_eq!(found["data"]["people"][0]["name"], "Ref Eree");
        let people = search(&staff, "q=(415)%20200-0001").await["data"]["people"].clone();
        assert_eq!((people.as_array().unwrap().len(), &people[0]["phone"]), (1, &json!(CUSTOMER)));
        let narrowed = search(&staff, "q=from:%22(415)%20200-0001%22%20is%20my%20before:2100-01-01").await;
        assert_eq!((ids(&narrowed).len(), &narrowed["data"]["people"]), (1, &json!([])));
        let shown = staff.get(&format!("/api/v1/conversations/{}", hit["conversation_id"])).await.expect(200);
        assert_eq!(shown.data()["messages"][0]["id"], hit["id"]);
    }

    async fn pages_of_a_search_give_each_message_once(database) {
        let (app, _, staff) = TestApp::new(database).await;
        for number in 0..7 {
            app.inbound(&sid(number), CUSTOMER, "Hello again").await;
        }
        app.app.drain_search().await.unwrap();
        let all = ids(&search(&staff, "q=hello").await);
        assert_eq!((all.len(), all.is_sorted_by(|a, b| a > b)), (7, true));
        let (mut walked, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = search(&staff, &format!("q=hello&limit=3{cursor}")).await;
            walked.extend(ids(&page));
            let Some(next) = page["meta"]["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(walked, all);
    }

    async fn a_search_for_nothing_and_bad_parameters_are_refused(database) {
        let (_app, _, staff) = TestApp::new(database).await;
        for query in ["q=", "q=%20", "q=%00", "q=%22", "q=%22%22", "q=%22%22%22"] {
            staff.get(&format!("/api/v1/search?{query}")).await.expect_wrong("q");
        }
        for (query, field) in [("", "query"), ("q=a&limit=0", "limit"), ("q=a&limit=201", "limit")] {
            let answer = staff.get(&format!("/api/v1/search?{query}")).await.expect_problem(422, "validation_failed");
            assert!(field == "query" || answer.json["errors"][0]["field"] == field, "{}", answer.text());
        }
        staff.get(&format!("/api/v1/search?q={}", "x".repeat(201))).await.expect_wrong("q");
        staff.get("/api/v1/search?q=a&cursor=x").await.expect_problem(400, "bad_cursor");
        for query in ["q=*", "q=a%20AND", "q=(a", "q=a%27b", "q=%5C", "q=%EE%80%80", "q=from:%25", "q=-a%20OR"] {
            assert_eq!(search(&staff, query).await["data"]["messages"], json!([]), "{query}");
        }
    }

    async fn another_org_finds_nothing_of_ours(database) {
        let (app, _, staff) = TestApp::new(database).await;
        let other = app.org("other").await;
        let theirs = app.staff(&other, "bob", parlance_model::role::Role::Owner).await;
        app.inbound(&sid(1), CUSTOMER, "Hello").await;
        app.app.drain_search().await.unwrap();
        assert_eq!(ids(&search(&staff, "q=hello").await).len(), 1);
        for query in ["q=hello", "q=415200", "q=channel:sms", "q=from:415"] {
            assert_eq!(search(&theirs, query).await["data"], json!({ "people": [], "messages": [] }), "{query}");
        }
    }

    async fn the_running_consumer_indexes_by_itself(database) {
        let (app, _, staff) = TestApp::new(database).await;
        app.inbound(&sid(1), CUSTOMER, "Hello").await;
        // An index that is still being built for the first time has nothing left to read and says that it is not complete.
        let found = loop {
            let lag = app.app.search_lag().await.unwrap();
            let found = search(&staff, "q=hello").await;
            if lag == 0 && found["meta"]["complete"] == true {
                break found;
            }
            tokio::task::yield_now().await;
        };
        assert_eq!(ids(&found).len(), 1);
    }
}
