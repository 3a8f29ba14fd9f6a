//! Fuzz targets on stable Rust: each runs over the inputs that are checked in for it (`fuzz/corpus/<target>`), and over some
//! thousands of damaged copies of them, the same ones every time.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

/// Damaged copies that a run tries.
const COPIES: usize = 4000;
/// Bytes that copies do not grow beyond.
const LONGEST: usize = 4096;
/// What parsers trip over.
const PIECES: [&[u8]; 24] = [
    b"\0",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"\xf0\x9f\x9a\xb2",
    b"%00",
    b"%",
    b"%F0%9F",
    b"+",
    b"\"",
    b"\\u0000",
    b"\\ud800",
    b"-9223372036854775808",
    b"9223372036854775807",
    b"1e999",
    b"[[[[[[[[[[[[[[[[",
    b"{\"\":",
    b"\r\n\r\n",
    b"--",
    b";=,",
    b"\xe2\x80\xae",
    b"\xcc\x81\xcc\x81\xcc\x81",
    b"\xc4\xb0",
    b"\xef\xbc\x8b\xef\xbc\x91",
    b"                ",
];

/// Runs a target over its corpus and the copies.
///
/// # Panics
/// When the target does, with the input that it panicked on; when it has no corpus.
pub fn run(target: &str, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut corpus: Vec<(String, Vec<u8>)> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("the corpus of {target} in {}: {error}", folder.display()))
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            Some((path.file_name()?.to_string_lossy().into_owned(), std::fs::read(path).ok()?))
        })
        .collect();
    // Folders have no order.
    corpus.sort();
    assert!(!corpus.is_empty(), "{target} has a corpus");
    for (name, input) in &corpus {
        attempt(run, name, input);
    }
    let mut random = StdRng::seed_from_u64(20_260_305);
    for copy in 0..COPIES {
        let (name, input) = &corpus[copy % corpus.len()];
        let mut input = input.clone();
        for _ in 0..random.random_range(1..=4) {
            let (_, other) = &corpus[random.random_range(0..corpus.len())];
            damage(&mut random, &mut input, other);
        }
        input.truncate(LONGEST);
        attempt(run, &format!("copy {copy} of {name}"), &input);
    }
}

fn attempt(run: fn(&[u8]), name: &str, input: &[u8]) {
    if catch_unwind(AssertUnwindSafe(|| run(input))).is_err() {
        panic!("{name}: {}", input.escape_ascii());
    }
}

fn damage(random: &mut StdRng, input: &mut Vec<u8>, other: &[u8]) {
    let at = random.random_range(0..=input.len());
    let end = random.random_range(at..=input.len());
    match random.random_range(0..6) {
        0 => input.truncate(at),
        1 => drop(input.drain(at..end)),
        2 => drop(input.splice(at..at, PIECES[random.random_range(0..PIECES.len())].iter().copied())),
        3 => drop(input.splice(at..end, other[other.len() / 2..].iter().copied())),
        4 => {
            let twice = input[at..end].to_vec();
            drop(input.splice(at..at, twice));
        }
        _ => {
            if let Some(byte) = input.get_mut(at) {
                *byte ^= 1 << random.random_range(0..8);
            }
        }
    }
}
