//! TLS towards a `grpcs://` or `wss://` service. Knows no files and no calls.

use super::error::AttemptError;
use crate::{
    route::{Remote, Tls},
    tls,
};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// Shakes hands with `remote` over `tcp`, for the protocol `alpn` where one must be agreed on.
pub(super) async fn handshake(
    tcp: TcpStream,
    remote: &Remote,
    tls: &Tls,
    alpn: Option<&'static str>,
) -> Result<TlsStream<TcpStream>, AttemptError> {
    let stream = tls::handshake(tcp, &remote.host, tls, alpn)
        .await
        .map_err(|error| AttemptError::Tls(error.to_string()))?;
    match alpn {
        Some(wanted) if stream.get_ref().1.alpn_protocol() != Some(wanted.as_bytes()) => {
            Err(AttemptError::Tls(format!("the service does not offer ALPN {wanted}")))
        }
        Some(_) | None => Ok(stream),
    }
}
