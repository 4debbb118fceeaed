//! What one measurement asks of a load process, and what comes back: JSON on the command line and on stdout.

use crate::{console::Looked, events::Asked};
use serde::{Deserialize, Serialize};
use std::{io::Write, net::SocketAddr, time::Duration};

/// One measurement.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) target: SocketAddr,
    pub(crate) peer: Peer,
    pub(crate) script: Script,
    /// Calls held at once.
    pub(crate) calls: usize,
    /// From the moment that every call got its first command, before anything counts.
    pub(crate) warm_ms: u64,
    /// What counts.
    pub(crate) window_ms: u64,
    /// How long a command takes at Asterisk; 0 answers at once.
    pub(crate) think_ms: u64,
    /// The hop and who stands behind it, in that order: processes whose time and memory are read.
    pub(crate) watch: Vec<u32>,
}

/// Who is at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Peer {
    /// Someone who drives calls.
    Agi,
    /// A line echo: no prelude, and the load has the first word.
    Echo,
}

/// What the driving side does with a call. Its name is the path of the AGI request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Script {
    /// Commands without end, one after the other.
    Loop,
    /// Five commands, then the end.
    Five,
    /// One command, then silence until the caller hangs up.
    Idle,
}

impl Script {
    /// The path after the host of the AGI URL.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Loop => "bench/loop",
            Self::Five => "bench/five",
            Self::Idle => "bench/idle",
        }
    }

    /// The script of that path; `Loop` for any other.
    pub(crate) fn of_path(path: &str) -> Self {
        match path.trim_start_matches('/') {
            "bench/five" => Self::Five,
            "bench/idle" => Self::Idle,
            _ => Self::Loop,
        }
    }

    /// How many commands it sends.
    pub(crate) fn commands(self) -> Option<usize> {
        match self {
            Self::Loop => None,
            Self::Five => Some(5),
            Self::Idle => Some(1),
        }
    }
}

/// What was measured.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Outcome {
    /// Length of the window as it really was.
    pub(crate) seconds: f64,
    /// Commands that came in the window.
    pub(crate) turns: u64,
    /// Calls that ended in the window by the service's will.
    pub(crate) calls: u64,
    /// Calls that were refused, broke, or did not close when they should. Any makes the figures worthless.
    pub(crate) errors: u64,
    /// What happened to the first of those.
    pub(crate) fault: Option<String>,
    /// From the write of a reply to the next command.
    pub(crate) p50_ns: u64,
    pub(crate) p99_ns: u64,
    /// Processor time in the window of each watched process.
    pub(crate) watched_ns: Vec<u64>,
    /// The same of the first one's children that ended in it, in ticks of 10 ms.
    pub(crate) children_ns: u64,
    /// The same of the load itself.
    pub(crate) own_ns: u64,
    /// The same of all other processes of the machine, in ticks of 10 ms.
    pub(crate) elsewhere_ns: u64,
    /// Memory of each watched process that came between the first connection and the end of the window.
    pub(crate) grown_bytes: Vec<i64>,
    /// Where somebody looked at the bridge meanwhile: what came of it.
    #[serde(default)]
    pub(crate) looked: Looked,
    /// Where somebody sent actions meanwhile: how long they took.
    #[serde(default)]
    pub(crate) asked: Asked,
}

impl Job {
    /// The job of a role's command line.
    pub(crate) fn parse(task: &[String]) -> anyhow::Result<Self> {
        let text = task.first().ok_or_else(|| anyhow::anyhow!("this role needs a job"))?;
        Ok(serde_json::from_str(text)?)
    }

    pub(crate) fn warm(&self) -> Duration {
        Duration::from_millis(self.warm_ms)
    }

    pub(crate) fn window(&self) -> Duration {
        Duration::from_millis(self.window_ms)
    }

    /// Of both.
    pub(crate) fn length(&self) -> Duration {
        self.warm() + self.window()
    }
}

impl Outcome {
    /// Takes the turn times, in nanoseconds.
    pub(crate) fn set_turn_times(&mut self, mut times: Vec<u32>) {
        times.sort_unstable();
        let at = |share: f64| {
            let index = (times.len() as f64 * share) as usize;
            u64::from(times.get(index.min(times.len().saturating_sub(1))).copied().unwrap_or(0))
        };
        self.p50_ns = at(0.50);
        self.p99_ns = at(0.99);
    }

    /// Tells the parent.
    pub(crate) fn tell(&self) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        serde_json::to_writer(&mut out, self)?;
        writeln!(out)?;
        Ok(out.flush()?)
    }
}
