//! What is listed, shown and switched by commands, and that a server beside them follows: whom it has not just looked up, at its next
//! request.

use std::time::{Duration, Instant};

use http::Method;
use parlance_testkit::both_databases;
use serde_json::{Value, json};

use crate::client::{Answer, Api, NUMBER, SID, TOKEN};
use crate::process::Place;

const PUBLIC_URL: &str = "https://chat.example.com";
const PASSWORD: &str = "correct horse battery";

async fn me(api: &Api) -> (u16, Value) {
    let Answer { status, mut body } = api.call(Method::GET, "/api/v1/me", None, &[]).await.unwrap();
    (status, body["code"].take())
}

async fn sign_in(api: &Api, password: &str) -> (u16, Value) {
    let body = json!({ "email": "ann@x.io", "password": password });
    let Answer { status, mut body } = api.call(Method::POST, "/api/v1/session", Some(body), &[]).await.unwrap();
    (status, body["code"].take())
}

/// The first answer that is no success: who was just let in may be for a second more (`docs/decisions/0005`).
async fn me_at_last(api: &Api) -> (u16, Value) {
    let begun = Instant::now();
    loop {
        let answer = me(api).await;
        if answer.0 != 200 || begun.elapsed() > Duration::from_secs(10) {
            return answer;
        }
    }
}

fn refused(place: &Place, args: &[&str]) -> String {
    let ended = place.run(&[args, &["--json"]].concat());
    assert_eq!((ended.status.code(), ended.stdout.as_str()), (Some(1), ""), "{args:?}");
    let error: Value = serde_json::from_str(ended.stderr.lines().last().unwrap()).unwrap();
    assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()), "{error}");
    error["code"].as_str().unwrap().to_owned()
}

fn set_up(place: &Place) {
    place.ok(&["org", "create", "Acme", "--slug", "acme"]);
    let ann = ["user", "create", "--org", "acme", "--email", "ann@x.io", "--name", "Ann", "--role", "owner", "--password-stdin"];
    assert!(place.run_with(&ann, PASSWORD).status.success());
}

both_databases! {
    async fn the_audit_log_is_listed_newest_first_and_narrowed(database) {
        let place = Place::new(database).await;
        set_up(&place);
        let key = place.json(&["key", "create", "--org", "acme", "--user", "ann@x.io", "--name", "ci"]);
        let server = place.serve(0, PUBLIC_URL).await;
        let api = Api::new(&server.url(), key["token"].as_str().unwrap());
        let contact = api.call(Method::POST, "/api/v1/contacts", Some(json!({ "email": "vera@x.io" })), &[]).await.unwrap();
        assert_eq!(contact.status, 201, "{:?}", contact.body);
        let contact = contact.body["data"]["id"].to_string();
        let list = |filters: &[&str]| -> Vec<Value> {
            place.json(&[&["audit", "list", "--org", "acme"], filters].concat()).as_array().unwrap().clone()
        };
        let all = list(&[]);
        let actions: Vec<_> = all.iter().map(|row| row["action"].as_str().unwrap()).collect();
        assert_eq!(actions, ["contact.create", "key.create", "staff.add", "org.create"]);
        assert_eq!((&all[0]["actor"], &all[0]["user_name"], &all[0]["key_name"]), (&json!("key"), &json!("Ann"), &json!("ci")));
        assert_eq!((&all[3]["actor"], &all[3]["details"]["slug"]), (&json!("command"), &json!("acme")));
        assert!(all[0]["request_id"].is_string() && all[3]["request_id"].is_null());
        let (id, at) = (key["id"].to_string(), all[0]["at"].as_str().unwrap());
        for filters in [
            &["--user", "ann@x.io"][..],
            &["--key", &id],
            &["--action", "contact.create"],
            &["--subject", "contact", "--subject-id", &contact],
            &["--after", at],
            &["--limit", "1"],
        ] {
            assert_eq!(list(filters), all[..1], "{filters:?}");
        }
        assert_eq!(list(&["--before", at]), all[1..]);
        let text = place.ok(&["audit", "list", "--org", "acme", "--action", "org.create"]);
        let lines: Vec<_> = text.lines().collect();
        assert!(lines.len() == 2 && lines[0].starts_with("id\tat\tactor") && lines[1].contains("\"slug\":\"acme\""), "{text}");
        assert_eq!(refused(&place, &["audit", "list", "--org", "nobody"]), "not_found");
        assert_eq!(refused(&place, &["audit", "list", "--org", "acme", "--user", "no@x.io"]), "not_found");
        for wrong in [&["--action", "nonsense"][..], &["--subject", "contact"], &["--subject-id", "1"], &["--after", "yesterday"], &["--limit", "0"]] {
            assert_eq!(place.run(&[&["audit", "list", "--org", "acme"], wrong].concat()).status.code(), Some(2), "{wrong:?}");
        }
        assert!(server.terminate().await.success());
    }

    async fn a_key_made_and_disabled_by_command_counts_and_ends_on_a_live_server(database) {
        let place = Place::new(database).await;
        set_up(&place);
        let server = place.serve(0, PUBLIC_URL).await;
        let made = place.json(&["key", "create", "--org", "acme", "--user", "ann@x.io", "--name", "ci"]);
        let (id, token) = (made["id"].to_string(), made["token"].as_str().unwrap());
        let api = Api::new(&server.url(), token);
        assert_eq!(me(&api).await.0, 200);
        let kept = place.ok(&["key", "create", "--org", "acme", "--name", "kept"]);
        assert_eq!(place.json(&["key", "show", "--org", "acme", &id])["name"], "ci");
        let listed = place.json(&["key", "list", "--org", "acme"]);
        assert_eq!((&listed[0]["id"], &listed[1]["name"], &listed[0]["scopes"]), (&made["id"], &json!("kept"), &json!(["read", "write", "admin"])));
        place.ok(&["key", "disable", "--org", "acme", &id]);
        assert_eq!(me_at_last(&api).await, (401, json!("unauthenticated")));
        assert_eq!(me(&Api::new(&server.url(), &kept)).await.0, 200);
        assert_eq!(place.json(&["key", "list", "--org", "acme"]).as_array().unwrap().len(), 1);
        assert_eq!(refused(&place, &["key", "disable", "--org", "acme", &id]), "not_found");
        assert!(server.terminate().await.success());
    }

    async fn a_disabled_org_is_shut_and_opened_again_on_a_live_server(database) {
        let place = Place::new(database).await;
        set_up(&place);
        place.ok(&["account", "create", "--org", "acme", "twilio", "--account-sid", SID, "--auth-token", TOKEN, "--phone-number", NUMBER]);
        let api_of = |url: &str| Api::new(url, &place.ok(&["key", "create", "--org", "acme", "--name", "ci"]));
        let server = place.serve(0, PUBLIC_URL).await;
        let api = api_of(&server.url());
        let inbound = async || api.inbound(PUBLIC_URL, "SM00000000000000000000000000000001", "+14152000001", "Hi").await.unwrap();
        assert!(place.json(&["org", "disable", "acme"])["disabled_at"].is_string());
        assert_eq!(me(&api).await, (403, json!("org_disabled")));
        assert_eq!(sign_in(&api, PASSWORD).await, (403, json!("org_disabled")));
        assert_eq!(inbound().await, 503);
        assert!(place.json(&["org", "list"])[0]["disabled_at"].is_string());
        assert_eq!(place.json(&["org", "enable", "acme"])["disabled_at"], Value::Null);
        assert_eq!(me(&api).await.0, 200);
        assert_eq!(inbound().await, 200);
        assert_eq!(api.get("/api/v1/conversations/unread").await["data"]["unread_count"], 1);
        assert_eq!(refused(&place, &["org", "disable", "nobody"]), "not_found");
        assert!(server.terminate().await.success());
    }

    async fn a_disabled_person_is_out_on_a_live_server(database) {
        let place = Place::new(database).await;
        set_up(&place);
        let server = place.serve(0, PUBLIC_URL).await;
        let api = Api::new(&server.url(), &place.ok(&["key", "create", "--org", "acme", "--user", "ann@x.io", "--name", "ci"]));
        assert_eq!(refused(&place, &["user", "disable", "ann@x.io"]), "last_owner");
        place.ok(&["user", "create", "--org", "acme", "--email", "bob@x.io", "--name", "Bob", "--role", "owner"]);
        assert_eq!(sign_in(&api, PASSWORD).await.0, 201);
        place.ok(&["user", "disable", "ann@x.io"]);
        assert_eq!(me(&api).await, (401, json!("user_disabled")));
        assert_eq!(sign_in(&api, PASSWORD).await, (401, json!("user_disabled")));
        assert_eq!(refused(&place, &["user", "disable", "bob@x.io"]), "last_owner");
        let people = place.json(&["user", "list", "--org", "acme"]);
        assert_eq!((&people[0]["email"], &people[0]["role"], people[0]["disabled_at"].is_string()), (&json!("ann@x.io"), &json!("owner"), true));
        assert_eq!(place.json(&["user", "list"]).as_array().unwrap().len(), 2);
        place.ok(&["user", "enable", "ann@x.io"]);
        assert_eq!(me(&api).await.0, 200);
        let other = place.json(&["user", "password", "ann@x.io"]);
        assert_eq!(sign_in(&api, PASSWORD).await, (401, json!("wrong_credentials")));
        assert_eq!(sign_in(&api, other["password"].as_str().unwrap()).await.0, 201);
        assert_eq!(place.json(&["user", "show", "ann@x.io"])["orgs"], json!([{ "slug": "acme", "role": "owner" }]));
        assert!(server.terminate().await.success());
    }

    async fn a_disabled_account_takes_nothing_in_until_it_is_enabled(database) {
        let place = Place::new(database).await;
        set_up(&place);
        let create = ["account", "create", "--org", "acme", "twilio", "--account-sid", SID, "--auth-token-stdin", "--phone-number", NUMBER];
        let ended = place.run_with(&create, &format!("{TOKEN}\n"));
        assert_eq!(ended.stdout.trim_end(), "1", "{}", ended.stderr);
        let server = place.serve(0, PUBLIC_URL).await;
        let api = Api::new(&server.url(), "");
        let inbound = async || api.inbound(PUBLIC_URL, "SM00000000000000000000000000000001", "+14152000001", "Hi").await.unwrap();
        assert_eq!(place.json(&["account", "disable", "--org", "acme", "1"])["enabled"], false);
        assert_eq!(inbound().await, 404);
        assert_eq!(place.json(&["account", "enable", "--org", "acme", "1"])["enabled"], true);
        assert_eq!(inbound().await, 200);
        let set = |number: &str| place.json(&["account", "set", "--org", "acme", "1", "--whatsapp-number", number])["whatsapp_number"].clone();
        assert_eq!((set("(555) 000-1111"), set("")), (json!("+15550001111"), Value::Null));
        let calls = |args: &[&str]| place.json(&[&["account", "set", "--org", "acme", "1"], args].concat());
        let set = calls(&["--ring", "(415) 200-0011=ann@x.io", "--ring", "+14152000012", "--ring-seconds", "30", "--greeting", "Hi", "--record", "true"]);
        assert_eq!(set["ring"], json!([{ "phone": "+14152000011", "user_id": 1 }, { "phone": "+14152000012", "user_id": null }]));
        assert_eq!((&set["ring_seconds"], &set["greeting"], &set["record"]), (&json!(30), &json!("Hi"), &json!(true)));
        let cleared = calls(&["--ring", "", "--greeting", ""]);
        assert_eq!((&cleared["ring"], &cleared["ring_seconds"], &cleared["greeting"]), (&json!([]), &json!(30), &Value::Null));
        for wrong in [["--ring", "+14152000011=eve@x.io"], ["--ring", "12"], ["--ring-seconds", "4"]] {
            assert_eq!(refused(&place, &[&["account", "set", "--org", "acme", "1"], &wrong[..]].concat()), "validation_failed");
        }
        assert_eq!(place.run(&["account", "set", "--org", "acme", "1"]).status.code(), Some(2), "nothing is given");
        let listed = place.ok(&["account", "list", "--org", "acme", "--json"]);
        assert!(listed.contains(NUMBER) && !listed.contains(TOKEN), "{listed}");
        let lines = place.ok(&["account", "list", "--org", "acme"]);
        let lines: Vec<Vec<_>> = lines.lines().map(|line| line.split('\t').collect()).collect();
        assert_eq!((lines[0][..3].to_vec(), lines[1][..3].to_vec()), (vec!["id", "provider", "name"], vec!["1", "twilio", NUMBER]));
        assert_eq!(place.ok(&["account", "show", "--org", "acme", "1"]).lines().next(), Some("id: 1"));
        assert_eq!(refused(&place, &["account", "show", "--org", "acme", "2"]), "not_found");
        assert!(server.terminate().await.success());
    }
}
