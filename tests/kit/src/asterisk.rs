//! A real Asterisk for tests, in the tree that `make lab` made. Knows how to start it on ports of its own, what it
//! logs, and how to end it; `call` has the calls on it.
//!
//! It runs in namespaces of its own, whose first process ends when this process closes a pipe or dies in whatever way:
//! nothing is left behind, no process and no mount.

mod call;
mod dialplan;
mod files;

pub use call::{Call, CallSpec, State};
pub use dialplan::{Dialplan, Place};
use files::Ports;
pub use files::lab;

use crate::ami::Ami;
use std::{
    fs::{self, File},
    net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// From the start to the manager's greeting; an idle machine needs one second.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// From the end of its input to the end of its last process.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);
/// How often it is looked whether it has come up, or gone.
const POLL: Duration = Duration::from_millis(20);

/// What Asterisk says at every start and means nothing here: the tree has no such hardware, service or network.
const HARMLESS: &[&str] = &[];

/// Runs as the first process of the namespaces. When its input ends it ends, and everything in them with it.
const INIT: &str = r#"
set -e
mount --make-rprivate /
mkdir -p "$1/run/agi-bridge-lab"
mount --bind "$2" "$1/run/agi-bridge-lab"
mount --bind "$2/tmp" "$1/tmp"
mount -t proc proc "$1/proc"
exec 3<&0
chroot "$1" asterisk -f -C /run/agi-bridge-lab/etc/asterisk.conf </dev/null 3<&- &
asterisk=$!
{ read -r _ <&3 || true; kill -KILL "$asterisk"; } &
wait "$asterisk"
"#;

/// A running Asterisk; it ends when this is dropped.
#[derive(Debug)]
pub struct Asterisk {
    child: Child,
    input: Option<ChildStdin>,
    folder: PathBuf,
    manager: SocketAddr,
    ami: Ami,
}

impl Asterisk {
    /// Starts Asterisk with this dialplan beside the kit's own, and waits until it is up.
    ///
    /// # Panics
    /// When `make lab` was not run, or Asterisk does not come up.
    pub async fn start(dialplan: &Dialplan) -> Self {
        let root = files::tree();
        // A port is free when it is chosen and may be taken before Asterisk binds it: then others are tried.
        for _ in 0..3 {
            if let Some(asterisk) = Self::try_start(&root, dialplan).await {
                return asterisk;
            }
        }
        panic!("Asterisk found no free ports, three times");
    }

    async fn try_start(root: &Path, dialplan: &Dialplan) -> Option<Self> {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let manager = TcpListener::bind(any).and_then(|socket| socket.local_addr());
        let manager = manager.expect("loopback has a free port");
        let sip = UdpSocket::bind(any).and_then(|socket| socket.local_addr());
        let sip = sip.expect("loopback has a free port").port();
        let ports = Ports { manager: manager.port(), sip };
        let folder = files::run_folder(root, ports, dialplan);
        let console = File::create(folder.join("console.log")).expect("the run's folder is ours");
        let mut child = Command::new("unshare")
            .args(["--mount", "--pid", "--fork", "--kill-child=KILL", "sh", "-c", INIT, "init"])
            .args([root, &folder])
            .stdin(Stdio::piped())
            .stdout(console.try_clone().expect("a handle can be doubled"))
            .stderr(console)
            .spawn()
            .expect("unshare starts; `make lab` installs it");
        let input = child.stdin.take();

        let deadline = Instant::now() + START_TIMEOUT;
        let ami = loop {
            if let Ok(ami) = Ami::connect(manager, "lab", "lab").await {
                break ami;
            }
            let status = child.try_wait().expect("the child is ours");
            if status.is_some() || Instant::now() > deadline {
                let mut log = files::text(&folder.join("console.log"));
                log.push_str(&files::text(&folder.join("log/full")));
                end(&mut child, input);
                let _ = fs::remove_dir_all(&folder);
                if log.contains("Address already in use") {
                    return None;
                }
                panic!("Asterisk did not come up ({status:?}):\n{log}");
            }
            tokio::time::sleep(POLL).await;
        };
        let asterisk = Self { child, input, folder, manager, ami };
        // Asterisk comes up without it too.
        let transports = asterisk.console("pjsip show transports").await;
        transports.contains(&format!(":{sip}")).then_some(asterisk)
    }

    /// The manager link that all tests share.
    pub fn ami(&self) -> &Ami {
        &self.ami
    }

    /// Where its manager listens: the user `lab` with the secret `lab` may do all, `watcher` hardly anything.
    pub fn manager(&self) -> SocketAddr {
        self.manager
    }

    /// A manager link of the caller's own: an action that takes its time holds up no other link.
    ///
    /// # Panics
    /// When Asterisk is gone.
    pub async fn connect(&self) -> Ami {
        Ami::connect(self.manager, "lab", "lab").await.expect("Asterisk still runs")
    }

    /// Runs a command of Asterisk's console and gives what it prints.
    pub async fn console(&self, command: &str) -> String {
        let response = self.ami.action("Command", &[("Command", command)]).await;
        response.all("Output").collect::<Vec<_>>().join("\n")
    }

    /// The channels that exist now.
    pub async fn channels(&self) -> Vec<String> {
        let channels = self.ami.list("CoreShowChannels", &[]).await;
        channels.iter().map(|channel| channel.get("Channel").to_owned()).collect()
    }

    /// Waits until no channel is left; gives those that stay longer than `limit`.
    pub async fn channels_left(&self, limit: Duration) -> Vec<String> {
        let deadline = Instant::now() + limit;
        loop {
            let channels = self.channels().await;
            if channels.is_empty() || Instant::now() > deadline {
                return channels;
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Every warning and error that Asterisk logged, without the known harmless ones.
    pub fn warnings(&self) -> Vec<String> {
        let log = files::text(&self.folder.join("log/warnings"));
        log.lines()
            .filter(|line| {
                !line.contains("] Asterisk 22.")
                    && !HARMLESS.iter().any(|known| line.contains(known))
            })
            .map(str::to_owned)
            .collect()
    }

    /// Everything that Asterisk logged.
    pub fn log(&self) -> String {
        files::text(&self.folder.join("log/full"))
    }

    /// The folder that Asterisk has as `/tmp`.
    pub fn tmp(&self) -> PathBuf {
        self.folder.join("tmp")
    }
}

impl Drop for Asterisk {
    fn drop(&mut self) {
        end(&mut self.child, self.input.take());
        if thread::panicking() {
            return; // the folder stays for whoever looks into it; the next start removes it
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Closes the input, on which the first process ends; kills what does not.
#[expect(clippy::disallowed_methods, reason = "a guard is done with its work when it is dropped")]
fn end(child: &mut Child, input: Option<ChildStdin>) {
    drop(input);
    let deadline = Instant::now() + STOP_TIMEOUT;
    while let Ok(None) = child.try_wait() {
        if Instant::now() > deadline {
            let _ = child.kill();
            let _ = child.wait();
            return;
        }
        thread::sleep(POLL);
    }
}
