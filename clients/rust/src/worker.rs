//! The worker: dials in to the bridge, is offered calls, and takes those it has room for.

mod offer;
mod registration;

use crate::{
    call::{CLEANUP, Call},
    dial,
    drain::{Calls, DRAIN, Stage, Stopper},
    handler::{BoxError, Handler},
    server::ServeError,
    token::Token,
};
use registration::Registration;
use std::{
    collections::{HashMap, HashSet},
    fmt,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    net::lookup_host,
    sync::watch,
    task::JoinSet,
    time::{interval, timeout},
};

/// How often names are looked up anew.
const LOOKUP: Duration = Duration::from_secs(30);

/// How long registrations have to be closed.
const CLOSING: Duration = Duration::from_secs(2);

/// How many calls at once, unless set.
const MAX_CALLS: usize = 100;

type OnRegistered = Box<dyn Fn(&str) + Send + Sync>;

/// What all registrations of a worker share.
pub(crate) struct Shared {
    handler: Arc<Handler>,
    calls: Arc<Calls>,
    stopper: Stopper,
    worker_id: String,
    groups: Vec<String>,
    labels: HashMap<String, String>,
    token: Token,
    max_calls: usize,
    cleanup: Duration,
    on_registered: Option<OnRegistered>,
    /// Which bridge each address leads to: a bridge with two addresses is registered with once.
    bridges: Mutex<HashMap<SocketAddr, String>>,
    #[cfg(feature = "tls")]
    tls: Option<crate::tls::ClientTls>,
}

/// A service that dials in to the bridge, and has a handler for each call that it takes.
///
/// ```no_run
/// # async fn f() -> Result<(), agibridge::ServeError> {
/// use agibridge::{Call, Error, Worker};
///
/// Worker::new(|call: Call| async move { call.answer().await })
///     .bridge("agi-bridge:4575")
///     .group("sales")
///     .run()
///     .await
/// # }
/// ```
#[must_use = "a worker does nothing until it is run"]
pub struct Worker {
    shared: Shared,
    bridges: Vec<String>,
    drain: Duration,
    signals: bool,
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker")
            .field("worker_id", &self.shared.worker_id)
            .field("groups", &self.shared.groups)
            .field("bridges", &self.bridges)
            .finish_non_exhaustive()
    }
}

impl Worker {
    /// A worker with this handler. Its error may be of any type that can be boxed: [`Error`](crate::Error), anyhow's, text.
    pub fn new<H, F, E>(handler: H) -> Self
    where
        H: Fn(Call) -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<BoxError> + 'static,
    {
        let host = std::env::var("HOSTNAME").unwrap_or_else(|_| "worker".to_owned());
        Self {
            shared: Shared {
                handler: Arc::new(Handler::new(handler)),
                calls: Arc::default(),
                stopper: Stopper::default(),
                worker_id: format!("{host}-{:08x}", rand::random::<u32>()),
                groups: Vec::new(),
                labels: HashMap::new(),
                token: Token::None,
                max_calls: MAX_CALLS,
                cleanup: CLEANUP,
                on_registered: None,
                bridges: Mutex::default(),
                #[cfg(feature = "tls")]
                tls: None,
            },
            bridges: Vec::new(),
            drain: DRAIN,
            signals: true,
        }
    }

    /// A bridge's API, as `agi-bridge:4575`. It registers at every address that a name has; may be used more than once.
    pub fn bridge(mut self, address: impl Into<String>) -> Self {
        self.bridges.push(address.into());
        self
    }

    /// A group whose calls it takes, as routes name it, `worker://sales`; may be used more than once.
    pub fn group(mut self, name: impl Into<String>) -> Self {
        self.shared.groups.push(name.into());
        self
    }

    /// Its name, stable over reconnects, as the pod's; the host's name and a random number unless set.
    pub fn worker_id(mut self, id: impl Into<String>) -> Self {
        self.shared.worker_id = id.into();
        self
    }

    /// For people, in the bridge's list of workers.
    pub fn label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.shared.labels.insert(name.into(), value.into());
        self
    }

    /// The token that it shows, always the same. For one that expires see [`Worker::token_file`] and [`Worker::token_fn`].
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.shared.token = Token::Fixed(token.into());
        self
    }

    /// The token is what this file has for each registration and each call, without space around it: for one that is
    /// written anew before it expires, as Kubernetes' projected service account tokens are.
    pub fn token_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.shared.token = Token::file(path.into());
        self
    }

    /// The token is what this function gives, within 10 s, for each registration and each call.
    ///
    /// While it fails no bridge is asked, and calls are declined. A bridge that refuses what it gave is asked again with what
    /// it gives then, for as long as it takes. Both are logged when they begin, and the pauses grow, from 0.1 to 10 s.
    ///
    /// ```
    /// # let worker = agibridge::Worker::new(|_| async { Ok::<_, agibridge::Error>(()) });
    /// let worker = worker.token_fn(|| async { std::env::var("WORKER_TOKEN") });
    /// ```
    pub fn token_fn<G, F, E>(mut self, give: G) -> Self
    where
        G: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = Result<String, E>> + Send + 'static,
        E: Into<BoxError> + 'static,
    {
        self.shared.token = Token::given(give);
        self
    }

    /// How many calls at once, of all bridges together; 100 unless set. What is more is declined.
    pub fn max_calls(mut self, max: usize) -> Self {
        self.shared.max_calls = max;
        self
    }

    /// How long a handler may take after the session's end or the loss of its stream, before it is dropped; 10 s unless
    /// set. After a hangup it is the bridge's grace that counts.
    pub fn cleanup_timeout(mut self, limit: Duration) -> Self {
        self.shared.cleanup = limit;
        self
    }

    /// How long calls may go on after a signal to stop; 1 h unless set.
    pub fn drain_timeout(mut self, limit: Duration) -> Self {
        self.drain = limit;
        self
    }

    /// Whether SIGTERM and SIGINT drain it; they do, unless set. See also [`Worker::stopper`].
    pub fn signals(mut self, on: bool) -> Self {
        self.signals = on;
        self
    }

    /// Is told whenever it is registered with a bridge, by the bridge's name.
    pub fn on_registered(mut self, told: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.shared.on_registered = Some(Box::new(told));
        self
    }

    /// TLS, and a client certificate if the bridge asks for one.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: crate::tls::ClientTls) -> Self {
        self.shared.tls = Some(tls);
        self
    }

    /// Stops this worker from the program itself.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        self.shared.stopper.clone()
    }

    /// Takes calls until it has drained. A bridge that goes away is dialled again, with growing pauses.
    ///
    /// # Errors
    ///
    /// [`ServeError::Refused`] for what no retry can cure: a wrong [`Worker::token`], a group that is not permitted, a name
    /// that another worker has. Calls that run are let go on before it returns.
    pub async fn run(self) -> Result<(), ServeError> {
        let Self { shared, bridges, drain, signals } = self;
        if shared.groups.is_empty() || bridges.is_empty() {
            return Err(ServeError::Setting(
                "a worker needs a `bridge` and a `group`: set both".to_owned(),
            ));
        }
        for address in &bridges {
            dial::check_address(address).map_err(ServeError::Setting)?;
        }
        let stopper = shared.stopper.clone();
        let shared = Arc::new(shared);
        let by_signals = async {
            if signals {
                stopper.by_signals().await.map_err(ServeError::Signals)
            } else {
                std::future::pending().await
            }
        };
        let (done, closing) = watch::channel(false);
        let working = async {
            let mut registrations = JoinSet::new();
            let refused = tokio::select! {
                error = register(&shared, &bridges, &mut registrations, &closing) => Some(error),
                () = stopper.reached(Stage::Draining) => None,
            };
            // Registered with no bridge any more, or with all of them as draining.
            if refused.is_some() {
                stopper.drain();
            }
            shared.calls.drain(&stopper, drain).await;
            done.send_replace(true);
            let closed = async { while registrations.join_next().await.is_some() {} };
            let _late = timeout(CLOSING, closed).await;
            refused.map_or(Ok(()), Err)
        };
        tokio::select! {
            result = working => result,
            Err(error) = by_signals => Err(error),
        }
    }
}

/// Keeps a registration at every address, until one is refused.
async fn register(
    shared: &Arc<Shared>,
    bridges: &[String],
    registrations: &mut JoinSet<Option<ServeError>>,
    closing: &watch::Receiver<bool>,
) -> ServeError {
    let (known, current) = watch::channel(HashSet::<SocketAddr>::new());
    let mut lookup = interval(LOOKUP);
    loop {
        tokio::select! {
            _ = lookup.tick() => {
                for (name, address) in addresses(bridges, &known).await {
                    if known.send_if_modified(|known| known.insert(address)) {
                        let registration = Registration {
                            shared: Arc::clone(shared),
                            name,
                            address,
                            current: current.clone(),
                            closing: closing.clone(),
                        };
                        registrations.spawn(registration.run());
                    }
                }
            }
            Some(over) = registrations.join_next() => match over {
                Ok(Some(refused)) => return refused,
                Ok(None) => {}
                Err(error) => tracing::error!("a registration broke: {error}"),
            }
        }
    }
}

/// All addresses of the names; those that are gone are taken out of `known`. A name that cannot be looked up keeps its
/// addresses.
async fn addresses(
    bridges: &[String],
    known: &watch::Sender<HashSet<SocketAddr>>,
) -> Vec<(String, SocketAddr)> {
    let mut found = Vec::new();
    let mut failed = false;
    for name in bridges {
        match lookup_host(name).await {
            Ok(addresses) => found.extend(addresses.map(|it| (name.clone(), it))),
            Err(error) => {
                failed = true;
                tracing::warn!("the address of the bridge {name} cannot be looked up: {error}");
            }
        }
    }
    if !failed {
        let now: HashSet<_> = found.iter().map(|(_, it)| *it).collect();
        known.send_if_modified(|known| {
            known.retain(|it| now.contains(it));
            false
        });
    }
    found
}

impl Shared {
    /// Whether that bridge is registered with by another address.
    fn elsewhere(&self, bridge: &str, address: SocketAddr) -> bool {
        let bridges = self.bridges.lock().unwrap_or_else(PoisonError::into_inner);
        bridges.iter().any(|(its, name)| *its != address && name == bridge)
    }

    fn registered(&self, address: SocketAddr, bridge: Option<&str>) {
        let mut bridges = self.bridges.lock().unwrap_or_else(PoisonError::into_inner);
        match bridge {
            Some(bridge) => bridges.insert(address, bridge.to_owned()),
            None => bridges.remove(&address),
        };
    }
}
