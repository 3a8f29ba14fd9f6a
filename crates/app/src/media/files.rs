//! The media store: a folder, or a bucket that speaks S3. It keeps bytes under keys and knows nothing of what they are.
//!
//! A file is written under another name, synced, and given its name at the end, so one that can be read is whole.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt as _, TryStreamExt as _};
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::buffered::BufWriter;
use object_store::local::LocalFileSystem;
use object_store::path::Path as Key;
use object_store::prefix::PrefixStore;
use object_store::{ClientOptions, GetOptions, ObjectMeta, ObjectStore, ObjectStoreExt as _, PutPayload, RetryConfig};
use parlance_model::id::OrgId;
use parlance_model::{Error, Result};
use tokio::io::AsyncWriteExt as _;

/// How much of an upload is held in memory, in bytes: the smallest part that S3 takes.
const PART: usize = 5 << 20;
/// How long a connection to a bucket may take, and how long the bucket may say nothing: what waits for a file gets its answer while
/// somebody is still there to read it.
const CONNECT: Duration = Duration::from_secs(3);
const SILENCE: Duration = Duration::from_secs(8);
/// How long, and how often, a request that failed is begun again.
const AGAIN: Duration = Duration::from_secs(3);
const RETRIES: u32 = 3;

/// What streams out of the media store.
pub type Content = BoxStream<'static, std::result::Result<Bytes, object_store::Error>>;

/// Where files are. The default keeps none: for commands that touch none.
#[derive(Debug, Clone, Default)]
pub struct Files(Option<Place>);

#[derive(Debug, Clone)]
struct Place {
    store: Arc<dyn ObjectStore>,
    /// Where they are on this machine, when they are here.
    folder: Option<PathBuf>,
}

/// A file of the media store.
pub(crate) struct Stored {
    pub(crate) key: String,
    /// Bytes.
    pub(crate) size: u64,
    /// When it was written by the media store's clock, unix ms.
    pub(crate) modified_ms: i64,
}

impl Files {
    /// Files in this folder, which is there.
    ///
    /// # Errors
    /// `unavailable` when it cannot be used.
    pub fn in_folder(folder: &Path) -> Result<Self> {
        let store = LocalFileSystem::new_with_prefix(folder).map_err(|cause| {
            Error::unavailable(format!("The folder {} cannot be used. Check its permissions.", folder.display()), 1).with_source(cause)
        })?;
        Ok(Self(Some(Place { store: Arc::new(store.with_fsync(true)), folder: Some(folder.to_owned()) })))
    }

    /// Files in a bucket that speaks S3: `s3://bucket` or `s3://bucket/prefix`. Credentials, region and endpoint come from the
    /// variables of the environment that AWS's own tools read (`AWS_ACCESS_KEY_ID` and so on).
    ///
    /// # Errors
    /// `validation_failed` on `media-store`.
    pub fn in_bucket(url: &str, variables: impl IntoIterator<Item = (String, String)>) -> Result<Self> {
        let wrong = |text: String| Error::invalid("media-store", text);
        let place = url.strip_prefix("s3://").filter(|place| !place.is_empty() && !place.starts_with('/'));
        let place = place.ok_or_else(|| wrong("Must be s3://bucket or s3://bucket/prefix.".to_owned()))?;
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        // A whole request has no end of its own: a large file may take its time on the way to a slow reader.
        let client = ClientOptions::new().with_connect_timeout(CONNECT).with_read_timeout(SILENCE).with_timeout_disabled();
        let retry = RetryConfig { max_retries: RETRIES as usize, retry_timeout: AGAIN, ..RetryConfig::default() };
        let mut builder = AmazonS3Builder::new().with_bucket_name(bucket).with_client_options(client).with_retry(retry);
        for (name, value) in variables.into_iter().filter(|(name, _)| name.starts_with("AWS_")) {
            if let Ok(key) = name.to_ascii_lowercase().parse::<AmazonS3ConfigKey>() {
                builder = builder.with_config(key, value);
            }
        }
        let store = builder.build().map_err(|cause| wrong(format!("Cannot be used: {cause}.")).with_source(cause))?;
        let prefix =
            Key::parse(prefix.trim_end_matches('/')).map_err(|cause| wrong(format!("Has a prefix that cannot be used: {cause}.")))?;
        Ok(Self(Some(Place { store: Arc::new(PrefixStore::new(store, prefix)), folder: None })))
    }

    fn place(&self) -> Result<&Place> {
        self.0.as_ref().ok_or_else(|| Error::internal("files were touched without a media store"))
    }

    /// Begins a file.
    pub(crate) fn begin(&self, key: &str) -> Result<Writing> {
        let store = Arc::clone(&self.place()?.store);
        Ok(Writing(BufWriter::with_capacity(store, Key::from(key), PART).with_max_concurrency(1)))
    }

    /// Writes a small file. It is durable when this returns.
    pub(crate) async fn write(&self, key: &str, content: Vec<u8>) -> Result<()> {
        self.place()?.store.put(&Key::from(key), PutPayload::from(content)).await.map(drop).map_err(not_stored)
    }

    /// How many bytes a file has. `None`: it is not there.
    pub(crate) async fn size(&self, key: &str) -> Result<Option<u64>> {
        match self.place()?.store.head(&Key::from(key)).await {
            Ok(meta) => Ok(Some(meta.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(not_read(error)),
        }
    }

    /// Every file of an org, in no order. What is being written is not among them.
    pub(crate) fn list(&self, org: OrgId) -> Result<BoxStream<'static, Result<Stored>>> {
        let listed = self.place()?.store.list(Some(&Key::from(org.to_string())));
        let stored =
            |meta: ObjectMeta| Stored { key: meta.location.into(), size: meta.size, modified_ms: meta.last_modified.timestamp_millis() };
        Ok(listed.map_ok(stored).map_err(not_read).boxed())
    }

    /// A part of a file. `None`: it is not there.
    pub(crate) async fn read(&self, key: &str, range: Range<u64>) -> Result<Option<Content>> {
        let options = GetOptions { range: Some(range.into()), ..GetOptions::default() };
        match self.place()?.store.get_opts(&Key::from(key), options).await {
            Ok(found) => Ok(Some(found.into_stream())),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(not_read(error)),
        }
    }

    /// The whole of a small file.
    pub(crate) async fn bytes(&self, key: &str) -> Result<Bytes> {
        let found = self.place()?.store.get(&Key::from(key)).await.map_err(not_read)?;
        found.bytes().await.map_err(not_read)
    }

    /// Takes a file away, and what an upload to it left when the server was killed. One that is not there is gone already.
    pub(crate) async fn delete(&self, key: &str) -> Result<()> {
        let place = self.place()?;
        match place.store.delete(&Key::from(key)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => return Err(not_read(error)),
        }
        // In a folder, a file that is being written has its key and `#1` for a name, and cannot be reached as a file of its own.
        let Some(folder) = &place.folder else { return Ok(()) };
        let unfinished = folder.join(format!("{key}#1"));
        let removed = tokio::task::spawn_blocking(move || std::fs::remove_file(unfinished)).await.map_err(Error::internal)?;
        match removed {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(not_read(error)),
            _ => Ok(()),
        }
    }
}

/// A file that is being written.
pub(crate) struct Writing(BufWriter);

impl Writing {
    pub(crate) async fn put(&mut self, bytes: Bytes) -> Result<()> {
        self.0.put(bytes).await.map_err(not_stored)
    }

    /// Gives the file its name. It is durable when this returns.
    pub(crate) async fn finish(mut self) -> Result<()> {
        self.0.shutdown().await.map_err(not_stored)
    }

    /// Drops what was written.
    pub(crate) async fn abort(mut self) {
        if let Err(error) = self.0.abort().await {
            tracing::debug!(%error, "an upload that was given up left something behind; it is swept");
        }
    }
}

fn not_stored(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::unavailable("The file store does not take the file just now, and nothing was changed. Try again in a moment.", 5)
        .with_source(cause)
}

pub(crate) fn not_read(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::unavailable("The file store cannot be reached just now. Try again in a moment.", 5).with_source(cause)
}

#[cfg(test)]
mod tests {
    use parlance_model::error::Kind;
    use tokio::time::Instant;

    use super::*;

    /// A bucket at this address.
    fn bucket(address: std::net::SocketAddr) -> Files {
        let variables = [
            ("AWS_ENDPOINT", format!("http://{address}")),
            ("AWS_ALLOW_HTTP", "true".to_owned()),
            ("AWS_REGION", "eu-central-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "not-a-real-key-id".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "not-a-real-secret".to_owned()),
        ];
        Files::in_bucket("s3://files", variables.map(|(name, value)| (name.to_owned(), value))).unwrap()
    }

    #[tokio::test]
    async fn a_bucket_that_is_away_or_says_nothing_is_given_up_soon() {
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let away = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        // Whenever nothing else is to be done, the clock jumps to the next timer.
        tokio::time::pause();
        for address in [silent.local_addr().unwrap(), away] {
            let files = bucket(address);
            for refused in [files.write("1", vec![7; 100]).await, files.size("1").await.map(drop), files.delete("1").await] {
                let refused = refused.unwrap_err();
                assert_eq!((refused.kind(), refused.message().contains("file store")), (Kind::Unavailable, true), "{refused:?}");
            }
            let begun = Instant::now();
            files.bytes("1").await.unwrap_err();
            // The library's own clock does not jump with this one, so it begins again as often as it may.
            assert!(begun.elapsed() <= (RETRIES + 1) * SILENCE + AGAIN, "{:?}", begun.elapsed());
        }
    }
}
