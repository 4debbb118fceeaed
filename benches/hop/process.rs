//! Processes of this bench: started by its own hand, told apart by pid, gone when it is gone.

use crate::cli::Role;
use anyhow::Context;
use rustix::{
    process::{Resource, Rlimit, Signal},
    thread::CpuSet,
};
use std::{os::unix::process::CommandExt, process::Stdio, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, ChildStdout, Command},
    signal::unix::{SignalKind, signal},
    time,
};

/// How long a process may take from its start to its first word.
const START_TIMEOUT: Duration = Duration::from_secs(10);

/// HAProxy holds two descriptors a call; some more for a large row.
const DESCRIPTORS: u64 = 65_536;

/// A process that is killed when this is dropped.
pub(crate) struct Running {
    child: Child,
    lines: Option<tokio::io::Lines<BufReader<ChildStdout>>>,
}

impl Running {
    /// Starts `command`. `speaks`: its stdout is read line by line.
    pub(crate) fn start(mut command: Command, speaks: bool) -> anyhow::Result<Self> {
        command.stdin(Stdio::null()).kill_on_drop(true);
        if speaks {
            command.stdout(Stdio::piped());
        }
        let mut child = command.spawn().context("starting a process of the bench")?;
        let lines = child.stdout.take().map(|stdout| BufReader::new(stdout).lines());
        Ok(Self { child, lines })
    }

    /// Its process id; 0 when it has ended.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id().unwrap_or(0)
    }

    /// The next line that it says, within `patience`.
    pub(crate) async fn line(&mut self, patience: Duration) -> anyhow::Result<String> {
        let lines = self.lines.as_mut().context("this process does not speak")?;
        time::timeout(patience, lines.next_line())
            .await
            .context("a process of the bench kept silent")??
            .context("a process of the bench ended without a word")
    }

    /// The word after `ready`.
    pub(crate) async fn ready(&mut self) -> anyhow::Result<String> {
        let line = self.line(START_TIMEOUT).await?;
        Ok(line
            .strip_prefix("ready")
            .with_context(|| format!("{line:?} is not ready"))?
            .trim()
            .to_owned())
    }

    /// Waits for its end.
    pub(crate) async fn end(mut self, patience: Duration) -> anyhow::Result<()> {
        let status = time::timeout(patience, self.child.wait())
            .await
            .context("a process of the bench did not end")??;
        anyhow::ensure!(status.success(), "a process of the bench failed: {status}");
        Ok(())
    }

    /// True once it has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Kills it and waits until it is gone.
    pub(crate) async fn stop(mut self) {
        // It may have ended already; nothing else can go wrong with a child of our own.
        let _ = time::timeout(START_TIMEOUT, self.child.kill()).await;
    }
}

/// This program in another role.
pub(crate) fn role(role: Role, cpu: Option<usize>) -> anyhow::Result<Command> {
    use clap::ValueEnum;
    let name = role.to_possible_value().context("every role has a name")?;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("--role").arg(name.get_name());
    if let Some(cpu) = cpu {
        command.arg("--cpu").arg(cpu.to_string());
    }
    command.arg("--");
    Ok(command)
}

/// In the child: ends as soon as the bench does, however that came.
pub(crate) fn die_with_parent() -> anyhow::Result<()> {
    Ok(rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?)
}

/// In the child: one core for all its threads to come.
pub(crate) fn stay_on(cpu: usize) -> anyhow::Result<()> {
    let mut set = CpuSet::new();
    set.set(cpu);
    Ok(rustix::thread::sched_setaffinity(None, &set)?)
}

/// The first core that this process may run on.
pub(crate) fn first_core() -> anyhow::Result<usize> {
    let set = rustix::thread::sched_getaffinity(None)?;
    (0..CpuSet::MAX_CPU).find(|&cpu| set.is_set(cpu)).context("no core to run on")
}

/// In the child: becomes another program, keeping its pid, its core and its end with the parent.
pub(crate) fn become_program(task: &[String]) -> anyhow::Result<()> {
    let (program, arguments) = task.split_first().context("no program to become")?;
    Err(std::process::Command::new(program).args(arguments).exec()).context(program.clone())
}

/// Raises the number of descriptors for this process and all that it starts; returns what was granted.
pub(crate) fn raise_descriptors() -> u64 {
    let now = rustix::process::getrlimit(Resource::Nofile);
    let hard = now.maximum.unwrap_or(u64::MAX);
    let wished = DESCRIPTORS.max(now.current.unwrap_or(0));
    let tries = [(wished, hard.max(wished)), (wished.min(hard), hard)];
    for (current, maximum) in tries {
        let limit = Rlimit { current: Some(current), maximum: Some(maximum) };
        if rustix::process::setrlimit(Resource::Nofile, limit).is_ok() {
            return current;
        }
    }
    now.current.unwrap_or(0)
}

/// Waits for SIGINT, SIGTERM or SIGHUP.
pub(crate) async fn stop_signal() -> anyhow::Result<&'static str> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(tokio::select! {
        _ = interrupt.recv() => "SIGINT",
        _ = terminate.recv() => "SIGTERM",
        _ = hangup.recv() => "SIGHUP",
    })
}
