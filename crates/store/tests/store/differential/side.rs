//! One of the two databases with what is known of it: the rows that operations may pick, and the names by which rows are compared.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::Arc;

use parlance_model::Result;
use parlance_model::clock::ManualClock;
use parlance_model::id::{AttemptId, ContactId, ConversationId, KeyId, MediaId, MessageId, SessionId, UserId};
use parlance_model::job::Claimed;
use parlance_store::{Durability, OrgTx, SystemTx};
use parlance_testkit::Database;

use crate::dice::Dice;
use crate::fixture::{Fixture, place};

/// Names of rows: the kind, and how many of it were told of before.
#[derive(Default)]
pub(super) struct Names(HashMap<String, usize>, HashMap<&'static str, usize>);

const KINDS: [&str; 14] =
    ["org", "user", "key", "contact", "acct", "conv", "msg", "att", "hook", "job", "session", "media", "audit", "opt"];

impl Names {
    /// The text with every `kind_number` by its name. A number of 0 is of no row.
    pub(super) fn rename(&mut self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        for piece in text.split_inclusive(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
            let word = piece.trim_end_matches(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            match Self::kind(word) {
                Some(kind) => {
                    let Self(names, told) = self;
                    let n = *names.entry(word.to_owned()).or_insert_with(|| {
                        let told = told.entry(kind).or_default();
                        *told += 1;
                        *told
                    });
                    out.push_str(&format!("{kind}#{n}{}", &piece[word.len()..]));
                }
                None => out.push_str(piece),
            }
        }
        out
    }

    fn kind(word: &str) -> Option<&'static str> {
        let (kind, number) = word.rsplit_once('_')?;
        let is_row = !number.starts_with('0') && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        KINDS.into_iter().find(|known| is_row && *known == kind)
    }
}

/// A run of a request with an idempotency key.
#[derive(Clone)]
pub(super) struct Begun {
    pub(super) value: String,
    pub(super) run: i64,
}

pub(super) struct Side {
    pub(super) f: Fixture,
    pub(super) names: Names,
    pub(super) contacts: Vec<ContactId>,
    pub(super) conversations: Vec<ConversationId>,
    pub(super) messages: Vec<MessageId>,
    pub(super) attempts: Vec<AttemptId>,
    pub(super) media: Vec<MediaId>,
    pub(super) users: Vec<UserId>,
    pub(super) keys: Vec<(KeyId, String)>,
    pub(super) sessions: Vec<(SessionId, String)>,
    pub(super) claimed: Vec<Claimed>,
    pub(super) requests: Vec<Begun>,
}

impl Side {
    pub(super) async fn new(database: Database, clock: &Arc<ManualClock>) -> Self {
        let (place, folder) = place(database, Durability::Relaxed);
        Self {
            f: Fixture::with_clock(place, folder, Arc::clone(clock)).await,
            names: Names::default(),
            contacts: Vec::new(),
            conversations: Vec::new(),
            messages: Vec::new(),
            attempts: Vec::new(),
            media: Vec::new(),
            users: Vec::new(),
            keys: Vec::new(),
            sessions: Vec::new(),
            claimed: Vec::new(),
            requests: Vec::new(),
        }
    }

    /// One operation, and how it ended.
    pub(super) async fn step(&mut self, dice: Dice) -> String {
        let ended = match dice.below(10) {
            0..=2 => self.talk(&dice).await,
            3..=6 => self.work(&dice).await,
            _ => self.keep(&dice).await,
        };
        self.names.rename(&ended)
    }

    pub(super) async fn write<T, F>(&self, closure: F) -> Result<T>
    where
        F: Fn(&mut OrgTx<'_, '_>) -> Result<T> + Send + 'static,
        T: Send + 'static,
    {
        self.f.write(closure).await
    }

    pub(super) async fn system<T, F>(&self, closure: F) -> Result<T>
    where
        F: Fn(&mut SystemTx<'_, '_>) -> Result<T> + Send + 'static,
        T: Send + 'static,
    {
        self.f.system_write(closure).await
    }
}

/// How something ended: its value, or the code of its error.
pub(super) fn ended<T: Debug>(what: &str, result: &Result<T>) -> String {
    match result {
        Ok(value) => format!("{what}: {value:?}"),
        Err(error) => format!("{what}: {}", error.code()),
    }
}
