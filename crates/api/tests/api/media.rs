//! Files over HTTP: uploads and their refusals, links and what they open, and messages with files.

use axum::body::Body;
use bytes::Bytes;
use futures::StreamExt as _;
use parlance_app::media::KEPT_MS;
use parlance_model::role::Role;
use parlance_testkit::{PIXEL, both_databases};
use serde_json::{Value, json};

use crate::support::{Answer, CUSTOMER, Client, MEDIA_LIMIT, NUMBER, SID, TestApp, inbound_form, sid};

const BOUNDARY: &str = "---parlance-test";

/// A part of a form.
fn part(name: &str, file_name: &str, content: &[u8]) -> Vec<u8> {
    let head = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"{file_name}\"\r\nContent-Type: image/png\r\n\r\n"
    );
    [head.as_bytes(), content, b"\r\n"].concat()
}

/// The end of a form.
fn end() -> Vec<u8> {
    format!("--{BOUNDARY}--\r\n").into_bytes()
}

async fn post(client: &Client, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
    let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
    let headers: Vec<_> = headers.iter().copied().chain([("content-type", content_type.as_str())]).collect();
    client.send("POST", "/api/v1/media", &headers, body).await
}

async fn upload(client: &Client, name: &str, content: &[u8]) -> Value {
    client.upload(name, content).await.expect(201).data().clone()
}

/// The path and query of a link.
fn path(link: &Value) -> String {
    let link = link.as_str().unwrap();
    link[link.find("/media/").unwrap()..].to_owned()
}

async fn send(client: &Client, body: Value) -> Answer {
    let mut body = body;
    body["phone"] = json!(CUSTOMER);
    client.post("/api/v1/conversations/send", body).await
}

both_databases! {
    async fn an_upload_comes_back_byte_for_byte_by_its_link(database) {
        let (app, _, staff) = TestApp::new(database).await;
        let made = upload(&staff, "Grüße.png", PIXEL).await;
        assert_eq!((&made["content_type"], &made["size"], &made["name"]), (&json!("image/png"), &json!(PIXEL.len()), &json!("Grüße.png")));
        assert_eq!((&made["width"], &made["height"], made["links_end_at"].is_string()), (&json!(1), &json!(1), true));
        assert!(made["url"].as_str().unwrap().starts_with(&format!("{}/media/", app.public_url)), "{made}");
        let (link, nobody) = (path(&made["url"]), app.anonymous());
        let whole = nobody.get(&link).await.expect(200);
        assert_eq!(whole.body, PIXEL);
        for (name, value) in [
            ("content-type", "image/png"),
            ("content-disposition", "inline; filename=\"Gr__e.png\"; filename*=UTF-8''Gr%C3%BC%C3%9Fe.png"),
            ("x-content-type-options", "nosniff"),
            ("content-security-policy", "sandbox; default-src 'none'"),
            ("accept-ranges", "bytes"),
            ("cache-control", "private, max-age=25200, immutable"),
        ] {
            assert_eq!(whole.header(name), value, "{name}");
        }
        assert_eq!(whole.header("content-length"), PIXEL.len().to_string());
        let head = nobody.send("HEAD", &link, &[], "").await.expect(200);
        assert_eq!((head.body.len(), head.header("content-length"), head.header("etag")), (0, whole.header("content-length"), whole.header("etag")));
        let part = nobody.send("GET", &link, &[("range", "bytes=1-3")], "").await.expect(206);
        assert_eq!((&part.body[..], part.header("content-range")), (&b"PNG"[..], format!("bytes 1-3/{}", PIXEL.len()).as_str()));
        let outside = nobody.send("GET", &link, &[("range", "bytes=1000-")], "").await.expect_problem(416, "no_such_range");
        assert_eq!(outside.header("content-range"), format!("bytes */{}", PIXEL.len()));
        let kept = nobody.send("GET", &link, &[("if-none-match", whole.header("etag"))], "").await.expect(304);
        assert_eq!((kept.body.len(), kept.header("etag")), (0, whole.header("etag")));
        let small = nobody.get(&path(&made["thumbnail_url"])).await.expect(200);
        assert_eq!((small.header("content-type"), &small.body[1..4]), ("image/png", &b"PNG"[..]));
        let again = staff.get(&format!("/api/v1/media/{}", made["id"])).await.expect(200);
        assert_eq!(again.data(), &made);
    }

    async fn a_link_opens_its_file_until_it_ends_and_nothing_else(database) {
        let (app, _, staff) = TestApp::new(database).await;
        let other = app.org("other").await;
        let theirs = app.staff(&other, "bob", Role::Owner).await;
        let (ours, foreign) = (upload(&staff, "a.png", PIXEL).await, upload(&theirs, "b.png", b"theirs").await);
        let (link, nobody) = (path(&ours["url"]), app.anonymous());
        nobody.get(&link).await.expect(200);
        let (place, seal) = link.split_once('?').unwrap();
        let (expires, signature) = seal.split_once('&').unwrap();
        let last = if signature.ends_with('A') { "B" } else { "A" };
        for wrong in [
            path(&foreign["url"]).replace(path(&foreign["url"]).split_once('?').unwrap().1, seal),
            format!("{}?{seal}", path(&foreign["url"]).split_once('?').unwrap().0),
            format!("{}?{seal}", place.replace("/file", "/thumbnail")),
            format!("{place}?{expires}0&{signature}"),
            format!("{place}?{expires}&{}{last}", &signature[..signature.len() - 1].replace("signature=", "signature=x")),
            format!("{place}?{expires}"),
            format!("{place}?{signature}"),
            place.to_owned(),
            "/media/1/1/secret?expires=1&signature=a".to_owned(),
            "/media/x/1/file?expires=1&signature=a".to_owned(),
            "/media/1/%00/file?expires=%ff&signature=%ff".to_owned(),
        ] {
            nobody.get(&wrong).await.expect_problem(404, "not_found");
        }
        theirs.get(&format!("/api/v1/media/{}", ours["id"])).await.expect_problem(404, "not_found");
        app.clock.advance_ms(7 * 60 * 60 * 1000 - 1);
        nobody.get(&link).await.expect(200);
        app.clock.advance_ms(1);
        nobody.get(&link).await.expect_problem(410, "link_expired");
    }

    async fn the_links_of_a_disabled_org_open_nothing(database) {
        let (app, org, staff) = TestApp::new(database).await;
        let made = upload(&staff, "a.png", PIXEL).await;
        let links = [path(&made["url"]), path(&made["thumbnail_url"])];
        app.app.set_org_enabled(&org.slug, false).await.unwrap();
        for link in &links {
            let nobody = app.anonymous();
            nobody.get(link).await.expect_problem(403, "org_disabled");
            nobody.send("GET", link, &[("if-none-match", "*")], "").await.expect_problem(403, "org_disabled");
            // Whoever has no link learns nothing.
            nobody.get(&format!("{link}x")).await.expect_problem(404, "not_found");
        }
        app.app.set_org_enabled(&org.slug, true).await.unwrap();
        for link in &links {
            app.anonymous().get(link).await.expect(200);
        }
    }

    async fn a_list_with_a_file_is_another_when_its_links_turn_and_the_old_link_still_opens(database) {
        const HOUR_MS: i64 = 60 * 60 * 1000;
        let (app, _, staff) = TestApp::new(database).await;
        let file = upload(&staff, "a.png", PIXEL).await["id"].clone();
        // Nobody sends it, so that nothing but the hour changes the list.
        app.app.shutdown().await;
        let body = json!({ "phone": CUSTOMER, "media_ids": [file] });
        let sent = staff.post_with("/api/v1/conversations/send", &[("prefer", "respond-async")], body).await.expect(201);
        let list = format!("/api/v1/conversations/{}/messages", sent.data()["conversation"]["id"]);
        let link_in = |answer: &Answer| path(&answer.json["data"][0]["attachments"][0]["url"]);
        // To the middle of an hour.
        app.clock.advance_ms(HOUR_MS / 2);
        let first = staff.get(&list).await.expect(200);
        let known = async |tag: &str| staff.send("GET", &list, &[("if-none-match", tag)], "").await;
        known(first.header("etag")).await.expect(304);
        app.clock.advance_ms(HOUR_MS / 2 - 1);
        known(first.header("etag")).await.expect(304);
        app.clock.advance_ms(1);
        let second = known(first.header("etag")).await.expect(200);
        assert_ne!(second.header("etag"), first.header("etag"));
        assert_ne!(link_in(&second), link_in(&first));
        known(second.header("etag")).await.expect(304);
        // Six hours after it was last shown.
        app.clock.advance_ms(6 * HOUR_MS - 1);
        assert_eq!(app.anonymous().get(&link_in(&first)).await.expect(200).body, PIXEL);
        app.clock.advance_ms(1);
        app.anonymous().get(&link_in(&first)).await.expect_problem(410, "link_expired");
        app.anonymous().get(&link_in(&second)).await.expect(200);
    }

    async fn a_file_is_what_its_content_says_and_scripts_are_never_shown_in_place(database) {
        let (app, _, staff) = TestApp::new(database).await;
        for (content, kind) in [
            (&b"<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>"[..], "image/svg+xml"),
            (b"<!DOCTYPE html><script>alert(1)</script>", "text/html"),
            (b"<?xml version=\"1.0\"?><svg/>", "text/xml"),
            (b"%PDF-1.7", "application/pdf"),
            (b"hello", "text/plain"),
            (b"\0\x01\x02", "application/octet-stream"),
        ] {
            let made = upload(&staff, "photo.png", content).await;
            assert_eq!((&made["content_type"], &made["thumbnail_url"]), (&json!(kind), &Value::Null));
            let got = app.anonymous().get(&path(&made["url"])).await.expect(200);
            assert_eq!((got.header("content-type"), got.header("content-disposition")), (kind, "attachment; filename=\"photo.png\""));
            assert_eq!((&got.body[..], got.header("x-content-type-options")), (content, "nosniff"));
        }
        let bomb = upload(&staff, "bomb.gif", b"GIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\xff\xff\xff\xff\0\x02\x02\x44\x01\0;").await;
        assert_eq!((&bomb["content_type"], &bomb["thumbnail_url"], &bomb["width"]), (&json!("image/gif"), &Value::Null, &Value::Null));
    }

    async fn an_upload_that_is_not_one_whole_file_is_refused(database) {
        let (app, _, staff) = TestApp::new(database).await;
        let file = part("file", "a.png", PIXEL);
        post(&staff, &[], end()).await.expect_wrong("file");
        post(&staff, &[], [part("photo", "a.png", PIXEL), end()].concat()).await.expect_wrong("file");
        post(&staff, &[], [part("file", "a.png", b""), end()].concat()).await.expect_wrong("file");
        post(&staff, &[], [file.clone(), file.clone(), end()].concat()).await.expect_wrong("file");
        for cut in [0, 10, file.len() / 2, file.len() - 1, file.len()] {
            post(&staff, &[], file[..cut].to_vec()).await.expect_problem(400, "broken_body");
        }
        for content_type in ["application/json", "multipart/form-data", "text/plain", ""] {
            staff.send("POST", "/api/v1/media", &[("content-type", content_type)], file.clone()).await.expect_problem(415, "unsupported_media_type");
        }
        let whole = [part("comment", "", b"ignored"), file, end()].concat();
        app.anonymous().send("POST", "/api/v1/media", &[], whole.clone()).await.expect_problem(401, "unauthenticated");
        staff.get("/api/v1/media").await.expect_problem(405, "method_not_allowed");
        post(&staff, &[], whole).await.expect(201);
    }

    async fn a_file_above_the_limit_is_refused_however_it_comes(database) {
        let (app, _, staff) = TestApp::new(database).await;
        let limit = usize::try_from(MEDIA_LIMIT).unwrap();
        let just = [part("file", "a.bin", &vec![7; limit]), end()].concat();
        assert_eq!(post(&staff, &[], just).await.expect(201).data()["size"], limit);
        let announced = (MEDIA_LIMIT + 100_000).to_string();
        post(&staff, &[("content-length", &announced)], end()).await.expect_problem(413, "file_too_large");
        let piece = Bytes::from(vec![7; 1 << 20]);
        let pieces = std::iter::once(Bytes::from(part("file", "a.bin", b""))).chain(std::iter::repeat_n(piece.clone(), 9));
        let streamed = |pieces: Vec<Bytes>| Body::from_stream(futures::stream::iter(pieces.into_iter().map(Ok::<_, std::io::Error>)));
        let mut pieces: Vec<_> = pieces.collect();
        // Without the form's line end, what follows belongs to the file.
        let head = pieces[0].len() - 2;
        pieces[0].truncate(head);
        post(&staff, &[], streamed(pieces)).await.expect_problem(413, "file_too_large");
        let crowd = vec![Bytes::from(part("comment", "x", &piece)), Bytes::from([part("file", "a.png", PIXEL), end()].concat())];
        post(&staff, &[], streamed(crowd)).await.expect_problem(413, "body_too_large");
        let broken = futures::stream::iter([Ok(Bytes::from(part("file", "a.bin", b"some"))), Err(std::io::Error::other("gone"))]);
        post(&staff, &[], Body::from_stream(broken)).await.expect_problem(400, "broken_body");
        let kept: Vec<_> = std::fs::read_dir(app.files.path()).unwrap().flat_map(|org| std::fs::read_dir(org.unwrap().path()).unwrap()).collect();
        let files: usize = kept.into_iter().map(|folder| std::fs::read_dir(folder.unwrap().path()).unwrap().count()).sum();
        assert_eq!(files, 1, "what was refused is gone");
    }

    async fn an_org_that_uploads_slowly_leaves_places_for_the_others(database) {
        let (app, _, staff) = TestApp::new(database).await;
        let other = app.org("other").await;
        let theirs = app.staff(&other, "bob", Role::Owner).await;
        let (go, _) = tokio::sync::broadcast::channel::<()>(1);
        let mut slow = tokio::task::JoinSet::new();
        for _ in 0..4 {
            // What is asked for after the first bytes of the file is asked for by an upload that has its place.
            let (begun, has_begun) = tokio::sync::oneshot::channel();
            let mut gone_on = go.subscribe();
            let head = part("file", "a.txt", b"some text");
            let first = futures::stream::iter([head[..head.len() - 8].to_vec(), head[head.len() - 8..head.len() - 4].to_vec()]);
            let rest = futures::stream::once(async move {
                begun.send(()).unwrap();
                gone_on.recv().await.unwrap();
                [&head[head.len() - 4..], &end()].concat()
            });
            let body = Body::from_stream(first.chain(rest).map(Ok::<_, std::io::Error>));
            let staff = staff.clone();
            slow.spawn(async move { post(&staff, &[], body).await.expect(201) });
            has_begun.await.unwrap();
        }
        let refused = staff.upload("b.txt", b"more").await.expect_problem(429, "too_many_uploads");
        assert_eq!(refused.header("retry-after"), "5");
        upload(&theirs, "c.txt", b"theirs").await;
        go.send(()).unwrap();
        assert_eq!(slow.join_all().await.len(), 4);
        upload(&staff, "b.txt", b"more").await;
    }

    async fn a_repeated_upload_under_one_key_is_one_file(database) {
        let (_app, _, staff) = TestApp::new(database).await;
        let key = [("idempotency-key", "upload-1")];
        let form = |content: &[u8]| [part("file", "a.png", content), end()].concat();
        let first = post(&staff, &key, form(PIXEL)).await.expect(201);
        let again = post(&staff, &key, form(PIXEL)).await.expect(201);
        assert_eq!((again.header("idempotent-replayed"), again.data()), ("true", first.data()));
        post(&staff, &key, form(b"another")).await.expect_problem(422, "idempotency_mismatch");
        let other = post(&staff, &[], form(PIXEL)).await.expect(201);
        assert_ne!(other.data()["id"], first.data()["id"], "without a key, the same bytes are another file");
    }

    async fn a_message_of_files_alone_goes_out_with_links_that_open(database) {
        let (app, _, staff) = TestApp::new(database).await;
        let file = upload(&staff, "a.png", PIXEL).await;
        let body = json!({ "media_ids": [file["id"]], "media_urls": ["https://example.com/b.jpg?x=1"] });
        let sent = send(&staff, body).await.expect(201);
        let shown = &sent.data()["message"]["attachments"];
        assert_eq!((&shown[0]["id"], &shown[0]["url"], &shown[0]["thumbnail_url"]), (&file["id"], &file["url"], &file["thumbnail_url"]));
        assert_eq!((&shown[0]["content_type"], &shown[0]["size"], &shown[0]["name"]), (&file["content_type"], &file["size"], &file["name"]));
        assert_eq!(shown[1], json!({ "id": null, "url": "https://example.com/b.jpg?x=1", "thumbnail_url": null, "content_type": null,
            "size": null, "name": null, "width": null, "height": null, "error_code": null, "error_message": null }));
        assert_eq!((&sent.data()["message"]["body"], &sent.data()["conversation"]["last_message_preview"]), (&json!(""), &json!("2 files")));
        let taken = app.sim.messages()[0].clone();
        assert_eq!((taken.body.as_str(), taken.media.len(), taken.media[1].url.as_str()), ("", 2, "https://example.com/b.jpg?x=1"));
        let link = path(&json!(taken.media[0].url));
        assert_eq!(app.anonymous().get(&link).await.expect(200).body, PIXEL);
        let thread = format!("/api/v1/conversations/{}/messages", sent.data()["conversation"]["id"]);
        assert_eq!(&staff.get(&thread).await.expect(200).json["data"][0]["attachments"], shown);
        assert_eq!(&staff.get(thread.trim_end_matches("/messages")).await.data()["messages"][0]["attachments"], shown);
        app.clock.advance_ms(71 * 60 * 60 * 1000);
        app.anonymous().get(&link).await.expect(200);
        app.clock.advance_ms(60 * 60 * 1000);
        app.anonymous().get(&link).await.expect_problem(410, "link_expired");

        let reply = staff.post(&thread, json!({ "media_ids": [file["id"]], "message": " " })).await.expect(201);
        assert_eq!((&reply.data()["message"]["attachments"][0]["id"], &reply.data()["conversation"]["last_message_preview"]), (&file["id"], &json!("Photo")));
        let with_text = staff.post(&thread, json!({ "media_ids": [file["id"]], "message": "Look!" })).await.expect(201);
        assert_eq!(with_text.data()["conversation"]["last_message_preview"], "Look!");
    }

    async fn ten_media_go_out_with_links_that_open_and_an_eleventh_is_refused(database) {
        let (app, _, staff) = TestApp::new(database).await;
        let mut ids = Vec::new();
        for number in 0..5 {
            ids.push(upload(&staff, &format!("{number}.png"), PIXEL).await["id"].clone());
        }
        let urls: Vec<_> = (0..5).map(|number| format!("https://example.com/{number}.png")).collect();
        let more = [&urls[..], &["https://example.com/6.png".to_owned()]].concat();
        send(&staff, json!({ "media_ids": ids, "media_urls": more })).await.expect_wrong("media_ids");
        send(&staff, json!({ "media_ids": ids, "media_urls": urls })).await.expect(201);
        let [taken] = app.sim.messages().try_into().unwrap();
        assert_eq!(taken.media.iter().skip(5).map(|media| media.url.clone()).collect::<Vec<_>>(), urls);
        // Longer than Twilio keeps a message in its queue, which is ten hours.
        app.clock.advance_ms(24 * 60 * 60 * 1000);
        for media in &taken.media[..5] {
            let opened = app.anonymous().get(&path(&json!(media.url))).await.expect(200);
            assert_eq!((opened.header("content-type"), &opened.body[..]), ("image/png", PIXEL));
        }
    }

    async fn files_that_cannot_be_sent_are_refused_and_nothing_is_stored(database) {
        let (app, _, staff) = TestApp::new(database).await;
        let other = app.org("other").await;
        let theirs = app.staff(&other, "bob", Role::Owner).await;
        let foreign = upload(&theirs, "a.png", PIXEL).await["id"].clone();
        let file = upload(&staff, "a.png", PIXEL).await["id"].clone();
        for id in [foreign, json!(999), json!(-1), json!(0)] {
            send(&staff, json!({ "media_ids": [id], "message": "x" })).await.expect_problem(404, "not_found");
        }
        let html = upload(&staff, "a.png", b"<!DOCTYPE html>").await["id"].clone();
        let refused = send(&staff, json!({ "media_ids": [file, html] })).await.expect_wrong("media_ids");
        assert!(refused.text().contains("text/html"), "{}", refused.text());
        let large = [PIXEL, &vec![0; 6 << 20]].concat();
        let large = upload(&staff, "a.png", &large).await["id"].clone();
        assert!(send(&staff, json!({ "media_ids": [large] })).await.expect_wrong("media_ids").text().contains("5 MB"));
        let url = "https://example.com/a.png";
        for (body, field) in [
            (json!({ "media_ids": [file, file] }), "media_ids"),
            (json!({ "media_ids": file }), "media_ids"),
            (json!({ "media_ids": ["1"] }), "media_ids[0]"),
            (json!({ "media_ids": (1..12).collect::<Vec<_>>() }), "media_ids"),
            (json!({ "media_urls": vec![url; 11] }), "media_urls"),
            (json!({ "media_ids": [file], "media_urls": vec![url; 10] }), "media_ids"),
            (json!({ "media_urls": ["ftp://example.com/a"] }), "media_urls"),
            (json!({ "media_urls": ["a.png"] }), "media_urls"),
            (json!({ "media_urls": url }), "media_urls"),
            (json!({ "media_ids": [], "media_urls": [] }), "message"),
        ] {
            send(&staff, body).await.expect_wrong(field);
        }
        assert_eq!(staff.get("/api/v1/conversations").await.json["meta"]["total"], 0);
        send(&staff, json!({ "media_ids": [file] })).await.expect(201);
    }

    async fn no_way_to_send_takes_a_file_that_is_not_the_orgs_to_send_and_nothing_is_written(database) {
        let (app, _, staff) = TestApp::new(database).await;
        let other = app.org("other").await;
        let theirs = app.staff(&other, "bob", Role::Owner).await;
        let foreign = upload(&theirs, "a.png", PIXEL).await["id"].clone();
        let swept = upload(&staff, "a.png", PIXEL).await["id"].clone();
        app.clock.advance_ms(KEPT_MS + 1);
        assert_eq!(app.app.sweep_media().await.unwrap(), 2);
        app.inbound(&sid(1), CUSTOMER, "Hello!").await;
        let thread = format!("/api/v1/conversations/{}/messages", staff.get("/api/v1/conversations").await.data()[0]["id"]);
        // One whose file never came whole, one that was dropped, and one that is fine.
        let broken = futures::stream::iter([Ok(Bytes::from(part("file", "a.bin", b"some"))), Err(std::io::Error::other("gone"))]);
        post(&staff, &[], Body::from_stream(broken)).await.expect_problem(400, "broken_body");
        let fine = upload(&staff, "a.png", PIXEL).await["id"].clone();
        let half = json!(fine.as_i64().unwrap() - 1);
        // Nothing moves but by what is asked here, the search index neither.
        app.app.shutdown().await;
        let before = app.contents();
        for id in [foreign, swept, half, json!(i64::MAX), json!(0), json!(-1)] {
            for media_ids in [json!([id]), json!([fine, id]), json!([id, fine])] {
                for (path, mut body) in [("/api/v1/conversations/send", json!({ "phone": CUSTOMER })), (thread.as_str(), json!({}))] {
                    (body["media_ids"], body["message"]) = (media_ids.clone(), json!("x"));
                    staff.post(path, body).await.expect_problem(404, "not_found");
                }
            }
        }
        assert_eq!(app.contents(), before);
        // A file may be in any number of messages, also after it was sent.
        for _ in 0..2 {
            staff.post_with(&thread, &[("prefer", "respond-async")], json!({ "media_ids": [fine] })).await.expect(201);
        }
    }

    async fn a_repeated_send_with_files_is_one_message(database) {
        let (app, _, staff) = TestApp::new(database).await;
        let file = upload(&staff, "a.png", PIXEL).await["id"].clone();
        let body = json!({ "phone": CUSTOMER, "media_ids": [file] });
        let key = [("idempotency-key", "send-1")];
        let first = staff.post_with("/api/v1/conversations/send", &key, body.clone()).await.expect(201);
        let again = staff.post_with("/api/v1/conversations/send", &key, body).await.expect(201);
        assert_eq!((first.data(), app.sim.messages().len()), (again.data(), 1));
    }

    async fn a_file_that_came_in_shows_its_type_and_never_its_address(database) {
        let (app, _, staff) = TestApp::new(database).await;
        let mut form = inbound_form("SM00000000000000000000000000000001", CUSTOMER, NUMBER, "");
        form.retain(|(name, _)| *name != "NumMedia");
        let url = app.sim.base_url().join(&format!("2010-04-01/Accounts/{SID}/Messages/{}/Media/ME1", sid(1))).unwrap().to_string();
        form.extend([("NumMedia", "1"), ("MediaUrl0", url.as_str()), ("MediaContentType0", "image/jpeg")]);
        assert_eq!(app.hook("/webhooks/twilio", &form).await.status, 200);
        let listed = staff.get("/api/v1/conversations").await.json["data"][0].clone();
        assert_eq!(listed["last_message_preview"], "Photo");
        let thread = staff.get(&format!("/api/v1/conversations/{}", listed["id"])).await.expect(200);
        let shown = &thread.data()["messages"][0]["attachments"][0];
        assert_eq!((&shown["content_type"], &shown["url"], &shown["id"]), (&json!("image/jpeg"), &Value::Null, &Value::Null));
        assert_eq!((&shown["error_code"], &shown["error_message"]), (&Value::Null, &Value::Null));
        assert!(!thread.text().contains("/Media/"), "{}", thread.text());
    }
}
