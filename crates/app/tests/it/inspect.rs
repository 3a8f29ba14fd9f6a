//! The doctor's look at files: clean after whatever uploads did, and blind to no damage.

use std::fs::File;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use futures::stream;
use parlance_app::media::{Files, KEPT_MS, inspect};
use parlance_app::send::Draft;
use parlance_store::watch::Unwatched;
use parlance_testkit::{PIXEL, both_databases};

use crate::fixture::{Fixture, draft};

/// What is found, and what is said beside it.
async fn look(on: &Fixture, deep: bool) -> (Vec<String>, Vec<String>) {
    let files = Files::in_folder(on.files.path()).unwrap();
    let inspected = inspect(on.app.store(), &files, deep, &Unwatched::default()).await.unwrap();
    let [findings, notices] = [inspected.findings, inspected.notices].map(|found| found.into_iter().map(|found| found.detail).collect());
    (findings, notices)
}

fn clean() -> (Vec<String>, Vec<String>) {
    (Vec::new(), Vec::new())
}

both_databases! {
    async fn each_damage_of_a_file_is_found_and_its_repair_is_seen(database) {
        let on = Fixture::new(database).await;
        let upload = async || {
            let received = on.app.receive(&on.who, stream::iter([Ok(Bytes::from_static(PIXEL))])).await.unwrap();
            on.app.keep(received, Some("a.png")).await.unwrap().media
        };
        let (sent, left) = (upload().await, upload().await);
        let draft = Draft { media_ids: vec![sent.id], ..draft("", None) };
        on.app.send(&on.who, draft, false).await.unwrap();
        assert_eq!((look(&on, false).await, look(&on, true).await), (clean(), clean()));

        let path = |key: &str| on.files.path().join(key);
        let thumbnail = sent.thumbnail_key.clone().unwrap();
        let put_back = async |key: &str, content: &[u8]| {
            std::fs::write(path(key), content).unwrap();
            assert_eq!(look(&on, true).await, clean());
        };
        for (key, content) in [(&sent.object_key, PIXEL), (&left.object_key, PIXEL), (&thumbnail, &std::fs::read(path(&thumbnail)).unwrap()[..])] {
            std::fs::remove_file(path(key)).unwrap();
            for deep in [false, true] {
                let (findings, notices) = look(&on, deep).await;
                assert_eq!((findings.len(), findings[0].contains(&format!("{key} is missing")), notices.len()), (1, true, 0), "{findings:?}");
            }
            put_back(key, content).await;
        }
        std::fs::write(path(&sent.object_key), &PIXEL[1..]).unwrap();
        let (findings, _) = look(&on, false).await;
        assert!(findings.len() == 1 && findings[0].ends_with(&format!("has {} bytes in place of {}", PIXEL.len() - 1, PIXEL.len())), "{findings:?}");
        put_back(&sent.object_key, PIXEL).await;
        let mut altered = PIXEL.to_vec();
        altered[40] ^= 1;
        std::fs::write(path(&sent.object_key), altered).unwrap();
        assert_eq!(look(&on, false).await, clean(), "only the deep look reads it");
        let (findings, _) = look(&on, true).await;
        assert!(findings.len() == 1 && findings[0].contains("SHA-256"), "{findings:?}");
        put_back(&sent.object_key, PIXEL).await;
    }

    async fn what_a_server_may_be_doing_is_not_found_and_what_nobody_removes_is_said(database) {
        let on = Fixture::new(database).await;
        // An upload that was never kept; one that is being swept; and a file that somebody put there.
        drop(on.app.receive(&on.who, stream::iter([Ok(Bytes::from_static(PIXEL))])).await.unwrap());
        let received = on.app.receive(&on.who, stream::iter([Ok(Bytes::from_static(PIXEL))])).await.unwrap();
        let left = on.app.keep(received, None).await.unwrap().media;
        let stray = on.files.path().join("1/ab");
        std::fs::create_dir_all(&stray).unwrap();
        let stray = File::create(stray.join("stray")).unwrap();
        assert_eq!(look(&on, true).await, clean());
        let old = UNIX_EPOCH + Duration::from_millis(u64::try_from(on.app.now_ms() - KEPT_MS).unwrap());
        for entry in std::fs::read_dir(on.files.path().join("1")).unwrap() {
            for file in std::fs::read_dir(entry.unwrap().path()).unwrap() {
                File::options().write(true).open(file.unwrap().path()).unwrap().set_modified(old).unwrap();
            }
        }
        stray.set_modified(old).unwrap();
        let (findings, notices) = look(&on, true).await;
        assert_eq!((findings, notices), (Vec::new(), vec!["1/ab/stray has none, and nothing removes it".to_owned()]));
        on.clock.advance_ms(KEPT_MS);
        std::fs::remove_file(on.files.path().join(&left.object_key)).unwrap();
        assert_eq!(look(&on, false).await.0, Vec::<String>::new(), "the sweep is about to remove its row");
    }
}
