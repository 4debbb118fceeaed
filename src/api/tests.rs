//! Tests of the port with real clients, in the same process.

mod calls;
mod limits;
mod manager;
mod plain;
mod registration;
mod security;
mod websocket;

use super::{Groups, HEARTBEAT, Parts, Permit, Permits, server};
use crate::{
    access::{Credential, Tokens},
    ami::Links,
    manage::Manage,
    proto::{
        CallControl, CallEvent, CallOffer, CallStarted, Heartbeat, WorkerHello, WorkerOffer,
        WorkerReport, call_control::Control, call_event::Event, worker_offer::Offer,
        worker_report::Report, worker_service_client::WorkerServiceClient,
    },
    route::{Service, Target},
    secret::Secret,
    telemetry::metrics::Metrics,
    tls::{Acceptor, ServerTls},
    upstream::{
        Attempt, Directory, Exhausted, Link, Lost, Opening, Patience, Resolver, Taken, Upstreams,
        Workers,
    },
};
use arc_swap::ArcSwap;
use std::{
    future::poll_fn,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    net::TcpListener,
    runtime::Handle,
    sync::{mpsc, watch},
    task::{AbortHandle, yield_now},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Status, Streaming, metadata::MetadataValue, transport::Channel};

/// Without an Asterisk, and without clients.
fn no_manage() -> Manage {
    Manage::new(Links::new(Handle::current(), Metrics::new(), None), Vec::new())
}

/// A bridge's API port, and a core that seeks workers.
struct Bridge {
    address: SocketAddr,
    workers: Arc<Workers>,
    permits: Permits,
    tokens: Arc<Tokens>,
    upstreams: Upstreams,
    draining: watch::Sender<bool>,
    attempts: Mutex<Vec<&'static str>>,
    task: AbortHandle,
}

impl Drop for Bridge {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Bridge {
    /// Anybody may serve every group.
    async fn open_to_all() -> Self {
        Self::start(vec![permit("*", Credential::Anybody)]).await
    }

    async fn start(permits: Vec<Permit>) -> Self {
        Self::with(permits, None, server::Limits::default()).await
    }

    async fn with(permits: Vec<Permit>, tls: Option<ServerTls>, limits: server::Limits) -> Self {
        Self::managed(permits, tls, limits, no_manage()).await
    }

    async fn managed(
        permits: Vec<Permit>,
        tls: Option<ServerTls>,
        limits: server::Limits,
        manage: Manage,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (workers, permits) = (Workers::new(), Arc::new(ArcSwap::from_pointee(permits)));
        let tokens = Arc::<Tokens>::default();
        let (draining, drain) = watch::channel(false);
        let parts = Parts {
            tls: tls.map(|tls| Acceptor::new(tls, &super::ALPN).unwrap()),
            tokens: Arc::clone(&tokens),
            permits: Arc::clone(&permits),
            workers: Arc::clone(&workers),
            manage,
            bridge_id: "bridge-0".into(),
            heartbeat: HEARTBEAT,
            draining: drain,
        };
        let serving = server::run(listener, parts, limits, std::future::pending());
        let task = tokio::spawn(serving).abort_handle();
        let directory = Arc::new(Directory::new(Resolver::system()));
        let upstreams = Upstreams::new(directory, Arc::clone(&workers));
        let attempts = Mutex::default();
        Self { address, workers, permits, tokens, upstreams, draining, attempts, task }
    }

    async fn open(&self, group: &str) -> Result<Link, Exhausted> {
        // Each offer is short, the time for all of them long.
        self.open_within(group, Duration::from_millis(100), Duration::from_secs(20)).await
    }

    async fn open_within(
        &self,
        group: &str,
        connect_timeout: Duration,
        retry_for: Duration,
    ) -> Result<Link, Exhausted> {
        let patience = Patience { attempt: connect_timeout, all: retry_for };
        let note = |attempt: &Attempt<'_>| {
            let outcome = attempt.error.map_or("ok", |error| error.kind());
            self.attempts.lock().unwrap().push(outcome);
        };
        let services = [service(group)];
        match self.upstreams.open(&services, patience, &opening(), &note).await? {
            Taken::Typed(link) => Ok(link),
            Taken::Raw(link) => panic!("no worker is like this: {link:?}"),
        }
    }

    fn outcomes(&self) -> Vec<&'static str> {
        self.attempts.lock().unwrap().clone()
    }

    /// Waits until so many workers serve `group`.
    async fn until_connected(&self, group: &str, count: usize) {
        while self.workers.connected(group) != count {
            yield_now().await;
        }
    }

    /// A worker of `sales` with this name, registered.
    async fn worker(&self, id: &str) -> Worker {
        Worker::dial(self, hello(id, &["sales"]), None).await.unwrap()
    }

    async fn client(&self) -> WorkerServiceClient<Channel> {
        let channel = Channel::from_shared(format!("http://{}", self.address)).unwrap();
        WorkerServiceClient::new(channel.connect().await.unwrap())
    }
}

/// A worker that speaks gRPC.
struct Worker {
    client: WorkerServiceClient<Channel>,
    reports: mpsc::Sender<WorkerReport>,
    offers: Streaming<WorkerOffer>,
    token: Option<&'static str>,
}

/// A call as its worker sees it.
struct Driven {
    controls: mpsc::Sender<CallControl>,
    events: Streaming<CallEvent>,
}

impl Worker {
    async fn dial(
        bridge: &Bridge,
        hello: WorkerHello,
        token: Option<&'static str>,
    ) -> Result<Self, Status> {
        let first = WorkerReport { report: Some(Report::Hello(hello)) };
        let mut worker = Self::begin(bridge.client().await, first, token).await?;
        let Some(offer) = worker.offers.message().await? else { panic!("no answer to a hello") };
        let Some(Offer::Registered(registered)) = offer.offer else { panic!("{offer:?}") };
        assert_eq!(registered.bridge_id, "bridge-0");
        Ok(worker)
    }

    async fn begin(
        mut client: WorkerServiceClient<Channel>,
        first: WorkerReport,
        token: Option<&'static str>,
    ) -> Result<Self, Status> {
        let (reports, reported) = mpsc::channel(8);
        reports.try_send(first).unwrap();
        let request = authorized(Request::new(ReceiverStream::new(reported)), token);
        let offers = client.register(request).await?.into_inner();
        Ok(Self { client, reports, offers, token })
    }

    async fn report(&self, report: Report) {
        self.reports.send(WorkerReport { report: Some(report) }).await.unwrap();
    }

    async fn offered(&mut self) -> CallOffer {
        loop {
            match self.offers.message().await.unwrap().unwrap().offer.unwrap() {
                Offer::Call(call) => return call,
                Offer::Withdrawn(_) | Offer::Heartbeat(_) => {}
                Offer::Registered(_) => panic!("registered twice"),
            }
        }
    }

    async fn take(&self, token: &str) -> Result<Driven, Status> {
        take(self.client.clone(), token, self.token).await
    }

    /// Takes the next call that is offered, up to its first event.
    async fn next_call(&mut self) -> Driven {
        let token = self.offered().await.token;
        let mut driven = self.take(&token).await.unwrap();
        let first = driven.events.message().await.unwrap().unwrap();
        assert!(matches!(first.event, Some(Event::Started(_))), "{first:?}");
        driven
    }
}

async fn take(
    mut client: WorkerServiceClient<Channel>,
    token: &str,
    credential: Option<&'static str>,
) -> Result<Driven, Status> {
    let (controls, controlled) = mpsc::channel(8);
    let mut request = authorized(Request::new(ReceiverStream::new(controlled)), credential);
    request.metadata_mut().insert("agibridge-offer-token", token.parse().unwrap());
    let events = client.take_call(request).await?.into_inner();
    Ok(Driven { controls, events })
}

fn authorized<T>(mut request: Request<T>, token: Option<&str>) -> Request<T> {
    if let Some(token) = token {
        let value: MetadataValue<_> = format!("Bearer {token}").parse().unwrap();
        request.metadata_mut().insert("authorization", value);
    }
    request
}

fn hello(id: &str, groups: &[&str]) -> WorkerHello {
    WorkerHello {
        worker_id: id.into(),
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        ..WorkerHello::default()
    }
}

fn permit(group: &str, credential: Credential) -> Permit {
    let groups = if group == "*" { Groups::All } else { Groups::These(vec![group.into()]) };
    Permit { groups, credential }
}

fn token(text: &str) -> Credential {
    Credential::Token(Secret::new(text))
}

fn service(group: &str) -> Arc<Service> {
    Arc::new(Service {
        url: format!("worker://{group}").into(),
        target: Target::Worker { group: group.into() },
        token: None,
        headers: Vec::new(),
        weight: None,
        max_streams_per_connection: 100,
        keepalive_interval: Duration::from_secs(30),
        keepalive_timeout: Duration::from_secs(10),
        max_processes: 100,
    })
}

fn opening() -> Opening {
    let started = CallStarted { call_id: "call-1".into(), ..CallStarted::default() };
    Opening {
        metadata: Vec::new(),
        started: Arc::new(CallEvent { event: Some(Event::Started(Box::new(started))) }),
        capacity: 16,
        prelude: Arc::default(),
        trace: None,
        trace_argument: false,
    }
}

fn heartbeat() -> CallEvent {
    CallEvent { event: Some(Event::Heartbeat(Heartbeat {})) }
}

fn beat() -> CallControl {
    CallControl { control: Some(Control::Heartbeat(Heartbeat {})) }
}

async fn recv(link: &mut Link) -> Result<Option<CallControl>, Lost> {
    poll_fn(|cx| link.poll_recv(cx)).await
}
