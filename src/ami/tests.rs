//! The links against a scripted Asterisk, in time that stands still while anything happens.

mod actions;
mod events;
mod faults;
mod login;
mod reload;

use super::*;
use crate::{
    route::Remote,
    secret::Secret,
    telemetry::{
        metrics::{Format, Metrics},
        tracer::Tracer,
    },
};
use kit::manager::{Connection, Manager, SECRET, USER};
use std::{sync::Arc, time::Duration};
use tokio::{runtime::Handle, time::timeout};

/// Long enough for whatever should come: time stands still while it does.
const PATIENCE: Duration = Duration::from_secs(600);

const SECOND: Duration = Duration::from_secs(1);

/// Everything around one link.
struct Lab {
    manager: Manager,
    links: Links,
    metrics: Arc<Metrics>,
}

impl Lab {
    async fn start() -> Self {
        Self::start_with(|_| {}, None).await
    }

    async fn start_with(change: impl FnOnce(&mut Server), tracer: Option<Arc<Tracer>>) -> Self {
        let manager = Manager::start().await;
        let metrics = Metrics::new();
        let links = Links::new(Handle::current(), Arc::clone(&metrics), tracer);
        let mut server = server("pbx1", &manager);
        change(&mut server);
        links.update(&[server]);
        Self { manager, links, metrics }
    }

    /// With the link up.
    async fn linked() -> (Self, Link, Connection) {
        let mut lab = Self::start().await;
        let connection = lab.manager.accept_user().await;
        let link = lab.link();
        until(&link, |state| state.connected).await;
        (lab, link, connection)
    }

    fn link(&self) -> Link {
        self.links.server("").unwrap()
    }

    /// The value of a series, which must be there.
    fn sample(&self, series: &str) -> f64 {
        let page = self.metrics.page(Format::Text);
        let found = page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        found.unwrap_or_else(|| panic!("no {series}:\n{page}")).parse().unwrap()
    }
}

fn server(name: &str, manager: &Manager) -> Server {
    let address = manager.address();
    Server {
        name: name.into(),
        remote: Remote { host: address.ip().to_string(), port: address.port(), tls: None },
        username: USER.to_owned(),
        secret: Secret::new(SECRET),
        plain_login: false,
        async_agi: false,
    }
}

/// The first state of which `wanted` is true.
async fn until(link: &Link, wanted: impl FnMut(&ServerState) -> bool) -> ServerState {
    let mut watch = link.watch();
    let state = timeout(PATIENCE, watch.wait_for(wanted)).await;
    state.expect("it comes to that").expect("the link is kept").clone()
}

async fn down(link: &Link, why: &str) -> ServerState {
    until(link, |state| !state.connected && state.detail.contains(why)).await
}

fn action(name: &str) -> Action {
    Action::new(name).unwrap()
}

async fn next(events: &mut Subscription) -> Item {
    timeout(PATIENCE, events.next()).await.expect("something comes").expect("the links are kept")
}

/// The next event, which must come next.
async fn next_event(events: &mut Subscription) -> Arc<Event> {
    match next(events).await {
        Item::Event(event) => event,
        other @ (Item::Missed(_) | Item::State(_)) => panic!("{other:?}"),
    }
}
