//! A certificate authority of the test's own, and the files that it gives out.

use crate::proxy::Certificate;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::{fs, path::PathBuf};
use tempfile::TempDir;

pub(crate) struct Authority {
    folder: TempDir,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let cert = params.signed_by(&key, &ca).unwrap();
        let write = |name: &str, text: String| fs::write(folder.path().join(name), text).unwrap();
        write("ca.pem", ca.pem());
        write("cert.pem", cert.pem());
        write("key.pem", key.serialize_pem());
        Self { folder }
    }

    /// Of whoever is called `localhost`.
    pub(crate) fn certificate(&self) -> Certificate {
        Certificate { cert: self.path("cert.pem"), key: self.path("key.pem") }
    }

    /// How a service of the configuration trusts it.
    pub(crate) fn yaml(&self) -> String {
        format!(", tls: {{ca: \"{}\"}}", self.path("ca.pem").display())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}
