//! A database as people leave it who work with it: conversations in every state, with somebody and with nobody, read and unread. Made
//! and listening, with a key to it.

use std::net::SocketAddr;

use parlance_model::conversation::{Conversation, Standing, State};
use parlance_model::event::Event;
use parlance_model::id::UserId;
use parlance_model::key::Principal;
use parlance_model::role::Role;
use parlance_model::{Error, Result};
use parlance_store::watch::{self, Unit, Watch};
use parlance_store::{OrgTx, Place, conversation, measure};
use tokio::runtime::Handle;

use super::heeding;
use super::subject::{Home, Size, Subject, slug};
use super::target::{self, Variant};
use crate::Door;
use crate::traffic::scattered;

/// People who answer.
const STAFF: usize = 20;
/// Conversations of a transaction.
const CHUNK: i64 = 500;
/// Visibly not a secret.
const PASSWORD: &str = "not-a-real-password";

/// An org that is worked in, and its server.
pub(super) struct Office {
    pub(super) subject: Subject,
    /// Where the product listens.
    pub(super) address: SocketAddr,
    /// A key with every right, and whom it speaks for.
    pub(super) token: String,
    pub(super) who: Principal,
    pub(super) staff: Vec<UserId>,
}

impl Office {
    /// Makes the database, and listens. Blocks: called on a thread that may, with a runtime at hand.
    ///
    /// # Errors
    /// Those of the database; `cancelled`.
    pub(super) fn make(home: Home, place: Place, conversations: u64, messages: u64, door: Door, watch: &dyn Watch) -> Result<Self> {
        let size = Size { orgs: 1, messages, conversations, varied: true };
        let subject = Subject::make(home, place, size, watch)?;
        let office = Handle::current().block_on(async {
            let (app, slug) = (&subject.app, slug(1));
            let mut staff = Vec::new();
            for n in 1..=STAFF {
                let (email, name) = (format!("staff-{n}@bench.invalid"), format!("Staff {n}"));
                staff.push(app.create_user(&slug, &email, &name, Role::Agent, Some(PASSWORD.to_owned())).await?.0);
            }
            let (_, token) = app.create_key(&slug, None, "bench", None, false).await?;
            let who = app.authenticate(&token).await?;
            let address = target::listen(&subject, Variant::Durable, door).await?;
            let office = Self { address, token, who, staff, subject };
            office.work(conversations, watch).await?;
            heeding(watch, office.subject.app.drain_search(), || ()).await?;
            Ok::<_, Error>(office)
        })?;
        measure::analyze(&office.subject.place)?;
        Ok(office)
    }

    /// Assigns, closes, archives and reads, from the newest conversation to the oldest.
    async fn work(&self, conversations: u64, watch: &dyn Watch) -> Result<()> {
        watch.stage("Working on conversations", Some(conversations), Unit::Rows);
        let (mut first, mut after) = (0, None);
        loop {
            let staff = self.staff.clone();
            let write = move |tx: &mut OrgTx<'_, '_>| {
                let found = conversation::list(tx, &conversation::Filter::default(), after, CHUNK, 0)?;
                for (rank, before) in (first..).zip(&found) {
                    leave(tx, before, rank * 100 / conversations.max(1), &staff)?;
                }
                Ok(found.iter().map(|row| conversation::After { last_message_ms: row.last_message_ms, id: row.id }).collect::<Vec<_>>())
            };
            let done = self.subject.app.store().write(self.who.org, write).await?;
            let Some(last) = done.last() else { return Ok(()) };
            after = Some(*last);
            first += done.len() as u64;
            watch::advance(watch, done.len() as u64)?;
        }
    }
}

/// Leaves a conversation as people would: of all others, so many of a hundred are newer.
fn leave(tx: &mut OrgTx<'_, '_>, found: &Conversation, newer: u64, staff: &[UserId]) -> Result<()> {
    let drawn = scattered(found.id.0.unsigned_abs());
    let (state, who, read) = (drawn % 100, drawn / 100 % 30, drawn / 3000 % 100);
    let standing = standing(newer, state);
    // A third is nobody's.
    let assigned_to = usize::try_from(who).ok().and_then(|who| staff.get(who)).copied();
    let unread = if standing.state == State::Open && !standing.archived { 30 } else { 2 };
    let before = if read < unread { found.clone() } else { conversation::mark_read(tx, found)? };
    let after = Conversation { standing, assigned_to, updated_ms: tx.now_ms(), ..before.clone() };
    conversation::save(tx, &before, &after)?;
    tx.emit(Event::ConversationUpdated { conversation_id: after.id });
    Ok(())
}

/// Who wrote lately is mostly answered still, and nobody has put that away; the old ones are done with, and partly put away. About
/// eight of a hundred are open.
fn standing(newer: u64, drawn: u64) -> Standing {
    let (open, escalated, archived) = match newer {
        0..5 => (60, 10, 0),
        5..20 => (10, 5, 15),
        _ => (1, 1, 30),
    };
    let state = match drawn {
        _ if drawn < open => State::Open,
        _ if drawn < open + escalated => State::Escalated,
        _ if drawn.is_multiple_of(4) => State::Abandoned,
        _ => State::Completed,
    };
    Standing { state, archived: drawn >= 100 - archived }
}
