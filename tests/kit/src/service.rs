//! A service that does what a script says and remembers every event, over each transport of the contract. Knows the
//! contract; nothing of Asterisk.
//!
//! One service drives many calls: a call finds its script by the query of its AGI URL, `?run=KEY`.

mod grpc;
mod player;
mod port;
mod recording;
mod resumable;
#[cfg(test)]
mod tests;
mod websocket;
mod worker;

use agi_bridge::{
    proto::{
        CallControl, CallEvent, Heartbeat, Registered, call_control::Control, call_event::Event,
    },
    scenario::ServiceStep,
};
use anyhow::bail;
use player::{Controls, Failed, play};
pub use recording::{Log, Recording};
pub use resumable::{Part, Tell};
use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{mpsc::WeakSender, watch},
    task::JoinSet,
    time::timeout,
};
use tonic::Status;
use websocket::Format;
use worker::Worker;

/// The group that the kit's workers serve.
const GROUP: &str = "kit";

/// How the bridge and a service come together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// The bridge opens a gRPC stream for each call.
    Grpc,
    /// The bridge opens a WebSocket connection for each call, with JSON in text frames.
    WebSocketJson,
    /// The same, with protobuf in binary frames.
    WebSocketProto,
    /// The service dials in to the bridge, by gRPC.
    WorkerGrpc,
    /// The service dials in to the bridge, by WebSocket with JSON.
    WorkerWebSocket,
}

/// A scripted service; its server, or its place at the bridges that it dialled, ends when this is dropped.
#[derive(Debug)]
pub struct Service {
    transport: Transport,
    url: String,
    scripts: Scripts,
    tasks: Mutex<JoinSet<()>>,
}

/// What is played on which call.
#[derive(Debug, Clone, Default)]
struct Scripts {
    keyed: Arc<Mutex<HashMap<String, Arc<Script>>>>,
    /// Played on every call instead, wherever it stands.
    resumable: Option<Arc<resumable::Played>>,
    /// A worker's name.
    name: Option<Arc<str>>,
    /// True once the service takes no more calls, and gives those up that it has.
    stop: watch::Sender<bool>,
    /// Calls that are open.
    open: watch::Sender<usize>,
    /// True: heartbeats are not answered.
    mute: Arc<AtomicBool>,
}

#[derive(Debug)]
struct Script {
    steps: Vec<ServiceStep>,
    log: watch::Sender<Log>,
}

/// Writes down what one stream of a call brings; the recording is closed when this is dropped.
#[derive(Debug)]
struct Recorder {
    script: Arc<Script>,
    open: watch::Sender<usize>,
    /// For what answers heartbeats; the stream is not kept open by it.
    controls: Option<WeakSender<Result<CallControl, Failed>>>,
}

impl Transport {
    /// Every one.
    pub const ALL: [Self; 5] = [
        Self::Grpc,
        Self::WebSocketJson,
        Self::WebSocketProto,
        Self::WorkerGrpc,
        Self::WorkerWebSocket,
    ];

    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Grpc => "gRPC",
            Self::WebSocketJson => "WebSocket JSON",
            Self::WebSocketProto => "WebSocket protobuf",
            Self::WorkerGrpc => "worker gRPC",
            Self::WorkerWebSocket => "worker WebSocket",
        }
    }

    /// True when the service dials the bridge, and not the bridge the service.
    pub fn dials_in(self) -> bool {
        match self {
            Self::Grpc | Self::WebSocketJson | Self::WebSocketProto => false,
            Self::WorkerGrpc | Self::WorkerWebSocket => true,
        }
    }
}

impl Service {
    /// Serves gRPC on loopback, with gRPC health.
    ///
    /// # Panics
    /// When loopback has no free port.
    pub async fn start() -> Self {
        Self::start_on(Transport::Grpc).await
    }

    /// Serves on loopback; a worker waits for [`Self::dial`].
    ///
    /// # Panics
    /// When loopback has no free port.
    #[expect(
        clippy::unused_async,
        reason = "a service of another kind may have to wait for its place"
    )]
    pub async fn start_on(transport: Transport) -> Self {
        Self::serve(transport, None, Scripts::default())
    }

    /// Plays `part` on every call, with a checkpoint after each step, and carries calls on that others had before. It listens
    /// at `address`, or on any port of loopback; a worker waits for [`Self::dial`].
    ///
    /// # Panics
    /// When the port cannot be had.
    pub fn resumable(
        transport: Transport,
        address: Option<SocketAddr>,
        part: Part,
        tell: Tell,
    ) -> Self {
        let played = Arc::new(resumable::Played { part, tell });
        Self::serve(transport, address, Scripts { resumable: Some(played), ..Scripts::default() })
    }

    fn serve(transport: Transport, address: Option<SocketAddr>, scripts: Scripts) -> Self {
        let mut tasks = JoinSet::new();
        let websocket = match transport {
            Transport::Grpc | Transport::WorkerGrpc | Transport::WorkerWebSocket => None,
            Transport::WebSocketJson => Some(Format::Json),
            Transport::WebSocketProto => Some(Format::Proto),
        };
        let url = if transport.dials_in() {
            format!("worker://{GROUP}")
        } else {
            let (listener, address) = port::listen(address);
            let incoming = port::accept(listener, scripts.stop.subscribe());
            let scripts = scripts.clone();
            if let Some(format) = websocket {
                tasks.spawn(websocket::serve(incoming, format, scripts));
                format!("ws://{address}/calls")
            } else {
                tasks.spawn(grpc::serve(incoming, scripts));
                format!("grpc://{address}")
            }
        };
        Self { transport, url, scripts, tasks: Mutex::new(tasks) }
    }

    /// A worker of this name.
    pub fn named(mut self, name: &str) -> Self {
        self.scripts.name = Some(name.into());
        self
    }

    /// Takes no more calls, and ends the streams of those that it drives resumably as a server does that is restarted; gives
    /// the number of those that are still open at the `limit`.
    pub async fn drain(&self, limit: Duration) -> usize {
        self.scripts.stop.send_replace(true);
        let mut open = self.scripts.open.subscribe();
        let _ = timeout(limit, open.wait_for(|open| *open == 0)).await;
        *self.scripts.open.borrow()
    }

    /// Heartbeats are not answered from now on, as by a service that knows nothing of them.
    pub fn mute(&self) {
        self.scripts.mute.store(true, Ordering::Relaxed);
    }

    /// As a route of the configuration names it.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// Registers with the bridge that has its API there, and takes every call that it offers. Gives the bridge's answer.
    ///
    /// # Panics
    /// When the bridge does not register it.
    pub async fn dial(&self, api: SocketAddr) -> Registered {
        let registered = self.try_dial(api, None).await;
        registered.unwrap_or_else(|err| panic!("the worker is not registered at {api}: {err:#}"))
    }

    /// As [`Self::dial`], with a bearer token.
    ///
    /// # Errors
    /// When the bridge does not register it, or the service is no worker.
    pub async fn try_dial(
        &self,
        api: SocketAddr,
        bearer: Option<&str>,
    ) -> anyhow::Result<Registered> {
        let scripts = self.scripts.clone();
        let worker = match self.transport {
            Transport::WorkerGrpc => Worker::by_grpc(api, bearer, scripts).await?,
            Transport::WorkerWebSocket => Worker::by_websocket(api, bearer, scripts),
            Transport::Grpc | Transport::WebSocketJson | Transport::WebSocketProto => {
                bail!("a service over {} waits to be dialled", self.transport.name())
            }
        };
        let (registered, offers) = worker.register().await?;
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.spawn(worker.take_all(offers));
        Ok(registered)
    }

    /// The call with `?run=KEY` in its URL will be driven by these steps.
    pub fn script(&self, key: &str, steps: Vec<ServiceStep>) -> Recording {
        let (log, recording) = watch::channel(Log::default());
        self.scripts.lock().insert(key.to_owned(), Arc::new(Script { steps, log }));
        Recording(recording)
    }
}

impl Scripts {
    /// Begins to play the script of the call whose first event this is; what it sends goes to `controls`.
    fn begin(&self, first: Option<CallEvent>, controls: Controls) -> Result<Recorder, Status> {
        let Some(Event::Started(started)) = first.and_then(|event| event.event) else {
            return Err(Status::invalid_argument("the first event is not `started`"));
        };
        if *self.stop.borrow() {
            return Err(Status::unavailable("the service is being restarted"));
        }
        if let Some(played) = &self.resumable {
            let script = Arc::new(Script { steps: Vec::new(), log: watch::Sender::default() });
            let log = script.log.subscribe();
            let call = (Arc::clone(played), (*started).clone());
            let recorder = self.record(script, &controls);
            tokio::spawn(resumable::play(call.0, call.1, log, controls, self.stop.subscribe()));
            return Ok(recorder);
        }
        let key = started.query_parameters.iter().find(|parameter| parameter.key == "run");
        let key = key.map(|parameter| parameter.value.as_str()).unwrap_or_default();
        let script = self.lock().get(key).cloned();
        let script =
            script.ok_or_else(|| Status::not_found(format!("no script for run={key:?}")))?;

        let recorder = self.record(Arc::clone(&script), &controls);
        recorder.note(Event::Started(started));
        tokio::spawn(async move { play(&script.steps, script.log.subscribe(), controls).await });
        Ok(recorder)
    }

    fn record(&self, script: Arc<Script>, controls: &Controls) -> Recorder {
        let open = self.open.clone();
        open.send_modify(|open| *open += 1);
        let controls = (!self.is_mute()).then(|| controls.downgrade());
        Recorder { script, open, controls }
    }

    fn is_mute(&self) -> bool {
        self.mute.load(Ordering::Relaxed)
    }

    fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Script>>> {
        self.keyed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recorder {
    fn note(&self, event: Event) {
        if matches!(event, Event::Heartbeat(_))
            && let Some(controls) = self.controls.as_ref().and_then(WeakSender::upgrade)
        {
            // Where there is no room, there is traffic enough.
            let _ = controls
                .try_send(Ok(CallControl { control: Some(Control::Heartbeat(Heartbeat {})) }));
        }
        self.script.log.send_modify(|log| log.events.push(event));
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.script.log.send_modify(|log| log.closed = true);
        self.open.send_modify(|open| *open -= 1);
    }
}
