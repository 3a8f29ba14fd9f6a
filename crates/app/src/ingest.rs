//! Hooks: what providers tell us. Verified over the raw bytes, applied in one transaction, and only then answered.

use std::borrow::Cow;

use bytes::Bytes;
use http::HeaderMap;
use parlance_channels::{Hook, Parsed};
use parlance_model::account::Account;
use parlance_model::channel::{JsonObject, Provider};
use parlance_model::contact::Identity;
use parlance_model::conversation::{Conversation, session_key};
use parlance_model::error::Kind as ErrorKind;
use parlance_model::inbound::{Inbound, InboundMessage, Receipt};
use parlance_model::message::{Direction, Kind, SenderKind};
use parlance_model::opt_out::{OptSignal, OptSource};
use parlance_model::phone::Address;
use parlance_model::{Error, Result};
use parlance_store::{OrgTx, account, attempt, contact, conversation, health, hook, message, opt_out};

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
        let claimed = channel.claimed_account(&hook);
        let mut candidates = self.candidates(&request, claimed.as_deref().ok()).await?;
        if let Ok(claimed) = &claimed {
            candidates.retain(|account| channel.account_name(account) == claimed);
        }
        if candidates.is_empty() {
            return Err(Error::not_found("account"));
        }
        let claimed: Vec<_> = candidates.iter().map(|account| (account.org, account.id)).collect();
        candidates.retain(|account| channel.verify(account, &hook));
        if candidates.is_empty() {
            claimed.into_iter().for_each(|account| self.0.seen.refused(account, self.store().now_ms()));
            return Err(bad_signature());
        }
        // A number may have moved here from an org that was switched off since.
        candidates.sort_by_key(|account| account.org_disabled);
        for account in candidates {
            let name = (account.org, account.id);
            let (content_type, body) = channel.answer();
            let mut body = Cow::Borrowed(body);
            let outcome = match channel.parse(&account, &hook) {
                Parsed::NotOurs => continue,
                // Not acknowledged, so a provider that tries again delivers it once the org is back.
                _ if account.org_disabled => return Err(put_off()),
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
            self.0.seen.came_in(name, self.store().now_ms());
            return Ok((HookAnswer { content_type, body }, outcome));
        }
        Err(Error::not_found("number"))
    }

    /// The accounts that the hook may be for: by its own URL's token, or by the account name that it claims.
    async fn candidates(&self, request: &HookRequest, claimed: Option<&str>) -> Result<Vec<Account>> {
        let (kind, value) = match (&request.token, claimed) {
            (Some(token), _) => ("hook_token", token.clone()),
            (None, Some(claimed)) => (request.provider.as_str(), claimed.to_owned()),
            (None, None) => return Ok(Vec::new()),
        };
        let mut accounts = self.store().system_read(move |tx| account::by_route(tx, kind, &value)).await?;
        accounts.retain(|account| account.enabled && account.provider() == request.provider);
        Ok(accounts)
    }

    async fn apply(&self, account: Account, inbound: Vec<Inbound>) -> Result<()> {
        let recorded = self.store().write(account.org, move |tx| record(tx, &account, &inbound)).await?;
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

/// Applies what an account's hooks said, in order. What is known already changes nothing.
///
/// # Errors
/// Those of the database.
pub fn record(tx: &mut OrgTx<'_, '_>, account: &Account, inbound: &[Inbound]) -> Result<Recorded> {
    let mut recorded = Recorded::default();
    let mut touched: Vec<(Conversation, Conversation)> = Vec::new();
    for item in inbound {
        match item {
            Inbound::Message(message) if message::is_known(tx, account.id, &message.provider_id)? => recorded.known += 1,
            Inbound::Message(message) => {
                receive(tx, account, message, &mut touched)?;
                recorded.stored += 1;
            }
            Inbound::Receipt(receipt) => acknowledge(tx, account, receipt)?,
        }
    }
    // A conversation's row is written once, however many of its messages came together.
    for (before, after) in &touched {
        conversation::save(tx, before, after)?;
    }
    Ok(recorded)
}

fn receive(tx: &mut OrgTx<'_, '_>, account: &Account, new: &InboundMessage, touched: &mut Vec<(Conversation, Conversation)>) -> Result<()> {
    let identity = Identity::of(&new.from);
    let details = contact::Details::from_name(match (&new.profile_name, &new.from) {
        (Some(name), _) | (None, Address::Name(name)) => name,
        (None, _) => "",
    });
    let (person, contact_created) = contact::find_or_create(tx, &identity, &details)?;
    let key = conversation::Key {
        account,
        session_key: session_key(new.channel, &new.from),
        channel: new.channel,
        peer: new.from.key(),
        contact: &person,
    };
    let index = match touched.iter().position(|(_, after)| after.session_key == key.session_key) {
        Some(index) => index,
        None => {
            let (found, _) = conversation::find_or_create(tx, &key)?;
            touched.push((found.clone(), found));
            touched.len() - 1
        }
    };
    let stored = message::NewMessage {
        attachments: new.attachments.clone(),
        meta: meta(&new.provider_meta),
        inbound_id: Some(new.provider_id.clone()),
        at_ms: new.at_ms,
        segments: new.segments,
        history: new.history,
        ..message::NewMessage::new(Direction::Inbound, SenderKind::Contact, Kind::Text, &new.body)
    };
    let id = message::append(tx, &mut touched[index].1, &stored, contact_created)?;
    fetch::enqueue(tx, id, &stored.attachments)?;
    if new.opt.is_some() && new.history && is_outdated(tx, &identity, new.at_ms)? {
        return Ok(());
    }
    match new.opt {
        Some(OptSignal::Stop) => opt_out::set(tx, &identity, true, OptSource::Keyword).map(drop),
        Some(OptSignal::Start) => opt_out::set(tx, &identity, false, OptSource::Keyword).map(drop),
        Some(OptSignal::Help) | None => Ok(()),
    }
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
