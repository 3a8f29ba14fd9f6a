//! Lists of conversations: pages, filters, search and totals, against a plain sort in memory.

use parlance_model::account::Account;
use parlance_model::channel::Channel;
use parlance_model::contact::{Contact, Identity, IdentityKind};
use parlance_model::conversation::{Conversation, Standing, State, Status};
use parlance_model::entropy::{self, SeededEntropy};
use parlance_model::id::{ConversationId, UserId};
use parlance_model::{Result, text};
use parlance_store::conversation::{After, Filter};
use parlance_store::total::Total;
use parlance_store::{OrgTx, contact, conversation};
use parlance_testkit::both_databases;

use crate::fixture::{Fixture, START_MS, identity, talk};

/// Names, numbers and addresses that searches stumble over.
const PEOPLE: [(&str, &str, &str); 7] = [
    ("Ada Lovelace", "+15559876543", "ada@example.com"),
    ("ÜNAL Çelik", "+4930901820", "uenal@example.de"),
    ("100% Off_shop", "+15551110001", "sale@example.com"),
    ("Straße \\ Strasse", "+15551110002", "weg@example.com"),
    ("李 雷", "+8613800138000", "li_lei@example.com"),
    ("", "+15551110003", "nobody@example.com"),
    ("ｆｕｌｌ　ｗｉｄｔｈ", "+15551110004", "100@example.com"),
];

struct Random(SeededEntropy);

impl Random {
    fn below(&self, bound: u64) -> usize {
        let number = u64::from_be_bytes(entropy::bytes(&self.0)) % bound;
        usize::try_from(number).unwrap()
    }

    fn of<T: Copy>(&self, items: &[T]) -> T {
        items[self.below(items.len() as u64)]
    }
}

fn people(tx: &mut OrgTx<'_, '_>) -> Result<Vec<Contact>> {
    let make = |(name, phone, email): (&str, &str, &str)| {
        let email = Identity { kind: IdentityKind::Email, value: email.to_owned() };
        contact::create(tx, &contact::Details::from_name(name), &[identity(phone), email])
    };
    PEOPLE.into_iter().map(make).collect()
}

/// Conversations of every kind, many with the same time.
fn random_conversations(tx: &mut OrgTx<'_, '_>, account: &Account, people: &[Contact], count: usize) -> Result<Vec<Conversation>> {
    let random = Random(SeededEntropy::new(11));
    let mut made = Vec::new();
    for number in 0..count {
        let key = conversation::Key {
            account,
            session_key: format!("test_{number}"),
            channel: random.of(Channel::ALL),
            peer: String::new(),
            contact: people[random.below(people.len() as u64)].id,
        };
        let (before, _) = conversation::find_or_create(tx, &key)?;
        let mut after = before.clone();
        after.standing = Standing { state: random.of(State::ALL), archived: random.below(4) == 0 };
        after.assigned_to = random.of(&[None, Some(UserId(1)), Some(UserId(2))]);
        after.last_message_ms = START_MS - 1000 * i64::try_from(random.below(20)).unwrap();
        conversation::save(tx, &before, &after)?;
        made.push(after);
    }
    made.sort_by_key(|row| std::cmp::Reverse((row.last_message_ms, row.id)));
    Ok(made)
}

/// Whether the list should have this row: written down a second time, without SQL.
fn fits(filter: &Filter, row: &Conversation, people: &[Contact]) -> bool {
    let found = filter.search.as_ref().is_none_or(|search| {
        let person = people.iter().find(|person| person.id == row.contact_id).unwrap();
        let texts = [person.name(), person.phone.clone(), person.email.clone()];
        let needle = text::needle(search, "US".parse().unwrap());
        needle.is_some_and(|needle| texts.into_iter().flatten().any(|hay| text::fold(&hay).contains(&needle.text)))
    });
    filter.channel.is_none_or(|channel| row.channel == channel)
        && filter.status.is_none_or(|status| row.standing.status() == status)
        && filter.contact_id.is_none_or(|contact| row.contact_id == contact)
        && filter.assigned_to.is_none_or(|user| row.assigned_to == Some(user))
        && found
}

/// Every list by pages of this size, each behind the one before.
async fn walk(f: &Fixture, filter: &Filter, limit: i64) -> Vec<ConversationId> {
    let (mut walked, mut after) = (Vec::new(), None);
    loop {
        let filter = filter.clone();
        let page = f.read(move |tx| conversation::list(tx, &filter, after, limit, 0)).await.unwrap();
        assert!(page.len() <= usize::try_from(limit).unwrap());
        let Some(last) = page.last() else { return walked };
        after = Some(After { last_message_ms: last.last_message_ms, id: last.id });
        walked.extend(page.iter().map(|row| row.id));
    }
}

async fn total(f: &Fixture, filter: Filter) -> Total {
    f.read(move |tx| conversation::total(tx, &filter)).await.unwrap()
}

fn search(text: &str) -> Filter {
    Filter { search: Some(text.to_owned()), ..Filter::default() }
}

async fn filled(f: &Fixture, count: usize) -> (Vec<Contact>, Vec<Conversation>) {
    let account = f.account.clone();
    f.write(move |tx| {
        let people = people(tx)?;
        let rows = random_conversations(tx, &account, &people, count)?;
        Ok((people, rows))
    })
    .await
    .unwrap()
}

both_databases! {
    async fn pages_give_each_conversation_once_in_the_order_of_a_plain_sort(database) {
        let f = Fixture::new(database).await;
        let (_, rows) = filled(&f, 150).await;
        let expected: Vec<_> = rows.iter().map(|row| row.id).collect();
        for limit in [1, 7, 150, 1000] {
            assert_eq!(walk(&f, &Filter::default(), limit).await, expected, "pages of {limit}");
        }
        for offset in [0, 10, 149, 150, 1000] {
            let page = f.read(move |tx| conversation::list(tx, &Filter::default(), None, 20, offset)).await.unwrap();
            let ids: Vec<_> = page.iter().map(|row| row.id).collect();
            let expected: Vec<_> = expected.iter().copied().skip(usize::try_from(offset).unwrap()).take(20).collect();
            assert_eq!(ids, expected, "from {offset}");
        }
    }

    async fn every_filter_and_every_two_together_give_what_memory_gives(database) {
        let f = Fixture::new(database).await;
        let (people, rows) = filled(&f, 150).await;
        let facets: Vec<Filter> = std::iter::once(Filter::default())
            .chain(Channel::ALL.iter().map(|channel| Filter { channel: Some(*channel), ..Filter::default() }))
            .chain(Status::ALL.iter().map(|status| Filter { status: Some(*status), ..Filter::default() }))
            .chain(people.iter().take(2).map(|person| Filter { contact_id: Some(person.id), ..Filter::default() }))
            .chain([1, 2, 3].map(|user| Filter { assigned_to: Some(UserId(user)), ..Filter::default() }))
            .chain(["ada", "example.com"].map(search))
            .collect();
        let mut found = 0;
        for one in &facets {
            for other in &facets {
                let both = Filter {
                    channel: one.channel.or(other.channel),
                    status: one.status.or(other.status),
                    contact_id: one.contact_id.or(other.contact_id),
                    assigned_to: one.assigned_to.or(other.assigned_to),
                    search: one.search.clone().or(other.search.clone()),
                };
                let expected: Vec<_> = rows.iter().filter(|row| fits(&both, row, &people)).map(|row| row.id).collect();
                found += expected.len();
                assert_eq!(walk(&f, &both, 60).await, expected, "{both:?}");
                assert_eq!(total(&f, both.clone()).await, Total { n: i64::try_from(expected.len()).unwrap(), bounded: false }, "{both:?}");
            }
        }
        assert!(found > 1000, "{found} rows are too few to tell filters apart");
    }

    async fn a_search_finds_people_however_they_are_written(database) {
        let f = Fixture::new(database).await;
        let (people, rows) = filled(&f, 60).await;
        // What is typed, and who is meant.
        let cases: [(&str, &[usize]); 30] = [
            ("ada", &[0]),
            ("LOVE", &[0]),
            ("ada  lovelace", &[0]),
            ("ada@EXAMPLE.com", &[0]),
            ("(555) 987-6543", &[0]),
            ("+1 555 987 6543", &[0]),
            ("001 555 987 6543", &[0]),
            ("987.6543", &[0]),
            ("９８７６５４３", &[0]),
            ("ünal", &[1]),
            ("unal celik", &[1]),
            ("ádá", &[0]),
            ("ÜNAL", &[1]),
            ("çelik", &[1]),
            ("ÇELIK", &[1]),
            ("u\u{308}nal", &[1]),
            ("+49 (30) 901820", &[1]),
            ("0049 30 901820", &[1]),
            ("100%", &[2]),
            ("%", &[2]),
            ("_shop", &[2]),
            ("off_", &[2]),
            ("_", &[2, 4]),
            ("\\", &[3]),
            ("straße", &[3]),
            ("雷", &[4]),
            ("FULL WIDTH", &[6]),
            ("ｆｕｌｌ", &[6]),
            ("nobody at all", &[]),
            ("lovelace ada", &[]),
        ];
        for (typed, meant) in cases {
            let meant: Vec<_> = meant.iter().map(|index| people[*index].id).collect();
            let expected: Vec<_> = rows.iter().filter(|row| meant.contains(&row.contact_id)).map(|row| row.id).collect();
            assert!(meant.is_empty() || !expected.is_empty(), "{typed}");
            assert_eq!(walk(&f, &search(typed), 100).await, expected, "{typed}");
        }
        let endless = "a".repeat(100_000);
        for typed in ["", "  ", "\0", endless.as_str()] {
            assert!(walk(&f, &search(typed), 100).await.is_empty());
            assert_eq!(total(&f, search(typed)).await, Total { n: 0, bounded: false });
        }
    }

    async fn a_number_is_found_as_it_is_dialled_in_the_orgs_region(database) {
        let f = Fixture::new(database).await;
        let (german, account) = f.other_org().await;
        let made = f.store.write(german, move |tx| Ok(talk(tx, &account, "+4930901820")?.0)).await.unwrap();
        for typed in ["030 901820", "(030) 90 18-20", "030/901820", "0049 30 901820", "+49 30 901820", "901820"] {
            let filter = search(typed);
            let found = f.store.read(german, move |tx| conversation::list(tx, &filter, None, 10, 0)).await.unwrap();
            assert_eq!(found.iter().map(|row| row.id).collect::<Vec<_>>(), [made.id], "{typed}");
            let people = f.store.read(german, move |tx| contact::list(tx, Some(typed), None, 10, 0)).await.unwrap();
            assert_eq!(people.iter().map(|row| row.contact.id).collect::<Vec<_>>(), [made.contact_id], "{typed}");
        }
        let filter = search("030 901821");
        assert!(f.store.read(german, move |tx| conversation::list(tx, &filter, None, 10, 0)).await.unwrap().is_empty());
    }

    async fn a_total_without_a_counter_stops_at_ten_thousand_and_says_so(database) {
        let f = Fixture::new(database).await;
        let first = f.conversation("+15551110001").await;
        let (org, account, contact) = (f.org, f.account.id, first.contact_id);
        let insert = |numbers: &str| format!(
            "INSERT INTO conversation (org_id, account_id, session_key, channel, contact_id, peer, state, archived, starred,
                message_count, unread_count, read_through, last_message_ms, newest_id, preview, metadata, created_ms, updated_ms)
             SELECT {org}, {account}, 'x_' || n, 'sms', {contact}, '', 'open', FALSE, FALSE, 0, 0, 0, 0, 0, '', '{{}}', 0, 0 FROM {numbers}"
        );
        f.raw().run(
            &insert("(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 9999) SELECT n FROM s)"),
            &insert("generate_series(1, 9999) AS s(n)"),
        );
        let of_contact = Filter { contact_id: Some(contact), ..Filter::default() };
        assert_eq!(total(&f, of_contact.clone()).await, Total { n: 10_000, bounded: false });
        assert_eq!(total(&f, search("555111")).await, Total { n: 10_000, bounded: false });
        let account = f.account.clone();
        f.write(move |tx| {
            let person = contact::get(tx, contact)?;
            random_conversations(tx, &account, &[person], 1).map(drop)
        })
        .await
        .unwrap();
        assert_eq!(total(&f, of_contact).await, Total { n: 10_000, bounded: true });
        assert_eq!(total(&f, search("555111")).await, Total { n: 10_000, bounded: true });
    }

    async fn another_org_lists_nothing_of_ours(database) {
        let f = Fixture::new(database).await;
        let (other, _) = f.other_org().await;
        let (people, _) = filled(&f, 20).await;
        let of_contact = Filter { contact_id: Some(people[0].id), ..Filter::default() };
        let of_user = Filter { assigned_to: Some(UserId(1)), ..Filter::default() };
        let open = Filter { status: Some(Status::Open), ..Filter::default() };
        for filter in [Filter::default(), of_contact, of_user, open, search("example")] {
            let (list, count) = (filter.clone(), filter.clone());
            assert!(f.store.read(other, move |tx| conversation::list(tx, &list, None, 100, 0)).await.unwrap().is_empty(), "{filter:?}");
            let total = f.store.read(other, move |tx| conversation::total(tx, &count)).await.unwrap();
            assert_eq!(total, Total { n: 0, bounded: false }, "{filter:?}");
        }
    }
}
