//! Hooks that are applied together leave what they leave one by one.

use parlance_app::ingest::{Heard, Recorded, record};
use parlance_model::account::Account;
use parlance_model::channel::{Channel, JsonObject};
use parlance_model::contact::Identity;
use parlance_model::delivery::{DeliveryError, DeliveryState};
use parlance_model::entropy::{self, SeededEntropy};
use parlance_model::inbound::{Inbound, InboundMessage, Receipt};
use parlance_model::message::Attachment;
use parlance_model::opt_out::OptSignal;
use parlance_model::phone::Address;
use parlance_store::{OrgTx, account, contact, conversation, counter, event, message, opt_out, version};
use parlance_testkit::both_databases;

use crate::fixture::{Fixture, twilio};

/// Hooks of a run.
const HOOKS: usize = 120;
const SENDERS: u32 = 7;

struct Dice(SeededEntropy);

impl Dice {
    fn below(&self, end: u32) -> u32 {
        u32::from_be_bytes(entropy::bytes(&self.0)) % end
    }
}

fn from(number: u32) -> Address {
    // One of them hides the number, and one writes under a name.
    let text = match number {
        0 => "anonymous".to_owned(),
        1 => "Bank".to_owned(),
        number => format!("+1415200{number:04}"),
    };
    Address::parse(&text, "US".parse().unwrap())
}

/// What a hook may say: one of a few messages, so that some come again, or that somebody opted out at the provider.
fn said(dice: &Dice) -> Inbound {
    let sender = from(dice.below(SENDERS));
    if dice.below(5) == 0 {
        return Inbound::Receipt(Receipt {
            provider_id: format!("SMout{}", dice.below(40)),
            attempt: None,
            state: DeliveryState::Failed,
            error: Some(DeliveryError { code: "21610".to_owned(), message: "unsubscribed".to_owned() }),
            opted_out: true,
            about_account: false,
            to: Some(sender),
        });
    }
    let body = ["STOP", "START", "Hello", "How much is it?"][dice.below(4) as usize].to_owned();
    let history = dice.below(6) == 0;
    Inbound::Message(InboundMessage {
        provider_id: format!("SM{}", dice.below(60)),
        channel: [Channel::Sms, Channel::Whatsapp][usize::from(dice.below(4) == 0)],
        from: sender,
        profile_name: (dice.below(2) == 0).then(|| "Ann Archer".to_owned()),
        attachments: (0..dice.below(2)).map(|n| Attachment::remote(format!("https://files.invalid/{n}"), "image/png".into())).collect(),
        at_ms: history.then(|| 1_772_740_000_000 + i64::from(dice.below(1000))),
        opt: OptSignal::from_body(&body),
        segments: None,
        history,
        provider_meta: JsonObject::default(),
        body,
    })
}

/// The hooks of a run, each with the place of its account.
fn hooks(seed: u64) -> Vec<(usize, Vec<Inbound>)> {
    let dice = Dice(SeededEntropy::new(seed));
    (0..HOOKS).map(|_| (dice.below(2) as usize, (0..=dice.below(2)).map(|_| said(&dice)).collect())).collect()
}

/// The same without receipts, of which the last decides what a ledger says.
fn messages(hooks: &[(usize, Vec<Inbound>)]) -> Vec<(usize, Vec<Inbound>)> {
    let message = |inbound: &&Inbound| matches!(inbound, Inbound::Message(_));
    hooks.iter().map(|(place, said)| (*place, said.iter().filter(message).cloned().collect())).collect()
}

/// An application with two accounts.
async fn fixture(database: parlance_testkit::Database) -> (Fixture, Vec<Account>) {
    let on = Fixture::new(database).await;
    on.app
        .create_twilio("acme", parlance_app::directory::NewTwilio { messaging_service_sid: None, ..twilio(&on.sim, "+15557654321") })
        .await
        .unwrap();
    let accounts = on.app.store().read(on.who.org, account::list).await.unwrap();
    (on, accounts)
}

/// Applies the hooks in slices of these sizes; answers how much of each was new.
async fn apply(on: &Fixture, accounts: &[Account], hooks: &[(usize, Vec<Inbound>)], sizes: impl Iterator<Item = usize>) -> Vec<Recorded> {
    let (mut left, mut recorded) = (hooks, Vec::new());
    for size in sizes {
        let (slice, rest) = left.split_at(size.min(left.len()));
        left = rest;
        let slice: Vec<_> = slice.iter().map(|(place, inbound)| (accounts[*place].clone(), inbound.clone())).collect();
        let write = move |tx: &mut OrgTx<'_, '_>| {
            let heard: Vec<_> = slice.iter().map(|(account, inbound)| Heard { account, inbound }).collect();
            record(tx, &heard)
        };
        recorded.extend(on.app.store().write(on.who.org, write).await.unwrap());
        if left.is_empty() {
            return recorded;
        }
    }
    panic!("the sizes ended before the hooks")
}

/// What can be seen of it all, without the ids that depend on the order of first meetings.
async fn seen(on: &Fixture, accounts: &[Account]) -> Vec<String> {
    let places: Vec<_> = accounts.iter().map(|account| account.id).collect();
    let read = move |tx: &mut OrgTx<'_, '_>| {
        let mut lines = Vec::new();
        for found in conversation::list(tx, &conversation::Filter::default(), None, 1000, 0)? {
            let account = places.iter().position(|id| *id == found.account_id);
            let person = contact::get(tx, found.contact_id)?;
            let counts = (found.message_count, found.unread_count, found.last_message_ms, found.last_direction);
            let messages = message::list(tx, found.id, None, 1000, 0)?;
            let said: Vec<_> =
                messages.iter().map(|new| format!("{} {} {} {}", new.body, new.at_ms, new.history, new.attachments.len())).collect();
            let line = format!("{account:?} {} {:?} {} {counts:?} {said:?}", found.session_key, person.name(), found.preview);
            lines.push(format!("{line} {:?} {}", found.standing, messages.iter().any(|new| new.id == found.newest_id)));
        }
        for number in 0..SENDERS {
            let ledger = opt_out::get(tx, &Identity::of(&from(number)))?;
            lines.push(format!("{number} {} {:?}", ledger.opted_out, ledger.written.map(|(source, _)| source)));
        }
        lines.push(format!("{:?} {} {}", counter::unread(tx)?, counter::contacts(tx)?, event::after(tx, 0, 10_000)?.len()));
        lines.sort();
        Ok(lines)
    };
    on.app.store().read(on.who.org, read).await.unwrap()
}

both_databases! {
    async fn a_slice_leaves_what_its_hooks_leave_one_by_one(database) {
        for seed in 1..=3 {
            let hooks = hooks(seed);
            let ((one, accounts), (many, theirs)) = (fixture(database).await, fixture(database).await);
            let alone = apply(&one, &accounts, &hooks, std::iter::repeat(1)).await;
            let dice = Dice(SeededEntropy::new(seed + 100));
            let together = apply(&many, &theirs, &hooks, std::iter::repeat_with(|| 1 + dice.below(40) as usize)).await;
            assert_eq!(together, alone, "seed {seed}");
            assert_eq!(seen(&many, &theirs).await, seen(&one, &accounts).await, "seed {seed}");
            let new: u64 = alone.iter().map(|recorded| recorded.stored).sum();
            let known: u64 = alone.iter().map(|recorded| recorded.known).sum();
            assert!(new > 40 && known > 10, "{new} new and {known} known say too little");
            // Once more: nothing is new, and lists that somebody has already are still the same.
            let version = || many.app.store().read(many.who.org, version::current);
            let (before, messages) = (version().await.unwrap(), messages(&hooks));
            let again = apply(&many, &theirs, &messages, std::iter::repeat_with(|| 1 + dice.below(40) as usize)).await;
            assert!(again.iter().all(|recorded| recorded.stored == 0), "{again:?}");
            assert_eq!(version().await.unwrap(), before, "what changes nothing moves nothing");
            one.assert_healthy().await;
            many.assert_healthy().await;
        }
    }
}
