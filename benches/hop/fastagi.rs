//! A direct FastAGI server, as somebody would write it with tokio: a task for each call, no more parsing than needed.

use crate::{host, job::Script, script};
use std::io;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// Plays the role, until it is killed.
pub(crate) async fn main() -> anyhow::Result<()> {
    let listener = host::listen()?;
    host::say_ready(&listener)?;
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(async move {
            // A connection that broke is the load's to count.
            let _ = Call { stream, bytes: Vec::with_capacity(1024) }.drive().await;
        });
    }
}

struct Call {
    stream: TcpStream,
    /// Read and not yet used.
    bytes: Vec<u8>,
}

impl Call {
    async fn drive(mut self) -> io::Result<()> {
        self.stream.set_nodelay(true)?;
        let Some(script) = self.prelude().await? else { return Ok(()) };
        for line in script::LINES.iter().cycle().take(script.commands().unwrap_or(usize::MAX)) {
            self.stream.write_all(line).await?;
            if !self.replied().await? {
                return Ok(());
            }
        }
        if script != Script::Idle {
            self.stream.shutdown().await?;
        }
        // Until the caller hangs up, or Asterisk closes after our own end.
        while self.replied().await? {}
        Ok(())
    }

    /// `None` when the connection ended before the empty line.
    async fn prelude(&mut self) -> io::Result<Option<Script>> {
        loop {
            if let Some(end) = self.bytes.windows(2).position(|pair| pair == b"\n\n") {
                let text = String::from_utf8_lossy(self.bytes.get(..end).unwrap_or_default());
                let path = text.lines().find_map(|line| line.strip_prefix("agi_network_script: "));
                let script = Script::of_path(path.unwrap_or_default());
                self.bytes.drain(..end + 2);
                return Ok(Some(script));
            }
            if self.stream.read_buf(&mut self.bytes).await? == 0 {
                return Ok(None);
            }
        }
    }

    /// Reads one line. False when the caller is gone.
    async fn replied(&mut self) -> io::Result<bool> {
        loop {
            if let Some(end) = self.bytes.iter().position(|&byte| byte == b'\n') {
                let hangup = self.bytes.starts_with(b"HANGUP");
                self.bytes.drain(..=end);
                return Ok(!hangup);
            }
            if self.stream.read_buf(&mut self.bytes).await? == 0 {
                return Ok(false);
            }
        }
    }
}
