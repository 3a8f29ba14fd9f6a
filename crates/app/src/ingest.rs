//! Hooks: what providers tell us. Verified over the raw bytes, applied in one transaction, and only then answered.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

use bytes::Bytes;
use http::HeaderMap;
use parlance_channels::{Channel, Claim, Hook, Parsed};
use parlance_model::account::Account;
use parlance_model::channel::{JsonObject, Provider};
use parlance_model::contact::Identity;
use parlance_model::conversation::{Conversation, session_key};
use parlance_model::error::Kind as ErrorKind;
use parlance_model::id::{AccountId, OrgId};
use parlance_model::inbound::{Inbound, InboundMessage, Receipt};
use parlance_model::message::{Direction, Kind, SenderKind};
use parlance_model::opt_out::{OptSignal, OptSource};
use parlance_model::phone::Address;
use parlance_model::{Error, Result};
use parlance_store::recent::Found;
use parlance_store::{Joint, OrgTx, SystemTx, account, attempt, contact, conversation, health, hook, message, opt_out};

use crate::metrics::{self, Hooked};
use crate::{App, call, fetch};

/// When a hook for an org that is switched off may be tried again, in seconds.
const PUT_OFF_S: u32 = 600;

/// A request that claims to come from a provider.
#[derive(Clone)]
pub struct HookRequest {
    /// Whose hook it is, by its path.
    pub provider: Provider,
    /// The account's token, where the path carries it.
    pub token: Option<String>,
    /// `POST` or `GET`.
    pub method: String,
    /// Path and query, exactly as they were called.
    pub path_and_query: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, untouched.
    pub body: Bytes,
}

parlance_model::show_only!(HookRequest { provider, method });

/// What the provider is answered.
#[derive(Debug, Clone)]
pub struct HookAnswer {
    /// The content type.
    pub content_type: &'static str,
    /// The body.
    pub body: Cow<'static, str>,
}

impl App {
    /// Takes a hook: finds its account, checks the signature, applies what it says, commits. The answer means "on disk".
    ///
    /// # Errors
    /// `not_found` for an account or number that is not ours, `bad_signature`, `put_off`, `unavailable`.
    pub async fn hook(&self, request: HookRequest) -> Result<HookAnswer> {
        let provider = request.provider;
        let taken = self.take(request).await;
        let outcome = taken.as_ref().map_or_else(metrics::refused, |(_, outcome)| *outcome);
        self.0.measured.hook(provider, outcome);
        taken.map(|(answer, _)| answer)
    }

    async fn take(&self, request: HookRequest) -> Result<(HookAnswer, Hooked)> {
        let channel = parlance_channels::of(request.provider);
        let urls = [format!("{}{}", self.0.config.public_url, request.path_and_query)];
        let hook = Hook { method: &request.method, urls: &urls, headers: &request.headers, body: &request.body };
        let claim = channel.read(&hook);
        let name = route(&request, claim.account_name().ok()).ok_or_else(|| Error::not_found("account"))?;
        let candidates = self.candidates(&request, &name).await?;
        let mut addressed = addressee(channel, claim.as_ref(), candidates);
        if addressed.is_err() && self.0.accounts.forget(&name) {
            // What was kept may be of a second ago: a secret has changed since, or a number has come.
            let candidates = self.candidates(&request, &name).await?;
            addressed = addressee(channel, claim.as_ref(), candidates);
        }
        let (account, parsed) = addressed.map_err(|refused| self.told(refused))?;
        if account.org_disabled {
            // Not acknowledged, so a provider that tries again delivers it once the org is back.
            return Err(put_off());
        }
        let named = (account.org, account.id);
        let (content_type, body) = channel.answer();
        let mut body = Cow::Borrowed(body);
        let outcome = match parsed {
            Parsed::NotOurs => return Err(self.told(Refused::NotOurs)),
            Parsed::Apply(inbound) => {
                self.apply(account, inbound).await?;
                Hooked::Applied
            }
            Parsed::Call(news) => {
                let (owner, told) = (account.clone(), news);
                let taken = self.store().write(account.org, move |tx| call::take(tx, &owner, &told)).await?;
                self.0.measured.received.increment(u64::from(taken.stored));
                if let Some(directed) = taken.directed {
                    body = channel.direct(&self.0.config.public_url, &account, &directed).into();
                }
                Hooked::Applied
            }
            Parsed::Quarantine(reason) => {
                self.quarantine(&account, reason, &request).await?;
                Hooked::Quarantined
            }
        };
        self.0.seen.came_in(named, self.store().now_ms());
        Ok((HookAnswer { content_type, body }, outcome))
    }

    /// The accounts that the hook may be for.
    async fn candidates(&self, request: &HookRequest, name: &Route) -> Result<Vec<Account>> {
        let (kind, value) = name.clone();
        let find = move |tx: &mut SystemTx<'_, '_>| {
            let value = account::by_route(tx, kind, &value)?;
            // What is shut is not kept: once it is opened, the next hook is taken.
            let open = !value.is_empty() && value.iter().all(|account| account.enabled && !account.org_disabled);
            Ok(Found { until_ms: open.then_some(i64::MAX), value })
        };
        let mut accounts = self.0.accounts.get(self.store(), name.clone(), find).await?;
        accounts.retain(|account| account.enabled && account.provider() == request.provider);
        Ok(accounts)
    }

    /// What a refused hook is answered. Those who could have been meant hear of a wrong signature in their account's health.
    fn told(&self, refused: Refused) -> Error {
        match refused {
            Refused::NoAccount => Error::not_found("account"),
            Refused::NotOurs => Error::not_found("number"),
            Refused::BadSignature(accounts) => {
                accounts.into_iter().for_each(|account| self.0.seen.refused(account, self.store().now_ms()));
                bad_signature()
            }
        }
    }

    async fn apply(&self, account: Account, inbound: Vec<Inbound>) -> Result<()> {
        let recorded = self.0.hooks.write(self.store(), account.org, (account, inbound)).await?;
        self.0.measured.received.increment(recorded.stored);
        self.0.measured.duplicates.increment(recorded.known);
        Ok(())
    }

    async fn quarantine(&self, account: &Account, reason: &'static str, request: &HookRequest) -> Result<()> {
        let id = account.id;
        let content_type =
            request.headers.get(http::header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        let (line, body) = (format!("{} {}", request.method, request.path_and_query), request.body.clone());
        tracing::warn!(account = %id, reason, "a genuine hook could not be applied; it is kept");
        let keep = move |tx: &mut OrgTx<'_, '_>| {
            hook::quarantine(tx, &hook::NewHook { account: id, reason, request: &line, content_type: &content_type, body: &body })
        };
        self.store().write(account.org, keep).await
    }
}

/// The kind of name that a hook carries, and the name, by which its accounts are found.
pub(crate) type Route = (&'static str, String);

/// Its own URL's token, or the account name that it claims.
fn route(request: &HookRequest, claimed: Option<&str>) -> Option<Route> {
    match (&request.token, claimed) {
        (Some(token), _) => Some(("hook_token", token.clone())),
        (None, Some(claimed)) => Some((request.provider.as_str(), claimed.to_owned())),
        (None, None) => None,
    }
}

/// Why a hook is for none of the accounts.
enum Refused {
    NoAccount,
    BadSignature(Vec<(OrgId, AccountId)>),
    NotOurs,
}

/// Whom of these accounts the hook is for, and what it says.
fn addressee(channel: &dyn Channel, claim: &dyn Claim, mut accounts: Vec<Account>) -> Result<(Account, Parsed), Refused> {
    if let Ok(claimed) = claim.account_name() {
        accounts.retain(|account| channel.account_name(account) == claimed);
    }
    if accounts.is_empty() {
        return Err(Refused::NoAccount);
    }
    let claimed = accounts.iter().map(|account| (account.org, account.id)).collect();
    accounts.retain(|account| claim.verify(account));
    if accounts.is_empty() {
        return Err(Refused::BadSignature(claimed));
    }
    // A number may have moved here from an org that was switched off since.
    accounts.sort_by_key(|account| account.org_disabled);
    let mut parsed = accounts.into_iter().map(|account| {
        let parsed = claim.parse(&account);
        (account, parsed)
    });
    parsed.find(|(_, parsed)| !matches!(parsed, Parsed::NotOurs)).ok_or(Refused::NotOurs)
}

fn put_off() -> Error {
    let text = "This organisation is disabled and takes in nothing now. Try again later.";
    Error::new(ErrorKind::Unavailable, "put_off", text).with_retry_after(PUT_OFF_S)
}

fn bad_signature() -> Error {
    Error::new(
        ErrorKind::Forbidden,
        "bad_signature",
        "The signature does not fit. Check that --public-url is the URL that the provider calls, and that the account's auth token is current.",
    )
}

/// How much of what was said is new.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Recorded {
    /// Messages that are stored now.
    pub stored: u64,
    /// Messages that were stored before.
    pub known: u64,
}

/// What one hook said, of an account.
#[derive(Clone, Copy)]
pub struct Heard<'h> {
    /// Whose hook it was.
    pub account: &'h Account,
    /// What it said, in order.
    pub inbound: &'h [Inbound],
}

parlance_model::show_only!(Heard<'_> { inbound });

/// The same, while it waits for its turn.
pub(crate) type Said = (Account, Vec<Inbound>);

/// Hooks that are applied together.
pub(crate) fn joint() -> Joint<Said, Recorded> {
    Joint::new(|tx, said| {
        let heard: Vec<_> = said.iter().map(|(account, inbound)| Heard { account, inbound }).collect();
        record(tx, &heard)
    })
}

/// Applies what hooks of an org said, in order, and answers for each how much of it is new. What is known already changes nothing. A
/// conversation's row is written once, however many of its messages came together.
///
/// # Errors
/// Those of the database.
pub fn record(tx: &mut OrgTx<'_, '_>, heard: &[Heard<'_>]) -> Result<Vec<Recorded>> {
    let (new, recorded) = unknown(tx, heard)?;
    receive(tx, &new)?;
    let mut new = new.into_iter().peekable();
    for hook in heard {
        for inbound in hook.inbound {
            match inbound {
                Inbound::Message(message) if new.next_if(|(_, next)| std::ptr::eq(*next, message)).is_some() => opt(tx, message)?,
                Inbound::Message(_) => {}
                Inbound::Receipt(receipt) => acknowledge(tx, hook.account, receipt)?,
            }
        }
    }
    Ok(recorded)
}

/// A message that came to an account.
type Arrival<'h> = (&'h Account, &'h InboundMessage);

/// The messages that are not stored yet, each once; and how many of each hook's are.
fn unknown<'h>(tx: &mut OrgTx<'_, '_>, heard: &[Heard<'h>]) -> Result<(Vec<Arrival<'h>>, Vec<Recorded>)> {
    let messages = |hook: &Heard<'h>| {
        let Heard { account, inbound } = *hook;
        inbound.iter().filter_map(move |inbound| match inbound {
            Inbound::Message(message) => Some((account, message)),
            Inbound::Receipt(_) => None,
        })
    };
    let ids: Vec<_> = heard.iter().flat_map(messages).map(|(account, message)| (account.id, &*message.provider_id)).collect();
    let mut known = message::known(tx, &ids)?;
    let mut new = Vec::with_capacity(ids.len());
    let mut recorded = Vec::with_capacity(heard.len());
    for hook in heard {
        let mut of_hook = Recorded::default();
        for (account, message) in messages(hook) {
            if known.insert((account.id, message.provider_id.clone())) {
                new.push((account, message));
                of_hook.stored += 1;
            } else {
                of_hook.known += 1;
            }
        }
        recorded.push(of_hook);
    }
    Ok((new, recorded))
}

/// Stores messages in their conversations.
fn receive(tx: &mut OrgTx<'_, '_>, arrivals: &[Arrival<'_>]) -> Result<()> {
    let threads = Threads::of(tx, arrivals)?;
    let messages: Vec<_> = arrivals.iter().map(|(_, new)| stored(new)).collect();
    let additions = threads.places.iter().zip(&messages).map(|((conversation, contact_created), message)| message::Addition {
        conversation: *conversation,
        message,
        contact_created: *contact_created,
    });
    let mut after = threads.conversations.clone();
    let ids = message::append_all(tx, &mut after, &additions.collect::<Vec<_>>())?;
    conversation::save_all(tx, &threads.conversations, &after)?;
    ids.into_iter().zip(&messages).try_for_each(|(id, message)| fetch::enqueue(tx, id, &message.attachments))
}

fn stored(new: &InboundMessage) -> message::NewMessage {
    message::NewMessage {
        attachments: new.attachments.clone(),
        meta: meta(&new.provider_meta),
        inbound_id: Some(new.provider_id.clone()),
        at_ms: new.at_ms,
        segments: new.segments,
        history: new.history,
        ..message::NewMessage::new(Direction::Inbound, SenderKind::Contact, Kind::Text, &new.body)
    }
}

/// The conversations of arrivals, found or made.
struct Threads {
    /// Each once.
    conversations: Vec<Conversation>,
    /// For each arrival the place of its conversation, and whether its contact was made for it.
    places: Vec<(usize, bool)>,
}

impl Threads {
    fn of(tx: &mut OrgTx<'_, '_>, arrivals: &[Arrival<'_>]) -> Result<Self> {
        let keys: Vec<_> = arrivals.iter().map(|(account, new)| (account.id, session_key(new.channel, &new.from))).collect();
        let wanted: BTreeSet<_> = keys.iter().map(|(account, key)| (*account, &**key)).collect();
        let conversations = conversation::find_all(tx, &wanted.into_iter().collect::<Vec<_>>())?;
        let key_of = |conversation: &Conversation| (conversation.account_id, conversation.session_key.clone());
        let mut index: HashMap<_, _> = conversations.iter().map(key_of).zip(0..).collect();
        let mut threads = Self { conversations, places: Vec::with_capacity(arrivals.len()) };
        let mut strangers = Vec::new();
        for (key, arrival) in keys.into_iter().zip(arrivals) {
            let next = threads.conversations.len() + strangers.len();
            let place = *index.entry(key).or_insert(next);
            if place == next {
                strangers.push(*arrival);
            }
            // Of several from one stranger the first made the contact.
            threads.places.push((place, place == next));
        }
        let found = threads.conversations.len();
        let made = begin(tx, &strangers)?;
        for (place, contact_created) in &mut threads.places {
            *contact_created = *contact_created && made[*place - found].1;
        }
        threads.conversations.extend(made.into_iter().map(|(conversation, _)| conversation));
        Ok(threads)
    }
}

/// Makes conversations for messages that have none, with contacts where there are none; says of each whether its contact was made.
fn begin(tx: &mut OrgTx<'_, '_>, strangers: &[Arrival<'_>]) -> Result<Vec<(Conversation, bool)>> {
    let people: Vec<_> = strangers.iter().map(|(_, new)| (Identity::of(&new.from), details(new))).collect();
    // One person may begin conversations on several accounts at once.
    let mut distinct: Vec<(&Identity, &contact::Details)> = Vec::new();
    let mut index = HashMap::new();
    for (identity, details) in &people {
        index.entry(identity).or_insert_with(|| {
            distinct.push((identity, details));
            distinct.len() - 1
        });
    }
    let mut contacts = contact::find_or_create_all(tx, &distinct)?;
    let mut keys = Vec::with_capacity(strangers.len());
    let mut created = Vec::with_capacity(strangers.len());
    for ((account, new), (identity, _)) in strangers.iter().zip(&people) {
        let (contact, made) = &mut contacts[index[identity]];
        created.push(std::mem::take(made));
        keys.push(conversation::Key {
            account,
            session_key: session_key(new.channel, &new.from),
            channel: new.channel,
            peer: new.from.key(),
            contact: *contact,
        });
    }
    Ok(conversation::create_all(tx, &keys)?.into_iter().zip(created).collect())
}

/// What is known of whoever wrote.
fn details(new: &InboundMessage) -> contact::Details {
    contact::Details::from_name(match (&new.profile_name, &new.from) {
        (Some(name), _) | (None, Address::Name(name)) => name,
        (None, _) => "",
    })
}

/// Writes down what a message says of opting out or in.
fn opt(tx: &mut OrgTx<'_, '_>, new: &InboundMessage) -> Result<()> {
    let opted_out = match new.opt {
        Some(OptSignal::Stop) => true,
        Some(OptSignal::Start) => false,
        Some(OptSignal::Help) | None => return Ok(()),
    };
    let identity = Identity::of(&new.from);
    if new.history && is_outdated(tx, &identity, new.at_ms)? {
        return Ok(());
    }
    opt_out::set(tx, &identity, opted_out, OptSource::Keyword).map(drop)
}

/// Whether the ledger says something about this identity that is newer than a message of then.
fn is_outdated(tx: &mut OrgTx<'_, '_>, identity: &Identity, at_ms: Option<i64>) -> Result<bool> {
    Ok(opt_out::get(tx, identity)?.written.is_some_and(|(_, written_ms)| at_ms.is_some_and(|at_ms| written_ms >= at_ms)))
}

/// A message's `meta` with facts that only its provider has.
pub(crate) fn meta(facts: &JsonObject) -> JsonObject {
    let mut meta = JsonObject::default();
    if !facts.0.is_empty() {
        meta.0.insert("provider".to_owned(), serde_json::Value::Object(facts.0.clone()));
    }
    meta
}

pub(crate) fn acknowledge(tx: &mut OrgTx<'_, '_>, account: &Account, receipt: &Receipt) -> Result<()> {
    // One that came before says nothing new: the recipient may have opted in again since.
    let new = attempt::record(tx, account.id, receipt)?;
    if let Some(error) = receipt.error.as_ref().filter(|_| receipt.about_account && new) {
        health::warns(tx, account.id, error)?;
    }
    match &receipt.to {
        Some(to) if receipt.opted_out && new => opt_out::set(tx, &Identity::of(to), true, OptSource::Provider).map(drop),
        _ => Ok(()),
    }
}
