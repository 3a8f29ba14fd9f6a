//! Every public read of the store, as lines that two databases can be compared by. Types print without people's data, so
//! their fields are named here.

use std::sync::Arc;

use parlance_model::Result;
use parlance_model::account::Account;
use parlance_model::audit::Action;
use parlance_model::channel::Channel;
use parlance_model::contact::{Contact, Identity, Profile};
use parlance_model::conversation::{Conversation, Status, Visitor};
use parlance_model::event::Event;
use parlance_model::id::{AccountId, ContactId, ConversationId, KeyId, MediaId, MessageId, SessionId, UserId};
use parlance_model::job::Lane;
use parlance_model::message::{Attachment, Message};
use parlance_model::org::{Org, User};
use parlance_model::search::Query;
use parlance_store::search::Request;
use parlance_store::{
    OrgTx, SystemTx, account, attempt, audit, backfill, call, contact, conversation, counter, doctor, event, health, hook, job, key, media,
    message, opt_out, org, search, session, staff, user, version,
};

use super::people::{EMAILS, identities};
use super::side::Side;
use crate::dice::Dice;

/// Rows of a page, and of one that ought to hold everything.
const PAGE: i64 = 7;
const ALL: i64 = 1000;
const SEARCHES: [&str; 8] = ["zo", "Ann B", "(555) 010-0001", "example.org", "_%", "ærø", "+4930", "nobody at all"];
const QUERIES: [&str; 9] =
    ["bicycle", "\"red bicycle\"", "größe", "it_is", "日本", "from:staff", "has:media", "from:ann in:sms", "after:2026-03-05 bi"];

/// Prints the fields of a value that are named.
macro_rules! fields {
    ($of:expr, $($field:ident)+) => {
        [$(format!("{}={:?}", stringify!($field), $of.$field)),+].join(" ")
    };
}

impl Side {
    /// Everything that the store answers now.
    pub(super) async fn observe(&mut self, dice: Dice) -> Vec<String> {
        let known = Arc::new(Known {
            user: dice.pick(&self.users),
            conversations: self.conversations.clone(),
            messages: self.messages.clone(),
            contacts: self.contacts.clone(),
            keys: self.keys.iter().map(|(id, _)| *id).collect(),
            account: self.f.account.id,
        });
        let mut lines = Vec::new();
        for part in PARTS {
            let known = Arc::clone(&known);
            lines.extend(self.f.read(move |tx| part(tx, &known)).await.unwrap());
        }
        let (keys, sessions, users) = (self.keys.clone(), self.sessions.clone(), self.users.clone());
        lines.extend(self.f.system_read(move |tx| directory(tx, &keys, &sessions, &users)).await.unwrap());
        // What the index has read changes no answer: before and after it has read everything.
        for drained in [false, true] {
            if drained {
                self.f.drain().await;
            }
            lines.extend(self.f.read(messages).await.unwrap());
            lines.extend(self.f.read(people).await.unwrap());
        }
        let report = doctor::check(&self.f.store, true).await.unwrap();
        lines.extend(report.findings.iter().map(|found| format!("doctor {}", found.invariant)));
        lines.push(format!("doctor saw {} orgs, {} conversations, {} messages", report.orgs, report.conversations, report.messages));
        lines.iter().map(|line| self.names.rename(line)).collect()
    }
}

/// The rows that are asked for by their ids.
struct Known {
    user: Option<UserId>,
    conversations: Vec<ConversationId>,
    messages: Vec<MessageId>,
    contacts: Vec<ContactId>,
    keys: Vec<KeyId>,
    account: AccountId,
}

/// Some of an org's reads. Several, because the embedded database ends a read that takes too long.
type Part = fn(&mut OrgTx<'_, '_>, &Known) -> Result<Vec<String>>;

const PARTS: [Part; 8] = [conversations, contacts, opt_outs, threads, attempts, log, audited, beside];

fn conversations(tx: &mut OrgTx<'_, '_>, known: &Known) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    let or_none = |some: Option<UserId>| [None, some];
    let contact = known.contacts.first().copied();
    for channel in [None, Some(Channel::Sms), Some(Channel::Whatsapp), Some(Channel::Voice)] {
        for status in std::iter::once(None).chain(Status::ALL.iter().copied().map(Some)) {
            for assigned_to in or_none(known.user) {
                for contact_id in [None, contact] {
                    for search in [None, Some(SEARCHES[0]), Some(SEARCHES[2])] {
                        let search = search.map(str::to_owned);
                        let filter = conversation::Filter { channel, status, contact_id, assigned_to, search };
                        lines.push(list(tx, &filter)?);
                    }
                }
            }
        }
    }
    let all = conversation::list(tx, &conversation::Filter::default(), None, ALL, 0)?;
    lines.extend(all.iter().map(of_conversation));
    lines.push(format!("unread {:?}", counter::unread(tx)?));
    Ok(lines)
}

/// One list: how many it has, its ids by pages of both kinds.
fn list(tx: &mut OrgTx<'_, '_>, filter: &conversation::Filter) -> Result<String> {
    let total = conversation::total(tx, filter)?;
    let first = conversation::list(tx, filter, None, PAGE, 0)?;
    let after = first.last().map(|last| conversation::After { last_message_ms: last.last_message_ms, id: last.id });
    let second = conversation::list(tx, filter, after, PAGE, 0)?;
    let skipped = conversation::list(tx, filter, None, PAGE, 3)?;
    let ids = |rows: &[Conversation]| rows.iter().map(|row| row.id).collect::<Vec<_>>();
    Ok(format!("{filter:?} {:?}: {total:?} {:?} {:?} {:?}", filter.search, ids(&first), ids(&second), ids(&skipped)))
}

fn contacts(tx: &mut OrgTx<'_, '_>, known: &Known) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    for search in std::iter::once(None).chain(SEARCHES.map(Some)) {
        let all = contact::list(tx, search, None, ALL, 0)?;
        let before = all.get(2).map(|row| row.contact.id);
        let page = contact::list(tx, search, before, PAGE, 1)?;
        lines.push(format!("contacts {search:?}: {:?}", contact::total(tx, search)?));
        lines.extend(all.iter().chain(&page).map(of_profile));
    }
    for id in &known.contacts {
        lines.push(format!("{id:?}: {:?} {}", contact::living(tx, *id)?, of_profile(&contact::profile(tx, *id)?)));
    }
    Ok(lines)
}

fn opt_outs(tx: &mut OrgTx<'_, '_>, _: &Known) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    for identity in identities() {
        let whose = contact::by_identity(tx, &identity)?;
        let ledger = opt_out::get(tx, &identity)?;
        lines.push(format!("{}: {whose:?} {} {:?} {:?}", identity.value, ledger.opted_out, ledger.written, ledger.contact_id));
    }
    let first = opt_out::list(tx, None, 3, 0)?;
    let second = opt_out::list(tx, first.last().map(|entry| entry.place), ALL, 0)?;
    let entry = |of: &opt_out::Entry| format!("opt_{} {} {:?} {}", of.place.id, of.entry.identity.value, of.entry, of.place.at_ms);
    lines.extend(first.iter().chain(&second).chain(&opt_out::list(tx, None, 2, 2)?).map(entry));
    lines.push(format!("opt-outs {:?}", opt_out::total(tx)?));
    Ok(lines)
}

fn threads(tx: &mut OrgTx<'_, '_>, known: &Known) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    for id in &known.conversations {
        lines.extend(message::list(tx, *id, None, ALL, 0)?.iter().map(of_message));
        let page = message::list(tx, *id, None, 2, 1)?;
        let after = page.last().map(|last| message::After { at_ms: last.at_ms, id: last.id });
        let behind: Vec<_> = message::list(tx, *id, after, PAGE, 0)?.iter().map(|row| row.id).collect();
        lines.push(format!("behind {after:?}: {behind:?}, lane {:?}", job::first_due(tx, Lane::Conversation(*id))?));
    }
    Ok(lines)
}

fn attempts(tx: &mut OrgTx<'_, '_>, known: &Known) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    for id in &known.messages {
        attempts_of(tx, *id, &mut lines)?;
    }
    Ok(lines)
}

fn attempts_of(tx: &mut OrgTx<'_, '_>, id: MessageId, lines: &mut Vec<String>) -> Result<()> {
    let (all, n) = attempt::list(tx, id, ALL, 0)?;
    lines.push(format!("{n} attempts, {} tries, {:?}", attempt::tries(tx, id)?, attempt::unfinished(tx, id)?.len()));
    for one in &all {
        lines.push(format!("{one:?} {:?}", attempt::alike(tx, one)?.iter().map(|(alike, _)| alike.id).collect::<Vec<_>>()));
        if let Some(known) = &one.provider_id {
            let found = (attempt::by_provider_id(tx, one.account_id, known)?, call::find(tx, one.account_id, known)?);
            lines.push(format!("{:?}", (found.0.map(|found| found.id), found.1)));
        }
    }
    lines.push(format!("latest {:?}", attempt::latest(tx, id)?.map(|latest| latest.id)));
    Ok(())
}

fn log(tx: &mut OrgTx<'_, '_>, _: &Known) -> Result<Vec<String>> {
    let swept = event::swept_through(tx)?;
    let mut lines = vec![of_org_row(&org::current(tx)?), format!("version {}, swept through {swept}", version::current(tx)?)];
    lines.extend(event::after(tx, swept, 100_000)?.iter().map(|entry| format!("{} {} {}", entry.seq, entry.at_ms, of_event(&entry.event))));
    Ok(lines)
}

fn audited(tx: &mut OrgTx<'_, '_>, known: &Known) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    let row = |row: &audit::Record| {
        let subject = if row.subject == "conversation" { "conv" } else { &row.subject };
        let line = fields!(row, at_ms actor user user_name key key_name request_id action subject details);
        format!("audit_{} {line} {subject}_{}", row.id, row.subject_id)
    };
    let now_ms = tx.now_ms();
    for user in [None, known.user] {
        for key in [None, known.keys.first().copied()] {
            for action in [None, Some(Action::SignIn)] {
                for subject in [None, known.conversations.first().map(|id| (*id).into())] {
                    for from_ms in [None, Some(now_ms - 200_000)] {
                        let filter =
                            audit::Filter { user, key, action, subject, from_ms, until_ms: from_ms.map(|from_ms| from_ms + 100_000) };
                        let first = audit::list(tx, &filter, None, PAGE)?;
                        let after = first.last().map(|last| audit::After { at_ms: last.at_ms, id: last.id });
                        let second = audit::list(tx, &filter, after, PAGE)?;
                        lines.push(format!("audit {:?}", audit::total(tx, &filter)?));
                        lines.extend(first.iter().chain(&second).map(row));
                    }
                }
            }
        }
    }
    Ok(lines)
}

fn beside(tx: &mut OrgTx<'_, '_>, known: &Known) -> Result<Vec<String>> {
    let accounts = account::list(tx)?;
    let mut lines: Vec<_> = accounts.iter().map(|of: &Account| fields!(of, org id name enabled org_disabled created_ms)).collect();
    lines.push(format!("{:?} {:?}", health::get(tx, known.account)?, health::all(tx)?.len()));
    lines.push(format!("{:?} {:?}", backfill::get(tx, known.account)?, backfill::all(tx)?.len()));
    let kept = hook::quarantined(tx, ALL)?;
    lines.extend(kept.iter().map(|of| fields!(of, id account_id reason request content_type body received_ms)));
    let rows = media::page(tx, MediaId(0), ALL)?;
    for row in &rows {
        lines.push(format!("{row:?} {:?} {}", media::get(tx, row.id).map_err(|error| error.code()), media::stays(tx, row.id, 0)?));
    }
    let ghl = org::ghl(tx)?;
    lines.push(format!("{:?} {:?}", ghl.api_key, ghl.location_id));
    for (people, n) in [staff::list(tx, ALL, 0)?, staff::list(tx, 2, 1)?] {
        lines.extend(people.iter().map(|of| format!("{} {:?} of {n}", of_user(&of.user), of.role)));
    }
    let (keys, n) = key::list(tx, ALL, 0)?;
    lines.extend(keys.iter().map(|key| format!("{key:?} of {n}")));
    lines.extend(EMAILS.map(|email| format!("{:?}", staff::by_email(tx, email).map(|found| found.role).map_err(|error| error.code()))));
    Ok(lines)
}

type Tokens<Id> = [(Id, String)];

fn directory(tx: &mut SystemTx<'_, '_>, keys: &Tokens<KeyId>, sessions: &Tokens<SessionId>, users: &[UserId]) -> Result<Vec<String>> {
    let mut lines: Vec<_> = org::all(tx)?.iter().map(of_org_row).collect();
    lines.extend(user::all(tx)?.iter().map(of_user));
    for (_, token) in keys {
        lines.push(format!("{:?}", key::authenticate(tx, token).map_err(|error| error.code())));
    }
    for (_, token) in sessions {
        lines.push(format!("{:?}", session::find(tx, token)?));
    }
    for id in users {
        lines.push(format!(
            "{:?} {:?}",
            session::orgs(tx, *id)?,
            staff::orgs(tx, *id, None)?.iter().map(|(_, role)| *role).collect::<Vec<_>>()
        ));
        for org in session::orgs(tx, *id)? {
            lines.push(format!("{:?}", session::role(tx, *id, org).map_err(|error| error.code())));
        }
    }
    for email in EMAILS {
        lines.push(format!("{:?}", staff::password_hash(tx, email)?));
    }
    let mut standing = job::standing(tx)?;
    standing.sort_by(|a, b| (&a.kind, &a.state).cmp(&(&b.kind, &b.state)));
    lines.push(format!("{:?} {:?} {standing:?}", job::waiting(tx)?, job::next_due(tx)?));
    let now_ms = tx.now_ms();
    lines.push(format!("{:?} {:?} {:?}", job::behind_switch(tx)?, media::total_size(tx)?, backfill::due(tx, now_ms - 60_000)?));
    lines.push(format!("{:?} {}", search::behind(tx)?, search::lag(tx)?));
    Ok(lines)
}

fn messages(tx: &mut OrgTx<'_, '_>) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    for typed in QUERIES {
        let mut before = None;
        loop {
            let query = Query::parse(typed);
            let found = search::messages(tx, &Request { query, me: None, before, limit: 5 })?;
            let hit = |of: &search::Hit| fields!(of, id conversation_id channel direction sender sender_user body has_media at_ms contact_id contact_name peer places);
            lines.extend(found.hits.iter().map(hit));
            lines.push(format!("{typed}: then {:?}, {}", found.next, found.complete));
            before = found.next;
            if before.is_none() {
                break;
            }
        }
    }
    Ok(lines)
}

fn people(tx: &mut OrgTx<'_, '_>) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    for typed in SEARCHES {
        lines.extend(search::people(tx, typed, 5)?.iter().map(of_profile));
    }
    Ok(lines)
}

fn of_org_row(of: &Org) -> String {
    fields!(of, id slug name seq region sms_provider created_ms disabled_ms)
}

fn of_user(of: &User) -> String {
    fields!(of, id email name disabled_ms)
}

fn of_profile(of: &Profile) -> String {
    let Contact { first_name, last_name, phone, email, .. } = &of.contact;
    let identities: Vec<_> = of.identities.iter().map(|Identity { kind, value }| format!("{kind} {value}")).collect();
    let times = fields!(of.contact, id created_ms updated_ms);
    format!("{times} {first_name} {last_name} {phone:?} {email:?} {identities:?} {}", of.opted_out)
}

fn of_conversation(of: &Conversation) -> String {
    let Visitor { name, email, phone } = &of.visitor;
    let more = fields!(of, last_message_ms newest_id preview last_direction last_inbound_ms metadata created_ms updated_ms);
    let first = fields!(of, id account_id session_key channel contact_id contact_name peer standing starred assigned_to);
    format!("{first} {} {more} {name:?} {email:?} {phone:?}", fields!(of, message_count unread_count read_through))
}

fn of_message(of: &Message) -> String {
    let files: Vec<_> = of.attachments.iter().map(of_file).collect();
    let first =
        fields!(of, id conversation_id account_id channel direction sender sender_user kind body meta state error_code error_message);
    let times = fields!(of, at_ms received_ms updated_ms read_ms send_at_ms valid_s segments history);
    format!("{first} {times} {files:?} {}", serde_json::to_string(&of.call).unwrap())
}

fn of_file(of: &Attachment) -> String {
    match of {
        Attachment::Stored { media_id, facts, has_thumbnail } => {
            format!("{media_id:?} {has_thumbnail} {}", fields!(facts, content_type size name width height))
        }
        Attachment::Linked { .. } | Attachment::Remote { .. } => serde_json::to_string(of).unwrap(),
    }
}

/// An event with its ids as the others print theirs.
fn of_event(of: &Event) -> String {
    let serde_json::Value::Object(fields) = serde_json::to_value(of).unwrap() else { panic!("no object: {of:?}") };
    let field = |(name, value): (&String, &serde_json::Value)| match name.as_str() {
        "contact_id" | "merged_id" => format!("{name}=contact_{value}"),
        "conversation_id" => format!("{name}=conv_{value}"),
        "message_id" => format!("{name}=msg_{value}"),
        "account_id" => format!("{name}=acct_{value}"),
        _ => format!("{name}={value}"),
    };
    fields.iter().map(field).collect::<Vec<_>>().join(" ")
}
