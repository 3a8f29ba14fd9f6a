//! Hooks that are kept.

use parlance_store::hook;
use parlance_testkit::both_databases;

use crate::fixture::{Fixture, START_MS};

both_databases! {
    async fn a_hook_is_kept_once_with_its_bytes_untouched(database) {
        let f = Fixture::new(database).await;
        let account = f.account.id;
        let body: Vec<u8> = (0..=255).collect();
        for reason in ["unreadable", "again"] {
            let body = body.clone();
            f.write(move |tx| hook::quarantine(tx, account, reason, "application/x-www-form-urlencoded", &body)).await.unwrap();
            f.clock.advance_ms(1);
        }
        f.write(move |tx| hook::quarantine(tx, account, "empty", "", b"")).await.unwrap();
        let kept = f.read(|tx| hook::quarantined(tx, 10)).await.unwrap();
        assert_eq!(kept.len(), 2);
        assert!(kept[0].id < kept[1].id);
        assert_eq!((kept[0].account_id, kept[0].reason.as_str(), kept[0].received_ms), (account, "unreadable", START_MS));
        assert_eq!((kept[0].content_type.as_str(), &kept[0].body), ("application/x-www-form-urlencoded", &body));
        assert_eq!((kept[1].reason.as_str(), kept[1].body.len()), ("empty", 0));
        assert_eq!(f.read(|tx| Ok(hook::quarantined(tx, 1)?.len())).await.unwrap(), 1);
    }

    async fn another_org_sees_nothing_and_keeps_its_own(database) {
        let f = Fixture::new(database).await;
        let (other, theirs) = f.other_org().await;
        let account = f.account.id;
        f.write(move |tx| hook::quarantine(tx, account, "ours", "", b"same")).await.unwrap();
        assert!(f.store.read(other, |tx| hook::quarantined(tx, 10)).await.unwrap().is_empty());
        f.store.write(other, move |tx| hook::quarantine(tx, theirs.id, "theirs", "", b"same")).await.unwrap();
        let reasons = f.store.read(other, |tx| Ok(hook::quarantined(tx, 10)?.into_iter().map(|kept| kept.reason).collect::<Vec<_>>())).await;
        assert_eq!(reasons.unwrap(), ["theirs"]);
    }
}
