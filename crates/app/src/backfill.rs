//! Compares an account's lists at its provider with what came by hooks, and stores what is missing: once, in order, as history.
//!
//! Runs when a server starts, every quarter of an hour, and by command. What came in the last minutes is left to its hook, so that a
//! message that is only under way does not become history, which is never unread.

use std::collections::BTreeMap;

use parlance_model::account::Account;
use parlance_model::id::{AccountId, OrgId};
use parlance_model::inbound::Inbound;
use parlance_model::job::{Claimed, Job, Lane};
use parlance_model::listed::{ListFailure, Listed, Listing};
use parlance_model::{Error, Result};
use parlance_store::sync::{self, Sync};
use parlance_store::watch::{Unit, Unwatched, Watch, advance};
use parlance_store::{OrgTx, account, attempt, health, job};

use crate::App;
use crate::deliver::LEASE_MS;
use crate::ingest::{Recorded, record};

/// What is younger is left to its hook, in milliseconds. A provider tries a hook for less than a minute.
const LEFT_TO_HOOKS_MS: i64 = 120_000;
/// How far behind the last comparison the next begins, in milliseconds: a list may show a message late.
const OVERLAP_MS: i64 = 3_600_000;
/// How long after the last try an account is compared again, in milliseconds.
const PERIOD_MS: i64 = 15 * 60_000;
/// The same for a server that has just started: it may have been away.
const AT_START_MS: i64 = 120_000;
/// When a comparison that came to nothing is tried again, in milliseconds.
const AGAIN_MS: i64 = 60_000;
/// Entries that are held in memory: of more, the oldest, and the rest in the next round.
const HELD: usize = 20_000;
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
        let due = self.store().system_read(move |tx| sync::due(tx, before_ms)).await?;
        for (org, id) in &due {
            let (job, lane) = (Job::Backfill { account_id: *id }, Lane::Account(*id));
            let write = move |tx: &mut OrgTx<'_, '_>| {
                let now_ms = tx.now_ms();
                if job::is_queued(tx, &job, lane)? { Ok(()) } else { job::enqueue(tx, &job, Some(lane), now_ms).map(drop) }
            };
            self.store().write(*org, write).await?;
        }
        Ok(due.len())
    }

    /// Compares an account's lists from `since_ms` on, else from where the last comparison ended, and stores what is missing.
    ///
    /// # Errors
    /// `not_found`; `provider_refused` and `unavailable` of the provider; those of the database.
    pub async fn backfill(&self, slug: &str, id: AccountId, since_ms: Option<i64>, watch: &dyn Watch) -> Result<Compared> {
        let org = self.org(slug).await?.id;
        self.compare(org, id, since_ms, None, watch).await
    }

    async fn compare(
        &self,
        org: OrgId,
        id: AccountId,
        since_ms: Option<i64>,
        claimed: Option<&Claimed>,
        watch: &dyn Watch,
    ) -> Result<Compared> {
        let read = move |tx: &mut OrgTx<'_, '_>| Ok((account::get(tx, id)?, sync::get(tx, id)?));
        let (account, known) = self.store().read(org, read).await?;
        let before = known.unwrap_or(Sync { through_ms: account.created_ms, looked_ms: 0, found: 0, error: None });
        let mut since_ms = since_ms.unwrap_or(before.through_ms - OVERLAP_MS);
        let mut compared = Compared::default();
        loop {
            let until_ms = self.now_ms() - LEFT_TO_HOOKS_MS;
            let round = match self.round(&account, since_ms, until_ms, claimed, watch).await? {
                Ok(round) => round,
                Err(failure) => return Err(self.compared_nothing(&account, before, failure).await?),
            };
            watch.stage("storing", Some(round.items.len() as u64), Unit::Rows);
            let mut stored = 0;
            for chunk in round.items.chunks(CHUNK) {
                stored += self.store_missing(&account, chunk.to_vec()).await?;
                advance(watch, chunk.len() as u64)?;
            }
            compared = Compared { listed: compared.listed + round.items.len() as u64, stored: compared.stored + stored };
            let after = Sync {
                through_ms: before.through_ms.max(round.through_ms),
                looked_ms: self.now_ms(),
                found: before.found + i64::try_from(compared.stored).unwrap_or(i64::MAX),
                error: None,
            };
            self.store().write(org, move |tx| sync::save(tx, id, &after)).await?;
            // A round that was full goes on where it ended.
            if round.through_ms >= until_ms || round.through_ms <= since_ms {
                return Ok(compared);
            }
            since_ms = round.through_ms;
        }
    }

    /// Lists what there is since then, and holds the oldest of it in the order of its time.
    async fn round(
        &self,
        account: &Account,
        since_ms: i64,
        until_ms: i64,
        claimed: Option<&Claimed>,
        watch: &dyn Watch,
    ) -> Result<std::result::Result<Round, ListFailure>> {
        let channel = parlance_channels::of(account.provider());
        let wanted = Listing { since_ms, sent_to: None };
        let (mut held, mut page) = (Held::new(since_ms, until_ms, HELD), None);
        watch.stage("listing", None, Unit::Rows);
        loop {
            let listed = match channel.list(&self.0.http, account, &wanted, page.as_deref()).await {
                Ok(listed) => listed,
                Err(failure) => return Ok(Err(failure)),
            };
            advance(watch, listed.items.len() as u64)?;
            listed.items.into_iter().for_each(|item| held.add(item));
            page = listed.next;
            if page.is_none() {
                return Ok(Ok(held.round()));
            }
            if let Some(job) = claimed.cloned()
                && !self.store().write(job.org, move |tx| job::hold(tx, &job, LEASE_MS)).await?
            {
                return Err(Error::internal("somebody else has claimed the job"));
            }
        }
    }

    /// Stores what is missing of these, in one transaction. Answers how many were.
    async fn store_missing(&self, account: &Account, items: Vec<Listed>) -> Result<u64> {
        let account = account.clone();
        let org = account.org;
        let write = move |tx: &mut OrgTx<'_, '_>| {
            let mut inbound = Vec::new();
            for item in &items {
                match item {
                    Listed::Came(message) => inbound.push(Inbound::Message(message.clone())),
                    // Of what was sent past us nothing is kept. What we sent may have got further than any callback told.
                    Listed::Went(went) if attempt::by_provider_id(tx, account.id, &went.receipt.provider_id)?.is_some() => {
                        inbound.push(Inbound::Receipt(went.receipt.clone()));
                    }
                    Listed::Went(_) => {}
                }
            }
            record(tx, &account, &inbound)
        };
        let Recorded { stored, .. } = self.store().write(org, write).await?;
        self.0.measured.received.increment(stored);
        Ok(stored)
    }

    /// Keeps why a comparison came to nothing, and makes the error of it.
    async fn compared_nothing(&self, account: &Account, before: Sync, failure: ListFailure) -> Result<Error> {
        let (id, error) = (account.id, failure.error().clone());
        let after = Sync { looked_ms: self.now_ms(), error: Some(error.clone()), ..before };
        let is_refused = matches!(failure, ListFailure::Account(_));
        let write = move |tx: &mut OrgTx<'_, '_>| {
            if is_refused {
                health::fails(tx, id, after.error.as_ref().unwrap_or(&error))?;
            }
            sync::save(tx, id, &after)
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

/// A part of an account's lists.
struct Round {
    /// Oldest first.
    items: Vec<Listed>,
    /// Everything up to here is among the items, unix ms.
    through_ms: i64,
}

/// Runs a job to its end. One that came to nothing is queued anew by the next sweep.
pub(crate) async fn run(app: &App, claimed: &Claimed, account: AccountId) -> Result<()> {
    let compared = app.compare(claimed.org, account, None, Some(claimed), &Unwatched::default()).await;
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

/// Finds a call that a hook named and nobody here knows.
pub(crate) async fn find_call(_app: &App, _claimed: &Claimed, _account: AccountId, _provider_id: &str) -> Result<()> {
    Err(Error::internal("not built"))
}

#[cfg(test)]
mod tests {
    use parlance_model::delivery::DeliveryState;
    use parlance_model::inbound::Receipt;
    use parlance_model::listed::Went;

    use super::*;

    fn at(created_ms: i64, body: &str) -> Listed {
        let receipt = Receipt {
            provider_id: body.to_owned(),
            attempt: None,
            state: DeliveryState::Sent,
            error: None,
            about_account: false,
            opted_out: false,
            to: None,
        };
        Listed::Went(Went { to: String::new(), body: body.to_owned(), files: 0, created_ms, receipt })
    }

    fn of(held: Held) -> (Vec<String>, i64) {
        let round = held.round();
        let bodies = round.items.into_iter().map(|item| match item {
            Listed::Went(went) => went.body,
            Listed::Came(_) => String::new(),
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
