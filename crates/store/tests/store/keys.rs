//! API keys: whom a token speaks for.

use parlance_model::entropy::SeededEntropy;
use parlance_model::id::{KeyId, OrgId, UserId};
use parlance_model::key::{Credential, Dialect, Scope, Scopes};
use parlance_model::role::Role;
use parlance_store::key::{self, NewKey};
use parlance_store::staff;
use parlance_testkit::both_databases;

use crate::fixture::{Fixture, START_MS, code};

fn new(user: Option<UserId>) -> NewKey {
    NewKey { user, name: " Bot ".to_owned(), dialect: None, scopes: Scopes::FULL, expires_ms: None }
}

async fn create(f: &Fixture, new: NewKey, token: &'static str) -> KeyId {
    create_in(f, f.org, new, token).await
}

async fn create_in(f: &Fixture, org: OrgId, new: NewKey, token: &'static str) -> KeyId {
    f.store.write(org, move |tx| key::create(tx, &new, token)).await.unwrap()
}

#[test]
fn tokens_are_long_marked_and_different() {
    let entropy = SeededEntropy::new(1);
    let (one, other) = (key::new_token(&entropy), key::new_token(&entropy));
    assert!(one.starts_with(key::TOKEN_PREFIX) && one.len() == 46 && one != other, "{one} {other}");
}

both_databases! {
    async fn a_key_without_a_person_is_an_admin_of_its_org(database) {
        let f = Fixture::new(database).await;
        let id = create(&f, NewKey { dialect: Some(Dialect::Unified), scopes: Scopes::FULL.with(Scope::Assistant), ..new(None) }, "plk_test_one").await;
        let who = f.system_read(|tx| key::authenticate(tx, "plk_test_one")).await.unwrap().who;
        assert_eq!((who.org, who.credential, who.user, who.role), (f.org, Credential::Key(id), None, Role::Admin));
        assert_eq!((who.scopes.has(Scope::Assistant), who.dialect), (true, Some(Dialect::Unified)));
        assert_eq!(f.raw().query("SELECT name FROM api_key").concat(), ["Bot"]);
    }

    async fn a_persons_key_has_their_role_in_that_org(database) {
        let f = Fixture::new(database).await;
        let user = f.write(move |tx| staff::add(tx, "ann@example.com", "Ann", Role::Agent, "hash")).await.unwrap().user;
        create(&f, new(Some(user)), "plk_test_ann").await;
        let who = f.system_read(|tx| key::authenticate(tx, "plk_test_ann")).await.unwrap().who;
        assert_eq!((who.user, who.role, who.scopes, who.dialect), (Some(user), Role::Agent, Scopes::FULL, None));
        f.raw().execute("DELETE FROM staff");
        assert_eq!(code(f.system_read(|tx| key::authenticate(tx, "plk_test_ann")).await), "unauthenticated");
    }

    async fn a_persons_key_for_an_org_where_they_do_not_work_is_nobody(database) {
        let f = Fixture::new(database).await;
        let (other, _) = f.other_org().await;
        let user = f.write(move |tx| staff::add(tx, "ann@example.com", "Ann", Role::Owner, "hash")).await.unwrap().user;
        create_in(&f, other, new(Some(user)), "plk_test_ann").await;
        assert_eq!(code(f.system_read(|tx| key::authenticate(tx, "plk_test_ann")).await), "unauthenticated");
    }

    async fn only_the_hash_of_a_token_is_kept(database) {
        let f = Fixture::new(database).await;
        create(&f, new(None), "plk_test_one").await;
        let row = f.raw().query("SELECT * FROM api_key").concat();
        let hex: String = "plk_test_one".bytes().map(|byte| format!("{byte:02x}")).collect();
        assert!(!row.iter().any(|value| value.contains("plk_test_one") || value.contains(&hex)), "{row:?}");
    }

    async fn a_wrong_token_is_nobody(database) {
        let f = Fixture::new(database).await;
        create(&f, new(None), "plk_test_one").await;
        for token in ["", "plk_test_on", "plk_test_one ", "PLK_TEST_ONE", "plk_test_one\0"] {
            assert_eq!(code(f.system_read(move |tx| key::authenticate(tx, token)).await), "unauthenticated", "{token:?}");
        }
    }

    async fn a_revoked_key_is_nobody_at_once_and_is_revoked_by_its_own_org_only(database) {
        let f = Fixture::new(database).await;
        let (other, _) = f.other_org().await;
        let id = create(&f, new(None), "plk_test_one").await;
        assert_eq!(code(f.store.write(other, move |tx| key::revoke(tx, id)).await), "not_found");
        f.system_read(|tx| key::authenticate(tx, "plk_test_one")).await.unwrap();
        f.write(move |tx| key::revoke(tx, id)).await.unwrap();
        assert_eq!(code(f.system_read(|tx| key::authenticate(tx, "plk_test_one")).await), "unauthenticated");
        assert_eq!(code(f.write(move |tx| key::revoke(tx, id)).await), "not_found");
    }

    async fn a_key_needs_a_name(database) {
        let f = Fixture::new(database).await;
        for name in [String::new(), " ".to_owned(), "x".repeat(201)] {
            let new = NewKey { name, ..new(None) };
            assert_eq!(code(f.write(move |tx| key::create(tx, &new, "plk_test_one")).await), "validation_failed");
        }
    }

    async fn a_key_ends_at_its_time_and_cannot_be_made_to_end_before(database) {
        let f = Fixture::new(database).await;
        create(&f, NewKey { expires_ms: Some(START_MS + 1000), ..new(None) }, "plk_test_one").await;
        f.clock.advance_ms(999);
        f.system_read(|tx| key::authenticate(tx, "plk_test_one")).await.unwrap();
        f.clock.advance_ms(1);
        assert_eq!(code(f.system_read(|tx| key::authenticate(tx, "plk_test_one")).await), "unauthenticated");
        for wrong in [
            NewKey { expires_ms: Some(START_MS + 1000), ..new(None) },
            NewKey { scopes: Scopes::NONE, ..new(None) },
        ] {
            assert_eq!(code(f.write(move |tx| key::create(tx, &wrong, "plk_test_two")).await), "validation_failed");
        }
    }

    async fn a_use_is_noted_once_a_minute(database) {
        let f = Fixture::new(database).await;
        let id = create(&f, new(None), "plk_test_one").await;
        let noted = async || f.system_read(|tx| Ok(key::authenticate(tx, "plk_test_one")?.note)).await.unwrap();
        assert_eq!(noted().await, Some(id));
        f.system_write(move |tx| key::used(tx, id)).await.unwrap();
        assert_eq!(noted().await, None);
        f.clock.advance_ms(key::USE_MS - 1);
        assert_eq!(noted().await, None);
        f.system_write(move |tx| key::used(tx, id)).await.unwrap();
        assert_eq!(f.read(move |tx| key::get(tx, id)).await.unwrap().last_used_ms, Some(START_MS));
        f.clock.advance_ms(1);
        assert_eq!(noted().await, Some(id));
    }

    async fn a_list_has_the_keys_of_one_org_that_are_not_revoked(database) {
        let f = Fixture::new(database).await;
        let (other, _) = f.other_org().await;
        let (gone, kept) = (create(&f, new(None), "plk_test_one").await, create(&f, new(None), "plk_test_two").await);
        create_in(&f, other, new(None), "plk_test_theirs").await;
        f.write(move |tx| key::revoke(tx, gone)).await.unwrap();
        let (keys, total) = f.read(|tx| key::list(tx, 10, 0)).await.unwrap();
        assert_eq!((keys.iter().map(|key| key.id).collect::<Vec<_>>(), total), (vec![kept], 1));
        assert_eq!(f.read(|tx| key::list(tx, 10, 1)).await.unwrap().0.len(), 0);
        assert_eq!(code(f.read(move |tx| key::get(tx, gone)).await), "not_found");
        assert_eq!(code(f.store.read(other, move |tx| key::get(tx, kept)).await), "not_found");
    }
}
