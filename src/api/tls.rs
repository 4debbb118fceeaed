//! TLS towards workers: the bridge's certificate, and what their certificates are checked against. Knows files and rustls.

use super::Tls;
use rustls::{
    RootCertStore, ServerConfig,
    crypto::ring,
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use std::{fmt::Display, path::Path, sync::Arc};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, server::TlsStream};

/// Shakes hands with a worker. The files are read anew each time, so that a rotated one is in force with the next connection.
/// Fails with what is wrong.
pub(super) async fn handshake(
    tcp: TcpStream,
    tls: Arc<Tls>,
) -> Result<TlsStream<TcpStream>, String> {
    // Files block.
    let config = tokio::task::spawn_blocking(move || server_config(&tls))
        .await
        .map_err(|error| error.to_string())??;
    TlsAcceptor::from(Arc::new(config)).accept(tcp).await.map_err(|error| error.to_string())
}

/// What a handshake begins with; fails with the file that is not in order.
pub(super) fn server_config(tls: &Tls) -> Result<ServerConfig, String> {
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let verifier: Arc<dyn ClientCertVerifier> = match &tls.client_ca {
        None => WebPkiClientVerifier::no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(path)? {
                roots.add(certificate).map_err(|error| unusable(path, &error))?;
            }
            // A worker without one may still show a token.
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .allow_unauthenticated()
                .build()
                .map_err(|error| unusable(path, &error))?
        }
    };
    let chain = certificates(&tls.cert)?;
    let key =
        PrivateKeyDer::from_pem_slice(&read(&tls.key)?).map_err(|e| unusable(&tls.key, &e))?;
    let mut config = builder
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .map_err(|error| unusable(&tls.cert, &error))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Vec<_> = CertificateDer::pem_slice_iter(&read(path)?)
        .collect::<Result<_, _>>()
        .map_err(|error| unusable(path, &error))?;
    if found.is_empty() {
        return Err(unusable(path, &"no certificate in it"));
    }
    Ok(found)
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| unusable(path, &error))
}

fn unusable(path: &Path, why: &dyn Display) -> String {
    format!("{}: {why}", path.display())
}
