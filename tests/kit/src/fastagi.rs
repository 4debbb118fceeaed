//! A plain FastAGI server for tests: what an AGI script would be, one connection at a time in the test's own hands.
//! Knows lines; everything that goes wrong is a failed test.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{
        TcpListener,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    time::timeout,
};

/// For the connection and for each line.
const LIMIT: Duration = Duration::from_secs(30);

/// A server with a port of its own.
#[derive(Debug)]
pub struct FastAgi(TcpListener);

/// One connection from Asterisk.
#[derive(Debug)]
pub struct Session {
    /// The `agi_*` lines.
    pub prelude: Vec<String>,
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
}

impl FastAgi {
    /// Listens on loopback.
    ///
    /// # Panics
    /// When loopback has no free port.
    pub async fn start() -> Self {
        Self(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("loopback has a free port"))
    }

    /// Where it listens.
    ///
    /// # Panics
    /// Never: it is bound.
    pub fn address(&self) -> SocketAddr {
        self.0.local_addr().expect("it is bound")
    }

    /// The next connection, its prelude read.
    ///
    /// # Panics
    /// When none comes in time.
    pub async fn accept(&self) -> Session {
        let (stream, _) = timeout(LIMIT, self.0.accept())
            .await
            .expect("Asterisk connects")
            .expect("it is a socket");
        let _ = stream.set_nodelay(true);
        let (reader, writer) = stream.into_split();
        let mut session = Session { prelude: Vec::new(), reader: BufReader::new(reader), writer };
        loop {
            let line = session.line().await.expect("Asterisk writes a prelude");
            if line.is_empty() {
                return session;
            }
            session.prelude.push(line);
        }
    }
}

impl Session {
    /// Writes a command and reads its whole answer; lines of a usage text or of a progress come joined by LF. A
    /// `HANGUP` before it is part of what is given.
    ///
    /// # Panics
    /// When Asterisk closes or does not answer.
    pub async fn command(&mut self, line: &str) -> String {
        self.write(line).await;
        let mut answer = Vec::new();
        loop {
            let line = self.line().await.expect("Asterisk answers");
            answer.push(line);
            let usage = answer.iter().any(|line| line.starts_with("520-"));
            let last = answer.last().expect("it was pushed");
            let more =
                last == "HANGUP" || last.starts_with("100 ") || usage && !last.starts_with("520 ");
            if !more {
                return answer.join("\n");
            }
        }
    }

    /// Writes a line.
    ///
    /// # Panics
    /// When Asterisk has closed.
    pub async fn write(&mut self, line: &str) {
        self.writer.write_all(format!("{line}\n").as_bytes()).await.expect("Asterisk reads");
    }

    /// The next line; `None` when Asterisk closed.
    ///
    /// # Panics
    /// When none comes in time.
    pub async fn line(&mut self) -> Option<String> {
        let mut line = Vec::new();
        let read = timeout(LIMIT, self.reader.read_until(b'\n', &mut line))
            .await
            .expect("Asterisk writes a line");
        match read {
            Ok(1..) => Some(String::from_utf8_lossy(&line).trim_end_matches('\n').to_owned()),
            Ok(0) | Err(_) => None,
        }
    }

    /// Ends the session as a server should: half-close, drain, close. Gives what came meanwhile.
    ///
    /// # Panics
    /// When Asterisk does not close in time.
    pub async fn close(mut self) -> String {
        let _ = self.writer.shutdown().await;
        let mut rest = Vec::new();
        let _ = timeout(LIMIT, self.reader.read_to_end(&mut rest)).await.expect("Asterisk closes");
        String::from_utf8_lossy(&rest).into_owned()
    }
}
