//! The first run in the browser: the link, the form, and what it makes.

use axum::body::Body;
use http::{Request, Response, header};
use parlance_app::App;
use parlance_testkit::both_databases;
use serde_json::json;
use tower::ServiceExt as _;

use crate::support::TestApp;

/// What a careful owner types.
const TYPED: [(&str, &str); 7] = [
    ("org_name", "Spoke & Wheel"),
    ("slug", ""),
    ("region", "DE"),
    ("name", "Ann Baker"),
    ("email", "Ann@example.com"),
    ("password", "correct horse battery"),
    ("password_again", "correct horse battery"),
];

/// A page as a browser has it. These are not problems, so the API's client is no use here.
struct Page {
    status: u16,
    headers: http::HeaderMap,
    html: String,
}

async fn page(app: &App, request: Request<Body>) -> Page {
    let response: Response<Body> = parlance_api::router(app.clone(), &parlance_api::Options::default()).oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let html = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let page = Page { status: parts.status.as_u16(), headers: parts.headers, html: String::from_utf8(html.to_vec()).unwrap() };
    assert_eq!(page.headers[header::CONTENT_TYPE], "text/html; charset=utf-8", "{}", page.html);
    assert_eq!(page.headers[header::CACHE_CONTROL], "no-store");
    assert_eq!(page.headers[header::REFERRER_POLICY], "no-referrer");
    let policy = page.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    for outside in ["<script", " style=", "onclick", "src=\"http"] {
        assert!(!page.html.contains(outside), "{outside}: {}", page.html);
    }
    page
}

async fn open(app: &App, token: &str) -> Page {
    page(app, Request::get(format!("/setup?token={token}")).header("accept-language", "de-AT").body(Body::empty()).unwrap()).await
}

async fn submit(app: &App, token: &str, typed: &[(&str, &str)]) -> Page {
    let form = form_urlencoded::Serializer::new(String::new()).append_pair("token", token).extend_pairs(typed).finish();
    let request = Request::post("/setup").header(header::CONTENT_TYPE, "application/x-www-form-urlencoded").header("origin", "null");
    page(app, request.body(form.into()).unwrap()).await
}

/// Fields, and what is typed into them.
type Changes = &'static [(&'static str, &'static str)];

/// The same with other words in some fields.
fn but<'a>(changes: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let change = |(name, value): (&'a str, &'a str)| {
        let other = changes.iter().find(|(changed, _)| *changed == name);
        other.copied().unwrap_or((name, value))
    };
    TYPED.into_iter().map(change).collect()
}

both_databases! {
    async fn the_link_makes_the_first_org_and_its_owner_once(database) {
        let test = TestApp::empty(database).await;
        let app = &test.app;
        let token = app.first_run_token().await.unwrap().unwrap();
        assert_eq!(test.another_node().await.first_run_token().await.unwrap(), Some(token.clone()), "the same at every node");
        let form = open(app, &token).await;
        assert_eq!(form.status, 200);
        assert!(form.html.contains("<option value=\"AT\" selected>Austria"), "the browser's country");
        assert_eq!(open(app, &token).await.status, 200, "looking uses nothing up");

        let done = submit(app, &token, &TYPED).await;
        assert_eq!(done.status, 201, "{}", done.html);
        assert!(done.html.contains("Spoke &amp; Wheel is ready") && done.html.contains("/webhooks/twilio"), "{}", done.html);
        let key = done.html.split("<pre>plk_").nth(1).and_then(|rest| rest.split('<').next()).map(|rest| format!("plk_{rest}")).unwrap();
        let cookie = done.headers[header::SET_COOKIE].to_str().unwrap();
        assert!(cookie.starts_with("parlance_session=") && cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
        let cookie = cookie.split(';').next().unwrap();
        let by_cookie = test.anonymous().send("GET", "/api/v1/me", &[("cookie", cookie)], "").await.expect(200);
        let by_key = test.client(Some(key)).get("/api/v1/me").await.expect(200);
        for me in [by_cookie, by_key] {
            assert_eq!((&me.data()["user"]["email"], &me.data()["org"]["role"]), (&json!("ann@example.com"), &json!("owner")), "{}", me.text());
            assert_eq!(me.data()["org"]["slug"], "spoke-wheel");
        }
        let signed_in = json!({ "email": "ann@example.com", "password": "correct horse battery" });
        test.anonymous().post("/api/v1/session", signed_in).await.expect(201);

        assert_eq!(app.first_run_token().await.unwrap(), None);
        for used in [open(app, &token).await, submit(app, &token, &but(&[("slug", "second"), ("email", "eve@example.com")])).await] {
            assert_eq!(used.status, 404);
            assert!(used.html.contains("was used already"), "{}", used.html);
        }
        assert_eq!(app.org("second").await.unwrap_err().code(), "not_found");
    }

    async fn an_org_that_the_command_line_made_closes_the_link(database) {
        let test = TestApp::empty(database).await;
        let token = test.app.first_run_token().await.unwrap().unwrap();
        test.org("acme").await;
        assert_eq!(test.app.first_run_token().await.unwrap(), None);
        assert_eq!(open(&test.app, &token).await.status, 404);
        assert_eq!(submit(&test.app, &token, &TYPED).await.status, 404);
    }

    async fn forms_that_are_sent_at_once_at_two_nodes_make_one_org(database) {
        let test = TestApp::empty(database).await;
        let (one, other) = (test.app.clone(), test.another_node().await);
        let token = one.first_run_token().await.unwrap().unwrap();
        let slugs = ["a", "b", "c", "d"];
        let emails = slugs.map(|slug| format!("{slug}@example.com"));
        let forms = slugs.iter().zip(&emails).map(|(slug, email)| but(&[("slug", slug), ("email", email)]));
        let nodes = [&one, &other].into_iter().cycle();
        let (a, b, c, d) = {
            let mut sent = nodes.zip(forms).map(|(node, form)| { let token = token.clone(); async move { submit(node, &token, &form).await } });
            let mut next = || sent.next().unwrap();
            tokio::join!(next(), next(), next(), next())
        };
        let mut statuses = [a.status, b.status, c.status, d.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 404, 404, 404]);
        let mut orgs = 0;
        for slug in slugs {
            orgs += usize::from(one.org(slug).await.is_ok());
        }
        assert_eq!(orgs, 1);
    }

    async fn a_wrong_token_opens_nothing_and_guessing_is_slowed_down(database) {
        let test = TestApp::empty(database).await;
        let token = test.app.first_run_token().await.unwrap().unwrap();
        for wrong in ["", "x", &token[1..], &format!("{token}x"), "%00"] {
            let refused = open(&test.app, wrong).await;
            assert_eq!(refused.status, 404, "{wrong}");
            assert!(refused.html.contains("This link is not valid") && !refused.html.contains("<form"), "{}", refused.html);
        }
        let slowed = submit(&test.app, "x", &TYPED).await;
        assert_eq!((slowed.status, &slowed.headers[header::RETRY_AFTER]), (429, &header::HeaderValue::from_static("901")));
        assert_eq!(open(&test.app, &token).await.status, 200, "whoever has the link is not held up");
        test.clock.advance_ms(15 * 60 * 1000);
        assert_eq!(open(&test.app, "x").await.status, 404);
    }

    async fn what_is_wrong_is_said_beside_its_field_and_the_rest_is_kept(database) {
        let test = TestApp::empty(database).await;
        let token = test.app.first_run_token().await.unwrap().unwrap();
        let wrong: [(Changes, &[&str]); 5] = [
            (&[("org_name", " "), ("email", "ann@"), ("password", "short")], &["org_name", "email", "password", "password_again"]),
            (&[("slug", "Spoke Wheel")], &["slug"]),
            (&[("region", "ZZ")], &["region"]),
            (&[("name", "")], &["name"]),
            (&[("password_again", "correct horse batterie")], &["password_again"]),
        ];
        for (changes, fields) in wrong {
            let form = submit(&test.app, &token, &but(changes)).await;
            assert_eq!(form.status, 422, "{changes:?}");
            for (name, _) in TYPED {
                assert_eq!(form.html.contains(&format!("id=\"{name}-error\"")), fields.contains(&name), "{name} of {changes:?}: {}", form.html);
                assert_eq!(form.html.contains(&format!("href=\"#{name}\"")), fields.contains(&name), "{name} of {changes:?}");
            }
            assert!(form.html.contains("value=\"Ann Baker\"") || fields.contains(&"name"), "{}", form.html);
            assert!(!form.html.contains("correct horse"), "a password is not shown again");
        }
        let hostile = submit(&test.app, &token, &but(&[("org_name", "\"><script>x</script>"), ("name", "")])).await;
        assert!(hostile.html.contains("&lt;script&gt;"), "{}", hostile.html);
        assert_eq!(submit(&test.app, &token, &[]).await.status, 422, "nothing typed");
        assert_eq!(submit(&test.app, &token, &TYPED).await.status, 201);
    }
}
