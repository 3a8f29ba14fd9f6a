//! What a restored copy must know of itself: that it was restored, when and from what, and that its original may have gone on.

use parlance_model::audit::{Act, Action, Actor};
use parlance_model::delivery::{DeliveryError, DeliveryState, Outcome};
use parlance_model::id::{JobId, OrgId};
use parlance_model::job::Job;
use parlance_model::{Result, entropy};

use super::manifest::Manifest;
use crate::db::{Tx, params};
use crate::{OrgTx, Shared, SystemTx, attempt, job, message, org};

/// Jobs that are looked at before what they changed is written.
const CHUNK: i64 = 500;

/// What was settled.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Settled {
    pub(super) unknown: u64,
    pub(super) sessions: u64,
}

/// Gives the installation a fresh mark, and writes into each org's audit log what it was restored from. Unless its original has stopped before the backup, what the backup has as
/// waiting or under way may have been sent since, so it is not sent again; and who signed out since must stay out.
pub(super) fn settle(tx: &mut Tx<'_>, shared: &Shared, manifest: &Manifest, original_has_stopped: bool) -> Result<Settled> {
    const MARK: &str = "UPDATE installation SET restore_mark = $1 WHERE id = 1";
    const SESSIONS: &str = "DELETE FROM session";
    let mark = i64::from_be_bytes(entropy::bytes(shared.entropy.as_ref())) & i64::MAX | 1;
    tx.execute(MARK, params![mark])?;
    let mut settled = Settled::default();
    if !original_has_stopped {
        settled.sessions = tx.execute(SESSIONS, &[])?;
    }
    for org in org::all(&mut SystemTx::new(tx, shared))? {
        let unknown = if original_has_stopped { 0 } else { sends(tx, org.id, shared)? };
        let act = Act::new(Action::OrgRestore, org.id)
            .with("backup_created_at", manifest.created_at.as_str())
            .with("parlance", manifest.parlance.as_str())
            .with("database", manifest.database.as_str())
            .with("unknown_messages", unknown);
        SystemTx::new(tx, shared).audit(org.id, &Actor::COMMAND, &act)?;
        settled.unknown += unknown;
    }
    Ok(settled)
}

/// Makes every message that a job would hand over `unknown`, and takes the job away.
fn sends(tx: &mut Tx<'_>, org: OrgId, shared: &Shared) -> Result<u64> {
    const JOBS: &str = "SELECT id, payload FROM job WHERE org_id = $1 AND kind IN ('send', 'call') ORDER BY id LIMIT $2";
    const DONE: &str = "DELETE FROM job WHERE org_id = $1 AND id = $2";
    let mut unknown = 0;
    loop {
        let mut tx = OrgTx::new(tx, org, shared);
        let jobs = tx.query(JOBS, params![CHUNK], |row| Ok((row.get::<JobId>(0)?, row.json::<Job>(1)?)))?;
        if jobs.is_empty() {
            return Ok(unknown);
        }
        for (id, job) in jobs {
            tx.execute(DONE, params![id])?;
            let Some(message_id) = job.hands_over() else { continue };
            let waited = message::get(&mut tx, message_id)?.state == DeliveryState::Pending;
            let outcome = Outcome::with_error(DeliveryState::Unknown, reason());
            // A call that was under way has no answer any more, also where a callback overtook the answer.
            if let Some(lost) = attempt::latest(&mut tx, message_id)?.filter(|attempt| attempt.finished_ms.is_none()) {
                attempt::finish(&mut tx, lost.id, None, &outcome)?;
                let now_ms = tx.now_ms();
                job::enqueue(&mut tx, &Job::Reconcile { attempt_id: lost.id }, None, now_ms)?;
            }
            if message::get(&mut tx, message_id)?.state == DeliveryState::Pending {
                message::end(&mut tx, message_id, &outcome)?;
            }
            unknown += u64::from(waited);
        }
        tx.finish()?;
    }
}

fn reason() -> DeliveryError {
    DeliveryError {
        code: "restored".to_owned(),
        message: "It was waiting when a backup was made, and the server was restored from that backup: it may have been sent since. \
                  Look whether it arrived before sending it again."
            .to_owned(),
    }
}
