//! The kinds of services that the bridge is measured with beside gRPC: how a route names each, and what stands behind.

use crate::{cli::Role, websocket, worker};
use agi_bridge::upstream::Format;
use serde::Serialize;
use std::{net::SocketAddr, path::Path};

/// A kind of service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    WebSocketProto,
    WebSocketJson,
    WorkerGrpc,
    WorkerWebSocket,
    /// The direct FastAGI server, passed through.
    FastAgi,
    /// A shell script, passed through.
    Script,
    /// The gRPC service, with every call traced.
    Traced,
}

/// Where those are that a bridge dials.
pub(crate) struct Behind<'a> {
    pub(crate) websocket: SocketAddr,
    pub(crate) fastagi: SocketAddr,
    pub(crate) script: &'a Path,
    pub(crate) service: SocketAddr,
}

impl Kind {
    pub(crate) const ALL: [Self; 7] = [
        Self::WebSocketProto,
        Self::WebSocketJson,
        Self::WorkerGrpc,
        Self::WorkerWebSocket,
        Self::FastAgi,
        Self::Script,
        Self::Traced,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::WebSocketProto => "ws-proto",
            Self::WebSocketJson => "ws-json",
            Self::WorkerGrpc => "worker-grpc",
            Self::WorkerWebSocket => "worker-ws",
            Self::FastAgi => "agi",
            Self::Script => "exec",
            Self::Traced => "traced",
        }
    }

    /// Who dials in to the bridge, where somebody does.
    pub(crate) fn worker(self) -> Option<Role> {
        match self {
            Self::WorkerGrpc => Some(Role::WorkerGrpc),
            Self::WorkerWebSocket => Some(Role::WorkerWebsocket),
            Self::WebSocketProto
            | Self::WebSocketJson
            | Self::FastAgi
            | Self::Script
            | Self::Traced => None,
        }
    }

    /// Further sections of the bridge's configuration.
    pub(crate) fn sections(self, collector: SocketAddr) -> String {
        if self == Self::Traced {
            return format!("telemetry: {{otlp_endpoint: \"http://{collector}\"}}\n");
        }
        let workers = "api: {listen: \"127.0.0.1:0\", workers: [{groups: \"*\"}]}\n";
        self.worker().map_or_else(String::new, |_| workers.to_owned())
    }

    /// The service of a route, in the words of the configuration.
    pub(crate) fn service(self, behind: &Behind<'_>) -> String {
        let websocket = |format| format!("ws://{}{}", behind.websocket, websocket::path(format));
        let url = match self {
            Self::WebSocketProto => websocket(Format::Proto),
            Self::WebSocketJson => websocket(Format::Json),
            Self::WorkerGrpc | Self::WorkerWebSocket => format!("worker://{}", worker::GROUP),
            Self::FastAgi => format!("agi://{}", behind.fastagi),
            Self::Traced => format!("grpc://{}", behind.service),
            // More than are ever run: a process may outlive its call by a moment.
            Self::Script => {
                return format!(
                    "{{url: \"exec://{}\", max_processes: 1000}}",
                    behind.script.display()
                );
            }
        };
        format!("{{url: \"{url}\"}}")
    }
}
