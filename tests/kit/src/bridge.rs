//! The program `agi-bridge` on ports of its own. Knows its command line, its configuration and its log; nothing of calls.

use crate::program::Program;
use serde_json::Value;
use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitStatus,
    time::Duration,
};
use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(30);

/// A running bridge; it ends when this is dropped.
#[derive(Debug)]
pub struct Bridge {
    program: Program,
    agi: SocketAddr,
    admin: SocketAddr,
    api: Option<SocketAddr>,
    /// Kept for as long as the bridge watches it.
    folder: TempDir,
}

impl Bridge {
    /// Starts the program `binary` with this configuration, which leaves ports and logs to the kit, and waits until
    /// it listens.
    ///
    /// # Panics
    /// When it does not.
    pub async fn start(binary: &Path, configuration: &str) -> Self {
        let folder = TempDir::new().expect("there is room for a file");
        let file = write(&folder, configuration);
        let program = Program::start(binary, &["serve", "--config", &file.to_string_lossy()]);
        let Listening { agi, admin, api } =
            program.wait_for(LIMIT, "where it listens", listening).await;
        Self { program, agi, admin, api, folder }
    }

    /// Puts another configuration into the file that it watches.
    ///
    /// # Panics
    /// When the file cannot be written.
    pub fn rewrite(&self, configuration: &str) {
        write(&self.folder, configuration);
    }

    /// Where Asterisk connects.
    pub fn agi(&self) -> SocketAddr {
        self.agi
    }

    /// Where operators connect.
    pub fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// Where workers dial in; `None` unless the configuration has `api`.
    pub fn api(&self) -> Option<SocketAddr> {
        self.api
    }

    /// What it logged so far.
    pub fn log(&self) -> Vec<String> {
        self.program.lines()
    }

    /// Sends it SIGTERM, and does not wait.
    ///
    /// # Panics
    /// When it is gone already.
    pub fn interrupt(&self) {
        self.program.interrupt();
    }

    /// Ends it by SIGKILL.
    pub fn kill(self) {
        self.program.kill();
    }

    /// Waits until it has ended.
    ///
    /// # Panics
    /// When it does not within `limit`.
    pub async fn wait_until_ended(self, limit: Duration) -> ExitStatus {
        self.program.wait_until_ended(limit).await
    }

    /// Stops it by SIGTERM.
    ///
    /// # Panics
    /// When it does not end within `limit`.
    pub async fn stop(self, limit: Duration) -> ExitStatus {
        self.interrupt();
        self.wait_until_ended(limit).await
    }
}

fn write(folder: &TempDir, configuration: &str) -> PathBuf {
    let file = folder.path().join("agi-bridge.yaml");
    let text = format!(
        "agi: {{listen: \"127.0.0.1:0\"}}\nadmin: {{listen: \"127.0.0.1:0\"}}\n\
         log: {{format: json}}\n{configuration}"
    );
    fs::write(&file, text).expect("the folder is ours");
    file
}

/// Where the program says that it listens.
#[derive(Debug, PartialEq, Eq)]
struct Listening {
    agi: SocketAddr,
    admin: SocketAddr,
    api: Option<SocketAddr>,
}

/// The addresses in the line that tells them.
fn listening(line: &str) -> Option<Listening> {
    let event: Value = serde_json::from_str(line).ok()?;
    if event.get("message")? != "listening" {
        return None;
    }
    let address = |key: &str| event.get(key)?.as_str()?.split(',').next()?.parse().ok();
    Some(Listening { agi: address("agi")?, admin: address("admin")?, api: address("api") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_addresses_are_found_in_the_log() {
        let line = r#"{"level":"INFO","message":"listening","agi":"127.0.0.1:1,[::1]:2","admin":"127.0.0.1:3"}"#;
        let ports = |line: &str| {
            let Listening { agi, admin, api } = listening(line)?;
            Some((agi.port(), admin.port(), api.map(|api| api.port())))
        };
        assert_eq!(ports(line), Some((1, 3, None)));
        let line = line.replace('}', r#","api":"127.0.0.1:4"}"#);
        assert_eq!(ports(&line), Some((1, 3, Some(4))));
        assert_eq!(listening(r#"{"message":"SIGTERM"}"#), None);
    }
}
