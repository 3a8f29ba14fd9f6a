//! Contacts and their identities.

use parlance_model::Result;
use parlance_model::channel::Channel;
use parlance_model::contact::{Contact, Identity, IdentityKind, Profile};
use parlance_model::event::Event;
use parlance_model::id::ContactId;
use parlance_model::opt_out::OptSource;
use parlance_store::contact::{self, Changes, Details};
use parlance_store::total::Total;
use parlance_store::{conversation, event, opt_out};
use parlance_testkit::both_databases;

use crate::fixture::{Fixture, START_MS, code, identity, phone};

const NUMBER: &str = "+15551110001";
const OTHER: &str = "+15551110002";

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

/// A contact with these identities.
async fn person(f: &Fixture, name: &'static str, identities: Vec<Identity>) -> Contact {
    f.write(move |tx| contact::create(tx, &Details::from_name(name), &identities)).await.unwrap()
}

async fn profile(f: &Fixture, id: ContactId) -> Profile {
    f.read(move |tx| contact::profile(tx, id)).await.unwrap()
}

async fn change(f: &Fixture, id: ContactId, changes: Changes) -> Result<Contact> {
    f.write(move |tx| contact::change(tx, id, &changes)).await
}

async fn merge(f: &Fixture, survivor: ContactId, other: ContactId) -> Result<Contact> {
    f.write(move |tx| contact::merge(tx, survivor, other)).await
}

/// What was told since `seq`.
async fn told(f: &Fixture, seq: i64) -> Vec<Event> {
    f.read(move |tx| event::after(tx, seq, 100)).await.unwrap().into_iter().map(|entry| entry.event).collect()
}

fn last_name(name: &str) -> Changes {
    Changes { last_name: Some(name.to_owned()), ..Changes::default() }
}

fn number(number: Option<&str>) -> Changes {
    Changes { phone: Some(number.map(phone)), ..Changes::default() }
}

both_databases! {
    async fn a_change_is_written_told_and_carried_into_the_conversations(database) {
        let f = Fixture::new(database).await;
        let conversation = f.conversation(NUMBER).await;
        let (id, seq) = (conversation.contact_id, f.seq().await);
        f.clock.advance_ms(5);
        let after = change(&f, id, last_name("Lovelace")).await.unwrap();
        assert_eq!((after.name().as_deref(), after.updated_ms), (Some("Lovelace"), START_MS + 5));
        assert_eq!(f.reload(conversation.id).await.contact_name.as_deref(), Some("Lovelace"));
        assert_eq!(told(&f, seq).await, [Event::ContactUpdated { contact_id: id }]);
        assert_eq!(change(&f, id, last_name("Lovelace")).await.unwrap(), after);
        assert_eq!(f.seq().await, seq + 1, "what changes nothing tells nobody");
        change(&f, id, last_name("")).await.unwrap();
        assert_eq!(f.reload(conversation.id).await.contact_name, None);
        assert_eq!(code(change(&f, ContactId(0), last_name("x")).await), "not_found");
        f.assert_clean().await;
    }

    async fn a_new_number_takes_the_place_of_the_one_before(database) {
        let f = Fixture::new(database).await;
        let ada = person(&f, "Ada", vec![identity(NUMBER), email("ada@example.com")]).await.id;
        let eve = person(&f, "Eve", vec![identity(OTHER)]).await.id;
        let taken = change(&f, ada, number(Some(OTHER))).await.unwrap_err();
        assert!(taken.code() == "identity_taken" && taken.message().contains(&format!("contact {eve}")), "{taken:?}");
        change(&f, ada, number(Some("+15551110009"))).await.unwrap();
        let shown = profile(&f, ada).await;
        assert_eq!(shown.identities, [identity("+15551110009"), email("ada@example.com")]);
        assert_eq!(f.read(|tx| contact::by_identity(tx, &identity(NUMBER))).await.unwrap(), None);
        assert_eq!(change(&f, ada, number(None)).await.unwrap().phone, None);
        assert_eq!(profile(&f, ada).await.identities, [email("ada@example.com")]);
        let found = |typed: &'static str| f.read(move |tx| contact::list(tx, Some(typed), None, 10, 0));
        assert!(found("555 111 0009").await.unwrap().is_empty());
        assert_eq!(found("ada@").await.unwrap().len(), 1);
        f.assert_clean().await;
    }

    async fn of_several_numbers_any_can_come_first_and_the_next_follows(database) {
        let f = Fixture::new(database).await;
        let ada = person(&f, "Ada", vec![identity(NUMBER), identity(OTHER)]).await.id;
        assert_eq!(change(&f, ada, number(Some(OTHER))).await.unwrap().phone.as_deref(), Some(OTHER));
        assert_eq!(profile(&f, ada).await.identities.len(), 2, "none was lost");
        assert_eq!(change(&f, ada, number(None)).await.unwrap().phone.as_deref(), Some(NUMBER));
        assert_eq!(profile(&f, ada).await.identities, [identity(NUMBER)]);
        f.assert_clean().await;
    }

    async fn a_merged_contact_lives_on_in_the_other(database) {
        let f = Fixture::new(database).await;
        let (one, other) = (f.conversation(NUMBER).await, f.conversation(OTHER).await);
        let (survivor, merged) = (one.contact_id, other.contact_id);
        change(&f, merged, Changes { email: Some(Some("eve@example.com".to_owned())), ..last_name("Eve") }).await.unwrap();
        let seq = f.seq().await;
        let after = merge(&f, survivor, merged).await.unwrap();
        assert_eq!((after.id, after.phone.as_deref(), after.email.as_deref()), (survivor, Some(NUMBER), Some("eve@example.com")));
        for id in [survivor, merged] {
            let shown = profile(&f, id).await;
            assert_eq!(shown.contact, after);
            assert_eq!(shown.identities, [identity(NUMBER), identity(OTHER), email("eve@example.com")]);
            assert_eq!(f.read(move |tx| contact::living(tx, id)).await.unwrap(), survivor);
        }
        for before in [one, other] {
            let row = f.reload(before.id).await;
            assert_eq!((row.contact_id, row.contact_name.as_deref(), row.session_key), (survivor, Some("Eve"), before.session_key));
        }
        assert_eq!(told(&f, seq).await, [Event::ContactMerged { contact_id: survivor, merged_id: merged }]);
        assert_eq!(f.read(move |tx| contact::list(tx, Some("eve"), None, 10, 0)).await.unwrap().len(), 1);
        assert_eq!(merge(&f, survivor, merged).await.unwrap(), after);
        assert_eq!(merge(&f, merged, survivor).await.unwrap(), after);
        assert_eq!(f.seq().await, seq + 1, "merging twice tells once");
        // Who writes from the merged number is still the same person.
        f.receive(OTHER, "It's me").await;
        assert_eq!(f.raw().value("SELECT COUNT(*) FROM contact"), "2");
        f.assert_clean().await;
    }

    async fn chains_of_redirects_end_at_the_last(database) {
        let f = Fixture::new(database).await;
        let mut ids = Vec::new();
        for name in ["A", "B", "C", "D"] {
            ids.push(person(&f, name, Vec::new()).await.id);
        }
        let [a, b, c, d] = ids[..] else { panic!("four were made") };
        for (survivor, other) in [(b, a), (c, b), (d, a)] {
            merge(&f, survivor, other).await.unwrap();
        }
        for id in ids {
            assert_eq!(profile(&f, id).await.contact.id, d);
        }
        assert_eq!(merge(&f, a, d).await.unwrap().id, d);
        assert_eq!(code(merge(&f, d, ContactId(0)).await), "not_found");
        assert_eq!(code(merge(&f, ContactId(0), d).await), "not_found");
        f.assert_clean().await;
    }

    async fn what_would_touch_too_much_is_refused_and_changes_nothing(database) {
        let f = Fixture::new(database).await;
        let (large, small) = (f.conversation(NUMBER).await, f.conversation(OTHER).await);
        let (id, small) = (large.contact_id, small.contact_id);
        let account = f.account.clone();
        let fill = f.write(move |tx| {
            let contact = contact::get(tx, id)?;
            (0..1000).try_for_each(|n| {
                let key = conversation::Key { account: &account, session_key: format!("x_{n}"), channel: Channel::Sms, peer: String::new(), contact: contact.id };
                conversation::find_or_create(tx, &key).map(drop)
            })
        });
        fill.await.unwrap();
        assert_eq!(code(change(&f, id, last_name("Large")).await), "contact_too_large");
        assert_eq!(code(merge(&f, small, id).await), "contact_too_large");
        assert_eq!(f.read(move |tx| contact::get(tx, id)).await.unwrap().name(), None);
        // What renames nothing is no matter of size, and the other way round nothing much moves.
        change(&f, id, number(Some("+15551110009"))).await.unwrap();
        merge(&f, id, small).await.unwrap();
        f.assert_clean().await;
    }

    async fn lists_are_newest_first_and_have_each_living_contact_once(database) {
        let f = Fixture::new(database).await;
        let (other, _) = f.other_org().await;
        let mut made = Vec::new();
        for n in 0..7 {
            let (name, number) = (format!("Ada {n}"), format!("+1555111000{n}"));
            let identities = [identity(&number), email(&format!("ada{n}@example.com"))];
            made.insert(0, f.write(move |tx| contact::create(tx, &Details::from_name(&name), &identities)).await.unwrap().id);
        }
        merge(&f, made[0], made[3]).await.unwrap();
        made.remove(3);
        f.write(|tx| opt_out::set(tx, &identity("+15551110000"), true, OptSource::Staff)).await.unwrap();
        for search in [None, Some("ada"), Some("EXAMPLE.com")] {
            let mut walked = Vec::new();
            while let Ok(page) = f.read({ let before = walked.last().copied(); move |tx| contact::list(tx, search, before, 2, 0) }).await && !page.is_empty() {
                walked.extend(page.iter().map(|row| row.contact.id));
            }
            assert_eq!(walked, made, "{search:?}");
            assert_eq!(f.read(move |tx| contact::total(tx, search)).await.unwrap(), Total { n: 6, bounded: false });
            let page = f.read(move |tx| contact::list(tx, search, None, 3, 4)).await.unwrap();
            assert_eq!(page.iter().map(|row| row.contact.id).collect::<Vec<_>>(), made[4..]);
            for row in page {
                assert_eq!(row, profile(&f, row.contact.id).await);
            }
            assert!(f.store.read(other, move |tx| contact::list(tx, search, None, 3, 0)).await.unwrap().is_empty());
            assert_eq!(f.store.read(other, move |tx| contact::total(tx, search)).await.unwrap(), Total { n: 0, bounded: false });
        }
        let opted_out: Vec<_> = f.read(|tx| contact::list(tx, None, None, 10, 0)).await.unwrap().iter().map(|row| row.opted_out).collect();
        assert_eq!(opted_out, [false, false, false, false, false, true]);
        for nothing in ["", "\0", "nobody", "555 999"] {
            assert!(f.read(move |tx| contact::list(tx, Some(nothing), None, 10, 0)).await.unwrap().is_empty());
            assert_eq!(f.read(move |tx| contact::total(tx, Some(nothing))).await.unwrap(), Total { n: 0, bounded: false });
        }
        let both = f.read(|tx| contact::list(tx, Some("0003"), None, 10, 0)).await.unwrap();
        assert_eq!(both.iter().map(|row| row.contact.id).collect::<Vec<_>>(), [made[0]], "a merged number finds who lives on");
    }

    async fn another_org_changes_and_merges_nothing_of_ours(database) {
        let f = Fixture::new(database).await;
        let (other, _) = f.other_org().await;
        let (ours, too) = (person(&f, "Ada", vec![identity(NUMBER)]).await.id, person(&f, "Eve", vec![]).await.id);
        let theirs = f.store.write(other, |tx| contact::create(tx, &Details::from_name("Bob"), &[])).await.unwrap().id;
        assert_eq!(code(f.store.write(other, move |tx| contact::change(tx, ours, &last_name("x"))).await), "not_found");
        for (survivor, merged) in [(ours, too), (theirs, ours), (ours, theirs)] {
            assert_eq!(code(f.store.write(other, move |tx| contact::merge(tx, survivor, merged)).await), "not_found");
        }
        assert_eq!(profile(&f, ours).await.contact.first_name, "Ada");
        f.assert_clean().await;
    }
}
