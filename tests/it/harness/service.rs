//! A gRPC service that is one async function of the test.

use super::{PATIENCE, soon, within};
use agi_bridge::proto::{
    CallControl, CallEnded, CallEvent, CallStarted, Command, CommandResult, EndCall, Hangup,
    RawCommand, Resumption,
    call_control::Control,
    call_event::Event,
    call_service_server::{CallService, CallServiceServer},
    command::Command as Kind,
};
use futures_util::{FutureExt as _, StreamExt as _, stream::BoxStream};
use socket2::Socket;
use std::{
    future::Future,
    net::{Shutdown, SocketAddr},
    os::fd::AsFd as _,
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinHandle,
};
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tokio_tungstenite::tungstenite::Message as Frame;
use tonic::{Request, Response, Status, Streaming, metadata::MetadataMap};

type Function =
    dyn Fn(Caller) -> Pin<Box<dyn Future<Output = Result<(), Status>> + Send>> + Send + Sync;

/// A test's function for every call, and what went wrong in it.
#[derive(Clone)]
pub(super) struct Handler {
    function: Arc<Function>,
    faults: Arc<Faults>,
}

/// Assertions that failed in a function, which runs in a task of its own: they fail the test that drops this.
#[derive(Debug, Default)]
pub(super) struct Faults(Mutex<Vec<String>>);

/// Fails the test when it is dropped, if a function failed.
#[derive(Debug)]
pub(super) struct Watch(Arc<Faults>);

/// Controls that wait for the connection.
pub(super) const CONTROLS_MAX: usize = 64;

/// The service, until it is dropped.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) address: SocketAddr,
    task: JoinHandle<()>,
    connections: Connections,
    watch: Watch,
}

/// Connections that were accepted, to be cut when the service is killed.
#[derive(Debug, Clone, Default)]
struct Connections(Arc<Mutex<Vec<Socket>>>);

/// One call, as the test's function sees it.
pub(crate) struct Caller {
    pub(crate) metadata: MetadataMap,
    events: BoxStream<'static, Result<CallEvent, Status>>,
    controls: mpsc::Sender<Said>,
    pub(crate) next_id: u32,
}

/// What a test's function said.
#[derive(Debug)]
pub(super) enum Said {
    Control(Box<CallControl>),
    /// The stream ends with this.
    Failed(Status),
    /// As it is, where a WebSocket carries the call.
    Frame(Frame),
}

struct Calls(Handler);

impl Service {
    /// Serves every call with `handler`; the stream ends with what it returns.
    pub(crate) async fn start<F>(handler: impl Fn(Caller) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), Status>> + Send + 'static,
    {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), handler).await
    }

    /// As `start`, where another one was before.
    pub(crate) async fn start_at<F>(
        address: SocketAddr,
        handler: impl Fn(Caller) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<(), Status>> + Send + 'static,
    {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let handler = Handler::new(handler);
        let watch = handler.watch();
        let calls = Calls(handler);
        let connections = Connections::default();
        let accepted = connections.clone();
        let incoming = TcpListenerStream::new(listener)
            .map(move |stream| stream.inspect(|stream| accepted.add(stream)));
        let serving = tonic::transport::Server::builder()
            .add_service(CallServiceServer::new(calls))
            .serve_with_incoming(incoming);
        let task = tokio::spawn(async { serving.await.unwrap() });
        Self { address, task, connections, watch }
    }

    pub(crate) fn url(&self) -> String {
        format!("grpc://{}", self.address)
    }

    /// What failed in its function was meant to.
    pub(crate) fn forgive(&self) {
        self.watch.0.0.lock().unwrap().clear();
    }

    /// As by SIGKILL: nobody listens any more, and every connection is closed in the middle of whatever it was at.
    pub(crate) async fn kill(mut self) -> SocketAddr {
        self.task.abort();
        let _ = (&mut self.task).await;
        for socket in self.connections.0.lock().unwrap().drain(..) {
            let _ = socket.shutdown(Shutdown::Both);
        }
        self.address
    }
}

impl Connections {
    fn add(&self, stream: &TcpStream) {
        let copy = stream.as_fd().try_clone_to_owned().unwrap();
        self.0.lock().unwrap().push(Socket::from(copy));
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Handler {
    pub(super) fn new<F>(handler: impl Fn(Caller) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), Status>> + Send + 'static,
    {
        let function = Arc::new(move |caller| Box::pin(handler(caller)) as Pin<Box<_>>);
        Self { function, faults: Arc::default() }
    }

    pub(super) fn watch(&self) -> Watch {
        Watch(Arc::clone(&self.faults))
    }

    /// Gives a call to the test's function; what it says.
    pub(super) fn begin(
        &self,
        metadata: MetadataMap,
        events: BoxStream<'static, Result<CallEvent, Status>>,
    ) -> ReceiverStream<Said> {
        let (controls, receiver) = mpsc::channel(CONTROLS_MAX);
        let caller = Caller { metadata, events, controls: controls.clone(), next_id: 1 };
        let handler = self.clone();
        tokio::spawn(async move {
            let running = AssertUnwindSafe((handler.function)(caller)).catch_unwind();
            match running.await {
                Ok(Ok(())) => {}
                Ok(Err(status)) => _ = controls.send(Said::Failed(status)).await,
                Err(panic) => {
                    let text = panic.downcast_ref::<String>().cloned();
                    handler.faults.0.lock().unwrap().push(text.unwrap_or_default());
                }
            }
        });
        ReceiverStream::new(receiver)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let faults = std::mem::take(&mut *self.0.0.lock().unwrap());
        assert!(faults.is_empty() || std::thread::panicking(), "the service failed: {faults:?}");
    }
}

#[tonic::async_trait]
impl CallService for Calls {
    type HandleCallStream = BoxStream<'static, Result<CallControl, Status>>;

    async fn handle_call(
        &self,
        request: Request<Streaming<CallEvent>>,
    ) -> Result<Response<Self::HandleCallStream>, Status> {
        let metadata = request.metadata().clone();
        let said = self.0.begin(metadata, request.into_inner().boxed());
        let controls = said.map(|said| match said {
            Said::Control(control) => Ok(*control),
            Said::Failed(status) => Err(status),
            Said::Frame(_) => panic!("gRPC has no frames"),
        });
        Ok(Response::new(controls.boxed()))
    }
}

impl Caller {
    /// The next event; `None` when the bridge has ended the stream.
    pub(crate) async fn event(&mut self) -> Option<Event> {
        self.event_within(PATIENCE).await
    }

    /// As `event`, where a limit of the bridge makes the wait longer.
    pub(crate) async fn event_within(&mut self, patience: Duration) -> Option<Event> {
        let message = within(patience, "an event", self.events.next()).await;
        message.and_then(Result::ok).map(|event| event.event.unwrap())
    }

    pub(crate) async fn started(&mut self) -> CallStarted {
        match self.event().await {
            Some(Event::Started(started)) => *started,
            other => panic!("expected Started, got {other:?}"),
        }
    }

    /// What the bridge tells whoever resumes a call.
    pub(crate) async fn resumed(&mut self) -> Resumption {
        let resumption = self.started().await.resumption.expect("a resumption");
        self.next_id = resumption.last_command_id + 1;
        resumption
    }

    pub(crate) async fn result(&mut self) -> CommandResult {
        match self.event().await {
            Some(Event::Result(result)) => result,
            other => panic!("expected a result, got {other:?}"),
        }
    }

    pub(crate) async fn hangup(&mut self) -> Hangup {
        match self.event().await {
            Some(Event::Hangup(hangup)) => hangup,
            other => panic!("expected Hangup, got {other:?}"),
        }
    }

    pub(crate) async fn ended(&mut self) -> CallEnded {
        let ended = match self.event().await {
            Some(Event::Ended(ended)) => ended,
            other => panic!("expected Ended, got {other:?}"),
        };
        assert_eq!(self.event().await, None, "nothing follows the last event");
        ended
    }

    /// False once the bridge has reset the stream.
    pub(crate) async fn send(&mut self, control: Control) -> bool {
        let control = CallControl { control: Some(control) };
        self.say(Said::Control(Box::new(control))).await
    }

    /// As `send`, on a WebSocket, whatever it is.
    pub(crate) async fn send_frame(&mut self, frame: Frame) -> bool {
        self.say(Said::Frame(frame)).await
    }

    async fn say(&mut self, said: Said) -> bool {
        soon("room for a control", self.controls.send(said)).await.is_ok()
    }

    /// Sends a command with the next id.
    pub(crate) async fn send_command(&mut self, kind: Kind) -> u32 {
        let id = self.next_id;
        self.next_id += 1;
        self.send(command(id, kind)).await;
        id
    }

    /// Sends a command and takes the event after it as its result.
    pub(crate) async fn run(&mut self, kind: Kind) -> CommandResult {
        let id = self.send_command(kind).await;
        let result = self.result().await;
        assert_eq!(result.id, id);
        result
    }
}

pub(crate) fn command(id: u32, kind: Kind) -> Control {
    Control::Command(Command { id, command: Some(kind), ..Command::default() })
}

pub(crate) fn raw(line: &str) -> Kind {
    Kind::Raw(RawCommand { line: line.into() })
}

pub(crate) fn end() -> Control {
    Control::End(EndCall::default())
}
