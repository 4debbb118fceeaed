//! Scenario files: one call, told in YAML. What the caller does, what a test service sends, what must come of it.
//! Knows the file and the contract; nothing of sockets, and not who plays the scenario: the simulated phone and the
//! real-Asterisk lab read the same files.
//!
//! `docs/scenarios.md` describes every key.

pub mod expect;
mod service;
mod span;
mod strict;

pub use expect::{Expect, PartialResult};
pub use service::{Close, ServiceStep, WaitFor};
pub use span::Span;

use serde::Deserialize;
use std::{collections::BTreeMap, path::Path, time::Duration};

/// One call and what must come of it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What it shows, as a sentence without its full stop.
    pub name: String,
    /// Why it cannot be played on a real Asterisk. Unset: it can.
    #[serde(default)]
    pub phone_only: Option<String>,
    /// The channel and the person on it.
    #[serde(default)]
    pub caller: Caller,
    /// What this Asterisk has, beyond its own sounds and applications.
    #[serde(default)]
    pub asterisk: Asterisk,
    /// What the test service does, in order.
    #[serde(default)]
    pub service: Vec<ServiceStep>,
    /// What must come of it.
    #[serde(default)]
    pub expect: Expect,
}

/// The channel as Asterisk has it when AGI() runs, and what the person on it does.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Caller {
    /// Caller ID number; empty: unknown.
    pub number: String,
    /// Caller ID name; empty: unknown.
    pub name: String,
    /// The number that was dialled (DNID); empty: unknown.
    pub dialed_number: String,
    /// The number that redirected the call here (RDNIS); empty: unknown.
    pub redirecting_number: String,
    /// Where in the dialplan AGI() stands.
    pub context: String,
    /// As above; `h` when unset and `dead` is set.
    pub extension: Option<String>,
    /// As above, from 1.
    pub priority: i32,
    /// Account code; may be empty.
    pub account_code: String,
    /// Language of the prompts, as `en`.
    pub language: String,
    /// The channel's name; what stands before the `/` is its type.
    pub channel: Option<String>,
    /// Arguments of AGI() after the URL.
    pub arguments: Vec<String>,
    /// True: the channel is up already.
    pub answered: bool,
    /// True: the caller is gone already, as in the h extension.
    pub dead: bool,
    /// What is heard from the caller: it decides how RECORD FILE ends.
    pub audio: Audio,
    /// Channel variables; leading `_` and `__` mark inheritance, as Set() has it.
    pub variables: BTreeMap<String, String>,
    /// AstDB entries, as `family/key: value`; the key is what follows the first slash.
    pub database: BTreeMap<String, String>,
    /// What the person does, in order; each fires once.
    pub steps: Vec<Step>,
}

/// What is heard from a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Audio {
    /// Nothing is sent at all: recordings stay empty and silence is never detected.
    None,
    /// Frames that hold silence.
    #[default]
    Silence,
    /// Frames that hold speech.
    Speech,
}

/// One thing that the caller does, or that is done to the channel.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "RawStep")]
pub struct Step {
    /// What it waits for. Unset: the step before it (for the first step: the start of the call).
    pub when: Option<When>,
    /// How long after that.
    pub after: Duration,
    /// What is done.
    pub act: Act,
}

/// What a step waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum When {
    /// The next command of this name begins at Asterisk, after the one that a step before it waited for. `EXEC Dial`
    /// names the application too.
    Command(String),
    /// No command runs; `after` counts while that stays so.
    Idle,
    /// The connection stands and the prelude is written.
    Start,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Presses these keys (0-9 * # A-D), 100 ms apart.
    Press(String),
    /// Hangs up.
    HangUp,
    /// Sends a text message, for RECEIVE TEXT and RECEIVE CHAR.
    Text(String),
    /// Somebody sends the channel elsewhere in the dialplan.
    Redirect(Location),
}

/// A place in the dialplan.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Location {
    /// Dialplan context.
    pub context: String,
    /// Extension in it.
    pub extension: String,
    /// Priority in it, from 1.
    #[serde(default = "one")]
    pub priority: i32,
}

/// What an Asterisk has that a scenario needs.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Asterisk {
    /// How long sound files last, for a phone that has no sound files.
    pub sounds: BTreeMap<String, Span>,
    /// Sound files that do not exist and cannot be written.
    pub missing: Vec<String>,
    /// Contexts and extensions that GOSUB finds, at priority 1.
    pub subroutines: BTreeMap<String, BTreeMap<String, Subroutine>>,
    /// Applications beyond the built-in ones, by name.
    pub applications: BTreeMap<String, Application>,
    /// What becomes of Dial(), by its first target; any other target is unavailable.
    pub dial: BTreeMap<String, Dial>,
    /// A speech engine. Unset: there is none.
    pub speech: Option<Speech>,
}

/// A subroutine that GOSUB runs.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Subroutine {
    /// What Return() gives, left in GOSUB_RETVAL.
    #[serde(rename = "return")]
    pub value: String,
    /// How long it runs.
    pub after: Span,
    /// It leaves by a hangup and not by Return().
    pub abnormal: bool,
}

/// An application of the scenario's own.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Application {
    /// What it returns.
    pub result: i32,
    /// How long it runs.
    pub after: Span,
    /// Variables that it leaves on the channel.
    pub variables: BTreeMap<String, String>,
}

/// What becomes of a Dial().
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum Dial {
    /// It is answered after it rang, and the talk lasts so long.
    Answered {
        /// How long it rings first.
        #[serde(default)]
        ring: Span,
        /// How long they talk.
        talk: Span,
    },
    /// It is busy.
    Busy,
    /// It rings until Dial()'s own timeout, or the hangup.
    Noanswer,
    /// It cannot be reached.
    Chanunavail,
}

/// A speech engine whose results are scripted.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Speech {
    /// Its name; SPEECH CREATE also takes an empty one.
    pub engine: String,
    /// What each SPEECH RECOGNIZE hears, in order; none left: it times out.
    pub results: Vec<Heard>,
}

/// What one SPEECH RECOGNIZE hears.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Heard {
    /// How long after the start.
    pub after: Span,
    /// What was understood, best first.
    pub matches: Vec<Match>,
}

/// One guess of a speech engine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Match {
    /// 0 to 100 by custom.
    pub score: i32,
    /// What was said.
    pub text: String,
    /// The grammar that matched; unset: Asterisk writes `(null)`.
    pub grammar: Option<String>,
}

/// Why a scenario cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("cannot read the scenario {path}: {source}")]
    Read {
        /// As given.
        path: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file is no scenario; the text names line and column.
    #[error("{path}: {detail}")]
    Syntax {
        /// As given.
        path: String,
        /// What is wrong, and where.
        detail: String,
    },
}

/// Reads a scenario; `path` only names it in errors.
pub fn parse(text: &str, path: &str) -> Result<Scenario, Error> {
    // `no` and `y` are text, as people mean them: AGISIGHUP is set to such words.
    serde_saphyr::from_str_with_options(text, serde_saphyr::options! { strict_booleans: true })
        .map_err(|err| Error::Syntax { path: path.to_owned(), detail: err.to_string() })
}

/// Reads a scenario from a file.
pub fn load(path: &Path) -> Result<Scenario, Error> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|source| Error::Read { path: name.clone(), source })?;
    parse(&text, &name)
}

impl Default for Caller {
    fn default() -> Self {
        Self {
            number: String::new(),
            name: String::new(),
            dialed_number: String::new(),
            redirecting_number: String::new(),
            context: "default".into(),
            extension: None,
            priority: 1,
            account_code: String::new(),
            language: "en".into(),
            channel: None,
            arguments: Vec::new(),
            answered: false,
            dead: false,
            audio: Audio::default(),
            variables: BTreeMap::new(),
            database: BTreeMap::new(),
            steps: Vec::new(),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStep {
    when: Option<String>,
    #[serde(default)]
    after: Span,
    press: Option<String>,
    hangup: Option<bool>,
    text: Option<String>,
    redirect: Option<Location>,
}

impl TryFrom<RawStep> for Step {
    type Error = String;

    fn try_from(raw: RawStep) -> Result<Self, String> {
        let mut acts = Vec::new();
        if let Some(keys) = raw.press {
            if keys.is_empty() || !keys.chars().all(is_key) {
                return Err(format!("press: {keys:?} must be keys of a phone: 0-9 * # A-D"));
            }
            acts.push(Act::Press(keys));
        }
        match raw.hangup {
            Some(true) => acts.push(Act::HangUp),
            Some(false) => return Err("hangup: only `true` says something".into()),
            None => {}
        }
        acts.extend(raw.text.map(Act::Text));
        acts.extend(raw.redirect.map(Act::Redirect));
        let [act] = <[Act; 1]>::try_from(acts)
            .map_err(|_| "a step does exactly one of press, hangup, text, redirect".to_owned())?;
        Ok(Self { when: raw.when.map(|text| when(&text)).transpose()?, after: raw.after.0, act })
    }
}

fn when(text: &str) -> Result<When, String> {
    match text {
        "idle" => Ok(When::Idle),
        "start" => Ok(When::Start),
        _ if text.is_empty()
            || text.chars().any(|c| c.is_ascii_lowercase()) && !text.starts_with("EXEC ") =>
        {
            Err(format!(
                "when: {text:?} must be `idle`, `start` or a command in capitals, as `GET DATA` or `EXEC Dial`"
            ))
        }
        _ => Ok(When::Command(text.to_owned())),
    }
}

/// True for a key that a phone has.
pub fn is_key(c: char) -> bool {
    matches!(c, '0'..='9' | '*' | '#' | 'A'..='D')
}

const fn one() -> i32 {
    1
}

#[cfg(test)]
mod tests;
