//! Builds every part once, wires them together, and takes them down in order.
//!
//! One thread for each core runs calls and nothing else, one carries the links to the managers of Asterisk; the thread that called [`App::start`] runs the admin port, the
//! addresses of services, reloads and the drain.

use crate::{
    access::Tokens,
    admin::{AddressView, RouteSource, RouteView, ServiceView, Settings},
    agi::Limits,
    ami::Links,
    api::{self, Permits},
    archive::Archive,
    async_agi::{Arrival, Door},
    config::{AgiConfig, ApiConfig, Config, ShutdownConfig},
    listener::{self, Allow, Networks},
    manage::Manage,
    route::{Route, Service, Target, When},
    session::{self, Core, Drain, Rules, Shared, recorder::Recorder, registry::Registry},
    telemetry::{
        metrics::Metrics,
        otlp::{self, Exporter},
        tracer::{self, Tracer},
    },
    tls::Acceptor,
    upstream::{Directory, Endpoint, Health, Resolver, Upstreams, Workers},
};
use anyhow::Context;
use arc_swap::ArcSwap;
use std::{
    collections::BTreeSet,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, SystemTime},
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{sleep, timeout},
};
use tracing::{info, warn};

/// Once the drain deadline is over, calls have this long to be ended politely.
const END_TIMEOUT: Duration = Duration::from_secs(15);
/// For calls that are cut off to leave their last line in the log.
const CUT_TIMEOUT: Duration = Duration::from_secs(1);
/// How often a drain tells how many calls are left.
const DRAIN_REPORT: Duration = Duration::from_secs(10);
/// For the API port to let go of its connections.
const API_STOP_TIMEOUT: Duration = Duration::from_secs(3);
/// Async AGI calls that a core has not begun with yet.
const ARRIVALS_MAX: usize = 1024;

/// The running bridge.
#[derive(Debug)]
pub struct App {
    agi: Vec<SocketAddr>,
    api: Option<Api>,
    shared: Arc<Shared>,
    allow: Allow,
    directory: Arc<Directory>,
    workers: Arc<Workers>,
    permits: Permits,
    tokens: Arc<Tokens>,
    admin: Arc<ArcSwap<Settings>>,
    metrics: Arc<Metrics>,
    tracing: tracer::Rules,
    exporter: Option<Exporter>,
    links: Links,
    manage: Manage,
    open: watch::Sender<bool>,
    stop: watch::Sender<bool>,
    /// Their threads, and that of the links.
    /// True once a core has ended that was to go on.
    faulted: watch::Sender<bool>,
    cores: Vec<JoinHandle<()>>,
    shutdown: ShutdownConfig,
}

/// The API port, as long as it listens.
#[derive(Debug)]
struct Api {
    address: SocketAddr,
    draining: watch::Sender<bool>,
    stop: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<()>,
}

impl App {
    /// Binds the AGI port and the API port, and starts the cores. To be called on a tokio runtime, which keeps the parts that are not calls.
    ///
    /// # Errors
    /// When an address cannot be bound, or a thread not be started.
    pub fn start(config: &Config) -> anyhow::Result<Self> {
        let directory = Arc::new(Directory::new(Resolver::system()));
        directory.update(config.routes.routes().flat_map(|route| &route.services));
        let metrics = Metrics::new();
        metrics.config_loaded(true, SystemTime::now());
        metrics.calls_max(config.agi.max_calls);
        let archive = Archive::start(config.transcripts.clone())
            .context("transcripts: no thread for them")?;
        metrics.count_transcripts(archive.counts());
        for warning in &config.telemetry.warnings {
            warn!("a variable is not understood, and left aside: {warning}");
        }
        if !config.telemetry.exemplars {
            metrics.hide_exemplars();
        }
        let exporter =
            otlp::start(&config.telemetry, &metrics).context("telemetry: no thread for it")?;
        let (open, _) = watch::channel(true);
        let (stop, _) = watch::channel(false);
        let tracing = exporter.as_ref().and_then(Exporter::tracing);
        let tracer = tracing.map(|tracing| tracing.core(config.agi.cores));
        let (links, manager) = start_links(&metrics, tracer, stop.subscribe())?;
        links.update(&config.managers);
        let shared = Arc::new(Shared {
            rules: ArcSwap::from_pointee(rules(config)),
            registry: Registry::new(),
            recorder: Recorder::new(config.recorder),
            archive,
            drain: Drain::default(),
            admission: Arc::default(),
            links: links.clone(),
            digits: Arc::default(),
        });
        links.run(Arc::clone(&shared.digits).run(links.clone()));
        let allow: Allow = Arc::new(ArcSwap::from_pointee(networks(&config.agi)));
        let workers = Workers::new();
        count_workers(&metrics, &workers, &shared);
        let (faulted, _) = watch::channel(false);
        let mut app = Self {
            agi: Vec::new(),
            api: None,
            shared,
            allow,
            directory,
            workers,
            permits: Arc::new(ArcSwap::from_pointee(config.api.workers.clone())),
            tokens: Arc::new(Tokens::new(&config.jwt)),
            admin: Arc::new(ArcSwap::from_pointee(config.admin.who_may())),
            metrics,
            tracing: config.telemetry.rules,
            exporter,
            manage: Manage::new(links.clone(), config.api.clients.clone()),
            links,
            open,
            stop,
            faulted,
            cores: vec![manager],
            shutdown: config.shutdown.clone(),
        };
        app.start_api(&config.api)?;
        let doors = app.start_cores(&config.agi)?;
        let door = Door::new(app.links.clone(), Arc::clone(&app.shared), doors);
        app.links.run(door.run());
        app.metrics.routes(config.routes.routes().map(|route| &route.name));
        Ok(app)
    }

    /// Where Asterisk connects.
    pub fn agi(&self) -> &[SocketAddr] {
        &self.agi
    }

    /// Where workers dial in; none when they cannot.
    pub fn api(&self) -> Option<SocketAddr> {
        self.api.as_ref().map(|api| api.address)
    }

    /// The calls that live now.
    pub fn registry(&self) -> &Arc<Registry> {
        &self.shared.registry
    }

    /// What happened in calls.
    pub fn recorder(&self) -> &Arc<Recorder> {
        &self.shared.recorder
    }

    /// The links to the managers of Asterisk.
    pub fn links(&self) -> &Links {
        &self.links
    }

    /// The routes in force, for those who look.
    pub fn routes(&self) -> RouteSource {
        let (shared, directory) = (Arc::clone(&self.shared), Arc::clone(&self.directory));
        let workers = Arc::clone(&self.workers);
        RouteSource::new(move || {
            let (rules, endpoints) = (shared.rules.load(), directory.endpoints());
            rules.routes.routes().map(|route| route_view(route, &endpoints, &workers)).collect()
        })
    }

    /// Who may do what over the admin port.
    pub fn admin(&self) -> &Arc<ArcSwap<Settings>> {
        &self.admin
    }

    /// What checks JWTs.
    pub fn tokens(&self) -> &Arc<Tokens> {
        &self.tokens
    }

    /// The instruments of the process.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Puts a new configuration in force for calls to come: routes, limits, networks. What needs a restart stays.
    pub fn reload(&self, config: &Config) {
        self.directory.update(config.routes.routes().flat_map(|route| &route.services));
        self.links.update(&config.managers);
        self.manage.update(config.api.clients.clone());
        self.shared.recorder.set_limits(config.recorder);
        self.shared.archive.set(config.transcripts.clone());
        self.shared.rules.store(Arc::new(rules(config)));
        self.allow.store(Arc::new(networks(&config.agi)));
        // Before whoever needs them is let in by them.
        self.tokens.update(&config.jwt);
        self.permits.store(Arc::new(config.api.workers.clone()));
        self.admin.store(Arc::new(config.admin.who_may()));
        self.metrics.config_loaded(true, SystemTime::now());
        self.metrics.calls_max(config.agi.max_calls);
        self.metrics.routes(config.routes.routes().map(|route| &route.name));
    }

    /// A new configuration was not in order: the old one stays in force, and that is counted.
    pub fn reload_failed(&self) {
        self.metrics.config_loaded(false, SystemTime::now());
    }

    /// Returns once a core has ended by a fault: its calls are lost, and it takes no more.
    pub async fn faulted(&self) {
        // The sender lives as long as `self`.
        let _ = self.faulted.subscribe().wait_for(|faulted| *faulted).await;
    }

    /// Takes no more calls, lets the running ones end, and stops. Each message on `hurry` makes it stop sooner: the
    /// first ends all calls now.
    pub async fn drain(self, mut hurry: mpsc::Receiver<()>) {
        let ShutdownConfig { drain_timeout, linger } = self.shutdown;
        let begun = SystemTime::now();
        self.metrics.draining(begun, begun + drain_timeout);
        let deadline = session::timestamp(begun + drain_timeout);
        self.shared.drain.begin(deadline);
        let registry = Arc::clone(&self.shared.registry);
        registry.drain_all();
        if let Some(api) = &self.api {
            api.draining.send_replace(true);
        }
        info!(
            calls = registry.active(),
            ?drain_timeout,
            "draining: new calls go back to the dialplan"
        );

        let hurried = tokio::select! {
            () = sleep(linger) => false,
            hurried = hurry.recv() => hurried.is_some(),
        };
        self.open.send_replace(false);
        let ended = !hurried
            && tokio::select! {
                ended = timeout(drain_timeout.saturating_sub(linger), wait_until_empty(&registry)) => ended.is_ok(),
                Some(()) = hurry.recv() => false,
            };
        if !ended {
            warn!(calls = registry.active(), hurried, "ending the calls that are left");
            registry.end_all();
            let waited = timeout(END_TIMEOUT, registry.wait_until_empty());
            let all_ended = tokio::select! {
                done = waited => done.is_ok(),
                Some(()) = hurry.recv() => false,
            };
            if !all_ended {
                warn!(calls = registry.active(), "calls are cut off");
                registry.cut_all();
                let _ = timeout(CUT_TIMEOUT, registry.wait_until_empty()).await;
            }
        }
        self.links.stop();
        self.stop.send_replace(true);
        if let Some(api) = self.api {
            let _ = api.stop.send(());
            if timeout(API_STOP_TIMEOUT, api.task).await.is_err() {
                warn!("the api port did not stop");
            }
        }
        let cores = self.cores;
        // The threads end as soon as they see `stop`; a join cannot wait for a call.
        let joined =
            tokio::task::spawn_blocking(move || cores.into_iter().all(|core| core.join().is_ok()));
        if !joined.await.unwrap_or(false) {
            warn!("a core ended by a fault of the bridge");
        }
        // Last: the calls have left their transcripts, and their spans.
        self.shared.archive.finish().await;
        if let Some(exporter) = self.exporter {
            exporter.finish().await;
        }
        info!("stopped");
    }

    fn start_api(&mut self, config: &ApiConfig) -> anyhow::Result<()> {
        let Some(address) = config.listen else { return Ok(()) };
        let tls = config.tls.clone().map(|tls| Acceptor::new(tls, &api::ALPN));
        let tls = tls.transpose().context("api.tls")?;
        let bound = TcpListener::bind(address).and_then(|listener| {
            listener.set_nonblocking(true)?;
            tokio::net::TcpListener::from_std(listener)
        });
        let listener = bound.with_context(|| format!("api.listen: cannot listen on {address}"))?;
        let address = listener.local_addr()?;
        let (draining, drain) = watch::channel(false);
        let (stop, stopped) = oneshot::channel();
        let parts = api::Parts {
            tls,
            tokens: Arc::clone(&self.tokens),
            permits: Arc::clone(&self.permits),
            workers: Arc::clone(&self.workers),
            manage: self.manage.clone(),
            bridge_id: bridge_id(),
            heartbeat: config.heartbeat,
            draining: drain,
        };
        let task = tokio::spawn(api::serve(listener, parts, async {
            let _ = stopped.await;
        }));
        self.api = Some(Api { address, draining, stop, task });
        Ok(())
    }

    /// Starts them; where async AGI calls are given to each.
    fn start_cores(&mut self, agi: &AgiConfig) -> anyhow::Result<Vec<mpsc::Sender<Arrival>>> {
        let mut doors = Vec::new();
        let mut addresses = agi.listen.clone();
        for address in &addresses {
            listener::is_free(*address)
                .with_context(|| format!("agi.listen: cannot listen on {address}"))?;
        }
        for number in 0..agi.cores {
            let mut listeners = Vec::new();
            for address in &mut addresses {
                let listener = listener::bind(*address)
                    .with_context(|| format!("agi.listen: cannot listen on {address}"))?;
                // Port 0: the first core gets a free one, the others share it.
                *address = listener.local_addr()?;
                listeners.push(listener);
            }
            let tracing = self.exporter.as_ref().and_then(Exporter::tracing);
            let tracer = tracing.map(|tracing| tracing.core(agi.cores));
            doors.push(self.start_core(number, listeners, tracer)?);
        }
        self.agi = addresses;
        Ok(doors)
    }

    fn start_core(
        &mut self,
        number: usize,
        listeners: Vec<TcpListener>,
        tracer: Option<Arc<Tracer>>,
    ) -> anyhow::Result<mpsc::Sender<Arrival>> {
        let core = Arc::new(Core {
            shared: Arc::clone(&self.shared),
            upstreams: Arc::new(Upstreams::new(
                Arc::clone(&self.directory),
                Arc::clone(&self.workers),
            )),
            metrics: self.metrics.core(),
            tracing: self.tracing,
            tracer,
        });
        let (allow, open, stop) =
            (Arc::clone(&self.allow), self.open.subscribe(), self.stop.subscribe());
        let duty = Duty { stop: stop.clone(), faulted: self.faulted.clone() };
        let (door, arrivals) = mpsc::channel(ARRIVALS_MAX);
        let running = move || run_core(core, (listeners, arrivals), allow, open, stop);
        self.cores.push(spawn_core(number, duty, running)?);
        Ok(door)
    }
}

/// The links and the thread that carries them: a busy Asterisk sends ten thousand events a second, and neither calls nor the
/// admin port may feel that.
fn start_links(
    metrics: &Arc<Metrics>,
    tracer: Option<Arc<Tracer>>,
    mut stop: watch::Receiver<bool>,
) -> anyhow::Result<(Links, JoinHandle<()>)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let links = Links::new(runtime.handle().clone(), Arc::clone(metrics), tracer);
    let run = move || {
        let _ = runtime.block_on(stop.wait_for(|stop| *stop));
        // A name that is being looked up is not waited for.
        runtime.shutdown_background();
    };
    let thread = std::thread::Builder::new().name("manager".into()).spawn(run)?;
    Ok((links, thread))
}

/// Held by a core for as long as it runs: that it ends too early is noticed however it ends.
struct Duty {
    stop: watch::Receiver<bool>,
    faulted: watch::Sender<bool>,
}

impl Drop for Duty {
    fn drop(&mut self) {
        if !*self.stop.borrow() {
            self.faulted.send_replace(true);
        }
    }
}

fn spawn_core<F: Future<Output = ()>>(
    number: usize,
    duty: Duty,
    run: impl FnOnce() -> F + Send + 'static,
) -> std::io::Result<JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().name(format!("core-{number}")).spawn(move || {
        // Dropped last, when the core's calls are gone with its runtime.
        let _duty = duty;
        let runtime = runtime;
        runtime.block_on(run());
    })
}

async fn run_core(
    core: Arc<Core>,
    (listeners, mut arrivals): (Vec<TcpListener>, mpsc::Receiver<Arrival>),
    allow: Allow,
    open: watch::Receiver<bool>,
    mut stop: watch::Receiver<bool>,
) {
    for listener in listeners {
        match tokio::net::TcpListener::from_std(listener) {
            Ok(listener) => {
                let (core, allow, open) = (Arc::clone(&core), Arc::clone(&allow), open.clone());
                tokio::spawn(listener::run(listener, core, allow, open));
            }
            Err(error) => warn!(%error, "a listener could not be used"),
        }
    }
    let take = async {
        while let Some(arrival) = arrivals.recv().await {
            tokio::spawn(session::serve_async(Arc::clone(&core), arrival));
        }
        // The links have ended, and calls go on.
        std::future::pending().await
    };
    tokio::select! {
        _ = stop.wait_for(|stop| *stop) => {}
        () = take => {}
    }
}

async fn wait_until_empty(registry: &Registry) {
    while timeout(DRAIN_REPORT, registry.wait_until_empty()).await.is_err() {
        let ids: Vec<String> =
            registry.list().iter().take(3).map(|call| call.call_id.to_string()).collect();
        info!(calls = registry.active(), oldest = ids.join(" "), "draining");
    }
}

/// The groups that routes name, and no others: a worker cannot make a new series.
fn count_workers(metrics: &Metrics, workers: &Arc<Workers>, shared: &Arc<Shared>) {
    let (workers, shared) = (Arc::clone(workers), Arc::clone(shared));
    metrics.count_workers(move || {
        let rules = shared.rules.load();
        let services = rules.routes.routes().flat_map(|route| &route.services);
        let groups: BTreeSet<&Arc<str>> = services
            .filter_map(|service| match &service.target {
                Target::Worker { group } => Some(group),
                Target::Grpc(_)
                | Target::WebSocket { .. }
                | Target::FastAgi { .. }
                | Target::Script { .. } => None,
            })
            .collect();
        groups.into_iter().map(|group| (Arc::clone(group), workers.connected(group))).collect()
    });
}

fn route_view(route: &Route, endpoints: &[Endpoint], workers: &Workers) -> RouteView {
    let service = |service: &Arc<Service>| ServiceView {
        url: service.url.to_string(),
        weight: service.weight,
        workers: match &service.target {
            Target::Worker { group } => Some(workers.connected(group)),
            Target::Grpc(_)
            | Target::WebSocket { .. }
            | Target::FastAgi { .. }
            | Target::Script { .. } => None,
        },
        addresses: endpoints
            .iter()
            .filter(|endpoint| endpoint.service == service.url)
            .map(|endpoint| AddressView {
                address: endpoint.address.to_string(),
                health: match endpoint.health {
                    Health::Unknown => "unknown",
                    Health::Serving => "serving",
                    Health::NotServing => "not_serving",
                    Health::Unreachable => "unreachable",
                },
                calls: endpoint.active,
                penalised: endpoint.penalised,
            })
            .collect(),
    };
    RouteView {
        name: route.name.to_string(),
        path: route.path.clone(),
        conditional: route.when != When::default(),
        redact: route.policy.redact.words().collect(),
        services: route.services.iter().map(service).collect(),
        tally: None,
    }
}

/// The pod's name, which is the host's.
fn bridge_id() -> Arc<str> {
    let named = std::env::var("HOSTNAME").ok();
    let host = named.or_else(|| std::fs::read_to_string("/proc/sys/kernel/hostname").ok());
    let host = host.as_deref().map(str::trim).filter(|host| !host.is_empty());
    host.unwrap_or("agi-bridge").into()
}

fn networks(agi: &AgiConfig) -> Networks {
    Networks { allow: agi.allow.clone(), proxies: agi.proxy_protocol.clone() }
}

fn rules(config: &Config) -> Rules {
    Rules {
        routes: config.routes.clone(),
        max_calls: config.agi.max_calls,
        max_calls_per_peer: config.agi.max_calls_per_peer,
        calls_per_second: config.agi.calls_per_second,
        calls_per_second_per_peer: config.agi.calls_per_second_per_peer,
        prelude_timeout: config.agi.prelude_timeout,
        limits: Limits { line_bytes_max: config.agi.line_bytes_max },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_core_that_ends_too_early_is_noticed_however_it_ends() {
        let (stop, stopped) = watch::channel(false);
        let (faulted, mut noticed) = watch::channel(false);
        let duty = || Duty { stop: stopped.clone(), faulted: faulted.clone() };
        let broken = spawn_core(0, duty(), || async { panic!("a fault that a test wants") });
        noticed.wait_for(|faulted| *faulted).await.expect("the sender lives");
        assert!(broken.expect("a thread").join().is_err());

        faulted.send_replace(false);
        spawn_core(1, duty(), || async {}).expect("a thread").join().expect("no panic");
        assert!(*faulted.borrow());

        faulted.send_replace(false);
        stop.send_replace(true);
        spawn_core(2, duty(), || async {}).expect("a thread").join().expect("no panic");
        assert!(!*faulted.borrow(), "it was told to stop");
    }
}
