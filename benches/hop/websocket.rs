//! A WebSocket service behind the bridge, as somebody would write it with tungstenite: a task for each call. The path
//! of the URL says which subprotocol it agrees to.

use crate::{
    driver::{Driver, Next},
    host,
};
use agi_bridge::{proto::CallEvent, upstream::Format};
use anyhow::Context;
use futures_util::{SinkExt, StreamExt};
use serde::Serialize;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async,
    tungstenite::{
        Message,
        handshake::server::{ErrorResponse, Request, Response},
        http::{HeaderValue, header::SEC_WEBSOCKET_PROTOCOL},
    },
};

/// A connection after its handshake.
pub(crate) type Socket = WebSocketStream<TcpStream>;

/// Plays the role, until it is killed.
pub(crate) async fn main() -> anyhow::Result<()> {
    let listener = host::listen()?;
    host::say_ready(&listener)?;
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(async move {
            // A connection that broke is the load's to count.
            let _ = serve(stream).await;
        });
    }
}

/// The path for a format.
pub(crate) fn path(format: Format) -> &'static str {
    match format {
        Format::Proto => "/proto",
        Format::Json => "/json",
    }
}

/// Drives one call until the bridge closes.
pub(crate) async fn drive(mut socket: Socket, format: Format) -> anyhow::Result<()> {
    let mut driver = Driver::new();
    while let Some(frame) = socket.next().await {
        let Some(event) = decode::<CallEvent>(format, &frame?)? else { continue };
        match driver.hear(event) {
            Next::Say(control) => socket.send(encode(format, &control)?).await?,
            Next::Wait => {}
            Next::Over => socket.close(None).await?,
        }
    }
    Ok(())
}

/// The message in a frame. `None` for one that holds none.
pub(crate) fn decode<M>(format: Format, frame: &Message) -> anyhow::Result<Option<M>>
where
    M: prost::Message + Default + serde::de::DeserializeOwned,
{
    Ok(match frame {
        Message::Text(text) => Some(format.decode(text.as_bytes())?),
        Message::Binary(bytes) => Some(format.decode(bytes)?),
        Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_) => None,
    })
}

/// A message in its frame.
pub(crate) fn encode<M: prost::Message + Serialize>(
    format: Format,
    message: &M,
) -> anyhow::Result<Message> {
    Ok(match format {
        Format::Proto => Message::binary(message.encode_to_vec()),
        Format::Json => Message::text(serde_json::to_string(message).context("no JSON")?),
    })
}

async fn serve(stream: TcpStream) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let mut format = Format::Proto;
    #[expect(clippy::result_large_err, reason = "the refusal is of a type that tungstenite wants")]
    let choose = |request: &Request, response| {
        Ok::<_, ErrorResponse>(choose(request, response, &mut format))
    };
    let socket = accept_hdr_async(stream, choose).await?;
    drive(socket, format).await
}

fn choose(request: &Request, mut response: Response, format: &mut Format) -> Response {
    if request.uri().path() == path(Format::Json) {
        *format = Format::Json;
    }
    let chosen = HeaderValue::from_static(format.subprotocol());
    response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, chosen);
    response
}
