//! The audit log: the one door through which people and keys change things, the log as admins read it, and its sweeping.

use parlance_model::Result;
use parlance_model::key::Principal;
use parlance_store::{OrgTx, audit, org};

pub use parlance_store::audit::{Filter, Record};

use crate::App;
use crate::page::{Cursor, Page, PageRequest};

/// How long the audit log is kept, in milliseconds: 365 days.
pub const KEPT_MS: i64 = 365 * 24 * 60 * 60 * 1000;

impl App {
    /// Runs a write on behalf of the caller, which writes down what it changes ([`OrgTx::audit`]). One that changes something and
    /// does not is rolled back.
    pub(crate) async fn write_as<T, F>(&self, who: &Principal, closure: F) -> Result<T>
    where
        F: Fn(&mut OrgTx<'_, '_>) -> Result<T> + Send + 'static,
        T: Send + 'static,
    {
        self.store().write_as(who.org, who.actor(), closure).await
    }

    /// A page of the log, newest first.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn audit(&self, who: &Principal, filter: Filter, page: PageRequest) -> Result<Page<Record>> {
        self.store().read(who.org, move |tx| read(tx, &filter, page)).await
    }

    /// Deletes what has aged, of every org, a chunk at a time. Answers how many rows went.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn sweep_audit(&self) -> Result<u64> {
        let mut swept = 0;
        for org in self.store().system_read(org::all).await? {
            loop {
                let gone = self.store().write(org.id, |tx| audit::sweep(tx, tx.now_ms() - KEPT_MS)).await?;
                swept += gone;
                if gone == 0 {
                    break;
                }
            }
        }
        Ok(swept)
    }
}

/// Pages go on behind a row; an offset is none of this list.
fn read(tx: &mut OrgTx<'_, '_>, filter: &Filter, page: PageRequest) -> Result<Page<Record>> {
    let after = page.after().map(|cursor| audit::After { at_ms: cursor.at_ms, id: cursor.id });
    let rows = audit::list(tx, filter, after, page.limit + 1)?;
    let total = audit::total(tx, filter)?;
    Ok(Page::cut(rows, page.limit, (total.n, total.bounded), |row| Cursor { at_ms: row.at_ms, id: row.id }))
}
