//! Everything that is measured, up and running: floors, hops and those behind them, a process each.

use crate::{
    cli::{Flags, Role},
    events,
    hops::{self, Bridging, Hop, Place},
    job::Peer,
    kind::{Behind, Kind},
    language::Language,
    process::{self, Running},
    starter,
};
use anyhow::Context;
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};
use tempfile::TempDir;
use tokio::process::Command;

/// A virtual machine has to start first.
const FOREIGN_START_TIMEOUT: Duration = Duration::from_secs(30);

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Subject {
    /// A bare TCP line echo.
    Echo,
    /// A bare tonic stream.
    Tonic,
    /// A direct FastAGI server.
    Direct,
    /// The same behind HAProxy.
    Haproxy,
    /// agi-bridge before a tonic service.
    Bridge,
    /// agi-bridge before another kind of service.
    Kind(Kind),
    /// Scripts that are started without a bridge.
    Starter,
    /// agi-bridge before a service on a client library.
    Client(Language),
    /// A FastAGI library of the same language, without a bridge.
    Library(Language),
    /// agi-bridge between an Asterisk and the subscribers of its events.
    Events,
    /// A bare program in the same place.
    Fanout,
}

impl Subject {
    /// Those that a row of the first table has a column for.
    pub(crate) const HOPS: [Self; 5] =
        [Self::Echo, Self::Tonic, Self::Direct, Self::Haproxy, Self::Bridge];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::Tonic => "tonic",
            Self::Direct => "direct",
            Self::Haproxy => "haproxy",
            Self::Bridge => "bridge",
            Self::Kind(kind) => kind.name(),
            Self::Starter => "fork+exec",
            Self::Client(language) => language.name(),
            Self::Library(language) => language.library(),
            Self::Events => "events",
            Self::Fanout => "fan-out",
        }
    }

    /// Who plays the load.
    pub(crate) fn load(self) -> (Role, Peer) {
        match self {
            Self::Echo => (Role::Load, Peer::Echo),
            Self::Tonic => (Role::GrpcLoad, Peer::Agi),
            Self::Direct | Self::Haproxy | Self::Bridge | Self::Kind(_) => (Role::Load, Peer::Agi),
            Self::Client(_) | Self::Library(_) => (Role::Load, Peer::Agi),
            Self::Starter => (Role::Starter, Peer::Agi),
            Self::Events | Self::Fanout => (Role::Events, Peer::Agi),
        }
    }
}

/// One set of processes.
pub(crate) struct World {
    settings: Settings,
    // Declared before the folder that they write to.
    echo: Server,
    fastagi: Server,
    service: Server,
    websocket: Server,
    collector: Server,
    hops: BTreeMap<Subject, Hop>,
    workers: BTreeMap<Subject, Running>,
    clients: BTreeMap<Subject, Server>,
    script: PathBuf,
    /// Where managers of Asterisk are to be: for the bridge, and for the fan-out.
    managers: [SocketAddr; 2],
    folder: TempDir,
}

/// How it was asked for.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) bridge: Option<PathBuf>,
    pub(crate) cpu: Option<usize>,
    pub(crate) cores: usize,
    pub(crate) descriptors: u64,
}

struct Server {
    running: Running,
    address: SocketAddr,
}

impl Settings {
    /// All cores, as the flags say.
    pub(crate) fn new(flags: &Flags, descriptors: u64) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let bridge = (!flags.floors).then(|| flags.bridge.clone());
        Self { bridge, cpu: None, cores, descriptors }
    }

    /// The same with everything on one core.
    pub(crate) fn on_one_core(&self) -> anyhow::Result<Self> {
        Ok(Self { cpu: Some(process::first_core()?), cores: 1, ..self.clone() })
    }
}

impl World {
    /// Starts everything that `subjects` need.
    pub(crate) async fn start(
        settings: Settings,
        subjects: &BTreeSet<Subject>,
    ) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("agi-bridge-hop-").tempdir()?;
        let mut world = Self {
            echo: Server::start(Role::Echo, settings.cpu).await?,
            fastagi: Server::start(Role::Fastagi, settings.cpu).await?,
            service: Server::start(Role::GrpcService, settings.cpu).await?,
            websocket: Server::start(Role::WebsocketService, settings.cpu).await?,
            collector: Server::start(Role::Collector, settings.cpu).await?,
            hops: BTreeMap::new(),
            workers: BTreeMap::new(),
            clients: BTreeMap::new(),
            script: starter::write_script(folder.path())?,
            managers: [hops::free_address()?, hops::free_address()?],
            folder,
            settings,
        };
        for subject in subjects {
            world.renew(*subject).await?;
        }
        Ok(world)
    }

    /// Replaces a hop by a fresh process; others are left as they are.
    pub(crate) async fn renew(&mut self, subject: Subject) -> anyhow::Result<()> {
        if let Some(worker) = self.workers.remove(&subject) {
            worker.stop().await;
        }
        if let Some(hop) = self.hops.remove(&subject) {
            hop.running.stop().await;
        }
        if let Subject::Client(language) | Subject::Library(language) = subject {
            let program = if matches!(subject, Subject::Client(_)) {
                language.service()
            } else {
                language.direct()
            };
            // It was not built: its figures are left out.
            let Some(program) = program else { return Ok(()) };
            if let Some(before) = self.clients.remove(&subject) {
                before.running.stop().await;
            }
            let server = Server::foreign(&program, self.settings.cpu).await;
            let server = server.with_context(|| format!("starting {}", program.display()))?;
            self.clients.insert(subject, server);
        }
        if subject == Subject::Fanout {
            let mut command = process::role(Role::Fanout, self.settings.cpu)?;
            command.arg(self.manager(subject).to_string());
            if let Some(before) = self.clients.insert(subject, Server::of(command).await?) {
                before.running.stop().await;
            }
        }
        let folder = self.folder.path().join(subject.name());
        fs::create_dir_all(&folder)?;
        let place = self.place(&folder);
        let hop = match subject {
            Subject::Echo | Subject::Tonic | Subject::Direct | Subject::Starter => None,
            Subject::Library(_) | Subject::Fanout => None,
            Subject::Client(_) => {
                let address = self.clients.get(&subject).context("it was started above")?.address;
                let service = format!("{{url: \"grpc://{address}\"}}");
                self.start_bridge(place, service, String::new()).await?
            }
            Subject::Haproxy => hops::start_haproxy(place, self.fastagi.address).await?,
            Subject::Bridge => {
                let service = format!("{{url: \"grpc://{}\"}}", self.service.address);
                self.start_bridge(place, service, String::new()).await?
            }
            Subject::Events => {
                let service = format!("{{url: \"grpc://{}\"}}", self.service.address);
                self.start_bridge(place, service, events::sections(self.manager(subject))).await?
            }
            Subject::Kind(kind) => {
                let (websocket, fastagi) = (self.websocket.address, self.fastagi.address);
                let (service, script) = (self.service.address, &*self.script);
                let behind = Behind { websocket, fastagi, script, service };
                let sections = kind.sections(self.collector.address);
                self.start_bridge(place, kind.service(&behind), sections).await?
            }
        };
        let Some(hop) = hop else { return Ok(()) };
        if let Subject::Kind(kind) = subject
            && let Some(role) = kind.worker()
        {
            let mut command = process::role(role, self.settings.cpu)?;
            command.arg(hop.api.context("the bridge names no address for workers")?.to_string());
            let mut worker = Running::start(command, true)?;
            worker.ready().await?;
            self.workers.insert(subject, worker);
        }
        self.hops.insert(subject, hop);
        Ok(())
    }

    /// Where a subject listens, and the processes to watch: the hop, where there is one, and who stands behind.
    /// `None` when it is not there.
    pub(crate) fn target(&self, subject: Subject) -> Option<(SocketAddr, Vec<u32>)> {
        let alone = |server: &Server| Some((server.address, vec![server.running.pid()]));
        let before = |behind: &Running| {
            let hop = self.hops.get(&subject)?;
            Some((hop.address, vec![hop.running.pid(), behind.pid()]))
        };
        match subject {
            Subject::Echo => alone(&self.echo),
            Subject::Tonic => alone(&self.service),
            Subject::Direct => alone(&self.fastagi),
            Subject::Haproxy | Subject::Kind(Kind::FastAgi) => before(&self.fastagi.running),
            Subject::Bridge | Subject::Kind(Kind::Traced) => before(&self.service.running),
            Subject::Kind(Kind::WebSocketProto | Kind::WebSocketJson) => {
                before(&self.websocket.running)
            }
            Subject::Kind(Kind::WorkerGrpc | Kind::WorkerWebSocket) => {
                before(self.workers.get(&subject)?)
            }
            // Nobody stands behind for long: who does is its child.
            Subject::Kind(Kind::Script) => {
                let hop = self.hops.get(&subject)?;
                Some((hop.address, vec![hop.running.pid()]))
            }
            Subject::Client(_) => before(&self.clients.get(&subject)?.running),
            Subject::Library(_) | Subject::Fanout => alone(self.clients.get(&subject)?),
            Subject::Events => {
                let hop = self.hops.get(&subject)?;
                Some((hop.api?, vec![hop.running.pid()]))
            }
            // Watches itself, and has no use for an address.
            Subject::Starter => Some((self.echo.address, Vec::new())),
        }
    }

    /// Where a bridge is looked at.
    pub(crate) fn admin(&self, subject: Subject) -> Option<SocketAddr> {
        self.hops.get(&subject)?.admin
    }

    /// Where a subject looks for the manager of its Asterisk.
    pub(crate) fn manager(&self, subject: Subject) -> SocketAddr {
        let [bridge, fanout] = self.managers;
        if subject == Subject::Fanout { fanout } else { bridge }
    }

    /// The script that is run without a bridge.
    pub(crate) fn script(&self) -> &Path {
        &self.script
    }

    /// The core that all of it stays on, if it does.
    pub(crate) fn cpu(&self) -> Option<usize> {
        self.settings.cpu
    }

    /// Ends everything.
    pub(crate) async fn stop(self) {
        // Workers first: one whose bridge is gone complains.
        for worker in self.workers.into_values() {
            worker.stop().await;
        }
        for hop in self.hops.into_values() {
            hop.running.stop().await;
        }
        let own = [self.echo, self.fastagi, self.service, self.websocket, self.collector];
        for server in own.into_iter().chain(self.clients.into_values()) {
            server.running.stop().await;
        }
    }

    /// `None` where only floors are asked for.
    async fn start_bridge(
        &self,
        place: Place<'_>,
        service: String,
        sections: String,
    ) -> anyhow::Result<Option<Hop>> {
        let Some(program) = &self.settings.bridge else { return Ok(None) };
        hops::start_bridge(place, Bridging { program, service, sections }).await.map(Some)
    }

    fn place<'a>(&self, folder: &'a Path) -> Place<'a> {
        Place {
            folder,
            cpu: self.settings.cpu,
            cores: self.settings.cores,
            descriptors: self.settings.descriptors,
        }
    }
}

impl Server {
    async fn start(role: Role, cpu: Option<usize>) -> anyhow::Result<Self> {
        Self::of(process::role(role, cpu)?).await
    }

    async fn of(command: Command) -> anyhow::Result<Self> {
        let mut running = Running::start(command, true)?;
        let address = running.ready().await?.parse()?;
        Ok(Self { running, address })
    }

    /// A program of another language, which says where it listens.
    async fn foreign(program: &Path, cpu: Option<usize>) -> anyhow::Result<Self> {
        let mut command = process::role(Role::Exec, cpu)?;
        command.arg(program).arg("127.0.0.1:0");
        let mut running = Running::start(command, true)?;
        let line = running.line(FOREIGN_START_TIMEOUT).await?;
        let address = line.strip_prefix("listening on ");
        let address = address.with_context(|| format!("{line:?} names no address"))?.parse()?;
        Ok(Self { running, address })
    }
}
