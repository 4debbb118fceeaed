//! What a TLS client needs: authorities, its own certificate, one crypto provider. Knows files and rustls, and no peers.

mod kept;
mod server;

pub use kept::refused_files;
pub use server::{Acceptor, ServerTls};

use crate::route::Tls;
use kept::Kept;
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _};
use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// A connection, plain or TLS.
pub(crate) type Socket = Box<dyn Stream>;

/// What a connection can do.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A file of certificates or keys is of no use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TlsError(String);

/// Shakes hands with `host` over `tcp`, for the protocol `alpn` where one must be agreed on.
///
/// # Errors
/// When a file is of no use, or the other side is not who it should be.
pub async fn handshake(
    tcp: TcpStream,
    host: &str,
    tls: &Tls,
    alpn: Option<&'static str>,
) -> Result<TlsStream<TcpStream>, TlsError> {
    let name = tls.server_name.as_deref().unwrap_or(host).to_owned();
    let name = ServerName::try_from(name.clone())
        .map_err(|_| TlsError(format!("{name} is no server name")))?;
    let files = tls.clone();
    // Files block, and the system's authorities are many.
    let config = tokio::task::spawn_blocking(move || client_config(&files, alpn))
        .await
        .map_err(|error| TlsError(error.to_string()))??;
    TlsConnector::from(config).connect(name, tcp).await.map_err(|error| TlsError(error.to_string()))
}

/// For a client that trusts and shows what `tls` says; `alpn`: the protocol that the server must agree to. The files are looked
/// at each time: it blocks.
///
/// # Errors
/// When a file is of no use, and was not before.
pub fn client_config(tls: &Tls, alpn: Option<&'static str>) -> Result<Arc<ClientConfig>, TlsError> {
    type Known = HashMap<(Tls, Option<&'static str>), Arc<Kept<Arc<ClientConfig>>>>;
    /// As many as configurations have named since the start.
    static KNOWN: OnceLock<Mutex<Known>> = OnceLock::new();
    let kept = {
        let mut known =
            KNOWN.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
        let files = || [&tls.ca, &tls.cert, &tls.key].into_iter().flatten().cloned().collect();
        let kept = known.entry((tls.clone(), alpn)).or_insert_with(|| Arc::new(Kept::new(files())));
        Arc::clone(kept)
    };
    kept.get(|| made(tls, alpn).map(Arc::new))
}

fn made(tls: &Tls, alpn: Option<&'static str>) -> Result<ClientConfig, TlsError> {
    let roots = match &tls.ca {
        Some(path) => Arc::new(authorities(path)?),
        None => system_authorities()?,
    };
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError(error.to_string()))?
        .with_root_certificates(roots);
    let mut config = match (&tls.cert, &tls.key) {
        (Some(cert), Some(path)) => builder
            .with_client_auth_cert(certificates(cert)?, key(path)?)
            .map_err(|error| unusable(cert, &error))?,
        (None | Some(_), None) | (None, Some(_)) => builder.with_no_client_auth(),
    };
    config.alpn_protocols = alpn.map(|name| name.as_bytes().to_vec()).into_iter().collect();
    Ok(config)
}

fn authorities(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|error| unusable(path, &error))?;
    }
    Ok(roots)
}

/// Read once: they belong to the image, and reading them takes long.
fn system_authorities() -> Result<Arc<RootCertStore>, TlsError> {
    static SYSTEM: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    let roots = SYSTEM.get_or_init(|| {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Arc::new(roots)
    });
    if roots.is_empty() {
        return Err(TlsError("the system has no authorities: set tls.ca".into()));
    }
    Ok(roots.clone())
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Vec<_> = CertificateDer::pem_slice_iter(&read(path)?)
        .collect::<Result<_, _>>()
        .map_err(|error| unusable(path, &error))?;
    if found.is_empty() {
        return Err(unusable(path, &"no certificate in it"));
    }
    Ok(found)
}

fn key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(&read(path)?).map_err(|error| unusable(path, &error))
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|error| unusable(path, &error))
}

fn unusable(path: &Path, why: &dyn std::fmt::Display) -> TlsError {
    TlsError(format!("{}: {why}", path.display()))
}
