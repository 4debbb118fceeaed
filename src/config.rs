//! The checked configuration, split per part: no part sees the file, and nothing here is text to parse later.

mod check;
mod effective;
mod environment;
mod faults;
mod file;
mod load;
mod many;
mod pattern;
mod read;
mod reference;
#[cfg(test)]
mod schema;
mod service_url;
mod tree;
mod units;
mod value;
mod watch;

pub use faults::{Fault, Faults, Place};
pub use load::{Loaded, load, parse};
pub use watch::{Reloader, Stopped, Watch, watch};

use crate::{
    access::{Credential, Issuer},
    admin::{Access, Right, Settings},
    ami::Server,
    api::{self, Permit},
    archive,
    manage::Clients,
    route::Table,
    secret::Secret,
    session::recorder,
    telemetry::otlp,
    tls::ServerTls,
};
use ipnet::IpNet;
use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

/// All that the bridge was told. Made by [`load()`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The side towards Asterisk.
    pub agi: AgiConfig,
    /// The admin port.
    pub admin: AdminConfig,
    /// Where workers dial in.
    pub api: ApiConfig,
    /// Whose JWTs are taken, on both.
    pub jwt: Vec<Issuer>,
    /// How the bridge stops.
    pub shutdown: ShutdownConfig,
    /// Logs.
    pub log: LogConfig,
    /// Traces, the `OTEL_*` variables included. Needs a restart.
    pub telemetry: otlp::Settings,
    /// What is kept of calls.
    pub recorder: recorder::Limits,
    /// Where transcripts go; none: no route keeps them.
    pub transcripts: Option<archive::Settings>,
    /// Which service gets a call, and how it is treated.
    pub routes: Table,
    /// The Asterisks whose managers the bridge logs in to; names are unique.
    pub managers: Vec<Server>,
}

/// Where Asterisk connects, and what is accepted of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgiConfig {
    /// At least one. Needs a restart.
    pub listen: Vec<SocketAddr>,
    /// Peers outside these networks are closed at once: AGI has no authentication.
    pub allow: Vec<IpNet>,
    /// Calls at once; one more is turned away.
    pub max_calls: usize,
    /// Calls of one peer at once.
    pub max_calls_per_peer: Option<usize>,
    /// New calls a second.
    pub calls_per_second: Option<u32>,
    /// New calls a second of one peer.
    pub calls_per_second_per_peer: Option<u32>,
    /// Balancers whose connections begin with a PROXY protocol header.
    pub proxy_protocol: Vec<IpNet>,
    /// From accept to the empty line after the prelude.
    pub prelude_timeout: Duration,
    /// The longest session; no route has a longer one.
    pub max_call_duration: Duration,
    /// The longest line Asterisk takes, in bytes without its LF.
    pub line_bytes_max: usize,
    /// Threads that carry calls, one runtime each. Needs a restart.
    pub cores: usize,
}

/// The admin port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminConfig {
    /// Needs a restart.
    pub listen: SocketAddr,
    /// None: plain text. Needs a restart.
    pub tls: Option<ServerTls>,
    /// Must be shown by whoever changes something.
    pub token: Option<Secret>,
    /// Who else may do what.
    pub settings: Settings,
}

impl Default for AdminConfig {
    fn default() -> Self {
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 4574));
        Self { listen, tls: None, token: None, settings: Settings::default() }
    }
}

impl AdminConfig {
    /// Who may do what; the token among them.
    pub fn who_may(&self) -> Settings {
        let mut settings = self.settings.clone();
        let token = self.token.clone().map(Credential::Token);
        settings.access.extend(token.map(|credential| Access { right: Right::Change, credential }));
        settings
    }
}

/// Where workers dial in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiConfig {
    /// None: nobody can dial in. Needs a restart.
    pub listen: Option<SocketAddr>,
    /// None: plain text. Needs a restart.
    pub tls: Option<ServerTls>,
    /// How often workers are asked whether they are there. Needs a restart.
    pub heartbeat: Duration,
    /// Who may register for which group; empty: nobody.
    pub workers: Vec<Permit>,
    /// Who may use the manager; empty: nobody.
    pub clients: Clients,
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self {
            listen: None,
            tls: None,
            heartbeat: api::HEARTBEAT,
            workers: Vec::new(),
            clients: Clients::default(),
        }
    }
}

/// How the bridge stops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShutdownConfig {
    /// How long running calls may go on.
    pub drain_timeout: Duration,
    /// How long new connections are sent back to the dialplan before listening stops.
    pub linger: Duration,
}

/// Logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogConfig {
    /// How a line looks.
    pub format: LogFormat,
    /// The least important level that is written.
    pub level: LogLevel,
}

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// Importance of a line of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// The bridge, or a part of it, stops.
    Error,
    /// Worth waking someone.
    Warn,
    /// One line a call.
    Info,
    /// Deviations.
    Debug,
    /// Every line on the wire.
    Trace,
}

impl LogLevel {
    /// As it is written in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}
