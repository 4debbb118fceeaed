//! A WebSocket that carries one message of the contract in each frame, on either side of it. Knows one connection, and
//! nothing of what the messages mean.

use super::{
    close,
    counted::Counted,
    format::{Format, Outgoing},
    pulse::{Beat, Flood, Pings, Pulse},
};
use crate::upstream::{
    MESSAGE_MAX,
    error::{Lost, SendError},
};
use futures_util::{Sink as _, Stream as _};
use prost::Message;
use serde::de::DeserializeOwned;
use std::{
    collections::VecDeque,
    fmt,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll, Waker, ready},
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Message as Frame,
        protocol::{CloseFrame, Role, WebSocketConfig, frame::coding::CloseCode},
    },
};
use tonic::Code;

/// Each connection holds a buffer of this size all the time (four times as much where we dialled: the handshake's is
/// kept), and clears as much of it before each read. Most calls are quiet, most messages have less than a hundred
/// bytes, and a larger one gets a larger buffer.
const READ_BUFFER: usize = 1024;
/// Frames are written together up to this size; what is left goes out when the connection is polled.
const WRITE_BUFFER: usize = 4 * 1024;
/// Beyond it messages wait in the queue, where they are counted.
const SEND_BUFFER: usize = 64 * 1024;
/// Frames that are looked at before others get their turn.
const FRAMES_PER_TURN: u32 = 32;

/// Messages of a protocol over a WebSocket: `In` comes, `Out` goes. Dropping it breaks the connection off (close code
/// 4001, CANCELLED), unless the peer has ended it.
///
/// There is no task behind it: what waits to be sent is passed on, and pings are sent, whenever it is polled.
pub struct Messages<In, Out> {
    socket: Option<WebSocketStream<Counted>>,
    format: Format,
    waiting: VecDeque<Frame>,
    capacity: usize,
    /// What the socket was given since it was last written out.
    buffered: usize,
    ending: Ending,
    /// How writing failed: told when nothing is left to read.
    broken: Option<Lost>,
    pulse: Pulse,
    flood: Flood,
    kinds: PhantomData<fn(Out) -> In>,
}

/// How far our end of the connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// Messages may follow.
    Open,
    /// A close follows what is queued.
    Wanted,
    /// The close is on its way.
    Said,
}

/// The limits of every connection.
pub(super) fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        // One message on top of what stops further ones, and some pongs.
        .max_write_buffer_size(MESSAGE_MAX + 2 * SEND_BUFFER)
        .max_message_size(Some(MESSAGE_MAX))
        .max_frame_size(Some(MESSAGE_MAX))
}

impl<In, Out> Messages<In, Out>
where
    In: Message + Default + DeserializeOwned,
    Out: Outgoing,
{
    /// The server's side of a connection whose handshake is over: `stream` is what follows the response with status 101.
    /// `capacity`: how many messages may wait when the peer does not read.
    pub async fn server(
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        format: Format,
        capacity: usize,
        pings: Pings,
    ) -> Self {
        let (stream, config) = (Counted::new(stream), Some(config()));
        // Never waits: it wants the task's context and no more.
        let socket = WebSocketStream::from_raw_socket(stream, Role::Server, config).await;
        Self::new(socket, format, capacity, pings)
    }

    /// `socket`: made with `config()`.
    pub(super) fn new(
        socket: WebSocketStream<Counted>,
        format: Format,
        capacity: usize,
        pings: Pings,
    ) -> Self {
        Self {
            socket: Some(socket),
            format,
            waiting: VecDeque::new(),
            capacity,
            buffered: 0,
            ending: Ending::Open,
            broken: None,
            pulse: Pulse::new(pings),
            flood: Flood::new(),
            kinds: PhantomData,
        }
    }

    /// Queues a message, in order. It goes out when the connection is polled next, if the peer reads.
    ///
    /// # Errors
    /// `Full` when as many messages wait as there is room for, `Closed` after `finish` or the connection's end.
    pub fn try_send(&mut self, message: &Out) -> Result<(), SendError> {
        if !self.is_open() {
            return Err(SendError::Closed);
        }
        let has_room = self.waiting.is_empty() && self.buffered < SEND_BUFFER;
        if !has_room && self.waiting.len() >= self.capacity {
            return Err(SendError::Full);
        }
        let frame = self.format.encode(message).ok_or(SendError::TooLarge)?;
        if has_room {
            self.give(frame);
        } else {
            self.waiting.push_back(frame);
        }
        if self.broken.is_some() { Err(SendError::Closed) } else { Ok(()) }
    }

    /// Messages that wait because the peer does not read.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Ready when `try_send` would take another message.
    ///
    /// # Errors
    /// `Closed` after `finish` or the connection's end.
    pub fn poll_ready_to_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        if !self.is_open() {
            return Poll::Ready(Err(SendError::Closed));
        }
        let flushed = self.poll_flush(cx);
        if self.broken.is_some() {
            return Poll::Ready(Err(SendError::Closed));
        }
        if flushed.is_ready() || self.waiting.len() < self.capacity {
            return Poll::Ready(Ok(()));
        }
        Poll::Pending
    }

    /// The next message of the peer; `None` when it closed the connection well (1000, or no code), and ever after.
    ///
    /// # Errors
    /// [`Lost`], once: any other end, a peer that is dead or breaks the rules, a message over 4 MiB, a frame that is no
    /// message.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<In>, Lost>> {
        // When writing fails, what the peer still said comes first: it may be why.
        let _ = self.poll_flush(cx);
        for _ in 0..FRAMES_PER_TURN {
            let Some(socket) = &mut self.socket else { return Poll::Ready(Ok(None)) };
            let polled = Pin::new(&mut *socket).poll_next(cx);
            let heard = socket.get_ref().heard();
            match polled {
                Poll::Pending => return self.poll_quiet(cx, heard),
                Poll::Ready(Some(Ok(Frame::Text(text)))) => {
                    self.flood.message(heard);
                    return Poll::Ready(self.read(cx, Format::Json, text.as_bytes()));
                }
                Poll::Ready(Some(Ok(Frame::Binary(bytes)))) => {
                    self.flood.message(heard);
                    return Poll::Ready(self.read(cx, Format::Proto, &bytes));
                }
                Poll::Ready(Some(Ok(Frame::Ping(_) | Frame::Pong(_)))) => {
                    if self.flood.control(heard) {
                        return Poll::Ready(self.refuse_flood(cx));
                    }
                }
                Poll::Ready(Some(Ok(Frame::Close(frame)))) => {
                    return Poll::Ready(self.closed(cx, frame.as_ref()));
                }
                Poll::Ready(Some(Ok(Frame::Frame(_)))) => {} // is never read
                Poll::Ready(Some(Err(error))) => return Poll::Ready(self.failed(cx, &error)),
                Poll::Ready(None) => {
                    return Poll::Ready(self.failed(cx, &Error::ConnectionClosed));
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Says that no message follows: closes with 1000 after what is queued. Never waits.
    /// Go on with `poll_recv` until it ends, within a deadline: dropping this cuts off what is not sent yet.
    pub fn finish(&mut self) {
        if self.is_open() {
            self.ending = Ending::Wanted;
        }
    }

    /// Gives the connection up, with a close frame if the peer takes it at once. Never waits.
    pub fn abort(&mut self, code: u16, reason: &str) {
        // Nobody is to be woken: this is the last that happens to the socket.
        self.cut_off(&mut Context::from_waker(Waker::noop()), code, reason);
    }

    fn read(
        &mut self,
        cx: &mut Context<'_>,
        came_as: Format,
        bytes: &[u8],
    ) -> Result<Option<In>, Lost> {
        if came_as != self.format {
            let (came, wanted) = match self.format {
                Format::Proto => ("text", "binary"),
                Format::Json => ("binary", "text"),
            };
            let message = format!("a {came} frame where {wanted} ones were agreed on");
            return self.refuse(cx, CloseCode::Unsupported, message);
        }
        match self.format.decode(bytes) {
            Ok(message) => Ok(Some(message)),
            Err(error) => self.refuse(cx, CloseCode::Invalid, error.to_string()),
        }
    }

    /// Nothing is there to read.
    fn poll_quiet(&mut self, cx: &mut Context<'_>, heard: u64) -> Poll<Result<Option<In>, Lost>> {
        if self.flood.quiet(heard) {
            return Poll::Ready(self.refuse_flood(cx));
        }
        loop {
            if let Some(lost) = self.broken.take() {
                self.release();
                return Poll::Ready(Err(lost));
            }
            match ready!(self.pulse.poll(cx, heard)) {
                // After a close nothing may follow, and an answer to that is awaited anyway.
                Beat::Ask if self.ending == Ending::Said => {}
                Beat::Ask => {
                    self.give(Frame::Ping(Vec::new().into()));
                    let _ = self.poll_flush(cx);
                }
                Beat::Dead => {
                    let lost = close::unavailable("it does not answer pings".to_owned());
                    self.cut_off(cx, CloseCode::Away.into(), &lost.message);
                    return Poll::Ready(Err(lost));
                }
            }
        }
    }

    fn refuse_flood(&mut self, cx: &mut Context<'_>) -> Result<Option<In>, Lost> {
        let message = "a flood of frames that are no messages".to_owned();
        self.cut_off(cx, CloseCode::Policy.into(), &message);
        Err(Lost { code: Code::ResourceExhausted, message })
    }

    /// The peer broke the rules: it is told, and given up.
    fn refuse(
        &mut self,
        cx: &mut Context<'_>,
        code: CloseCode,
        message: String,
    ) -> Result<Option<In>, Lost> {
        let (code, lost) = close::fault(code, message);
        self.cut_off(cx, code, &lost.message);
        Err(lost)
    }

    fn closed(
        &mut self,
        cx: &mut Context<'_>,
        frame: Option<&CloseFrame>,
    ) -> Result<Option<In>, Lost> {
        // The answer to it stands in the socket.
        self.waiting.clear();
        self.write_out(cx);
        close::verdict(frame).map(|()| None)
    }

    fn failed(&mut self, cx: &mut Context<'_>, error: &Error) -> Result<Option<In>, Lost> {
        match close::broken(error) {
            (Some(code), lost) => {
                self.cut_off(cx, code, &lost.message);
                Err(lost)
            }
            // We said that all is said, and it left without a word.
            (None, _) if self.ending == Ending::Said => {
                self.release();
                Ok(None)
            }
            (None, lost) => {
                self.release();
                Err(lost)
            }
        }
    }
}

impl<In, Out> Messages<In, Out> {
    fn is_open(&self) -> bool {
        self.socket.is_some() && self.ending == Ending::Open && self.broken.is_none()
    }

    /// Hands a frame to the socket, which writes it with the next ones.
    fn give(&mut self, frame: Frame) {
        let Some(socket) = &mut self.socket else { return };
        self.buffered += frame.len().max(1);
        match Pin::new(socket).start_send(frame) {
            Ok(()) => {}
            Err(Error::WriteBufferFull(frame)) => {
                self.buffered = self.buffered.max(SEND_BUFFER);
                self.waiting.push_front(*frame);
            }
            Err(error) => self.broken = Some(close::broken(&error).1),
        }
    }

    /// Ready when all that waits was written, or will never be.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            while self.buffered < SEND_BUFFER
                && let Some(frame) = self.waiting.pop_front()
            {
                self.give(frame);
            }
            if self.waiting.is_empty() && self.ending == Ending::Wanted {
                self.ending = Ending::Said;
                self.give(Frame::Close(Some(close::frame(CloseCode::Normal.into(), ""))));
            }
            let Some(socket) = &mut self.socket else { return Poll::Ready(()) };
            if self.buffered == 0 || self.broken.is_some() {
                return Poll::Ready(());
            }
            match ready!(Pin::new(socket).poll_flush(cx)) {
                Ok(()) => self.buffered = 0,
                Err(error) => self.broken = Some(close::broken(&error).1),
            }
        }
    }

    /// The last that happens to the socket.
    fn cut_off(&mut self, cx: &mut Context<'_>, code: u16, reason: &str) {
        self.waiting.clear();
        if self.ending != Ending::Said {
            self.give(Frame::Close(Some(close::frame(code, reason))));
        }
        self.write_out(cx);
    }

    /// Writes what the peer takes at once, and lets go of the socket.
    fn write_out(&mut self, cx: &mut Context<'_>) {
        if let Some(socket) = &mut self.socket
            && let Poll::Ready(Ok(())) = Pin::new(&mut *socket).poll_flush(cx)
        {
            let _ = Pin::new(socket.get_mut()).poll_shutdown(cx);
        }
        self.release();
    }

    fn release(&mut self) {
        self.socket = None;
        self.waiting = VecDeque::new();
        self.buffered = 0;
        self.broken = None;
    }
}

impl<In, Out> Drop for Messages<In, Out> {
    fn drop(&mut self) {
        if self.socket.is_some() {
            let mut nobody = Context::from_waker(Waker::noop());
            self.cut_off(&mut nobody, close::of_status(Code::Cancelled), "cut off");
        }
    }
}

impl<In, Out> fmt::Debug for Messages<In, Out> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Messages")
            .field("format", &self.format)
            .field("waiting", &self.waiting.len())
            .field("ending", &self.ending)
            .finish_non_exhaustive()
    }
}
