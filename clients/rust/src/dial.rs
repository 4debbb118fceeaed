//! How a bridge's API is dialled, by workers and by the manager client. It knows no service. Errors are texts that say what to change.

#[cfg(feature = "tls")]
use crate::tls::ClientTls;
use std::{fmt, net::SocketAddr, time::Duration};
use tonic::{metadata::AsciiMetadataValue, transport::Endpoint};

const CONNECT: Duration = Duration::from_secs(5);
const PING: Duration = Duration::from_secs(20);
const PONG: Duration = Duration::from_secs(10);
const PAUSE_LEAST: Duration = Duration::from_millis(100);
const PAUSE_MOST: Duration = Duration::from_secs(10);
const WINDOW: u32 = 1 << 20;
const USER_AGENT: &str = concat!("agi-bridge-rust/", env!("CARGO_PKG_VERSION"));

/// A bridge, as the user wrote it.
pub(crate) struct Dial<'a> {
    pub(crate) name: &'a str,
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<&'a ClientTls>,
}

impl Dial<'_> {
    /// At one address of its name, or at any of them.
    pub(crate) fn endpoint(&self, address: Option<SocketAddr>) -> Result<Endpoint, String> {
        let scheme = if self.is_encrypted() { "https" } else { "http" };
        let place = address.map_or_else(|| self.name.to_owned(), |it| it.to_string());
        let setting = |error: &dyn fmt::Display| {
            format!("the bridge {} cannot be dialled: {error}", self.name)
        };
        let origin =
            format!("{scheme}://{}", self.name).parse().map_err(|error| setting(&error))?;
        let endpoint = Endpoint::from_shared(format!("{scheme}://{place}"))
            .and_then(|it| it.origin(origin).user_agent(USER_AGENT))
            .map_err(|error| setting(&error))?
            .connect_timeout(CONNECT)
            .tcp_nodelay(true)
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(WINDOW)
            .http2_keep_alive_interval(PING)
            .keep_alive_timeout(PONG)
            .keep_alive_while_idle(true);
        #[cfg(feature = "tls")]
        if let Some(tls) = self.tls {
            return endpoint
                .tls_config(tls.to_config(host(self.name)))
                .map_err(|error| setting(&error));
        }
        Ok(endpoint)
    }

    #[cfg(feature = "tls")]
    fn is_encrypted(&self) -> bool {
        self.tls.is_some()
    }

    #[cfg(not(feature = "tls"))]
    #[expect(clippy::unused_self, reason = "the other one asks for its settings")]
    fn is_encrypted(&self) -> bool {
        false
    }
}

/// The pauses between tries: each twice as long as the one before, and a little at random.
pub(crate) struct Pauses(Duration);

impl Default for Pauses {
    fn default() -> Self {
        Self(PAUSE_LEAST)
    }
}

impl Pauses {
    pub(crate) fn next(&mut self) -> Duration {
        let pause = self.0.mul_f64(rand::random_range(0.5..1.0));
        self.0 = PAUSE_MOST.min(self.0 * 2);
        pause
    }
}

/// The header that shows a token.
pub(crate) fn bearer(token: &str) -> Result<AsciiMetadataValue, String> {
    format!("Bearer {token}")
        .parse()
        .map_err(|_| "the token has characters that no header can have".to_owned())
}

pub(crate) fn check_address(address: &str) -> Result<(), String> {
    let port = address.rsplit_once(':').and_then(|(host, port)| {
        port.parse::<u16>().ok().filter(|_| !host.is_empty() && !address.contains('/'))
    });
    match port {
        Some(_) => Ok(()),
        None => Err(format!(
            "`{address}` is no address of a bridge: write host and port of its API, as agi-bridge:4575"
        )),
    }
}

/// The host of `host:port`, for the certificate's name.
#[cfg(feature = "tls")]
fn host(name: &str) -> &str {
    let host = name.rsplit_once(':').map_or(name, |(host, _)| host);
    host.trim_start_matches('[').trim_end_matches(']')
}
