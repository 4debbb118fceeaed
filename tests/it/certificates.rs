//! Certificates that are not good, and files that change while the bridge runs, at the ports and towards services of the whole
//! program; and the commands that ask a bridge over TLS.

use crate::harness::{
    Asterisk, Held, Service, Serving, WebSocketService, end, next, program, register, soon,
};
use agi_bridge::upstream::Format;
use kit::authority::{Authority, Pair, Time};
use std::{
    net::SocketAddr,
    path::Path,
    process::{Output, Stdio},
    sync::{Arc, Mutex},
};
use tempfile::TempDir;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;
use tonic::{
    Code, Status,
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity},
};

const HOST: &str = "127.0.0.1";
const REFUSED: &str = "changed certificates are not in order: those before stay in force";
const CHANGED: &str = "changed certificates are in force";

/// A bridge whose ports speak TLS, and let in the certificates `worker.test` and `admin.test`, and tokens.
struct Desk {
    folder: TempDir,
    authority: Authority,
    held: Held,
    bridge: Serving,
}

impl Desk {
    async fn start() -> Self {
        let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
        authority.issue(HOST).write(folder.path(), "bridge");
        std::fs::write(folder.path().join("ca.pem"), authority.pem()).unwrap();
        std::fs::write(folder.path().join("token"), "first\n").unwrap();
        let tls = tls(folder.path());
        let admin = format!(
            "listen: '{HOST}:0', everybody: metrics, tls: {tls}, access: \
             [{{may: change, certificate: admin.test}}, {{may: change, token: 'file:{}'}}]",
            folder.path().join("token").display()
        );
        let api = format!(
            "api: {{listen: '{HOST}:0', tls: {tls}, workers: [{{groups: sales, certificate: worker.test}}, \
             {{groups: sales, token: t}}]}}"
        );
        let held = Held::prepare().await;
        let bridge = Serving::with(&held.routes(), &admin, &api).await;
        Self { folder, authority, held, bridge }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// Writes a certificate, to be named by `--cert` and `--key`.
    fn keep(&self, name: &str, pair: &Pair) -> [String; 4] {
        pair.write(self.folder.path(), name);
        [
            "--cert".into(),
            self.path(&format!("{name}.pem")),
            "--key".into(),
            self.path(&format!("{name}.key")),
        ]
    }

    /// Registers a worker that trusts `authority`, with a certificate, a token or nothing.
    async fn worker(
        &self,
        authority: &Authority,
        pair: Option<&Pair>,
        token: Option<&str>,
    ) -> Result<(), Status> {
        register(self.channel(authority, pair).await?, token).await.map(drop)
    }

    async fn channel(&self, authority: &Authority, pair: Option<&Pair>) -> Result<Channel, Status> {
        let ca = Certificate::from_pem(authority.pem());
        let mut tls = ClientTlsConfig::new().ca_certificate(ca).domain_name(HOST);
        if let Some(Pair { cert, key }) = pair {
            tls = tls.identity(Identity::from_pem(cert, key));
        }
        let endpoint = Endpoint::from_shared(format!("https://{}", self.bridge.api())).unwrap();
        let connecting = endpoint.tls_config(tls).unwrap();
        let connected = soon("a handshake", connecting.connect()).await;
        connected.map_err(|error| Status::unknown(format!("{error:?}")))
    }

    /// `agi-bridge calls`, with these arguments besides.
    async fn calls(&self, arguments: &[String]) -> Output {
        let admin = format!("https://{}", self.bridge.admin);
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        run(&[&["calls", "--admin", &admin], &*arguments].concat()).await
    }

    fn trusting(&self) -> [String; 2] {
        ["--ca".into(), self.path("ca.pem")]
    }
}

fn tls(folder: &Path) -> String {
    let file = |name: &str| folder.join(name).display().to_string();
    let (cert, key, ca) = (file("bridge.pem"), file("bridge.key"), file("ca.pem"));
    format!("{{cert: '{cert}', key: '{key}', client_ca: '{ca}'}}")
}

async fn run(arguments: &[&str]) -> Output {
    let output = program().args(arguments).stdin(Stdio::null()).kill_on_drop(true).output();
    soon(&arguments.join(" "), output).await.unwrap()
}

/// It failed, and said this.
fn says(output: &Output, what: &str) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains(what), "{text} instead of {what}");
}

fn both<const N: usize, const M: usize>(a: &[String; N], b: &[String; M]) -> Vec<String> {
    a.iter().chain(b).cloned().collect()
}

#[tokio::test]
async fn a_worker_is_known_by_a_good_certificate_only() {
    let desk = Desk::start().await;
    let call = desk.held.begin(&desk.bridge).await;
    let (ours, theirs) = (&desk.authority, Authority::new());
    for (pair, what) in [
        (ours.issue_for("worker.test", Time::Past), "expired"),
        (ours.issue_for("worker.test", Time::Future), "not valid yet"),
        (theirs.issue("worker.test"), "of another authority"),
    ] {
        // It ends the handshake: in TLS 1.3 the client hears of it after its own part of that. A token does not help.
        assert!(desk.worker(ours, Some(&pair), Some("t")).await.is_err(), "{what}");
    }
    let missing = desk.worker(ours, None, None).await.unwrap_err();
    assert_eq!(missing.code(), Code::Unauthenticated, "{missing}");
    assert!(missing.message().contains("or a client certificate"), "{missing}");
    let other = desk.worker(ours, Some(&ours.issue("other.test")), None).await.unwrap_err();
    assert_eq!(other.code(), Code::PermissionDenied, "{other}");
    assert!(other.message().contains("do not permit it"), "{other}");
    assert!(
        desk.worker(&theirs, None, Some("t")).await.is_err(),
        "nor does the worker trust everybody"
    );

    desk.worker(ours, Some(&ours.issue("worker.test")), None).await.unwrap();
    desk.worker(ours, None, Some("t")).await.unwrap();
    desk.held.finish(call).await;
}

#[tokio::test]
async fn the_commands_show_who_they_are_and_say_what_is_missing() {
    let desk = Desk::start().await;
    let call = desk.held.begin(&desk.bridge).await;
    let (ours, theirs) = (&desk.authority, Authority::new());
    let trusting = desk.trusting();
    let token = |token: &str| ["--token".to_owned(), token.to_owned()];

    says(&desk.calls(&[]).await, "--ca");
    std::fs::write(desk.path("theirs.pem"), theirs.pem()).unwrap();
    let distrusting = ["--ca".to_owned(), desk.path("theirs.pem")];
    says(&desk.calls(&distrusting).await, "--ca");
    says(&desk.calls(&["--ca".to_owned(), desk.path("nowhere.pem")]).await, "nowhere.pem");
    let plain = format!("http://{}", desk.bridge.admin);
    says(&run(&["calls", "--admin", &plain]).await, "https://");
    let none = desk.calls(&trusting).await;
    says(&none, "a credential is needed");
    says(&none, "--token");
    says(&none, "--cert");
    let wrong = desk.calls(&both(&trusting, &token("wrong"))).await;
    says(&wrong, "this token is not known");
    assert!(!String::from_utf8_lossy(&wrong.stderr).contains("wrong"), "{wrong:?}");
    let other = desk.keep("other", &ours.issue("other.test"));
    says(&desk.calls(&both(&trusting, &other)).await, "do not permit it");
    for (name, pair) in [
        ("past", ours.issue_for("admin.test", Time::Past)),
        ("future", ours.issue_for("admin.test", Time::Future)),
        ("theirs", theirs.issue("admin.test")),
    ] {
        let shown = desk.keep(name, &pair);
        says(&desk.calls(&both(&trusting, &shown)).await, "--cert");
    }

    let good = both(&trusting, &desk.keep("admin", &ours.issue("admin.test")));
    for good in [good.clone(), both(&trusting, &token("first"))] {
        let output = desk.calls(&good).await;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(String::from_utf8_lossy(&output.stdout).contains("test"), "{output:?}");
    }
    desk.held.finish(call).await;
    let mut call = desk.held.begin(&desk.bridge).await;
    let listed = desk.calls(&[good.clone(), vec!["--json".to_owned()]].concat()).await;
    let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
    let id = listed["calls"][0]["call_id"].as_str().unwrap();
    let admin = format!("https://{}", desk.bridge.admin);
    let good: Vec<_> = good.iter().map(String::as_str).collect();
    let hangup = ["hangup", "--admin", &admin, id];
    says(
        &run(&[&hangup[..], &[&*trusting[0], &*trusting[1]]].concat()).await,
        "a credential is needed",
    );
    let hung_up = run(&[&hangup[..], &good].concat()).await;
    assert!(hung_up.status.success(), "{}", String::from_utf8_lossy(&hung_up.stderr));
    assert_ne!(call.finish().await, [""; 0]);
}

#[tokio::test]
async fn files_of_the_ports_that_change_count_when_they_are_good() {
    let mut desk = Desk::start().await;
    let call = desk.held.begin(&desk.bridge).await;
    let by_token = both(&desk.trusting(), &["--token".to_owned(), "first".to_owned()]);
    let write = |desk: &Desk, name: &str, text: &str| {
        std::fs::write(desk.folder.path().join(name), text).unwrap();
    };

    // Each port tells, once, with its next connection.
    write(&desk, "bridge.pem", "rubbish");
    assert!(desk.calls(&by_token).await.status.success(), "the old ones serve");
    desk.worker(&desk.authority, None, Some("t")).await.unwrap();
    for _ in ["admin", "api"] {
        let line = next(&mut desk.bridge.log, REFUSED).await;
        assert_eq!(line["level"], "ERROR", "{line}");
        assert!(line["files"].as_str().unwrap().contains("bridge.pem"), "{line}");
    }
    // The key of another certificate is refused too, and an authority that is none.
    write(&desk, "bridge.key", &desk.authority.issue(HOST).key);
    write(&desk, "ca.pem", "rubbish");
    assert!(desk.worker(&desk.authority, None, Some("t")).await.is_ok());
    next(&mut desk.bridge.log, REFUSED).await;

    let fresh = Authority::new();
    fresh.issue(HOST).write(desk.folder.path(), "bridge");
    write(&desk, "ca.pem", &fresh.pem());
    desk.worker(&fresh, Some(&fresh.issue("worker.test")), None).await.unwrap();
    assert!(desk.worker(&desk.authority, None, Some("t")).await.is_err(), "it is another one now");
    assert!(desk.calls(&by_token).await.status.success(), "with the authority of now");
    for _ in ["admin", "api"] {
        next(&mut desk.bridge.log, CHANGED).await;
    }
    desk.held.finish(call).await;
}

#[tokio::test]
async fn a_token_of_a_file_is_read_anew_by_a_reload() {
    let desk = Desk::start().await;
    let call = desk.held.begin(&desk.bridge).await;
    let shown = |token: &str| both(&desk.trusting(), &["--token".to_owned(), token.to_owned()]);
    let (first, second) = (shown("first"), shown("second"));
    assert!(desk.calls(&first).await.status.success());
    std::fs::write(desk.path("token"), "second\n").unwrap();
    desk.bridge.signal("-HUP");
    soon("the reload", async { while !desk.calls(&second).await.status.success() {} }).await;
    says(&desk.calls(&first).await, "this token is not known");
    desk.held.finish(call).await;
}

/// Something that speaks TLS in front of a service that does not.
struct Front {
    address: SocketAddr,
    config: Arc<Mutex<Arc<rustls::ServerConfig>>>,
    cut: tokio::sync::watch::Sender<()>,
    _tasks: JoinSet<()>,
}

impl Front {
    async fn start(service: SocketAddr, config: Arc<rustls::ServerConfig>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let config = Arc::new(Mutex::new(config));
        let (cut, _) = tokio::sync::watch::channel(());
        let (now, cuts, mut tasks) = (Arc::clone(&config), cut.clone(), JoinSet::new());
        tasks.spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let tls = TlsAcceptor::from(Arc::clone(&now.lock().unwrap()));
                let mut cut = cuts.subscribe();
                tokio::spawn(async move {
                    let Ok(mut socket) = tls.accept(tcp).await else { return };
                    let mut service = TcpStream::connect(service).await.unwrap();
                    tokio::select! {
                        _ = copy_bidirectional(&mut socket, &mut service) => {}
                        _ = cut.changed() => {}
                    }
                });
            }
        });
        Self { address, config, cut, _tasks: tasks }
    }

    /// Has another certificate from now on, and cuts what was connected before.
    fn renew(&self, config: Arc<rustls::ServerConfig>) {
        *self.config.lock().unwrap() = config;
        self.cut.send_replace(());
    }
}

fn config(authority: &Authority) -> Arc<rustls::ServerConfig> {
    let mut config = (*authority.server(HOST)).clone();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Arc::new(config)
}

async fn polite(mut caller: crate::harness::Caller) -> Result<(), Status> {
    caller.started().await;
    caller.send(end()).await;
    // The front may be cut before it hears of the end.
    while caller.event().await.is_some() {}
    Ok(())
}

#[tokio::test]
async fn files_towards_services_that_change_count_when_they_are_good() {
    let (folder, first, second) =
        (tempfile::tempdir().unwrap(), Authority::new(), Authority::new());
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, first.pem()).unwrap();
    let grpc = Service::start(polite).await;
    let websocket = WebSocketService::start(Format::Proto, polite).await;
    let behind = websocket.url();
    let behind = behind.trim_start_matches("ws://").split('/').next().unwrap().parse().unwrap();
    let fronts = [
        Front::start(grpc.address, config(&first)).await,
        Front::start(behind, config(&first)).await,
    ];
    let held = Held::prepare().await;
    let routes = |name: &str, scheme: &str, front: &Front| {
        format!(
            "{{name: {name}, path: '/{name}', services: [{{url: '{scheme}://{}', tls: {{ca: '{}'}}}}]}}",
            front.address,
            ca.display()
        )
    };
    let held_routes = held.routes();
    let all = format!(
        "[{}, {}, {}]",
        routes("grpcs", "grpcs", &fronts[0]),
        routes("wss", "wss", &fronts[1]),
        held_routes.trim_matches(['[', ']'])
    );
    let mut bridge = Serving::start(&all).await;
    let call = held.begin(&bridge).await;
    let agi = bridge.agi;
    let answered = async |path: &str| Asterisk::call_to(agi, path).await.finish().await.is_empty();
    assert!(answered("/grpcs").await && answered("/wss").await);

    std::fs::write(&ca, "rubbish").unwrap();
    fronts.iter().for_each(|front| front.renew(config(&first)));
    assert!(answered("/wss").await, "what was good before serves on");
    let line = next(&mut bridge.log, REFUSED).await;
    assert!(line["files"].as_str().unwrap().contains("ca.pem"), "{line}");
    let page = async || kit::http::get(bridge.admin, "/metrics", "").await.unwrap().1;
    let refused = page().await.lines().any(|line| {
        let count = line.strip_prefix("agibridge_tls_files_refused_total ");
        count.is_some_and(|count| count.parse::<u64>().unwrap() > 0)
    });
    assert!(refused);

    std::fs::write(&ca, second.pem()).unwrap();
    fronts.iter().for_each(|front| front.renew(config(&second)));
    // A connection in between may have met the one without the other.
    for path in ["/wss", "/grpcs"] {
        soon("the new one", async { while !answered(path).await {} }).await;
    }
    next(&mut bridge.log, CHANGED).await;
    fronts.iter().for_each(|front| front.renew(config(&first)));
    assert!(!answered("/wss").await, "the first authority is none any more");
    held.finish(call).await;
}
