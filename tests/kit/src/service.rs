//! A gRPC service that does what a script says and remembers every event. Knows the contract; nothing of Asterisk.
//!
//! One server serves many calls: a call finds its script by the query of its AGI URL, `?run=KEY`.

mod player;

use agi_bridge::{
    proto::{
        CallControl, CallEnded, CallEvent, CallStarted, CommandResult,
        call_event::Event,
        call_service_server::{CallService, CallServiceServer},
    },
    scenario::ServiceStep,
};
use player::play;
use std::{
    collections::HashMap,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    net::TcpListener,
    sync::{mpsc, watch},
    task::JoinHandle,
    time::timeout,
};
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::{Request, Response, Status, Streaming, transport::Server};

/// Controls that may wait for the connection.
const CONTROLS_MAX: usize = 64;

/// A scripted service with a port of its own.
#[derive(Debug)]
pub struct Service {
    address: SocketAddr,
    scripts: Scripts,
    task: JoinHandle<()>,
}

/// What a script's call was told, as far as it came.
#[derive(Debug, Clone)]
pub struct Recording(watch::Receiver<Log>);

/// The events of one call, oldest first.
#[derive(Debug, Clone, Default)]
pub struct Log {
    /// Every event, heartbeats included.
    pub events: Vec<Event>,
    /// The stream is over.
    pub closed: bool,
}

type Scripts = Arc<Mutex<HashMap<String, Arc<Script>>>>;

#[derive(Debug)]
struct Script {
    steps: Vec<ServiceStep>,
    log: watch::Sender<Log>,
}

#[derive(Debug)]
struct Calls(Scripts);

impl Service {
    /// Serves on loopback, with gRPC health.
    ///
    /// # Panics
    /// When loopback has no free port.
    pub async fn start() -> Self {
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("loopback has a free port");
        let address = listener.local_addr().expect("it is bound");
        let scripts = Scripts::default();
        let (health, health_service) = tonic_health::server::health_reporter();
        health.set_serving::<CallServiceServer<Calls>>().await;
        let serving = Server::builder()
            .tcp_nodelay(true)
            .add_service(health_service)
            .add_service(CallServiceServer::new(Calls(Arc::clone(&scripts))))
            .serve_with_incoming(TcpListenerStream::new(listener));
        let task = tokio::spawn(async { serving.await.expect("the service serves") });
        Self { address, scripts, task }
    }

    /// As a route of the configuration names it.
    pub fn url(&self) -> String {
        format!("grpc://{}", self.address)
    }

    /// The call with `?run=KEY` in its URL will be driven by these steps.
    pub fn script(&self, key: &str, steps: Vec<ServiceStep>) -> Recording {
        let (log, recording) = watch::channel(Log::default());
        lock(&self.scripts).insert(key.to_owned(), Arc::new(Script { steps, log }));
        Recording(recording)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Recording {
    /// What is known now.
    pub fn log(&self) -> Log {
        self.0.borrow().clone()
    }

    /// Waits until `wanted` is true of what is known.
    ///
    /// # Panics
    /// When it is not within `limit`.
    pub async fn wait_for(
        &mut self,
        limit: Duration,
        what: &str,
        wanted: impl Fn(&Log) -> bool,
    ) -> Log {
        if timeout(limit, self.0.wait_for(|log| wanted(log))).await.is_err() {
            panic!("{what}: not within {limit:?}: {:#?}", self.log());
        }
        self.log()
    }

    /// Waits until the call's stream is over.
    ///
    /// # Panics
    /// When that takes longer than `limit`.
    pub async fn wait_until_closed(&mut self, limit: Duration) -> Log {
        self.wait_for(limit, "the stream is over", |log| log.closed).await
    }
}

impl Log {
    /// The first event.
    pub fn started(&self) -> Option<&CallStarted> {
        self.events
            .iter()
            .find_map(|event| if let Event::Started(it) = event { Some(&**it) } else { None })
    }

    /// The results, in order.
    pub fn results(&self) -> Vec<&CommandResult> {
        let results = self.events.iter();
        results
            .filter_map(|event| if let Event::Result(it) = event { Some(it) } else { None })
            .collect()
    }

    /// How often the hangup was told.
    pub fn hangups(&self) -> usize {
        self.events.iter().filter(|event| matches!(event, Event::Hangup(_))).count()
    }

    /// The service was told that the bridge is stopping.
    pub fn is_draining(&self) -> bool {
        self.events.iter().any(|event| matches!(event, Event::Draining(_)))
    }

    /// Why the call ended.
    pub fn ended(&self) -> Option<&CallEnded> {
        self.events
            .iter()
            .find_map(|event| if let Event::Ended(it) = event { Some(it) } else { None })
    }
}

#[tonic::async_trait]
impl CallService for Calls {
    type HandleCallStream = ReceiverStream<Result<CallControl, Status>>;

    async fn handle_call(
        &self,
        request: Request<Streaming<CallEvent>>,
    ) -> Result<Response<Self::HandleCallStream>, Status> {
        let mut events = request.into_inner();
        let first = events.message().await?.and_then(|event| event.event);
        let Some(Event::Started(started)) = first else {
            return Err(Status::invalid_argument("the first event is not `started`"));
        };
        let key = started.query_parameters.iter().find(|parameter| parameter.key == "run");
        let key = key.map(|parameter| parameter.value.as_str()).unwrap_or_default();
        let script = lock(&self.0).get(key).cloned();
        let script =
            script.ok_or_else(|| Status::not_found(format!("no script for run={key:?}")))?;

        let (controls, receiver) = mpsc::channel(CONTROLS_MAX);
        script.log.send_modify(|log| log.events.push(Event::Started(started)));
        tokio::spawn(record(events, Arc::clone(&script)));
        tokio::spawn(async move { play(&script.steps, script.log.subscribe(), controls).await });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }
}

async fn record(mut events: Streaming<CallEvent>, script: Arc<Script>) {
    while let Ok(Some(event)) = events.message().await {
        if let Some(event) = event.event {
            script.log.send_modify(|log| log.events.push(event));
        }
    }
    script.log.send_modify(|log| log.closed = true);
}

fn lock(scripts: &Scripts) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Script>>> {
    scripts.lock().unwrap_or_else(PoisonError::into_inner)
}
