//! Files that come in: fetched, kept once, and what is said of those that cannot be had.

use std::path::Path;

use bytes::Bytes;
use parlance_app::account::{AccountChanges, VoiceChanges};
use parlance_app::directory::{ApiKey, NewTwilio};
use parlance_app::media::{KEPT_MS, ShownFile};
use parlance_model::conversation::Conversation;
use parlance_model::event::Event;
use parlance_model::message::Attachment;
use parlance_sim::twilio::{Fault, FaultKind, Inbound as SimInbound, InboundMedia, MediaContent};
use parlance_store::{event, health};
use parlance_testkit::{Database, PIXEL, both_databases};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::fixture::{CUSTOMER, Fixture, KEY_SECRET, KEY_SID, MEDIA_LIMIT, NUMBER as OWN_NUMBER, SID, TOKEN, hook, sid};

/// The number of the account whose API the test itself plays.
const NUMBER: &str = "+15557654321";
const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;

/// An installation, and the server at which its provider keeps files.
struct On {
    on: Fixture,
    server: TcpListener,
}

fn answer(status: &str, content: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", content.len());
    [head.as_bytes(), content].concat()
}

/// Every file of the media store but thumbnails.
fn kept_files(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| if path.is_dir() { kept_files(&path) } else { usize::from(path.extension().is_none()) }).sum()
}

/// The conversation, and the files of its message.
async fn look(on: &Fixture) -> (Conversation, Vec<ShownFile>) {
    let found = on.conversations().await.remove(0);
    let (_, messages) = on.app.conversation(&on.who, found.id).await.unwrap();
    let [shown] = messages.try_into().unwrap_or_else(|_| panic!("one message"));
    (found, shown.files)
}

/// Why the only file is not here. `None` while it is being fetched.
async fn refused(on: &Fixture) -> Option<String> {
    match look(on).await.1.remove(0).attachment {
        Attachment::Remote { error, .. } => error.map(|error| error.code),
        other => panic!("{other:?}"),
    }
}

impl On {
    async fn new(database: Database) -> Self {
        let on = Fixture::new(database).await;
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let twilio = NewTwilio {
            account_sid: SID.into(),
            auth_token: TOKEN.into(),
            api_key: None,
            phone_number: NUMBER.into(),
            messaging_service_sid: None,
            whatsapp_number: None,
            base_url: Some(format!("http://{}", server.local_addr().unwrap())),
            messages_per_second: Some(0),
            voice: VoiceChanges::default(),
        };
        on.app.create_twilio("acme", twilio).await.unwrap();
        Self { on, server }
    }

    /// A message with files that are announced as these types.
    async fn comes_in(&self, body: &str, types: &[&str]) {
        let origin = format!("http://{}", self.server.local_addr().unwrap());
        let mut form: Vec<_> = [("AccountSid", SID), ("MessageSid", &sid(1)), ("From", CUSTOMER), ("To", NUMBER), ("Body", body)]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        form.push(("NumMedia".to_owned(), types.len().to_string()));
        for (index, kind) in types.iter().enumerate() {
            form.push((format!("MediaUrl{index}"), format!("{origin}/{index}")));
            form.push((format!("MediaContentType{index}"), (*kind).to_owned()));
        }
        let form: Vec<_> = form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.on.app.hook(hook("/webhooks/twilio", &form)).await.unwrap();
    }

    async fn asked(&self) -> TcpStream {
        let (mut stream, _) = self.server.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        stream
    }

    /// Runs what is due while the provider gives these answers, one to each request.
    async fn runs(&self, answers: &[Vec<u8>]) -> usize {
        let provider = async {
            for answer in answers {
                self.asked().await.write_all(answer).await.unwrap();
            }
        };
        tokio::join!(async { self.on.app.run_jobs().await.unwrap() }, provider).0
    }

    async fn look(&self) -> (Conversation, Vec<ShownFile>) {
        look(&self.on).await
    }

    async fn refused(&self) -> Option<String> {
        refused(&self.on).await
    }

    async fn updates(&self) -> usize {
        let events = self.on.app.store().read(self.on.who.org, |tx| event::after(tx, 0, 1000)).await.unwrap();
        events.iter().filter(|entry| matches!(entry.event, Event::MessageUpdated { .. })).count()
    }
}

/// A picture that a customer of the simulated Twilio sends.
async fn simulated(on: &Fixture) {
    let media = vec![InboundMedia { content_type: "image/png".into(), content: MediaContent::Bytes(Bytes::from_static(PIXEL)) }];
    on.sim.inbound(SimInbound { media, ..SimInbound::text(CUSTOMER, OWN_NUMBER, "") }).await;
    let message = on.sim.messages().pop().unwrap();
    let form = [
        ("AccountSid", SID),
        ("MessageSid", &message.sid),
        ("From", CUSTOMER),
        ("To", OWN_NUMBER),
        ("Body", ""),
        ("NumMedia", "1"),
        ("MediaUrl0", &message.media[0].url),
        ("MediaContentType0", "image/png"),
    ];
    on.app.hook(hook("/webhooks/twilio", &form)).await.unwrap();
}

both_databases! {
    async fn files_on_another_origin_are_fetched_without_credentials(database) {
        let on = Fixture::new(database).await;
        on.sim.fault(Fault::new(FaultKind::MediaLate).times(1));
        simulated(&on).await;
        assert_eq!(on.app.run_jobs().await.unwrap(), 1);
        assert_eq!(refused(&on).await, None, "it is late");
        on.clock.advance_ms(1000);
        assert_eq!(on.app.run_jobs().await.unwrap(), 1);
        assert!(matches!(look(&on).await.1[0].attachment, Attachment::Stored { .. }));
        assert_eq!(on.sim.leaks(), Vec::<String>::new());
    }

    async fn a_redirect_into_a_private_network_or_to_nothing_is_given_up(database) {
        for (fault, code) in [
            (FaultKind::MediaRedirect { url: "http://10.0.0.1/picture".into() }, "outbound_blocked"),
            (FaultKind::MediaRedirect { url: "http://169.254.169.254/latest/meta-data".into() }, "outbound_blocked"),
            (FaultKind::MediaGone { status: 403 }, "not_there"),
        ] {
            let on = Fixture::new(database).await;
            on.sim.fault(Fault::new(fault));
            simulated(&on).await;
            assert_eq!(on.app.run_jobs().await.unwrap(), 1);
            assert_eq!((refused(&on).await.as_deref(), on.sim.leaks().len()), (Some(code), 0));
        }
    }

    async fn files_that_come_in_are_kept_and_shown(database) {
        let on = On::new(database).await;
        on.comes_in("", &["application/octet-stream", "image/png"]).await;
        assert_eq!(on.look().await.0.preview, "2 files");
        assert_eq!(on.runs(&[answer("200 OK", PIXEL), answer("200 OK", PIXEL)]).await, 2);
        let (conversation, files) = on.look().await;
        for file in &files {
            assert!(matches!(&file.attachment, Attachment::Stored { facts, has_thumbnail: true, .. }
                if (facts.content_type.as_str(), facts.name.as_str(), facts.width) == ("image/png", "file.png", Some(1))));
            assert!(file.url.is_some() && file.thumbnail_url.is_some());
        }
        assert_eq!((conversation.preview.as_str(), on.updates().await), ("2 photos", 2));
        on.on.clock.advance_ms(30 * KEPT_MS);
        assert_eq!(on.on.app.sweep_media().await.unwrap(), 0);
        assert_eq!(on.runs(&[]).await, 0);
        on.on.assert_healthy().await;
    }

    async fn a_file_that_is_not_there_yet_is_asked_for_again(database) {
        let on = On::new(database).await;
        on.comes_in("Look!", &["image/png"]).await;
        assert_eq!(on.runs(&[answer("404 Not Found", b"")]).await, 1);
        assert_eq!((on.refused().await, on.updates().await), (None, 0));
        assert_eq!(on.runs(&[]).await, 0, "not at once");
        on.on.clock.advance_ms(1000);
        assert_eq!(on.runs(&[answer("200 OK", PIXEL)]).await, 1);
        let (conversation, files) = on.look().await;
        assert!(matches!(files[0].attachment, Attachment::Stored { .. }));
        assert_eq!(conversation.preview, "Look!");
        on.on.assert_healthy().await;
    }

    async fn a_file_that_never_comes_is_given_up_and_says_why(database) {
        let on = On::new(database).await;
        on.comes_in("", &["image/png"]).await;
        // For seven days.
        let waits = [1, 5, 30, 2 * 60, 10 * 60, 60 * 60].into_iter().chain([6 * 60 * 60; 28]);
        for wait_s in waits {
            assert_eq!(on.runs(&[answer("404 Not Found", b"")]).await, 1);
            assert_eq!(on.refused().await, None);
            on.on.clock.advance_ms(wait_s * 1000 - 1);
            assert_eq!(on.runs(&[]).await, 0, "{wait_s}");
            on.on.clock.advance_ms(1);
        }
        assert_eq!(on.runs(&[answer("404 Not Found", b"")]).await, 1);
        assert_eq!((on.refused().await.as_deref(), on.updates().await), (Some("not_there"), 1));
        on.on.clock.advance_ms(KEPT_MS);
        assert_eq!(on.runs(&[]).await, 0);
        on.on.assert_healthy().await;
    }

    async fn what_is_not_the_file_is_refused_and_leaves_nothing(database) {
        let too_large = "x".repeat(usize::try_from(MEDIA_LIMIT).unwrap() + 1);
        for (announced, content, code) in [
            ("image/jpeg", &b"<!DOCTYPE html><html><p>Please sign in"[..], "not_the_file"),
            ("video/mp4", b"<?xml version=\"1.0\"?><Error>", "not_the_file"),
            ("audio/amr", b"{\"code\":20404,\"status\":404}", "not_the_file"),
            ("image/png", b"", "not_the_file"),
            ("text/vcard", b"", "not_the_file"),
            ("image/png", too_large.as_bytes(), "file_too_large"),
        ] {
            let on = On::new(database).await;
            on.comes_in("", &[announced]).await;
            // The connection ends before a file that is too large was read.
            let provider = async { on.asked().await.write_all(&answer("200 OK", content)).await.unwrap_or_default() };
            let (ran, ()) = tokio::join!(on.on.app.run_jobs(), provider);
            assert_eq!((ran.unwrap(), on.refused().await.as_deref()), (1, Some(code)), "{announced}");
            assert_eq!((kept_files(on.on.files.path()), on.updates().await), (0, 1));
            assert_eq!(on.runs(&[]).await, 0);
            on.on.assert_healthy().await;
        }
    }

    async fn a_text_file_is_no_error_page(database) {
        let on = On::new(database).await;
        on.comes_in("", &["text/vcard"]).await;
        assert_eq!(on.runs(&[answer("200 OK", b"BEGIN:VCARD\r\nVERSION:3.0\r\nEND:VCARD\r\n")]).await, 1);
        assert!(matches!(&on.look().await.1[0].attachment, Attachment::Stored { facts, .. } if facts.name == "file.vcf"));
    }

    async fn a_refused_account_is_noted_and_the_file_comes_once_it_is_right(database) {
        let on = On::new(database).await;
        on.comes_in("", &["image/png"]).await;
        assert_eq!(on.runs(&[answer("401 Unauthorized", b"")]).await, 1);
        let accounts = on.on.app.accounts(&on.on.who, 10, 0).await.unwrap().0;
        let id = accounts[1].id;
        let stored = on.on.app.store().read(on.on.who.org, move |tx| health::get(tx, id)).await.unwrap();
        assert!(stored.failing && stored.last_error.unwrap().0.code == "20003");
        // It is asked now and then, for as long as that lasts.
        for _ in 0..40 {
            on.on.clock.advance_ms(6 * HOUR_MS - 1);
            assert_eq!(on.runs(&[]).await, 0);
            on.on.clock.advance_ms(1);
            assert_eq!((on.runs(&[answer("401 Unauthorized", b"")]).await, on.refused().await), (1, None));
        }
        let key = ApiKey { sid: KEY_SID.into(), secret: KEY_SECRET.into() };
        let changes = AccountChanges { api_key: Some(Some(key)), ..AccountChanges::default() };
        on.on.app.change_account(&on.on.who, id, changes).await.unwrap();
        assert_eq!(on.runs(&[answer("200 OK", PIXEL)]).await, 1);
        assert!(matches!(on.look().await.1[0].attachment, Attachment::Stored { .. }));
        on.on.assert_healthy().await;
    }

    async fn credentials_that_were_changed_while_the_provider_refused_the_old_ones_are_tried_at_once(database) {
        let on = On::new(database).await;
        on.comes_in("", &["image/png"]).await;
        let id = on.on.app.accounts(&on.on.who, 10, 0).await.unwrap().0[1].id;
        let provider = async {
            let mut refused = on.asked().await;
            let key = ApiKey { sid: KEY_SID.into(), secret: KEY_SECRET.into() };
            let changes = AccountChanges { api_key: Some(Some(key)), ..AccountChanges::default() };
            on.on.app.change_account(&on.on.who, id, changes).await.unwrap();
            refused.write_all(&answer("401 Unauthorized", b"")).await.unwrap();
            drop(refused);
            on.asked().await.write_all(&answer("200 OK", PIXEL)).await.unwrap();
        };
        let (ran, ()) = tokio::join!(on.on.app.run_jobs(), provider);
        assert_eq!(ran.unwrap(), 2);
        assert!(matches!(on.look().await.1[0].attachment, Attachment::Stored { .. }));
    }

    async fn the_files_of_an_account_that_is_off_come_once_it_is_on(database) {
        let on = On::new(database).await;
        on.comes_in("", &["image/png"]).await;
        let id = on.on.app.accounts(&on.on.who, 10, 0).await.unwrap().0[1].id;
        let switch = async |enabled| {
            let changes = AccountChanges { enabled: Some(enabled), ..AccountChanges::default() };
            on.on.app.change_account(&on.on.who, id, changes).await.unwrap();
        };
        switch(false).await;
        for _ in 0..12 {
            assert_eq!((on.runs(&[]).await, on.refused().await), (1, None));
            on.on.clock.advance_ms(6 * HOUR_MS);
        }
        on.runs(&[]).await;
        switch(true).await;
        assert_eq!(on.runs(&[answer("200 OK", PIXEL)]).await, 1);
        assert!(matches!(on.look().await.1[0].attachment, Attachment::Stored { .. }));
        on.on.assert_healthy().await;
    }

    async fn a_file_that_there_is_no_room_for_is_not_given_up(database) {
        let on = On::new(database).await;
        on.comes_in("", &["image/png"]).await;
        let upload = || on.on.app.receive(&on.on.who, futures::stream::pending());
        let busy = async { tokio::join!(upload(), upload(), upload(), upload()) };
        let fetches = async {
            for _ in 0..10 {
                assert_eq!((on.runs(&[answer("200 OK", PIXEL)]).await, on.refused().await), (1, None));
                on.on.clock.advance_ms(MINUTE_MS);
            }
        };
        tokio::select! {
            biased;
            _ = busy => panic!("the uploads ended"),
            () = fetches => {}
        }
        assert_eq!(on.runs(&[answer("200 OK", PIXEL)]).await, 1);
        assert!(matches!(on.look().await.1[0].attachment, Attachment::Stored { .. }));
    }

    async fn a_run_that_was_killed_is_made_again(database) {
        let on = On::new(database).await;
        on.comes_in("", &["image/png"]).await;
        // Its end comes while the file is on its way.
        let half = &answer("200 OK", PIXEL)[..60];
        let provider = async {
            let mut stream = on.asked().await;
            stream.write_all(half).await.unwrap();
        };
        tokio::select! {
            biased;
            () = provider => {}
            ran = on.on.app.run_jobs() => panic!("{ran:?}"),
        }
        assert_eq!((on.refused().await, on.runs(&[]).await), (None, 0));
        on.on.clock.advance_ms(MINUTE_MS);
        assert_eq!(on.runs(&[answer("200 OK", PIXEL)]).await, 1);
        assert!(matches!(on.look().await.1[0].attachment, Attachment::Stored { .. }));
        on.on.clock.advance_ms(KEPT_MS + 1);
        on.on.app.sweep_media().await.unwrap();
        assert_eq!(kept_files(on.on.files.path()), 1);
        on.on.assert_healthy().await;
    }

    async fn files_of_one_account_leave_places_for_others_and_wait_without_haste(database) {
        let on = On::new(database).await;
        let origin = format!("http://{}", on.server.local_addr().unwrap());
        let comes_in = async |number: usize| {
            let (id, url) = (sid(number), format!("{origin}/{number}"));
            let form = [("AccountSid", SID), ("MessageSid", &id), ("From", CUSTOMER), ("To", NUMBER), ("MediaUrl0", &url), ("MediaContentType0", "image/png")];
            on.on.app.hook(hook("/webhooks/twilio", &form)).await.unwrap();
        };
        let whole = answer("200 OK", PIXEL);
        comes_in(1).await;
        let others = async {
            let mut first = on.asked().await;
            comes_in(2).await;
            let others = async {
                let mut second = on.asked().await;
                for number in 3..23 {
                    comes_in(number).await;
                }
                let mut claims = 0;
                for _ in 0..90 {
                    // They are given back and nobody is asked.
                    claims += on.runs(&[]).await;
                    on.on.clock.advance_ms(300);
                }
                assert!((20..100).contains(&claims), "{claims} claims of 20 files");
                first.write_all(&whole).await.unwrap();
                second.write_all(&whole).await.unwrap();
            };
            tokio::join!(on.on.app.run_jobs(), others).0.unwrap()
        };
        let (ran, others) = tokio::join!(on.on.app.run_jobs(), others);
        assert_eq!((ran.unwrap(), others), (1, 1));
        on.on.clock.advance_ms(MINUTE_MS);
        // What was given back for want of a place is no try.
        assert_eq!(on.runs(&vec![answer("404 Not Found", b""); 20]).await, 20);
        on.on.clock.advance_ms(1000);
        assert_eq!(on.runs(&vec![whole; 20]).await, 20);
        assert_eq!(kept_files(on.on.files.path()), 22);
        on.on.assert_healthy().await;
    }

    async fn two_runs_of_one_job_keep_one_file(database) {
        let on = On::new(database).await;
        let other = on.on.second_node().await;
        on.comes_in("", &["image/png"]).await;
        let whole = answer("200 OK", PIXEL);
        let others = async {
            let mut slow = on.asked().await;
            // The first run's lease ends while it waits.
            on.on.clock.advance_ms(MINUTE_MS);
            let provider = async { on.asked().await.write_all(&whole).await.unwrap() };
            let (ran, ()) = tokio::join!(other.run_jobs(), provider);
            assert_eq!(ran.unwrap(), 1);
            let stored = on.look().await.1.remove(0).attachment;
            slow.write_all(&whole).await.unwrap();
            stored
        };
        let (ran, stored) = tokio::join!(on.on.app.run_jobs(), others);
        assert_eq!((ran.unwrap(), on.updates().await, kept_files(on.on.files.path())), (1, 1, 1));
        assert!(matches!(stored, Attachment::Stored { .. }) && on.look().await.1[0].attachment == stored);
        on.on.assert_healthy().await;
    }
}
