//! Transcripts: one call as it went on the AGI socket, as text that people read, compare and play again. Knows the text and
//! what of it a route masks; nothing of sockets, files or who plays it.
//!
//! | file | what it holds |
//! |---|---|
//! | `text` | one line, its odd bytes and what was kept back |
//! | `wire` | which parts of a line are kept back |
//! | `tape` | a call as it is written down |
//! | `compare` | whether a command is the one that was recorded |
//!
//! `docs/scenarios.md` describes the text.

mod compare;
mod tape;
mod text;
mod wire;

pub use tape::{Head, Tape};
pub use text::{BULLET, decode};

use crate::{agi::Words, scenario::Span};
use compare::Own;
use std::time::Duration;
use uuid::Uuid;

/// The first line; the number grows when an older program could not play a newer transcript.
const TITLE: &str = "agi-bridge transcript 1";
const SERVER_CLOSES: &str = "the AGI server closes";
const ASTERISK_CLOSES: &str = "Asterisk closes";
const CUT: &str = "the rest was not recorded";

/// One call that was recorded.
#[derive(Debug, Clone)]
pub struct Transcript {
    own: Own,
    /// What its route masked, as it stands there; empty: nothing.
    pub masked: String,
    /// Of the block that opened the session: keys, and values as text.
    pub prelude: Vec<(String, String)>,
    /// What happened then, in order.
    pub steps: Vec<Step>,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its line in the transcript, from 1.
    pub line: usize,
    /// Since the step before.
    pub after: Duration,
    /// What it was.
    pub what: What,
}

/// What can happen on an AGI socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// The AGI server wrote this line, as text.
    Command(String),
    /// Asterisk wrote this one.
    Said(String),
    /// The AGI server ended the session.
    ServerCloses,
    /// Asterisk closed.
    AsteriskCloses,
    /// Nothing is known of what followed.
    Cut,
}

/// A line from an AGI server, as a transcript has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// As text.
    pub text: String,
    /// The mark that it asks Asterisk to put around a value; empty: none.
    pub mark: Vec<u8>,
    /// The command's name, in Asterisk's own spelling, if it is one.
    pub name: Option<&'static str>,
}

/// Why a text is no transcript.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct Error {
    /// From 1.
    pub line: usize,
    /// What is wrong with it.
    pub what: String,
}

impl Transcript {
    /// Reads a transcript.
    ///
    /// # Errors
    /// When it is none, or one of a later kind; the first line that is at fault.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut lines = text.lines().zip(1..).filter(|(line, _)| !line.starts_with('#'));
        match lines.next() {
            Some((TITLE, _)) => {}
            Some((line, number)) if line.starts_with("agi-bridge transcript ") => {
                return fault(number, format!("{line:?} is of a later version than this program"));
            }
            Some((_, number)) => return fault(number, format!("it must begin with {TITLE:?}")),
            None => return fault(1, format!("it must begin with {TITLE:?}")),
        }
        let mut read = Self {
            own: Own::default(),
            masked: String::new(),
            prelude: Vec::new(),
            steps: Vec::new(),
        };
        for (line, number) in lines.by_ref() {
            if line.is_empty() {
                break;
            }
            read.head(line).map_err(|what| Error { line: number, what })?;
        }
        let mut opened = false;
        let mut after = Duration::ZERO;
        for (line, number) in lines {
            let what = match line.split_at_checked(2) {
                Some(("A>", "" | " ")) if !opened => {
                    opened = true;
                    continue;
                }
                Some(("A>", text)) if !opened => {
                    read.prelude
                        .push(entry(told(text)).map_err(|what| Error { line: number, what })?);
                    continue;
                }
                Some(("A>", text)) => What::Said(told(text).to_owned()),
                Some(("A<", text)) => What::Command(told(text).to_owned()),
                Some(("--", text)) => match told(text) {
                    SERVER_CLOSES => What::ServerCloses,
                    ASTERISK_CLOSES => What::AsteriskCloses,
                    CUT => What::Cut,
                    pause => match pause.parse::<Span>() {
                        Ok(Span(pause)) => {
                            after += pause;
                            continue;
                        }
                        Err(_) => {
                            return fault(
                                number,
                                format!("{pause:?} says nothing that can happen"),
                            );
                        }
                    },
                },
                _ if line.trim().is_empty() => continue,
                _ => return fault(number, "a line begins with `A>`, `A<`, `--` or `#`"),
            };
            if !opened {
                return fault(number, "the prelude must end with a line `A>` before anything else");
            }
            read.steps.push(Step { line: number, after: std::mem::take(&mut after), what });
        }
        if !opened {
            return fault(
                text.lines().count().max(1),
                "the prelude has no end: a line `A>` is missing",
            );
        }
        Ok(read)
    }

    /// Whether `heard` is the command that was recorded so.
    pub fn fits(&self, recorded: &str, heard: &Heard) -> bool {
        compare::fits(recorded, &heard.text, &self.own)
    }

    /// How long the call was.
    pub fn lasted(&self) -> Duration {
        self.own.lasted
    }

    fn head(&mut self, line: &str) -> Result<(), String> {
        let (key, value) = line.split_once(": ").ok_or("a line `key: value` is wanted here")?;
        match key {
            "call" => {
                self.own.call_id =
                    Uuid::try_parse(value).map_err(|_| format!("{value:?} is no id of a call"))?;
            }
            "began" => {
                let at: Result<pbjson_types::Timestamp, _> =
                    serde_json::from_value(value.to_owned().into());
                let at =
                    at.map_err(|_| format!("{value:?} is no moment, as 2026-01-31T12:00:00Z"))?;
                self.own.began = Duration::from_secs(u64::try_from(at.seconds).unwrap_or_default());
            }
            "lasted" => self.own.lasted = value.parse::<Span>()?.0,
            "masked" => value.clone_into(&mut self.masked),
            // For people.
            "route" | "ended" => {}
            _ => return Err(format!("{key:?} is unknown here")),
        }
        Ok(())
    }
}

impl Heard {
    /// Reads a line without its LF.
    pub fn new(line: &[u8]) -> Self {
        let words = Words::split(line);
        let mark = wire::mark(&words);
        Self {
            text: text::encode(line, mark.as_deref()),
            mark: mark.unwrap_or_default(),
            name: words.command(),
        }
    }
}

fn fault<T>(line: usize, what: impl Into<String>) -> Result<T, Error> {
    Err(Error { line, what: what.into() })
}

/// An editor may have taken the blank behind a key without a value.
fn entry(text: &str) -> Result<(String, String), String> {
    let entry = text.split_once(": ").or_else(|| text.strip_suffix(':').map(|key| (key, "")));
    let (key, value) =
        entry.ok_or("the prelude has lines `A> key: value`, and ends with a line `A>`")?;
    Ok((key.to_owned(), value.to_owned()))
}

/// What stands behind the sign of a line and its blank.
fn told(text: &str) -> &str {
    text.strip_prefix(' ').unwrap_or(text)
}

#[cfg(test)]
mod tests;
