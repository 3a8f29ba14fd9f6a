//! What was just looked up: taken from memory until this process changes the directory, and for a second at most.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parlance_model::Result;
use parlance_model::id::{KeyId, UserId};
use parlance_model::key::Scopes;
use parlance_model::role::Role;
use parlance_store::key::{self, NewKey};
use parlance_store::recent::{Found, LASTS_MS, Recent};
use parlance_store::{Store, SystemTx, account, org, session, staff, user};
use parlance_testkit::both_databases;

use crate::fixture::{Fixture, code};

const TOKEN: &str = "plk_one";

/// Keys as they are looked up with every request, and how often the database was asked.
#[derive(Default)]
struct Keys {
    recent: Recent<&'static str, key::Shown>,
    asked: Arc<AtomicUsize>,
}

impl Keys {
    async fn look(&self, store: &Store, token: &'static str) -> Result<Role> {
        let asked = Arc::clone(&self.asked);
        let find = move |tx: &mut SystemTx<'_, '_>| {
            asked.fetch_add(1, Ordering::SeqCst);
            let value = key::authenticate(tx, token)?;
            Ok(Found { until_ms: Some(value.expires_ms.unwrap_or(i64::MAX)), value })
        };
        Ok(self.recent.get(store, token, find).await?.who.role)
    }

    /// How often the database was asked since the last time.
    fn asked(&self) -> usize {
        self.asked.swap(0, Ordering::SeqCst)
    }
}

async fn add_key(f: &Fixture, user: Option<UserId>, expires_ms: Option<i64>) -> KeyId {
    let new = NewKey { user, name: "bot".to_owned(), dialect: None, scopes: Scopes::FULL, expires_ms };
    f.write(move |tx| key::create(tx, &new, TOKEN)).await.unwrap()
}

both_databases! {
    async fn each_change_of_the_directory_is_seen_at_once_and_others_cost_nothing(database) {
        let (f, keys) = (Fixture::new(database).await, Keys::default());
        let ann = f.write(|tx| staff::add(tx, "ann@example.com", "Ann", Role::Agent, "hash")).await.unwrap().user;
        f.write(|tx| staff::add(tx, "bob@example.com", "Bob", Role::Owner, "hash")).await.unwrap();
        let id = add_key(&f, Some(ann), None).await;
        for _ in 0..3 {
            assert_eq!(keys.look(&f.store, TOKEN).await.unwrap(), Role::Agent);
        }
        assert_eq!(keys.asked(), 1);
        // What most writes are: a message, and with it an event and a job.
        f.send("+15550000009", "Hello!").await;
        assert_eq!((keys.look(&f.store, TOKEN).await.unwrap(), keys.asked()), (Role::Agent, 0));
        f.write(move |tx| staff::set_role(tx, ann, Role::Admin)).await.unwrap();
        assert_eq!((keys.look(&f.store, TOKEN).await.unwrap(), keys.asked()), (Role::Admin, 1));
        f.system_write(move |tx| key::used(tx, id)).await.unwrap();
        keys.look(&f.store, TOKEN).await.unwrap();
        f.system_write(move |tx| session::create(tx, ann, None, "cookie")).await.unwrap();
        keys.look(&f.store, TOKEN).await.unwrap();
        let account = f.account.clone();
        f.write(move |tx| account::save(tx, &account)).await.unwrap();
        keys.look(&f.store, TOKEN).await.unwrap();
        assert_eq!(keys.asked(), 3);
        f.write(|tx| org::set_disabled(tx, true)).await.unwrap();
        assert_eq!(code(keys.look(&f.store, TOKEN).await), "org_disabled");
        f.write(|tx| org::set_disabled(tx, false)).await.unwrap();
        assert!(keys.look(&f.store, TOKEN).await.is_ok());
        let person = f.system_read(move |tx| user::get(tx, ann)).await.unwrap();
        f.system_write(move |tx| user::disable(tx, &person)).await.unwrap();
        assert_eq!(code(keys.look(&f.store, TOKEN).await), "user_disabled");
        f.system_write(move |tx| user::enable(tx, ann)).await.unwrap();
        assert!(keys.look(&f.store, TOKEN).await.is_ok());
        f.write(move |tx| key::revoke(tx, id)).await.unwrap();
        assert_eq!(code(keys.look(&f.store, TOKEN).await), "unauthenticated");
    }

    async fn a_change_by_another_process_is_seen_within_a_second(database) {
        let (f, keys) = (Fixture::new(database).await, Keys::default());
        let other = f.second_store().await;
        let id = add_key(&f, None, None).await;
        keys.look(&f.store, TOKEN).await.unwrap();
        other.write(f.org, move |tx| key::revoke(tx, id)).await.unwrap();
        f.clock.advance_ms(LASTS_MS - 1);
        assert!(keys.look(&f.store, TOKEN).await.is_ok());
        f.clock.advance_ms(1);
        assert_eq!(code(keys.look(&f.store, TOKEN).await), "unauthenticated");
    }

    async fn a_key_ends_to_the_millisecond_and_what_is_not_there_is_not_kept(database) {
        let (f, keys) = (Fixture::new(database).await, Keys::default());
        for _ in 0..2 {
            assert_eq!(code(keys.look(&f.store, TOKEN).await), "unauthenticated");
        }
        assert_eq!(keys.asked(), 2);
        add_key(&f, None, Some(f.store.now_ms() + 10)).await;
        f.clock.advance_ms(9);
        assert!(keys.look(&f.store, TOKEN).await.is_ok());
        f.clock.advance_ms(1);
        assert_eq!(code(keys.look(&f.store, TOKEN).await), "unauthenticated");
    }
}
