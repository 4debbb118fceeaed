//! Who may register, and who may take what.

use super::*;
use crate::{
    access::{
        KeySource,
        tests::{Signer, claims, issuer, jwks, now, with},
    },
    api::ALPN,
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::json;
use std::path::Path;
use tonic::{
    Code,
    transport::{Certificate, ClientTlsConfig, Endpoint, Identity},
};

async fn dial(bridge: &Bridge, group: &str, token: Option<&'static str>) -> Result<(), Status> {
    Worker::dial(bridge, hello("w", &[group]), token).await.map(|_| ())
}

#[tokio::test]
async fn a_worker_registers_for_the_groups_of_its_credential_only() {
    let permits = vec![permit("sales", token("a")), permit("lab", Credential::Anybody)];
    let bridge = Bridge::start(permits).await;
    dial(&bridge, "sales", Some("a")).await.unwrap();
    dial(&bridge, "lab", None).await.unwrap();
    for (group, shown, code) in [
        ("support", Some("a"), Code::PermissionDenied),
        ("sales", None, Code::Unauthenticated),
        ("sales", Some("b"), Code::Unauthenticated),
    ] {
        let status = dial(&bridge, group, shown).await.unwrap_err();
        assert_eq!(status.code(), code, "{status}");
    }
    let status = dial(&bridge, "support", Some("a")).await.unwrap_err();
    assert!(status.message().contains("`support`"), "{status}");
}

#[tokio::test]
async fn without_permits_nobody_registers_until_a_reload_permits_it() {
    let bridge = Bridge::start(Vec::new()).await;
    assert_eq!(dial(&bridge, "lab", None).await.unwrap_err().code(), Code::PermissionDenied);
    bridge.permits.store(Arc::new(vec![permit("lab", Credential::Anybody)]));
    dial(&bridge, "lab", None).await.unwrap();
}

#[tokio::test]
async fn a_stolen_token_is_refused_and_stays_good_for_its_worker() {
    let bridge = Bridge::start(vec![permit("sales", token("a")), permit("lab", token("b"))]).await;
    let mut worker = Worker::dial(&bridge, hello("w", &["sales"]), Some("a")).await.unwrap();
    let mut opening = Box::pin(bridge.open("sales"));
    let token = tokio::select! {
        _ = &mut opening => panic!("nobody took it"),
        call = worker.offered() => call.token,
    };
    for (credential, code) in [(Some("b"), Code::PermissionDenied), (None, Code::Unauthenticated)] {
        let refused = take(bridge.client().await, &token, credential).await.map(|_| ());
        assert_eq!(refused.unwrap_err().code(), code);
    }
    let (link, driven) = tokio::join!(opening, worker.take(&token));
    assert!(link.is_ok() && driven.is_ok());
    let again = worker.take(&token).await.map(|_| ()).unwrap_err();
    let unknown = worker.take("0123").await.map(|_| ()).unwrap_err();
    assert_eq!((again.code(), again.message()), (Code::NotFound, unknown.message()));
}

#[tokio::test]
async fn a_name_that_another_worker_bears_is_refused() {
    let bridge = Bridge::start(vec![permit("*", token("a")), permit("*", token("b"))]).await;
    let first = Worker::dial(&bridge, hello("w", &["sales"]), Some("a")).await.unwrap();
    let refused = dial(&bridge, "sales", Some("b")).await.unwrap_err();
    assert_eq!(refused.code(), Code::AlreadyExists);
    drop(first);
}

#[tokio::test]
async fn a_take_without_a_token_says_what_is_missing() {
    let bridge = Bridge::open_to_all().await;
    let mut client = bridge.client().await;
    let refused = client.take_call(tokio_stream::empty()).await.map(|_| ()).unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert!(refused.message().contains("agibridge-offer-token"), "{refused}");
}

/// An authority, and the files of a bridge that it vouches for.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: tempfile::TempDir,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Self { issuer, folder: tempfile::tempdir().unwrap() }
    }

    fn issue(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    fn tls(&self) -> ServerTls {
        let (cert, key) = self.issue("bridge.test");
        let file = |name: &str, text: &str| {
            let path = self.folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        ServerTls {
            cert: file("cert.pem", &cert),
            key: file("key.pem", &key),
            client_ca: Some(file("ca.pem", &self.issuer.pem())),
        }
    }

    async fn client(
        &self,
        bridge: &Bridge,
        name: Option<&str>,
    ) -> Result<WorkerServiceClient<Channel>, tonic::transport::Error> {
        let mut tls = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(self.issuer.pem()))
            .domain_name("bridge.test");
        if let Some(name) = name {
            let (cert, key) = self.issue(name);
            tls = tls.identity(Identity::from_pem(cert, key));
        }
        let endpoint = Endpoint::from_shared(format!("https://{}", bridge.address)).unwrap();
        Ok(WorkerServiceClient::new(endpoint.tls_config(tls)?.connect().await?))
    }
}

async fn register(
    client: WorkerServiceClient<Channel>,
    group: &str,
    token: Option<&'static str>,
) -> Result<Worker, Status> {
    let first = WorkerReport { report: Some(Report::Hello(hello("w", &[group]))) };
    let mut worker = Worker::begin(client, first, token).await?;
    worker.offers.message().await?;
    Ok(worker)
}

#[tokio::test]
async fn a_certificate_opens_the_groups_of_its_name_over_tls() {
    let authority = Authority::new();
    let named = Credential::Certificate("worker.test".into());
    let permits = vec![permit("support", named), permit("sales", token("a"))];
    let bridge = Bridge::with(permits, Some(authority.tls()), server::Limits::default()).await;

    let client = authority.client(&bridge, Some("worker.test")).await.unwrap();
    let mut worker = register(client, "support", None).await.unwrap();
    let (link, _driven) = tokio::join!(bridge.open("support"), worker.next_call());
    assert!(link.is_ok());

    let other = authority.client(&bridge, Some("other.test")).await.unwrap();
    let refused = register(other, "support", None).await.map(|_| ()).unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    let none = authority.client(&bridge, None).await.unwrap();
    let refused = register(none.clone(), "support", None).await.map(|_| ()).unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    register(none, "sales", Some("a")).await.map(|_| ()).unwrap_err(); // the name w is taken
    drop(worker);
    bridge.until_connected("support", 0).await;
    let none = authority.client(&bridge, None).await.unwrap();
    register(none, "sales", Some("a")).await.map(|_| ()).unwrap();
}

#[tokio::test]
async fn a_certificate_of_a_stranger_is_no_certificate() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let named = Credential::Certificate("worker.test".into());
    let tls = Some(authority.tls());
    let bridge = Bridge::with(vec![permit("*", named)], tls, server::Limits::default()).await;
    let (cert, key) = stranger.issue("worker.test");
    let tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(authority.issuer.pem()))
        .domain_name("bridge.test")
        .identity(Identity::from_pem(cert, key));
    let endpoint = Endpoint::from_shared(format!("https://{}", bridge.address)).unwrap();
    // In TLS 1.3 the client hears of it after its own handshake is done.
    if let Ok(channel) = endpoint.tls_config(tls).unwrap().connect().await {
        let client = WorkerServiceClient::new(channel);
        assert!(register(client, "sales", None).await.is_err());
    }
    assert_eq!(bridge.workers.connected("sales"), 0);
}

#[test]
fn files_that_are_not_in_order_are_named() {
    let authority = Authority::new();
    let good = authority.tls();
    let check = |tls: ServerTls| Acceptor::new(tls, &ALPN).map(drop);
    let error = |tls| check(tls).unwrap_err().to_string();
    assert_eq!(check(good.clone()), Ok(()));
    let key = ServerTls { key: good.cert.clone(), ..good.clone() };
    assert!(error(key).contains("cert.pem"));
    let gone = ServerTls { client_ca: Some(Path::new("/nowhere/ca.pem").into()), ..good };
    assert!(error(gone).starts_with("/nowhere/ca.pem: "));
}

#[tokio::test]
async fn changed_certificates_count_for_connections_to_come_and_useless_ones_for_none() {
    let (authority, next) = (Authority::new(), Authority::new());
    let permits = vec![permit("*", Credential::Anybody)];
    let bridge = Bridge::with(permits, Some(authority.tls()), server::Limits::default()).await;
    let client = authority.client(&bridge, None).await.unwrap();
    let mut worker = register(client, "sales", None).await.unwrap();
    let write = |name: &str, text: &str| {
        std::fs::write(authority.folder.path().join(name), text).unwrap();
    };

    let (cert, key) = next.issue("bridge.test");
    write("key.pem", &key);
    assert!(authority.client(&bridge, None).await.is_ok(), "the key of another certificate");
    write("cert.pem", "no certificate");
    assert!(authority.client(&bridge, None).await.is_ok());
    write("cert.pem", &cert);
    assert!(next.client(&bridge, None).await.is_ok());
    assert!(authority.client(&bridge, None).await.is_err());

    let (link, _driven) = tokio::join!(bridge.open("sales"), worker.next_call());
    assert!(link.is_ok(), "what was connected before goes on");
}

/// For as long as the test runs.
fn lasting(token: String) -> Option<&'static str> {
    Some(Box::leak(token.into_boxed_str()))
}

#[tokio::test]
async fn a_jwt_opens_the_groups_of_its_claims_until_it_expires() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("jwks.json");
    let signer = Signer::new("one");
    std::fs::write(&file, jwks(&[&signer])).unwrap();
    let bridge = Bridge::start(vec![permit("sales", with("sub", "ivr"))]).await;
    let token = |more: serde_json::Value| lasting(signer.token(&claims(&more)));
    let unknown = dial(&bridge, "sales", token(json!({}))).await.unwrap_err();
    assert_eq!(unknown.message(), "group `sales`: this token is not known");

    bridge.tokens.update(&[issuer(KeySource::File(file))]);
    for (more, code, why) in [
        (json!({"exp": 1}), Code::Unauthenticated, "this JWT has expired"),
        (json!({"aud": "x"}), Code::Unauthenticated, "this JWT is for another audience"),
        (json!({"sub": "x"}), Code::PermissionDenied, "these credentials do not permit it"),
    ] {
        let refused = dial(&bridge, "sales", token(more)).await.unwrap_err();
        assert_eq!(refused.code(), code);
        assert_eq!(refused.message(), format!("group `sales`: {why}"));
    }

    // The leeway is over soon.
    let ending = token(json!({"exp": now() - 25}));
    let mut worker = Worker::dial(&bridge, hello("w", &["sales"]), ending).await.unwrap();
    let mut opening = Box::pin(bridge.open("sales"));
    let offer = tokio::select! {
        _ = &mut opening => panic!("nobody took it"),
        call = worker.offered() => call.token,
    };
    let other = take(bridge.client().await, &offer, token(json!({"sub": "x"}))).await;
    assert_eq!(other.map(|_| ()).unwrap_err().code(), Code::PermissionDenied);
    let expired = take(bridge.client().await, &offer, token(json!({"exp": 1}))).await;
    assert_eq!(expired.map(|_| ()).unwrap_err().code(), Code::Unauthenticated);
    drop(opening);
    loop {
        match worker.offers.message().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("it ended without a word"),
            Err(status) => {
                assert_eq!(status.code(), Code::Unavailable, "{status}");
                break;
            }
        }
    }
}
