//! What keeps a process: it waits for its end, passes signals on, and leaves nothing of its group behind. A task for each
//! process, since a process outlives the link, and its standard error is read also while nobody reads its output.

use super::{processes::Slot, stderr::Stderr};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::{
    future::pending,
    io,
    pin::Pin,
    process::ExitStatus,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    net::unix::pipe,
    process::{Child, ChildStderr, ChildStdout, Command},
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until, timeout},
};
use tracing::{debug, warn};

/// How long a process may take to end once the call has no use for it, before it is killed.
const END_TIMEOUT: Duration = Duration::from_secs(2);
/// How long the kernel may take to kill it. One that waits for a broken disk takes as long as that does.
const KILL_TIMEOUT: Duration = Duration::from_secs(5);
/// Signals that may wait; a call has one hangup.
const HANGUPS_MAX: usize = 4;

/// A process and all that it starts, but for what leaves its group. Dropping it kills them.
pub(super) struct Group {
    child: Child,
    leader: Pid,
    /// Dropped last: the next one may start.
    _slot: Slot,
}

/// Holds a process as long as the call has use for it.
pub(super) struct Leash {
    hangups: mpsc::Sender<()>,
    ended: oneshot::Receiver<()>,
}

impl Group {
    /// Starts a process in a group of its own.
    pub(super) fn start(mut command: Command, slot: Slot) -> io::Result<Self> {
        let child = command.process_group(0).kill_on_drop(true).spawn()?;
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        let leader =
            id.and_then(Pid::from_raw).ok_or_else(|| io::Error::other("it has no number"))?;
        Ok(Self { child, leader, _slot: slot })
    }

    /// Its standard input, output and error.
    pub(super) fn pipes(&mut self) -> io::Result<(pipe::Sender, ChildStdout, ChildStderr)> {
        let missing = || io::Error::other("a pipe is missing");
        let stdin = self.child.stdin.take().ok_or_else(missing)?.into_owned_fd()?;
        let stdout = self.child.stdout.take().ok_or_else(missing)?;
        let stderr = self.child.stderr.take().ok_or_else(missing)?;
        Ok((pipe::Sender::from_owned_fd(stdin)?, stdout, stderr))
    }

    pub(super) fn id(&self) -> i32 {
        self.leader.as_raw_nonzero().get()
    }

    /// To the process alone, as Asterisk does.
    fn hang_up(&self) {
        // Once it was waited for, its number may be another's.
        if self.child.id().is_some()
            && let Err(error) = kill_process(self.leader, Signal::HUP)
        {
            warn!(process = self.id(), %error, "a script could not be sent SIGHUP");
        }
    }

    fn kill(&self) {
        // Where nobody is left, that is an error, and what was wanted.
        let _ = kill_process_group(self.leader, Signal::KILL);
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if self.child.id().is_some() {
            self.kill();
        }
    }
}

impl Leash {
    /// Sends the process SIGHUP.
    pub(super) fn hang_up(&self) {
        // As many wait already as one can mean.
        let _ = self.hangups.try_send(());
    }

    /// Ready, once, when the process has ended.
    pub(super) fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.ended).poll(cx).map(drop)
    }
}

/// Keeps a process until it has ended. When the leash is dropped it gets SIGHUP, as at the end of a session with
/// Asterisk, and SIGKILL when that does not end it; what it left behind in its group is killed in any case.
pub(super) fn keep(group: Group, stderr: Stderr) -> Leash {
    let (hangups, heard) = mpsc::channel(HANGUPS_MAX);
    let (tell, ended) = oneshot::channel();
    tokio::spawn(async move {
        run(group, stderr, heard).await;
        // Nobody waits for it when the call is over.
        let _ = tell.send(());
    });
    Leash { hangups, ended }
}

async fn run(mut group: Group, mut stderr: Stderr, mut hangups: mpsc::Receiver<()>) {
    let mut kill_at = None;
    loop {
        let killing = async move {
            match kill_at {
                Some(at) => sleep_until(at).await,
                None => pending().await,
            }
        };
        tokio::select! {
            ended = group.child.wait() => {
                note_end(&group, &ended);
                break;
            }
            hangup = hangups.recv(), if kill_at.is_none() => {
                group.hang_up();
                if hangup.is_none() {
                    kill_at = Some(Instant::now() + END_TIMEOUT);
                }
            }
            () = killing => {
                debug!(process = group.id(), "a script outlived its call, and is killed");
                group.kill();
                if timeout(KILL_TIMEOUT, group.child.wait()).await.is_err() {
                    warn!(process = group.id(), "a script could not be killed");
                }
                break;
            }
            () = stderr.read() => {}
        }
    }
    // Its number is given to no other so soon after its end.
    group.kill();
    stderr.read_rest();
}

fn note_end(group: &Group, ended: &io::Result<ExitStatus>) {
    match ended {
        Ok(status) if status.success() => {}
        Ok(status) => debug!(process = group.id(), %status, "a script ended with an error"),
        Err(error) => warn!(process = group.id(), %error, "a script could not be waited for"),
    }
}
