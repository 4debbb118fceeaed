//! The link of one call to a service that speaks AGI itself. Carries bytes, and does not know what they mean.

use super::{error::Lost, fastagi::Server, io::plain, script::Script};
use crate::route::Service;
use bytes::{Buf as _, BytesMut};
use std::{
    cell::RefCell,
    fmt, io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead as _, ReadBuf};
use tonic::Code;

/// What one read takes at most.
const READ_BYTES: usize = 16 * 1024;

thread_local! {
    /// What all calls of a core read into: an idle call holds no buffer.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
}

/// A server or a script that has the call, and has been given the prelude. Dropping it closes the connection; a script
/// that does not end then is killed, and its process group with it.
///
/// A connection has no task behind it: who holds the link reads, writes and flushes.
pub struct RawLink {
    peer: Peer,
    /// What the kernel did not take yet of what was written.
    unsent: BytesMut,
    end: End,
    /// It has been read to its end.
    closed: bool,
    /// It takes no bytes any more.
    deaf: bool,
    service: Arc<Service>,
}

/// Who is at the other end.
pub(super) enum Peer {
    Server(Server),
    Script(Script),
}

/// The end of what is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    No,
    /// Once `unsent` is out.
    Wanted,
    Done,
}

/// What a read gave.
#[derive(Debug)]
pub enum RawRead<'a> {
    /// As they came, at least one.
    Bytes(&'a [u8]),
    /// Nothing follows: the peer closed, or reset the connection, as one does that closes before it has read a HANGUP.
    Closed,
    /// The network failed, or the peer's machine did.
    Broken(Lost),
}

impl RawLink {
    /// A link to a peer that was given all of the prelude but `unsent`.
    pub(super) fn new(peer: Peer, unsent: &[u8], service: Arc<Service>) -> Self {
        let unsent = BytesMut::from(unsent);
        Self { peer, unsent, end: End::No, closed: false, deaf: false, service }
    }

    /// Reads what is there, and gives it to `take`. After `Closed` and `Broken` it is never ready again.
    /// Whoever does not poll it lets the peer wait once the kernel's buffer is full.
    pub fn poll_read<T>(
        &mut self,
        cx: &mut Context<'_>,
        take: impl FnOnce(RawRead<'_>) -> T,
    ) -> Poll<T> {
        if self.closed {
            return Poll::Pending;
        }
        let mut buffer = BUFFER.take();
        // It is gone when `take` panicked, and without it every read of this core would look like an end of file.
        buffer.resize(READ_BYTES, 0);
        let mut filled = ReadBuf::new(&mut buffer);
        let taken = self.peer.poll_read(cx, &mut filled).map(|read| {
            let read = outcome(&read, filled.filled());
            self.closed = !matches!(read, RawRead::Bytes(_));
            take(read)
        });
        BUFFER.set(buffer);
        taken
    }

    /// Writes `bytes` in one go; what the kernel does not take at once goes out with [`poll_flush`](Self::poll_flush).
    /// What a peer does not take any more is dropped: that it is gone shows when it is read.
    pub fn write(&mut self, bytes: &[u8]) {
        if self.end != End::No || self.deaf {
            return;
        }
        let written = if self.unsent.is_empty() { self.peer.try_write(bytes) } else { Ok(0) };
        match written {
            Ok(count) => self.unsent.extend_from_slice(&bytes[count..]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.unsent.extend_from_slice(bytes);
            }
            Err(_) => self.deaf = true,
        }
    }

    /// Sends what was left of what was written; `Pending` only while there is some.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while !self.unsent.is_empty() {
            let sent = match ready!(self.peer.poll_write_ready(cx)) {
                Ok(()) => self.peer.try_write(&self.unsent),
                Err(error) => Err(error),
            };
            match sent {
                Ok(count) => self.unsent.advance(count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => {
                    self.deaf = true;
                    self.unsent.clear();
                }
            }
        }
        self.unsent = BytesMut::new();
        self.finish_if_sent();
        Poll::Ready(())
    }

    /// Bytes that wait because the peer does not read.
    pub fn unsent(&self) -> usize {
        self.unsent.len()
    }

    /// Tells that the call was hung up, as Asterisk does: a server by a line, a script by a signal to its process.
    pub fn hang_up(&mut self) {
        match &self.peer {
            Peer::Server(_) => self.write(b"HANGUP\n"),
            Peer::Script(script) => script.hang_up(),
        }
    }

    /// Says that nothing follows, after what is not sent yet. Go on with `poll_flush` and `poll_read` until `Closed`.
    pub fn finish(&mut self) {
        if self.end == End::No {
            self.end = End::Wanted;
            self.finish_if_sent();
        }
    }

    /// Who has the call, for people: an address, or a program and its process.
    pub fn endpoint(&self) -> String {
        match &self.peer {
            Peer::Server(server) => server.endpoint().to_string(),
            Peer::Script(script) => script.endpoint(),
        }
    }

    /// The service that has the call.
    pub fn service(&self) -> &Arc<Service> {
        &self.service
    }

    fn finish_if_sent(&mut self) {
        if self.end == End::Wanted && self.unsent.is_empty() {
            self.end = End::Done;
            match &mut self.peer {
                Peer::Server(server) => server.close_writing(),
                Peer::Script(script) => script.close_stdin(),
            }
        }
    }
}

/// A reset is an end, as for Asterisk.
fn outcome<'a>(read: &io::Result<()>, bytes: &'a [u8]) -> RawRead<'a> {
    match (read, bytes) {
        (Ok(()), [_, ..]) => RawRead::Bytes(bytes),
        (Ok(()), []) => RawRead::Closed,
        (Err(error), _)
            if matches!(
                error.kind(),
                io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
            ) =>
        {
            RawRead::Closed
        }
        (Err(error), _) => RawRead::Broken(Lost { code: Code::Unavailable, message: plain(error) }),
    }
}

impl Peer {
    fn poll_read(&mut self, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Server(server) => Pin::new(&mut server.stream).poll_read(cx, into),
            Self::Script(script) => script.poll_read(cx, into),
        }
    }

    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Server(server) => server.stream.try_write(bytes),
            Self::Script(script) => script.try_write(bytes),
        }
    }

    fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Server(server) => server.stream.poll_write_ready(cx),
            Self::Script(script) => script.poll_write_ready(cx),
        }
    }
}

impl fmt::Debug for RawLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawLink")
            .field("service", &self.service.url)
            .field("endpoint", &self.endpoint())
            .field("unsent", &self.unsent.len())
            .field("end", &self.end)
            .field("closed", &self.closed)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::io::Errno;

    #[test]
    fn only_a_failure_of_the_network_is_no_end() {
        for (errno, wanted) in [
            (Errno::CONNRESET, None),
            (Errno::PIPE, None),
            (Errno::TIMEDOUT, Some("connection timed out")),
            (Errno::HOSTUNREACH, Some("no route to host")),
        ] {
            let read = Err(io::Error::from(errno));
            let broken = match outcome(&read, b"") {
                RawRead::Bytes(bytes) => panic!("{bytes:?}"),
                RawRead::Closed => None,
                RawRead::Broken(lost) => Some(lost.message),
            };
            assert_eq!(broken.as_deref(), wanted);
        }
    }
}
