//! What is compressed, for whom, and what is not.

use parlance_model::role::Role;
use parlance_testkit::both_databases;
use serde_json::json;

use crate::support::{Client, TestApp};

/// `content-encoding` and the length of the body, for a caller who takes this.
async fn asked(client: &Client, path: &str, headers: &[(&str, &str)]) -> (String, usize) {
    let answer = client.send("GET", path, headers, "").await.expect(200);
    if !answer.header("content-encoding").is_empty() {
        assert!(answer.headers.get_all("vary").iter().any(|value| value.to_str().unwrap().contains("accept-encoding")), "{answer:?}");
    }
    (answer.header("content-encoding").to_owned(), answer.body.len())
}

both_databases! {
    async fn long_answers_are_compressed_for_those_who_take_it(database) {
        let (app, _, staff) = TestApp::new(database).await;
        for number in 0..20 {
            staff.post("/api/v1/contacts", json!({ "first_name": format!("Contact {number}") })).await.expect(201);
        }
        let path = "/api/v1/contacts";
        let (plain, length) = asked(&staff, path, &[]).await;
        assert_eq!(plain, "");
        for (taken, sent) in [("gzip", "gzip"), ("br", "br"), ("gzip, br", "br"), ("identity", ""), ("br;q=0, gzip", "gzip")] {
            let (encoding, compressed) = asked(&staff, path, &[("accept-encoding", taken)]).await;
            assert_eq!(encoding, sent, "{taken}");
            assert!(if sent.is_empty() { compressed == length } else { compressed < length / 2 }, "{taken}: {compressed} of {length}");
        }
        let gzip = staff.send("GET", path, &[("accept-encoding", "gzip")], "").await.expect(200);
        assert_eq!(gzip.body[..2], [0x1f, 0x8b]);
        // The tag is weak: it names the page, however it is sent.
        assert_eq!(gzip.header("etag"), staff.get(path).await.header("etag"));
        let known = [("accept-encoding", "gzip"), ("if-none-match", gzip.header("etag"))];
        let unchanged = staff.send("GET", path, &known, "").await.expect(304);
        assert_eq!((unchanged.header("content-encoding"), unchanged.body.len()), ("", 0));
        assert_eq!(asked(&staff, "/api/v1/me", &[("accept-encoding", "gzip")]).await.0, "", "a short answer");
        assert_eq!(asked(&app.anonymous(), "/openapi.json", &[("accept-encoding", "br")]).await.0, "br");
    }

    async fn nothing_is_compressed_for_a_page_of_another_site(database) {
        let (app, org, staff) = TestApp::new(database).await;
        for number in 0..20 {
            staff.post("/api/v1/contacts", json!({ "first_name": format!("Contact {number}") })).await.expect(201);
        }
        app.app.create_user(&org.slug, "olga@example.com", "Olga", Role::Owner, Some("correct horse battery".into())).await.unwrap();
        let signed_in = app.anonymous().post("/api/v1/session", json!({ "email": "olga@example.com", "password": "correct horse battery" })).await;
        let cookie = signed_in.expect(201).header("set-cookie").split(';').next().unwrap().to_owned();
        for (site, sent) in [("same-origin", "gzip"), ("none", "gzip"), ("same-site", ""), ("cross-site", "")] {
            let headers = [("accept-encoding", "gzip"), ("cookie", cookie.as_str()), ("sec-fetch-site", site)];
            assert_eq!(asked(&app.anonymous(), "/api/v1/contacts", &headers).await.0, sent, "{site}");
        }
    }
}
