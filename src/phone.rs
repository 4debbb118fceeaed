//! The simulated phone: a caller, and Asterisk's side of FastAGI, in one process and without Asterisk.
//!
//! It connects to an AGI server as Asterisk would, answers all 47 commands as Asterisk does, keeps the channel's state,
//! its variables and an AstDB, plays prompts for as long as they last, and does what its caller is told to do.
//! The core ([`Session`]) is pure: bytes, keys and `now` go in, bytes and notes come out. [`Phone`] is the thin driver
//! that puts a socket and a clock around it.
//!
//! | file | what it holds |
//! |---|---|
//! | `address` | `agi://` URLs |
//! | `drive` | the socket and the clock |
//! | `session` | the loop of AGI(): lines in, replies out, HANGUP |
//! | `input` | the socket as Asterisk reads it, with its buffering |
//! | `words` | quoting, numbers, bytes as text |
//! | `table` | the 47 commands, their words, limits and usage |
//! | `command` | what each command does |
//! | `application` | what EXEC runs |
//! | `task` | a command that takes time |
//! | `channel`, `expand`, `function`, `expression` | the channel's state, variables and `${…}` |
//! | `sounds`, `say` | how long a prompt lasts |
//! | `script` | what the caller does, and when |
//! | `transcript` | what was said, for people and for machines |
//! | `replay` | Asterisk's side of a recorded call, instead of a session of its own |

mod address;
mod application;
mod channel;
mod command;
mod drive;
mod expand;
mod expression;
mod function;
mod input;
mod prelude;
mod replay;
mod say;
mod script;
mod session;
mod sounds;
mod table;
mod task;
mod transcript;
mod words;

pub use address::{Address, AddressError};
pub use replay::{Difference, ReplayOptions, Replayed, replay};
pub use session::{Ended, Fault, Output, Session, Setup};
pub use transcript::{Entry, Speaker};

use crate::scenario::{Act, Asterisk, Caller, Expect, Location, Scenario};
use std::{collections::BTreeMap, path::PathBuf, time::Duration};
use tokio::sync::mpsc;

/// How a call is made.
#[derive(Debug, Clone)]
pub struct Options {
    /// The channel and the person on it.
    pub caller: Caller,
    /// What this Asterisk has.
    pub asterisk: Asterisk,
    /// A folder of sound files, as `/usr/share/asterisk/sounds`. Unset: lengths come from `asterisk.sounds`, else they
    /// are estimated, and every file exists that is not named as missing.
    pub sounds: Option<PathBuf>,
    /// How much faster than a real call time passes, above 0. Results and transcripts keep the call's own time.
    pub speed: f64,
    /// When to give the call up, in the call's own time.
    pub timeout: Duration,
    /// Keys to press: each run up to and including a `#` goes to the next command that takes keys.
    pub digits: String,
    /// When the caller hangs up, from the start of the call.
    pub hangup_after: Option<Duration>,
    /// What `agi_version` says.
    pub version: String,
    /// Lines that are kept of the transcript; a server that keeps the session going for more is at fault.
    pub transcript_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            caller: Caller::default(),
            asterisk: Asterisk::default(),
            sounds: None,
            speed: 1.0,
            timeout: Duration::from_mins(5),
            digits: String::new(),
            hangup_after: None,
            version: "22.10.1".into(),
            transcript_max: 100_000,
        }
    }
}

impl From<&Scenario> for Options {
    fn from(scenario: &Scenario) -> Self {
        Self {
            caller: scenario.caller.clone(),
            asterisk: scenario.asterisk.clone(),
            ..Self::default()
        }
    }
}

/// One call that can be made.
pub struct Phone {
    options: Options,
    observer: Option<Observer>,
    acts: Option<mpsc::Receiver<Act>>,
}

type Observer = Box<dyn FnMut(&Entry) + Send>;

impl Phone {
    /// A phone that will make one call.
    pub fn new(options: Options) -> Self {
        Self { options, observer: None, acts: None }
    }

    /// Tells `observer` every line of the transcript as it happens.
    #[must_use]
    pub fn with_observer(mut self, observer: impl FnMut(&Entry) + Send + 'static) -> Self {
        self.observer = Some(Box::new(observer));
        self
    }

    /// Lets the caller be acted upon from outside while the call runs, beside the script.
    #[must_use]
    pub fn with_acts(mut self, acts: mpsc::Receiver<Act>) -> Self {
        self.acts = Some(acts);
        self
    }

    /// Makes the call and waits until the AGI session is over.
    ///
    /// # Errors
    /// When the URL is no AGI URL, or nothing answers at it; AGISTATUS would be FAILURE. Whatever goes wrong later is in
    /// the report.
    pub async fn call(self, url: &str) -> Result<Report, Error> {
        drive::call(self.options, url, self.observer, self.acts).await
    }
}

/// How a call went.
#[derive(Debug, Clone)]
pub struct Report {
    /// What was said, oldest first.
    pub transcript: Vec<Entry>,
    /// AGISTATUS as the dialplan sees it.
    pub agistatus: AgiStatus,
    /// Why the session ended.
    pub ended: Ended,
    /// Who ended the call, when it was hung up or taken elsewhere.
    pub gone: Option<Gone>,
    /// From the connection to the session's end, in the call's own time.
    pub duration: Duration,
    /// Where the dialplan goes on; unset when the call is over.
    pub position: Option<Location>,
    /// The channel's variables, without inheritance marks.
    pub variables: BTreeMap<String, String>,
    /// AstDB, as `family/key`.
    pub database: BTreeMap<String, String>,
}

impl Report {
    /// True when nothing went wrong: AGISTATUS is SUCCESS, or HANGUP, and the bridge kept to AGI.
    pub fn is_success(&self) -> bool {
        self.agistatus != AgiStatus::Failure && !matches!(self.ended, Ended::Fault(_))
    }
}

impl Report {
    /// Where the channel differs from what a scenario expects of it; results are the service's to compare.
    pub fn compare(&self, expect: &Expect) -> Vec<String> {
        let mut faults = Vec::new();
        let mut check = |what: &str, expected: Option<&str>, got: Option<&str>| {
            if expected != got {
                let [expected, got] = [expected, got].map(|text| text.unwrap_or("nothing"));
                faults.push(format!("{what}: expected {expected}, got {got}"));
            }
        };
        if let Some(status) = &expect.agistatus {
            check("AGISTATUS", Some(status), Some(self.agistatus.as_str()));
        }
        for (name, value) in &expect.variables {
            check(name, value.as_deref(), self.variables.get(name).map(String::as_str));
        }
        if let Some(expected) = &expect.position {
            let at = self.position.as_ref();
            let at = at.map(|at| format!("{},{},{}", at.context, at.extension, at.priority));
            check("position", Some(expected), at.as_deref());
        }
        faults
    }
}

/// Takes `Alice <3200>` apart as Asterisk does: name and number, either may be empty.
pub fn caller_id(text: &str) -> (String, String) {
    let (name, number) = function::parse_caller_id(&words::from_people(text));
    (words::to_people(&name), words::to_people(&number))
}

/// AGISTATUS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgiStatus {
    /// The server ended the session.
    Success,
    /// A command failed on a live channel, or the server said so.
    Failure,
    /// The channel was hung up or redirected.
    Hangup,
}

impl AgiStatus {
    /// As the variable has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "SUCCESS",
            Self::Failure => "FAILURE",
            Self::Hangup => "HANGUP",
        }
    }
}

/// Who took the caller away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gone {
    /// The caller hung up.
    Caller,
    /// The AGI server did, by HANGUP, EXEC Hangup or a subroutine.
    Server,
    /// SET AUTOHANGUP came due.
    Timer,
    /// The channel was redirected: it lives on elsewhere.
    Redirect,
    /// It was gone when the session began.
    Before,
}

/// Why there was no call.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The URL is no AGI URL.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// An option makes no sense.
    #[error("{0}")]
    Options(String),
    /// Nothing answers at the address.
    #[error("cannot reach {target}: {source}; Asterisk would go on with AGISTATUS=FAILURE")]
    Connect {
        /// Host and port.
        target: String,
        /// What the system says.
        source: std::io::Error,
    },
}
