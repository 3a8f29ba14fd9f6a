//! Commands as scripts call them: the result alone on standard output, exit codes, effect beside a running server.

use parlance_testkit::both_databases;
use serde_json::json;

use crate::client::{Api, NUMBER, SID, TOKEN};
use crate::process::Place;

both_databases! {
    async fn commands_make_an_organisation_that_a_running_server_knows_at_once(database) {
        let place = Place::new(database).await;
        let server = place.serve(0, "https://chat.example.com").await;
        assert_eq!(place.ok(&["org", "create", "Acme", "--slug", "acme"]), "1");
        let shown = place.json(&["org", "show", "acme"]);
        assert_eq!((&shown["name"], &shown["region"], &shown["disabled_at"]), (&json!("Acme"), &json!("US"), &json!(null)));
        let password = place.ok(&["user", "create", "--org", "acme", "--email", "a@x.io", "--name", "Ann", "--role", "admin"]);
        assert!(password.len() >= 16 && !password.contains(char::is_whitespace), "{password}");
        let given = ["user", "create", "--org", "acme", "--email", "b@x.io", "--name", "Bob", "--role", "agent", "--password-stdin"];
        assert_eq!(place.run_with(&given, "a long enough password\n").stdout, "");
        let key = place.ok(&["key", "create", "--org", "acme", "--user", "a@x.io", "--dialect", "unified", "--name", "ci"]);
        let api = Api::new(&server.url(), &key);
        assert_eq!(api.get("/api/v1/conversations").await["data"], json!([]));
        let account = ["account", "create", "--org", "acme", "twilio", "--account-sid", SID, "--auth-token", TOKEN, "--phone-number", NUMBER];
        assert_eq!(place.ok(&account), "1");
        let answered = api.inbound("https://chat.example.com", "SM00000000000000000000000000000001", "+14152000001", "Hi").await;
        assert_eq!(answered.unwrap(), 200);
        assert_eq!(api.get("/api/v1/conversations/unread").await["data"]["unread_count"], 1);
        assert_eq!(place.ok(&["migrate"]), "up to date");
        assert!(place.ok(&["doctor", "--deep"]).starts_with("ok: 1 organisations"));
        assert!(server.terminate().await.success());
    }

    async fn an_api_key_and_a_pace_are_set_shown_and_cleared(database) {
        let place = Place::new(database).await;
        place.ok(&["org", "create", "Acme", "--slug", "acme"]);
        place.ok(&["account", "create", "--org", "acme", "twilio", "--account-sid", SID, "--auth-token", TOKEN, "--phone-number", NUMBER]);
        let shown = |given: &[&str]| {
            let account = place.json(given);
            assert!(!account.to_string().contains("visibly-fake-secret"), "{account}");
            (account["api_key_sid"].clone(), account["messages_per_second"].clone())
        };
        let show = ["account", "show", "--org", "acme", "1"];
        assert_eq!(shown(&show), (json!(null), json!(null)));
        let set = ["account", "set", "--org", "acme", "1"];
        let key = "SK00000000000000000000000000000001";
        let both = ["--api-key-sid", key, "--api-key-secret", "visibly-fake-secret", "--messages-per-second", "3"];
        assert_eq!(shown(&[&set[..], &both].concat()), (json!(key), json!(3)));
        assert_eq!(shown(&[&set[..], &["--messages-per-second", ""]].concat()), (json!(key), json!(null)), "what is not given stays");
        for (wrong, why) in [
            (&["--api-key-sid", key][..], "api-key-secret"),
            (&["--api-key-sid", "SK1", "--api-key-secret", "visibly-fake-secret"], "api-key-sid"),
            (&["--api-key-sid", key, "--api-key-secret", ""], "api-key-secret"),
        ] {
            let refused = place.run(&[&set[..], wrong].concat());
            assert!(refused.status.code() == Some(1) && refused.stderr.contains(why), "{wrong:?}: {}", refused.stderr);
        }
        let read = place.run_with(&[&set[..], &["--api-key-sid", key, "--api-key-secret-stdin"]].concat(), "visibly-fake-secret\n");
        assert!(read.status.success(), "{}", read.stderr);
        assert_eq!(shown(&show), (json!(key), json!(null)));
        assert_eq!(shown(&[&set[..], &["--api-key-sid", ""]].concat()), (json!(null), json!(null)));
    }

    async fn refusals_exit_with_1_and_say_why_on_standard_error(database) {
        let place = Place::new(database).await;
        let applied = place.ok(&["migrate"]);
        assert!(applied.starts_with("applied 0001_core\n") && applied.lines().all(|line| line.starts_with("applied 0")), "{applied}");
        assert_eq!(place.ok(&["migrate"]), "up to date");
        place.ok(&["org", "create", "Acme", "--slug", "acme"]);
        let refused: [(&[&str], &str); 6] = [
            (&["org", "create", "Again", "--slug", "acme"], "acme already"),
            (&["org", "create", "Bad", "--slug", "A B"], "slug"),
            (&["org", "show", "nobody"], "no such organisation"),
            (&["key", "create", "--org", "nobody", "--name", "ci"], "no such organisation"),
            (&["key", "create", "--org", "acme", "--user", "no@x.io", "--name", "ci"], "no such staff member"),
            (&["account", "create", "--org", "acme", "twilio", "--account-sid", "ACx", "--auth-token", "t", "--phone-number", NUMBER], "account-sid"),
        ];
        for (args, why) in refused {
            let ended = place.run(args);
            assert_eq!(ended.status.code(), Some(1), "{args:?}");
            assert_eq!(ended.stdout, "", "{args:?}");
            assert!(ended.stderr.contains(why), "{args:?}: {}", ended.stderr);
        }
        for args in [&["org", "destroy"][..], &["nonsense"], &["key", "create", "--org", "acme"]] {
            assert_eq!(place.run(args).status.code(), Some(2), "{args:?}");
        }
    }
}

#[tokio::test]
async fn a_server_may_open_as_many_files_as_the_system_lets_it() {
    let place = Place::new(parlance_testkit::Database::Sqlite).await;
    let server = place.serve_within("ulimit -Sn 300; ulimit -Hn 600", "https://chat.example.com").await;
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.id())).unwrap();
    let files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    assert_eq!(files.split_whitespace().skip(3).take(2).collect::<Vec<_>>(), ["600", "600"], "{files}");
    assert!(server.terminate().await.success());
}

#[tokio::test]
async fn a_second_server_on_the_same_folder_is_refused() {
    let place = Place::new(parlance_testkit::Database::Sqlite).await;
    let server = place.serve(0, "https://chat.example.com").await;
    let ended = place.run(&["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(ended.status.code(), Some(1));
    assert!(ended.stderr.contains("A server is running"), "{}", ended.stderr);
    server.kill().await;
}
