//! Existing AGI scripts: a process for each call, with AGI on its standard input and output. Knows what a process is
//! given and how it is read, and nothing of what the bytes mean.

mod keeper;
mod processes;
mod stderr;

pub(super) use processes::Processes;

use super::{
    Opening,
    error::{AttemptError, Phase, Refusal},
    io::plain,
    raw::{Peer, RawLink},
};
use crate::route::Service;
use keeper::{Group, Leash};
use rustix::io::{ioctl_fionread, retry_on_intr};
use std::{
    ffi::{OsStr, OsString},
    io,
    os::{fd::AsFd, unix::ffi::OsStrExt as _},
    path::Path,
    pin::Pin,
    process::Stdio,
    sync::Arc,
    task::{Context, Poll},
};
use stderr::Stderr;
use tokio::{
    io::{AsyncRead as _, ReadBuf},
    net::unix::pipe,
    process::{ChildStdout, Command},
    time::{Instant, timeout_at},
};
use tonic::Code;

/// What a script inherits of the bridge's environment, besides `LC_*`. Nothing else: the bridge's own may hold secrets.
const INHERITED: [&str; 6] = ["PATH", "HOME", "USER", "LANG", "TZ", "TMPDIR"];
/// What it is told of the call: our names, and those of the metadata.
const TOLD: [(&str, &str); 3] = [
    ("AGIBRIDGE_CALL_ID", "agibridge-call-id"),
    ("AGIBRIDGE_ROUTE", "agibridge-route"),
    ("TRACEPARENT", "traceparent"),
];

/// Starts `program` by `start_by`, if fewer of it run than the service allows, and gives it the prelude. It has the call
/// then; nothing is expected back.
pub(super) async fn open(
    service: &Arc<Service>,
    program: &Path,
    opening: &Opening,
    processes: &Processes,
    start_by: Instant,
) -> Result<RawLink, Refusal> {
    let max = service.max_processes;
    let slot = processes.take(program, max).ok_or_else(|| AttemptError::Status {
        code: Code::ResourceExhausted,
        message: format!("{max} processes of it run already"),
    })?;
    let command = command(program, opening)?;
    // The thread that starts a process stands still until its program is read from the disk.
    let starting = tokio::task::spawn_blocking(move || Group::start(command, slot));
    let mut group = match timeout_at(start_by, starting).await {
        Err(_) => return Err(AttemptError::Timeout(Phase::Connecting).into()),
        Ok(Err(fault)) => return Err(AttemptError::Spawn(fault.to_string()).into()),
        Ok(Ok(Err(error))) => return Err(AttemptError::Spawn(why(program, &error)).into()),
        Ok(Ok(Ok(group))) => group,
    };
    let (stdin, stdout, stderr) =
        group.pipes().map_err(|error| AttemptError::Spawn(plain(&error)))?;
    let argument = opening.trace_argument();
    let program_name = program.as_os_str().as_bytes();
    let prelude = opening.prelude.for_script(program_name, argument.as_deref());
    // A fresh pipe is writable, but the runtime has to hear so. A script that is over already shows when it is read.
    let _ = timeout_at(start_by, stdin.writable()).await;
    let written = stdin.try_write(&prelude).unwrap_or(0);
    let call_id = told(opening, "agibridge-call-id").unwrap_or_default();
    let endpoint = format!("{} (process {})", program.display(), group.id());
    let leash =
        keeper::keep(group, Stderr::new(stderr, call_id, told(opening, "traceparent"), program));
    let script = Script { stdin: Some(stdin), stdout, leash, left: None, endpoint };
    Ok(RawLink::new(Peer::Script(script), &prelude[written..], service.clone()))
}

fn told<'a>(opening: &'a Opening, name: &str) -> Option<&'a str> {
    opening.metadata.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

fn command(program: &Path, opening: &Opening) -> Result<Command, AttemptError> {
    let arguments: Vec<&OsStr> = opening.prelude.arguments().map(OsStr::from_bytes).collect();
    if arguments.iter().any(|argument| argument.as_bytes().contains(&0)) {
        return Err(AttemptError::Status {
            code: Code::InvalidArgument,
            message: "an argument of the call holds a NUL, which no process can be given"
                .to_owned(),
        });
    }
    let mut command = Command::new(program);
    command
        .args(arguments)
        .args(opening.trace_argument())
        .env_clear()
        .envs(environment(std::env::vars_os(), opening))
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    Ok(command)
}

fn environment(
    ours: impl Iterator<Item = (OsString, OsString)>,
    opening: &Opening,
) -> Vec<(OsString, OsString)> {
    let inherited = |name: &OsStr| {
        name.as_bytes().starts_with(b"LC_") || INHERITED.iter().any(|known| name == *known)
    };
    let told = TOLD.iter().filter_map(|(ours, name)| {
        let value = told(opening, name).filter(|value| !value.contains('\0'))?;
        Some((OsString::from(ours), OsString::from(value)))
    });
    ours.filter(|(name, _)| inherited(name)).chain(told).collect()
}

/// Why a program did not start, for people.
fn why(program: &Path, error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::NotFound && program.exists() {
        // The kernel says the same of both.
        return "the interpreter that its first line names does not exist".to_owned();
    }
    plain(error)
}

/// The standard input and output of a process.
pub(super) struct Script {
    stdin: Option<pipe::Sender>,
    stdout: ChildStdout,
    leash: Leash,
    /// Set once the process has ended: bytes that it had written before and that were not read yet.
    left: Option<usize>,
    endpoint: String,
}

impl Script {
    /// Like `AsyncRead`, but the end is that of the process: who inherited its output may hold that open for ever.
    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.left.is_none() && self.leash.poll_ended(cx).is_ready() {
            self.left = Some(left_in(&self.stdout));
        }
        let Some(left) = &mut self.left else {
            return Pin::new(&mut self.stdout).poll_read(cx, into);
        };
        let read = read_left(&self.stdout, left, into.initialize_unfilled());
        into.advance(read);
        Poll::Ready(Ok(()))
    }

    pub(super) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match &self.stdin {
            Some(stdin) => stdin.try_write(bytes),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    pub(super) fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &self.stdin {
            Some(stdin) => stdin.poll_write_ready(cx),
            None => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    pub(super) fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Sends SIGHUP to the process.
    pub(super) fn hang_up(&self) {
        self.leash.hang_up();
    }

    pub(super) fn endpoint(&self) -> String {
        self.endpoint.clone()
    }
}

/// Bytes that can be read of a pipe now.
fn left_in(pipe: impl AsFd) -> usize {
    ioctl_fionread(pipe).ok().and_then(|count| usize::try_from(count).ok()).unwrap_or(0)
}

/// Reads of the `left` last bytes of a pipe as many as there is room for, without waiting; 0: that was all.
fn read_left(pipe: impl AsFd, left: &mut usize, into: &mut [u8]) -> usize {
    let room = into.len().min(*left);
    let read = retry_on_intr(|| rustix::io::read(&pipe, &mut into[..room])).unwrap_or(0);
    *left = if read == 0 { 0 } else { *left - read };
    read
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_our_environment_is_passed_on_but_what_a_program_needs() {
        let metadata = [("agibridge-call-id", "1"), ("agibridge-route", "a\0b"), ("x-key", "s")];
        let opening = Opening {
            metadata: metadata.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            started: Arc::default(),
            capacity: 1,
            prelude: Arc::default(),
            trace: None,
            trace_argument: false,
        };
        let ours =
            ["PATH", "AGIBRIDGE_ADMIN__TOKEN", "LC_ALL", "LD_PRELOAD", "AGIBRIDGE_CALL_ID", "TZ"];
        let ours = ours.map(|name| (OsString::from(name), OsString::from("ours")));
        let given = environment(ours.into_iter(), &opening);
        let wanted =
            [("PATH", "ours"), ("LC_ALL", "ours"), ("TZ", "ours"), ("AGIBRIDGE_CALL_ID", "1")];
        assert_eq!(given, wanted.map(|(name, value)| (name.into(), value.into())));
    }
}
