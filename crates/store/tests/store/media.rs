//! Rows of files: what the doctor says of those that messages name, and what of them a backup takes along.

use std::path::Path;
use std::sync::Arc;

use parlance_model::Result;
use parlance_model::clock::ManualClock;
use parlance_model::id::{MediaId, MessageId};
use parlance_model::media::Facts;
use parlance_model::message::Attachment;
use parlance_store::backup::{self, Source, Summary, Target};
use parlance_store::media::{self, Uploaded};
use parlance_store::message::NewMessage;
use parlance_store::watch::Unwatched;
use parlance_store::{Durability, OrgTx, doctor};
use parlance_testkit::{both_databases, databases};

use crate::fixture::{Fixture, START_MS, inbound, open, place, receive, setup};
use crate::raw::apart;

/// Notes a file with this content under this key, as an upload does.
pub(crate) fn store(tx: &mut OrgTx<'_, '_>, key: &str, thumbnail: Option<&str>, size: i64) -> Result<MediaId> {
    let id = media::begin(tx, key)?;
    let facts = Facts { content_type: "image/png".to_owned(), size, name: "a.png".to_owned(), width: None, height: None };
    media::finish(tx, id, &Uploaded { facts, sha256: [7; 32], thumbnail_key: thumbnail.map(str::to_owned) })?;
    Ok(id)
}

/// The findings of a deep look.
async fn found(f: &Fixture) -> Vec<&'static str> {
    doctor::check(&f.store, true).await.unwrap().findings.into_iter().map(|found| found.invariant).collect()
}

/// What is below a folder, by path and length.
fn below(folder: &Path) -> Vec<(String, u64)> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push((path.strip_prefix(folder).unwrap().display().to_string(), path.metadata().unwrap().len()));
            }
        }
    }
    found.sort();
    found
}

fn back_up(f: &Fixture, folder: &Path) -> (Vec<u8>, Summary) {
    let scratch = tempfile::tempdir().unwrap();
    let source = Source {
        place: f.place.clone(),
        folder: folder.to_owned(),
        media: Some(folder.join("media")),
        with_key: false,
        scratch: scratch.path().to_owned(),
    };
    let (mut file, clock) = (Vec::new(), ManualClock::at(START_MS));
    let summary = apart(|| backup::write(&source, &(Arc::new(clock) as _), &mut file, &Unwatched::default())).unwrap();
    (file, summary)
}

both_databases! {
    async fn a_message_whose_file_is_not_kept_is_found(database) {
        let f = Fixture::new(database).await;
        let (other, _) = f.other_org().await;
        let foreign = f.store.write(other, |tx| store(tx, "2/ab/foreign", None, 5)).await.unwrap();
        let account = f.account.clone();
        let (message, media): (MessageId, MediaId) = f.write(move |tx| {
            let media_id = store(tx, "1/ab/one", None, 5)?;
            let facts = media::attach(tx, media_id)?.facts;
            let attachments = vec![Attachment::Stored { media_id, facts, has_thumbnail: false }];
            let new = NewMessage { attachments, ..inbound("look") };
            Ok((receive(tx, &account, "+15551110001", &new)?.1, media_id))
        }).await.unwrap();
        assert_eq!(found(&f).await, [""; 0]);
        let named = |id: MediaId| format!("UPDATE message SET attachments = REPLACE(attachments, '\"media_id\":{media}', '\"media_id\":{id}') WHERE id = {message}");
        let put_back = |id: MediaId| format!("UPDATE message SET attachments = REPLACE(attachments, '\"media_id\":{id}', '\"media_id\":{media}') WHERE id = {message}");
        let foreign_row = "no row points into another org";
        for (damage, repair, finding) in [
            (named(foreign), put_back(foreign), foreign_row),
            (named(MediaId(999)), put_back(MediaId(999)), foreign_row),
            (format!("UPDATE media SET state = 'ready' WHERE id = {media}"), format!("UPDATE media SET state = 'attached' WHERE id = {media}"), "a file that a message names stays"),
            (format!("UPDATE media SET state = 'doomed' WHERE id = {media}"), format!("UPDATE media SET state = 'attached' WHERE id = {media}"), "a file that a message names stays"),
        ] {
            f.raw().execute(&damage);
            assert_eq!(found(&f).await, [finding], "{damage}");
            f.raw().execute(&repair);
            assert_eq!(found(&f).await, [""; 0], "{repair}");
        }
    }

    async fn a_backup_has_the_files_of_its_rows_and_no_others(database) {
        let f = Fixture::new(database).await;
        let folder = tempfile::tempdir().unwrap();
        let files = folder.path().join("media");
        std::fs::create_dir_all(files.join("1/ab")).unwrap();
        let put = |key: &str, content: &str| std::fs::write(files.join(key), content).unwrap();
        f.write(|tx| {
            let kept = store(tx, "1/ab/kept", Some("1/ab/kept.png"), 5)?;
            media::attach(tx, kept)?;
            store(tx, "1/ab/ready", None, 3)?;
            store(tx, "1/ab/swept", None, 3)?;
            media::begin(tx, "1/ab/uploading")?;
            let doomed = store(tx, "1/ab/doomed", None, 3)?;
            media::doom(tx, doomed)
        }).await.unwrap();
        for (key, content) in [("1/ab/kept", "12345"), ("1/ab/kept.png", "1"), ("1/ab/ready", "123"), ("1/ab/uploading", "12"), ("1/ab/doomed", "123"), ("1/ab/other", "?")] {
            put(key, content);
        }
        let (file, summary) = back_up(&f, folder.path());
        assert_eq!((summary.media_files, summary.media_bytes), (3, 9));
        assert_eq!((summary.vanished, summary.missing), (vec!["media/1/ab/swept".to_owned()], Vec::new()));
        for into in databases() {
            let (there, data) = place(into, Durability::Relaxed);
            let data = data.unwrap_or_else(|| tempfile::tempdir().unwrap());
            std::fs::create_dir_all(data.path().join("media")).unwrap();
            std::fs::write(data.path().join("media/of-another"), "another's").unwrap();
            let clock = Arc::new(ManualClock::at(START_MS));
            let mut target = Target { place: there.clone(), folder: data.path().to_owned(), force: false, keep_sending: true };
            let restore = |target: &Target| apart(|| backup::restore(target, &setup(&clock), file.as_slice(), None, &Unwatched::default()));
            // Files that are there are nobody's to mix with.
            assert_eq!(restore(&target).unwrap_err().code(), "place_not_empty");
            target.force = true;
            let aside = restore(&target).unwrap().replaced.unwrap();
            assert_eq!(below(&aside.join("media")), [("of-another".to_owned(), 9)]);
            let kept = [("1/ab/kept", 5), ("1/ab/kept.png", 1), ("1/ab/ready", 3)].map(|(key, size)| (key.to_owned(), size));
            assert_eq!(below(&data.path().join("media")), kept);
            let store = open(&there, setup(&clock)).await.unwrap();
            assert_eq!(doctor::check(&store, true).await.unwrap().findings, Vec::new());
        }

        put("1/ab/kept", "123");
        std::fs::remove_file(files.join("1/ab/kept.png")).unwrap();
        let (_, summary) = back_up(&f, folder.path());
        assert_eq!(summary.media_files, 2, "what is left of a file is kept");
        assert_eq!(summary.missing, [
            "org 1, file 1: media/1/ab/kept has 3 bytes in place of 5",
            "org 1, file 1: media/1/ab/kept.png is missing",
        ]);
    }
}
