//! Asterisk's side of one call. Knows lines, and that only the test says when one is answered.

use std::{net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    time::timeout,
};

/// No wait is longer; none is expected to come near.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Caller {
    lines: Lines<BufReader<OwnedReadHalf>>,
    writer: OwnedWriteHalf,
}

impl Caller {
    /// A call for the route of this name.
    pub(crate) async fn call(bridge: SocketAddr, route: &str) -> Self {
        let (reader, mut writer) = TcpStream::connect(bridge).await.unwrap().into_split();
        let prelude = format!(
            "agi_network: yes\nagi_network_script: {route}\nagi_request: agi://127.0.0.1/{route}\n\
             agi_channel: Local/1@lab-00000001;1\nagi_uniqueid: 1.0\n\n"
        );
        writer.write_all(prelude.as_bytes()).await.unwrap();
        Self { lines: BufReader::new(reader).lines(), writer }
    }

    /// The next line; `None` when the session is over.
    pub(crate) async fn line(&mut self) -> Option<String> {
        timeout(PATIENCE, self.lines.next_line()).await.expect("a line in time").unwrap()
    }

    /// Waits for the command that sets this variable, and leaves it without an answer.
    pub(crate) async fn is_asked(&mut self, name: &str, value: &str) {
        let wanted = format!("SET VARIABLE \"{name}\" \"{value}\"");
        let line = self.line().await;
        if line.as_deref() != Some(&*wanted) {
            // What comes next may tell why.
            self.answer().await;
            panic!("{line:?}, then {:?}, in place of {wanted}", self.line().await);
        }
    }

    pub(crate) async fn answer(&mut self) {
        self.writer.write_all(b"200 result=1\n").await.unwrap();
    }

    pub(crate) async fn hang_up(&mut self) {
        self.writer.write_all(b"HANGUP\n").await.unwrap();
    }

    /// Waits until the session is over.
    pub(crate) async fn is_over(&mut self) {
        assert_eq!(self.line().await, None);
    }
}
