//! A proxy that runs: nginx, HAProxy or Envoy on ports of loopback that stay its own while it is down. Knows processes and
//! ports; nothing of calls, and of each proxy's language only who speaks it.

mod envoy;
mod haproxy;
mod nginx;

use kit::{port::reserve, program::Program};
use socket2::Socket;
use std::{
    env, fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};
use tempfile::TempDir;
use tokio::{
    net::TcpStream,
    time::{sleep, timeout},
};

/// For a proxy to listen, or to take a signal in.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is looked whether it listens.
const POLL: Duration = Duration::from_millis(20);

/// After so long without traffic a proxy cuts a stream, where it is impatient: more than two heartbeats of a second.
pub(crate) const IDLE: &str = "3s";

/// Which proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Nginx,
    Haproxy,
    Envoy,
}

/// What a hop carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carries {
    Grpc,
    WebSocket,
}

/// How a hop treats what it carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// It cuts streams that are quiet for [`IDLE`].
    Impatient,
    /// As docs/operating.md asks it to be.
    Patient,
    /// As `Patient`, but a connection takes two requests and then is to be left, or, in Envoy, lives for a second.
    ShortLived,
}

/// A port of the proxy, and where it leads.
#[derive(Debug)]
pub(crate) struct Hop {
    /// Nobody else gets the port, also while the proxy is away.
    _port: Socket,
    pub(crate) address: SocketAddr,
    pub(crate) target: SocketAddr,
    pub(crate) carries: Carries,
    pub(crate) manner: Manner,
    /// PEM files: who comes must speak TLS, which ends here.
    pub(crate) tls: Option<Certificate>,
}

/// PEM files of a certificate for `localhost`.
#[derive(Debug, Clone)]
pub(crate) struct Certificate {
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
}

/// A proxy; it ends when this is dropped.
pub(crate) struct Proxy {
    kind: Kind,
    hops: Vec<Hop>,
    folder: TempDir,
    running: Option<Program>,
    /// One that was replaced, and stays for as long as it has streams.
    retired: Vec<Program>,
}

impl Hop {
    pub(crate) fn new(carries: Carries, manner: Manner, target: SocketAddr) -> Self {
        let (port, address) = reserve().unwrap();
        Self { _port: port, address, target, carries, manner, tls: None }
    }
}

impl Proxy {
    /// Starts it, and waits until it listens.
    pub(crate) async fn start(kind: Kind, hops: Vec<Hop>) -> Self {
        let folder = TempDir::new().unwrap();
        let mut proxy = Self { kind, hops, folder, running: None, retired: Vec::new() };
        proxy.run().await;
        proxy
    }

    /// Kills it, with every connection that it has, and waits until nothing listens.
    pub(crate) async fn kill(&mut self) {
        self.running.take().unwrap().kill();
        let deaf = timeout(PATIENCE, async {
            for hop in &self.hops {
                while TcpStream::connect(hop.address).await.is_ok() {
                    sleep(POLL).await;
                }
            }
        });
        assert!(deaf.await.is_ok(), "{:?} listens though it was killed", self.kind);
    }

    /// Starts it again after that.
    pub(crate) async fn run(&mut self) {
        self.write();
        self.running = Some(self.spawn(&[]));
        self.listens().await;
    }

    /// Lets it read its configuration anew, with one more hop, and waits until that listens: then those that come are
    /// served by a new process, and the old one only has what it had.
    pub(crate) async fn reload(&mut self, hop: Hop) {
        self.hops.push(hop);
        self.write();
        let running = self.running.take().unwrap();
        match self.kind {
            Kind::Nginx => {
                signal("HUP", nginx::master(&running));
                self.running = Some(running);
            }
            Kind::Haproxy => {
                self.running = Some(self.spawn(&["-sf".to_owned(), running.id().to_string()]));
                self.retired.push(running);
            }
            Kind::Envoy => panic!("Envoy reads its file once: it is told by a control plane"),
        }
        self.listens().await;
    }

    fn write(&self) {
        let text = match self.kind {
            Kind::Nginx => nginx::text(&self.hops, self.folder.path()),
            Kind::Haproxy => haproxy::text(&self.hops),
            Kind::Envoy => envoy::text(&self.hops),
        };
        fs::write(self.file(), text).unwrap();
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("proxy.yaml")
    }

    fn spawn(&self, further: &[String]) -> Program {
        let file = self.file().to_string_lossy().into_owned();
        let (program, arguments): (PathBuf, &[&str]) = match self.kind {
            Kind::Nginx => ("unshare".into(), nginx::ARGUMENTS),
            Kind::Haproxy => ("haproxy".into(), &["-db", "-f"]),
            Kind::Envoy => (lab().join("envoy/envoy/_bin/envoy"), envoy::ARGUMENTS),
        };
        let mut arguments: Vec<String> = arguments.iter().map(|it| (*it).to_owned()).collect();
        if self.kind == Kind::Nginx {
            let nginx = lab().join("nginx/usr/sbin/nginx");
            arguments.extend([nginx.to_string_lossy().into_owned(), "-c".to_owned()]);
        }
        arguments.push(file);
        arguments.extend_from_slice(further);
        Program::start(program, &arguments)
    }

    async fn listens(&self) {
        let listening = timeout(PATIENCE, async {
            for hop in &self.hops {
                while TcpStream::connect(hop.address).await.is_err() {
                    sleep(POLL).await;
                }
            }
        });
        let said = || self.running.as_ref().map(Program::lines);
        assert!(listening.await.is_ok(), "{:?} does not listen: {:#?}", self.kind, said());
    }
}

/// What the documentation says of time-outs, in each proxy's words, as hops have it.
pub(crate) fn settings() -> Vec<&'static str> {
    let haproxy = haproxy::TIMES.lines();
    haproxy.chain([nginx::GRPC, nginx::WEBSOCKET, envoy::TIMES]).collect()
}

/// Where tests/proxies/setup.sh puts them.
fn lab() -> PathBuf {
    let lab = env::var_os("AGIBRIDGE_LAB").map(PathBuf::from);
    let lab = lab.or_else(|| Some(Path::new(&env::var_os("HOME")?).join(".cache/agi-bridge-lab")));
    let folder = lab.unwrap().join("proxies");
    assert!(folder.exists(), "there is no {}: run `make lab`", folder.display());
    folder
}

fn signal(name: &str, process: u32) {
    let sent = Command::new("kill").args([&format!("-{name}"), &process.to_string()]).status();
    assert!(sent.unwrap().success(), "{process} takes a signal");
}
