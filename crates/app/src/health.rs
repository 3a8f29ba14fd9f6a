//! The health of accounts. What passes over an account and what is refused in its name is gathered in this process's memory
//! and stored about once a minute and at the end, so that no message and no refused hook costs a write of its own. A killed
//! process loses what it gathered in its last minute.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use parlance_model::Result;
use parlance_model::account::{Account, Health, Seen};
use parlance_model::id::{AccountId, OrgId};
use parlance_model::key::Principal;
use parlance_store::{OrgTx, backfill, health};

use crate::App;

/// How often what was gathered is stored.
const PERIOD: Duration = Duration::from_secs(60);
/// Accounts that are remembered at once. Of more than these nothing is gathered until the next time.
const REMEMBERED: usize = 100_000;
/// Accounts of one org that are stored in one transaction.
const CHUNK: usize = 500;

type Name = (OrgId, AccountId);

/// What was seen since it was last stored.
#[derive(Debug, Default)]
pub(crate) struct Memory(Mutex<HashMap<Name, Seen>>);

impl Memory {
    /// A genuine hook of the account's provider came.
    pub(crate) fn came_in(&self, account: Name, now_ms: i64) {
        self.add(account, &Seen { last_in_ms: Some(now_ms), ..Seen::default() });
    }

    /// The provider took a message.
    pub(crate) fn went_out(&self, account: Name, now_ms: i64) {
        self.add(account, &Seen { last_out_ms: Some(now_ms), ..Seen::default() });
    }

    /// A hook that claimed to be for the account was refused.
    pub(crate) fn refused(&self, account: Name, now_ms: i64) {
        self.add(account, &Seen { refused_hooks: 1, last_refused_ms: Some(now_ms), ..Seen::default() });
    }

    fn add(&self, account: Name, seen: &Seen) {
        let mut all = self.lock();
        if all.len() < REMEMBERED || all.contains_key(&account) {
            let kept = all.entry(account).or_default();
            *kept = kept.and(seen);
        }
    }

    fn of(&self, account: Name) -> Seen {
        self.lock().get(&account).copied().unwrap_or_default()
    }

    /// Everything, by org. The memory is empty then.
    fn take(&self) -> HashMap<OrgId, Vec<(AccountId, Seen)>> {
        let mut by_org: HashMap<OrgId, Vec<_>> = HashMap::new();
        for ((org, account), seen) in std::mem::take(&mut *self.lock()) {
            by_org.entry(org).or_default().push((account, seen));
        }
        by_org
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Name, Seen>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl App {
    /// How these accounts of the caller's org do, in their order: what is stored, and what this process has not stored yet.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn healths(&self, who: &Principal, accounts: &[Account]) -> Result<Vec<Health>> {
        let (mut stored, mut backfills) = self.store().read(who.org, |tx| Ok((health::all(tx)?, backfill::all(tx)?))).await?;
        let of = |account: &Account| {
            let known = stored.remove(&account.id).unwrap_or_default();
            let seen = known.seen.and(&self.0.seen.of((account.org, account.id)));
            Health { seen, backfill: backfills.remove(&account.id), ..known }
        };
        Ok(accounts.iter().map(of).collect())
    }

    /// Stores what was gathered. What cannot be stored now is kept for the next time.
    pub async fn flush_health(&self) {
        for (org, accounts) in self.0.seen.take() {
            for chunk in accounts.chunks(CHUNK) {
                let (mut chunk, kept) = (chunk.to_vec(), chunk);
                // One order for all nodes.
                chunk.sort_by_key(|(account, _)| *account);
                let write = move |tx: &mut OrgTx<'_, '_>| chunk.iter().try_for_each(|(account, seen)| health::merge(tx, *account, seen));
                if let Err(error) = self.store().write(org, write).await {
                    tracing::warn!(?error, %org, "the health of accounts could not be stored; trying again later");
                    kept.iter().for_each(|(account, seen)| self.0.seen.add((org, *account), seen));
                }
            }
        }
    }
}

/// Stores what was gathered from time to time. At the end [`App::shutdown`] does, once nothing more is gathered.
pub(crate) async fn keep(app: &App) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(PERIOD) => app.flush_health().await,
            () = app.tasks().stopping() => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_add_up_and_the_later_time_stays() {
        let memory = Memory::default();
        let account = (OrgId(1), AccountId(2));
        for now_ms in [30, 10, 20] {
            memory.refused(account, now_ms);
            memory.came_in(account, now_ms);
        }
        let expected = Seen { last_in_ms: Some(30), last_out_ms: None, refused_hooks: 3, last_refused_ms: Some(30) };
        assert_eq!(memory.of(account), expected);
        assert_eq!(memory.take(), HashMap::from([(OrgId(1), vec![(AccountId(2), expected)])]));
        assert_eq!(memory.of(account), Seen::default());
    }

    #[test]
    fn however_many_accounts_are_named_the_memory_stays_small() {
        let memory = Memory::default();
        for id in 0..REMEMBERED as i64 + 10 {
            memory.refused((OrgId(1), AccountId(id)), 1);
        }
        memory.refused((OrgId(1), AccountId(0)), 2);
        let remembered = memory.lock().len();
        assert_eq!((remembered, memory.of((OrgId(1), AccountId(0))).refused_hooks), (REMEMBERED, 2));
    }
}
