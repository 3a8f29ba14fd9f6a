//! The flags of TLS.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use url::Url;

/// How the server's own connections are encrypted.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "TLS")]
pub(crate) struct TlsArgs {
    /// Serve https with this certificate chain (PEM, own certificate first). A renewed file is taken up within a minute
    #[arg(long, value_name = "FILE", env = "PARLANCE_TLS_CERT", requires = "tls_key", conflicts_with = "acme")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// The private key of the certificate (PEM)
    #[arg(long, value_name = "FILE", env = "PARLANCE_TLS_KEY", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Serve https with an automatic certificate for this domain. Giving it accepts the terms of the certificate authority (Let's
    /// Encrypt: letsencrypt.org/repository). The internet must reach --listen as port 443 of the domain. May be repeated
    #[arg(long, value_name = "DOMAIN", env = "PARLANCE_ACME", value_delimiter = ',')]
    pub(crate) acme: Vec<String>,
    /// Where the certificate authority may write about the certificate: mailto:ann@example.com. May be repeated
    #[arg(long, value_name = "MAILTO", env = "PARLANCE_ACME_CONTACT", value_delimiter = ',', requires = "acme")]
    pub(crate) acme_contact: Vec<String>,
    /// The certificate authority, by the URL of its ACME directory. Let's Encrypt for trying out:
    /// <https://acme-staging-v02.api.letsencrypt.org/directory>
    #[arg(long, value_name = "URL", env = "PARLANCE_ACME_DIRECTORY", default_value = rustls_acme::acme::LETS_ENCRYPT_PRODUCTION_DIRECTORY)]
    pub(crate) acme_directory: Url,
    /// Listen here for http too, and send browsers to https. Hooks and calls with a key are refused there
    #[arg(long, value_name = "ADDR", env = "PARLANCE_REDIRECT_HTTP")]
    pub(crate) redirect_http: Option<SocketAddr>,
}
