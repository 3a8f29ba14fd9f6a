//! Compares an account's lists at its provider with what came by hooks, and stores what is missing: once, in order, as history.
//!
//! Runs when a server starts, every ten minutes, and by command. What came in the last minutes is left to its hook, so that a
//! message that is only under way does not become history, which is never unread.

use std::collections::BTreeMap;

use parlance_model::account::{Account, Backfill};
use parlance_model::call::news::{CallNews, News};
use parlance_model::delivery::DeliveryError;
use parlance_model::id::{AccountId, OrgId};
use parlance_model::inbound::Inbound;
use parlance_model::job::{Claimed, Job, Lane};
use parlance_model::listed::{Called, ListFailure, Listed, Listing};
use parlance_model::{Error, Result};
use parlance_store::watch::{Unit, Unwatched, Watch, advance};
use parlance_store::{OrgTx, account, attempt, backfill, health, job, message};

use crate::App;
use crate::account::working;
use crate::call;
use crate::ingest::{Heard, record};

/// What is younger is left to its hook, in milliseconds. A provider tries a hook for less than a minute.
const LEFT_TO_HOOKS_MS: i64 = 120_000;
/// How far behind the last comparison the next begins, in milliseconds: a list may show a message late.
const OVERLAP_MS: i64 = 3_600_000;
/// How long after the last try an account is compared again, in milliseconds: at the next sweep, which comes every ten minutes. Half of
/// that, because a try ends some time after the sweep that it began at.
const PERIOD_MS: i64 = 5 * 60_000;
/// The same for a server that has just started: it may have been away.
const AT_START_MS: i64 = 120_000;
/// When a comparison that came to nothing is tried again, in milliseconds.
const AGAIN_MS: i64 = 60_000;
/// A call that a hook names and that began within this time is no history, though its first hook was lost, in milliseconds.
const FRESH_MS: i64 = 3_600_000;
/// Waits between two tries to ask for a call that a hook named, in milliseconds. After the last the lists have to find it.
const FIND_AGAIN_MS: [i64; 5] = [5_000, 30_000, 120_000, 600_000, 3_600_000];
/// Entries that are held in memory: of more, the oldest, and the rest in the next round.
const HELD: usize = 20_000;
/// Pages that are read in one round at most: a million entries. A list that is longer goes round in circles.
const PAGES: usize = 5000;
/// Entries that are stored in one transaction.
const CHUNK: usize = 100;

/// What a comparison came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Compared {
    /// Entries of the provider's lists that were looked at.
    pub listed: u64,
    /// Messages that were missing and are stored now.
    pub stored: u64,
}

impl App {
    /// Queues the comparison of every account that nobody has compared for a while, or since shortly before a start. Answers how many.
    ///
    /// # Errors
    /// Those of the database.
    pub(crate) async fn queue_backfills(&self, at_start: bool) -> Result<usize> {
        let before_ms = self.now_ms() - if at_start { AT_START_MS } else { PERIOD_MS };
        let due = self.store().system_read(move |tx| backfill::due(tx, before_ms)).await?;
        for (org, id) in &due {
            let (job, lane) = (Job::Backfill { account_id: *id }, Lane::Account(*id));
            self.store().write(*org, move |tx| job::enqueue_once(tx, &job, lane)).await?;
        }
        Ok(due.len())
    }

    /// Compares an account's lists from `since_ms` on, else from where the last comparison ended, and stores what is missing.
    ///
    /// # Errors
    /// `not_found`; `account_disabled`; `provider_refused` and `unavailable` of the provider; those of the database.
    pub async fn backfill(&self, slug: &str, id: AccountId, since_ms: Option<i64>, watch: &dyn Watch) -> Result<Compared> {
        let org = self.org(slug).await?.id;
        self.compare(org, id, since_ms, watch).await
    }

    async fn compare(&self, org: OrgId, id: AccountId, since_ms: Option<i64>, watch: &dyn Watch) -> Result<Compared> {
        let read = move |tx: &mut OrgTx<'_, '_>| Ok((working(tx, id)?, backfill::get(tx, id)?));
        let (account, known) = self.store().read(org, read).await?;
        let mut reached = known.unwrap_or(Backfill { through_ms: account.created_ms, looked_ms: 0, found: 0, error: None });
        // A clock that was ahead would put the next comparison off until its time comes.
        reached.through_ms = reached.through_ms.min(self.now_ms());
        let since_ms = since_ms.unwrap_or(reached.through_ms - OVERLAP_MS);
        match self.rounds(&account, since_ms, &mut reached, watch).await {
            Ok(compared) => Ok(compared),
            Err(Halt::Ours(error)) => Err(error),
            Err(Halt::Theirs(failure)) => Err(self.compared_nothing(&account, reached, failure).await?),
        }
    }

    /// Compares round by round, and keeps what each has reached.
    async fn rounds(&self, account: &Account, mut since_ms: i64, reached: &mut Backfill, watch: &dyn Watch) -> Result<Compared, Halt> {
        let mut compared = Compared::default();
        loop {
            let until_ms = self.now_ms() - LEFT_TO_HOOKS_MS;
            let round = self.round(account, since_ms, until_ms, watch).await?;
            watch.stage("storing", Some(round.items.len() as u64), Unit::Rows);
            let mut stored = 0;
            for chunk in round.items.chunks(CHUNK) {
                stored += self.store_missing(account, chunk).await?;
                advance(watch, chunk.len() as u64)?;
            }
            compared = Compared { listed: compared.listed + round.items.len() as u64, stored: compared.stored + stored };
            *reached = Backfill {
                // What lies between the last comparison and a later start that somebody chose stays to be compared.
                through_ms: if since_ms <= reached.through_ms { reached.through_ms.max(round.through_ms) } else { reached.through_ms },
                looked_ms: self.now_ms(),
                found: reached.found + i64::try_from(stored).unwrap_or(i64::MAX),
                error: None,
            };
            let (id, after) = (account.id, reached.clone());
            self.store().write(account.org, move |tx| backfill::save(tx, id, &after)).await?;
            // A round that was full goes on where it ended.
            if round.through_ms >= until_ms || round.through_ms <= since_ms {
                return Ok(compared);
            }
            since_ms = round.through_ms;
        }
    }

    /// Lists what there is since then, and holds the oldest of it in the order of its time.
    async fn round(&self, account: &Account, since_ms: i64, until_ms: i64, watch: &dyn Watch) -> Result<Round, Halt> {
        let channel = parlance_channels::of(account.provider());
        let wanted = Listing { since_ms, sent_to: None };
        let (mut held, mut page) = (Held::new(since_ms, until_ms, HELD), None);
        watch.stage("listing", None, Unit::Rows);
        for _ in 0..PAGES {
            let listed = channel.list(&self.0.http, account, &wanted, page.as_deref()).await?;
            advance(watch, listed.items.len() as u64)?;
            listed.items.into_iter().for_each(|item| held.add(item));
            page = listed.next;
            if page.is_none() {
                return Ok(held.round());
            }
        }
        let text =
            format!("The provider's list has no end: after {PAGES} pages there are more. Check the account's base URL, if it has one.");
        Err(ListFailure::Later { error: DeliveryError { code: "list_endless".to_owned(), message: text }, retry_after_ms: None }.into())
    }

    /// Stores what is missing of these, in their order. Answers how many messages and calls were.
    async fn store_missing(&self, account: &Account, items: &[Listed]) -> Result<u64, Halt> {
        let (mut stored, mut told) = (0, Vec::new());
        for item in items {
            match item {
                Listed::Came(message) => told.push(Told::Message(Inbound::Message(message.clone()))),
                Listed::Went(went) => told.push(Told::Message(Inbound::Receipt(went.receipt.clone()))),
                Listed::Called(called) => match self.missing_of(account, called).await? {
                    Missing::Nothing => {}
                    Missing::End => told.push(Told::Call(CallNews {
                        provider_id: called.provider_id.clone(),
                        message: None,
                        attempt: None,
                        news: called.news(),
                    })),
                    Missing::More => {
                        stored += self.store_told(account, std::mem::take(&mut told)).await?;
                        stored += u64::from(self.find(account, &called.provider_id, 0).await?);
                    }
                },
            }
        }
        Ok(stored + self.store_told(account, told).await?)
    }

    /// Stores what was told, in one transaction. Answers how much of it was not known.
    async fn store_told(&self, account: &Account, told: Vec<Told>) -> Result<u64> {
        if told.is_empty() {
            return Ok(0);
        }
        let (org, id) = (account.org, account.id);
        let write = move |tx: &mut OrgTx<'_, '_>| {
            let account = working(tx, id)?;
            let siblings = siblings(tx, &account)?;
            let mut stored = 0;
            for told in &told {
                match told {
                    Told::Message(Inbound::Message(message)) if is_known_to(tx, &siblings, &message.provider_id)? => {}
                    // Of what was sent past us nothing is kept. What we sent may have got further than any callback told.
                    Told::Message(Inbound::Receipt(receipt))
                        if attempt::by_provider_id(tx, account.id, &receipt.provider_id)?.is_none() => {}
                    Told::Message(inbound) => {
                        let heard = Heard { account: &account, inbound: std::slice::from_ref(inbound) };
                        stored += record(tx, &[heard])?.iter().map(|recorded| recorded.stored).sum::<u64>();
                    }
                    Told::Call(news) => stored += u64::from(call::take(tx, &account, news)?.stored),
                }
            }
            Ok(stored)
        };
        let stored = self.store().write(org, write).await?;
        self.0.measured.received.increment(stored);
        Ok(stored)
    }

    /// What of a call we do not have.
    async fn missing_of(&self, account: &Account, called: &Called) -> Result<Missing> {
        let (id, called, records) = (account.id, called.clone(), call::records(account));
        let read = move |tx: &mut OrgTx<'_, '_>| {
            let Some(message) = parlance_store::call::find(tx, id, &called.provider_id)? else {
                // A call that was made past us is nobody's message.
                return Ok(if called.inbound && called.status.is_end() { Missing::More } else { Missing::Nothing });
            };
            let Some(known) = message::get(tx, message)?.call else { return Ok(Missing::Nothing) };
            let may_have_more =
                known.recordings.is_empty() && called.duration_s.is_some_and(|seconds| seconds > 0) && (records || !known.answered);
            Ok(match called.status.is_end() {
                true if may_have_more => Missing::More,
                true if !known.status.is_end() || known.duration_s.is_none() => Missing::End,
                _ => Missing::Nothing,
            })
        };
        self.store().read(account.org, read).await
    }

    /// Asks the provider for a call and stores what it says: as history, unless it began within the last `fresh_ms`. Answers whether the
    /// call was missing.
    async fn find(&self, account: &Account, provider_id: &str, fresh_ms: i64) -> Result<bool, Halt> {
        let channel = parlance_channels::of(account.provider());
        let mut news = channel.find_call(&self.0.http, account, provider_id).await?;
        let (id, sid) = (account.id, provider_id.to_owned());
        let known = self.store().read(account.org, move |tx| parlance_store::call::find(tx, id, &sid)).await?.is_some();
        // Of a call that we directed, our own hooks know better whether a person or a machine answered.
        news.retain(|news| !known || !matches!(news.news, News::Dialed { .. }));
        let fresh_since_ms = self.now_ms() - fresh_ms;
        for told in &mut news {
            if let News::Incoming { missed_ms, .. } = &mut told.news {
                *missed_ms = missed_ms.filter(|began_ms| *began_ms < fresh_since_ms);
            }
        }
        if !known && !news.iter().any(|news| matches!(news.news, News::Incoming { .. })) {
            return Ok(false);
        }
        Ok(self.store_told(account, news.into_iter().map(Told::Call).collect()).await? > 0)
    }

    /// Keeps why a comparison came to nothing, and makes the error of it.
    async fn compared_nothing(&self, account: &Account, reached: Backfill, failure: ListFailure) -> Result<Error> {
        let (id, error) = (account.id, failure.error().clone());
        let after = Backfill { looked_ms: self.now_ms(), error: Some(error.clone()), ..reached };
        let is_refused = matches!(failure, ListFailure::Account(_));
        let write = move |tx: &mut OrgTx<'_, '_>| {
            if is_refused {
                health::fails(tx, id, after.error.as_ref().unwrap_or(&error))?;
            }
            backfill::save(tx, id, &after)
        };
        self.store().write(account.org, write).await?;
        Ok(match failure {
            ListFailure::Account(error) => Error::refused("provider_refused", error.message),
            ListFailure::Later { error, retry_after_ms } => {
                let wait_s = retry_after_ms.unwrap_or(AGAIN_MS).max(1000) / 1000;
                Error::unavailable(error.message, u32::try_from(wait_s).unwrap_or(60))
            }
        })
    }
}

/// The oldest entries of lists that are read newest first.
struct Held {
    since_ms: i64,
    through_ms: i64,
    limit: usize,
    added: u64,
    items: BTreeMap<(i64, u64), Listed>,
}

impl Held {
    fn new(since_ms: i64, until_ms: i64, limit: usize) -> Self {
        Self { since_ms, through_ms: until_ms, limit, added: 0, items: BTreeMap::new() }
    }

    fn add(&mut self, item: Listed) {
        if !(self.since_ms..=self.through_ms).contains(&item.at_ms()) {
            return;
        }
        // Of the same second, what is listed later is older.
        self.added += 1;
        self.items.insert((item.at_ms(), u64::MAX - self.added), item);
        if self.items.len() > self.limit
            && let Some(((newest_ms, _), _)) = self.items.pop_last()
        {
            self.through_ms = newest_ms;
        }
    }

    fn round(self) -> Round {
        Round { items: self.items.into_values().collect(), through_ms: self.through_ms }
    }
}

/// The other accounts of the org whose lists are the same: those of one account at the provider. A number of one may be in the Messaging
/// Service of another.
fn siblings(tx: &mut OrgTx<'_, '_>, account: &Account) -> Result<Vec<AccountId>> {
    let channel = parlance_channels::of(account.provider());
    let same = |other: &Account| other.provider() == account.provider() && channel.account_name(other) == channel.account_name(account);
    let others = account::list(tx)?.into_iter().filter(|other| other.id != account.id && same(other));
    Ok(others.map(|other| other.id).collect())
}

fn is_known_to(tx: &mut OrgTx<'_, '_>, accounts: &[AccountId], provider_id: &str) -> Result<bool> {
    let ids: Vec<_> = accounts.iter().map(|account| (*account, provider_id)).collect();
    message::known(tx, &ids).map(|known| !known.is_empty())
}

/// Why nothing more was compared.
enum Halt {
    /// Something on our side.
    Ours(Error),
    /// The provider.
    Theirs(ListFailure),
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        Self::Ours(error)
    }
}

impl From<ListFailure> for Halt {
    fn from(failure: ListFailure) -> Self {
        Self::Theirs(failure)
    }
}

/// What is to be stored of an entry.
enum Told {
    Message(Inbound),
    Call(CallNews),
}

/// What of a listed call we do not have.
enum Missing {
    Nothing,
    /// How it ended.
    End,
    /// Perhaps its recordings, and all of it where it is not known.
    More,
}

/// A part of an account's lists.
struct Round {
    /// Oldest first.
    items: Vec<Listed>,
    /// Everything up to here is among the items, unix ms.
    through_ms: i64,
}

/// Runs a job to its end. One that came to nothing is queued anew by the next sweep.
pub(crate) async fn run(app: &App, claimed: &Claimed, account: AccountId) -> Result<()> {
    let compared = app.compare(claimed.org, account, None, &Unwatched::default()).await;
    match &compared {
        Ok(Compared { stored: 0, .. }) => {}
        Ok(Compared { stored, .. }) => {
            tracing::info!(org = %claimed.org, account = %account, stored, "messages that no hook had told were found")
        }
        Err(error) => {
            tracing::warn!(?error, org = %claimed.org, account = %account, "the provider's lists could not be compared; trying again later")
        }
    }
    let job = claimed.clone();
    app.store().write(claimed.org, move |tx| job::finish(tx, &job)).await
}

/// Asks the provider for a call that a hook named and nobody here knows. What it cannot tell now is asked again later, a few times.
pub(crate) async fn find_call(app: &App, claimed: &Claimed, id: AccountId, provider_id: &str) -> Result<()> {
    let account = app.store().read(claimed.org, move |tx| account::get(tx, id)).await?;
    if !account.works() {
        // Once it is switched on, the lists tell of the call.
        let job = claimed.clone();
        return app.store().write(claimed.org, move |tx| job::finish(tx, &job)).await;
    }
    let again = match app.find(&account, provider_id, FRESH_MS).await {
        Ok(_) => None,
        Err(Halt::Ours(error)) => return Err(error),
        Err(Halt::Theirs(failure)) => {
            tracing::warn!(error = ?failure.error(), org = %claimed.org, account = %id, "a call could not be asked for");
            usize::try_from(claimed.attempt - 1).ok().and_then(|tried| FIND_AGAIN_MS.get(tried)).copied()
        }
    };
    let job = claimed.clone();
    let write = move |tx: &mut OrgTx<'_, '_>| match again {
        Some(wait_ms) => {
            let run_at_ms = tx.now_ms() + wait_ms;
            job::postpone(tx, &job, run_at_ms)
        }
        None => job::finish(tx, &job),
    };
    app.store().write(claimed.org, write).await
}

#[cfg(test)]
mod tests {
    use parlance_model::delivery::{DeliveryState, Outcome};
    use parlance_model::inbound::Receipt;
    use parlance_model::listed::Went;

    use super::*;

    fn at(created_ms: i64, body: &str) -> Listed {
        let receipt = Receipt::of(body.to_owned(), None, Outcome::of(DeliveryState::Sent));
        Listed::Went(Went { body: body.to_owned(), files: 0, created_ms, receipt })
    }

    fn of(held: Held) -> (Vec<String>, i64) {
        let round = held.round();
        let bodies = round.items.into_iter().map(|item| match item {
            Listed::Went(went) => went.body,
            Listed::Came(_) | Listed::Called(_) => String::new(),
        });
        (bodies.collect(), round.through_ms)
    }

    #[test]
    fn entries_come_out_oldest_first_and_within_their_time() {
        let mut held = Held::new(10, 40, 9);
        for (at_ms, body) in [(41, "too new"), (40, "e"), (20, "d"), (20, "c"), (10, "a"), (9, "too old"), (15, "b")] {
            held.add(at(at_ms, body));
        }
        assert_eq!(of(held), (["a", "b", "c", "d", "e"].map(str::to_owned).to_vec(), 40));
    }

    #[test]
    fn of_too_many_the_oldest_stay_and_the_next_round_begins_behind_them() {
        let mut held = Held::new(0, 100, 3);
        for at_ms in [90, 50, 30, 20, 10, 60, 25] {
            held.add(at(at_ms, &at_ms.to_string()));
        }
        assert_eq!(of(held), (["10", "20", "25"].map(str::to_owned).to_vec(), 30));
    }
}
