//! Subscribers, one connection each, and what they are told. Decodes no event, so that little time is taken from whom is measured: the
//! number near an event's end says which one it is, whatever the encoding.

use super::{
    Storm, TOKEN,
    asterisk::NUMBER,
    tally::{Phase, Tally},
};
use agi_bridge::{
    proto::{
        ManagerAnswer, ManagerRequest, WatchEventsRequest, WatchEventsResponse,
        manager_answer::Answer, manager_request, watch_events_response::Item,
    },
    upstream::Format,
};
use anyhow::Context as _;
use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use futures_util::{SinkExt as _, StreamExt as _};
use prost::Message as _;
use std::{future::poll_fn, net::SocketAddr, pin::Pin, sync::Arc, task::Poll, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
    time,
};
use tokio_tungstenite::{client_async, tungstenite::ClientRequestBuilder};

/// What a subscriber speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Grpc,
    WebSocketProto,
    WebSocketJson,
    ServerSent,
    /// Messages with their length in front, as gRPC has them, and nothing around them.
    Bare,
}

/// As gRPC's libraries have them.
const STREAM_WINDOW: u32 = 2 << 20;
const CONNECTION_WINDOW: u32 = 5 << 20;
/// Who will be stuck shall not have much in its connection.
const STUCK_WINDOW: u32 = 64 * 1024;
const CHUNK: usize = 64 * 1024;
/// Where an event's number stands, from the message's end.
const TAIL: usize = 128;
const DIGITS: usize = 10;
/// Before the length, whether it is compressed.
const PREFIX: usize = 5;
const POLL: Duration = Duration::from_millis(5);

/// Connects all, and reads until nothing more will come.
pub(super) async fn run(
    storm: Arc<Storm>,
    kinds: Vec<Kind>,
    tally: Arc<Tally>,
) -> anyhow::Result<()> {
    let mut readers = JoinSet::new();
    for (number, kind) in kinds.into_iter().enumerate() {
        let follower = Follower {
            number,
            next: 0,
            is_ready: false,
            lags: Vec::new(),
            tally: Arc::clone(&tally),
        };
        let api = storm.job.target;
        readers.spawn(async move {
            match kind {
                Kind::Grpc => grpc(api, follower).await,
                Kind::WebSocketProto => websocket(api, follower, Format::Proto).await,
                Kind::WebSocketJson => websocket(api, follower, Format::Json).await,
                Kind::ServerSent => server_sent(api, follower).await,
                Kind::Bare => bare(api, follower).await,
            }
            .with_context(|| format!("subscriber {number}, {kind:?}"))
        });
    }
    let over = async {
        while !tally.is_past(Phase::Resumed) {
            time::sleep(POLL).await;
        }
    };
    tokio::select! {
        () = over => Ok(()),
        Some(ended) = readers.join_next() => {
            // Once all is over, whoever is between may be gone first.
            if tally.is_past(Phase::Resumed) {
                return Ok(());
            }
            ended??;
            anyhow::bail!("a stream of events has ended")
        }
    }
}

/// One subscriber's place in the row of events.
struct Follower {
    number: usize,
    /// The event that must come next.
    next: u64,
    is_ready: bool,
    lags: Vec<u32>,
    tally: Arc<Tally>,
}

/// What a message says that is no event.
enum Told {
    Connected,
    Missed(u64),
    Nothing,
}

impl Follower {
    /// Takes a message; `other` reads those that are no events.
    fn hear(
        &mut self,
        message: &[u8],
        other: impl FnOnce(&[u8]) -> anyhow::Result<Told>,
    ) -> anyhow::Result<()> {
        let Some(number) = number(message) else {
            return self.told(other(message)?);
        };
        anyhow::ensure!(number == self.next, "event {number} came instead of {}", self.next);
        if let Some(lag) = self.tally.hear(self.number, number) {
            self.lags.push(lag);
        }
        self.next += 1;
        Ok(())
    }

    fn told(&mut self, told: Told) -> anyhow::Result<()> {
        match told {
            Told::Connected if !self.is_ready => {
                self.is_ready = true;
                self.tally.ready();
            }
            Told::Missed(count) => {
                anyhow::ensure!(self.number == 0, "{count} events missed by one that reads");
                self.next += count;
                self.tally.miss(count, self.next);
            }
            Told::Connected | Told::Nothing => {}
        }
        Ok(())
    }

    /// The one that gets stuck does not go on before all is sent.
    async fn may_read(&self) {
        while self.number == 0 && self.is_ready && !self.tally.is_past(Phase::Sent) {
            time::sleep(POLL).await;
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.tally.add_lags(&self.lags);
    }
}

/// Of an event; `None`: it is something else.
fn number(message: &[u8]) -> Option<u64> {
    let tail = &message[message.len().saturating_sub(TAIL)..];
    let key = NUMBER.as_bytes();
    let start = tail.windows(key.len()).rposition(|window| window == key)? + key.len();
    let digits = start + tail[start..].iter().position(u8::is_ascii_digit)?;
    std::str::from_utf8(tail.get(digits..digits + DIGITS)?).ok()?.parse().ok()
}

async fn connect(api: SocketAddr) -> anyhow::Result<TcpStream> {
    let stream = TcpStream::connect(api).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn grpc(api: SocketAddr, mut follower: Follower) -> anyhow::Result<()> {
    let stuck = follower.number == 0;
    let (stream, connection) =
        if stuck { (STUCK_WINDOW, STUCK_WINDOW) } else { (STREAM_WINDOW, CONNECTION_WINDOW) };
    let (requests, mut connection) = h2::client::Builder::new()
        .initial_window_size(stream)
        .initial_connection_window_size(connection)
        .handshake::<_, Bytes>(connect(api).await?)
        .await?;
    let mut requests = tokio::select! {
        requests = requests.ready() => requests?,
        ended = &mut connection => return Ok(ended?),
    };
    let request =
        http::Request::post(format!("http://{api}/agibridge.v1.ManagerService/WatchEvents"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header("authorization", format!("Bearer {TOKEN}"))
            .body(())?;
    let (response, mut body) = requests.send_request(request, false)?;
    let asked = WatchEventsRequest { names: vec!["*".to_owned()], ..Default::default() };
    let mut message = BytesMut::new();
    message.put_u8(0);
    message.put_u32(u32::try_from(asked.encoded_len())?);
    asked.encode(&mut message)?;
    body.send_data(message.freeze(), true)?;
    let response = tokio::select! {
        response = response => response?,
        ended = &mut connection => return Ok(ended?),
    };
    let mut body = response.into_body();
    let mut bytes = BytesMut::new();
    loop {
        follower.may_read().await;
        // Both at once, and neither while it is stuck.
        let data = poll_fn(|cx| match Pin::new(&mut connection).poll(cx) {
            Poll::Ready(_) => Poll::Ready(None),
            Poll::Pending => body.poll_data(cx),
        });
        let Some(data) = data.await.transpose()? else { return Ok(()) };
        body.flow_control().release_capacity(data.len())?;
        bytes.extend_from_slice(&data);
        cut(&mut bytes, &mut follower, |message| {
            Ok(told(WatchEventsResponse::decode(message)?.item.as_ref()))
        })?;
    }
}

async fn bare(address: SocketAddr, mut follower: Follower) -> anyhow::Result<()> {
    let mut stream = connect(address).await?;
    let mut bytes = BytesMut::with_capacity(CHUNK);
    loop {
        follower.may_read().await;
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(());
        }
        cut(&mut bytes, &mut follower, |_| Ok(Told::Connected))?;
        bytes.reserve(CHUNK);
    }
}

/// Messages with their length in front.
fn cut(
    bytes: &mut BytesMut,
    follower: &mut Follower,
    other: impl Fn(&[u8]) -> anyhow::Result<Told>,
) -> anyhow::Result<()> {
    while let Some(prefix) = bytes.first_chunk::<PREFIX>() {
        let [_, length @ ..] = *prefix;
        let end = PREFIX + usize::try_from(u32::from_be_bytes(length))?;
        let Some(message) = bytes.get(PREFIX..end) else { break };
        follower.hear(message, &other)?;
        bytes.advance(end);
    }
    Ok(())
}

async fn websocket(api: SocketAddr, mut follower: Follower, format: Format) -> anyhow::Result<()> {
    let request = ClientRequestBuilder::new(format!("ws://{api}/v1/manager").parse()?)
        .with_sub_protocol(format.subprotocol())
        .with_header("authorization", format!("Bearer {TOKEN}"));
    let (mut socket, _) = client_async(request, connect(api).await?).await?;
    let watch = manager_request::Request::WatchEvents(WatchEventsRequest::default());
    let request = ManagerRequest { id: 1, request: Some(watch) };
    socket.send(crate::websocket::encode(format, &request)?).await?;
    while let Some(frame) = socket.next().await {
        let frame = frame?;
        if !frame.is_text() && !frame.is_binary() {
            continue;
        }
        follower.hear(&frame.into_data(), |message| {
            let answer: ManagerAnswer = format.decode(message)?;
            let Some(Answer::WatchEvents(told_now)) = answer.answer else {
                anyhow::bail!("no events: {answer:?}");
            };
            Ok(told(told_now.item.as_ref()))
        })?;
    }
    Ok(())
}

fn told(item: Option<&Item>) -> Told {
    match item {
        Some(Item::Missed(count)) => Told::Missed(*count),
        Some(Item::ServerState(state)) if state.connected => Told::Connected,
        Some(Item::ServerState(_) | Item::Event(_)) | None => Told::Nothing,
    }
}

/// Chunks are not looked at: an event is whole in one.
async fn server_sent(api: SocketAddr, mut follower: Follower) -> anyhow::Result<()> {
    let mut stream = connect(api).await?;
    let request =
        format!("GET /v1/events HTTP/1.1\r\nhost: {api}\r\nauthorization: Bearer {TOKEN}\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut bytes = BytesMut::with_capacity(CHUNK);
    let mut searched = 0;
    while stream.read_buf(&mut bytes).await? > 0 {
        while let Some(end) = bytes[searched..].windows(2).position(|window| window == b"\n\n") {
            let event = bytes.split_to(searched + end + 2);
            searched = 0;
            follower.hear(&event, |event| {
                let text = String::from_utf8_lossy(event);
                anyhow::ensure!(!text.contains("event: missed"), "events are missed: {text}");
                let connected = text.contains("\"connected\":true");
                Ok(if connected { Told::Connected } else { Told::Nothing })
            })?;
        }
        searched = bytes.len().saturating_sub(1);
        bytes.reserve(CHUNK);
    }
    Ok(())
}
