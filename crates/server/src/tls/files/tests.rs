//! Files that are right, wrong, and renewed.

use std::sync::Arc;

use parlance_model::clock::{Clock as _, ManualClock};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use tempfile::TempDir;

use super::Files;

/// 2026-03-05T20:00:00Z.
const NOW_MS: i64 = 1_772_740_800_000;

struct Disk(TempDir, Arc<ManualClock>);

impl Disk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap(), Arc::new(ManualClock::at(NOW_MS)))
    }

    fn write(&self, certificate: &str, key: &str) {
        std::fs::write(self.0.path().join("chain.pem"), certificate).unwrap();
        std::fs::write(self.0.path().join("key.pem"), key).unwrap();
    }

    fn open(&self) -> parlance_model::Result<Files> {
        Files::open(&self.0.path().join("chain.pem"), &self.0.path().join("key.pem"), self.1.clone())
    }
}

/// A certificate of these years, and its key.
fn pair(from: i32, until: i32) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["chat.example.com".to_owned()]).unwrap();
    (params.not_before, params.not_after) = (date_time_ymd(from, 1, 1), date_time_ymd(until, 1, 1));
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

/// The certificate that handshakes use.
fn served(files: &Files) -> Vec<u8> {
    files.current.0.read().unwrap().end_entity_cert().unwrap().to_vec()
}

#[test]
fn what_is_wrong_with_the_files_is_said() {
    let disk = Disk::new();
    assert!(disk.open().err().unwrap().message().contains("chain.pem cannot be read"));
    let ((good, key), (_, other_key)) = (pair(2026, 2027), pair(2026, 2027));
    let cases = [
        ("", key.as_str(), "chain.pem holds no certificate"),
        (key.as_str(), key.as_str(), "chain.pem holds no certificate"),
        ("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n", &key, "chain.pem is not a certificate"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", &key, "chain.pem holds no X.509 certificate"),
        (&good, "", "key.pem holds no private key"),
        (&good, &good, "key.pem holds no private key"),
        (&good, &other_key, "is not that of the first certificate"),
        (&pair(2024, 2025).0, &key, "ended at 2025-01-01T00:00:00Z"),
        (&pair(2030, 2031).0, &key, "not valid before 2030-01-01T00:00:00Z"),
    ];
    for (certificate, key, why) in cases {
        disk.write(certificate, key);
        let error = disk.open().err().unwrap();
        assert_eq!(error.code(), "bad_certificate", "{why}");
        assert!(error.message().contains(why), "{why}: {error:?}");
    }
    disk.write(&good, &key);
    disk.open().unwrap();
}

#[test]
fn a_renewal_is_taken_up_and_a_broken_one_is_not() {
    let disk = Disk::new();
    let ((old, old_key), (new, new_key)) = (pair(2026, 2027), pair(2026, 2028));
    disk.write(&old, &old_key);
    let mut files = disk.open().unwrap();
    let before = served(&files);
    assert!(!files.look().unwrap(), "nothing has changed");

    // Half of a renewal, rubbish, and no file at all: each is said once, and the old one stays.
    disk.write(&new, &old_key);
    assert!(files.look().is_err());
    assert!(!files.look().unwrap(), "said once");
    disk.write("rubbish", &new_key);
    assert!(files.look().is_err());
    std::fs::remove_file(disk.0.path().join("key.pem")).unwrap();
    assert!(files.look().is_err());
    assert_eq!(served(&files), before);

    disk.write(&new, &new_key);
    assert!(files.look().unwrap());
    assert_ne!(served(&files), before);

    // A renewal with a certificate that has ended meanwhile is none.
    disk.1.advance_ms(disk.1.now_ms());
    let renewed = served(&files);
    disk.write(&old, &old_key);
    assert!(files.look().is_err());
    assert_eq!(served(&files), renewed);
}
