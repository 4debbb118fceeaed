//! The built program, serving as a process of its own, and its log.

use super::soon;
use serde_json::Value;
use std::{io::Write as _, net::SocketAddr, process::Stdio};
use tempfile::NamedTempFile;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStderr, Command},
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_agi-bridge");

/// The program, without what the environment of the tests would configure.
pub(crate) fn program() -> Command {
    let mut command = Command::new(PROGRAM);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AGIBRIDGE_") {
            command.env_remove(name);
        }
    }
    command
}

/// `agi-bridge serve`, and its log.
pub(crate) struct Serving {
    pub(crate) child: Child,
    pub(crate) log: Lines<BufReader<ChildStderr>>,
    pub(crate) agi: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) config: NamedTempFile,
}

impl Serving {
    /// With these routes, as YAML.
    pub(crate) async fn start(routes: &str) -> Self {
        let config = file(&format!(
            "agi: {{listen: '127.0.0.1:0', cores: 2}}\nadmin: {{listen: '127.0.0.1:0'}}\nshutdown: {{linger: 0s}}\n\
             routes: {routes}\n"
        ));
        let mut child = program()
            .args(["serve", "--config", config.path().to_str().unwrap()])
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let listening = next(&mut log, "listening").await;
        let address = |key: &str| listening[key].as_str().unwrap().parse().unwrap();
        let (agi, admin) = (address("agi"), address("admin"));
        Self { child, log, agi, admin, config }
    }

    pub(crate) fn signal(&self, signal: &str) {
        let id = self.child.id().unwrap().to_string();
        assert!(std::process::Command::new("kill").args([signal, &id]).status().unwrap().success());
    }
}

/// The next line of the log with this message.
pub(crate) async fn next(log: &mut Lines<BufReader<ChildStderr>>, message: &str) -> Value {
    loop {
        let line = soon(message, log.next_line()).await.unwrap();
        let line = line.unwrap_or_else(|| panic!("the log ended before {message:?}"));
        let event: Value =
            serde_json::from_str(&line).unwrap_or_else(|_| panic!("not JSON: {line}"));
        if event["message"] == message {
            return event;
        }
    }
}

/// A configuration.
pub(crate) fn file(text: &str) -> NamedTempFile {
    let mut file = tempfile::Builder::new().suffix(".yaml").tempfile().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}
