//! TLS of the server's own connections: where the certificate comes from, and the handshake. rustls with aws-lc-rs, TLS 1.2 and 1.3,
//! HTTP/1.1 alone: the limits of connections are made for it, and a client loses nothing by it.

mod acme;
mod files;

use std::path::Path;
use std::sync::Arc;

use parlance_app::Tasks;
use parlance_model::clock::SharedClock;
use parlance_model::{Error, Result};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::ResolvesServerCert;
use rustls_acme::acme::ACME_TLS_ALPN_NAME;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use acme::Acme;
use files::Files;

use crate::cli::TlsArgs;

const HTTP: &[u8] = b"http/1.1";

/// The certificate's source and what shakes hands with it.
pub(crate) struct Tls {
    acceptor: Acceptor,
    source: Source,
}

enum Source {
    Files(Files),
    Acme(Box<Acme>),
}

impl Tls {
    /// What the flags ask for; `None` for plain http. Automatic certificates are kept in `folder`.
    ///
    /// # Errors
    /// `validation_failed` for a wrong domain or contact; `bad_certificate` for files that cannot be used; `unavailable` for the folder.
    pub(crate) fn of(args: &TlsArgs, folder: &Path, clock: SharedClock) -> Result<Option<Self>> {
        let (resolver, source): (Arc<dyn ResolvesServerCert>, _) = match (&args.tls_cert, &args.tls_key) {
            (Some(certificate), Some(key)) => {
                let files = Files::open(certificate, key, clock)?;
                (files.resolver(), Source::Files(files))
            }
            _ if !args.acme.is_empty() => {
                let acme = Acme::new(args, folder)?;
                (acme.resolver(), Source::Acme(Box::new(acme)))
            }
            _ if args.redirect_http.is_some() => {
                return Err(Error::invalid("redirect-http", "Needs --tls-cert and --tls-key, or --acme."));
            }
            _ => return Ok(None),
        };
        Ok(Some(Self { acceptor: Acceptor::new(resolver)?, source }))
    }

    /// What `--public-url` is without the flag, where the certificate says it: the first domain of `--acme`.
    pub(crate) fn public_url(&self) -> Option<String> {
        match &self.source {
            Source::Files(_) => None,
            Source::Acme(acme) => Some(format!("https://{}", acme.domain())),
        }
    }

    /// Starts what keeps the certificate fresh, and answers what shakes hands with it.
    pub(crate) fn start(self, tasks: &Tasks) -> Acceptor {
        let own = tasks.clone();
        match self.source {
            Source::Files(files) => tasks.spawn(async move { files.watch(&own).await }),
            Source::Acme(acme) => tasks.spawn(async move { acme.run(&own).await }),
        };
        self.acceptor
    }
}

/// What shakes hands.
#[derive(Clone)]
pub(crate) struct Acceptor(TlsAcceptor);

impl Acceptor {
    pub(crate) fn new(resolver: Arc<dyn ResolvesServerCert>) -> Result<Self> {
        let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider())).with_safe_default_protocol_versions();
        let mut config = builder.map_err(Error::internal)?.with_no_client_auth().with_cert_resolver(resolver);
        config.alpn_protocols = vec![HTTP.to_vec(), ACME_TLS_ALPN_NAME.to_vec()];
        Ok(Self(TlsAcceptor::from(Arc::new(config))))
    }

    /// Shakes hands. `None` when it served to prove our domain to the certificate authority (RFC 8737) and is over.
    ///
    /// # Errors
    /// The client's or the network's.
    pub(crate) async fn accept<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S) -> std::io::Result<Option<TlsStream<S>>> {
        let stream = self.0.accept(stream).await?;
        let proof = stream.get_ref().1.alpn_protocol() == Some(ACME_TLS_ALPN_NAME);
        Ok((!proof).then_some(stream))
    }
}
