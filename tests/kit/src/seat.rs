//! A place for the kit's resumable service, which may be killed there and started again. Knows the program and its lines;
//! nothing of calls.

use crate::{port::reserve, program::Program};
use serde_json::Value;
use socket2::Socket;
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Mutex,
    time::Duration,
};

const LIMIT: Duration = Duration::from_secs(30);

/// How the service and the bridge come together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The bridge opens a gRPC stream for each call.
    Grpc,
    /// The bridge opens a WebSocket for each call.
    WebSocket,
    /// The service dials in, by gRPC.
    Worker,
}

/// Where one instance serves at a time, under one address or one name.
#[derive(Debug)]
pub struct Seat {
    kind: Kind,
    program: PathBuf,
    part: String,
    name: String,
    /// Nobody else gets the port while no instance listens there.
    port: Option<(Socket, SocketAddr)>,
    /// What instances said that are gone.
    said: Mutex<Vec<String>>,
}

/// A running instance.
#[derive(Debug)]
pub struct Instance(Program);

impl Kind {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Grpc, Self::WebSocket, Self::Worker];

    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Grpc => "gRPC",
            Self::WebSocket => "WebSocket",
            Self::Worker => "worker",
        }
    }

    /// What the configuration has beside the routes: where workers dial in.
    pub fn sections(self) -> &'static str {
        match self {
            Self::Grpc | Self::WebSocket => "",
            Self::Worker => "api: {listen: \"127.0.0.1:0\", workers: [{groups: [kit]}]}\n",
        }
    }

    /// The services of a route that these seats share, as a list of the configuration.
    pub fn services(self, seats: &[Seat]) -> String {
        let urls: Vec<String> = match self {
            Self::Grpc => seats.iter().map(|seat| format!("grpc://{}", seat.address())).collect(),
            Self::WebSocket => {
                seats.iter().map(|seat| format!("ws://{}/calls", seat.address())).collect()
            }
            Self::Worker => vec!["worker://kit".to_owned()],
        };
        let services = urls.iter().map(|url| format!("{{url: \"{url}\", weight: 1}}"));
        format!("[{}]", services.collect::<Vec<_>>().join(", "))
    }

    fn word(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::WebSocket => "websocket",
            Self::Worker => "worker",
        }
    }
}

impl Seat {
    /// A seat for instances that play `part`; the program is looked for beside the bridge's own. `name` is a worker's.
    ///
    /// # Panics
    /// When there is no such program, or no port.
    pub fn new(kind: Kind, bridge: &Path, part: &Value, name: &str) -> Self {
        let program = bridge.with_file_name("resumable");
        assert!(
            program.exists(),
            "there is no {}: `cargo build --workspace` makes it",
            program.display()
        );
        let port = match kind {
            Kind::Grpc | Kind::WebSocket => Some(reserve().expect("loopback has a free port")),
            Kind::Worker => None,
        };
        let (part, name) = (part.to_string(), name.to_owned());
        Self { kind, program, part, name, port, said: Mutex::default() }
    }

    /// Starts an instance, and waits until it serves; `api` is where workers dial in.
    ///
    /// # Panics
    /// When it does not serve.
    pub async fn start(&self, api: Option<SocketAddr>) -> Instance {
        let address = match self.kind {
            Kind::Grpc | Kind::WebSocket => self.address(),
            Kind::Worker => api.expect("workers need the bridge's API"),
        };
        let arguments =
            [self.kind.word(), &address.to_string(), self.part.as_str(), self.name.as_str()];
        let program = Program::start(&self.program, &arguments);
        program.wait_for(LIMIT, "that it serves", |line| is(line, "serving").then_some(())).await;
        Instance(program)
    }

    /// Kills the instance by SIGKILL.
    pub fn kill(&self, instance: Instance) {
        self.keep(instance.0.kill());
    }

    /// Ends the instance by SIGTERM: it drains.
    ///
    /// # Panics
    /// When it does not end, or not well.
    pub async fn terminate(&self, instance: Instance) {
        instance.0.interrupt();
        let drained = |line: &str| is(line, "drained").then_some(());
        instance.0.wait_for(LIMIT, "that it is drained", drained).await;
        let lines = instance.0.lines();
        assert!(instance.0.wait_until_ended(LIMIT).await.success(), "{lines:?}");
        self.keep(lines);
    }

    /// The events that were told here by instances that are gone.
    pub fn events(&self) -> Vec<Value> {
        events(&self.said.lock().expect("nobody panics here"))
    }

    fn keep(&self, lines: Vec<String>) {
        self.said.lock().expect("nobody panics here").extend(lines);
    }

    fn address(&self) -> SocketAddr {
        self.port.as_ref().expect("a seat that is dialled has a port").1
    }
}

impl Instance {
    /// The events that it told so far.
    pub fn events(&self) -> Vec<Value> {
        events(&self.0.lines())
    }

    /// Waits until it tells an event in which `find` finds something.
    ///
    /// # Panics
    /// When it does not in time.
    pub async fn wait_for<T>(&self, what: &str, find: impl Fn(&Value) -> Option<T>) -> T {
        let find = |line: &str| find(&serde_json::from_str(line).ok()?);
        self.0.wait_for(LIMIT, what, find).await
    }
}

fn events(lines: &[String]) -> Vec<Value> {
    lines.iter().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn is(line: &str, event: &str) -> bool {
    serde_json::from_str::<Value>(line).is_ok_and(|told| told["event"] == event)
}
