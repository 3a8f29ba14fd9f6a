//! Contacts and their identities.

use parlance_model::contact::{Identity, IdentityKind};
use parlance_model::id::ContactId;
use parlance_store::contact::{self, Details};
use parlance_testkit::both_databases;

use crate::fixture::{Fixture, START_MS, code, identity};

const NUMBER: &str = "+15551110001";

fn email(value: &str) -> Identity {
    Identity { kind: IdentityKind::Email, value: value.to_owned() }
}

#[test]
fn a_name_is_split_at_its_last_blank() {
    let split = |name: &str| {
        let details = Details::from_name(name);
        (details.first_name, details.last_name)
    };
    assert_eq!(split(" Ada  Maria Lovelace "), ("Ada  Maria".into(), "Lovelace".into()));
    assert_eq!(split("Ada"), ("Ada".into(), String::new()));
    assert_eq!(split("A\0da"), ("Ada".into(), String::new()));
    assert_eq!(split(""), (String::new(), String::new()));
    assert_eq!(split(&"é".repeat(300)).0.chars().count(), 200);
}

both_databases! {
    async fn a_contact_reads_back_with_its_first_identities(database) {
        let f = Fixture::new(database).await;
        let made = f.write(|tx| {
            let identities = [identity(NUMBER), email("ada@example.com"), identity("+15551110002")];
            contact::create(tx, &Details::from_name("Ada Lovelace"), &identities)
        });
        let made = made.await.unwrap();
        let found = f.read(move |tx| contact::get(tx, made.id)).await.unwrap();
        assert_eq!(found.name().as_deref(), Some("Ada Lovelace"));
        assert_eq!((found.phone.as_deref(), found.email.as_deref(), found.created_ms), (Some(NUMBER), Some("ada@example.com"), START_MS));
        for identity in [identity(NUMBER), identity("+15551110002"), email("ada@example.com")] {
            assert_eq!(f.read(move |tx| contact::by_identity(tx, &identity)).await.unwrap(), Some(made.id));
        }
        // The same value of another kind is somebody else.
        assert_eq!(f.read(|tx| contact::by_identity(tx, &email(NUMBER))).await.unwrap(), None);
    }

    async fn an_identity_belongs_to_one_contact(database) {
        let f = Fixture::new(database).await;
        let (first, made) = f.write(|tx| contact::find_or_create(tx, &identity(NUMBER), &Details::from_name("Ada"))).await.unwrap();
        assert!(made);
        let (again, made) = f.write(|tx| contact::find_or_create(tx, &identity(NUMBER), &Details::from_name("Eve"))).await.unwrap();
        assert_eq!((again.id, again.first_name.as_str(), made), (first.id, "Ada", false));
        let taken = f.write(|tx| contact::create(tx, &Details::default(), &[email("eve@example.com"), identity(NUMBER)])).await;
        assert_eq!(code(taken), "identity_taken");
        assert_eq!(f.raw().value("SELECT COUNT(*) FROM contact"), "1");
        assert_eq!(f.read(|tx| contact::by_identity(tx, &email("eve@example.com"))).await.unwrap(), None);
    }

    async fn an_identity_given_twice_is_one(database) {
        let f = Fixture::new(database).await;
        let made = f.write(|tx| contact::create(tx, &Details::default(), &[identity(NUMBER), identity(NUMBER)])).await.unwrap();
        assert_eq!(f.read(|tx| contact::by_identity(tx, &identity(NUMBER))).await.unwrap(), Some(made.id));
    }

    async fn another_org_has_contacts_of_its_own(database) {
        let f = Fixture::new(database).await;
        let (other, _) = f.other_org().await;
        let ours = f.write(|tx| contact::create(tx, &Details::from_name("Ada"), &[identity(NUMBER)])).await.unwrap().id;
        assert_eq!(code(f.store.read(other, move |tx| contact::get(tx, ours)).await), "not_found");
        assert_eq!(f.store.read(other, |tx| contact::by_identity(tx, &identity(NUMBER))).await.unwrap(), None);
        let (theirs, made) = f.store.write(other, |tx| contact::find_or_create(tx, &identity(NUMBER), &Details::default())).await.unwrap();
        assert!(made && theirs.id != ours);
        assert_eq!(code(f.read(|tx| contact::get(tx, ContactId(0))).await), "not_found");
    }
}
