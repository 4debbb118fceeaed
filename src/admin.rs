//! The admin port: what operators, probes and Prometheus ask of a running bridge. Knows nothing of how a call works.
//!
//! | request | answer |
//! |---|---|
//! | `GET /livez`, `GET /healthz` | 200 while the process lives |
//! | `GET /readyz` | 200 when new calls are welcome, else 503; `?verbose` names every condition |
//! | `GET /metrics` | the text page, or OpenMetrics where `Accept` prefers it |
//! | `GET /version` | `{"name": …, "version": …}` |
//! | `GET /calls` | `{"active": …, "calls": […], "truncated": …}`, oldest first; `?limit=N` (1,000), `?offset=N`, `?route=NAME`, `?callers=true` shows numbers, to those who may change things |
//! | `GET /calls/ended` | the last calls that ended, newest first; `?limit=N` (100), `?before=NUMBER`, `?route=NAME`, `?callers=true` |
//! | `GET /calls/{id}` | one call, live or ended, and what happened in it; `?since=REVISION` only what is new, `?callers=true` |
//! | `GET /routes` | the routes in force, their services' health, how their calls did |
//! | `GET /events?of=…` | `calls`, `ended`, `routes`, `call` or `phone`, live, as server-sent events |
//! | `GET /` | the console, a page made of all this |
//! | `POST /phone`, `/phone/{id}/press`, `/phone/{id}/hangup` | a simulated call that the bridge makes to itself |
//! | `POST /calls/{id}/hangup` | tells one call to end; `id` may be the beginning of an id |
//! | `POST /reload` | reads the configuration again and tells what came of it |
//!
//! Every error is `{"error": "…"}`. A change needs a credential where one is set for it. Where none is set it is taken from this
//! machine only, and needs the header `agibridge-client` or a JSON body, which no foreign web page can send. What needs a
//! credential besides is a matter of the settings; probes, the version and the page itself never do.

mod console;
mod history;
mod live;
mod overview;
mod permission;
mod phone;
mod readiness;
mod reload;
mod routes;
mod server;

pub use overview::{AddressView, RouteSource, RouteView, ServiceView};
pub use permission::{Access, Right};
pub use readiness::{Condition, Readiness};
pub use reload::{ReloadReport, ReloadRequest};

use crate::{
    access::Tokens,
    session::{recorder::Recorder, registry::Registry},
    telemetry::metrics::Metrics,
    tls::Acceptor,
};
use arc_swap::ArcSwap;
use std::{net::SocketAddr, sync::Arc};
use tokio::{net::TcpListener, sync::mpsc};

/// The header that tells a client of ours from a web page.
pub const CLIENT_HEADER: &str = "agibridge-client";

/// What is spoken over TLS.
pub const ALPN: [&str; 1] = ["http/1.1"];

/// Who may do what; replaced whole by a reload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// What needs a credential to which none is given is taken from this machine only.
    pub access: Vec<Access>,
    /// What needs none; probes never do.
    pub everybody: Option<Right>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { access: Vec::new(), everybody: Some(Right::See) }
    }
}

#[cfg(test)]
impl Settings {
    pub(crate) fn with_token(token: Option<&str>) -> Self {
        let token =
            token.map(|token| crate::access::Credential::Token(crate::secret::Secret::new(token)));
        let access = token.map(|credential| Access { right: Right::Change, credential });
        Self { access: access.into_iter().collect(), ..Self::default() }
    }
}

/// The parts of the bridge that the port shows and reaches.
#[derive(Debug, Clone)]
pub struct Parts {
    /// Who may do what.
    pub settings: Arc<ArcSwap<Settings>>,
    /// Checks the JWTs that clients show.
    pub tokens: Arc<Tokens>,
    /// Unset: plain text.
    pub tls: Option<Arc<Acceptor>>,
    /// The calls that live.
    pub registry: Arc<Registry>,
    /// What `/metrics` shows.
    pub metrics: Arc<Metrics>,
    /// What `/readyz` asks.
    pub readiness: Arc<Readiness>,
    /// What happened in calls.
    pub recorder: Arc<Recorder>,
    /// The routes in force.
    pub routes: RouteSource,
    /// Where the page's phone calls; none: it cannot.
    pub phone: Option<SocketAddr>,
    /// Who reads the configuration again. One place is enough: a reload that waits would read the same file.
    pub reload: mpsc::Sender<ReloadRequest>,
}

/// Answers requests until `stop` is done, and for a second more those that are being answered then.
pub async fn serve(listener: TcpListener, parts: Parts, stop: impl Future<Output = ()>) {
    let tls = parts.tls.clone();
    let router = routes::router(Arc::new(parts));
    server::run(listener, router, tls, server::Limits::default(), stop).await;
}

#[cfg(test)]
mod tests;
