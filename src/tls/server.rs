//! What a TLS server needs: its certificate, and what those of its clients are checked against. Knows files and rustls, and no
//! ports.

use super::{Socket, TlsError, authorities, certificates, kept::Kept, key, unusable};
use rustls::{
    ServerConfig,
    crypto::ring,
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};
use rustls_pki_types::CertificateDer;
use std::{path::PathBuf, sync::Arc};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

/// How clients of a port see who the bridge is, and how it checks who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerTls {
    /// PEM file with the bridge's certificate chain.
    pub cert: PathBuf,
    /// PEM file with its private key.
    pub key: PathBuf,
    /// PEM file with the authorities of the clients' certificates; unset: none is asked for.
    pub client_ca: Option<PathBuf>,
}

/// Shakes hands with clients, by the newest files that are in order.
#[derive(Debug)]
pub struct Acceptor {
    tls: ServerTls,
    /// The most welcome first.
    alpn: &'static [&'static str],
    kept: Kept<Arc<ServerConfig>>,
}

impl Acceptor {
    /// Reads the files, and blocks. `alpn`: what is spoken, the most welcome first.
    ///
    /// # Errors
    /// The file that is not in order, and why.
    pub fn new(tls: ServerTls, alpn: &'static [&'static str]) -> Result<Arc<Self>, TlsError> {
        let files = [&tls.cert, &tls.key].into_iter().chain(&tls.client_ca).cloned().collect();
        let acceptor = Self { tls, alpn, kept: Kept::new(files) };
        acceptor.config()?;
        Ok(Arc::new(acceptor))
    }

    /// Looks at the files, and tells of them where they have changed. Blocks.
    pub(crate) fn look(&self) {
        drop(self.config());
    }

    /// The connection, and the certificate that the client showed. Fails with what is wrong.
    pub(crate) async fn accept(
        self: Arc<Self>,
        tcp: TcpStream,
    ) -> Result<(Socket, Option<CertificateDer<'static>>), String> {
        // Files block.
        let config = tokio::task::spawn_blocking(move || self.config())
            .await
            .map_err(|error| error.to_string())?
            .map_err(|error| error.to_string())?;
        let stream =
            TlsAcceptor::from(config).accept(tcp).await.map_err(|error| error.to_string())?;
        let chain = stream.get_ref().1.peer_certificates();
        let certificate = chain.and_then(|chain| chain.first()).map(|it| it.clone().into_owned());
        Ok((Box::new(stream), certificate))
    }

    fn config(&self) -> Result<Arc<ServerConfig>, TlsError> {
        self.kept.get(|| server_config(&self.tls, self.alpn).map(Arc::new))
    }
}

fn server_config(tls: &ServerTls, alpn: &[&str]) -> Result<ServerConfig, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError(error.to_string()))?;
    let verifier: Arc<dyn ClientCertVerifier> = match &tls.client_ca {
        None => WebPkiClientVerifier::no_client_auth(),
        // Whoever has none may still show a token.
        Some(path) => {
            WebPkiClientVerifier::builder_with_provider(Arc::new(authorities(path)?), provider)
                .allow_unauthenticated()
                .build()
                .map_err(|error| unusable(path, &error))?
        }
    };
    let mut config = builder
        .with_client_cert_verifier(verifier)
        .with_single_cert(certificates(&tls.cert)?, key(&tls.key)?)
        .map_err(|error| unusable(&tls.cert, &error))?;
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    Ok(config)
}
