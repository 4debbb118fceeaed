//! The floor of scripts: somebody who starts the same script for each call and answers it, with no Asterisk and no hop.

use crate::{
    counters::Reading,
    job::{Job, Outcome},
    script,
};
use anyhow::Context;
use std::{
    io::{BufRead, BufReader, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    thread,
};

/// The commands of the other sides' scripts, in the language that most people have theirs in.
const TEXT: &str = "#!/bin/sh\n\
    while read -r line && [ -n \"$line\" ]; do :; done\n\
    for command in 'SET VARIABLE \"CALLED_BY\" \"bench\"' 'VERBOSE \"a line for the log\" \"1\"' \\\n    \
    'NOOP \"nothing at all\"' 'SET VARIABLE \"MENU\" \"main,1\"' 'NOOP \"and again nothing\"'; do\n    \
    printf '%s\\n' \"$command\"\n    \
    read -r reply || exit\n\
    done\n";

/// Writes the script down where it can be started.
pub(crate) fn write_script(folder: &Path) -> anyhow::Result<PathBuf> {
    let path = folder.join("script.sh");
    std::fs::write(&path, TEXT)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?;
    Ok(path)
}

#[derive(Default)]
struct Tally {
    calls: AtomicU64,
    turns: AtomicU64,
    errors: AtomicU64,
    over: AtomicBool,
}

/// Plays the role: a thread for each call of the job, and each starts one process after the other.
#[expect(clippy::disallowed_methods, reason = "a thread of its own waits here, and no call")]
pub(crate) fn main(task: &[String]) -> anyhow::Result<()> {
    let job = Job::parse(task)?;
    let program = Path::new(task.get(1).context("this role needs a script")?);
    let tally = Tally::default();
    let mut outcome = Outcome::default();
    thread::scope(|scope| {
        for number in 0..job.calls {
            let (tally, path) = (&tally, job.script.path());
            scope.spawn(move || {
                let prelude = script::prelude(path, number);
                while !tally.over.load(Relaxed) {
                    if play(program, &prelude, tally).is_err() {
                        tally.errors.fetch_add(1, Relaxed);
                    }
                }
            });
        }
        thread::sleep(job.warm());
        let before = Reading::take(&[std::process::id()]);
        let (calls, turns) = (tally.calls.load(Relaxed), tally.turns.load(Relaxed));
        thread::sleep(job.window());
        let after = Reading::take(&[std::process::id()]);
        before.until(&after, &mut outcome);
        outcome.calls = tally.calls.load(Relaxed) - calls;
        outcome.turns = tally.turns.load(Relaxed) - turns;
        tally.over.store(true, Relaxed);
    });
    outcome.errors = tally.errors.load(Relaxed);
    outcome.tell()
}

fn play(program: &Path, prelude: &[u8], tally: &Tally) -> anyhow::Result<()> {
    let mut child = Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let (mut to, from) = (child.stdin.take().context("a pipe")?, child.stdout.take());
    let mut from = BufReader::new(from.context("a pipe")?);
    to.write_all(prelude)?;
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line)? > 0 {
        to.write_all(script::reply(&line))?;
        tally.turns.fetch_add(1, Relaxed);
        line.clear();
    }
    anyhow::ensure!(child.wait()?.success(), "the script failed");
    tally.calls.fetch_add(1, Relaxed);
    Ok(())
}
