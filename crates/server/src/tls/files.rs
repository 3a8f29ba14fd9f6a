//! A certificate and its key in two files, and their renewal while the server runs. What cannot be used never replaces what can.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use parlance_app::Tasks;
use parlance_model::clock::{SharedClock, iso8601};
use parlance_model::error::Kind;
use parlance_model::{Error, Result};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use x509_parser::parse_x509_certificate;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(60);
/// A certificate that ends sooner than this should have been renewed.
const SOON_MS: i64 = 14 * 24 * 60 * 60 * 1000;

/// The files, and what was last made of them.
pub(super) struct Files {
    certificate: PathBuf,
    key: PathBuf,
    clock: SharedClock,
    current: Arc<Current>,
    /// The bytes that were read last, good or not.
    seen: (Vec<u8>, Vec<u8>),
    until_ms: i64,
    warned: bool,
}

/// The certificate that handshakes use.
#[derive(Debug)]
struct Current(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl Files {
    /// Reads both files.
    ///
    /// # Errors
    /// `bad_certificate`, saying which file and what is wrong with it.
    pub(super) fn open(certificate: &Path, key: &Path, clock: SharedClock) -> Result<Self> {
        let seen = (read(certificate)?, read(key)?);
        let (pair, until_ms) = usable(&seen, certificate, key, clock.now_ms())?;
        let current = Arc::new(Current(RwLock::new(Arc::new(pair))));
        Ok(Self { certificate: certificate.to_owned(), key: key.to_owned(), clock, current, seen, until_ms, warned: false })
    }

    pub(super) fn resolver(&self) -> Arc<dyn ResolvesServerCert> {
        Arc::<Current>::clone(&self.current)
    }

    /// Looks at the files until the server stops.
    pub(super) async fn watch(mut self, tasks: &Tasks) {
        loop {
            match self.look() {
                Ok(false) => {}
                Ok(true) => tracing::info!(until = iso8601(self.until_ms), "a renewed certificate is served"),
                Err(error) => tracing::warn!(?error, "the certificate's files changed and cannot be used; the one before is served on"),
            }
            if !self.warned && self.until_ms - self.clock.now_ms() < SOON_MS {
                self.warned = true;
                tracing::warn!(until = iso8601(self.until_ms), file = %self.certificate.display(), "the certificate ends soon; renew it");
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = tasks.stopping() => return,
            }
        }
    }

    /// Takes up files that have changed; answers whether they had. Of a renewal that has written only one of the two yet, nothing is taken.
    fn look(&mut self) -> Result<bool> {
        let found = (read(&self.certificate)?, read(&self.key)?);
        if found == self.seen {
            return Ok(false);
        }
        // What is wrong is said once, not at every look.
        self.seen = found;
        let (pair, until_ms) = usable(&self.seen, &self.certificate, &self.key, self.clock.now_ms())?;
        *self.current.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(pair);
        (self.until_ms, self.warned) = (until_ms, false);
        Ok(true)
    }
}

fn read(file: &Path) -> Result<Vec<u8>> {
    std::fs::read(file).map_err(|cause| unusable(format!("{} cannot be read. Check the path and its permissions.", file.display()), cause))
}

/// The pair, and when the certificate ends.
fn usable((chain, private): &(Vec<u8>, Vec<u8>), certificate: &Path, key: &Path, now_ms: i64) -> Result<(CertifiedKey, i64)> {
    let (certificate, key) = (certificate.display(), key.display());
    let chain = CertificateDer::pem_slice_iter(chain).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|cause| unusable(format!("{certificate} is not a certificate in PEM form."), cause))?;
    let Some(own) = chain.first() else {
        return Err(unusable(format!("{certificate} holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)."), "no certificate"));
    };
    let (_, parsed) = parse_x509_certificate(own).map_err(|cause| unusable(format!("{certificate} holds no X.509 certificate."), cause))?;
    let validity = parsed.validity();
    let (from_ms, until_ms) = (validity.not_before.timestamp() * 1000, validity.not_after.timestamp() * 1000);
    if until_ms <= now_ms {
        return Err(unusable(format!("The certificate in {certificate} ended at {}. Renew it.", iso8601(until_ms)), "expired"));
    }
    if from_ms > now_ms {
        let text = format!("The certificate in {certificate} is not valid before {}. Check this machine's clock.", iso8601(from_ms));
        return Err(unusable(text, "not yet valid"));
    }
    let private = PrivateKeyDer::from_pem_slice(private)
        .map_err(|cause| unusable(format!("{key} holds no private key in PEM form, or an encrypted one, which is not taken."), cause))?;
    let pair = CertifiedKey::from_der(chain.clone(), private, &aws_lc_rs::default_provider()).map_err(|cause| match cause {
        rustls::Error::InconsistentKeys(_) => {
            let text =
                format!("The key in {key} is not that of the first certificate in {certificate}. Give the two that belong together.");
            unusable(text, cause)
        }
        _ => unusable(format!("The key in {key} cannot be used with the certificate in {certificate}."), cause),
    })?;
    Ok((pair, until_ms))
}

fn unusable(text: String, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(Kind::Invalid, "bad_certificate", text).with_source(cause)
}

#[cfg(test)]
mod tests;
