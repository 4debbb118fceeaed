//! Asterisk's side of a socket, byte for byte as a test writes it.

use super::wire::Wire;
use std::{
    net::SocketAddr,
    ops::{Deref, DerefMut},
};

/// What Asterisk sends first, for the path `/test/red?lang=en`.
pub(crate) const PRELUDE: &str = "agi_network: yes\n\
    agi_network_script: test/red?lang=en\n\
    agi_request: agi://127.0.0.1/test/red?lang=en\n\
    agi_channel: Local/100@lab-00000001;1\n\
    agi_language: en\n\
    agi_type: Local\n\
    agi_uniqueid: 1795219769.0\n\
    agi_version: 22.10.1\n\
    agi_callerid: 3200\n\
    agi_calleridname: Alice\n\
    agi_callingpres: 0\n\
    agi_callingani2: 0\n\
    agi_callington: 0\n\
    agi_callingtns: 0\n\
    agi_dnid: unknown\n\
    agi_rdnis: unknown\n\
    agi_context: lab\n\
    agi_extension: 100\n\
    agi_priority: 1\n\
    agi_enhanced: 0.0\n\
    agi_accountcode: \n\
    agi_threadid: 139722345477824\n\
    agi_arg_1: one\n\
    \n";

/// A connection to the bridge.
#[derive(Debug)]
pub(crate) struct Asterisk(Wire);

impl Asterisk {
    /// Connects, and says nothing yet.
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self(Wire::connect(address).await)
    }

    /// Connects and sends [`PRELUDE`].
    pub(crate) async fn call(address: SocketAddr) -> Self {
        Self::call_with(address, PRELUDE).await
    }

    /// Connects and sends this prelude.
    pub(crate) async fn call_with(address: SocketAddr, prelude: impl AsRef<[u8]>) -> Self {
        let mut asterisk = Self::connect(address).await;
        asterisk.send(prelude).await;
        asterisk
    }

    /// A call for this path, with [`PRELUDE`] otherwise.
    pub(crate) async fn call_to(address: SocketAddr, path: &str) -> Self {
        let prelude = PRELUDE.replace("test/red?lang=en", path.trim_start_matches('/'));
        Self::call_with(address, prelude).await
    }

    /// Expects this line, and answers it.
    pub(crate) async fn expect(&mut self, line: &str, reply: &str) {
        assert_eq!(self.line().await.as_deref(), Some(line));
        self.send(reply).await;
    }

    /// Answers every line with `200 result=1` until the bridge closes its half, as Asterisk ends a session; the lines.
    pub(crate) async fn finish(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        while let Some(line) = self.line().await {
            if line != "failure" {
                self.try_send("200 result=1\n").await;
            }
            lines.push(line);
        }
        self.try_send("HANGUP\n").await;
        self.half_close().await;
        lines
    }

    /// Closes without another word.
    pub(crate) async fn close(mut self) {
        self.half_close().await;
    }
}

impl Deref for Asterisk {
    type Target = Wire;

    fn deref(&self) -> &Wire {
        &self.0
    }
}

impl DerefMut for Asterisk {
    fn deref_mut(&mut self) -> &mut Wire {
        &mut self.0
    }
}
