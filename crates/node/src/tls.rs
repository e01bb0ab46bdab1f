//! TLS: what we show to who comes, and what we want to see from whom we call.

use core::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::version::{TLS12, TLS13};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig,
    SignatureScheme, SupportedProtocolVersion,
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};
use tracing::{debug, warn};

use crate::certificate::{self, BadCertificate, Certificate, CertificateFiles, Part};
use crate::error::StartError;
use crate::limits;

/// RFC 8996: nothing older.
const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];

/// The node's side of all secure connections.
#[derive(Debug)]
pub(crate) struct Tls {
    ours: Option<Ours>,
    theirs: Theirs,
}

/// How we show who we are.
struct Ours {
    certificate: Arc<Certificate>,
    acceptor: TlsAcceptor,
}

/// Whom we believe.
#[derive(Debug)]
struct Theirs {
    provider: Arc<CryptoProvider>,
    /// A file of roots besides the system's.
    roots: Option<PathBuf>,
    /// Made when it is first needed: the system has hundreds of roots.
    config: Mutex<Option<Arc<ClientConfig>>>,
}

impl Tls {
    /// Reads what the settings name.
    pub(crate) fn new(
        files: Option<CertificateFiles>,
        roots: Option<PathBuf>,
    ) -> Result<Tls, StartError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let theirs = Theirs { provider: Arc::clone(&provider), roots, config: Mutex::default() };
        // A bad file is told now, not by the first call of the night.
        theirs.own_roots().map_err(|why| StartError::setting("tls_roots", why))?;
        let ours = files.map(|files| Ours::new(files, provider)).transpose()?;
        Ok(Tls { ours, theirs })
    }

    /// The certificate that we show, if there is one.
    pub(crate) fn certificate(&self) -> Option<&Arc<Certificate>> {
        self.ours.as_ref().map(|ours| &ours.certificate)
    }

    /// The handshake with who has come. `None`: it failed.
    pub(crate) async fn accept(&self, stream: TcpStream) -> Option<server::TlsStream<TcpStream>> {
        let acceptor = &self.ours.as_ref()?.acceptor;
        match acceptor.accept(stream).await {
            Ok(stream) => Some(stream),
            Err(error) => {
                debug!(%error, "a TLS handshake failed");
                None
            }
        }
    }

    /// The handshake with whom we call: its certificate must be good for `name`, or for its
    /// address when there is none. `None`: it failed.
    pub(crate) async fn connect(
        &self,
        stream: TcpStream,
        remote: SocketAddr,
        name: Option<&str>,
    ) -> Option<client::TlsStream<TcpStream>> {
        let name = match name {
            Some(name) => ServerName::try_from(name.to_owned()).ok()?,
            None => ServerName::from(remote.ip()),
        };
        let config = self.theirs.config()?;
        match TlsConnector::from(config).connect(name, stream).await {
            Ok(stream) => Some(stream),
            Err(error) => {
                // The operator has to know why a trunk cannot be used.
                warn!(%remote, %error, "a TLS connection cannot be made");
                None
            }
        }
    }

    /// Forgets the roots, so that they are read again when they are next needed.
    pub(crate) fn forget_roots(&self) {
        *self.theirs.config.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Ours {
    fn new(files: CertificateFiles, provider: Arc<CryptoProvider>) -> Result<Ours, StartError> {
        let certificate = Certificate::read(files, Arc::clone(&provider)).map_err(refused)?;
        let certificate = Arc::new(certificate);
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&VERSIONS)
            .map_err(|error| StartError::setting("tls_certificate", error.to_string()))?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&certificate) as Arc<_>);
        Ok(Ours { certificate, acceptor: TlsAcceptor::from(Arc::new(config)) })
    }
}

impl fmt::Debug for Ours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.certificate.fmt(f)
    }
}

fn refused(bad: BadCertificate) -> StartError {
    let setting = match bad.part {
        Part::Certificate => "tls_certificate",
        Part::Key => "tls_key",
    };
    StartError::setting(setting, bad.to_string())
}

impl Theirs {
    fn config(&self) -> Option<Arc<ClientConfig>> {
        let mut config = self.config.lock().unwrap_or_else(PoisonError::into_inner);
        if config.is_none() {
            match self.build() {
                Ok(built) => *config = Some(Arc::new(built)),
                Err(error) => warn!(error, "no peer's certificate can be checked"),
            }
        }
        config.clone()
    }

    fn build(&self) -> Result<ClientConfig, String> {
        let mut roots = RootCertStore::empty();
        let system = rustls_native_certs::load_native_certs();
        if let Some(error) = system.errors.first() {
            warn!(%error, "not all of the system's roots can be read");
        }
        roots.add_parsable_certificates(system.certs);
        for root in self.own_roots()? {
            roots.add(root).map_err(|error| error.to_string())?;
        }
        let provider = Arc::clone(&self.provider);
        let inner =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                .build()
                .map_err(|error| error.to_string())?;
        Ok(ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&VERSIONS)
            .map_err(|error| error.to_string())?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Verifier { inner }))
            .with_no_client_auth())
    }

    fn own_roots(&self) -> Result<Vec<CertificateDer<'static>>, String> {
        let Some(path) = &self.roots else { return Ok(Vec::new()) };
        let named = |why: String| format!("{}: {why}", path.display());
        let text = certificate::read(path).map_err(|error| named(error.to_string()))?;
        certificate::certificates(&text).map_err(named)
    }
}

/// The library's verifier, with a bound on what it is given.
#[derive(Debug)]
struct Verifier {
    inner: Arc<WebPkiServerVerifier>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let bytes = end_entity.len() + intermediates.iter().map(|c| c.len()).sum::<usize>();
        if bytes > limits::CERTIFICATE_CHAIN_BYTES_MAX {
            return Err(CertificateError::ApplicationVerificationFailure.into());
        }
        self.inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

#[cfg(test)]
pub(crate) mod tests;
