//! From the command line to an open store: which database, which secret key, and the lock on the data folder.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parlance_app::media::Files;
use parlance_app::{App, Config};
use parlance_model::clock::{SharedClock, SystemClock};
use parlance_model::entropy::{SharedEntropy, SystemEntropy};
use parlance_model::{Error, Result};
use parlance_net::{Client, Policy};
use parlance_store::secret::SecretKey;
use parlance_store::{Durability, Place, Setup, Store, backup, installation, make_folder, needs_lock};

use crate::cli::{MediaStore, PlaceArgs};

impl PlaceArgs {
    /// The database.
    ///
    /// # Errors
    /// `restore_unfinished` for a folder with a part of an installation.
    pub(crate) fn place(&self) -> Result<Place> {
        if self.database_url.is_none() {
            backup::check_finished(&self.data)?;
        }
        self.any_place()
    }

    /// The database, also where a restore was broken off.
    pub(crate) fn any_place(&self) -> Result<Place> {
        if let Some(url) = &self.database_url {
            return Ok(Place::Postgres { url: url.clone() });
        }
        let data = self.data.clone();
        make_folder(&data)?;
        let durability = if self.durability == "relaxed" { Durability::Relaxed } else { Durability::Full };
        Ok(Place::Sqlite { data, durability })
    }

    /// The key that was given, if one was.
    pub(crate) fn given_secret(&self) -> Result<SecretKey> {
        self.secret_key.as_deref().map_or(Ok(SecretKey::absent()), SecretKey::from_text)
    }

    /// Where files are kept: the place that is set, else a folder in the data folder.
    fn media_store(&self) -> MediaStore {
        self.media_store.clone().unwrap_or_else(|| MediaStore::Folder(self.data.join("media")))
    }

    /// The folder of media; none for a bucket.
    pub(crate) fn media_folder(&self) -> Option<PathBuf> {
        match self.media_store() {
            MediaStore::Folder(folder) => Some(folder),
            MediaStore::Bucket(_) => None,
        }
    }

    /// The media store. A folder is made.
    pub(crate) fn files(&self) -> Result<Files> {
        match self.media_store() {
            MediaStore::Folder(folder) => {
                make_folder(&folder)?;
                Files::in_folder(&folder)
            }
            MediaStore::Bucket(url) => Files::in_bucket(&url, std::env::vars()),
        }
    }

    /// The key from the environment, else from the data folder, which gets one at its first use.
    fn secret(&self, entropy: &SharedEntropy) -> Result<SecretKey> {
        match &self.secret_key {
            Some(text) => SecretKey::from_text(text),
            None => {
                make_folder(&self.data)?;
                SecretKey::in_folder(&self.data, entropy.as_ref())
            }
        }
    }
}

/// What every command shares.
pub(crate) struct Parts {
    pub(crate) clock: SharedClock,
    pub(crate) entropy: SharedEntropy,
}

/// The system's clock and randomness.
pub(crate) fn parts() -> Parts {
    Parts { clock: Arc::new(SystemClock), entropy: Arc::new(SystemEntropy) }
}

/// What opening a store needs; without secrets, the key is left alone.
pub(crate) fn setup(args: &PlaceArgs, with_secrets: bool) -> Result<Setup> {
    let Parts { clock, entropy } = parts();
    let secret = if with_secrets { args.secret(&entropy)? } else { SecretKey::absent() };
    Ok(Setup { clock, entropy, secret })
}

/// A runtime for a command or a server.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Error::internal)
}

/// Opens the store for a server, which holds the lock, and puts the application on it.
pub(crate) fn open(args: &PlaceArgs, policy: Policy, config: Config) -> Result<App> {
    let setup = setup(args, true)?;
    let entropy = Arc::clone(&setup.entropy);
    let store = Store::open(&args.place()?, setup)?;
    Ok(App::new(store, Client::new(policy)?, entropy, config))
}

/// Opens the store beside whatever else uses the database. What that needs first and only a single user of it may do is done under
/// the lock; while a server holds it, it is said what to do.
fn open_beside(place: &Place, args: &PlaceArgs, setup: Setup) -> Result<Store> {
    match Store::open_beside(place, setup.clone()) {
        Err(refused) if needs_lock(&refused) => match lock(args) {
            Ok(_lock) => Store::open(place, setup),
            Err(held) if held.code() == "data_in_use" => Err(refused),
            Err(error) => Err(error),
        },
        opened => opened,
    }
}

/// Runs one use case beside whatever else uses the database.
pub(crate) fn once<T, F>(args: &PlaceArgs, with_secrets: bool, run: impl FnOnce(App) -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    once_with(args, with_secrets, Config::default(), run)
}

/// The same for one that needs to know something of the installation.
pub(crate) fn once_with<T, F>(args: &PlaceArgs, with_secrets: bool, config: Config, run: impl FnOnce(App) -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    let runtime = runtime()?;
    let app = {
        let _context = runtime.enter();
        let setup = setup(args, with_secrets)?;
        let entropy = Arc::clone(&setup.entropy);
        App::new(open_beside(&args.place()?, args, setup)?, Client::new(Policy::default())?, entropy, config)
    };
    runtime.block_on(async {
        if with_secrets {
            app.store().system_write(installation::check_key).await?;
        }
        run(app).await
    })
}

/// Keeps a second server, a migration or a restore away from the embedded database while it is held. Servers on PostgreSQL share it.
pub(crate) fn lock(args: &PlaceArgs) -> Result<Option<File>> {
    if args.database_url.is_some() { Ok(None) } else { lock_folder(&args.data).map(Some) }
}

/// The lock of a data folder, beside whichever database.
pub(crate) fn lock_folder(folder: &Path) -> Result<File> {
    make_folder(folder)?;
    let path = folder.join("lock");
    let unusable = |cause: std::io::Error| {
        Error::unavailable(format!("{} cannot be used. Check its permissions.", path.display()), 1).with_source(cause)
    };
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let text = format!(
                "A server is running on {}, or it is being migrated or restored. Stop that, or give another --data.",
                folder.display()
            );
            Err(Error::conflict("data_in_use", text))
        }
        Err(TryLockError::Error(cause)) => Err(unusable(cause)),
    }
}
