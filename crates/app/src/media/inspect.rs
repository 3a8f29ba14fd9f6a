//! The doctor's look at files: each row that is seen against the media store. It looks at the live database, and asks again about what it
//! misses, so that nothing is found that a running server is just doing.

use std::collections::{BTreeMap, HashSet};

use futures::TryStreamExt as _;
use parlance_model::Result;
use parlance_model::id::{MediaId, OrgId};
use parlance_store::doctor::Finding;
use parlance_store::media::{self, Kept};
use parlance_store::watch::{self, Unit, Watch};
use parlance_store::{Store, org};
use sha2::{Digest as _, Sha256};

use super::KEPT_MS;
use super::files::{Files, Stored};

/// Rows a read looks at.
const CHUNK: i64 = 1000;
const WHOLE: &str = "a file that is seen is whole";

/// What was looked at, and what was found.
#[derive(Debug, Default)]
pub struct Inspected {
    /// Files, thumbnails not counted.
    pub files: u64,
    /// What disagrees.
    pub findings: Vec<Finding>,
    /// What harms nobody, and somebody may want to know.
    pub notices: Vec<Finding>,
}

/// What the media store should have under a key.
struct Expected {
    id: MediaId,
    /// Bytes and SHA-256 of a file; a thumbnail's are not kept.
    content: Option<(u64, [u8; 32])>,
}

/// Compares the rows of every org with the media store, by name and size; with `deep`, every file is read and its SHA-256 compared. Holds
/// the names of one org's files in memory.
///
/// # Errors
/// Those of the database and of the media store; `cancelled`.
pub async fn inspect(store: &Store, files: &Files, deep: bool, watch: &dyn Watch) -> Result<Inspected> {
    let mut inspected = Inspected::default();
    if deep {
        watch.stage("Reading files", Some(store.system_read(media::total_size).await?), Unit::Bytes);
    }
    for org in store.system_read(org::all).await? {
        Org { store, files, org: org.id, deep, watch }.inspect(&mut inspected).await?;
    }
    Ok(inspected)
}

struct Org<'a> {
    store: &'a Store,
    files: &'a Files,
    org: OrgId,
    deep: bool,
    watch: &'a dyn Watch,
}

impl Org<'_> {
    async fn inspect(&self, inspected: &mut Inspected) -> Result<()> {
        // Rows first: a file that comes meanwhile is too young to be missed by anybody.
        let (mut expected, known) = self.rows(inspected).await?;
        let (now_ms, mut there) = (self.store.now_ms(), self.files.list(self.org)?);
        while let Some(Stored { key, size, modified_ms }) = there.try_next().await? {
            watch::go_on(self.watch)?;
            match expected.remove(&key) {
                Some(Expected { id, content: Some((due, _)) }) if size != due => {
                    inspected.findings.push(self.of(WHOLE, format!("{id:?}: {key} has {size} bytes in place of {due}")));
                }
                Some(Expected { id, content: Some((_, sha256)) }) if self.deep => match self.digest(&key, size).await? {
                    Some(found) if found == sha256 => {}
                    Some(_) => {
                        inspected.findings.push(self.of(WHOLE, format!("{id:?}: {key} is not what was uploaded: its SHA-256 is another")));
                    }
                    // It went away since it was listed.
                    None => drop(expected.insert(key, Expected { id, content: None })),
                },
                Some(_) => {}
                // A server may be between an upload's file and its row.
                None if known.contains(key.split('.').next().unwrap_or_default()) || modified_ms > now_ms - KEPT_MS => {}
                None => inspected.notices.push(self.of("every file has a row", format!("{key} has none, and nothing removes it"))),
            }
        }
        for (key, Expected { id, .. }) in expected {
            if self.is_missing(&key, id).await? {
                inspected.findings.push(self.of(WHOLE, format!("{id:?}: {key} is missing. Put it back from a backup")));
            }
        }
        Ok(())
    }

    /// What there should be, and the keys of uploads that are under way or being removed.
    async fn rows(&self, inspected: &mut Inspected) -> Result<(BTreeMap<String, Expected>, HashSet<String>)> {
        let (mut expected, mut known, mut after) = (BTreeMap::new(), HashSet::new(), MediaId(0));
        loop {
            watch::go_on(self.watch)?;
            let rows = self.store.read(self.org, move |tx| media::page(tx, after, CHUNK)).await?;
            let Some(last) = rows.last() else { return Ok((expected, known)) };
            after = last.id;
            for Kept { id, object_key, thumbnail_key, content } in rows {
                if content.is_none() {
                    known.insert(object_key);
                    continue;
                }
                inspected.files += 1;
                expected.extend(thumbnail_key.map(|key| (key, Expected { id, content: None })));
                expected.insert(object_key, Expected { id, content });
            }
        }
    }

    async fn digest(&self, key: &str, size: u64) -> Result<Option<[u8; 32]>> {
        let Some(mut content) = self.files.read(key, 0..size).await? else { return Ok(None) };
        let mut hasher = Sha256::new();
        while let Some(bytes) = content.try_next().await.map_err(super::files::not_read)? {
            watch::advance(self.watch, bytes.len() as u64)?;
            hasher.update(&bytes);
        }
        Ok(Some(hasher.finalize().into()))
    }

    /// Whether a file that was not listed is missed: its row is still seen, and is not one that the sweep may take at any moment.
    async fn is_missing(&self, key: &str, id: MediaId) -> Result<bool> {
        let stays = self.store.read(self.org, move |tx| media::stays(tx, id, tx.now_ms() - KEPT_MS)).await?;
        Ok(stays && self.files.size(key).await?.is_none())
    }

    fn of(&self, invariant: &'static str, detail: String) -> Finding {
        Finding { org: self.org, invariant, detail }
    }
}
