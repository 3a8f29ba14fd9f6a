//! The container: tar entries inside zstd, with a running digest over path, length and content of each, so that a file
//! that was cut short or altered is known before anything of it is used.

use std::io::{self, Read, Write};
use std::path::{Component, Path};

use parlance_model::Result;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::io_error;
use super::manifest::{Manifest, Seal, cut_short, damaged, not_one};
use crate::watch::{self, Watch};

/// zstd's own default: the ratio gained above it costs more time than a backup should take.
const LEVEL: i32 = 3;
/// What every zstd file begins with (RFC 8878, 3.1.1).
const MAGIC: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// Nothing that is read whole may be longer than this many bytes.
const SMALL: u64 = 64 << 20;

/// What was entered so far.
#[derive(Default)]
struct Running {
    digest: Sha256,
    entries: u64,
}

impl Running {
    fn enter(&mut self, path: &str, size: u64) {
        self.digest.update(path.as_bytes());
        self.digest.update([0]);
        self.digest.update(size.to_le_bytes());
        self.entries += 1;
    }

    fn seal(self) -> Seal {
        let sha256 = self.digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Seal { sha256, entries: self.entries }
    }
}

/// Adds what passes to the digest, and ends when it is asked to.
struct Hashing<'a, R> {
    inner: R,
    digest: &'a mut Sha256,
    watch: &'a dyn Watch,
}

impl<R: Read> Read for Hashing<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        watch::go_on(self.watch).map_err(io::Error::other)?;
        let read = self.inner.read(buffer)?;
        self.digest.update(&buffer[..read]);
        Ok(read)
    }
}

/// An archive that is being written.
pub(super) struct Writer<'w, W: Write> {
    tar: tar::Builder<zstd::Encoder<'static, W>>,
    running: Running,
    mtime_s: u64,
    watch: &'w dyn Watch,
}

impl<'w, W: Write> Writer<'w, W> {
    pub(super) fn start(out: W, now_ms: i64, watch: &'w dyn Watch) -> Result<Self> {
        let mut encoder = zstd::Encoder::new(out, LEVEL).map_err(|cause| io_error("The backup", cause))?;
        encoder.include_checksum(true).map_err(|cause| io_error("The backup", cause))?;
        let mtime_s = u64::try_from(now_ms / 1000).unwrap_or(0);
        Ok(Self { tar: tar::Builder::new(encoder), running: Running::default(), mtime_s, watch })
    }

    pub(super) fn json(&mut self, path: &str, value: &impl Serialize) -> Result<()> {
        let text = serde_json::to_vec_pretty(value).map_err(parlance_model::Error::internal)?;
        self.add(path, &text)
    }

    pub(super) fn add(&mut self, path: &str, content: &[u8]) -> Result<()> {
        self.stream(path, content.len() as u64, content)
    }

    /// An entry of exactly `size` bytes.
    pub(super) fn stream(&mut self, path: &str, size: u64, content: impl Read) -> Result<()> {
        self.running.enter(path, size);
        let mut header = tar::Header::new_gnu();
        header.set_size(size);
        header.set_mode(0o600);
        header.set_mtime(self.mtime_s);
        let mut content = Hashing { inner: content.take(size), digest: &mut self.running.digest, watch: self.watch };
        let written = self.tar.append_data(&mut header, path, &mut content);
        let left = content.inner.limit();
        watch::go_on(self.watch)?;
        written.map_err(|cause| io_error("The backup", cause))?;
        match left {
            0 => Ok(()),
            _ => Err(io_error(path, io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter while it was read"))),
        }
    }

    /// Writes the seal and what is left in the compressor.
    pub(super) fn finish(mut self) -> Result<()> {
        let seal = std::mem::take(&mut self.running).seal();
        self.json("end.json", &seal)?;
        let ended = self.tar.into_inner().and_then(zstd::Encoder::finish).and_then(|mut out| out.flush());
        ended.map_err(|cause| io_error("The backup", cause))
    }
}

/// An entry that is being read. What the visitor leaves unread is read for the digest all the same.
pub(super) type Content<'a> = dyn Read + 'a;

/// What is done with an archive.
pub(super) trait Visit {
    /// The manifest, which this program can take.
    fn manifest(&mut self, manifest: Manifest) -> Result<()>;

    /// Every further entry before the seal. Its path has plain components only.
    fn entry(&mut self, path: &str, size: u64, content: &mut Content<'_>) -> Result<()>;
}

/// Reads an archive to its end. `Ok` means that all of it was there and as it was written; until then nothing that the
/// visitor made may be used.
///
/// # Errors
/// `not_a_backup`, `backup_too_new`, `backup_cut_short`, `backup_damaged`, `cancelled`; the visitor's own.
pub(super) fn read(input: impl Read, watch: &dyn Watch, visitor: &mut impl Visit) -> Result<()> {
    let mut input = Counted { inner: input, watch };
    let mut start = Vec::new();
    input.by_ref().take(MAGIC.len() as u64).read_to_end(&mut start).map_err(|cause| broken(cause, watch))?;
    if start != MAGIC {
        return Err(if MAGIC.starts_with(&start) { cut_short() } else { not_one() });
    }
    let decoder = zstd::Decoder::new(start.as_slice().chain(input)).map_err(|cause| broken(cause, watch))?;
    let mut tar = tar::Archive::new(decoder);
    let mut running = Running::default();
    let mut sealed = None;
    for entry in tar.entries().map_err(|cause| broken(cause, watch))? {
        let first = running.entries == 0;
        let mut entry = entry.map_err(|cause| broken(cause, watch))?;
        let (path, size) = (plain(&entry)?, entry.size());
        match (first, path.as_str()) {
            (true, "manifest.json") => {
                let text = whole(&mut running, &path, size, &mut entry, watch)?;
                visitor.manifest(Manifest::parse(&text)?)?;
            }
            (true, _) => return Err(not_one()),
            (false, "end.json") => {
                let text = whole(&mut Running::default(), &path, size, &mut entry, watch)?;
                let seal: Seal = serde_json::from_slice(&text).map_err(|cause| damaged("its end cannot be read").with_source(cause))?;
                sealed = Some(seal);
                break;
            }
            (false, _) => {
                running.enter(&path, size);
                let mut content = Hashing { inner: &mut entry, digest: &mut running.digest, watch };
                let visited = visitor.entry(&path, size, &mut content);
                watch::go_on(watch)?;
                visited?;
                io::copy(&mut content, &mut io::sink()).map_err(|cause| broken(cause, watch))?;
            }
        }
    }
    let seal = sealed.ok_or_else(cut_short)?;
    // The compressor's own checksum is at the very end.
    io::copy(&mut tar.into_inner(), &mut io::sink()).map_err(|cause| broken(cause, watch))?;
    if seal == running.seal() { Ok(()) } else { Err(damaged("its checksum does not fit")) }
}

fn whole(running: &mut Running, path: &str, size: u64, entry: &mut dyn Read, watch: &dyn Watch) -> Result<Vec<u8>> {
    running.enter(path, size);
    if size > SMALL {
        return Err(damaged("an entry is longer than it can be"));
    }
    let mut text = Vec::new();
    Hashing { inner: entry, digest: &mut running.digest, watch }.read_to_end(&mut text).map_err(|cause| broken(cause, watch))?;
    Ok(text)
}

/// The path of an entry, which must be a file and may not lead out of the place where it is put.
fn plain<R: Read>(entry: &tar::Entry<'_, R>) -> Result<String> {
    let odd = || damaged("an entry has a path that no backup has");
    let path = entry.path().map_err(|_| odd())?;
    let fine = |path: &Path| path.components().all(|part| matches!(part, Component::Normal(_)));
    match path.to_str() {
        Some(text) if fine(&path) && entry.header().entry_type().is_file() => Ok(text.to_owned()),
        _ => Err(odd()),
    }
}

/// What reading failed with.
pub(super) fn broken(cause: io::Error, watch: &dyn Watch) -> parlance_model::Error {
    match watch::go_on(watch) {
        Err(cancelled) => cancelled,
        Ok(()) if cause.kind() == io::ErrorKind::UnexpectedEof => cut_short().with_source(cause),
        Ok(()) => damaged("it does not unpack").with_source(cause),
    }
}

/// Tells how much of the file was read.
struct Counted<'w, R> {
    inner: R,
    watch: &'w dyn Watch,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        watch::advance(self.watch, read as u64).map_err(io::Error::other)?;
        Ok(read)
    }
}
