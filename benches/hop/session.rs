//! One call as Asterisk holds it: bytes that came in, what to answer. Owns its socket and no clock.

use crate::{
    host,
    job::{Job, Peer},
    script,
};
use mio::net::TcpStream;
use std::{
    io::{self, ErrorKind, Read, Write},
    time::Instant,
};

/// How Asterisk says that the caller is gone, and the last thing it says in every session.
const HANGUP: &[u8] = b"HANGUP\n";

/// What a line echo is sent.
const PING: &[u8] = b"200 result=1\n";

/// Where a call stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Until the first command.
    Opening,
    /// One command after the other.
    Driven,
    /// The caller is gone; the other side has yet to close.
    HungUp,
}

/// One call.
pub(crate) struct Session {
    pub(crate) stream: TcpStream,
    pub(crate) phase: Phase,
    /// When the last reply was written.
    pub(crate) replied_at: Option<Instant>,
    /// The reply of a command that runs, when commands take time.
    pub(crate) running: Option<&'static [u8]>,
    greeted: bool,
    number: usize,
    /// A line that did not come whole. Seldom anything.
    partial: Vec<u8>,
}

/// What a read brought.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// Nothing whole yet.
    Nothing,
    /// The next command, and what to answer.
    Command(&'static [u8]),
    /// The other side closed: the session is over.
    End,
}

impl Session {
    /// Begins the `number`th call.
    pub(crate) fn open(job: &Job, number: usize) -> io::Result<Self> {
        Ok(Self {
            stream: TcpStream::from_std(host::begin_connect(job.target, number)?),
            phase: Phase::Opening,
            replied_at: None,
            running: None,
            greeted: false,
            number,
            partial: Vec::new(),
        })
    }

    /// Says what is said first, as soon as the connection stands.
    pub(crate) fn greet(&mut self, job: &Job) -> io::Result<()> {
        if self.greeted {
            return Ok(());
        }
        if let Some(error) = self.stream.take_error()? {
            return Err(error);
        }
        match job.peer {
            Peer::Echo => self.stream.write_all(PING)?,
            Peer::Agi => {
                // In two segments, as Asterisk.
                let prelude = script::prelude(job.script.path(), self.number);
                let (first, rest) = prelude.split_at(17);
                self.stream.write_all(first)?;
                self.stream.write_all(rest)?;
            }
        }
        self.greeted = true;
        Ok(())
    }

    /// Reads what is there. `closed` says that the end of file is known to follow.
    pub(crate) fn hear(&mut self, closed: bool) -> io::Result<Heard> {
        let mut bytes = [0; 2048];
        let mut heard = Heard::Nothing;
        loop {
            match self.stream.read(&mut bytes) {
                Ok(0) => return Ok(Heard::End),
                Ok(length) => {
                    self.take(bytes.get(..length).unwrap_or_default(), &mut heard)?;
                    // A short read has emptied the socket: the next byte brings a new event.
                    if length < bytes.len() && !closed {
                        return Ok(heard);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(heard),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Answers a command.
    pub(crate) fn reply(&mut self, reply: &[u8]) -> io::Result<()> {
        self.stream.write_all(reply)
    }

    /// The caller hangs up: a running command gets its answer before the word.
    pub(crate) fn hang_up(&mut self, peer: Peer) -> io::Result<()> {
        self.phase = Phase::HungUp;
        if peer == Peer::Echo {
            return self.stream.shutdown(std::net::Shutdown::Write);
        }
        let mut bytes = self.running.take().unwrap_or_default().to_vec();
        bytes.extend_from_slice(HANGUP);
        self.stream.write_all(&bytes)
    }

    /// The last word after the other side has closed. Nobody may be there to read it.
    pub(crate) fn farewell(&mut self) {
        let _ = self.stream.write(HANGUP);
    }

    fn take(&mut self, bytes: &[u8], heard: &mut Heard) -> io::Result<()> {
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
            let (line, after) = rest.split_at(end + 1);
            let whole = if self.partial.is_empty() {
                script::reply(line)
            } else {
                self.partial.extend_from_slice(line);
                script::reply(&std::mem::take(&mut self.partial))
            };
            if std::mem::replace(heard, Heard::Command(whole)) != Heard::Nothing {
                return Err(io::Error::other("two commands at once"));
            }
            rest = after;
        }
        self.partial.extend_from_slice(rest);
        Ok(())
    }
}
