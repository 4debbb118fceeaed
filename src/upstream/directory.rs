//! Where the services are: every address of every name, resolved again and again, and watched for health.
//! One for the whole process, driven on the runtime it was made on. Knows no connections for calls.

use super::{
    address::{Address, Health},
    grpc,
    script::Processes,
};
use crate::{
    backoff::jittered,
    route::{Remote, Service, Target},
};
use arc_swap::ArcSwap;
use futures_util::future::BoxFuture;
use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    runtime::Handle,
    sync::{Notify, watch},
    task::{AbortHandle, JoinSet},
    time::{sleep, timeout},
};

const RESOLVE_EVERY: Duration = Duration::from_secs(10);
/// After a failure, but not more often.
const RESOLVE_SOON: Duration = Duration::from_secs(1);
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(5);

type Lookup = dyn Fn(String, u16) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> + Send + Sync;

/// How names become addresses.
#[derive(Clone)]
pub struct Resolver(Arc<Lookup>);

impl Resolver {
    /// The system's.
    pub fn system() -> Self {
        Self::from_fn(|host, port| async move {
            Ok(tokio::net::lookup_host((host, port)).await?.collect())
        })
    }

    /// By `lookup`, which gets name and port.
    pub fn from_fn<F, R>(lookup: F) -> Self
    where
        F: Fn(String, u16) -> R + Send + Sync + 'static,
        R: Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'static,
    {
        Self(Arc::new(move |host, port| Box::pin(lookup(host, port))))
    }

    async fn lookup(&self, remote: &Remote) -> Result<Vec<SocketAddr>, String> {
        let found = timeout(RESOLVE_TIMEOUT, (self.0)(remote.host.clone(), remote.port)).await;
        let mut found = match found {
            Err(_) => return Err("timed out".to_owned()),
            Ok(Err(error)) => return Err(error.to_string()),
            Ok(Ok(found)) => found,
        };
        found.sort_unstable();
        found.dedup();
        if found.is_empty() { Err("it has no address".to_owned()) } else { Ok(found) }
    }
}

impl Default for Resolver {
    fn default() -> Self {
        Self::system()
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resolver")
    }
}

/// The addresses of the services in use.
#[derive(Debug)]
pub struct Directory {
    runtime: Handle,
    resolver: Resolver,
    entries: ArcSwap<Vec<Arc<Listed>>>,
    updating: Mutex<()>,
    processes: Processes,
}

/// An address as the directory knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The service's URL.
    pub service: Arc<str>,
    /// Where it listens.
    pub address: SocketAddr,
    /// Calls that it has.
    pub active: usize,
    /// The last word on its health.
    pub health: Health,
    /// It failed lately, and others are tried first.
    pub penalised: bool,
}

impl Directory {
    /// An empty directory; its tasks run on the runtime that this is called on.
    pub fn new(resolver: Resolver) -> Self {
        Self {
            runtime: Handle::current(),
            resolver,
            entries: ArcSwap::default(),
            updating: Mutex::default(),
            processes: Processes::default(),
        }
    }

    /// How many processes of each script run.
    pub(super) fn processes(&self) -> &Processes {
        &self.processes
    }

    /// Puts `services` in force: new ones are resolved and watched, others no longer. May be called from any thread.
    pub fn update<'a>(&self, services: impl IntoIterator<Item = &'a Arc<Service>>) {
        let _one_at_a_time = self.updating.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.entries.load();
        let mut after: Vec<Arc<Listed>> = Vec::new();
        for service in services {
            let Some(remote) = service.remote() else { continue };
            if find(&after, service).is_some() {
                continue;
            }
            after.push(match find(&before, service) {
                Some(known) => {
                    known.entry.service.store(service.clone());
                    known.clone()
                }
                None => Arc::new(self.list(service, remote)),
            });
        }
        self.entries.store(Arc::new(after));
    }

    /// Every known address, by service.
    pub fn endpoints(&self) -> Vec<Endpoint> {
        let mut endpoints = Vec::new();
        for listed in self.entries.load().iter() {
            let service = listed.entry.service.load();
            for address in listed.entry.resolved.borrow().addresses() {
                endpoints.push(Endpoint {
                    service: service.url.clone(),
                    address: address.socket(),
                    active: address.active(),
                    health: address.health(),
                    penalised: address.is_penalised(),
                });
            }
        }
        endpoints
    }

    /// The addresses of `service`, waiting for the first answer. Fails with why there is none.
    pub(super) async fn addresses(
        &self,
        service: &Service,
        remote: &Remote,
    ) -> Result<Arc<[Arc<Address>]>, Arc<str>> {
        let Some(entry) = self.entry(service) else {
            // A call that started under an earlier configuration.
            let found = self.resolver.lookup(remote).await?;
            return Ok(found.into_iter().map(Address::new).collect());
        };
        let mut changes = entry.resolved.subscribe();
        let known = changes.wait_for(|resolved| !matches!(resolved, Resolved::Pending)).await;
        match known.as_deref() {
            Ok(Resolved::Known(addresses)) => Ok(addresses.clone()),
            Ok(Resolved::Failed(why)) => Err(why.clone()),
            Ok(Resolved::Pending) | Err(_) => Err("the bridge is stopping".into()),
        }
    }

    /// An address of `service` failed: the name may have others by now.
    pub(super) fn failed(&self, service: &Service) {
        if let Some(entry) = self.entry(service) {
            entry.stale.notify_one();
        }
    }

    fn entry(&self, service: &Service) -> Option<Arc<Entry>> {
        find(&self.entries.load(), service).map(|listed| listed.entry.clone())
    }

    fn list(&self, service: &Arc<Service>, remote: &Remote) -> Listed {
        let literal = remote.host.parse::<IpAddr>().ok();
        let resolved = match literal {
            Some(ip) => Resolved::Known([Address::new((ip, remote.port).into())].into()),
            None => Resolved::Pending,
        };
        let entry = Arc::new(Entry {
            service: Arc::new(ArcSwap::new(service.clone())),
            resolved: watch::Sender::new(resolved),
            stale: Arc::default(),
        });
        let task = match literal {
            Some(_) => self.runtime.spawn(entry.clone().watch_literal()),
            None => {
                let resolving = entry.clone().keep_resolved(self.resolver.clone(), remote.clone());
                self.runtime.spawn(resolving)
            }
        };
        Listed { entry, task: task.abort_handle() }
    }
}

fn find<'a>(entries: &'a [Arc<Listed>], service: &Service) -> Option<&'a Arc<Listed>> {
    entries.iter().find(|listed| {
        let known = listed.entry.service.load();
        // What is watched for health is another entry than what is not.
        known.remote() == service.remote()
            && matches!(known.target, Target::Grpc(_)) == matches!(service.target, Target::Grpc(_))
    })
}

/// An entry with its task, which ends with it.
#[derive(Debug)]
struct Listed {
    entry: Arc<Entry>,
    task: AbortHandle,
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Debug)]
struct Entry {
    // The newest of those that share name, port and TLS: its token and headers go with health checks.
    service: Arc<ArcSwap<Service>>,
    resolved: watch::Sender<Resolved>,
    stale: Arc<Notify>,
}

#[derive(Debug)]
enum Resolved {
    Pending,
    Known(Arc<[Arc<Address>]>),
    Failed(Arc<str>),
}

impl Resolved {
    fn addresses(&self) -> &[Arc<Address>] {
        match self {
            Self::Known(addresses) => addresses,
            Self::Pending | Self::Failed(_) => &[],
        }
    }
}

impl Entry {
    async fn watch_literal(self: Arc<Self>) {
        let address = self.resolved.borrow().addresses().first().cloned();
        if let Some(address) = address {
            self.watch(address).await;
        }
    }

    async fn keep_resolved(self: Arc<Self>, resolver: Resolver, remote: Remote) {
        let mut watches = JoinSet::new();
        let mut watched: Vec<(Arc<Address>, AbortHandle)> = Vec::new();
        loop {
            match resolver.lookup(&remote).await {
                Ok(found) => {
                    let addresses = self.publish(&found);
                    watched.retain(|(address, watch)| {
                        let stays = addresses.iter().any(|a| Arc::ptr_eq(a, address));
                        if !stays {
                            watch.abort();
                        }
                        stays
                    });
                    for address in addresses.iter() {
                        if !watched.iter().any(|(known, _)| Arc::ptr_eq(known, address)) {
                            let watch = watches.spawn(self.clone().watch(address.clone()));
                            watched.push((address.clone(), watch));
                        }
                    }
                }
                Err(why) => self.keep(why),
            }
            while watches.try_join_next().is_some() {}
            sleep(jittered(RESOLVE_SOON)).await;
            let _ = timeout(jittered(RESOLVE_EVERY), self.stale.notified()).await;
        }
    }

    /// Keeps the health of an address up to date, where its server may tell it.
    async fn watch(self: Arc<Self>, address: Arc<Address>) {
        if matches!(self.service.load().target, Target::Grpc(_)) {
            grpc::watch(address, self.service.clone(), self.stale.clone()).await;
        }
    }

    /// Puts the addresses in force; those that were known keep their counts and health.
    fn publish(&self, found: &[SocketAddr]) -> Arc<[Arc<Address>]> {
        let addresses: Arc<[Arc<Address>]> = {
            let before = self.resolved.borrow();
            let known = |socket: &SocketAddr| {
                before.addresses().iter().find(|address| address.socket() == *socket).cloned()
            };
            found.iter().map(|s| known(s).unwrap_or_else(|| Address::new(*s))).collect()
        };
        self.resolved.send_replace(Resolved::Known(addresses.clone()));
        addresses
    }

    /// An old answer is better than none.
    fn keep(&self, why: String) {
        tracing::debug!(
            service = &*self.service.load().url,
            why,
            "a service's name was not resolved"
        );
        self.resolved.send_if_modified(|resolved| {
            let known = matches!(resolved, Resolved::Known(_));
            if !known {
                *resolved = Resolved::Failed(why.into());
            }
            !known
        });
    }
}
