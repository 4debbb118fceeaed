//! Runs named tests at the same time and tells how they went. Knows nothing of Asterisk.

use std::{
    collections::VecDeque,
    env,
    future::Future,
    io::{self, Write as _},
    pin::Pin,
    process::ExitCode,
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

/// Calls at once: prompts last as long as they last, but a loaded machine must keep their timing.
const AT_ONCE_MAX: usize = 12;

type Test = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Tests to run, and what became of them.
pub(crate) struct Runner {
    filters: Vec<String>,
    waiting: VecDeque<(String, Test)>,
    passed: usize,
    filtered: usize,
    failed: Vec<String>,
    begun: Instant,
}

impl Runner {
    /// With the filters of the command line: parts of the names of tests.
    pub(crate) fn from_arguments() -> Self {
        let filters = env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
        Self {
            filters,
            waiting: VecDeque::new(),
            passed: 0,
            filtered: 0,
            failed: Vec::new(),
            begun: Instant::now(),
        }
    }

    /// True when only some tests are asked for.
    pub(crate) fn is_filtered(&self) -> bool {
        !self.filters.is_empty()
    }

    /// Adds a test, if it is one that is asked for.
    pub(crate) fn add(&mut self, name: &str, test: impl Future<Output = ()> + Send + 'static) {
        if self.filters.is_empty() || self.filters.iter().any(|filter| name.contains(filter)) {
            self.waiting.push_back((name.to_owned(), Box::pin(test)));
        } else {
            self.filtered += 1;
        }
    }

    /// Runs what was added, several at once.
    pub(crate) async fn run(&mut self) {
        let mut running = JoinSet::new();
        loop {
            while running.len() < AT_ONCE_MAX
                && let Some((name, test)) = self.waiting.pop_front()
            {
                running.spawn(async move {
                    let begun = Instant::now();
                    let outcome = tokio::spawn(test).await;
                    (name, outcome.map_err(|err| err.to_string()), begun.elapsed())
                });
            }
            let Some(done) = running.join_next().await else { return };
            let (name, outcome, took) = done.expect("a test's panic stays in its own task");
            match outcome {
                Ok(()) => {
                    self.passed += 1;
                    say(&format!("test {name} ... ok ({})", seconds(took)));
                }
                Err(err) => {
                    say(&format!("test {name} ... FAILED ({}): {err}", seconds(took)));
                    self.failed.push(name);
                }
            }
        }
    }

    /// Notes a check that is no test of its own.
    pub(crate) fn check(&mut self, name: &str, holds: bool, otherwise: &str) {
        if holds {
            self.passed += 1;
            say(&format!("test {name} ... ok"));
        } else {
            say(&format!("test {name} ... FAILED\n{otherwise}"));
            self.failed.push(name.to_owned());
        }
    }

    /// Sums up, in the words of libtest: whoever counts tests counts these too.
    pub(crate) fn finish(self) -> ExitCode {
        let (verdict, code) = if self.failed.is_empty() {
            ("ok", ExitCode::SUCCESS)
        } else {
            ("FAILED", ExitCode::FAILURE)
        };
        if !self.failed.is_empty() {
            say("\nfailures:");
            self.failed.iter().for_each(|name| say(&format!("    {name}")));
        }
        say(&format!(
            "\ntest result: {verdict}. {} passed; {} failed; 0 ignored; 0 measured; {} filtered out; finished in {}",
            self.passed,
            self.failed.len(),
            self.filtered,
            seconds(self.begun.elapsed())
        ));
        code
    }
}

fn seconds(span: Duration) -> String {
    format!("{:.2}s", span.as_secs_f64())
}

fn say(line: &str) {
    // Nobody reads a closed output, and the exit code tells the same.
    let _ = writeln!(io::stdout(), "{line}");
}
