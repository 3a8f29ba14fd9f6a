//! Uploads: what is kept, what is swept, and what a broken one leaves.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use futures::stream::{self, StreamExt as _};
use parlance_app::media::{KEPT_MS, ShownMedia, Target};
use parlance_model::error::{Error, Kind};
use parlance_model::id::{MediaId, OrgId};
use parlance_model::media::Variant;
use parlance_model::{Result, message};
use parlance_testkit::both_databases;

use crate::fixture::{Fixture, MEDIA_LIMIT, draft};

/// Every file of the media store, by its path in it.
fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { found.push(path.strip_prefix(folder).unwrap().display().to_string()) }
        }
    }
    found
}

/// A stream of these parts.
fn parts(parts: &[&str]) -> impl futures::Stream<Item = Result<Bytes>> + Send + use<> {
    stream::iter(parts.iter().map(|part| Ok(Bytes::from(part.as_bytes().to_vec()))).collect::<Vec<_>>())
}

async fn upload(on: &Fixture, content: &str) -> ShownMedia {
    let received = on.app.receive(&on.who, parts(&[content])).await.unwrap();
    on.app.keep(received, Some("note.txt")).await.unwrap()
}

/// The bytes behind a link, as far as it opens.
async fn fetch(on: &Fixture, link: &str) -> Result<Vec<u8>> {
    let (path, seal) = link.split_once("/media/").unwrap().1.split_once("?expires=").unwrap();
    let (expires, signature) = seal.split_once("&signature=").unwrap();
    let [org, media, variant] = path.split('/').collect::<Vec<_>>().try_into().unwrap();
    let target =
        Target { org: OrgId(org.parse().unwrap()), media: MediaId(media.parse().unwrap()), variant: variant.parse::<Variant>().unwrap() };
    let opened = on.app.open_link(target, expires.parse().unwrap(), signature).await?;
    let content = on.app.content(&opened, 0..opened.size).await?;
    Ok(content.map(|chunk| chunk.unwrap().to_vec()).concat().await)
}

both_databases! {
    async fn an_upload_opens_by_its_link_at_every_node(database) {
        let on = Fixture::new(database).await;
        let received = on.app.receive(&on.who, parts(&["Hello, ", "wor", "ld"])).await.unwrap();
        let kept = on.app.keep(received, Some("../hello.txt")).await.unwrap();
        assert_eq!((kept.media.facts.size, kept.media.facts.content_type.as_str(), kept.media.facts.name.as_str()), (12, "text/plain", "hello.txt"));
        assert_eq!(fetch(&on, &kept.url).await.unwrap(), b"Hello, world");
        let other = on.second_node().await;
        assert_eq!(other.media(&on.who, kept.media.id).await.unwrap().url, kept.url);
        on.clock.advance_ms(7 * 60 * 60 * 1000);
        let ended = fetch(&on, &kept.url).await.unwrap_err();
        assert_eq!((ended.kind(), ended.code()), (Kind::Gone, "link_expired"));
        let fresh = on.app.media(&on.who, kept.media.id).await.unwrap();
        assert_eq!(fetch(&on, &fresh.url).await.unwrap(), b"Hello, world");
    }

    async fn what_no_message_took_within_a_day_is_swept(database) {
        let on = Fixture::new(database).await;
        let (taken, left) = (upload(&on, "%PDF taken").await, upload(&on, "left").await);
        let media_ids = vec![taken.media.id];
        let sent = on.app.send(&on.who, parlance_app::send::Draft { media_ids, ..draft("", None) }, false).await.unwrap();
        assert_eq!(on.app.sweep_media().await.unwrap(), 0);
        on.clock.advance_ms(KEPT_MS - 1);
        assert_eq!(on.app.sweep_media().await.unwrap(), 0);
        on.clock.advance_ms(2);
        assert_eq!(on.app.sweep_media().await.unwrap(), 1);
        assert_eq!(on.app.media(&on.who, left.media.id).await.unwrap_err().code(), "not_found");
        assert_eq!(files(on.files.path()), [taken.media.object_key]);
        assert!(matches!(on.look(&sent).await.attachments[..], [message::Attachment::Stored { media_id, .. }] if media_id == taken.media.id));
        on.clock.advance_ms(30 * KEPT_MS);
        assert_eq!(on.app.sweep_media().await.unwrap(), 0);
        assert_eq!(fetch(&on, &on.app.media(&on.who, taken.media.id).await.unwrap().url).await.unwrap(), b"%PDF taken");
    }

    async fn what_stopped_between_file_and_row_is_seen_by_nobody_and_swept(database) {
        let on = Fixture::new(database).await;
        // As after a kill: the file is whole and nobody says so; another is half written.
        drop(on.app.receive(&on.who, parts(&["nobody's"])).await.unwrap());
        let [left] = files(on.files.path()).try_into().unwrap();
        std::fs::write(on.files.path().join(format!("{left}#1")), "half").unwrap();
        assert_eq!(on.app.media(&on.who, MediaId(1)).await.unwrap_err().code(), "not_found");
        let attach = parlance_app::send::Draft { media_ids: vec![MediaId(1)], ..draft("Hi", None) };
        assert_eq!(on.app.send(&on.who, attach, false).await.unwrap_err().code(), "not_found");
        on.clock.advance_ms(KEPT_MS + 1);
        assert_eq!(on.app.sweep_media().await.unwrap(), 1);
        assert_eq!(files(on.files.path()), Vec::<String>::new());
        assert_eq!(on.app.sweep_media().await.unwrap(), 0);
    }

    async fn a_broken_or_too_large_upload_leaves_nothing(database) {
        let on = Fixture::new(database).await;
        let broken = parts(&["some"]).chain(stream::iter([Err(Error::new(Kind::Malformed, "broken_body", "It broke off."))]));
        assert_eq!(on.app.receive(&on.who, broken).await.unwrap_err().code(), "broken_body");
        let part = "x".repeat(usize::try_from(MEDIA_LIMIT).unwrap() / 4);
        on.app.discard(on.app.receive(&on.who, parts(&[&part, &part, &part, &part])).await.unwrap()).await;
        let pulled = AtomicBool::new(false);
        let endless = stream::repeat_with(|| Ok(Bytes::from(part.clone()))).take(5).chain(stream::once(async {
            pulled.store(true, Ordering::Relaxed);
            Ok(Bytes::from_static(b"more"))
        }));
        assert_eq!(on.app.receive(&on.who, endless).await.unwrap_err().code(), "file_too_large");
        assert!(!pulled.load(Ordering::Relaxed), "it was read on beyond the limit");
        assert_eq!(on.app.receive(&on.who, parts(&[])).await.unwrap_err().code(), "validation_failed");
        assert_eq!(on.app.receive(&on.who, parts(&["", ""])).await.unwrap_err().code(), "validation_failed");
        assert_eq!(files(on.files.path()), Vec::<String>::new());
        on.clock.advance_ms(KEPT_MS + 1);
        assert_eq!(on.app.sweep_media().await.unwrap(), 0, "no row is left either");
    }

    async fn a_media_store_that_takes_nothing_is_said_and_mended_without_a_restart(database) {
        let on = Fixture::new(database).await;
        let away = on.files.path().with_extension("away");
        std::fs::rename(on.files.path(), &away).unwrap();
        std::fs::write(on.files.path(), "in the way").unwrap();
        let refused = on.app.receive(&on.who, parts(&["Hello"])).await.unwrap_err();
        assert_eq!((refused.kind(), refused.retry_after_s().is_some()), (Kind::Unavailable, true));
        assert_eq!(on.app.media(&on.who, MediaId(1)).await.unwrap_err().code(), "not_found");
        std::fs::remove_file(on.files.path()).unwrap();
        std::fs::rename(&away, on.files.path()).unwrap();
        assert_eq!(fetch(&on, &upload(&on, "Hello").await.url).await.unwrap(), b"Hello");
    }
}
