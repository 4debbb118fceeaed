//! TLS for servers, workers and the manager client: certificates and keys as PEM text.

use tonic::transport::{Certificate, ClientTlsConfig, Identity, ServerTlsConfig};

/// A server's certificate and key, and who may come.
#[derive(Debug, Clone)]
#[must_use = "give it to `Server::tls`"]
pub struct ServerTls(ServerTlsConfig);

impl ServerTls {
    /// With this certificate, the chain below it included, and its key.
    pub fn new(certificate: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Self {
        Self(ServerTlsConfig::new().identity(Identity::from_pem(certificate, key)))
    }

    /// Refuses connections without a client certificate of this authority.
    pub fn client_authority(self, certificates: impl AsRef<[u8]>) -> Self {
        Self(self.0.client_ca_root(Certificate::from_pem(certificates)))
    }

    pub(crate) fn into_config(self) -> ServerTlsConfig {
        self.0
    }
}

/// Whom a worker, or a manager client, trusts, and the certificate that it shows.
#[derive(Debug, Clone)]
#[must_use = "give it to `Worker::tls`, or `ManagerBuilder::tls`"]
pub struct ClientTls(ClientTlsConfig, Option<String>);

impl ClientTls {
    /// Trusts certificates of this authority.
    pub fn new(authority: impl AsRef<[u8]>) -> Self {
        Self(ClientTlsConfig::new().ca_certificate(Certificate::from_pem(authority)), None)
    }

    /// Shows this certificate.
    pub fn identity(self, certificate: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Self {
        Self(self.0.identity(Identity::from_pem(certificate, key)), self.1)
    }

    /// The name that the bridge's certificate must have; that of the address unless set.
    pub fn server_name(self, name: impl Into<String>) -> Self {
        Self(self.0, Some(name.into()))
    }

    pub(crate) fn to_config(&self, host: &str) -> ClientTlsConfig {
        self.0.clone().domain_name(self.1.as_deref().unwrap_or(host))
    }
}
