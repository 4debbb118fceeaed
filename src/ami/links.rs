//! All links, as the configuration has them. Starts and ends their tasks; knows nothing of what goes over them.

use super::{
    hub::{Hub, ServerState},
    link::Link,
    run::Runner,
    server::Server,
    subscription::{Filter, Subscription},
};
use crate::telemetry::{metrics::Metrics, tracer::Tracer};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::{runtime::Handle, sync::watch, task::AbortHandle};

/// The links to every Asterisk of `managers`. Cheap to clone: all clones are the same.
#[derive(Debug, Clone)]
pub struct Links(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Where the tasks run.
    runtime: Handle,
    hub: Arc<Hub>,
    metrics: Arc<Metrics>,
    tracer: Option<Arc<Tracer>>,
    servers: Mutex<BTreeMap<Arc<str>, Running>>,
}

#[derive(Debug)]
struct Running {
    settings: Server,
    link: Link,
    state: watch::Sender<ServerState>,
    task: AbortHandle,
}

/// No link was meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Pick {
    /// `managers` has no entry of this name.
    #[error("no asterisk is called `{0}`: its name must stand in `managers`")]
    Unknown(String),
    /// `managers` is empty.
    #[error("no asterisk is set: `managers` names them")]
    Nothing,
    /// A name is needed.
    #[error("there are several asterisks: name one of `managers`")]
    Ambiguous,
}

impl Links {
    /// None yet. Their tasks will run on `runtime`.
    pub fn new(runtime: Handle, metrics: Arc<Metrics>, tracer: Option<Arc<Tracer>>) -> Self {
        let (hub, servers) = (Arc::default(), Mutex::default());
        Self(Arc::new(Inner { runtime, hub, metrics, tracer, servers }))
    }

    /// Puts new settings in force: links that are no longer named end, new ones begin, those whose settings changed begin anew, and
    /// the others are left alone.
    pub fn update(&self, wanted: &[Server]) {
        let mut servers = self.lock();
        let names: Vec<Arc<str>> = servers.keys().cloned().collect();
        for name in names {
            let settings = wanted.iter().find(|server| server.name == name);
            if settings.is_some_and(|settings| servers[&name].settings == *settings) {
                continue;
            }
            if let Some(running) = servers.remove(&name) {
                self.end(running, settings.is_some());
            }
        }
        for settings in wanted {
            if !servers.contains_key(&settings.name) {
                servers.insert(Arc::clone(&settings.name), self.start(settings));
            }
        }
    }

    /// The link to the Asterisk of this name; with an empty name: to the only one.
    ///
    /// # Errors
    /// When there is no such link, or a name is needed.
    pub fn server(&self, name: &str) -> Result<Link, Pick> {
        let servers = self.lock();
        if !name.is_empty() {
            let running = servers.get(name).ok_or_else(|| Pick::Unknown(name.to_owned()))?;
            return Ok(running.link.clone());
        }
        let mut all = servers.values();
        match (all.next(), all.next()) {
            (None, _) => Err(Pick::Nothing),
            (Some(only), None) => Ok(only.link.clone()),
            (Some(_), Some(_)) => Err(Pick::Ambiguous),
        }
    }

    /// All links, by name.
    pub fn all(&self) -> Vec<Link> {
        self.lock().values().map(|running| running.link.clone()).collect()
    }

    /// Whether no link is meant at all.
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// How all links are now, by name.
    pub fn states(&self) -> Vec<ServerState> {
        self.0.hub.states()
    }

    /// Where spans are recorded, if they are.
    pub(crate) fn tracer(&self) -> Option<&Arc<Tracer>> {
        self.0.tracer.as_ref()
    }

    /// Events that fit `filter`, from now on. First come the states of the links.
    pub fn subscribe(&self, filter: Filter) -> Subscription {
        self.subscribe_any(vec![filter])
    }

    /// As [`Self::subscribe`], where an event must fit one of several filters.
    pub fn subscribe_any(&self, filters: Vec<Filter>) -> Subscription {
        self.0.hub.subscribe(filters)
    }

    /// Has `task` run where the links do, beside them.
    pub fn run(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.0.runtime.spawn(task);
    }

    /// Ends all links and all subscriptions.
    pub fn stop(&self) {
        self.update(&[]);
        self.0.hub.close();
    }

    fn start(&self, settings: &Server) -> Running {
        let name = &settings.name;
        let metrics = self.0.metrics.manager(name);
        let first = ServerState::down(name, "not connected yet");
        let (state, watched) = watch::channel(first.clone());
        let (link, jobs) =
            Link::new(settings, watched, Arc::clone(&metrics), self.0.tracer.clone());
        self.0.hub.add(first);
        let runner = Runner {
            server: settings.clone(),
            jobs,
            state: state.clone(),
            hub: Arc::clone(&self.0.hub),
            metrics,
        };
        let task = self.0.runtime.spawn(runner.run()).abort_handle();
        Running { settings: settings.clone(), link, state, task }
    }

    fn end(&self, running: Running, begins_anew: bool) {
        running.task.abort();
        let detail = if begins_anew {
            "its settings have changed"
        } else {
            "it is no longer in the configuration"
        };
        let state = ServerState::down(&running.settings.name, detail);
        running.state.send_replace(state.clone());
        self.0.hub.remove(&state);
        self.0.metrics.forget_manager(&running.settings.name);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Running>> {
        self.0.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let servers = self.servers.get_mut().unwrap_or_else(PoisonError::into_inner);
        servers.values().for_each(|running| running.task.abort());
        self.hub.close();
    }
}
