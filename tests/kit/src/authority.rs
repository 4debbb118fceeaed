//! An authority that vouches for whoever a test wants, also for whom no good one would. Knows no TLS but to serve by it.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::{ServerConfig, crypto::ring};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use std::{path::Path, sync::Arc};

/// The authority, with a key of its own.
#[derive(Debug)]
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, as PEM.
#[derive(Debug, Clone)]
pub struct Pair {
    /// The certificate.
    pub cert: String,
    /// Its private key.
    pub key: String,
}

/// When a certificate is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Time {
    /// Since long, and for long.
    Now,
    /// No more.
    Past,
    /// Not yet.
    Future,
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Authority {
    /// A new one.
    ///
    /// # Panics
    /// Without randomness.
    #[must_use]
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::<String>::new()).expect("no name is wrong");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("there is randomness");
        Self(CertifiedIssuer::self_signed(params, key).expect("the key is good"))
    }

    /// Its certificate, as PEM.
    #[must_use]
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// For whoever bears this name, an IP address or a DNS name.
    #[must_use]
    pub fn issue(&self, name: &str) -> Pair {
        self.issue_for(name, Time::Now)
    }

    /// As `issue`, for a time.
    ///
    /// # Panics
    /// With a name that is none.
    #[must_use]
    pub fn issue_for(&self, name: &str, time: Time) -> Pair {
        let key = KeyPair::generate().expect("there is randomness");
        let mut params = CertificateParams::new([name.to_owned()]).expect("a name");
        match time {
            Time::Now => {}
            Time::Past => params.not_after = date_time_ymd(2001, 1, 1),
            Time::Future => params.not_before = date_time_ymd(3001, 1, 1),
        }
        let cert = params.signed_by(&key, &self.0).expect("the key is good");
        Pair { cert: cert.pem(), key: key.serialize_pem() }
    }

    /// A TLS server for this name.
    ///
    /// # Panics
    /// With a name that is none.
    #[must_use]
    pub fn server(&self, name: &str) -> Arc<ServerConfig> {
        let pair = self.issue(name);
        let cert = CertificateDer::from_pem_slice(pair.cert.as_bytes()).expect("it was made here");
        let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).expect("it was made here");
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("there are some")
            .with_no_client_auth()
            .with_single_cert(vec![cert], key)
            .expect("they belong together");
        Arc::new(config)
    }
}

impl Pair {
    /// Writes `NAME.pem` and `NAME.key`.
    ///
    /// # Panics
    /// When the folder cannot be written.
    pub fn write(&self, folder: &Path, name: &str) {
        std::fs::write(folder.join(name).with_extension("pem"), &self.cert).expect("it is ours");
        std::fs::write(folder.join(name).with_extension("key"), &self.key).expect("it is ours");
    }
}
