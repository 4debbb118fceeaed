//! Everything that is measured, up and running: floors, hops and those behind them, a process each.

use crate::{
    cli::{Flags, Role},
    hops::{self, Hop, Place},
    job::Peer,
    process::{self, Running},
};
use serde::Serialize;
use std::net::SocketAddr;
use tempfile::TempDir;

/// What a row has a column for.
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
}

impl Subject {
    pub(crate) const ALL: [Self; 5] =
        [Self::Echo, Self::Tonic, Self::Direct, Self::Haproxy, Self::Bridge];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::Tonic => "tonic",
            Self::Direct => "direct",
            Self::Haproxy => "haproxy",
            Self::Bridge => "bridge",
        }
    }

    /// Who plays the load.
    pub(crate) fn load(self) -> (Role, Peer) {
        match self {
            Self::Echo => (Role::Load, Peer::Echo),
            Self::Tonic => (Role::GrpcLoad, Peer::Agi),
            Self::Direct | Self::Haproxy | Self::Bridge => (Role::Load, Peer::Agi),
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
    haproxy: Option<Hop>,
    bridge: Option<Hop>,
    folder: TempDir,
}

/// How it was asked for.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) bridge: Option<std::path::PathBuf>,
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
    /// Starts everything.
    pub(crate) async fn start(settings: Settings) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("agi-bridge-hop-").tempdir()?;
        let mut world = Self {
            echo: Server::start(Role::Echo, settings.cpu).await?,
            fastagi: Server::start(Role::Fastagi, settings.cpu).await?,
            service: Server::start(Role::GrpcService, settings.cpu).await?,
            haproxy: None,
            bridge: None,
            folder,
            settings,
        };
        world.renew(Subject::Haproxy).await?;
        world.renew(Subject::Bridge).await?;
        Ok(world)
    }

    /// Replaces a hop by a fresh process; others are left as they are.
    pub(crate) async fn renew(&mut self, subject: Subject) -> anyhow::Result<()> {
        match subject {
            Subject::Echo | Subject::Tonic | Subject::Direct => {}
            Subject::Haproxy => {
                stop(self.haproxy.take()).await;
                self.haproxy = hops::start_haproxy(self.place(), self.fastagi.address).await?;
            }
            Subject::Bridge => {
                stop(self.bridge.take()).await;
                if let Some(program) = &self.settings.bridge {
                    let hop = hops::start_bridge(self.place(), program, self.service.address).await;
                    self.bridge = Some(hop?);
                }
            }
        }
        Ok(())
    }

    /// Where a subject listens, and the processes to watch: the hop, where there is one, and who stands behind.
    /// `None` when it is not there.
    pub(crate) fn target(&self, subject: Subject) -> Option<(SocketAddr, Vec<u32>)> {
        let alone = |server: &Server| Some((server.address, vec![server.running.pid()]));
        let hop = |hop: &Option<Hop>, server: &Server| {
            let hop = hop.as_ref()?;
            Some((hop.address, vec![hop.running.pid(), server.running.pid()]))
        };
        match subject {
            Subject::Echo => alone(&self.echo),
            Subject::Tonic => alone(&self.service),
            Subject::Direct => alone(&self.fastagi),
            Subject::Haproxy => hop(&self.haproxy, &self.fastagi),
            Subject::Bridge => hop(&self.bridge, &self.service),
        }
    }

    /// The core that all of it stays on, if it does.
    pub(crate) fn cpu(&self) -> Option<usize> {
        self.settings.cpu
    }

    /// Ends everything.
    pub(crate) async fn stop(self) {
        stop(self.haproxy).await;
        stop(self.bridge).await;
        for server in [self.echo, self.fastagi, self.service] {
            server.running.stop().await;
        }
    }

    fn place(&self) -> Place<'_> {
        Place {
            folder: self.folder.path(),
            cpu: self.settings.cpu,
            cores: self.settings.cores,
            descriptors: self.settings.descriptors,
        }
    }
}

impl Server {
    async fn start(role: Role, cpu: Option<usize>) -> anyhow::Result<Self> {
        let mut running = Running::start(process::role(role, cpu)?, true)?;
        let address = running.ready().await?.parse()?;
        Ok(Self { running, address })
    }
}

async fn stop(hop: Option<Hop>) {
    if let Some(hop) = hop {
        hop.running.stop().await;
    }
}
