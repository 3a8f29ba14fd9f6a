//! The store itself: how it is opened, and the doors through which closures reach the database. What closures do there is in the
//! files of the aggregates, and how each database runs them in `db`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parlance_model::audit::Actor;
use parlance_model::clock::SharedClock;
use parlance_model::id::{InstallationTag, OrgId};
use parlance_model::{Error, Result};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::bus::Bus;
use crate::db::command::{Command, Signals, Typed};
use crate::db::{Tx, postgres, sqlite};
use crate::metrics::{Batches, Measured, Registry};
use crate::search::{self, file::Unfit};
use crate::{Durability, OrgTx, Place, Setup, Shared, SystemTx, installation, migrate};

/// Commands that may wait or run at once; beyond it the queue is full.
const QUEUE: usize = 8192;
/// How long a caller waits for a place in a full queue.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long a caller waits for the database at all. Its own limits are below this.
const LONGEST: Duration = Duration::from_secs(35);

/// The store: cheap to clone, shared by everything.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    driver: Driver,
    bus: Bus,
    places: Arc<Semaphore>,
    shared: Shared,
    tag: InstallationTag,
    registry: Registry,
    measured: Measured,
}

enum Driver {
    Sqlite { writer: sqlite::Writer, index: sqlite::Writer, readers: sqlite::Readers },
    Postgres { lanes: postgres::Lanes, readers: postgres::Readers },
}

impl Store {
    /// Migrates and opens, for whoever holds the data folder's lock. Blocks: call it before the runtime starts, or where blocking
    /// is allowed.
    ///
    /// # Errors
    /// Those of [`migrate()`].
    pub fn open(place: &Place, setup: Setup) -> Result<Self> {
        migrate(place, &setup)?;
        Self::at(place, setup, Unfit::MakeAnew, None)
    }

    /// Opens beside whatever else runs on the database, and changes nothing that only its single user may change. Blocks.
    ///
    /// # Errors
    /// `no_database`, `schema_too_old`, `search_unfit` ([`needs_lock`](crate::needs_lock)); `schema_too_new`; `unavailable`.
    pub fn open_beside(place: &Place, setup: Setup) -> Result<Self> {
        migrate::require_current(place).map_err(published)?;
        Self::at(place, setup, Unfit::Refuse, None)
    }

    /// Opens what needs no migration; on PostgreSQL with reads that all see one snapshot, when it is named.
    pub(crate) fn at(place: &Place, setup: Setup, unfit: Unfit, snapshot: Option<&str>) -> Result<Self> {
        let origin = installation::origin_at(place)?;
        let registry = Registry::new()?;
        let measured = Measured::new(&registry);
        let (batches, index_batches) = (measured.batches.clone(), Batches::new(&registry, "index"));
        let driver = match place {
            Place::Sqlite { data, durability } => {
                let files = sqlite::Files { database: sqlite::file(data), search: search::file::path(data) };
                let database = sqlite::Database::open(&files.database, *durability, sqlite::Access::Write)?;
                let index = search::file::open(data, origin, unfit).map_err(published)?.attach(&files.database)?;
                Driver::Sqlite {
                    writer: sqlite::Writer::start(database, files.database.clone(), *durability, batches)?,
                    index: sqlite::Writer::start(index, files.search.clone(), Durability::Relaxed, index_batches)?,
                    readers: sqlite::Readers::start(files)?,
                }
            }
            Place::Postgres { url } => Driver::Postgres {
                lanes: postgres::Lanes::start(url, &batches, &index_batches)?,
                readers: postgres::Readers::at(url, snapshot)?,
            },
        };
        let shared = Shared { clock: setup.clock, entropy: setup.entropy, secret: setup.secret };
        Ok(Self(Arc::new(Inner {
            driver,
            bus: Bus::new(),
            places: Arc::new(Semaphore::new(QUEUE)),
            shared,
            tag: origin.tag,
            registry,
            measured,
        })))
    }

    /// The tag that UUIDs of this installation carry.
    #[must_use]
    pub fn tag(&self) -> InstallationTag {
        self.0.tag
    }

    /// A key for one purpose, made of the installation's secret key.
    ///
    /// # Errors
    /// `internal` when the store was opened without one.
    pub fn derived_key(&self, purpose: &str) -> Result<[u8; 32]> {
        self.0.shared.secret.derive(purpose)
    }

    /// The time, unix ms, for what is not kept in a transaction.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.0.shared.clock.now_ms()
    }

    /// Where "now" comes from.
    #[must_use]
    pub fn clock(&self) -> SharedClock {
        Arc::clone(&self.0.shared.clock)
    }

    /// What is measured, here and in whatever stands on the store.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.0.registry
    }

    /// Brings up to date what is looked at rather than counted.
    pub fn measure(&self) {
        self.0.measured.depth.set(u32::try_from(QUEUE - self.0.places.available_permits()).unwrap_or(u32::MAX));
    }

    /// Wake-up calls after commits.
    #[must_use]
    pub fn bus(&self) -> &Bus {
        &self.0.bus
    }

    /// Runs the closure in a write transaction of this org and answers after COMMIT.
    ///
    /// # Errors
    /// The closure's own, or `unavailable` when nothing was changed.
    pub async fn write<T, F>(&self, org: OrgId, closure: F) -> Result<T>
    where
        F: Fn(&mut OrgTx<'_, '_>) -> Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let shared = self.0.shared.clone();
        self.submit_write(Some(org), move |tx| {
            let mut tx = OrgTx::new(tx, org, &shared);
            let value = closure(&mut tx)?;
            Ok((value, tx.finish()?))
        })
        .await
    }

    /// The same on behalf of a person, a key or a command: whatever it changes, it writes into the audit log ([`OrgTx::audit`]).
    /// A closure that changed something and wrote nothing there is a defect, and is rolled back.
    ///
    /// # Errors
    /// The closure's own, or `unavailable` when nothing was changed.
    pub async fn write_as<T, F>(&self, org: OrgId, actor: Actor, closure: F) -> Result<T>
    where
        F: Fn(&mut OrgTx<'_, '_>) -> Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let shared = self.0.shared.clone();
        self.submit_write(Some(org), move |tx| {
            let mut tx = OrgTx::new(tx, org, &shared).by(&actor);
            let value = closure(&mut tx)?;
            Ok((value, tx.finish()?))
        })
        .await
    }

    /// Runs the closure in a read transaction of this org.
    ///
    /// # Errors
    /// The closure's own, or `unavailable`.
    pub async fn read<T, F>(&self, org: OrgId, closure: F) -> Result<T>
    where
        F: Fn(&mut OrgTx<'_, '_>) -> Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let shared = self.0.shared.clone();
        self.submit_read(move |tx| closure(&mut OrgTx::new(tx, org, &shared))).await
    }

    /// The same for what takes long: it goes to the reader pool at once, and holds up nobody who asked for less.
    ///
    /// # Errors
    /// The closure's own, or `unavailable`.
    pub async fn read_apart<T, F>(&self, org: OrgId, closure: F) -> Result<T>
    where
        F: Fn(&mut OrgTx<'_, '_>) -> Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let shared = self.0.shared.clone();
        self.submit_to_pool(move |tx| closure(&mut OrgTx::new(tx, org, &shared))).await
    }

    /// Runs the closure in a write transaction over the directory tables.
    ///
    /// # Errors
    /// The closure's own, or `unavailable`.
    pub async fn system_write<T, F>(&self, closure: F) -> Result<T>
    where
        F: Fn(&mut SystemTx<'_, '_>) -> Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let shared = self.0.shared.clone();
        self.submit_write(None, move |tx| {
            let mut tx = SystemTx::new(tx, &shared);
            let value = closure(&mut tx)?;
            Ok((value, tx.finish()))
        })
        .await
    }

    /// Runs the closure in a read transaction over the directory tables.
    ///
    /// # Errors
    /// The closure's own, or `unavailable`.
    pub async fn system_read<T, F>(&self, closure: F) -> Result<T>
    where
        F: Fn(&mut SystemTx<'_, '_>) -> Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let shared = self.0.shared.clone();
        self.submit_read(move |tx| closure(&mut SystemTx::new(tx, &shared))).await
    }

    /// Runs the closure where the search index is written. It sees the org's rows and writes the index alone; nobody
    /// else's writes wait for it.
    pub(crate) async fn index<T, F>(&self, org: OrgId, closure: F) -> Result<T>
    where
        F: Fn(&mut OrgTx<'_, '_>) -> Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let shared = self.0.shared.clone();
        let closure = move |tx: &mut Tx<'_>| Ok((closure(&mut OrgTx::new(tx, org, &shared))?, Signals::new()));
        let (reply, answer) = oneshot::channel();
        let command = Box::new(Typed { org: None, closure, kept: None, reply, bus: self.0.bus.clone(), _permit: None });
        match &self.0.driver {
            Driver::Sqlite { index, .. } => index.submit(command),
            Driver::Postgres { lanes, .. } => lanes.submit_index(command),
        }
        answered(answer).await
    }

    pub(crate) async fn submit_write<T, F>(&self, org: Option<OrgId>, closure: F) -> Result<T>
    where
        F: Fn(&mut Tx<'_>) -> Result<(T, Signals)> + Send + 'static,
        T: Send + 'static,
    {
        let begun = Instant::now();
        let permit = self.place().await?;
        let (reply, answer) = oneshot::channel();
        self.submit(Box::new(Typed { org, closure, kept: None, reply, bus: self.0.bus.clone(), _permit: Some(permit) }));
        let answer = answered(answer).await;
        self.wrote(begun);
        answer
    }

    /// Waits for a place in the bounded queue.
    pub(crate) async fn place(&self) -> Result<OwnedSemaphorePermit> {
        let place = Arc::clone(&self.0.places).acquire_owned();
        match tokio::time::timeout(PATIENCE, place).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => {
                self.0.measured.refused.increment(1);
                Err(Error::unavailable("Too much is being written just now. Try again in a moment.", 1))
            }
        }
    }

    pub(crate) fn submit(&self, command: Box<dyn Command>) {
        match &self.0.driver {
            Driver::Sqlite { writer, .. } => writer.submit(command),
            Driver::Postgres { lanes, .. } => lanes.submit(command),
        }
    }

    /// Measures a write from its call to its answer.
    pub(crate) fn wrote(&self, begun: Instant) {
        self.0.measured.write.record(begun.elapsed());
    }

    pub(crate) fn shared(&self) -> Shared {
        self.0.shared.clone()
    }

    pub(crate) async fn submit_read<T, F>(&self, closure: F) -> Result<T>
    where
        F: Fn(&mut Tx<'_>) -> Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let begun = Instant::now();
        if let Driver::Sqlite { readers, .. } = &self.0.driver {
            match readers.in_place(&closure) {
                Err(error) if error.code() == sqlite::INTERRUPTED => {}
                result => {
                    self.0.measured.in_place.record(begun.elapsed());
                    return result.map_err(published);
                }
            }
        }
        self.submit_to_pool(closure).await
    }

    async fn submit_to_pool<T, F>(&self, closure: F) -> Result<T>
    where
        F: Fn(&mut Tx<'_>) -> Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let begun = Instant::now();
        let (reply, answer) = oneshot::channel();
        let closure = move |tx: &mut Tx<'_>| Ok((closure(tx)?, Signals::new()));
        let command: Box<dyn Command> = Box::new(Typed { org: None, closure, kept: None, reply, bus: self.0.bus.clone(), _permit: None });
        match &self.0.driver {
            Driver::Sqlite { readers, .. } => readers.submit(command),
            Driver::Postgres { readers, .. } => readers.submit(command),
        }
        let answer = answered(answer).await;
        self.0.measured.pool.record(begun.elapsed());
        answer
    }
}

pub(crate) async fn answered<T>(answer: oneshot::Receiver<Result<T>>) -> Result<T> {
    let Ok(answer) = tokio::time::timeout(LONGEST, answer).await else {
        return Err(Error::unavailable(
            "The database did not answer in time. It is not known whether this was stored; look before repeating it.",
            5,
        ));
    };
    answer.unwrap_or_else(|_| Err(Error::unavailable("The server is stopping. Try again in a moment.", 2))).map_err(published)
}

/// The drivers' own codes say how they go on; outside they all mean "not now".
pub(crate) fn published(error: Error) -> Error {
    match error.code() {
        sqlite::INTERRUPTED | postgres::RETRY | postgres::LOST | postgres::STALE => {
            Error::unavailable(error.message().to_owned(), error.retry_after_s().unwrap_or(1)).with_source(error)
        }
        sqlite::DAMAGED => Error::internal(error),
        _ => error,
    }
}
