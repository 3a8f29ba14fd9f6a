//! Pages of any size, walked by cursor while rows are added: what was there and stays where it is comes exactly once, and
//! nothing comes twice.

use std::collections::BTreeSet;

use parlance_model::Result;
use parlance_model::audit::{Act, Action, Actor};
use parlance_model::id::{ContactId, ConversationId, MessageId};
use parlance_model::opt_out::OptSource;
use parlance_store::{audit, contact, conversation, message, opt_out};
use parlance_testkit::both_databases;

use crate::dice::Dice;
use crate::fixture::{Fixture, identity, inbound, receive};

const NUMBERS: [&str; 12] = [
    "+15550100001",
    "+15550100002",
    "+15550100003",
    "+15550100004",
    "+15550100005",
    "+15550100006",
    "+15550100007",
    "+15550100008",
    "+15550100009",
    "+15550100010",
    "+15550100011",
    "+15550100012",
];

/// A list, by the ids of its rows.
#[derive(Debug, Clone, Copy)]
enum List {
    Conversations,
    Search,
    Thread(ConversationId),
    Contacts,
    OptOuts,
    Audit,
}

/// Where a page begins, in the words of its list.
#[derive(Clone, Copy)]
struct Place {
    at_ms: i64,
    id: i64,
}

impl List {
    /// The ids of a page, and where the next begins.
    async fn page(self, f: &Fixture, after: Option<Place>, limit: i64) -> (Vec<i64>, Option<Place>) {
        let rows: Vec<Place> = f
            .read(move |tx| {
                Ok(match self {
                    Self::Conversations | Self::Search => {
                        let search = matches!(self, Self::Search).then(|| "+1555".to_owned());
                        let after = after.map(|at| conversation::After { last_message_ms: at.at_ms, id: ConversationId(at.id) });
                        let rows = conversation::list(tx, &conversation::Filter { search, ..Default::default() }, after, limit, 0)?;
                        rows.iter().map(|row| Place { at_ms: row.last_message_ms, id: row.id.0 }).collect()
                    }
                    Self::Thread(of) => {
                        let after = after.map(|at| message::After { at_ms: at.at_ms, id: MessageId(at.id) });
                        message::list(tx, of, after, limit, 0)?.iter().map(|row| Place { at_ms: row.at_ms, id: row.id.0 }).collect()
                    }
                    Self::Contacts => {
                        let before = after.map(|at| ContactId(at.id));
                        let rows = contact::list(tx, None, before, limit, 0)?;
                        rows.iter().map(|row| Place { at_ms: 0, id: row.contact.id.0 }).collect()
                    }
                    Self::OptOuts => {
                        let after = after.map(|at| opt_out::After { at_ms: at.at_ms, id: at.id });
                        opt_out::list(tx, after, limit, 0)?.iter().map(|row| Place { at_ms: row.place.at_ms, id: row.place.id }).collect()
                    }
                    Self::Audit => {
                        let after = after.map(|at| audit::After { at_ms: at.at_ms, id: at.id });
                        let rows = audit::list(tx, &audit::Filter::default(), after, limit)?;
                        rows.iter().map(|row| Place { at_ms: row.at_ms, id: row.id }).collect()
                    }
                })
            })
            .await
            .unwrap();
        (rows.iter().map(|row| row.id).collect(), rows.last().copied())
    }

    /// Whether this list still has the row where it was: news moves a conversation, and a change of mind an opt-out, to the front.
    fn keeps(self, moved: &BTreeSet<i64>, id: i64) -> bool {
        !matches!(self, Self::Conversations | Self::Search | Self::OptOuts) || !moved.contains(&id)
    }
}

/// Adds a row to each list, some of them at the same time as the one before. Answers the conversation and the opt-out that moved.
async fn add(f: &Fixture, dice: &Dice) -> Result<[i64; 2]> {
    f.clock.advance_ms(dice.below(3));
    let (number, whom, out, account) = (dice.pick(&NUMBERS).unwrap(), dice.pick(&NUMBERS).unwrap(), dice.chance(2), f.account.clone());
    f.store
        .write_as(f.org, Actor::COMMAND, move |tx| {
            let (conversation, id) = receive(tx, &account, number, &inbound("Hello"))?;
            contact::create(tx, &contact::Details::from_name("Somebody"), &[])?;
            tx.audit(&Act::new(Action::MessageSend, id))?;
            let entry = opt_out::set(tx, &identity(whom), out, OptSource::Staff)?;
            Ok([conversation.0, entry.unwrap_or_default()])
        })
        .await
}

both_databases! {
    async fn pages_of_any_size_cover_a_list_exactly_once_while_rows_are_added(database) {
        let f = Fixture::new(database).await;
        for row in 0..60 {
            add(&f, &Dice::new(1, row)).await.unwrap();
        }
        let thread = List::Thread(f.conversation(NUMBERS[0]).await.id);
        for (seed, list) in [List::Conversations, List::Search, thread, List::Contacts, List::OptOuts, List::Audit].into_iter().enumerate() {
            for walk in 0..6 {
                let dice = Dice::new(seed as u64, walk);
                let (there, _) = list.page(&f, None, 1000).await;
                let (mut seen, mut moved, mut after) = (Vec::new(), BTreeSet::new(), None);
                loop {
                    let (page, next) = list.page(&f, after, 1 + dice.below(9)).await;
                    if page.is_empty() {
                        break;
                    }
                    (seen, after) = ([seen, page].concat(), next);
                    if dice.chance(3) {
                        let [conversation, entry] = add(&f, &dice).await.unwrap();
                        moved.insert(if matches!(list, List::OptOuts) { entry } else { conversation });
                    }
                }
                let once: BTreeSet<i64> = seen.iter().copied().collect();
                assert_eq!(once.len(), seen.len(), "{list:?}, walk {walk}: a row came twice: {seen:?}");
                let stayed: Vec<i64> = there.into_iter().filter(|id| list.keeps(&moved, *id)).collect();
                let walked: Vec<i64> = seen.into_iter().filter(|id| stayed.contains(id)).collect();
                assert_eq!(walked, stayed, "{list:?}, walk {walk}");
            }
        }
    }
}
