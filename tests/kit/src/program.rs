//! A program that a test runs beside itself: its lines are kept, and it ends with the test, however the test ends.
//! Knows processes and nothing of what they do.

use std::{
    env,
    ffi::OsStr,
    io::{self, BufRead, BufReader, Read, Write as _},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    thread,
    time::Duration,
};
use tokio::{sync::watch, time::timeout};

/// How often it is looked whether it has ended.
const POLL: Duration = Duration::from_millis(10);

/// A running program.
#[derive(Debug)]
pub struct Program {
    name: String,
    child: Child,
    input: Option<ChildStdin>,
    lines: watch::Sender<Vec<String>>,
}

impl Program {
    /// Starts `program`; it is killed when this is dropped, or when this process dies.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start<A: AsRef<OsStr>>(program: impl AsRef<OsStr>, arguments: &[A]) -> Self {
        Self::spawn(program.as_ref(), arguments, Stdio::null())
    }

    /// The same, of a program that reads what `say` says.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn converse<A: AsRef<OsStr>>(program: impl AsRef<OsStr>, arguments: &[A]) -> Self {
        Self::spawn(program.as_ref(), arguments, Stdio::piped())
    }

    fn spawn<A: AsRef<OsStr>>(program: &OsStr, arguments: &[A], input: Stdio) -> Self {
        let name = program.to_string_lossy().into_owned();
        // What is meant for the tests must not be taken for configuration of the bridge.
        let own = env::vars_os().map(|(name, _)| name);
        let own = own.filter(|name| name.to_string_lossy().starts_with("AGIBRIDGE_"));
        let mut command = Command::new("setpriv");
        for name in own {
            command.env_remove(name);
        }
        let mut child = command
            .args(["--pdeathsig", "KILL"])
            .arg(program)
            .args(arguments)
            .stdin(input)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|err| panic!("setpriv (of util-linux) cannot start {name}: {err}"));
        let (lines, _) = watch::channel(Vec::new());
        let outputs: [Option<Box<dyn Read + Send>>; 2] = [
            child.stdout.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>),
            child.stderr.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>),
        ];
        for output in outputs.into_iter().flatten() {
            let lines = lines.clone();
            thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    lines.send_modify(|lines| lines.push(line));
                }
            });
        }
        let input = child.stdin.take();
        Self { name, child, input, lines }
    }

    /// Writes a line to its standard input.
    ///
    /// # Panics
    /// When it reads none, or no more.
    pub fn say(&mut self, line: &str) {
        let input = self.input.as_mut().expect("it reads what is said");
        writeln!(input, "{line}").expect("it goes on to read");
    }

    /// Ends its standard input.
    pub fn say_no_more(&mut self) {
        self.input = None;
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Everything it has written so far, to either output.
    pub fn lines(&self) -> Vec<String> {
        self.lines.borrow().clone()
    }

    /// Waits for a line in which `find` finds something.
    ///
    /// # Panics
    /// When none comes within `limit`.
    pub async fn wait_for<T>(
        &self,
        limit: Duration,
        what: &str,
        find: impl Fn(&str) -> Option<T>,
    ) -> T {
        self.wait_until(limit, what, |lines| lines.iter().find_map(|line| find(line))).await
    }

    /// Waits until `find` finds something in all lines.
    ///
    /// # Panics
    /// When it does not within `limit`.
    pub async fn wait_until<T>(
        &self,
        limit: Duration,
        what: &str,
        find: impl Fn(&[String]) -> Option<T>,
    ) -> T {
        let mut lines = self.lines.subscribe();
        let found = match timeout(limit, lines.wait_for(|lines| find(lines).is_some())).await {
            Ok(Ok(lines)) => find(&lines),
            Ok(Err(_)) | Err(_) => None,
        };
        found.unwrap_or_else(|| {
            panic!("{} did not say {what}:\n{}", self.name, self.lines().join("\n"))
        })
    }

    /// Asks it to end, by SIGTERM.
    ///
    /// # Panics
    /// When it is gone already.
    pub fn interrupt(&self) {
        let sent = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "{} takes a signal", self.name);
    }

    /// Ends it by SIGKILL; gives what it has written.
    pub fn kill(mut self) -> Vec<String> {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.lines()
    }

    /// Waits until it has ended.
    ///
    /// # Panics
    /// When it does not within `limit`.
    pub async fn wait_until_ended(mut self, limit: Duration) -> ExitStatus {
        let ended = async {
            loop {
                if let Ok(Some(status)) = self.child.try_wait() {
                    return status;
                }
                tokio::time::sleep(POLL).await;
            }
        };
        let ended = timeout(limit, ended).await.ok();
        ended.unwrap_or_else(|| panic!("{} did not end:\n{}", self.name, self.lines().join("\n")))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            let _ = writeln!(io::stderr(), "{} said:\n{}", self.name, self.lines().join("\n"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn what_it_writes_is_kept_and_a_signal_ends_it() {
        let program = Program::start("sh", &["-c", "echo one; echo two >&2; exec sleep 60"]);
        let found = program.wait_for(LIMIT, "two", |line| (line == "two").then_some(2)).await;
        assert_eq!(found, 2);
        program.interrupt();
        assert!(!program.wait_until_ended(LIMIT).await.success());
    }

    #[tokio::test]
    async fn it_reads_what_is_said_until_there_is_no_more() {
        let mut program = Program::converse("cat", &["-"]);
        program.say("one");
        program.say("two");
        let both = |lines: &[String]| (lines == ["one", "two"]).then_some(());
        program.wait_until(LIMIT, "both lines", both).await;
        program.say_no_more();
        assert!(program.wait_until_ended(LIMIT).await.success());
    }
}
