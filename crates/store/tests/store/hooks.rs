//! Hooks that are kept.

use parlance_model::id::AccountId;
use parlance_store::OrgTx;
use parlance_store::hook::{self, NewHook};
use parlance_testkit::both_databases;

use crate::fixture::{Fixture, START_MS};

fn plain(account: AccountId) -> NewHook<'static> {
    NewHook { account, reason: "", request: "POST /webhooks/twilio", content_type: "", body: b"" }
}

both_databases! {
    async fn hooks_that_say_everything_in_their_query_are_told_apart(database) {
        let f = Fixture::new(database).await;
        let account = f.account.id;
        for request in ["GET /webhooks/twilio?CallSid=1", "GET /webhooks/twilio?CallSid=2", "GET /webhooks/twilio?CallSid=1"] {
            f.write(move |tx| hook::quarantine(tx, &NewHook { request, ..plain(account) })).await.unwrap();
        }
        let kept = f.read(|tx| hook::quarantined(tx, 10)).await.unwrap();
        assert_eq!(kept.iter().map(|kept| kept.request.as_str()).collect::<Vec<_>>(), ["GET /webhooks/twilio?CallSid=1", "GET /webhooks/twilio?CallSid=2"]);
    }

    async fn a_hook_is_kept_once_with_its_bytes_untouched(database) {
        let f = Fixture::new(database).await;
        let account = f.account.id;
        let body: Vec<u8> = (0..=255).collect();
        for reason in ["unreadable", "again"] {
            let body = body.clone();
            let kept = move |tx: &mut OrgTx<'_, '_>| hook::quarantine(tx, &NewHook { reason, content_type: "application/x-www-form-urlencoded", body: &body, ..plain(account) });
            f.write(kept).await.unwrap();
            f.clock.advance_ms(1);
        }
        f.write(move |tx| hook::quarantine(tx, &NewHook { reason: "empty", ..plain(account) })).await.unwrap();
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
        f.write(move |tx| hook::quarantine(tx, &NewHook { reason: "ours", ..plain(account) })).await.unwrap();
        assert!(f.store.read(other, |tx| hook::quarantined(tx, 10)).await.unwrap().is_empty());
        f.store.write(other, move |tx| hook::quarantine(tx, &NewHook { reason: "theirs", ..plain(theirs.id) })).await.unwrap();
        let reasons = f.store.read(other, |tx| Ok(hook::quarantined(tx, 10)?.into_iter().map(|kept| kept.reason).collect::<Vec<_>>())).await;
        assert_eq!(reasons.unwrap(), ["theirs"]);
    }
}
