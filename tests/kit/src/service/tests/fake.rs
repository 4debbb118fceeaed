//! A bridge's side of one call, made by hand: what it sends and hears, and an API for one worker. Knows the transports;
//! not what is said.

use super::super::websocket::Format;
use agi_bridge::proto::{
    CallControl, CallEvent, CallOffer, Registered, WorkerOffer, WorkerReport,
    call_control::Control,
    worker_offer::Offer,
    worker_report::Report,
    worker_service_server::{WorkerService, WorkerServiceServer},
};
use futures_util::{SinkExt as _, StreamExt as _, stream::BoxStream};
use http_body_util::BodyExt as _;
use std::sync::Mutex;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async, client_async,
    tungstenite::{
        ClientRequestBuilder, Error, Message,
        handshake::server::{ErrorResponse, Request as Handshake, Response as Accepted},
        http::{HeaderMap, StatusCode, header::SEC_WEBSOCKET_PROTOCOL},
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};
use tonic::{
    Request, Response, Status, Streaming, body::Body, metadata::MetadataMap, transport::Server,
};
use tower::util::MapRequestLayer;

/// Single use, as far as this bridge goes.
const OFFER: &str = "offer-1";

/// What came from the service.
#[derive(Debug, PartialEq)]
pub(super) enum Heard {
    Control(Box<Control>),
    /// How it closed: a gRPC status, or a close code.
    End(String),
}

/// Between a test and the one call of its bridge.
pub(super) struct Ends {
    pub(super) events: mpsc::Receiver<CallEvent>,
    pub(super) heard: mpsc::Sender<Heard>,
}

struct Bridge {
    bearer: &'static str,
    ends: Mutex<Option<Ends>>,
}

/// Connects with these subprotocols.
pub(super) async fn dial(
    url: &str,
    subprotocols: &str,
) -> Result<WebSocketStream<TcpStream>, Error> {
    let request = ClientRequestBuilder::new(url.parse().unwrap()).with_sub_protocol(subprotocols);
    let address = url.strip_prefix("ws://").unwrap().split('/').next().unwrap();
    let socket = TcpStream::connect(address).await.unwrap();
    client_async(request, socket).await.map(|(socket, _)| socket)
}

/// Hears a gRPC stream of controls to its end.
pub(super) async fn by_grpc(
    controls: Result<Streaming<CallControl>, Status>,
    heard: mpsc::Sender<Heard>,
) {
    let end = match controls {
        Ok(mut controls) => loop {
            match controls.message().await {
                Ok(Some(control)) => {
                    heard.send(Heard::Control(Box::new(control.control.unwrap()))).await.unwrap();
                }
                Ok(None) => break tonic::Code::Ok,
                Err(status) => break status.code(),
            }
        },
        Err(status) => status.code(),
    };
    let _ = heard.send(Heard::End(format!("{end:?}"))).await;
}

/// The bridge's side of a connection: whoever closes first, it goes on until both have.
pub(super) async fn by_websocket(
    socket: WebSocketStream<TcpStream>,
    format: Format,
    Ends { mut events, heard }: Ends,
) {
    let (mut sink, mut stream) = socket.split();
    let write = async {
        while let Some(event) = events.recv().await {
            sink.send(format.encode(&event)).await.unwrap();
        }
        let close = CloseFrame { code: CloseCode::Normal, reason: "".into() };
        let _ = sink.send(Message::Close(Some(close))).await;
    };
    let read = async {
        while let Some(Ok(frame)) = stream.next().await {
            let said = if let Message::Close(close) = frame {
                Heard::End(close.map_or(0, |close| u16::from(close.code)).to_string())
            } else {
                let control: CallControl = format.decode(&frame).unwrap().unwrap();
                Heard::Control(Box::new(control.control.unwrap()))
            };
            let _ = heard.send(said).await;
        }
    };
    tokio::join!(write, read);
}

/// An API that offers its one call to whoever registers by gRPC.
pub(super) async fn serve_grpc(listener: TcpListener, bearer: &'static str, ends: Ends) {
    let bridge = Bridge { bearer, ends: Mutex::new(Some(ends)) };
    Server::builder()
        .layer(MapRequestLayer::new(with_cancellations))
        .add_service(WorkerServiceServer::new(bridge))
        .serve_with_incoming(TcpListenerStream::new(listener))
        .await
        .unwrap();
}

/// tonic takes a stream that a client cancels for one that has ended well. Here the two are told apart.
fn with_cancellations(request: http::Request<Body>) -> http::Request<Body> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "one of 17 codes is meant")]
    let tell = |status: Status| match status.code() {
        tonic::Code::Cancelled => Status::aborted("cancelled"),
        _ => status,
    };
    request.map(|body| Body::new(body.map_err(tell)))
}

/// The same by WebSocket.
pub(super) async fn serve_websocket(listener: TcpListener, bearer: &'static str, ends: Ends) {
    let mut ends = Some(ends);
    let mut workers = Vec::new();
    loop {
        let (socket, _) = listener.accept().await.unwrap();
        let mut path = String::new();
        #[expect(clippy::result_large_err, reason = "a type that tungstenite wants")]
        let choose = |request: &Handshake, response| {
            path = request.uri().path().to_owned();
            accept(request.headers(), bearer, response)
        };
        let Ok(mut socket) = accept_hdr_async(socket, choose).await else { continue };
        if path == "/v1/worker" {
            let hello = socket.next().await.unwrap().unwrap();
            require_hello(&Format::Json.decode(&hello).unwrap().unwrap());
            for offer in offers() {
                socket.send(Format::Json.encode(&offer)).await.unwrap();
            }
            workers.push(socket);
        } else {
            assert_eq!(path, format!("/v1/calls/{OFFER}"));
            tokio::spawn(by_websocket(socket, Format::Json, ends.take().unwrap()));
        }
    }
}

#[expect(clippy::result_large_err, reason = "a type that tungstenite wants")]
fn accept(
    headers: &HeaderMap,
    bearer: &str,
    mut response: Accepted,
) -> Result<Accepted, ErrorResponse> {
    let protocol = headers[SEC_WEBSOCKET_PROTOCOL].clone();
    assert_eq!(protocol, Format::Json.subprotocol());
    let shown = headers.get("authorization");
    if shown.is_some_and(|shown| shown == format!("Bearer {bearer}").as_str()) {
        response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, protocol);
        Ok(response)
    } else {
        let mut refusal = ErrorResponse::new(None);
        *refusal.status_mut() = StatusCode::UNAUTHORIZED;
        Err(refusal)
    }
}

impl Bridge {
    fn require_bearer(&self, metadata: &MetadataMap) -> Result<(), Status> {
        let shown = metadata.get("authorization");
        let wanted = format!("Bearer {}", self.bearer);
        if shown.is_some_and(|shown| shown.as_bytes() == wanted.as_bytes()) {
            Ok(())
        } else {
            Err(Status::unauthenticated("no token, or another one"))
        }
    }
}

#[tonic::async_trait]
impl WorkerService for Bridge {
    type RegisterStream = BoxStream<'static, Result<WorkerOffer, Status>>;
    type TakeCallStream = BoxStream<'static, Result<CallEvent, Status>>;

    async fn register(
        &self,
        request: Request<Streaming<WorkerReport>>,
    ) -> Result<Response<Self::RegisterStream>, Status> {
        self.require_bearer(request.metadata())?;
        let mut reports = request.into_inner();
        require_hello(&reports.message().await?.unwrap());
        let offers = futures_util::stream::iter(offers().map(Ok));
        // The registration stands until the worker ends it.
        let rest = futures_util::stream::once(async move {
            let _ = reports.message().await;
            Err(Status::aborted("the worker is gone"))
        });
        Ok(Response::new(offers.chain(rest).boxed()))
    }

    async fn take_call(
        &self,
        request: Request<Streaming<CallControl>>,
    ) -> Result<Response<Self::TakeCallStream>, Status> {
        self.require_bearer(request.metadata())?;
        assert_eq!(request.metadata().get("agibridge-offer-token").unwrap(), OFFER);
        let ends = self.ends.lock().unwrap().take().unwrap();
        tokio::spawn(by_grpc(Ok(request.into_inner()), ends.heard));
        Ok(Response::new(ReceiverStream::new(ends.events).map(Ok).boxed()))
    }
}

fn require_hello(report: &WorkerReport) {
    let Some(Report::Hello(hello)) = &report.report else { panic!("{report:?}") };
    assert_eq!(hello.groups, ["kit"]);
    assert!(hello.worker_id.starts_with("kit-"), "{}", hello.worker_id);
}

fn offers() -> [WorkerOffer; 2] {
    let registered = Registered { bridge_id: "by hand".into() };
    let call = CallOffer { token: OFFER.into(), ..CallOffer::default() };
    [Offer::Registered(registered), Offer::Call(call)]
        .map(|offer| WorkerOffer { offer: Some(offer) })
}
