//! Orgs, and the installation that they live in.

use parlance_model::id::OrgId;
use parlance_store::{installation, org};
use parlance_testkit::both_databases;

use crate::fixture::{Fixture, START_MS, code};

both_databases! {
    async fn an_org_reads_back_by_its_slug_in_the_list_and_in_its_own_transactions(database) {
        let f = Fixture::new(database).await;
        let made = f.system_write(|tx| org::create(tx, "b-2", " B\0 & Co ", "DE")).await.unwrap();
        let by_slug = f.system_read(|tx| org::by_slug(tx, "b-2")).await.unwrap();
        let current = f.store.read(made.id, org::current).await.unwrap();
        let last = f.system_read(org::all).await.unwrap().pop().unwrap();
        for found in [&made, &by_slug, &current, &last] {
            assert_eq!((found.id, found.slug.as_str(), found.name.as_str(), found.seq), (made.id, "b-2", "B & Co", 0));
            assert_eq!((found.region, &found.sms_provider, found.created_ms), ("DE".parse().unwrap(), &None, START_MS));
        }
        let slugs: Vec<_> = f.system_read(org::all).await.unwrap().into_iter().map(|org| org.slug).collect();
        assert_eq!(slugs, ["acme", "b-2"]);
    }

    async fn what_is_not_there_is_not_found(database) {
        let f = Fixture::new(database).await;
        assert_eq!(code(f.system_read(|tx| org::by_slug(tx, "nobody")).await), "not_found");
        assert_eq!(code(f.store.read(OrgId(f.org.0 + 1000), org::current).await), "not_found");
    }

    async fn a_slug_is_taken_once_and_wrong_values_are_refused(database) {
        let f = Fixture::new(database).await;
        let create = |slug: &'static str, name: &'static str, region: &'static str| {
            f.system_write(move |tx| org::create(tx, slug, name, region).map(drop))
        };
        assert_eq!(code(create("acme", "Again", "US").await), "slug_taken");
        for (slug, name, region) in [("Acme", "A", "US"), ("", "A", "US"), ("a", " ", "US"), ("a", "A", "USA"), ("a", "A", "")] {
            let refused = create(slug, name, region).await.err().map(|error| error.code());
            assert_eq!(refused, Some("validation_failed"), "{slug:?} {name:?} {region:?}");
        }
        assert_eq!(f.system_read(org::all).await.unwrap().len(), 1);
    }

    async fn the_first_provider_stays(database) {
        let f = Fixture::new(database).await;
        let (other, _) = f.other_org().await;
        for provider in ["twilio", "another"] {
            f.write(move |tx| org::default_sms_provider(tx, provider)).await.unwrap();
        }
        assert_eq!(f.read(org::current).await.unwrap().sms_provider.as_deref(), Some("twilio"));
        assert_eq!(f.store.read(other, org::current).await.unwrap().sms_provider, None);
    }

    async fn the_installation_answers_and_keeps_its_tag(database) {
        let f = Fixture::new(database).await;
        f.system_read(installation::ping).await.unwrap();
        let (tag, another) = (f.store.tag(), f.second_store().await.tag());
        assert_eq!(tag, another);
        assert_eq!(f.raw().value("SELECT tag FROM installation"), tag.to_i64().to_string());
        assert_ne!(tag.to_i64(), 0);
    }

    async fn gohighlevels_token_is_kept_encrypted_and_both_fields_are_cleared(database) {
        let f = Fixture::new(database).await;
        let ghl = org::Ghl { api_key: Some("pit-not-a-real-token".to_owned()), location_id: Some("loc_1".to_owned()) };
        let (set, (other, _)) = (ghl.clone(), f.other_org().await);
        f.write(move |tx| org::set_ghl(tx, &set)).await.unwrap();
        assert!(f.read(org::ghl).await.unwrap() == ghl);
        assert!(f.store.read(other, org::ghl).await.unwrap() == org::Ghl::default());
        let row = f.raw().query("SELECT * FROM org").concat();
        let hex: String = "pit-not".bytes().map(|byte| format!("{byte:02x}")).collect();
        assert!(!row.iter().any(|value| value.contains("pit-not") || value.contains(&hex)), "{row:?}");
        f.write(|tx| org::set_ghl(tx, &org::Ghl::default())).await.unwrap();
        assert!(f.read(org::ghl).await.unwrap() == org::Ghl::default());
        f.write(|tx| org::set_sms_provider(tx, Some("ghl"))).await.unwrap();
        assert_eq!(f.read(org::current).await.unwrap().sms_provider.as_deref(), Some("ghl"));
        f.write(|tx| org::set_sms_provider(tx, None)).await.unwrap();
        assert_eq!(f.read(org::current).await.unwrap().sms_provider, None);
    }
}
