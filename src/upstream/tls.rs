//! TLS towards a `grpcs://` or `wss://` service. Knows files and rustls, and no calls.

use super::error::AttemptError;
use crate::{
    route::{Remote, Tls},
    tls::client_config,
};
use rustls_pki_types::ServerName;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

/// Shakes hands with `remote` over `tcp`, for the protocol `alpn` where one must be agreed on. The files are read anew each time, so that a rotated one is in force
/// with the next connection.
pub(super) async fn handshake(
    tcp: TcpStream,
    remote: &Remote,
    tls: &Tls,
    alpn: Option<&'static str>,
) -> Result<TlsStream<TcpStream>, AttemptError> {
    let name = tls.server_name.as_deref().unwrap_or(&remote.host).to_owned();
    let name = ServerName::try_from(name.clone())
        .map_err(|_| AttemptError::Tls(format!("{name} is no server name")))?;
    let files = tls.clone();
    // Files block, and the system's authorities are many.
    let config = tokio::task::spawn_blocking(move || client_config(&files, alpn))
        .await
        .map_err(|error| AttemptError::Tls(error.to_string()))?
        .map_err(|error| AttemptError::Tls(error.to_string()))?;
    let stream = TlsConnector::from(Arc::new(config))
        .connect(name, tcp)
        .await
        .map_err(|error| AttemptError::Tls(error.to_string()))?;
    match alpn {
        Some(wanted) if stream.get_ref().1.alpn_protocol() != Some(wanted.as_bytes()) => {
            Err(AttemptError::Tls(format!("the service does not offer ALPN {wanted}")))
        }
        Some(_) | None => Ok(stream),
    }
}
