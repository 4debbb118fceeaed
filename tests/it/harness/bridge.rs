//! The bridge itself, in this process, on ports of its own.

use super::{service::Service, until};
use agi_bridge::{app::App, config, session::registry::Summary, telemetry::metrics::Format};
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
        let urls: Vec<String> = services.iter().map(|service| service.url()).collect();
        Self::at(&urls, route, sections)
    }

    /// As `with`, for services that are only URLs.
    pub(crate) fn at(urls: &[impl AsRef<str>], route: &str, sections: &str) -> Self {
        let urls: Vec<String> =
            urls.iter().map(|url| format!("{{url: \"{}\"}}", url.as_ref())).collect();
        Self::on(&[("test", "/test/{colour}", &urls.join(", "), route)], sections)
    }

    /// As `at`, with variables of the environment.
    pub(crate) fn with_variables(
        urls: &[String],
        route: &str,
        sections: &str,
        variables: Vec<(&str, String)>,
    ) -> Self {
        let urls: Vec<String> = urls.iter().map(|url| format!("{{url: \"{url}\"}}")).collect();
        let routes = [("test", "/test/{colour}", &*urls.join(", "), route)];
        Self::on_with_variables(&routes, sections, variables)
    }

    /// Routes: name, path, services as a list of YAML, further lines; and further sections.
    pub(crate) fn on(routes: &[(&str, &str, &str, &str)], sections: &str) -> Self {
        Self::on_with_variables(routes, sections, Vec::new())
    }

    pub(crate) fn on_with_variables(
        routes: &[(&str, &str, &str, &str)],
        sections: &str,
        variables: Vec<(&str, String)>,
    ) -> Self {
        let agi =
            if sections.contains("agi:") { "" } else { "agi: {listen: '127.0.0.1:0', cores: 1}\n" };
        let mut text = format!("{agi}{sections}\nroutes:\n");
        for (name, path, services, lines) in routes {
            let route = format!(
                "  - name: {name}\n    path: \"{path}\"\n    services: [{services}]\n{lines}\n"
            );
            text.push_str(&route);
        }
        let variables = variables.into_iter().map(|(name, value)| (name.into(), value.into()));
        let config = config::parse(Some(&text), Path::new(""), variables);
        let config = config.unwrap_or_else(|faults| panic!("{faults}\n{text}"));
        Self { app: App::start(&config).unwrap() }
    }

    /// Where Asterisk connects.
    pub(crate) fn address(&self) -> SocketAddr {
        self.app.agi()[0]
    }

    /// Where workers dial in.
    pub(crate) fn api(&self) -> SocketAddr {
        self.app.api().unwrap()
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

    /// Waits until the only call is listed so.
    pub(crate) async fn listed(&self, what: &str, so: impl Fn(&Summary) -> bool) {
        let registry = self.app.registry();
        until(what, || registry.list().iter().any(&so)).await;
    }

    /// The lines of the metrics that begin so.
    pub(crate) fn metrics(&self, begin: &str) -> Vec<String> {
        let page = self.app.metrics().page(Format::Text);
        page.lines().filter(|line| line.starts_with(begin)).map(str::to_owned).collect()
    }

    /// An operator hangs up the only call.
    pub(crate) fn hang_up(&self) {
        let registry = self.app.registry();
        let call = registry.list().remove(0);
        assert!(registry.hang_up(&call.call_id.to_string()));
    }

    /// Drains it; every message on the channel hurries it.
    pub(crate) fn drain(self) -> (tokio::task::JoinHandle<()>, mpsc::Sender<()>) {
        let (hurry, hurried) = mpsc::channel(2);
        (tokio::spawn(self.app.drain(hurried)), hurry)
    }
}
