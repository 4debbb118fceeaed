//! The socket to Asterisk: always read, written in whole lines, half-closed at the end. Knows bytes only.

use crate::{agi::Limits, async_agi};
use bytes::{Buf, Bytes, BytesMut};
use socket2::SockRef;
use std::{
    cell::RefCell,
    io,
    net::Shutdown,
    pin::Pin,
    task::{Context, Poll, Waker, ready},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf},
    net::TcpStream,
};

/// What one read takes at most. Asterisk drops what is not read within 100 ms, so a large reply is read in large pieces.
const READ_BYTES: usize = 16 * 1024;

thread_local! {
    /// What all calls of a core read into: an idle call holds no buffer.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
}

/// A connection from Asterisk.
#[derive(Debug)]
pub(super) struct Socket {
    stream: Stream,
    /// What the kernel did not take yet of a line that was written.
    unsent: BytesMut,
    half_close: HalfClose,
}

/// What carries the bytes.
#[derive(Debug)]
pub(super) enum Stream {
    Tcp(TcpStream),
    /// Its other end speaks to Asterisk's manager.
    Pipe(DuplexStream),
}

#[derive(Debug, PartialEq, Eq)]
enum HalfClose {
    No,
    /// Once `unsent` is out.
    Wanted,
    Done,
}

/// What a read gave.
pub(super) enum Read<'a> {
    Bytes(&'a [u8]),
    /// End of file, or the connection broke.
    Closed,
}

impl Socket {
    pub(super) fn new(stream: Stream) -> Self {
        Self { stream, unsent: BytesMut::new(), half_close: HalfClose::No }
    }

    /// The limits of a line that holds here.
    pub(super) fn limits(&self, limits: Limits) -> Limits {
        match self.stream {
            Stream::Tcp(_) => limits,
            Stream::Pipe(_) => {
                Limits { line_bytes_max: limits.line_bytes_max.min(async_agi::LINE_BYTES_MAX) }
            }
        }
    }

    /// Reads what is there, and gives it to `take`.
    pub(super) fn poll_read<T>(
        &mut self,
        cx: &mut Context<'_>,
        take: impl FnOnce(Read<'_>) -> T,
    ) -> Poll<T> {
        let mut buffer = BUFFER.take();
        // It is gone when `take` panicked, and without it every read of this core would look like an end of file.
        buffer.resize(READ_BYTES, 0);
        // tokio knows that a short read has emptied the socket, and asks the kernel no second time.
        let mut filled = ReadBuf::new(&mut buffer);
        let read = match &mut self.stream {
            Stream::Tcp(stream) => Pin::new(stream).poll_read(cx, &mut filled),
            Stream::Pipe(pipe) => Pin::new(pipe).poll_read(cx, &mut filled),
        };
        let taken = read.map(|read| match (read, filled.filled()) {
            (Ok(()), bytes @ [_, ..]) => take(Read::Bytes(bytes)),
            (Ok(()), []) | (Err(_), _) => take(Read::Closed),
        });
        BUFFER.set(buffer);
        taken
    }

    /// Writes a line in one go; what the kernel does not take at once goes out with [`poll_flush`](Self::poll_flush).
    ///
    /// A connection that is broken shows when it is read.
    pub(super) fn write(&mut self, line: &Bytes) {
        let written =
            if self.unsent.is_empty() { self.stream.try_write(line).unwrap_or(0) } else { 0 };
        self.unsent.extend_from_slice(&line[written..]);
    }

    /// Half-closes once all is written.
    pub(super) fn half_close(&mut self) {
        if self.half_close == HalfClose::No {
            self.half_close = HalfClose::Wanted;
            self.finish_half_close();
        }
    }

    /// Closes it, whatever was not sent or read yet.
    pub(super) fn close(&mut self) {
        self.unsent = BytesMut::new();
        self.stream.shutdown(Shutdown::Both);
    }

    /// Sends what is left of a line; `Pending` only while there is some.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while !self.unsent.is_empty() {
            match ready!(self.stream.poll_write(cx, &self.unsent)) {
                Ok(count) => self.unsent.advance(count),
                Err(_) => self.unsent.clear(),
            }
        }
        self.unsent = BytesMut::new();
        self.finish_half_close();
        Poll::Ready(())
    }

    pub(super) fn has_unsent(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// Acknowledges at once what was read. Asterisk leaves Nagle on: the next piece of a reply that it writes in several,
    /// as a 520 block, waits for our acknowledgement, and the kernel takes 40 ms for that unless it is asked. After a
    /// whole reply it is not: the next line carries it, and asking after every read took a quarter of the bridge's CPU.
    pub(super) fn acknowledge(&self) {
        #[cfg(target_os = "linux")]
        if let Stream::Tcp(stream) = &self.stream {
            let _ = SockRef::from(stream).set_tcp_quickack(true);
        }
    }

    fn finish_half_close(&mut self) {
        if self.half_close == HalfClose::Wanted && self.unsent.is_empty() {
            self.half_close = HalfClose::Done;
            self.stream.shutdown(Shutdown::Write);
        }
    }
}

impl Stream {
    /// Writes what is taken at once.
    fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_write(bytes),
            Self::Pipe(pipe) => {
                // Whoever waits polls again with a waker of its own.
                match Pin::new(pipe).poll_write(&mut Context::from_waker(Waker::noop()), bytes) {
                    Poll::Ready(written) => written,
                    Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
                }
            }
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Pipe(pipe) => Pin::new(pipe).poll_write(cx, bytes),
        }
    }

    /// The peer may have been faster: then there is nothing left to close.
    fn shutdown(&mut self, how: Shutdown) {
        match self {
            Self::Tcp(stream) => drop(SockRef::from(&*stream).shutdown(how)),
            // It shuts down at once, and only this direction: nothing is read after the other.
            Self::Pipe(pipe) => {
                let _ = Pin::new(pipe).poll_shutdown(&mut Context::from_waker(Waker::noop()));
            }
        }
    }
}

impl From<TcpStream> for Stream {
    fn from(stream: TcpStream) -> Self {
        Self::Tcp(stream)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{future::poll_fn, panic};
    use tokio::{
        io::AsyncWriteExt as _,
        net::{TcpListener, TcpStream},
    };

    #[tokio::test]
    async fn a_panic_over_what_was_read_costs_no_other_call_its_buffer() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let mut asterisk = TcpStream::connect(address).await.expect("connected");
        let (stream, _) = listener.accept().await.expect("accepted");
        let mut socket = Socket::new(stream.into());
        asterisk.write_all(b"x").await.expect("sent");
        let panicked = poll_fn(|cx| {
            let read = || socket.poll_read(cx, |_| -> () { panic!("a fault of ours") });
            match panic::catch_unwind(panic::AssertUnwindSafe(read)) {
                Ok(Poll::Pending) => Poll::Pending,
                ended => Poll::Ready(ended.is_err()),
            }
        });
        assert!(panicked.await);
        asterisk.write_all(b"y").await.expect("sent");
        let read = poll_fn(|cx| socket.poll_read(cx, |read| matches!(read, Read::Bytes(b"y"))));
        assert!(read.await, "a call that has bytes is not closed");
    }
}
