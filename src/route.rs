//! Which service gets a call. Pure: knows routes and what Asterisk said of the call, and no socket, clock or file.

mod order;
mod pattern;
mod table;

pub use pattern::{Pattern, PatternError};
pub use table::{Picked, Request, Table, TableError};

use crate::{agi::CommandPolicy, redact::Redact, secret::Secret};
use std::{path::PathBuf, sync::Arc, time::Duration};

/// A rule that sends a call to a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Unique in the table.
    pub name: Arc<str>,
    /// The path of the AGI URL, in the syntax of `matchit`: `/support/{queue}`, `/{*rest}`.
    pub path: String,
    /// What else must be so.
    pub when: When,
    /// In the order of the file; at least one.
    pub services: Vec<Arc<Service>>,
    /// How calls of this route are treated.
    pub policy: Policy,
}

/// Conditions on a call; an unset one is met by every call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct When {
    /// `agi_context`.
    pub context: Option<String>,
    /// `agi_extension`.
    pub extension: Option<String>,
    /// `agi_dnid`.
    pub dialed_number: Option<String>,
    /// `agi_accountcode`.
    pub account_code: Option<String>,
    /// Query parameters that must have these values, percent-decoded. One of several values of a key is enough.
    pub query: Vec<(String, String)>,
}

/// A remote program that drives calls, as the configuration names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// As written, for logs and metrics: `grpc://host:port`.
    pub url: Arc<str>,
    /// What it is, and where.
    pub target: Target,
    /// Sent as `authorization: Bearer …`.
    pub token: Option<Secret>,
    /// Further metadata, names in lower case.
    pub headers: Vec<(String, Secret)>,
    /// Share of the calls among the route's services; all unset: they are tried in order.
    pub weight: Option<u32>,
    /// Calls that one connection carries at most; the peer's own limit holds too.
    pub max_streams_per_connection: u32,
    /// HTTP/2 ping after so long without traffic on a connection that has calls; a WebSocket is pinged at this interval.
    pub keepalive_interval: Duration,
    /// The connection is dead when a ping is not answered for so long.
    pub keepalive_timeout: Duration,
    /// Of a script: how many of it run at once.
    pub max_processes: u32,
}

impl Service {
    /// Where it is dialled; none for one that dials in, or runs here.
    pub fn remote(&self) -> Option<&Remote> {
        match &self.target {
            Target::Grpc(remote)
            | Target::WebSocket { remote, .. }
            | Target::FastAgi { remote, .. } => Some(remote),
            Target::Worker { .. } | Target::Script { .. } => None,
        }
    }
}

/// What drives a call, and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// `grpc://`, `grpcs://`: a server that implements `CallService`.
    Grpc(Remote),
    /// `ws://`, `wss://`: the same over WebSocket.
    WebSocket {
        /// The server.
        remote: Remote,
        /// Path and query of the request, with the leading `/`.
        path: String,
    },
    /// `worker://group`: whoever dialled in for this group.
    Worker {
        /// As workers and routes name it.
        group: Arc<str>,
    },
    /// `agi://`: an existing FastAGI server.
    FastAgi {
        /// The server.
        remote: Remote,
        /// Path, with the leading `/`, that stands in the prelude instead of the call's own; none: the prelude is passed on as it is.
        path: Option<String>,
    },
    /// `exec:`: an existing AGI script.
    Script {
        /// The program, an absolute path.
        program: PathBuf,
    },
}

/// A place in the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    /// A name or an address, without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Set where the connection is encrypted.
    pub tls: Option<Tls>,
}

impl Remote {
    /// As a URL has it: `host:port`, an IPv6 address in brackets.
    pub fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

/// How a `grpcs://` or `wss://` service is checked, and how the bridge shows who it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Tls {
    /// PEM file with the authorities to trust; unset: the system's.
    pub ca: Option<PathBuf>,
    /// PEM file with the client's certificate chain; set together with `key`.
    pub cert: Option<PathBuf>,
    /// PEM file with the client's private key.
    pub key: Option<PathBuf>,
    /// Name that the certificate must carry; unset: the URL's host.
    pub server_name: Option<String>,
}

/// How the calls of a route are treated: `defaults:` of the configuration, overridden on the route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// For one attempt to reach a service: connect, handshake and acceptance.
    pub connect_timeout: Duration,
    /// For all attempts before a service took the call.
    pub retry_for: Duration,
    /// After so long without a service, `quiet` is played.
    pub quiet_limit: Duration,
    /// What the caller hears while no service has taken the call for longer than `quiet_limit`.
    pub quiet: Quiet,
    /// How long a lost call is kept for another service; zero: not at all.
    pub resume_for: Duration,
    /// How often within a minute a call is resumed.
    pub resumes_per_minute: u32,
    /// Results kept for a service that resumes the call.
    pub journal_results: usize,
    /// Largest checkpoint, in bytes.
    pub checkpoint_limit: usize,
    /// How long a service may go on after the caller is gone.
    pub hangup_grace: Duration,
    /// A stream with no event for so long gets a heartbeat.
    pub heartbeat: Duration,
    /// Commands that a service may have unanswered at once.
    pub max_queued_commands: u32,
    /// The longest session.
    pub max_call_duration: Duration,
    /// Whether programs that speak AGI themselves get the trace as one more argument.
    pub trace_argument: bool,
    /// Whether the channel variable TRACEPARENT is asked for, before a service is sought.
    pub trace_variable: bool,
    /// Whether the service is told of every digit that the caller presses.
    pub digits: bool,
    /// What becomes of the call when no service drives it to its end.
    pub then: Then,
    /// What of the call is shown to nobody.
    pub redact: Redact,
    /// Whether a transcript of each call is kept.
    pub record: bool,
    /// What services may have Asterisk do.
    pub commands: Arc<CommandPolicy>,
    /// Calls at once that came in by the route.
    pub max_calls: Option<usize>,
    /// New calls a second.
    pub calls_per_second: Option<u32>,
}

impl Default for Policy {
    /// What holds where the configuration says nothing.
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(1),
            retry_for: Duration::from_secs(3),
            quiet_limit: Duration::from_secs(2),
            quiet: Quiet::Silence,
            resume_for: Duration::from_secs(10),
            resumes_per_minute: 6,
            journal_results: 32,
            checkpoint_limit: 64 * 1024,
            hangup_grace: Duration::from_secs(10),
            heartbeat: Duration::from_secs(20),
            max_queued_commands: 32,
            max_call_duration: Duration::from_secs(12 * 3600),
            trace_argument: false,
            trace_variable: false,
            digits: false,
            then: Then { announce: None, next: Next::Fail },
            redact: Redact::default(),
            record: false,
            commands: Arc::default(),
            max_calls: None,
            calls_per_second: None,
        }
    }
}

/// What the caller hears while no service has taken the call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Quiet {
    /// Nothing is done.
    Silence,
    /// Ringing is indicated.
    Ringing,
    /// Music on hold, of this class (empty: the channel's).
    Music(String),
}

/// What becomes of a call that no service drives to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Then {
    /// A sound file to play first, without its ending.
    pub announce: Option<String>,
    /// What is done then.
    pub next: Next,
}

/// Where a call goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// AGI's own `failure`: AGISTATUS=FAILURE, and the dialplan goes on.
    Fail,
    /// The dialplan goes on, AGISTATUS=SUCCESS.
    Continue,
    /// The channel is hung up.
    Hangup,
    /// The dialplan goes on elsewhere.
    Goto {
        /// Dialplan context.
        context: String,
        /// Extension in it.
        extension: String,
        /// Priority in it, from 1.
        priority: i32,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A route with one service and no conditions.
    pub(super) fn route(name: &str, path: &str) -> Route {
        let service = Service {
            url: "grpc://h:1".into(),
            target: Target::Grpc(Remote { host: "h".into(), port: 1, tls: None }),
            token: None,
            headers: Vec::new(),
            weight: None,
            max_streams_per_connection: 100,
            keepalive_interval: Duration::from_secs(30),
            keepalive_timeout: Duration::from_secs(10),
            max_processes: 100,
        };
        Route {
            name: name.into(),
            path: path.into(),
            when: When::default(),
            services: vec![Arc::new(service)],
            policy: Policy::default(),
        }
    }
}
