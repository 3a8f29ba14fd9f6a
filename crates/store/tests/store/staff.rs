//! Users and staff.

use parlance_model::conversation::Conversation;
use parlance_model::id::{OrgId, UserId};
use parlance_model::key::Scopes;
use parlance_model::role::Role;
use parlance_store::conversation::{self, Filter};
use parlance_store::key::{self, NewKey};
use parlance_store::staff::{self, Added};
use parlance_store::user;
use parlance_testkit::both_databases;

use crate::fixture::{Fixture, code};

async fn add(f: &Fixture, org: OrgId, email: &'static str, name: &'static str, role: Role) -> parlance_model::Result<UserId> {
    f.store.write(org, move |tx| Ok(staff::add(tx, email, name, role, "first-hash")?.user)).await
}

both_databases! {
    async fn a_staff_member_is_found_by_address_and_by_user(database) {
        let f = Fixture::new(database).await;
        let org = f.org;
        let user = add(&f, org, " Ann@Example.com ", " Ann ", Role::Owner).await.unwrap();
        let by_email = f.read(move |tx| staff::by_email(tx, "ANN@example.com")).await.unwrap();
        let found = f.read(move |tx| staff::find(tx, user)).await.unwrap().unwrap();
        for staff in [by_email, found] {
            assert_eq!((staff.user.id, staff.user.email.as_str(), staff.user.name.as_str()), (user, "ann@example.com", "Ann"));
            assert_eq!(staff.role, Role::Owner);
        }
        assert_eq!(code(f.read(move |tx| staff::by_email(tx, "bob@example.com")).await), "not_found");
        assert!(f.read(|tx| staff::find(tx, UserId(0))).await.unwrap().is_none());
    }

    async fn a_user_in_two_orgs_is_one_person_with_a_role_in_each(database) {
        let f = Fixture::new(database).await;
        let (org, (other, _)) = (f.org, f.other_org().await);
        let user = add(&f, org, "ann@example.com", "Ann", Role::Owner).await.unwrap();
        assert!(f.store.read(other, move |tx| staff::find(tx, user)).await.unwrap().is_none());
        assert_eq!(code(f.store.read(other, move |tx| staff::by_email(tx, "ann@example.com")).await), "not_found");
        let again = f.store.write(other, move |tx| staff::add(tx, "ann@example.com", "Somebody", Role::Agent, "second-hash")).await;
        assert_eq!(again.unwrap(), Added { user, made: false });
        let theirs = f.store.read(other, move |tx| staff::find(tx, user)).await.unwrap().unwrap();
        assert_eq!((theirs.role, theirs.user.name.as_str()), (Role::Agent, "Ann"));
        assert_eq!(f.read(move |tx| staff::find(tx, user)).await.unwrap().unwrap().role, Role::Owner);
        let hash = f.system_read(|tx| staff::password_hash(tx, "ann@example.com")).await.unwrap();
        assert_eq!(hash, Some((user, "first-hash".to_owned())));
        assert_eq!(f.system_read(|tx| staff::password_hash(tx, "bob@example.com")).await.unwrap(), None);
    }

    async fn nobody_joins_twice_and_wrong_values_are_refused(database) {
        let f = Fixture::new(database).await;
        add(&f, f.org, "ann@example.com", "Ann", Role::Agent).await.unwrap();
        assert_eq!(code(add(&f, f.org, "ANN@example.com", "Ann", Role::Owner).await), "already_staff");
        assert_eq!(code(add(&f, f.org, "ann", "Ann", Role::Agent).await), "validation_failed");
        assert_eq!(code(add(&f, f.org, "bob@example.com", " ", Role::Agent).await), "validation_failed");
        assert_eq!(f.raw().value("SELECT COUNT(*) FROM \"user\""), "1");
    }

    async fn the_last_owner_stays_and_stays_owner(database) {
        let f = Fixture::new(database).await;
        let ann = add(&f, f.org, "ann@example.com", "Ann", Role::Owner).await.unwrap();
        let bob = add(&f, f.org, "bob@example.com", "Bob", Role::Agent).await.unwrap();
        assert_eq!(code(f.write(move |tx| staff::set_role(tx, ann, Role::Admin)).await), "last_owner");
        assert_eq!(code(f.write(move |tx| staff::remove(tx, ann)).await), "last_owner");
        f.write(move |tx| staff::set_role(tx, bob, Role::Owner)).await.unwrap();
        f.write(move |tx| staff::set_role(tx, ann, Role::Agent)).await.unwrap();
        let (people, total) = f.read(|tx| staff::list(tx, 10, 0)).await.unwrap();
        assert_eq!((people.iter().map(|staff| (staff.user.id, staff.role)).collect::<Vec<_>>(), total), (vec![(ann, Role::Agent), (bob, Role::Owner)], 2));
        for missing in [UserId(0), UserId(bob.0 + 1)] {
            assert_eq!(code(f.write(move |tx| staff::set_role(tx, missing, Role::Owner)).await), "not_found");
            assert_eq!(code(f.write(move |tx| staff::remove(tx, missing)).await), "not_found");
        }
    }

    async fn who_leaves_loses_keys_for_good_and_conversations_by_and_by(database) {
        let f = Fixture::new(database).await;
        let org = f.org;
        let ann = add(&f, org, "ann@example.com", "Ann", Role::Agent).await.unwrap();
        let new = NewKey { user: Some(ann), name: "a".into(), dialect: None, scopes: Scopes::FULL, expires_ms: None };
        f.write(move |tx| key::create(tx, &new, "plk_test_ann")).await.unwrap();
        for number in ["+14152000001", "+14152000002", "+14152000003"] {
            let before = f.conversation(number).await;
            f.write(move |tx| conversation::save(tx, &before, &Conversation { assigned_to: Some(ann), ..before.clone() })).await.unwrap();
        }
        f.write(move |tx| staff::remove(tx, ann)).await.unwrap();
        assert_eq!(f.raw().value("SELECT COUNT(*) FROM job WHERE kind = 'unassign'"), "1");
        add(&f, org, "ann@example.com", "Ann", Role::Agent).await.unwrap();
        assert_eq!(code(f.system_read(|tx| key::authenticate(tx, "plk_test_ann")).await), "unauthenticated");
        for taken in [2, 1, 0] {
            assert_eq!(f.write(move |tx| conversation::unassign(tx, ann, 2)).await.unwrap(), taken);
        }
        let filter = Filter { assigned_to: Some(ann), ..Filter::default() };
        assert!(f.read(move |tx| conversation::list(tx, &filter, None, 10, 0)).await.unwrap().is_empty());
        f.assert_clean().await;
    }

    async fn a_name_that_another_org_sees_stays(database) {
        let f = Fixture::new(database).await;
        let (other, _) = f.other_org().await;
        let ann = add(&f, f.org, "ann@example.com", "Ann", Role::Agent).await.unwrap();
        f.write(move |tx| staff::rename(tx, ann, " Anna ")).await.unwrap();
        assert_eq!(f.read(move |tx| staff::find(tx, ann)).await.unwrap().unwrap().user.name, "Anna");
        assert_eq!(code(f.write(move |tx| staff::rename(tx, ann, " ")).await), "validation_failed");
        assert_eq!(code(f.write(|tx| staff::rename(tx, UserId(0), "x")).await), "not_found");
        add(&f, other, "ann@example.com", "Ann", Role::Admin).await.unwrap();
        assert_eq!(code(f.write(move |tx| staff::rename(tx, ann, "Annie")).await), "user_is_shared");
        let orgs = async |only| f.system_read(move |tx| staff::orgs(tx, ann, only)).await.unwrap().len();
        assert_eq!((orgs(None).await, orgs(Some(other)).await), (2, 1));
        assert_eq!(f.system_read(move |tx| user::get(tx, ann)).await.unwrap().name, "Anna");
    }
}
