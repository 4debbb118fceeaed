//! Tests of links against real servers in the same process.

mod health;
mod links;
mod opening;
mod pools;
mod raw;
mod scripts;
mod security;
mod websocket;

use super::{
    Attempt, Directory, Exhausted, Health, Link, Lost, Opening, Patience, RawLink, RawRead,
    Resolver, Upstreams, Workers,
};
use crate::{
    proto::{
        CallControl, CallEvent, CallStarted, Heartbeat,
        call_control::Control,
        call_event::Event,
        call_service_server::{CallService, CallServiceServer},
    },
    route::{Remote, Service, Target},
};
use futures_util::{FutureExt as _, Stream, StreamExt as _, future::BoxFuture, stream::BoxStream};
use std::{
    future::poll_fn,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::{AbortHandle, yield_now},
};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, Streaming, transport};

/// A plain service with the defaults of the configuration.
pub(super) fn service(host: &str, port: u16) -> Service {
    Service {
        url: format!("grpc://{host}:{port}").into(),
        target: Target::Grpc(Remote { host: host.to_owned(), port, tls: None }),
        token: None,
        headers: Vec::new(),
        weight: None,
        max_streams_per_connection: 100,
        keepalive_interval: Duration::from_secs(30),
        keepalive_timeout: Duration::from_secs(10),
        max_processes: 100,
    }
}

const PATIENCE: Patience =
    Patience { attempt: Duration::from_secs(1), all: Duration::from_secs(3) };

/// A bridge's core, and what its attempts came to: `ok` or the kind of error.
struct Core {
    directory: Arc<Directory>,
    upstreams: Upstreams,
    attempts: Mutex<Vec<(Option<SocketAddr>, &'static str)>>,
}

impl Core {
    fn new(resolver: Resolver, services: &[Arc<Service>]) -> Self {
        let directory = Arc::new(Directory::new(resolver));
        directory.update(services);
        let upstreams = Upstreams::new(directory.clone(), Workers::new());
        Self { directory, upstreams, attempts: Mutex::default() }
    }

    async fn open(&self, services: &[Arc<Service>]) -> Result<Link, Exhausted> {
        self.open_as(services, &opening("call-1")).await
    }

    async fn open_as(
        &self,
        services: &[Arc<Service>],
        opening: &Opening,
    ) -> Result<Link, Exhausted> {
        match self.take(services, opening).await? {
            super::Taken::Typed(link) => Ok(link),
            super::Taken::Raw(link) => panic!("{link:?} has no messages"),
        }
    }

    async fn open_raw(
        &self,
        services: &[Arc<Service>],
        opening: &Opening,
    ) -> Result<RawLink, Exhausted> {
        match self.take(services, opening).await? {
            super::Taken::Typed(link) => panic!("{link:?} has no bytes"),
            super::Taken::Raw(link) => Ok(link),
        }
    }

    async fn take(
        &self,
        services: &[Arc<Service>],
        opening: &Opening,
    ) -> Result<super::Taken, Exhausted> {
        let note = |attempt: &Attempt<'_>| {
            let outcome = attempt.error.map_or("ok", |error| error.kind());
            self.attempts.lock().expect("no panic").push((attempt.address, outcome));
        };
        self.upstreams.open(services, PATIENCE, opening, &note).await
    }

    fn outcomes(&self) -> Vec<&'static str> {
        self.attempts.lock().expect("no panic").iter().map(|(_, outcome)| *outcome).collect()
    }

    fn active(&self) -> usize {
        self.directory.endpoints().iter().map(|endpoint| endpoint.active).sum()
    }

    fn health(&self, address: SocketAddr) -> Option<Health> {
        let endpoints = self.directory.endpoints();
        endpoints.iter().find(|e| e.address == address).map(|endpoint| endpoint.health)
    }
}

/// One service, `x`, at all of `addresses`.
fn one(addresses: &[SocketAddr]) -> (Core, [Arc<Service>; 1]) {
    let services = [Arc::new(service("x", 1))];
    let addresses = addresses.to_vec();
    let resolver = Resolver::from_fn(move |_, _| {
        let found = addresses.clone();
        async move { Ok(found) }
    });
    (Core::new(resolver, &services), services)
}

/// A service for each address, in order.
fn each(addresses: &[SocketAddr]) -> (Core, Vec<Arc<Service>>) {
    let services: Vec<_> = addresses
        .iter()
        .map(|address| Arc::new(service(&address.ip().to_string(), address.port())))
        .collect();
    (Core::new(Resolver::system(), &services), services)
}

fn opening(call_id: &str) -> Opening {
    let started = CallStarted { call_id: call_id.to_owned(), ..CallStarted::default() };
    Opening {
        metadata: vec![("agibridge-call-id".to_owned(), call_id.to_owned())],
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

/// Lets all others run until `done`.
async fn until(done: impl Fn() -> bool) {
    while !done() {
        yield_now().await;
    }
}

/// Time that passes only when a test says so. Tokio's own paused clock runs on whenever everybody waits for a socket.
struct Clock(#[expect(dead_code, reason = "held")] std::sync::mpsc::SyncSender<()>);

impl Clock {
    fn stopped() -> Self {
        tokio::time::pause();
        let (hold, held) = std::sync::mpsc::sync_channel(1);
        // A blocking task keeps the clock from running on.
        tokio::task::spawn_blocking(move || held.recv());
        Self(hold)
    }

    /// Lets `span` pass in small steps, each after all that can happen has happened.
    async fn pass(&self, span: Duration) {
        const STEP: Duration = Duration::from_millis(100);
        const SETTLED: usize = 130;
        let until = tokio::time::Instant::now() + span;
        while tokio::time::Instant::now() < until {
            for _ in 0..SETTLED {
                yield_now().await;
            }
            tokio::time::advance(STEP).await;
        }
    }

    /// Lets time pass until `future` is done.
    async fn run<F: Future>(&self, future: F) -> F::Output {
        tokio::select! {
            biased;
            output = future => output,
            () = self.pass(Duration::from_secs(600)) => panic!("nothing came of it in ten minutes"),
        }
    }
}

/// A server that ends, connections and all, when this is dropped.
struct Server {
    address: SocketAddr,
    task: AbortHandle,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    (listener, address)
}

type Controls = BoxStream<'static, Result<CallControl, Status>>;
type Taken = Result<Response<Controls>, Status>;
type Handler = dyn Fn(Request<Streaming<CallEvent>>) -> BoxFuture<'static, Taken> + Send + Sync;

/// A service that does what its function says.
#[derive(Clone)]
struct Scripted(Arc<Handler>);

#[tonic::async_trait]
impl CallService for Scripted {
    type HandleCallStream = Controls;

    async fn handle_call(&self, request: Request<Streaming<CallEvent>>) -> Taken {
        (self.0)(request).await
    }
}

fn scripted<F, R>(handler: F) -> CallServiceServer<Scripted>
where
    F: Fn(Request<Streaming<CallEvent>>) -> R + Send + Sync + 'static,
    R: Future<Output = Taken> + Send + 'static,
{
    CallServiceServer::new(Scripted(Arc::new(move |request| handler(request).boxed())))
}

/// Serves `handler`, with headers as soon as it returns.
async fn serve<F, R>(handler: F) -> Server
where
    F: Fn(Request<Streaming<CallEvent>>) -> R + Send + Sync + 'static,
    R: Future<Output = Taken> + Send + 'static,
{
    let router = transport::Server::builder().add_service(scripted(handler));
    serve_router(router).await
}

/// Connections whose answers wait for nothing: a clock that stands still has no 40 ms for Nagle.
fn prompt(listener: TcpListener) -> impl Stream<Item = io::Result<TcpStream>> {
    TcpListenerStream::new(listener).inspect(|accepted| {
        accepted.as_ref().expect("a connection").set_nodelay(true).expect("a TCP socket");
    })
}

async fn serve_router(router: transport::server::Router) -> Server {
    let (listener, address) = listener().await;
    let task = tokio::spawn(async move {
        let _ = router.serve_with_incoming(prompt(listener)).await;
    });
    Server { address, task: task.abort_handle() }
}

/// Takes the call and answers each event with a heartbeat, until the events end.
async fn echo(request: Request<Streaming<CallEvent>>) -> Taken {
    let events = request.into_inner().take_while(|event| std::future::ready(event.is_ok()));
    Ok(Response::new(events.map(|_| Ok(beat())).boxed()))
}

/// Serves bare HTTP/2, for answers that no gRPC server gives. The server stops with the test.
async fn serve_raw<F, R>(handler: F) -> SocketAddr
where
    F: Fn(http::Request<h2::RecvStream>, h2::server::SendResponse<bytes::Bytes>) -> R
        + Clone
        + Send
        + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    let (listener, address) = listener().await;
    tokio::spawn(async move {
        let mut sockets = prompt(listener);
        while let Some(Ok(socket)) = sockets.next().await {
            let handler = handler.clone();
            tokio::spawn(async move {
                let mut http2 = h2::server::handshake(socket).await.expect("HTTP/2");
                while let Some(Ok((request, respond))) = http2.accept().await {
                    tokio::spawn(handler(request, respond));
                }
            });
        }
    });
    address
}
