//! The two transactions that closures see. `OrgTx` binds its org as `$1` of every statement, so a tenant query
//! without an org cannot be written; `SystemTx` reaches the directory tables.

use std::collections::BTreeMap;

use parlance_model::audit::{Act, Actor};
use parlance_model::event::Event;
use parlance_model::id::OrgId;
use parlance_model::{Error, Result};

use crate::bus::Signal;
use crate::db::command::Signals;
use crate::db::{Param, Row, Sql, Tx};
use crate::{Shared, recent, version};

/// A transaction of one org. What it emits and counts is written once, at its end, just before COMMIT.
pub struct OrgTx<'t, 'a> {
    tx: &'t mut Tx<'a>,
    org: OrgId,
    shared: &'t Shared,
    now_ms: i64,
    events: Vec<Event>,
    counts: BTreeMap<(String, String), i64>,
    jobs: bool,
    actor: Option<&'t Actor>,
    wrote: bool,
    audited: bool,
    /// Something was written that a list may show.
    changed: bool,
    /// Who may call or whose account is whose was changed.
    directory: bool,
}

impl<'t, 'a> OrgTx<'t, 'a> {
    pub(crate) fn new(tx: &'t mut Tx<'a>, org: OrgId, shared: &'t Shared) -> Self {
        let now_ms = shared.clock.now_ms();
        let (events, counts) = (Vec::new(), BTreeMap::new());
        Self {
            tx,
            org,
            shared,
            now_ms,
            events,
            counts,
            jobs: false,
            actor: None,
            wrote: false,
            audited: false,
            changed: false,
            directory: false,
        }
    }

    /// The same on behalf of somebody, who is held to write down what they change.
    pub(crate) fn by(self, actor: &'t Actor) -> Self {
        Self { actor: Some(actor), ..self }
    }

    /// Writes down what the transaction's actor does, in the transaction itself.
    ///
    /// # Errors
    /// `internal` in a transaction of nobody ([`Store::write`](crate::Store::write)); those of the database.
    pub fn audit(&mut self, act: &Act) -> Result<()> {
        let actor = self.actor.ok_or_else(|| Error::internal(format!("{} by nobody", act.action)))?;
        self.audited = true;
        crate::audit::append(self, actor, act)
    }

    /// The org that everything here is bound to.
    #[must_use]
    pub fn org(&self) -> OrgId {
        self.org
    }

    /// The time of the transaction, unix ms: one value for everything that it writes.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.now_ms
    }

    /// Adds an entry to the org's event log, at the end of the transaction.
    pub fn emit(&mut self, event: Event) {
        self.events.push(event);
    }

    /// Adds to a counter, at the end of the transaction.
    pub(crate) fn count(&mut self, kind: String, key: String, by: i64) {
        *self.counts.entry((kind, key)).or_default() += by;
    }

    /// Whether this is SQLite, for what a text cannot say by itself.
    pub(crate) const fn is_sqlite(&self) -> bool {
        self.tx.is_sqlite()
    }

    pub(crate) fn mark_jobs(&mut self) {
        self.jobs = true;
    }

    pub(crate) fn shared(&self) -> &'t Shared {
        self.shared
    }

    /// Runs a statement whose `$1` is the org and whose further parameters start at `$2`.
    pub(crate) fn execute(&mut self, sql: impl Into<Sql>, params: &[Param<'_>]) -> Result<u64> {
        self.execute_rows(sql.into(), &[params])
    }

    /// Runs such a statement once for each row of parameters; answers how many rows it changed. Updates must be of different rows.
    pub(crate) fn execute_each<'p>(&mut self, sql: impl Into<Sql>, rows: &[impl AsRef<[Param<'p>]>]) -> Result<u64> {
        self.execute_rows(sql.into(), &rows.iter().map(AsRef::as_ref).collect::<Vec<_>>())
    }

    fn execute_rows(&mut self, sql: Sql, rows: &[&[Param<'_>]]) -> Result<u64> {
        let changed = self.tx.execute_each(sql, &self.org.into(), rows)?;
        if changed > 0 {
            self.wrote = true;
            self.watch(sql);
        }
        Ok(changed)
    }

    /// Runs a query in the same way.
    pub(crate) fn query<T>(&mut self, sql: impl Into<Sql>, params: &[Param<'_>], map: impl FnMut(&Row<'_>) -> Result<T>) -> Result<Vec<T>> {
        self.query_rows(sql.into(), &[params], map)
    }

    /// Runs a query once for each row of parameters; maps what they find, in their order.
    pub(crate) fn query_each<'p, T>(
        &mut self,
        sql: impl Into<Sql>,
        rows: &[impl AsRef<[Param<'p>]>],
        map: impl FnMut(&Row<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        self.query_rows(sql.into(), &rows.iter().map(AsRef::as_ref).collect::<Vec<_>>(), map)
    }

    fn query_rows<T>(&mut self, sql: Sql, rows: &[&[Param<'_>]], map: impl FnMut(&Row<'_>) -> Result<T>) -> Result<Vec<T>> {
        if !rows.is_empty() {
            self.watch(sql);
        }
        let found = self.tx.query_each(sql, &self.org.into(), rows, map)?;
        self.wrote |= sql.writes() && !found.is_empty();
        Ok(found)
    }

    fn watch(&mut self, sql: Sql) {
        self.changed = self.changed || version::changes(sql);
        self.directory = self.directory || recent::changes(sql);
    }

    /// Runs a query of at most one row in the same way.
    pub(crate) fn query_opt<T>(
        &mut self,
        sql: impl Into<Sql>,
        params: &[Param<'_>],
        map: impl FnMut(&Row<'_>) -> Result<T>,
    ) -> Result<Option<T>> {
        Ok(self.query(sql, params, map)?.into_iter().next())
    }

    /// Runs a query that always has a row in the same way.
    pub(crate) fn query_one<T>(&mut self, sql: impl Into<Sql>, params: &[Param<'_>], map: impl FnMut(&Row<'_>) -> Result<T>) -> Result<T> {
        let row = self.query_opt(sql, params, map)?;
        row.ok_or_else(|| Error::internal("a query that always has a row had none"))
    }

    /// Writes what was counted and emitted. Answers whom to wake after COMMIT.
    pub(crate) fn finish(mut self) -> Result<Signals> {
        if self.actor.is_some() && self.wrote && !self.audited {
            return Err(Error::internal("somebody changed something, and the audit log does not say what"));
        }
        let counts = std::mem::take(&mut self.counts);
        crate::counter::add(&mut self, counts)?;
        let mut signals = Signals::new();
        let events = std::mem::take(&mut self.events);
        if !events.is_empty() {
            crate::event::append(&mut self, &events)?;
            signals.push(Signal::Events(self.org));
        } else if self.changed {
            version::move_on(&mut self)?;
        }
        if self.jobs {
            signals.push(Signal::Jobs);
        }
        if self.directory {
            signals.push(Signal::Directory);
        }
        Ok(signals)
    }
}

/// A transaction over the directory tables: installation, org, user, staff, key, session, account route, job.
pub struct SystemTx<'t, 'a> {
    pub(crate) tx: Watched<'t, 'a>,
    shared: &'t Shared,
    now_ms: i64,
}

impl<'t, 'a> SystemTx<'t, 'a> {
    pub(crate) fn new(tx: &'t mut Tx<'a>, shared: &'t Shared) -> Self {
        let now_ms = shared.clock.now_ms();
        Self { tx: Watched { tx, directory: false }, shared, now_ms }
    }

    /// The time of the transaction, unix ms.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.now_ms
    }

    pub(crate) fn shared(&self) -> &'t Shared {
        self.shared
    }

    /// Writes down what somebody does to a row of the directory that belongs to no single org: their own session, or a new org.
    ///
    /// # Errors
    /// Those of the database.
    pub fn audit(&mut self, org: OrgId, actor: &Actor, act: &Act) -> Result<()> {
        self.of(org).by(actor).audit(act)
    }

    /// Runs a write of the org that this transaction makes, which nobody else has seen yet: no lock of it is needed, and nobody
    /// waits to be woken.
    ///
    /// # Errors
    /// The closure's own; `internal` when it changed something and wrote nothing down.
    pub fn in_new_org<T>(&mut self, org: OrgId, actor: &Actor, write: impl FnOnce(&mut OrgTx<'_, '_>) -> Result<T>) -> Result<T> {
        let mut tx = self.of(org).by(actor);
        let value = write(&mut tx)?;
        self.tx.directory |= tx.finish()?.contains(&Signal::Directory);
        Ok(value)
    }

    /// The org's own transaction inside this one, for reading accounts by their routes and for the audit log. What it counts and emits is lost.
    pub(crate) fn of(&mut self, org: OrgId) -> OrgTx<'_, 'a> {
        OrgTx::new(self.tx.tx, org, self.shared)
    }

    /// Whom to wake after COMMIT.
    pub(crate) fn finish(self) -> Signals {
        if self.tx.directory { vec![Signal::Directory] } else { Signals::new() }
    }
}

/// The statements of a [`SystemTx`], which notes whether one of them changes who may call or whose account is whose.
pub(crate) struct Watched<'t, 'a> {
    tx: &'t mut Tx<'a>,
    directory: bool,
}

impl Watched<'_, '_> {
    pub(crate) fn execute(&mut self, sql: impl Into<Sql>, params: &[Param<'_>]) -> Result<u64> {
        let sql = sql.into();
        let changed = self.tx.execute(sql, params)?;
        self.directory |= changed > 0 && recent::changes(sql);
        Ok(changed)
    }

    pub(crate) fn query<T>(&mut self, sql: impl Into<Sql>, params: &[Param<'_>], map: impl FnMut(&Row<'_>) -> Result<T>) -> Result<Vec<T>> {
        let sql = sql.into();
        self.directory |= recent::changes(sql);
        self.tx.query(sql, params, map)
    }

    pub(crate) fn query_opt<T>(
        &mut self,
        sql: impl Into<Sql>,
        params: &[Param<'_>],
        map: impl FnMut(&Row<'_>) -> Result<T>,
    ) -> Result<Option<T>> {
        Ok(self.query(sql, params, map)?.into_iter().next())
    }

    pub(crate) fn query_one<T>(&mut self, sql: impl Into<Sql>, params: &[Param<'_>], map: impl FnMut(&Row<'_>) -> Result<T>) -> Result<T> {
        let row = self.query_opt(sql, params, map)?;
        row.ok_or_else(|| Error::internal("a query that always has a row had none"))
    }

    pub(crate) const fn is_sqlite(&self) -> bool {
        self.tx.is_sqlite()
    }
}
