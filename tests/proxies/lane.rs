//! A bridge and a service with a hop of a proxy between them, whoever dials. Knows how they are put together, and the calls
//! that are made over them; not what the proxy does to these.

use crate::{
    authority::Authority,
    caller::Caller,
    proxy::{Carries, Hop, Manner},
};
use kit::{
    bridge::Bridge,
    service::{Service, Tell, Transport},
};
use serde_json::{Value, json};
use std::{net::SocketAddr, path::Path, time::Duration};
use tokio::sync::watch;

const LIMIT: Duration = Duration::from_secs(60);

/// Longer than any test.
const NEVER: &str = "10m";

/// What keeps a stream in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beat {
    /// A heartbeat, or a ping of a WebSocket, each second.
    EachSecond,
    /// Nothing does.
    Never,
}

/// Who dials, over what, and where TLS ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Way {
    pub(crate) transport: Transport,
    /// The dialling side speaks TLS with the proxy.
    pub(crate) tls: bool,
}

/// One side of a lane, until there is a proxy.
pub(crate) struct Plan {
    way: Way,
    beat: Beat,
    resume_for: &'static str,
    service: Service,
    told: watch::Receiver<Vec<Value>>,
    /// The bridge of a worker.
    bridge: Option<Bridge>,
}

/// Both sides, and a hop between them.
pub(crate) struct Lane {
    pub(crate) service: Service,
    pub(crate) bridge: Bridge,
    proxy: SocketAddr,
    told: watch::Receiver<Vec<Value>>,
}

impl Way {
    pub(crate) fn carries(self) -> Carries {
        match self.transport {
            Transport::Grpc | Transport::WorkerGrpc => Carries::Grpc,
            Transport::WebSocketJson | Transport::WebSocketProto | Transport::WorkerWebSocket => {
                Carries::WebSocket
            }
        }
    }
}

impl Plan {
    pub(crate) async fn new(way: Way, beat: Beat) -> Self {
        Self::resumed_for(way, beat, "0s").await
    }

    /// As `new`, for calls that are resumed.
    pub(crate) async fn resumed_for(way: Way, beat: Beat, resume_for: &'static str) -> Self {
        let (tell, told) = watch::channel(Vec::new());
        let tell = Tell::new(move |event| tell.send_modify(|events| events.push(event)));
        let part = serde_json::from_value(part()).unwrap();
        let service = Service::resumable(way.transport, None, part, tell);
        let mut plan = Self { way, beat, resume_for, service, told, bridge: None };
        if way.transport.dials_in() {
            let beat = match beat {
                Beat::EachSecond => "1s",
                Beat::Never => NEVER,
            };
            let api = format!(
                "api: {{listen: \"127.0.0.1:0\", heartbeat: {beat}, workers: [{{groups: [kit]}}]}}\n"
            );
            plan.bridge = Some(plan.bridge(&api, "worker://kit", "").await);
        }
        plan
    }

    /// The hop that it wants.
    pub(crate) fn hop(&self, manner: Manner, authority: &Authority) -> Hop {
        let target = match &self.bridge {
            Some(bridge) => bridge.api().unwrap(),
            None => {
                let url = self.service.url();
                url.split('/').nth(2).unwrap().parse().unwrap()
            }
        };
        let mut hop = Hop::new(self.way.carries(), manner, target);
        hop.tls = self.way.tls.then(|| authority.certificate());
        hop
    }

    /// Puts both sides together.
    pub(crate) async fn build(mut self, proxy: SocketAddr, authority: &Authority) -> Lane {
        let bridge = match self.bridge.take() {
            Some(bridge) => {
                self.service.dial(proxy).await;
                bridge
            }
            None => {
                let port = proxy.port();
                let (scheme, path) = match (self.way.carries(), self.way.tls) {
                    (Carries::Grpc, false) => ("grpc", ""),
                    (Carries::Grpc, true) => ("grpcs", ""),
                    (Carries::WebSocket, false) => ("ws", "/calls"),
                    (Carries::WebSocket, true) => ("wss", "/calls"),
                };
                let tls = if self.way.tls { authority.yaml() } else { String::new() };
                // HTTP/2's own pings go as far as the proxy, and are never enough.
                let pings = match (self.way.carries(), self.beat) {
                    (Carries::WebSocket, Beat::Never) => NEVER,
                    (Carries::Grpc, _) | (_, Beat::EachSecond) => "1s",
                };
                let more = format!(", keepalive: {{interval: {pings}}}{tls}");
                self.bridge("", &format!("{scheme}://localhost:{port}{path}"), &more).await
            }
        };
        Lane { service: self.service, bridge, proxy, told: self.told }
    }

    async fn bridge(&self, sections: &str, url: &str, more: &str) -> Bridge {
        let heartbeat = match (self.way.carries(), self.beat) {
            (Carries::Grpc, Beat::EachSecond) => "1s",
            // Their pings are enough.
            (Carries::WebSocket, _) | (_, Beat::Never) => NEVER,
        };
        let text = format!(
            "{sections}routes:\n  - name: calls\n    path: /calls\n    heartbeat: {heartbeat}\n    \
             resume_for: {}\n    services: [{{url: \"{url}\"{more}}}]\n",
            self.resume_for
        );
        Bridge::start(Path::new(env!("CARGO_BIN_EXE_agi-bridge")), &text).await
    }
}

impl Lane {
    /// The worker registers, again.
    pub(crate) async fn dial(&self) {
        self.service.dial(self.proxy).await;
    }

    /// A call that a service has, and whose first command is at Asterisk.
    pub(crate) async fn call(&self) -> Caller {
        let mut caller = Caller::call(self.bridge.agi(), "calls").await;
        caller.is_asked("STEP", "1").await;
        caller
    }

    /// Shows that results, commands and the hangup pass, and that the service can still act on it.
    pub(crate) async fn ends_well(&self, mut caller: Caller) {
        caller.answer().await;
        caller.is_asked("STEP", "2").await;
        caller.answer().await;
        caller.hang_up().await;
        caller.is_asked("GONE", "yes").await;
        caller.answer().await;
        caller.is_over().await;
    }

    /// Waits until the service told such an event.
    pub(crate) async fn is_told(&self, event: &str) {
        let mut told = self.told.clone();
        let told = told.wait_for(|told| told.iter().any(|it| it["event"] == event));
        let found = tokio::time::timeout(LIMIT, told).await;
        found.unwrap_or_else(|_| panic!("the service is not told {event}")).unwrap();
    }

    /// Lines of the bridge's log with this message.
    pub(crate) fn logged(&self, message: &str) -> usize {
        let message = format!("\"message\":\"{message}\"");
        self.bridge.log().iter().filter(|line| line.contains(&message)).count()
    }
}

/// Two commands; and one more once the caller is gone.
fn part() -> Value {
    let set = |name: &str, value: &str| json!({"setVariable": {"name": name, "value": value}});
    json!({
        "steps": [set("STEP", "1"), set("STEP", "2"), {"wait_for": "hangup"}],
        "hangup": [set("GONE", "yes"), {"end": {}}],
    })
}
