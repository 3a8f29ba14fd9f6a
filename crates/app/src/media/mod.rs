//! Files: upload, look at, fetch by link, and sweep what nobody took.
//!
//! An upload is a row that nobody sees, then a durable file, then the row is seen. Whatever stops it in between leaves such a row
//! behind, by which the sweeper finds and removes the file a day later: the media store is listed by the doctor alone (`inspect`), and
//! files of others in it are never touched.

mod files;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod inspect;
mod links;
mod places;
mod show;
mod sniff;
mod thumbnail;

use std::ops::Range;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use parlance_model::audit::{Act, Action, Actor};
use parlance_model::error::Kind;
use parlance_model::failpoint::{self, Step};
use parlance_model::id::{MediaId, OrgId};
use parlance_model::key::Principal;
use parlance_model::media::{Facts, Media, Variant, is_shown_inline};
use parlance_model::{Error, Result, entropy};
use parlance_store::media::{self, Doomed, Uploaded};
use parlance_store::{OrgTx, org};
use sha2::{Digest as _, Sha256};
use tokio::time::timeout;

pub use files::{Content, Files};
pub use inspect::{Inspected, inspect};
pub(crate) use links::Links;
pub use links::Target;
pub use parlance_store::media::KEPT_MS;
pub(crate) use places::Places;
pub use show::{Shown, ShownFile, ShownMedia};

use crate::App;

/// The largest file when no other limit is set, in bytes: 25 MiB.
pub const LIMIT: u64 = 25 << 20;
/// How long an upload waits for its place when nothing else is set.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long whoever uploads waits for the removal of what came to nothing.
const REMOVAL: Duration = Duration::from_secs(2);
/// Doomed files that are removed between two looks for more.
const SWEPT: i64 = 100;

/// Where files are kept, and how large they may be.
#[derive(Debug, Clone)]
pub struct Config {
    /// The media store.
    pub files: Files,
    /// The largest file, in bytes.
    pub limit: u64,
    /// How long an upload waits for its place, when too many are under way.
    pub patience: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self { files: Files::default(), limit: LIMIT, patience: PATIENCE }
    }
}

/// An upload that has arrived whole and is durable, and that nobody sees yet: it is [kept](App::keep) or [dropped](App::discard).
#[derive(Debug)]
pub struct Received {
    actor: Actor,
    file: Arrived,
}

impl Received {
    /// The SHA-256 of the content.
    #[must_use]
    pub fn sha256(&self) -> &[u8; 32] {
        &self.file.sha256
    }
}

/// A file that is durable, whoever it came from, and whose row is not seen yet.
#[derive(Debug)]
pub(crate) struct Arrived {
    org: OrgId,
    pub(crate) id: MediaId,
    object_key: String,
    pub(crate) content_type: &'static str,
    size: i64,
    sha256: [u8; 32],
}

/// What a link leads to.
#[derive(Debug, Clone)]
pub struct Opened {
    object_key: String,
    /// The type of its content.
    pub content_type: String,
    /// Bytes.
    pub size: u64,
    /// The name to keep it under.
    pub name: String,
    /// A name of the content, which never changes.
    pub etag: String,
    /// Whether a browser may show it in place.
    pub inline: bool,
    /// How long the link still lasts, in milliseconds.
    pub lasts_ms: i64,
}

impl App {
    /// The largest file that is taken, in bytes.
    #[must_use]
    pub fn media_limit(&self) -> u64 {
        self.0.config.media.limit
    }

    fn files(&self) -> &Files {
        &self.0.config.media.files
    }

    /// Takes an upload in as it arrives. When this returns it is durable.
    ///
    /// # Errors
    /// `file_too_large`; `validation_failed` for an empty one; `too_many_uploads`; `unavailable` when it cannot be stored; the
    /// stream's own.
    pub async fn receive(&self, who: &Principal, content: impl Stream<Item = Result<Bytes>> + Send) -> Result<Received> {
        Ok(Received { actor: who.actor(), file: self.take_file(who.org, content).await? })
    }

    /// Takes a file in, whoever it comes from.
    pub(crate) async fn take_file(&self, org: OrgId, content: impl Stream<Item = Result<Bytes>> + Send) -> Result<Arrived> {
        let _place = self.0.uploads.take(org, self.0.config.media.patience).await?;
        let object_key = new_key(org, &entropy::bytes(self.0.entropy.as_ref()));
        let key = object_key.clone();
        let id = self.store().write(org, move |tx| media::begin(tx, &key)).await?;
        match self.write(&object_key, content).await {
            Ok((content_type, size, sha256)) => {
                failpoint::reach(Step::Stored);
                Ok(Arrived { org, id, object_key, content_type, size, sha256 })
            }
            Err(error) => {
                self.give_up(Doomed { org, id, object_key, thumbnail_key: None }).await;
                Err(error)
            }
        }
    }

    /// Writes the stream to the media store, and learns what it is on the way.
    async fn write(&self, key: &str, content: impl Stream<Item = Result<Bytes>> + Send) -> Result<(&'static str, i64, [u8; 32])> {
        let mut writing = self.files().begin(key)?;
        let (mut hasher, mut head, mut size) = (Sha256::new(), Vec::new(), 0_u64);
        let mut content = pin!(content);
        let copied = loop {
            let chunk = match content.next().await {
                Some(Ok(chunk)) => chunk,
                Some(Err(error)) => break Err(error),
                None if size == 0 => break Err(Error::invalid("file", "Must not be empty.")),
                None => break Ok(()),
            };
            size += chunk.len() as u64;
            if size > self.media_limit() {
                break Err(self.file_too_large());
            }
            hasher.update(&chunk);
            head.extend_from_slice(&chunk[..chunk.len().min(sniff::HEAD - head.len())]);
            if let Err(error) = writing.put(chunk).await {
                break Err(error);
            }
            failpoint::reach(Step::Uploading);
        };
        match copied {
            Ok(()) => writing.finish().await?,
            Err(error) => {
                if timeout(REMOVAL, writing.abort()).await.is_err() {
                    tracing::debug!(key, "an upload that was given up may have left something behind");
                }
                return Err(error);
            }
        }
        let size = i64::try_from(size).map_err(Error::internal)?;
        Ok((sniff::content_type(&head), size, hasher.finalize().into()))
    }

    /// The refusal of a file above the limit.
    #[must_use]
    pub fn file_too_large(&self) -> Error {
        let limit = self.media_limit();
        let limit = if limit.is_multiple_of(1 << 20) { format!("{} MiB", limit >> 20) } else { format!("{limit} bytes") };
        Error::new(Kind::TooLarge, "file_too_large", format!("The file must be at most {limit}. Send a smaller one, or a link."))
    }

    /// Shows a file that was received, under a name that does no harm.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn keep(&self, received: Received, name: Option<&str>) -> Result<ShownMedia> {
        let Received { actor, file } = received;
        let uploaded = self.look_at(&file, name).await;
        let Arrived { org, id, object_key, .. } = file;
        let thumbnail_key = uploaded.thumbnail_key.clone();
        let write = move |tx: &mut OrgTx<'_, '_>| {
            let kept = media::finish(tx, id, &uploaded)?;
            let act = Act::new(Action::MediaUpload, id).with("content_type", uploaded.facts.content_type.as_str());
            tx.audit(&act.with("size", uploaded.facts.size))?;
            Ok((kept, tx.now_ms()))
        };
        match self.store().write_as(org, actor, write).await {
            Ok((kept, now_ms)) => Ok(self.0.links.show_media(org, kept, now_ms)),
            Err(error) => {
                self.give_up(Doomed { org, id, object_key, thumbnail_key }).await;
                Err(error)
            }
        }
    }

    /// What is to be known of a file, under a name that does no harm. Its thumbnail is stored on the way.
    pub(crate) async fn look_at(&self, file: &Arrived, name: Option<&str>) -> Uploaded {
        let Arrived { object_key, content_type, size, sha256, .. } = file;
        let (name, content_type) = (sniff::safe_name(name, content_type), (*content_type).to_owned());
        let mut facts = Facts { content_type, size: *size, name, width: None, height: None };
        let thumbnail_key = self.add_thumbnail(object_key, &mut facts).await;
        Uploaded { facts, sha256: *sha256, thumbnail_key }
    }

    /// Stores the thumbnail of an image that can be decoded, and notes how large the image is. Without one the file is as good.
    async fn add_thumbnail(&self, object_key: &str, facts: &mut Facts) -> Option<String> {
        if !thumbnail::is_wanted(&facts.content_type, facts.size) {
            return None;
        }
        let stored = async {
            let content = self.files().bytes(object_key);
            let Some(made) = thumbnail::of(&facts.content_type, content).await? else { return Ok(None) };
            (facts.width, facts.height) = (Some(made.width.into()), Some(made.height.into()));
            let key = format!("{object_key}.{}", made.extension);
            self.files().write(&key, made.content).await.map(|()| Some(key))
        };
        stored.await.unwrap_or_else(|error: Error| {
            tracing::warn!(?error, "a thumbnail could not be stored; the file is kept without one");
            None
        })
    }

    /// Drops a file that was received and is not wanted after all.
    pub async fn discard(&self, received: Received) {
        self.drop_file(received.file).await;
    }

    /// Drops a file whose row is not seen.
    pub(crate) async fn drop_file(&self, file: Arrived) {
        let Arrived { org, id, object_key, .. } = file;
        self.give_up(Doomed { org, id, object_key, thumbnail_key: None }).await;
    }

    /// Removes what an upload left. What cannot be removed now is swept later.
    async fn give_up(&self, doomed: Doomed) {
        let id = doomed.id;
        let removed = async {
            self.store().write(doomed.org, move |tx| media::doom(tx, id)).await?;
            let late = || Error::unavailable("The file store did not remove a file in time.", 1);
            timeout(REMOVAL, self.remove(&doomed)).await.map_err(|_| late())?
        };
        if let Err(error) = removed.await {
            tracing::warn!(?error, media = %id, "an upload that came to nothing is removed later");
        }
    }

    /// Removes the files of a doomed row, then the row.
    async fn remove(&self, doomed: &Doomed) -> Result<()> {
        self.files().delete(&doomed.object_key).await?;
        if let Some(thumbnail) = &doomed.thumbnail_key {
            self.files().delete(thumbnail).await?;
        } else {
            // One may have been written without the row knowing of it.
            for extension in ["jpg", "png"] {
                self.files().delete(&format!("{}.{extension}", doomed.object_key)).await?;
            }
        }
        let id = doomed.id;
        self.store().write(doomed.org, move |tx| media::forget(tx, id)).await
    }

    /// Removes the uploads that no message took within a day, and what broken uploads left. Answers how many went.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn sweep_media(&self) -> Result<u64> {
        let mut swept = 0;
        loop {
            let doomed = self.store().system_write(|tx| media::doom_aged(tx, tx.now_ms() - KEPT_MS, SWEPT)).await?;
            if doomed.is_empty() {
                return Ok(swept);
            }
            let before = swept;
            for doomed in &doomed {
                // One that cannot be removed must not keep the others.
                match self.remove(doomed).await {
                    Ok(()) => swept += 1,
                    Err(error) => tracing::warn!(?error, media = %doomed.id, "a file could not be removed; it is tried again later"),
                }
            }
            if swept == before {
                return Ok(swept);
            }
        }
    }

    /// A file of the caller's org, with fresh links.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn media(&self, who: &Principal, id: MediaId) -> Result<ShownMedia> {
        let links = self.0.links.clone();
        let read = move |tx: &mut OrgTx<'_, '_>| {
            let found = media::get(tx, id)?;
            Ok(links.show_media(tx.org(), found, tx.now_ms()))
        };
        self.store().read(who.org, read).await
    }

    /// What a link leads to. The signature is the key.
    ///
    /// # Errors
    /// `not_found` for a signature that is not ours; `link_expired`; `org_disabled`.
    pub async fn open_link(&self, target: Target, expires: i64, signature: &str) -> Result<Opened> {
        self.0.links.check(target, expires, signature)?;
        let read = move |tx: &mut OrgTx<'_, '_>| {
            links::lasts(expires, tx.now_ms())?;
            org::check_enabled(tx)?;
            Ok((media::get(tx, target.media)?, expires * 1000 - tx.now_ms()))
        };
        let (found, lasts_ms) = self.store().read(target.org, read).await?;
        self.opened(found, target.variant, lasts_ms).await
    }

    async fn opened(&self, found: Media, variant: Variant, lasts_ms: i64) -> Result<Opened> {
        let Media { object_key, facts, sha256, thumbnail_key, .. } = found;
        let digest: String = sha256.iter().map(|byte| format!("{byte:02x}")).collect();
        match variant {
            Variant::File => {
                let size = u64::try_from(facts.size).map_err(Error::internal)?;
                let inline = is_shown_inline(&facts.content_type);
                let etag = format!("\"{digest}\"");
                Ok(Opened { object_key, content_type: facts.content_type, size, name: facts.name, etag, inline, lasts_ms })
            }
            Variant::Thumbnail => {
                let object_key = thumbnail_key.ok_or_else(|| Error::not_found("file"))?;
                let size = self.files().size(&object_key).await?.ok_or_else(|| missing(&object_key))?;
                let content_type = thumbnail::content_type(&object_key).to_owned();
                let name = sniff::safe_name(None, &content_type);
                Ok(Opened { object_key, content_type, size, name, etag: format!("\"{digest}-thumbnail\""), inline: true, lasts_ms })
            }
        }
    }

    /// A part of what was opened, as a stream.
    ///
    /// # Errors
    /// `unavailable`; `not_found` when the media store has lost it.
    pub async fn content(&self, opened: &Opened, range: Range<u64>) -> Result<Content> {
        self.files().read(&opened.object_key, range).await?.ok_or_else(|| missing(&opened.object_key))
    }
}

/// A row names a file that is not there: somebody took it away behind our back.
fn missing(key: &str) -> Error {
    tracing::error!(key, "a file is missing from the media store");
    Error::not_found("file")
}

/// A key that no file had before. Folders of a hundredth each keep the media folder easy to look at.
fn new_key(org: OrgId, random: &[u8; 16]) -> String {
    let name: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{org}/{}/{name}", &name[..2])
}
