//! TLS both ways.

use super::{
    websocket::{PROTO, accept},
    *,
};
use crate::route::Tls;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{ServerConfig, crypto::ring};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tokio_rustls::TlsAcceptor;
use tonic::transport::{Certificate, Identity, ServerTlsConfig};

/// An authority with a folder to keep files in.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("a certificate");
        Self { issuer, folder: tempfile::tempdir().expect("a folder") }
    }

    fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// Certificate and key for `name`, as PEM.
    fn issue(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new([name.to_owned()]).expect("a name");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        (certificate.pem(), key.serialize_pem())
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        path
    }

    /// Takes WebSockets, and keeps them.
    async fn serve_websockets(&self) -> Server {
        let (cert, key) = self.issue("service.test");
        let cert = CertificateDer::from_pem_slice(cert.as_bytes()).expect("a certificate");
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("a key");
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("a usual provider")
            .with_no_client_auth()
            .with_single_cert(vec![cert], key)
            .expect("a pair");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let (listener, address) = listener().await;
        let task = tokio::spawn(async move {
            let mut sockets = prompt(listener);
            while let Some(Ok(socket)) = sockets.next().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(socket).await else { return };
                    let (mut socket, _) = accept(stream, PROTO).await.expect("a handshake");
                    while socket.next().await.is_some() {}
                });
            }
        });
        Server { address, task: task.abort_handle() }
    }

    async fn serve(&self, clients: Option<&Self>) -> Server {
        let (cert, key) = self.issue("service.test");
        let mut tls = ServerTlsConfig::new().identity(Identity::from_pem(cert, key));
        if let Some(clients) = clients {
            tls = tls.client_ca_root(Certificate::from_pem(clients.pem()));
        }
        let builder = transport::Server::builder().tls_config(tls).expect("a valid setting");
        serve_router({ builder }.add_service(scripted(echo))).await
    }
}

fn secured(server: &Server, tls: Tls) -> (Core, [Arc<Service>; 1]) {
    let mut service = service("127.0.0.1", server.address.port());
    let Target::Grpc(remote) = &mut service.target else { panic!("it is gRPC") };
    remote.tls = Some(Tls { server_name: Some("service.test".to_owned()), ..tls });
    let services = [Arc::new(service)];
    (Core::new(Resolver::system(), &services), services)
}

fn trusting(path: &Path) -> Tls {
    Tls { ca: Some(path.to_owned()), ..Tls::default() }
}

#[tokio::test]
async fn a_service_is_trusted_by_its_authority() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let server = authority.serve(None).await;
    let (core, services) = secured(&server, trusting(&authority.write("ca.pem", &authority.pem())));
    let mut link = core.open(&services).await.expect("taken");
    assert_eq!(recv(&mut link).await, Ok(Some(beat())));

    let (core, services) = secured(&server, trusting(&stranger.write("ca.pem", &stranger.pem())));
    core.open(&services).await.expect_err("not trusted");
    assert!(core.outcomes().iter().all(|outcome| *outcome == "tls"), "{:?}", core.outcomes());
}

#[tokio::test]
async fn a_websocket_service_is_trusted_by_its_authority() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let server = authority.serve_websockets().await;
    let secured = |tls: Tls| {
        let tls = Some(Tls { server_name: Some("service.test".to_owned()), ..tls });
        let remote = Remote { host: "127.0.0.1".into(), port: server.address.port(), tls };
        let target = Target::WebSocket { remote, path: "/".to_owned() };
        let services = [Arc::new(Service { target, ..service("x", 1) })];
        (Core::new(Resolver::system(), &services), services)
    };
    let (core, services) = secured(trusting(&authority.write("ca.pem", &authority.pem())));
    let mut link = core.open(&services).await.expect("taken");
    link.finish();
    assert_eq!(recv(&mut link).await, Ok(None));

    let (core, services) = secured(trusting(&stranger.write("ca.pem", &stranger.pem())));
    core.open(&services).await.expect_err("not trusted");
    assert!(core.outcomes().iter().all(|outcome| *outcome == "tls"), "{:?}", core.outcomes());
}

#[tokio::test]
async fn the_bridge_shows_its_certificate_and_takes_a_rotated_one() {
    let (authority, clients, stranger) = (Authority::new(), Authority::new(), Authority::new());
    let server = authority.serve(Some(&clients)).await;
    let ca = authority.write("ca.pem", &authority.pem());
    let (core, services) = secured(&server, trusting(&ca));
    core.open(&services).await.expect_err("it shows none");

    let (cert, key) = stranger.issue("bridge.test");
    let tls = Tls {
        cert: Some(authority.write("cert.pem", &cert)),
        key: Some(authority.write("key.pem", &key)),
        ..trusting(&ca)
    };
    let (core, services) = secured(&server, tls);
    core.open(&services).await.expect_err("it shows a stranger's");

    let (cert, key) = clients.issue("bridge.test");
    authority.write("cert.pem", &cert);
    authority.write("key.pem", &key);
    core.open(&services).await.expect("the same service, with the new files");
}

#[tokio::test]
async fn a_missing_file_is_named() {
    let authority = Authority::new();
    let server = authority.serve(None).await;
    let (core, services) = secured(&server, trusting(Path::new("/nowhere/ca.pem")));
    let exhausted = core.open(&services).await.expect_err("no file");
    assert!(exhausted.to_string().contains("tls: /nowhere/ca.pem: No such file"), "{exhausted}");
}
