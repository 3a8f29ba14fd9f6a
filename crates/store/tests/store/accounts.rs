//! Accounts, their secrets and their routes.

use parlance_model::account::{Account, Settings};
use parlance_store::secret::SecretKey;
use parlance_store::{Setup, account, org};
use parlance_testkit::both_databases;

use crate::fixture::{Fixture, START_MS, TOKEN, code, open, setup, sid, twilio};

fn token(account: &Account) -> &str {
    let Settings::Twilio(twilio) = &account.settings;
    &twilio.auth_token
}

both_databases! {
    async fn an_account_reads_back_with_its_secret_opened(database) {
        let f = Fixture::new(database).await;
        let id = f.account.id;
        let found = f.read(move |tx| account::get(tx, id)).await.unwrap();
        let Settings::Twilio(twilio) = &found.settings;
        assert_eq!((found.org, found.id, found.name.as_str(), found.enabled, found.created_ms), (f.org, id, "Main line", true, START_MS));
        assert_eq!((twilio.account_sid.clone(), twilio.phone_number.as_str()), (sid("+15550000001"), "+15550000001"));
        assert_eq!((twilio.auth_token.as_str(), &twilio.messaging_service_sid, &twilio.base_url), (TOKEN, &None, &None));
        assert_eq!(found.region, "US".parse().unwrap());
        assert_eq!((found.hook_token.len(), &found.hook_token), (32, &f.account.hook_token));
    }

    async fn no_column_holds_the_secret_in_clear(database) {
        let f = Fixture::new(database).await;
        let row = f.raw().query("SELECT * FROM account").concat();
        let hex: String = TOKEN.bytes().map(|byte| format!("{byte:02x}")).collect();
        assert!(row.iter().any(|value| value == "Main line"), "{row:?}");
        assert!(!row.iter().any(|value| value.contains(TOKEN) || value.contains(&hex)), "{row:?}");
        assert!(!f.raw().value("SELECT secret FROM account").is_empty());
    }

    async fn a_secret_opens_neither_with_another_key_nor_in_another_row(database) {
        let f = Fixture::new(database).await;
        let (first, second) = (f.account.id, f.write(|tx| account::create(tx, "Second", &twilio("+15550000003"))).await.unwrap().id);
        let other = Setup { secret: SecretKey::new([8; 32]), ..setup(&f.clock) };
        let wrong = open(&f.place, other).await.unwrap();
        assert_eq!(code(wrong.read(f.org, move |tx| account::get(tx, first).map(drop)).await), "internal");
        f.raw().execute(&format!("UPDATE account SET secret = (SELECT secret FROM account WHERE id = {first}) WHERE id = {second}"));
        assert_eq!(code(f.read(move |tx| account::get(tx, second).map(drop)).await), "internal");
        assert_eq!(token(&f.read(move |tx| account::get(tx, first)).await.unwrap()), TOKEN);
    }

    async fn a_route_finds_the_accounts_of_every_org(database) {
        let f = Fixture::new(database).await;
        let (other, _) = f.other_org().await;
        let theirs = f.store.write(other, |tx| account::create(tx, "Same number", &twilio("+15550000001"))).await.unwrap();
        let found = f.system_read(|tx| account::by_route(tx, "twilio", &sid("+15550000001"))).await.unwrap();
        let pairs: Vec<_> = found.iter().map(|account| (account.org, account.id)).collect();
        assert_eq!(pairs, [(f.org, f.account.id), (other, theirs.id)]);
        assert!(found.iter().all(|account| token(account) == TOKEN));
        assert_eq!(found[1].region, "DE".parse().unwrap());

        let hook_token = theirs.hook_token.clone();
        let found = f.system_read(move |tx| account::by_route(tx, "hook_token", &hook_token)).await.unwrap();
        assert_eq!(found.iter().map(|account| account.id).collect::<Vec<_>>(), [theirs.id]);
        for (kind, value) in [("twilio", theirs.hook_token.clone()), ("hook_token", sid("+15550000001")), ("twilio", String::new())] {
            assert!(f.system_read(move |tx| account::by_route(tx, kind, &value)).await.unwrap().is_empty(), "{kind}");
        }
    }

    async fn an_org_has_a_sender_once_and_two_orgs_may_have_it_both(database) {
        let f = Fixture::new(database).await;
        assert_eq!(code(f.write(|tx| account::create(tx, "Again", &twilio("+15550000001")).map(drop)).await), "account_exists");
        let other = f.system_write(|tx| org::create(tx, "other", "Other", "US")).await.unwrap().id;
        f.store.write(other, |tx| account::create(tx, "Theirs", &twilio("+15550000001"))).await.unwrap();
        assert_eq!(f.raw().value("SELECT COUNT(*) FROM account"), "2");
        assert_eq!(f.raw().value("SELECT COUNT(*) FROM account_route"), "4");
    }

    async fn a_list_is_oldest_first_and_of_one_org(database) {
        let f = Fixture::new(database).await;
        let (other, theirs) = f.other_org().await;
        let second = f.write(|tx| account::create(tx, "Second", &twilio("+15550000003"))).await.unwrap();
        let ids = |accounts: Vec<Account>| accounts.iter().map(|account| account.id).collect::<Vec<_>>();
        assert_eq!(ids(f.read(account::list).await.unwrap()), [f.account.id, second.id]);
        assert_eq!(ids(f.store.read(other, account::list).await.unwrap()), [theirs.id]);
        let foreign = theirs.id;
        assert_eq!(code(f.read(move |tx| account::get(tx, foreign).map(drop)).await), "not_found");
    }

    async fn a_saved_account_has_its_new_number_secret_and_route(database) {
        let f = Fixture::new(database).await;
        let mut changed = f.account.clone();
        let Settings::Twilio(mut settings) = twilio("+15550000009");
        settings.auth_token = "another-made-up-token".to_owned();
        (changed.name, changed.enabled, changed.settings) = ("Desk".to_owned(), false, Settings::Twilio(settings));
        let saved = changed.clone();
        f.write(move |tx| account::save(tx, &saved)).await.unwrap();
        let found = f.read(move |tx| account::get(tx, changed.id)).await.unwrap();
        assert_eq!((found.name.as_str(), found.enabled, token(&found)), ("Desk", false, "another-made-up-token"));
        assert_eq!(found.hook_token, f.account.hook_token);
        for (number, accounts) in [("+15550000001", 0), ("+15550000009", 1)] {
            assert_eq!(f.system_read(move |tx| account::by_route(tx, "twilio", &sid(number))).await.unwrap().len(), accounts, "{number}");
        }
        let second = f.write(|tx| account::create(tx, "Second", &twilio("+15550000003"))).await.unwrap();
        let clash = Account { settings: twilio("+15550000009"), ..second };
        assert_eq!(code(f.write(move |tx| account::save(tx, &clash)).await), "account_exists");
    }
}
