//! Users and staff.

use parlance_model::id::{OrgId, UserId};
use parlance_model::role::Role;
use parlance_store::staff;
use parlance_testkit::both_databases;

use crate::fixture::{Fixture, code};

async fn add(f: &Fixture, org: OrgId, email: &'static str, name: &'static str, role: Role) -> parlance_model::Result<UserId> {
    f.system_write(move |tx| staff::add(tx, org, email, name, role, "first-hash")).await
}

both_databases! {
    async fn a_staff_member_is_found_by_address_and_by_user(database) {
        let f = Fixture::new(database).await;
        let org = f.org;
        let user = add(&f, org, " Ann@Example.com ", " Ann ", Role::Owner).await.unwrap();
        let by_email = f.system_read(move |tx| staff::by_email(tx, org, "ANN@example.com")).await.unwrap();
        let found = f.read(move |tx| staff::find(tx, user)).await.unwrap().unwrap();
        for staff in [by_email, found] {
            assert_eq!((staff.user.id, staff.user.email.as_str(), staff.user.name.as_str()), (user, "ann@example.com", "Ann"));
            assert_eq!(staff.role, Role::Owner);
        }
        assert_eq!(code(f.system_read(move |tx| staff::by_email(tx, org, "bob@example.com")).await), "not_found");
        assert!(f.read(|tx| staff::find(tx, UserId(0))).await.unwrap().is_none());
    }

    async fn a_user_in_two_orgs_is_one_person_with_a_role_in_each(database) {
        let f = Fixture::new(database).await;
        let (org, (other, _)) = (f.org, f.other_org().await);
        let user = add(&f, org, "ann@example.com", "Ann", Role::Owner).await.unwrap();
        assert!(f.store.read(other, move |tx| staff::find(tx, user)).await.unwrap().is_none());
        assert_eq!(code(f.system_read(move |tx| staff::by_email(tx, other, "ann@example.com")).await), "not_found");
        let again = f.system_write(move |tx| staff::add(tx, other, "ann@example.com", "Somebody", Role::Agent, "second-hash")).await;
        assert_eq!(again.unwrap(), user);
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
}
