//! TLS beside programs that do not speak it: certificates in files that are replaced, and hops of TCP that put TLS on, or take
//! it off. Knows rustls; nothing of calls.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{ClientConfig, RootCertStore, ServerConfig, crypto::ring};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _};
use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncRead, AsyncWrite, copy_bidirectional},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// `ca.pem`, and `cert.pem` with `key.pem` for `localhost`, in a folder.
pub(crate) struct Files(TempDir);

/// A hop, until it is dropped.
pub(crate) struct Hop {
    pub(crate) address: SocketAddr,
    task: JoinHandle<()>,
}

impl Files {
    pub(crate) fn new() -> Self {
        let files = Self(TempDir::new().unwrap());
        files.replace();
        files
    }

    /// All of them, by those of another authority, which knows nothing of the one before.
    pub(crate) fn replace(&self) {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let cert = params.signed_by(&key, &ca).unwrap();
        for (name, text) in
            [("ca.pem", ca.pem()), ("cert.pem", cert.pem()), ("key.pem", key.serialize_pem())]
        {
            fs::write(self.path(name), text).unwrap();
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn chain(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let cert = CertificateDer::from_pem_file(self.path("cert.pem")).unwrap();
        (vec![cert], PrivateKeyDer::from_pem_file(self.path("key.pem")).unwrap())
    }

    fn server(&self) -> ServerConfig {
        let (chain, key) = self.chain();
        let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        let mut config = builder.with_single_cert(chain, key).unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config
    }

    /// It trusts this authority and no other, and shows the certificate of `own`.
    fn client(&self, own: &Self) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.path("ca.pem")).unwrap()).unwrap();
        let (chain, key) = own.chain();
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let builder = builder.with_root_certificates(roots);
        let mut config = builder.with_client_auth_cert(chain, key).unwrap();
        config.alpn_protocols = vec![b"h2".to_vec()];
        config
    }
}

impl Hop {
    /// Takes TLS off what comes, with the files as they are then, and passes it on to `target`.
    pub(crate) async fn unwrapping(files: Arc<Files>, target: SocketAddr) -> Self {
        Self::start(target, move |from, to| {
            let acceptor = TlsAcceptor::from(Arc::new(files.server()));
            async move {
                if let Ok(from) = acceptor.accept(from).await {
                    pass(from, to).await;
                }
            }
        })
        .await
    }

    /// Puts TLS on what comes: `server` is who is trusted, `own` who this is, as the files are then.
    pub(crate) async fn wrapping(server: Arc<Files>, own: Arc<Files>, target: SocketAddr) -> Self {
        Self::start(target, move |from, to| {
            let connector = TlsConnector::from(Arc::new(server.client(&own)));
            async move {
                let name = ServerName::try_from("localhost").unwrap();
                if let Ok(to) = connector.connect(name, to).await {
                    pass(from, to).await;
                }
            }
        })
        .await
    }

    async fn start<F: Future<Output = ()> + Send + 'static>(
        target: SocketAddr,
        carry: impl Fn(TcpStream, TcpStream) -> F + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            while let Ok((from, _)) = listener.accept().await {
                if let Ok(to) = TcpStream::connect(target).await {
                    tokio::spawn(carry(from, to));
                }
            }
        });
        Self { address, task }
    }
}

impl Drop for Hop {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass(
    mut from: impl AsyncRead + AsyncWrite + Unpin,
    mut to: impl AsyncRead + AsyncWrite + Unpin,
) {
    let _ = copy_bidirectional(&mut from, &mut to).await;
}

/// For YAML.
pub(crate) fn quoted(path: &Path) -> String {
    format!("\"{}\"", path.display())
}
