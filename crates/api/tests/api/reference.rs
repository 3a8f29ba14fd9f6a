//! The reference at `/docs`: whole, from this server alone, and every link in it leads somewhere.

use std::collections::BTreeSet;

use parlance_testkit::Database;

use crate::openapi::{document, operations};
use crate::support::{Answer, TestApp};

/// The values of an attribute, in order.
fn values<'a>(page: &'a str, attribute: &str) -> Vec<&'a str> {
    let opening = format!(" {attribute}=\"");
    page.split(opening.as_str()).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

async fn page(app: &TestApp, path: &str) -> Answer {
    let answer = app.anonymous().get(path).await.expect(200);
    assert_eq!((answer.header("content-type"), answer.header("x-content-type-options")), ("text/html; charset=utf-8", "nosniff"));
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_has_every_operation_and_every_code() {
    let (app, _, _) = TestApp::new(Database::Sqlite).await;
    let page = page(&app, "/docs").await;
    let ids: BTreeSet<_> = values(page.text(), "id").into_iter().collect();
    assert_eq!(ids.len(), values(page.text(), "id").len(), "an anchor is there twice");
    let document = document(&app.anonymous()).await;
    for operation in operations(&document) {
        assert!(ids.contains(operation.id()), "{} is not on the page", operation.id());
        assert!(page.text().contains(operation.value["summary"].as_str().unwrap().split('\'').next().unwrap()), "{}", operation.id());
    }
    assert!(!page.text().contains(">any<"), "a field is shown without its type: teach reference/schema.rs");
    for code in document["components"]["examples"].as_object().unwrap().keys() {
        assert!(ids.contains(format!("problem-{code}").as_str()), "{code} is not on the page");
        let answer = app.anonymous().get(&format!("/problems/{code}")).await.expect(302);
        assert_eq!(answer.header("location"), format!("/docs#problem-{code}"));
    }
    app.anonymous().get("/problems/no_such_code").await.expect_problem(404, "not_found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_comes_from_another_host_and_nothing_is_inline() {
    let (app, _, _) = TestApp::new(Database::Sqlite).await;
    for path in ["/docs", "/docs/changelog"] {
        let page = page(&app, path).await;
        let policy = page.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe") && !policy.contains("http"), "{policy}");
        let text = page.text();
        assert!(!text.contains("<style") && !text.contains(" style=") && !text.contains(" onclick="), "{path}");
        for source in values(text, "src") {
            assert!(source.starts_with("/docs/"), "{path}: {source}");
        }
        for link in text.split("<link ").skip(1).map(|rest| values(&rest[..rest.find('>').unwrap()], "href")) {
            assert!(link == ["/docs/page.css"] || link == ["data:,"], "{path}: {link:?}");
        }
    }
    for file in ["/docs/page.css", "/docs/page.js"] {
        let answer = app.anonymous().get(file).await.expect(200);
        assert!(!answer.text().contains("http:") && !answer.text().contains("https:") && !answer.text().contains("@import"), "{file}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_link_leads_somewhere() {
    let (app, _, _) = TestApp::new(Database::Sqlite).await;
    let reference = page(&app, "/docs").await;
    let ids: BTreeSet<_> = values(reference.text(), "id").into_iter().collect();
    for path in ["/docs", "/docs/changelog"] {
        let page = page(&app, path).await;
        for link in values(page.text(), "href") {
            match link.strip_prefix('#') {
                Some(anchor) => assert!(ids.contains(anchor), "{path}: {link}"),
                None if link.starts_with('/') => drop(app.anonymous().get(link).await.expect(200)),
                None => assert!(link == "data:," || link.starts_with("https://www.rfc-editor.org/"), "{path}: {link}"),
            }
        }
    }
}
