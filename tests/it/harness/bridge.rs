//! The bridge itself, in this process, on ports of its own.

use super::{service::Service, until};
use agi_bridge::{app::App, config, telemetry::metrics::Format};
use std::{net::SocketAddr, path::Path};
use tokio::sync::mpsc;

/// A running bridge; it is stopped at once when a test ends.
pub(crate) struct Bridge {
    app: App,
}

impl Bridge {
    /// One route, `/test/{colour}`, to `services`.
    pub(crate) fn start(services: &[&Service]) -> Self {
        Self::with(services, "", "")
    }

    /// As `start`, with further lines of the route, and further sections.
    pub(crate) fn with(services: &[&Service], route: &str, sections: &str) -> Self {
        let addresses: Vec<SocketAddr> = services.iter().map(|service| service.address).collect();
        Self::at(&addresses, route, sections)
    }

    /// As `with`, for services that are only addresses.
    pub(crate) fn at(services: &[SocketAddr], route: &str, sections: &str) -> Self {
        let urls: String = services
            .iter()
            .map(|address| format!("      - {{url: \"grpc://{address}\"}}\n"))
            .collect();
        let agi =
            if sections.contains("agi:") { "" } else { "agi: {listen: '127.0.0.1:0', cores: 1}\n" };
        let text = format!(
            "{agi}{sections}\nroutes:\n  - name: test\n    path: \"/test/{{colour}}\"\n    services:\n{urls}{route}\n"
        );
        let config = config::parse(Some(&text), Path::new(""), std::iter::empty());
        let config = config.unwrap_or_else(|faults| panic!("{faults}\n{text}"));
        Self { app: App::start(&config).unwrap() }
    }

    /// Where Asterisk connects.
    pub(crate) fn address(&self) -> SocketAddr {
        self.app.agi()[0]
    }

    pub(crate) fn app(&self) -> &App {
        &self.app
    }

    /// Waits until a service has the only call.
    pub(crate) async fn driven(&self) {
        let registry = self.app.registry();
        let taken = || registry.list().iter().any(|call| call.service.is_some());
        until("a service to take the call", taken).await;
    }

    /// Waits until a line of the metrics reads so.
    pub(crate) async fn counted(&self, line: &str) {
        let metrics = self.app.metrics();
        until(line, || metrics.page(Format::Text).lines().any(|it| it == line)).await;
    }

    /// Drains it; every message on the channel hurries it.
    pub(crate) fn drain(self) -> (tokio::task::JoinHandle<()>, mpsc::Sender<()>) {
        let (hurry, hurried) = mpsc::channel(2);
        (tokio::spawn(self.app.drain(hurried)), hurry)
    }
}
