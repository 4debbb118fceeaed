//! TLS both ways.

use super::*;
use crate::route::Tls;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::path::{Path, PathBuf};
use tempfile::TempDir;
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
