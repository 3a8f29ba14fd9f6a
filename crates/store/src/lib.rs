//! Everything that is kept: all SQL, on SQLite or PostgreSQL, behind synchronous closures.
//!
//! `store.write(org, |tx| …)` and `store.read(org, |tx| …)` are the doors from the async world, with one shape on
//! both databases. A closure cannot await and cannot hold a transaction across the network. Write closures are `Fn`
//! and free of outside effects, because a batch may run them again. Files are named by the aggregate they own; the store itself is
//! in `store.rs`.

pub mod account;
pub mod attempt;
pub mod audit;
pub mod backfill;
pub mod backup;
pub mod bus;
pub mod call;
pub mod contact;
pub mod conversation;
pub mod counter;
mod db;
pub mod doctor;
pub mod event;
pub mod health;
pub mod hook;
pub mod idempotency;
pub mod installation;
pub mod job;
mod joint;
pub mod key;
pub mod measure;
pub mod media;
pub mod message;
pub mod metrics;
mod migrate;
pub mod opt_out;
pub mod org;
pub mod pace;
#[cfg(test)]
mod plans;
pub mod recent;
pub mod search;
pub mod secret;
pub mod session;
pub mod staff;
mod store;
pub mod total;
mod tx;
pub mod user;
pub mod version;
pub mod watch;

use std::path::{Path, PathBuf};

use parlance_model::clock::SharedClock;
use parlance_model::entropy::SharedEntropy;
use parlance_model::{Error, Result};

use secret::SecretKey;

pub use db::sqlite::Durability;
pub use joint::{Apply, Joint};
pub use migrate::is_current;
pub use store::Store;
pub use tx::{OrgTx, SystemTx};

/// Which database, and where.
#[derive(Debug, Clone)]
pub enum Place {
    /// The embedded database in this data folder.
    Sqlite {
        /// The folder.
        data: PathBuf,
        /// What a commit promises.
        durability: Durability,
    },
    /// A PostgreSQL server.
    Postgres {
        /// `postgres://user:password@host:port/name`.
        url: String,
    },
}

impl Place {
    /// The word for the kind of database.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Sqlite { .. } => "sqlite",
            Self::Postgres { .. } => "postgresql",
        }
    }
}

/// What a store needs besides its place.
#[derive(Clone)]
pub struct Setup {
    /// Where "now" comes from.
    pub clock: SharedClock,
    /// Where randomness comes from.
    pub entropy: SharedEntropy,
    /// The key that provider secrets are encrypted with.
    pub secret: SecretKey,
}

/// What every transaction can reach.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) clock: SharedClock,
    pub(crate) entropy: SharedEntropy,
    pub(crate) secret: SecretKey,
}

/// Brings the schema up to this version. Answers the names of the migrations that ran. Blocks.
///
/// Where there is something to apply, no server may run on the database: of the embedded one, the caller holds the folder's lock;
/// PostgreSQL is asked who else is connected. Several processes may migrate at once: a lock orders them.
///
/// # Errors
/// `schema_too_new` when the database was written by a newer version; `database_in_use` when its schema is older and servers are
/// connected to it; `unavailable` when it cannot be reached.
pub fn migrate(place: &Place, setup: &Setup) -> Result<Vec<&'static str>> {
    migrate::run(place, setup).map_err(store::published)
}

/// Whether [`Store::open`] under the data folder's lock may mend what [`Store::open_beside`] refused with.
#[must_use]
pub fn needs_lock(refused: &Error) -> bool {
    ["no_database", "schema_too_old", "search_unfit"].contains(&refused.code())
}

/// Makes the data folder, readable by its owner only.
///
/// # Errors
/// `unavailable`, saying which folder.
pub fn make_folder(data: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(data).map_err(|cause| {
        Error::unavailable(format!("The data folder {} cannot be made. Check the path and its permissions.", data.display()), 1)
            .with_source(cause)
    })
}
