//! The commands against a real admin port.

use super::*;
use crate::{
    admin::{self, Parts, Readiness, RouteSource},
    session::{
        recorder::{Limits, Recorder},
        registry::{Entry, Handle, Registry, State},
    },
    telemetry::metrics::Metrics,
};
use clap::Parser;
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
    assert!(error.ends_with("(--token or AGIBRIDGE_ADMIN_TOKEN gives it)"), "{error}");
    let error = bridge.hangup(&["ab", "--token", "wrong"]).await.unwrap_err().to_string();
    assert!(error.starts_with("the bridge refused: this is not the admin token"), "{error}");
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
    assert!(matches!(error, Error::NoBridge(_)), "{error}");
    drop(stranger.await.unwrap());
}

#[tokio::test]
async fn what_is_no_address_is_refused_at_once() {
    for odd in ["", "https://localhost:4574", "http://", "http://a b", "http://localhost:4574/x"] {
        let error = run(odd, &[]).await.unwrap_err();
        assert!(matches!(error, Error::Address(_)), "{odd}: {error}");
    }
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
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let admin = format!("http://{}", listener.local_addr().unwrap());
        let registry = Registry::new();
        let parts = Parts {
            settings: admin::Settings { token: token.map(Secret::new) },
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
