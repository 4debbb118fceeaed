//! A gRPC service that is one async function of the test.

use super::soon;
use agi_bridge::proto::{
    CallControl, CallEnded, CallEvent, CallStarted, Command, CommandResult, EndCall, Hangup,
    RawCommand,
    call_control::Control,
    call_event::Event,
    call_service_server::{CallService, CallServiceServer},
    command::Command as Kind,
};
use std::{future::Future, net::SocketAddr, pin::Pin, sync::Arc};
use tokio::{net::TcpListener, sync::mpsc, task::JoinHandle};
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::{Request, Response, Status, Streaming, metadata::MetadataMap};

type Handler =
    Arc<dyn Fn(Caller) -> Pin<Box<dyn Future<Output = Result<(), Status>> + Send>> + Send + Sync>;

/// The service, until it is dropped.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) address: SocketAddr,
    task: JoinHandle<()>,
}

/// One call, as the test's function sees it.
pub(crate) struct Caller {
    pub(crate) metadata: MetadataMap,
    events: Streaming<CallEvent>,
    controls: mpsc::Sender<Result<CallControl, Status>>,
    next_id: u32,
}

struct Calls(Handler);

impl Service {
    /// Serves every call with `handler`; the stream ends with what it returns.
    pub(crate) async fn start<F>(handler: impl Fn(Caller) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), Status>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let calls = Calls(Arc::new(move |caller| Box::pin(handler(caller))));
        let serving = tonic::transport::Server::builder()
            .add_service(CallServiceServer::new(calls))
            .serve_with_incoming(TcpListenerStream::new(listener));
        Self { address, task: tokio::spawn(async { serving.await.unwrap() }) }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[tonic::async_trait]
impl CallService for Calls {
    type HandleCallStream = ReceiverStream<Result<CallControl, Status>>;

    async fn handle_call(
        &self,
        request: Request<Streaming<CallEvent>>,
    ) -> Result<Response<Self::HandleCallStream>, Status> {
        let (controls, receiver) = mpsc::channel(64);
        let metadata = request.metadata().clone();
        let caller = Caller {
            metadata,
            events: request.into_inner(),
            controls: controls.clone(),
            next_id: 1,
        };
        let handler = Arc::clone(&self.0);
        tokio::spawn(async move {
            if let Err(status) = handler(caller).await {
                let _ = controls.send(Err(status)).await;
            }
        });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }
}

impl Caller {
    /// The next event; `None` when the bridge has ended the stream.
    pub(crate) async fn event(&mut self) -> Option<Event> {
        let message = soon("an event", self.events.message()).await;
        message.ok().flatten().map(|event| event.event.unwrap())
    }

    pub(crate) async fn started(&mut self) -> CallStarted {
        match self.event().await {
            Some(Event::Started(started)) => *started,
            other => panic!("expected Started, got {other:?}"),
        }
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
        soon("room for a control", self.controls.send(Ok(control))).await.is_ok()
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
