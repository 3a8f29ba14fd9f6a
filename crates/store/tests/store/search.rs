//! Searching messages: what the index and its verification answer, against a slow reading of every message in memory.

use parlance_model::channel::Channel;
use parlance_model::entropy::{self, SeededEntropy};
use parlance_model::id::{MessageId, UserId};
use parlance_model::message::{Attachment, SenderKind};
use parlance_model::role::Role;
use parlance_model::search::{Query, Token, tokens};
use parlance_store::search::{Found, Request, messages};
use parlance_store::{contact, conversation, staff};
use parlance_testkit::both_databases;

use crate::fixture::{Fixture, START_MS, inbound, outbound, receive, talk};

/// Words of several scripts, some of which begin others, and signs between them.
const WORDS: &[&str] = &[
    "refund",
    "Refunds",
    "ref",
    "naïve",
    "NAIVE",
    "cafe\u{301}",
    "Straße",
    "Łódź",
    "привет",
    "Ёж",
    "еж",
    "سلام",
    "مرحبا",
    "שלום",
    "שָׁלוֹם",
    "我们",
    "们我",
    "我",
    "用户",
    "ひらがな",
    "カタカナ",
    "ｶﾀｶﾅ",
    "안녕하세요",
    "안녕",
    "สวัสดี",
    "สวัส",
    "नमस्ते",
    "नम",
    "👍🏽",
    "🎉",
    "2026",
    "20",
    "１２",
    "+1",
    "a",
    "b",
    "x@y.example",
    "don't",
    "#sms",
    "\u{e010}",
    "AND",
    "OR",
    "NOT",
    "\"",
    "*",
    "(",
    ":",
    "'",
    "\\",
    "&",
    "|",
    "!",
    "-",
];
const BETWEEN: &[&str] = &[" ", " ", " ", "", ", ", "\n", "-", "\u{3000}"];

struct Random(SeededEntropy);

impl Random {
    fn below(&self, bound: usize) -> usize {
        usize::try_from(u64::from_be_bytes(entropy::bytes(&self.0)) % u64::try_from(bound).unwrap()).unwrap()
    }

    fn of<'a>(&self, items: &[&'a str]) -> &'a str {
        items[self.below(items.len())]
    }

    fn text(&self, words: usize) -> String {
        (0..=self.below(words)).map(|_| format!("{}{}", self.of(WORDS), self.of(BETWEEN))).collect()
    }
}

/// Whether the words stand in the text one after the other, the last perhaps as the beginning of a longer one.
fn stands(words: &[Token], open: bool, text: &[Token]) -> bool {
    (0..text.len()).any(|start| {
        words.iter().enumerate().all(|(at, word)| {
            let Some(other) = text.get(start + at) else { return false };
            let begins = open && at + 1 == words.len() && !word.single && word.text.chars().count() > 1;
            let same = if begins { other.text.starts_with(&word.text) && !other.single } else { other.text == word.text };
            same && (!word.joined || other.joined)
        })
    })
}

/// Everything that a query of words and quoted phrases finds, newest first.
fn slowly(pieces: &[(String, bool)], rows: &[(MessageId, String)]) -> Vec<MessageId> {
    let phrases: Vec<_> = pieces.iter().map(|(text, quoted)| (tokens(text), !quoted)).filter(|(words, _)| !words.is_empty()).collect();
    let fits = |body: &str| !phrases.is_empty() && phrases.iter().all(|(words, open)| stands(words, *open, &tokens(body)));
    rows.iter().rev().filter(|(_, body)| fits(body)).map(|(id, _)| *id).collect()
}

async fn find(f: &Fixture, typed: &str, me: Option<UserId>, before: Option<MessageId>, limit: usize) -> Found {
    let request = Request { query: Query::parse(typed), me, before, limit };
    f.read(move |tx| messages(tx, &request)).await.unwrap()
}

/// Every hit, by pages of this size.
async fn all(f: &Fixture, typed: &str, me: Option<UserId>, limit: usize) -> Vec<MessageId> {
    let (mut ids, mut before) = (Vec::new(), None);
    loop {
        let found = find(f, typed, me, before, limit).await;
        assert!(found.complete && found.hits.len() <= limit, "{typed}");
        ids.extend(found.hits.iter().map(|hit| hit.id));
        match found.next {
            Some(next) => before = Some(next),
            None => return ids,
        }
    }
}

both_databases! {
    async fn random_queries_in_many_scripts_find_what_a_slow_reading_finds(database) {
        let f = Fixture::new(database).await;
        let random = Random(SeededEntropy::new(5));
        let bodies: Vec<String> = (0..400).map(|_| random.text(6)).collect();
        let (account, new) = (f.account.clone(), bodies.clone());
        let ids = f.write(move |tx| {
            new.iter().map(|body| receive(tx, &account, "+15551110001", &inbound(body)).map(|(_, id)| id)).collect::<Result<Vec<_>, _>>()
        }).await.unwrap();
        f.drain().await;
        let rows: Vec<_> = ids.into_iter().zip(bodies).collect();
        let mut found = 0;
        for number in 0..300 {
            let pieces: Vec<(String, bool)> = (0..=random.below(3)).map(|_| {
                let quoted = random.below(3) == 0;
                let text = if quoted { random.text(2) } else { random.of(WORDS).to_owned() };
                (text.replace(['"', ':'], "").trim().to_owned(), quoted)
            }).collect();
            let typed: Vec<String> = pieces.iter().map(|(text, quoted)| if *quoted { format!("\"{text}\"") } else { text.clone() }).collect();
            let expected = slowly(&pieces, &rows);
            found += expected.len();
            assert_eq!(all(&f, &typed.join(" "), None, 1 + number % 60).await, expected, "{typed:?}");
        }
        assert!(found > 3000, "{found} hits are too few to tell queries apart");
        f.assert_clean().await;
    }

    async fn operators_narrow_a_search_down(database) {
        let f = Fixture::new(database).await;
        let org = f.org;
        let ann = f.store.write(org, move |tx| staff::add(tx, "ann@acme.example.com", "Ann Agent", Role::Agent, "x")).await.unwrap().user;
        let account = f.account.clone();
        let ids = f.write(move |tx| {
            let (mut ids, files) = (Vec::new(), vec![Attachment::remote("https://example.com/a".into(), "image/png".into())]);
            for (number, name) in [("+15551110001", "John Doe"), ("+4930901820", "Jörg Ünal")] {
                let (_, contact) = talk(tx, &account, number)?;
                let names = contact::Details::from_name(name);
                contact::change(tx, contact.id, &contact::Changes { first_name: Some(names.first_name), last_name: Some(names.last_name), ..Default::default() })?;
                for (new, at_ms) in [
                    (inbound("refund one"), START_MS - 40 * 86_400_000),
                    (parlance_store::message::NewMessage { attachments: files.clone(), ..inbound("refund two") }, START_MS - 3_600_000),
                    (parlance_store::message::NewMessage { sender_user: Some(ann), ..outbound("refund three") }, START_MS),
                    (parlance_store::message::NewMessage { sender: SenderKind::Assistant, ..outbound("other") }, START_MS),
                ] {
                    ids.push(receive(tx, &account, number, &parlance_store::message::NewMessage { at_ms: Some(at_ms), ..new })?.1);
                }
            }
            Ok(ids)
        }).await.unwrap();
        f.drain().await;
        for (typed, expected) in [
            ("refund", vec![6, 5, 4, 2, 1, 0]),
            ("refund from:john", vec![1, 0]),
            ("from:\"jörg ü\"", vec![5, 4]),
            ("from:030901820", vec![]),
            ("from:0049-30-901820 refund", vec![5, 4]),
            ("from:+15551110001 has:media", vec![1]),
            ("from:555", vec![1, 0]),
            ("from:o", vec![6, 5, 4, 2, 1, 0]),
            ("from:me", vec![6, 2]),
            ("from:ann", vec![6, 2]),
            ("from:staff", vec![7, 6, 3, 2]),
            ("from:staff refund", vec![6, 2]),
            ("from:nobody", vec![]),
            ("from:john from:staff", vec![]),
            ("has:media", vec![5, 1]),
            ("channel:sms two", vec![5, 1]),
            ("channel:email two", vec![]),
            ("before:2026-03-01", vec![4, 0]),
            ("before:2026-03-05T20:00:00Z refund", vec![5, 4, 1, 0]),
            ("after:2026-03-05T20:00:00Z", vec![7, 6, 3, 2]),
            ("after:2026-03-05 before:2026-03-06 two", vec![5, 1]),
            ("after:2026-03-06", vec![]),
            ("after:2026-03-06 before:2026-01-01", vec![]),
            ("after:0001-01-01 before:9999-01-01 one", vec![4, 0]),
            ("!", vec![]),
        ] {
            let expected: Vec<_> = expected.into_iter().map(|index: usize| ids[index]).collect();
            assert_eq!(all(&f, typed, Some(ann), 3).await, expected, "{typed}");
        }
        assert_eq!(all(&f, "from:me", None, 3).await, [], "a key without a user is nobody");
        let hit = find(&f, "tw", None, None, 1).await.hits.remove(0);
let place = (hit.places[0].start, hit.places[0].end);
        assert_eq!((hit.channel, hit.has_media, hit.contact_name.as_deref(), place), (Channel::Sms, true, Some("Jörg Ünal"), (7, 10)));
    }

    async fn the_messages_of_a_few_conversations_are_walked_to_the_end_in_the_order_of_all(database) {
        let f = Fixture::new(database).await;
        let account = f.account.clone();
        // One talks much, one a little in between, one only at first.
        let ids = f.write(move |tx| {
            (0..300).map(|number| {
                let from = match number {
                    0..3 => "+15551110003",
                    _ if number % 25 == 0 => "+15551110002",
                    _ => "+15551110001",
                };
                Ok(receive(tx, &account, from, &inbound(if number % 7 == 0 { "refund" } else { "hello" }))?.1)
            }).collect::<parlance_model::Result<Vec<_>>>()
        }).await.unwrap();
        f.drain().await;
        let newest_first = |keep: fn(usize) -> bool| ids.iter().enumerate().filter(|(at, _)| keep(*at)).map(|(_, id)| *id).rev().collect::<Vec<_>>();
        for page in [1, 40, 200] {
            assert_eq!(all(&f, "from:555111000", None, page).await, newest_first(|_| true), "pages of {page}");
        }
        assert_eq!(all(&f, "from:555111000 refund", None, 9).await, newest_first(|at| at % 7 == 0));
        assert_eq!(all(&f, "from:5551110002", None, 5).await, newest_first(|at| at >= 3 && at % 25 == 0));
        assert_eq!(all(&f, "from:5551110003", None, 5).await, newest_first(|at| at < 3));
    }

    async fn a_merged_contact_is_found_as_whom_it_was_merged_into(database) {
        let f = Fixture::new(database).await;
        let (_, first) = f.receive("+15551110001", "hello").await;
        let (_, second) = f.receive("+15551110002", "hello").await;
        f.drain().await;
        f.write(|tx| {
            let of = |tx: &mut _, number| contact::by_identity(tx, &crate::fixture::identity(number));
            let (one, other) = (of(tx, "+15551110001")?.unwrap(), of(tx, "+15551110002")?.unwrap());
            contact::merge(tx, one, other)
        }).await.unwrap();
        f.drain().await;
        assert_eq!(all(&f, "from:+15551110002", None, 5).await, [second, first]);
        f.assert_clean().await;
    }

    async fn another_org_finds_nothing_of_ours(database) {
        let f = Fixture::new(database).await;
        let (other, account) = f.other_org().await;
        f.receive("+15551110001", "secret handshake").await;
        let theirs = f.store.write(other, move |tx| receive(tx, &account, "+15551110001", &inbound("handshake"))).await.unwrap().1;
        f.drain().await;
        for (typed, expected) in [("handshake", vec![theirs]), ("secret", vec![]), ("from:555", vec![theirs]), ("channel:sms", vec![theirs])] {
            let request = Request { query: Query::parse(typed), me: None, before: None, limit: 10 };
            let found = f.store.read(other, move |tx| messages(tx, &request)).await.unwrap();
            assert_eq!(found.hits.iter().map(|hit| hit.id).collect::<Vec<_>>(), expected, "{typed}");
        }
    }

    async fn a_search_stops_after_ten_thousand_candidates_says_so_and_goes_on(database) {
        let f = Fixture::new(database).await;
        let (conversation, old) = f.receive("+15551110001", "beta alpha").await;
        let insert = |numbers: &str| format!(
            "INSERT INTO message (org_id, conversation_id, account_id, channel, direction, sender, kind, body, state, at_ms, received_ms, updated_ms)
             SELECT {}, {conversation}, {}, 'sms', 'inbound', 'contact', 'text', 'alpha beta', 'delivered', {START_MS}, {START_MS}, {START_MS} FROM {numbers}",
            f.org, f.account.id
        );
        f.raw().run(
            &insert("(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 10500) SELECT n FROM s)"),
            &insert("generate_series(1, 10500) AS s(n)"),
        );
        f.drain().await;
        let first = find(&f, "\"beta alpha\"", None, None, 10).await;
        assert!(first.hits.is_empty() && !first.complete && first.next.is_some());
        let second = find(&f, "\"beta alpha\"", None, first.next, 10).await;
        assert_eq!((second.hits.iter().map(|hit| hit.id).collect::<Vec<_>>(), second.complete, second.next), (vec![old], true, None));
        // What many have stops at the page.
        assert!(find(&f, "alph", None, None, 10).await.complete);
    }

    async fn conversations_and_contacts_are_found_by_the_index_as_by_walking(database) {
        let f = Fixture::new(database).await;
        let account = f.account.clone();
        f.write(move |tx| {
            for (number, name) in [("+15551110001", "Ada Lovelace"), ("+15551110002", "100% Off_shop"), ("+8613800138000", "李 雷"), ("+4930901820", "Jörg Ünal")] {
                let (before, contact) = talk(tx, &account, number)?;
                let names = contact::Details::from_name(name);
                contact::change(tx, contact.id, &contact::Changes { first_name: Some(names.first_name), last_name: Some(names.last_name), ..Default::default() })?;
                let before = conversation::get(tx, before.id)?;
                let mut after = before.clone();
                after.visitor.name = (number == "+15551110001").then(|| "Zoë Visitor".to_owned());
                conversation::save(tx, &before, &after)?;
                tx.emit(parlance_model::event::Event::ConversationUpdated { conversation_id: after.id });
            }
            Ok(())
        }).await.unwrap();
        let typed = ["ada", "a", "e l", "lovelace ada", "%", "_", "100%", "李", "李 雷", "雷", "jörg", "jorg", "ÜNAL", "unal", "ünal jo", "Müller", "0049 30 901820", "555", "+1", "zoë", "visitor", "1110002", "+1 (555) 111-0001", "155511", "111000", "51110", "86 138 0013 8000", "30 901821", "x"];
        let answers = async || {
            let mut answers = Vec::new();
            for typed in typed {
                let filter = conversation::Filter { search: Some(typed.to_owned()), ..Default::default() };
                answers.push(f.read(move |tx| {
                    let list = conversation::list(tx, &filter, None, 10, 0)?.into_iter().map(|row| row.id.0).collect::<Vec<_>>();
                    let people = contact::list(tx, Some(typed), None, 10, 0)?.into_iter().map(|row| row.contact.id.0).collect::<Vec<_>>();
                    Ok((typed, list, conversation::total(tx, &filter)?.n, people, contact::total(tx, Some(typed))?.n))
                }).await.unwrap());
            }
            answers
        };
        let walked = answers().await;
        f.drain().await;
        assert_eq!(answers().await, walked);
        assert!(walked.iter().filter(|(_, list, ..)| !list.is_empty()).count() >= 19, "{walked:?}");
    }
}
