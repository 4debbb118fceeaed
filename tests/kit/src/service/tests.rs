//! The scripted service over each transport, against a bridge's side made by hand.

mod fake;

use super::*;
use agi_bridge::proto::{
    CallEnded, CallStarted, CommandResult, QueryParameter, call_control::Control,
    call_service_client::CallServiceClient,
};
use fake::{Ends, Heard, by_grpc, by_websocket, dial};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_tungstenite::tungstenite::{Error, Message};

const LIMIT: Duration = Duration::from_secs(10);
const TOKEN: &str = "let-me-in";

/// One call, from the bridge's side.
struct Line {
    /// The bridge closes when this is dropped.
    events: Option<mpsc::Sender<CallEvent>>,
    heard: mpsc::Receiver<Heard>,
    /// Offers the call, where there are workers.
    _bridge: JoinSet<()>,
}

impl Line {
    /// Opens a stream to the service, or offers it a call.
    async fn open(service: &Service) -> Self {
        let (events, receiver) = mpsc::channel(8);
        let (sender, heard) = mpsc::channel(8);
        let ends = Ends { events: receiver, heard: sender };
        let mut bridge = JoinSet::new();
        match service.transport {
            Transport::Grpc => {
                let url = service.url().replace("grpc://", "http://");
                bridge.spawn(async move {
                    let mut client = CallServiceClient::connect(url).await.unwrap();
                    let controls = client.handle_call(ReceiverStream::new(ends.events)).await;
                    by_grpc(controls.map(tonic::Response::into_inner), ends.heard).await;
                });
            }
            Transport::WebSocketJson => {
                let socket = dial(&service.url(), "agibridge.v1.json").await.unwrap();
                bridge.spawn(by_websocket(socket, Format::Json, ends));
            }
            Transport::WebSocketProto => {
                let socket = dial(&service.url(), "agibridge.v1.proto").await.unwrap();
                bridge.spawn(by_websocket(socket, Format::Proto, ends));
            }
            Transport::WorkerGrpc | Transport::WorkerWebSocket => {
                let (listener, api) = port::listen(None);
                if service.transport == Transport::WorkerGrpc {
                    bridge.spawn(fake::serve_grpc(listener, TOKEN, ends));
                } else {
                    bridge.spawn(fake::serve_websocket(listener, TOKEN, ends));
                }
                let registered = service.try_dial(api, Some(TOKEN)).await.unwrap();
                assert_eq!(registered.bridge_id, "by hand");
            }
        }
        Self { events: Some(events), heard, _bridge: bridge }
    }

    async fn tell(&self, event: Event) {
        let event = CallEvent { event: Some(event) };
        self.events.as_ref().unwrap().send(event).await.unwrap();
    }

    async fn hear(&mut self) -> Heard {
        timeout(LIMIT, self.heard.recv()).await.unwrap().unwrap()
    }

    /// Takes a command and answers it.
    #[expect(clippy::wildcard_enum_match_arm, reason = "only commands are scripted here")]
    async fn answer_command(&mut self, id: u32) {
        match self.hear().await {
            Heard::Control(control) => match *control {
                Control::Command(command) => assert_eq!(command.id, id),
                other => panic!("{other:?}"),
            },
            Heard::End(end) => panic!("{end} instead of a command"),
        }
        self.tell(Event::Result(CommandResult { id, ..CommandResult::default() })).await;
    }
}

fn steps(yaml: &str) -> Vec<ServiceStep> {
    serde_saphyr::from_str(yaml).unwrap()
}

fn started(key: &str) -> Event {
    let run = QueryParameter { key: "run".into(), value: key.into() };
    Event::Started(Box::new(CallStarted { query_parameters: vec![run], ..CallStarted::default() }))
}

fn ended() -> Event {
    Event::Ended(CallEnded::default())
}

/// Plays two commands and this last step; gives how the bridge's side saw the end.
async fn last_step(transport: Transport, step: &str) -> String {
    let service = Service::start_on(transport).await;
    let script = format!("- answer: {{}}\n- noop: {{text: two}}\n- {step}");
    let mut recording = service.script("it", steps(&script));
    let mut line = Line::open(&service).await;
    line.tell(started("it")).await;
    line.answer_command(1).await;
    line.answer_command(2).await;
    let Heard::End(end) = line.hear().await else { panic!("{}", transport.name()) };
    line.events = None;
    let log = recording.wait_until_closed(LIMIT).await;
    assert!(log.started().is_some());
    assert_eq!(log.results().iter().map(|result| result.id).collect::<Vec<_>>(), [1, 2]);
    end
}

#[tokio::test]
async fn a_service_that_is_done_says_so_on_each_transport() {
    for (transport, end) in Transport::ALL.into_iter().zip(["Ok", "1000", "1000", "Ok", "1000"]) {
        assert_eq!(last_step(transport, "close: ok").await, end, "{}", transport.name());
    }
}

#[tokio::test]
async fn a_service_that_fails_says_so_on_each_transport() {
    let ends = ["Internal", "1011", "1011", "Aborted", "1011"];
    for (transport, end) in Transport::ALL.into_iter().zip(ends) {
        assert_eq!(last_step(transport, "close: error").await, end, "{}", transport.name());
    }
}

#[tokio::test]
async fn a_recording_is_closed_when_the_bridge_closes() {
    for transport in Transport::ALL {
        let service = Service::start_on(transport).await;
        let mut recording = service.script("it", steps("- wait_for: hangup"));
        let mut line = Line::open(&service).await;
        line.tell(started("it")).await;
        line.tell(ended()).await;
        let log = recording.wait_for(LIMIT, "the end", |log| log.ended().is_some()).await;
        assert!(!log.closed, "{}", transport.name());
        line.events = None;
        recording.wait_until_closed(LIMIT).await;
    }
}

#[tokio::test]
async fn a_call_without_a_script_is_refused() {
    let ends = ["NotFound", "4005", "4005", "Aborted", "4005"];
    for (transport, expected) in Transport::ALL.into_iter().zip(ends) {
        let service = Service::start_on(transport).await;
        let mut line = Line::open(&service).await;
        line.tell(started("another")).await;
        assert_eq!(line.hear().await, Heard::End(expected.into()), "{}", transport.name());
    }
}

#[tokio::test]
async fn a_client_that_does_not_offer_the_subprotocol_is_refused() {
    let service = Service::start_on(Transport::WebSocketProto).await;
    match dial(&service.url(), "agibridge.v1.json").await {
        Err(Error::Http(response)) => assert_eq!(response.status(), 400),
        other => panic!("{other:?}"),
    }
    let both = "agibridge.v2.proto, agibridge.v1.proto";
    dial(&service.url(), both).await.expect("one that it speaks is among them");
}

#[tokio::test]
async fn a_frame_that_is_no_event_ends_the_connection() {
    for (frame, code) in
        [(Message::binary("{}"), 1003), (Message::text("{"), 1007), (Message::text("{}"), 4003)]
    {
        let service = Service::start_on(Transport::WebSocketJson).await;
        let mut socket = dial(&service.url(), "agibridge.v1.json").await.unwrap();
        socket.send(frame).await.unwrap();
        let answer = timeout(LIMIT, socket.next()).await.unwrap().unwrap().unwrap();
        let Message::Close(Some(close)) = answer else { panic!("{answer:?}") };
        assert_eq!(u16::from(close.code), code);
    }
}

#[tokio::test]
async fn a_worker_with_another_token_is_not_registered() {
    for transport in [Transport::WorkerGrpc, Transport::WorkerWebSocket] {
        let service = Service::start_on(transport).await;
        let (listener, api) = port::listen(None);
        let (_events, events) = mpsc::channel(1);
        let (heard, _heard) = mpsc::channel(1);
        let ends = Ends { events, heard };
        let mut bridge = JoinSet::new();
        if transport == Transport::WorkerGrpc {
            bridge.spawn(fake::serve_grpc(listener, TOKEN, ends));
        } else {
            bridge.spawn(fake::serve_websocket(listener, TOKEN, ends));
        }
        for bearer in [None, Some("wrong")] {
            service.try_dial(api, bearer).await.expect_err("the bridge refuses");
        }
    }
}
