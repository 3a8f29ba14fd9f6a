//! The event log as callers read it, and its sweeping.

use parlance_model::Error;
use parlance_model::Result;
use parlance_model::error::Kind;
use parlance_model::key::Principal;
use parlance_store::{OrgTx, event, org};

pub use parlance_store::event::Entry;

use crate::App;

/// How long events are kept, in milliseconds: 30 days.
pub const KEPT_MS: i64 = 30 * 24 * 60 * 60 * 1000;

impl App {
    /// The entries after `after`, oldest first, and the last `seq` of the log.
    ///
    /// # Errors
    /// `events_gone` when entries after `after` are no longer kept.
    pub async fn events(&self, who: &Principal, after: i64, limit: i64) -> Result<(Vec<Entry>, i64)> {
        let read = move |tx: &mut OrgTx<'_, '_>| {
            let swept = event::swept_through(tx)?;
            if after < swept {
                let text = format!("Events up to {swept} are no longer kept. Read the lists anew, then go on with after={swept}.");
                return Err(Error::new(Kind::Gone, "events_gone", text));
            }
            let last_seq = org::current(tx)?.seq;
            Ok((event::after(tx, after, limit)?, last_seq))
        };
        self.store().read(who.org, read).await
    }

    /// Deletes events that have aged, of every org, a chunk at a time.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn sweep_events(&self) -> Result<u64> {
        let mut swept = 0;
        for org in self.store().system_read(org::all).await? {
            loop {
                let gone = self.store().write(org.id, |tx| event::sweep(tx, tx.now_ms() - KEPT_MS)).await?;
                swept += gone;
                if gone == 0 {
                    break;
                }
            }
        }
        Ok(swept)
    }
}
