//! The commands against a real admin port.

use super::*;
use crate::{
    access::Credential,
    admin::{self, Access, Parts, Readiness, Right, RouteSource},
    session::{
        recorder::{Limits, Recorder},
        registry::{Entry, Handle, Registry, State},
    },
    telemetry::metrics::Metrics,
    tls::{Acceptor, ServerTls},
};
use arc_swap::ArcSwap;
use clap::Parser;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::{sync::Arc, time::SystemTime};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::mpsc,
};
use uuid::Uuid;

#[tokio::test]
async fn calls_of_a_running_bridge_are_listed() {
    let bridge = Bridge::start(None).await;
    assert_eq!(bridge.calls(&[]).await.unwrap(), "No calls.\n");
    let handle = bridge.call(0xab << 120);
    handle.set_service("10.0.0.7:50051".into());
    handle.set_state(State::Command("GET DATA"));

    let table = bridge.calls(&[]).await.unwrap();
    assert!(table.starts_with("ID "), "{table}");
    assert!(table.contains("  GET DATA  0         10.0.0.7:50051\n\n1 call.\n"), "{table}");
    assert!(!table.contains("3200"), "{table}");
    assert!(bridge.calls(&["--callers"]).await.unwrap().contains("3200"));

    let json: Value = serde_json::from_str(&bridge.calls(&["--json"]).await.unwrap()).unwrap();
    assert_eq!(json["calls"][0]["channel"], "PJSIP/100-1");
}

#[tokio::test]
async fn a_call_is_told_to_end() {
    let bridge = Bridge::start(None).await;
    let _calls = [bridge.call(0xab << 120), bridge.call(0xac << 120)];
    let told = bridge.hangup(&["ab"]).await.unwrap();
    assert_eq!(told, "ab000000-0000-0000-0000-000000000000 is told to end\n");
    let ambiguous = bridge.hangup(&["a"]).await.unwrap_err().to_string();
    assert_eq!(
        ambiguous,
        "the bridge refused: 2 live calls have ids that begin so: give more of it"
    );
    for odd in ["ff", "../calls", "a/b?c#d", "\u{e9}"] {
        let error = bridge.hangup(&[odd]).await.unwrap_err().to_string();
        assert_eq!(error, "the bridge refused: no live call has this id", "{odd}");
    }
}

#[tokio::test]
async fn a_missing_or_wrong_token_is_told_with_what_helps() {
    let bridge = Bridge::start(Some("s3cret")).await;
    let _call = bridge.call(0xab << 120);
    let error = bridge.hangup(&["ab"]).await.unwrap_err().to_string();
    assert!(
        error.ends_with("(--token or AGIBRIDGE_ADMIN_TOKEN, or --cert and --key, show it)"),
        "{error}"
    );
    let error = bridge.hangup(&["ab", "--token", "wrong"]).await.unwrap_err().to_string();
    assert!(error.starts_with("the bridge refused: this token is not known"), "{error}");
    bridge.hangup(&["ab", "--token", "s3cret"]).await.unwrap();
}

#[tokio::test]
async fn an_address_where_nothing_listens_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = run(&address.to_string(), &[]).await.unwrap_err().to_string();
    let expected = format!("cannot reach a bridge at http://{address}: Connection refused");
    assert!(error.starts_with(&expected), "{error}");
    assert!(error.ends_with("--admin or AGIBRIDGE_ADMIN names another address)"), "{error}");
}

#[tokio::test]
async fn a_stranger_at_the_address_is_recognised() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stranger = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut request = [0; 16];
        socket.read_exact(&mut request).await.unwrap();
        let page = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";
        socket.write_all(page).await.unwrap();
        socket
    });
    let error = run(&format!("http://{address}/"), &[]).await.unwrap_err();
    assert!(matches!(error, Error::NoBridge(..)), "{error}");
    drop(stranger.await.unwrap());
}

#[tokio::test]
async fn what_is_no_address_is_refused_at_once() {
    for odd in ["", "ftp://localhost:4574", "http://", "http://a b", "http://localhost:4574/x"] {
        let error = run(odd, &[]).await.unwrap_err();
        assert!(matches!(error, Error::Address(..)), "{odd}: {error}");
    }
}

#[tokio::test]
async fn a_bridge_that_speaks_tls_is_known_by_its_authority_and_knows_certificates() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    std::fs::write(file("ca.pem"), authority.pem()).unwrap();
    for name in ["127.0.0.1", "operator.test", "guest.test"] {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        std::fs::write(file(name), params.signed_by(&key, &authority).unwrap().pem()).unwrap();
        std::fs::write(file(&format!("{name}.key")), key.serialize_pem()).unwrap();
    }
    let tls = ServerTls {
        cert: file("127.0.0.1"),
        key: file("127.0.0.1.key"),
        client_ca: Some(file("ca.pem")),
    };
    let entry =
        |right, name: &str| Access { right, credential: Credential::Certificate(name.into()) };
    let access = vec![entry(Right::Change, "operator.test"), entry(Right::See, "guest.test")];
    let bridge = Bridge::with(admin::Settings { access, everybody: None }, Some(tls)).await;
    let _call = bridge.call(0xab << 120);

    let ca = file("ca.pem").display().to_string();
    let with = |name: &str| {
        let (cert, key) = (file(name), file(&format!("{name}.key")));
        [ca.clone(), cert.display().to_string(), key.display().to_string()]
    };
    let flags = |[ca, cert, key]: &[String; 3]| {
        ["--ca", ca, "--cert", cert, "--key", key].map(str::to_owned)
    };
    let told = async |name: &str, more: &[&str]| {
        let flags = flags(&with(name));
        let all: Vec<&str> = flags.iter().map(String::as_str).chain(more.iter().copied()).collect();
        bridge.calls(&all).await.map_err(|error| error.to_string())
    };
    assert!(told("operator.test", &["--callers"]).await.is_ok());
    assert!(told("guest.test", &[]).await.is_ok());
    let refused = told("guest.test", &["--callers"]).await.unwrap_err();
    assert!(refused.contains("these credentials do not permit it"), "{refused}");
    let nobody = bridge.calls(&["--ca", &ca]).await.unwrap_err().to_string();
    assert!(nobody.contains("a credential is needed"), "{nobody}");
    let stranger = bridge.calls(&["--ca", &with("guest.test")[1]]).await.unwrap_err().to_string();
    assert!(stranger.contains("certificate"), "{stranger}");
}

#[derive(Debug, Parser)]
struct CallsCommand {
    #[command(flatten)]
    args: CallsArgs,
}

#[derive(Debug, Parser)]
struct HangupCommand {
    #[command(flatten)]
    args: HangupArgs,
}

struct Bridge {
    admin: String,
    registry: Arc<Registry>,
}

impl Bridge {
    async fn start(token: Option<&str>) -> Self {
        Self::with(admin::Settings::with_token(token), None).await
    }

    async fn with(settings: admin::Settings, tls: Option<ServerTls>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let admin = format!("{scheme}://{}", listener.local_addr().unwrap());
        let registry = Registry::new();
        let parts = Parts {
            settings: Arc::new(ArcSwap::from_pointee(settings)),
            tokens: Arc::default(),
            tls: tls.map(|tls| Acceptor::new(tls, &admin::ALPN).unwrap()),
            registry: Arc::clone(&registry),
            metrics: Metrics::new(),
            readiness: Readiness::new(Arc::clone(&registry)),
            recorder: Recorder::new(Limits::default()),
            routes: RouteSource::default(),
            phone: None,
            reload: mpsc::channel(1).0,
        };
        tokio::spawn(admin::serve(listener, parts, std::future::pending()));
        Self { admin, registry }
    }

    async fn calls(&self, flags: &[&str]) -> Result<String, Error> {
        run(&self.admin, flags).await
    }

    async fn hangup(&self, flags: &[&str]) -> Result<String, Error> {
        let words = ["hangup", "--admin", &self.admin].into_iter().chain(flags.iter().copied());
        let mut out = vec![];
        hangup(&HangupCommand::parse_from(words).args, &mut out).await?;
        Ok(String::from_utf8(out).unwrap())
    }

    fn call(&self, id: u128) -> Handle {
        self.registry.register(Entry {
            call_id: Uuid::from_u128(id),
            route: "support".into(),
            channel: "PJSIP/100-1".to_owned(),
            caller_number: "3200".to_owned(),
            accepted_at: SystemTime::UNIX_EPOCH,
        })
    }
}

async fn run(admin: &str, flags: &[&str]) -> Result<String, Error> {
    let words = ["calls", "--admin", admin].into_iter().chain(flags.iter().copied());
    let mut out = vec![];
    calls(&CallsCommand::parse_from(words).args, &mut out).await?;
    Ok(String::from_utf8(out).unwrap())
}
