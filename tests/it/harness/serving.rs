//! The built program, serving as a process of its own, and its log.

use super::soon;
use serde_json::Value;
use std::{io::Write as _, net::SocketAddr, process::Stdio};
use tempfile::NamedTempFile;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, BufReader, Lines},
    process::{Child, Command},
    task::JoinHandle,
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

/// What it writes, line by line.
pub(crate) type Log = Lines<BufReader<Box<dyn AsyncRead + Send + Unpin>>>;

/// `agi-bridge serve`, and its log.
pub(crate) struct Serving {
    pub(crate) child: Child,
    pub(crate) log: Log,
    pub(crate) agi: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) api: Option<SocketAddr>,
    pub(crate) config: NamedTempFile,
}

impl Serving {
    /// With these routes, as YAML.
    pub(crate) async fn start(routes: &str) -> Self {
        Self::with(routes, "listen: '127.0.0.1:0'", "").await
    }

    /// With these routes, these keys of `admin`, and further sections.
    pub(crate) async fn with(routes: &str, admin: &str, sections: &str) -> Self {
        let config = file(&Self::config(routes, admin, sections));
        let mut child = program()
            .args(["serve", "--config", config.path().to_str().unwrap()])
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut log = lines(child.stderr.take().unwrap());
        let listening = next(&mut log, "listening").await;
        let address = |key: &str| listening[key].as_str().unwrap().parse().unwrap();
        let (agi, admin) = (address("agi"), address("admin"));
        let api = listening["api"].as_str().map(|api| api.parse().unwrap());
        Self { child, log, agi, admin, api, config }
    }

    /// Reads its log from now to its end, so that it never waits for a reader.
    pub(crate) fn logging(mut self) -> (Self, JoinHandle<String>) {
        let mut log = std::mem::replace(&mut self.log, lines(tokio::io::empty()));
        let reading = tokio::spawn(async move {
            let mut text = String::new();
            while let Ok(Some(line)) = log.next_line().await {
                text.push_str(&line);
                text.push('\n');
            }
            text
        });
        (self, reading)
    }

    /// The text for `with`.
    pub(crate) fn config(routes: &str, admin: &str, sections: &str) -> String {
        format!(
            "agi: {{listen: '127.0.0.1:0', cores: 2}}\nadmin: {{{admin}}}\nshutdown: {{linger: 0s}}\n\
             {sections}\nroutes: {routes}\n"
        )
    }

    /// Where workers and clients of the manager dial in.
    pub(crate) fn api(&self) -> SocketAddr {
        self.api.expect("the configuration has an api")
    }

    pub(crate) fn signal(&self, signal: &str) {
        let id = self.child.id().unwrap().to_string();
        assert!(std::process::Command::new("kill").args([signal, &id]).status().unwrap().success());
    }
}

fn lines(from: impl AsyncRead + Send + Unpin + 'static) -> Log {
    let from: Box<dyn AsyncRead + Send + Unpin> = Box::new(from);
    BufReader::new(from).lines()
}

/// The next line of the log with this message.
pub(crate) async fn next(log: &mut Log, message: &str) -> Value {
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
