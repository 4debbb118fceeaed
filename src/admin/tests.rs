//! The port as its clients see it: bytes over a connection.

mod page;

use super::*;
use crate::session::{
    recorder::Limits,
    registry::{Entry, Handle, Order},
};
use futures_util::task::noop_waker;
use serde_json::{Value, json};
use std::{
    net::SocketAddr,
    task::{Context, Poll},
    time::{Duration, SystemTime},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::oneshot,
    task::JoinHandle,
};
use uuid::Uuid;

const CLIENT: &str = "agibridge-client: test\r\n";

#[tokio::test]
async fn readiness_names_what_is_missing() {
    let admin = Admin::start(None).await;
    assert_eq!(admin.get("/livez").await.status, 200);
    assert_eq!(admin.get("/healthz").await.text, "ok\n");
    assert_eq!(admin.get("/readyz").await, answer(503, "not ready\n"));

    admin.readiness.set_listening();
    let verbose = admin.get("/readyz?verbose").await;
    let expected = "[+] listening\n[-] configured\n[+] not draining\n[+] not full\nnot ready\n";
    assert_eq!(verbose, answer(503, expected));

    admin.readiness.set_configured();
    assert_eq!(admin.get("/readyz").await, answer(200, "ok\n"));

    admin.readiness.set_max_calls(1);
    let call = admin.call(1);
    assert!(admin.get("/readyz?verbose").await.text.contains("[-] not full\n"));
    drop(call);
    assert_eq!(admin.get("/readyz").await.status, 200);

    admin.readiness.set_draining();
    assert!(admin.get("/readyz?verbose").await.text.contains("[-] not draining\n"));
    assert_eq!(admin.get("/livez").await.status, 200, "a draining process is alive");
}

#[tokio::test]
async fn a_head_with_more_than_any_token_is_refused() {
    let admin = Admin::start(Some("t")).await;
    let with = |bytes| format!("authorization: Bearer {}\r\n", "x".repeat(bytes));
    assert_eq!(admin.request("POST", "/reload", &with(8_000)).await.status, 401);
    assert_eq!(admin.request("POST", "/reload", &with(20_000)).await.status, 431);
}

#[tokio::test]
async fn metrics_come_in_the_format_that_is_asked_for() {
    let admin = Admin::start(None).await;
    let plain = admin.request("GET", "/metrics", "").await;
    assert!(plain.head.contains("content-type: text/plain; version=0.0.4; charset=utf-8\r\n"));
    assert!(plain.text.contains("\n# TYPE agibridge_connection_total counter\n"), "{}", plain.text);
    let open = admin.request("GET", "/metrics", "accept: application/openmetrics-text\r\n").await;
    assert!(open.head.contains("content-type: application/openmetrics-text; version=1.0.0"));
    assert!(open.text.ends_with("# EOF\n"));
}

#[tokio::test]
async fn calls_are_listed_with_numbers_only_for_those_who_may_change_things() {
    let admin = Admin::start(Some("s3cret")).await;
    let _calls = [admin.call(1), admin.call(2), admin.call(3)];
    let listed = admin.get("/calls?limit=2").await.json();
    assert_eq!((&listed["active"], &listed["truncated"]), (&json!(3), &json!(true)));
    assert_eq!(listed["calls"].as_array().map(Vec::len), Some(2));
    assert_eq!(listed["calls"][0]["call_id"], Uuid::from_u128(1).to_string());
    assert_eq!(listed["calls"][0].get("caller_number"), None);

    assert_eq!(admin.get("/calls?callers=true").await.status, 401);
    let token = "authorization: Bearer s3cret\r\n";
    let shown = admin.request("GET", "/calls?callers=true", token).await.json();
    assert_eq!(shown["calls"][0]["caller_number"], "3200");
    assert_eq!(admin.get("/calls?limit=many").await.status, 400);
}

#[tokio::test]
async fn an_operator_hangs_up_one_call() {
    let admin = Admin::start(None).await;
    let (call, other) = (admin.call(0xab << 120), admin.call(0xac << 120));
    let told = admin.request("POST", "/calls/ab/hangup", CLIENT).await;
    assert_eq!(told.status, 202);
    assert_eq!(told.json(), json!({"call_id": Uuid::from_u128(0xab << 120).to_string()}));
    assert_eq!((order(&call), order(&other)), (Some(Order::HangUp), None));

    let ambiguous = admin.request("POST", "/calls/a/hangup", CLIENT).await;
    assert_eq!(ambiguous.status, 409);
    assert!(ambiguous.json()["error"].as_str().unwrap().starts_with("2 live calls"));
    assert_eq!(admin.request("POST", "/calls/ff/hangup", CLIENT).await.status, 404);
}

#[tokio::test]
async fn a_change_is_refused_without_the_right_to_it() {
    let admin = Admin::start(Some("s3cret")).await;
    let call = admin.call(0xab << 120);
    for headers in ["", CLIENT, "authorization: Bearer wrong\r\n"] {
        let refused = admin.request("POST", "/calls/ab/hangup", headers).await;
        assert_eq!(refused.status, 401, "{headers}");
        assert!(refused.head.contains("www-authenticate: Bearer\r\n"));
        assert_eq!(admin.request("POST", "/reload", headers).await.status, 401);
    }
    assert_eq!(order(&call), None);

    let open = Admin::start(None).await;
    assert_eq!(open.request("POST", "/reload", "").await.status, 403, "a web page could ask this");
}

#[tokio::test]
async fn a_reload_answers_what_came_of_it() {
    let mut admin = Admin::start(None).await;
    let mut requests = admin.reloads.take().unwrap();
    let faults = vec!["routes[0].path: line 3: …".to_owned()];
    let reports = [
        ReloadReport { in_force: true, ..ReloadReport::default() },
        ReloadReport { faults, ..ReloadReport::default() },
    ];
    let expected = reports.clone();
    let reader = tokio::spawn(async move {
        for report in reports {
            let request: ReloadRequest = requests.recv().await.unwrap();
            request.answer.send(report).unwrap();
        }
    });
    for (report, status) in expected.into_iter().zip([200, 422]) {
        let answered = admin.request("POST", "/reload", CLIENT).await;
        assert_eq!(
            (answered.status, answered.json()),
            (status, serde_json::to_value(report).unwrap())
        );
    }
    reader.await.unwrap();
    let stopping = admin.request("POST", "/reload", CLIENT).await;
    assert_eq!(
        (stopping.status, &stopping.json()["error"]),
        (503, &json!("the bridge is stopping"))
    );
}

#[tokio::test]
async fn whatever_is_not_there_is_an_error_in_json() {
    let admin = Admin::start(None).await;
    let missing = admin.get("/nowhere").await;
    assert_eq!(
        (missing.status, missing.json()),
        (404, json!({"error": "there is nothing at this path"}))
    );
    let method = admin.request("DELETE", "/calls", CLIENT).await;
    assert_eq!(
        (method.status, method.json()),
        (405, json!({"error": "this path takes another method"}))
    );
    assert!(method.head.contains("x-content-type-options: nosniff\r\n"));
    let version = admin.get("/version").await.json();
    assert_eq!(version, json!({"name": "agi-bridge", "version": env!("CARGO_PKG_VERSION")}));
}

#[tokio::test]
async fn a_long_body_is_refused() {
    let admin = Admin::start(None).await;
    let headers = format!("{CLIENT}content-length: 20000\r\n");
    assert_eq!(admin.request("POST", "/reload", &headers).await.status, 413);
}

#[tokio::test]
async fn a_silent_client_is_cut_off() {
    let limits = server::Limits { head: Duration::from_millis(1), ..server::Limits::default() };
    let admin = Admin::start_with(None, limits).await;
    let mut silent = TcpStream::connect(admin.address).await.unwrap();
    silent.write_all(b"GET /livez HTTP/1.1\r\nhost:").await.unwrap();
    let mut rest = Vec::new();
    silent.read_to_end(&mut rest).await.unwrap();
}

#[tokio::test]
async fn one_connection_above_the_limit_waits_for_its_place() {
    let limits = server::Limits { connections: 1, ..server::Limits::default() };
    let admin = Admin::start_with(None, limits).await;
    let mut first = TcpStream::connect(admin.address).await.unwrap();
    first.write_all(b"GET /livez HTTP/1.1\r\n").await.unwrap();
    let mut second = Box::pin(admin.get("/livez"));
    assert!(futures_util::poll!(second.as_mut()).is_pending());
    first.write_all(b"host: a\r\n\r\n").await.unwrap();
    let mut whole = Vec::new();
    first.read_to_end(&mut whole).await.unwrap();
    assert!(whole.starts_with(b"HTTP/1.1 200 OK\r\n"));
    assert_eq!(second.await.status, 200);
}

#[tokio::test]
async fn the_port_closes_when_it_is_told_to() {
    let admin = Admin::start(None).await;
    assert_eq!(admin.get("/livez").await.status, 200);
    admin.stop.send(()).unwrap();
    admin.served.await.unwrap();
    assert!(TcpStream::connect(admin.address).await.is_err());
}

struct Admin {
    address: SocketAddr,
    registry: Arc<Registry>,
    recorder: Arc<Recorder>,
    readiness: Arc<Readiness>,
    reloads: Option<mpsc::Receiver<ReloadRequest>>,
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    text: String,
}

impl PartialEq for Answer {
    fn eq(&self, other: &Self) -> bool {
        (self.status, &self.text) == (other.status, &other.text)
    }
}

impl Answer {
    fn read(bytes: Vec<u8>) -> Self {
        let text = String::from_utf8(bytes).unwrap();
        let (head, text) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, head: format!("{head}\r\n"), text: text.to_owned() }
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }
}

impl Admin {
    async fn start(token: Option<&str>) -> Self {
        Self::start_with(token, server::Limits::default()).await
    }

    async fn start_with(token: Option<&str>, limits: server::Limits) -> Self {
        Self::with(token, limits, None).await
    }

    async fn with(token: Option<&str>, limits: server::Limits, phone: Option<SocketAddr>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let registry = Registry::new();
        let recorder = Recorder::new(Limits::default());
        let readiness = Readiness::new(Arc::clone(&registry));
        let metrics = Metrics::new();
        metrics.core();
        let (reload, reloads) = mpsc::channel(1);
        let (stop, stopped) = oneshot::channel();
        let parts = Parts {
            settings: Arc::new(ArcSwap::from_pointee(Settings::with_token(token))),
            tokens: Arc::default(),
            tls: None,
            registry: Arc::clone(&registry),
            metrics,
            readiness: Arc::clone(&readiness),
            recorder: Arc::clone(&recorder),
            routes: RouteSource::default(),
            phone,
            reload,
        };
        let served = tokio::spawn(async move {
            let router = routes::router(Arc::new(parts));
            server::run(listener, router, None, limits, async { drop(stopped.await) }).await;
        });
        Self { address, registry, recorder, readiness, reloads: Some(reloads), stop, served }
    }

    async fn get(&self, path: &str) -> Answer {
        self.request("GET", path, "").await
    }

    async fn request(&self, method: &str, path: &str, headers: &str) -> Answer {
        let mut socket = TcpStream::connect(self.address).await.unwrap();
        let request =
            format!("{method} {path} HTTP/1.1\r\nhost: {}\r\n{headers}\r\n", self.address);
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        socket.read_to_end(&mut bytes).await.unwrap();
        Answer::read(bytes)
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

fn answer(status: u16, text: &str) -> Answer {
    Answer { status, head: String::new(), text: text.to_owned() }
}

fn order(call: &Handle) -> Option<Order> {
    match call.poll_orders(&mut Context::from_waker(&noop_waker())) {
        Poll::Ready(order) => Some(order),
        Poll::Pending => None,
    }
}
