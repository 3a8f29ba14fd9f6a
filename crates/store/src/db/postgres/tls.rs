//! Encryption of the connection to PostgreSQL, as the database's URL asks for it: `sslmode` and `sslrootcert`, with the meanings that
//! they have in PostgreSQL's own client (postgresql.org/docs/current/libpq-ssl.html).

use std::sync::Arc;

use parlance_model::{Error, Result};
use percent_encoding::percent_decode_str;
use postgres::Config;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_postgres_rustls::MakeRustlsConnect;

/// The parameters that are read here, because the client does not know them or knows fewer words.
const MODE: &str = "sslmode";
const ROOTS: &str = "sslrootcert";

/// How much of the server's certificate is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Check {
    /// Nothing: the connection is encrypted, and whoever answers may be anybody.
    Nothing,
    /// Its chain leads to a root.
    Chain,
    /// And it is for the host that was called.
    Name,
}

/// The client's settings out of the database's URL, and how it encrypts.
///
/// # Errors
/// `validation_failed` on `database-url`; `unavailable` when the roots cannot be read.
pub(super) fn read(url: &str) -> Result<(Config, MakeRustlsConnect)> {
    let Asked { url, check, roots } = ask(url)?;
    let config = url.parse().map_err(|cause: postgres::Error| {
        Error::invalid("database-url", "Must be postgres://user:password@host:port/name.").with_source(cause)
    })?;
    Ok((config, MakeRustlsConnect::new(client(check, roots.as_deref())?)))
}

/// What a URL asks for.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    /// The URL with what the client understands.
    url: String,
    check: Check,
    /// The file of the roots; `None` for the system's.
    roots: Option<String>,
}

fn ask(url: &str) -> Result<Asked> {
    let wrong = |text: String| Error::invalid("database-url", text);
    if !url.contains("://") {
        // The other form, `host=… user=…`, goes to the client as it is. It refuses the words that it does not know.
        return Ok(Asked { url: url.to_owned(), check: Check::Nothing, roots: None });
    }
    let (address, query) = url.split_once('?').unwrap_or((url, ""));
    let (mut mode, mut roots, mut rest) = (None, None, Vec::new());
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = percent_decode_str(value).decode_utf8().map_err(|_| wrong(format!("`{name}` must be UTF-8 text.")))?;
        match name {
            MODE => mode = Some(value.into_owned()),
            ROOTS => roots = Some(value.into_owned()),
            _ => rest.push(pair.to_owned()),
        }
    }
    let system = roots.as_deref() == Some("system");
    // PostgreSQL's client takes no less than the whole check with the system's roots, which vouch for anybody's certificate.
    let mode = mode.unwrap_or_else(|| if system { "verify-full" } else { "prefer" }.to_owned());
    let check = match (mode.as_str(), &roots) {
        ("verify-full", _) => Check::Name,
        (_, Some(_)) if system => return Err(wrong(format!("`{ROOTS}=system` needs `{MODE}=verify-full`."))),
        ("verify-ca", _) | ("require", Some(_)) => Check::Chain,
        ("disable" | "prefer" | "require", _) => Check::Nothing,
        _ => return Err(wrong(format!("`{MODE}` must be disable, prefer, require, verify-ca or verify-full."))),
    };
    rest.push(format!("{MODE}={}", if check == Check::Nothing { &mode } else { "require" }));
    Ok(Asked { url: format!("{address}?{}", rest.join("&")), check, roots: roots.filter(|_| !system) })
}

fn client(check: Check, roots: Option<&str>) -> Result<ClientConfig> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
    let inner = match check {
        Check::Nothing => None,
        Check::Chain | Check::Name => {
            let roots = Arc::new(roots.map_or_else(|| Ok(systems_roots()), roots_of)?);
            Some(WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider)).build().map_err(|cause| {
                Error::unavailable("This system trusts no certificate authority. Give sslrootcert= in the database's URL.", 1)
                    .with_source(cause)
            })?)
        }
    };
    let verifier = Arc::new(Verifier { check, inner, provider });
    Ok(builder.map_err(Error::internal)?.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

/// The roots of the operating system; those that cannot be read are left out.
fn systems_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

fn roots_of(file: &str) -> Result<RootCertStore> {
    let unusable = |cause: Box<dyn std::error::Error + Send + Sync>| {
        Error::unavailable(format!("{file} cannot be used as sslrootcert. It must be a readable PEM file of certificates."), 1)
            .with_source(cause)
    };
    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_file_iter(file).map_err(|cause| unusable(cause.into()))? {
        roots.add(root.map_err(|cause| unusable(cause.into()))?).map_err(|cause| unusable(cause.into()))?;
    }
    if roots.is_empty() { Err(unusable("there is no certificate in it".into())) } else { Ok(roots) }
}

/// The check that was asked for, by rustls's own verifier.
#[derive(Debug)]
struct Verifier {
    check: Check,
    inner: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(inner) = &self.inner else { return Ok(ServerCertVerified::assertion()) };
        match inner.verify_server_cert(certificate, others, name, ocsp, now) {
            // The name is looked at last: the chain was found good.
            Err(rustls::Error::InvalidCertificate(CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }))
                if self.check == Check::Chain =>
            {
                Ok(ServerCertVerified::assertion())
            }
            checked => checked,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::{Check, ask};

    #[test]
    fn each_mode_means_what_it_means_to_postgres() {
        let cases = [
            ("", "prefer", Check::Nothing, None),
            ("?sslmode=disable", "disable", Check::Nothing, None),
            ("?sslmode=require", "require", Check::Nothing, None),
            ("?sslmode=require&sslrootcert=%2Fetc%2Froot.pem", "require", Check::Chain, Some("/etc/root.pem")),
            ("?sslmode=verify-ca&sslrootcert=r.pem", "require", Check::Chain, Some("r.pem")),
            ("?sslmode=verify-full", "require", Check::Name, None),
            ("?sslmode=verify-full&sslrootcert=system", "require", Check::Name, None),
            ("?sslrootcert=system", "require", Check::Name, None),
        ];
        for (query, mode, check, roots) in cases {
            let asked = ask(&format!("postgres://u:p@h/d{query}")).unwrap();
            assert_eq!(asked.url, format!("postgres://u:p@h/d?sslmode={mode}"), "{query}");
            assert_eq!((asked.check, asked.roots.as_deref()), (check, roots), "{query}");
        }
        let kept = ask("postgres://u@h/d?connect_timeout=3&sslmode=verify-full&options=-c%20a%3Db").unwrap();
        assert_eq!(kept.url, "postgres://u@h/d?connect_timeout=3&options=-c%20a%3Db&sslmode=require");
        assert_eq!(ask("host=h user=u").unwrap().url, "host=h user=u");
    }

    #[test]
    fn what_would_check_nothing_unnoticed_is_refused() {
        for query in
            ["sslmode=verify", "sslmode=allow", "sslmode=", "sslmode=require&sslrootcert=system", "sslmode=disable&sslrootcert=system"]
        {
            let error = ask(&format!("postgres://h/d?{query}")).unwrap_err();
            assert_eq!(error.fields()[0].name, "database-url", "{query}");
        }
    }
}
