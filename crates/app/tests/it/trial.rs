//! The trial of an account, as far as its provider is only looked at.

use std::time::Duration;

use parlance_app::account::AccountChanges;
use parlance_app::check::{Finding, Trial};
use parlance_app::directory::ApiKey;
use parlance_model::id::AccountId;
use parlance_testkit::both_databases;

use crate::fixture::{CUSTOMER, Fixture, KEY_SECRET, KEY_SID};

/// Tries the account with this API key. Nothing sends the message: what the provider says before it is looked at.
async fn tried(on: &Fixture, secret: &str) -> Vec<Finding> {
    let key = ApiKey { sid: KEY_SID.into(), secret: secret.into() };
    let account = AccountId(1);
    let changes = AccountChanges { api_key: Some(Some(key)), ..AccountChanges::default() };
    on.app.change_account(&on.who, account, changes).await.unwrap();
    let trial = Trial { org: "acme".into(), account, to: CUSTOMER.into(), wait: Duration::ZERO, configure: true };
    let mut found = Vec::new();
    let said = on.app.try_account(&trial, |finding| {
        found.push(finding.clone());
        Ok(())
    });
    assert!(!said.await.unwrap());
    found
}

both_databases! {
    async fn the_account_is_asked_with_its_auth_token_and_its_number_with_the_api_key(database) {
        let on = Fixture::new(database).await;
        let found = tried(&on, KEY_SECRET).await;
        let steps: Vec<_> = found.iter().map(|finding| (finding.step, finding.ok)).collect();
        assert_eq!(steps, [("credentials", true), ("number", true), ("hooks", true), ("message", false)], "{found:?}");
        assert!(found[0].text.contains("auth token") && found[1].text.contains(KEY_SID), "{found:?}");
    }

    async fn a_wrong_api_key_is_told_from_a_wrong_auth_token(database) {
        let on = Fixture::new(database).await;
        let found = tried(&on, "not-the-secret").await;
        let steps: Vec<_> = found.iter().map(|finding| (finding.step, finding.ok)).collect();
        assert_eq!(steps, [("credentials", true), ("number", false)], "{found:?}");
        assert!(found[1].text.contains(KEY_SID) && !found[1].text.contains("auth token"), "{found:?}");
    }
}
