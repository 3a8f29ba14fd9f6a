//! Automatic certificates (RFC 8555): had from a certificate authority by proof over TLS itself (TLS-ALPN-01, RFC 8737), kept in the
//! data folder, and renewed after two thirds of their time.

use std::path::Path;
use std::sync::Arc;

use futures::StreamExt as _;
use parlance_app::Tasks;
use parlance_model::{Error, Result};
use parlance_store::make_folder;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{DnsName, ServerName};
use rustls::server::ResolvesServerCert;
use rustls::{ClientConfig, RootCertStore};
use rustls_acme::caches::DirCache;
use rustls_acme::{AcmeConfig, AcmeState, EventOk};

use crate::cli::TlsArgs;

/// Where certificates and the key of the account with the authority are kept, in the data folder.
const FOLDER: &str = "acme";

/// The conversation with the authority.
pub(super) struct Acme {
    domains: Vec<String>,
    state: AcmeState<std::io::Error>,
}

impl Acme {
    /// # Errors
    /// `validation_failed`; `unavailable` for the folder.
    pub(super) fn new(args: &TlsArgs, folder: &Path) -> Result<Self> {
        let domains = args.acme.iter().map(|domain| checked(domain)).collect::<Result<Vec<_>>>()?;
        let contacts = args.acme_contact.iter().map(|contact| mailto(contact)).collect::<Result<Vec<_>>>()?;
        if args.acme_directory.scheme() != "https" {
            return Err(Error::invalid("acme-directory", "Must be an https URL."));
        }
        let kept = folder.join(FOLDER);
        make_folder(&kept)?;
        let config = AcmeConfig::new_with_client_config(&domains, Arc::new(client()?))
            .contact(contacts)
            .directory(&args.acme_directory)
            .cache(DirCache::new(kept));
        Ok(Self { domains, state: config.state() })
    }

    pub(super) fn resolver(&self) -> Arc<dyn ResolvesServerCert> {
        self.state.resolver()
    }

    /// The first domain.
    pub(super) fn domain(&self) -> &str {
        &self.domains[0]
    }

    /// Gets, keeps and renews the certificate until the server stops.
    pub(super) async fn run(mut self, tasks: &Tasks) {
        let domains = self.domains.join(", ");
        loop {
            let event = tokio::select! {
                event = self.state.next() => event,
                () = tasks.stopping() => return,
            };
            match event {
                None => return,
                Some(Ok(EventOk::DeployedCachedCert)) => tracing::info!(domains, "the kept certificate is served"),
                Some(Ok(EventOk::DeployedNewCert)) => tracing::info!(domains, "a new certificate is served"),
                Some(Ok(EventOk::CertCacheStore | EventOk::AccountCacheStore)) => {}
                Some(Err(error)) => tracing::warn!(
                    %error,
                    domains,
                    "no certificate was had; it is tried again. The authority must reach this server as port 443 of each domain"
                ),
            }
        }
    }
}

/// A domain in the form that certificates have.
fn checked(domain: &str) -> Result<String> {
    let domain = domain.trim().trim_end_matches('.').to_ascii_lowercase();
    let is_name = DnsName::try_from(domain.as_str()).is_ok() && matches!(ServerName::try_from(domain.as_str()), Ok(ServerName::DnsName(_)));
    if is_name && domain.contains('.') {
        return Ok(domain);
    }
    Err(Error::invalid(
        "acme",
        format!("{domain:?} must be a domain that the internet knows, such as chat.example.com, without a wildcard."),
    ))
}

fn mailto(contact: &str) -> Result<String> {
    let contact = contact.trim();
    let address = contact.strip_prefix("mailto:").unwrap_or(contact);
    let address = parlance_model::org::check_email(address);
    address.map(|address| format!("mailto:{address}")).map_err(|_| Error::invalid("acme-contact", "Must be like mailto:ann@example.com."))
}

/// How the authority is called: trusted by the system's roots, so that a private authority is one that the system trusts.
fn client() -> Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider())).with_safe_default_protocol_versions();
    Ok(builder.map_err(Error::internal)?.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::{checked, mailto};

    #[test]
    fn only_domains_that_can_have_a_certificate_are_taken() {
        assert_eq!(checked(" Chat.Example.com. ").unwrap(), "chat.example.com");
        for wrong in
            ["", "localhost", "*.example.com", "192.0.2.1", "::1", "a b.example.com", "https://chat.example.com", "chat.example.com:443"]
        {
            assert!(checked(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_contact_is_an_address_with_or_without_its_scheme() {
        assert_eq!(mailto("ann@example.com").unwrap(), "mailto:ann@example.com");
        assert_eq!(mailto("mailto:Ann@example.com").unwrap(), "mailto:ann@example.com");
        assert!(mailto("tel:+15551234567").is_err());
    }
}
