//! Carries scripted calls by WebSocket, one connection a call, whoever has dialled. Knows frames, subprotocols and close
//! codes; not what is played.

use super::{
    Recorder, Scripts,
    player::{self, Failed},
};
use agi_bridge::proto::{CallControl, CallEvent};
use anyhow::Context as _;
use futures_util::{
    SinkExt as _, StreamExt as _,
    stream::{SplitSink, SplitStream},
};
use serde::{Serialize, de::DeserializeOwned};
use std::{io, net::SocketAddr, time::Duration};
use tokio::{
    net::TcpStream,
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::timeout,
};
use tokio_stream::wrappers::ReceiverStream;
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async, client_async,
    tungstenite::{
        ClientRequestBuilder, Message,
        handshake::server::{ErrorResponse, Request, Response},
        http::{HeaderValue, StatusCode, header::SEC_WEBSOCKET_PROTOCOL},
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};

/// For a handshake.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
/// For the bridge to answer our closing, once nothing that it says is of use.
const CLOSE_LIMIT: Duration = Duration::from_secs(10);
/// What is added to a gRPC status to make a close code of it.
const STATUS_CODES: u16 = 4000;

/// A connection after its handshake.
pub(super) type Socket = WebSocketStream<TcpStream>;

/// How a message stands in a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// Canonical JSON in text frames.
    Json,
    /// Protobuf in binary frames.
    Proto,
}

impl Format {
    /// The subprotocol that stands for it.
    pub(super) fn subprotocol(self) -> &'static str {
        match self {
            Self::Json => "agibridge.v1.json",
            Self::Proto => "agibridge.v1.proto",
        }
    }

    /// The frame for a message.
    pub(super) fn encode<M: prost::Message + Serialize>(self, message: &M) -> Message {
        match self {
            Self::Json => {
                let text = serde_json::to_string(message).expect("the contract has a JSON form");
                Message::text(text)
            }
            Self::Proto => Message::binary(message.encode_to_vec()),
        }
    }

    /// The message in a frame, if it is a frame for messages.
    ///
    /// # Errors
    /// When it is of the wrong type or cannot be read: the code to close with.
    pub(super) fn decode<M: prost::Message + Default + DeserializeOwned>(
        self,
        frame: &Message,
    ) -> Result<Option<M>, CloseCode> {
        match (self, frame) {
            (Self::Json, Message::Text(text)) => {
                serde_json::from_str(text).map(Some).map_err(|_| CloseCode::Invalid)
            }
            (Self::Proto, Message::Binary(bytes)) => {
                M::decode(bytes.as_ref()).map(Some).map_err(|_| CloseCode::Invalid)
            }
            (Self::Proto, Message::Text(_)) | (Self::Json, Message::Binary(_)) => {
                Err(CloseCode::Unsupported)
            }
            (_, Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_)) => {
                Ok(None)
            }
        }
    }
}

/// Takes connections that offer this format's subprotocol.
pub(super) async fn serve(
    mut incoming: ReceiverStream<io::Result<TcpStream>>,
    format: Format,
    scripts: Scripts,
) {
    let mut calls = JoinSet::new();
    while let Some(Ok(socket)) = incoming.next().await {
        while calls.try_join_next().is_some() {}
        let scripts = scripts.clone();
        calls.spawn(async move {
            if let Some(socket) = accept(socket, format).await {
                carry(socket, format, &scripts).await;
            }
        });
    }
    // Nobody new; those that are there go on.
    while calls.join_next().await.is_some() {}
}

/// Dials a bridge.
pub(super) async fn connect(
    api: SocketAddr,
    path: &str,
    format: Format,
    authorization: Option<&str>,
) -> anyhow::Result<Socket> {
    let uri = format!("ws://{api}{path}").parse().context("a path")?;
    let mut request = ClientRequestBuilder::new(uri).with_sub_protocol(format.subprotocol());
    if let Some(authorization) = authorization {
        request = request.with_header("authorization", authorization);
    }
    let handshake = async {
        let socket = TcpStream::connect(api).await?;
        socket.set_nodelay(true)?;
        anyhow::Ok(client_async(request, socket).await?.0)
    };
    timeout(HANDSHAKE_LIMIT, handshake).await.context("no handshake in time")?
}

/// Plays the script of the call on this connection, until the connection is over.
pub(super) async fn carry(socket: Socket, format: Format, scripts: &Scripts) {
    let (mut sink, mut stream) = socket.split();
    let (controls, receiver) = player::channel();
    let begun = match next(&mut stream, format).await {
        Ok(first) => scripts
            .begin(first, controls)
            .map_err(|status| CloseCode::from(STATUS_CODES + status.code() as u16)),
        Err(code) => Err(code),
    };
    match begun {
        Ok(recorder) => {
            let (fault, faults) = oneshot::channel();
            tokio::join!(
                read(stream, format, recorder, fault),
                write(sink, format, receiver, faults)
            );
        }
        Err(code) => {
            close(&mut sink, code).await;
            discard(stream).await;
        }
    }
}

async fn accept(socket: TcpStream, format: Format) -> Option<Socket> {
    #[expect(clippy::result_large_err, reason = "the refusal is of a type that tungstenite wants")]
    let choose = |request: &Request, response| choose(format, request, response);
    timeout(HANDSHAKE_LIMIT, accept_hdr_async(socket, choose)).await.ok()?.ok()
}

/// Agrees to the format's subprotocol, or refuses who does not offer it.
#[expect(clippy::result_large_err, reason = "the refusal is of a type that tungstenite wants")]
fn choose(
    format: Format,
    request: &Request,
    mut response: Response,
) -> Result<Response, ErrorResponse> {
    let offers = request.headers().get_all(SEC_WEBSOCKET_PROTOCOL);
    let mut offers = offers.iter().filter_map(|offer| offer.to_str().ok());
    let wanted = format.subprotocol();
    if offers.any(|offer| offer.split(',').any(|name| name.trim() == wanted)) {
        response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(wanted));
        Ok(response)
    } else {
        let mut refusal = ErrorResponse::new(Some(format!("only {wanted} is spoken here")));
        *refusal.status_mut() = StatusCode::BAD_REQUEST;
        Err(refusal)
    }
}

/// The next event; `None` at the end of the connection.
async fn next(
    stream: &mut SplitStream<Socket>,
    format: Format,
) -> Result<Option<CallEvent>, CloseCode> {
    while let Some(Ok(frame)) = stream.next().await {
        if let Some(event) = format.decode(&frame)? {
            return Ok(Some(event));
        }
    }
    Ok(None)
}

/// Writes down every event until the connection is over, or something comes that is none: that goes to `fault`.
async fn read(
    mut stream: SplitStream<Socket>,
    format: Format,
    recorder: Recorder,
    fault: oneshot::Sender<CloseCode>,
) {
    loop {
        match next(&mut stream, format).await {
            Ok(Some(CallEvent { event: Some(event) })) => recorder.note(event),
            Ok(Some(CallEvent { event: None })) => {}
            Ok(None) => return,
            Err(code) => {
                drop(recorder);
                let _ = fault.send(code);
                return discard(stream).await;
            }
        }
    }
}

/// Sends controls until the service is done or fails, or reading has ended; then closes.
async fn write(
    mut sink: SplitSink<Socket, Message>,
    format: Format,
    mut controls: mpsc::Receiver<Result<CallControl, Failed>>,
    mut fault: oneshot::Receiver<CloseCode>,
) {
    loop {
        let code = tokio::select! {
            control = controls.recv() => match control {
                Some(Ok(control)) => {
                    if sink.send(format.encode(&control)).await.is_err() {
                        return;
                    }
                    continue;
                }
                Some(Err(Failed::Scripted)) => CloseCode::Error,
                Some(Err(Failed::Restarting)) => CloseCode::Restart,
                None => CloseCode::Normal,
            },
            fault = &mut fault => match fault {
                Ok(code) => code,
                Err(_) => return,
            },
        };
        return close(&mut sink, code).await;
    }
}

async fn close(sink: &mut SplitSink<Socket, Message>, code: CloseCode) {
    // Who is gone already needs no code.
    let _ = sink.send(Message::Close(Some(CloseFrame { code, reason: "".into() }))).await;
}

/// Reads on without use: a connection that is dropped with something unread takes our last words with it.
async fn discard(mut stream: SplitStream<Socket>) {
    let rest = async { while let Some(Ok(_)) = stream.next().await {} };
    let _ = timeout(CLOSE_LIMIT, rest).await;
}
