//! A WebSocket service that is one async function of the test. Knows frames and close codes.

use super::service::{Caller, Handler, Said, Watch};
use agi_bridge::{
    proto::{CallControl, CallEvent},
    upstream::Format,
};
use futures_util::{SinkExt as _, StreamExt as _};
use http::{HeaderValue, header::SEC_WEBSOCKET_PROTOCOL};
use prost::Message as _;
use std::{future::Future, net::SocketAddr};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinHandle,
};
use tokio_stream::wrappers::ReceiverStream;
use tokio_tungstenite::{
    accept_hdr_async,
    tungstenite::{
        Message as Frame,
        handshake::server::{ErrorResponse, Request, Response},
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};
use tonic::{Status, metadata::MetadataMap};

/// Added to a gRPC status it is a close code.
const STATUS_CODES: u16 = 4000;

/// The service, until it is dropped.
#[derive(Debug)]
pub(crate) struct WebSocketService {
    address: SocketAddr,
    task: JoinHandle<()>,
    _watch: Watch,
}

impl WebSocketService {
    /// Serves every call with `handler`; the connection is closed with what it returns.
    pub(crate) async fn start<F>(
        format: Format,
        handler: impl Fn(Caller) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<(), Status>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let handler = Handler::new(handler);
        let watch = handler.watch();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(carry(stream, format, handler.clone()));
            }
        });
        Self { address, task, _watch: watch }
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://{}/calls", self.address)
    }
}

impl Drop for WebSocketService {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carry(stream: TcpStream, format: Format, handler: Handler) {
    let mut headers = http::HeaderMap::new();
    #[expect(clippy::result_large_err, reason = "a type that tungstenite wants")]
    let choose = |request: &Request, mut response: Response| -> Result<Response, ErrorResponse> {
        headers.clone_from(request.headers());
        let chosen = HeaderValue::from_static(format.subprotocol());
        response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, chosen);
        Ok(response)
    };
    let Ok(socket) = accept_hdr_async(stream, choose).await else { return };
    let (mut sink, mut stream) = socket.split();
    let (events, receiver) = mpsc::channel(1);
    let events_of = ReceiverStream::new(receiver).boxed();
    let mut said = handler.begin(MetadataMap::from_headers(headers), events_of);
    let read = async {
        while let Some(Ok(frame)) = stream.next().await {
            if let Frame::Text(_) | Frame::Binary(_) = &frame {
                let event: CallEvent = format.decode(&frame.into_data()).unwrap();
                // A function that is over hears no more.
                let _ = events.send(Ok(event)).await;
            }
        }
        drop(events);
    };
    let write = async {
        let mut code = CloseCode::Normal;
        while let Some(said) = said.next().await {
            let frame = match said {
                Said::Control(control) => encode(format, &control),
                Said::Frame(frame) => frame,
                Said::Failed(status) => {
                    code = CloseCode::from(STATUS_CODES + status.code() as u16);
                    break;
                }
            };
            if sink.send(frame).await.is_err() {
                break;
            }
        }
        let _ = sink.send(Frame::Close(Some(CloseFrame { code, reason: "".into() }))).await;
    };
    tokio::join!(read, write);
}

fn encode(format: Format, control: &CallControl) -> Frame {
    match format {
        Format::Proto => Frame::binary(control.encode_to_vec()),
        Format::Json => Frame::text(serde_json::to_string(control).unwrap()),
    }
}
