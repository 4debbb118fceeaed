//! What a service may have Asterisk do. Judges the words of a command before they are written, and knows nothing of who sent
//! them.
//!
//! For each kind of name (command, application, function, variable, what is dialled) there is a [`List`]: what `allow` names
//! may be used; else what `deny` names may not; else `standard` decides, which refuses what reaches Asterisk's own machine.
//!
//! Asterisk runs a function wherever its name stands before a bracket: in `${…}`, in `$[…]`, and where an application or a
//! command wants the name of a variable. What is put together from variables is known to Asterisk alone, so an expression
//! within an expression, or within a name, is refused too: `text`.

mod glob;
mod standard;
mod text;

pub use glob::Glob;

use super::command::Words;
use standard::Kind;
use std::fmt;
use text::Place;

/// What the services of a route may have Asterisk do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommandPolicy {
    /// AGI's commands, as `GET DATA`.
    pub commands: List,
    /// What EXEC runs, as `Playback`.
    pub applications: List,
    /// Dialplan functions, as `SHELL`.
    pub functions: List,
    /// Channel variables.
    pub variables: List,
    /// What `Dial` and its like call, as `PJSIP/3200`.
    pub dial: List,
}

/// Names that may be used, and names that may not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct List {
    /// Wins over everything.
    pub allow: Vec<Glob>,
    /// Wins over what holds without a list.
    pub deny: Vec<Glob>,
}

/// A command that the route does not allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct NotAllowed {
    /// The key of the configuration, and why, as ``policy.allow.applications: does not name `System`, which …``.
    pub detail: String,
}

impl NotAllowed {
    fn denied(key: &str, name: &[u8]) -> Self {
        Self { detail: format!("policy.deny.{key}: names `{}`", shown(name)) }
    }

    fn standard(key: &str, name: &[u8], why: impl fmt::Display) -> Self {
        let name = shown(name);
        Self { detail: format!("policy.allow.{key}: does not name `{name}`, which {why}") }
    }
}

impl List {
    /// What the list says of `name`, if it says anything.
    fn says(&self, name: &[u8]) -> Option<bool> {
        let names = |globs: &[Glob]| globs.iter().any(|glob| glob.matches(name));
        if names(&self.allow) { Some(true) } else { names(&self.deny).then_some(false) }
    }

    /// Whether nothing can be refused.
    fn is_open(&self) -> bool {
        self.allow.iter().any(Glob::is_everything)
    }

    fn is_empty(&self) -> bool {
        self.allow.is_empty() && self.deny.is_empty()
    }
}

impl CommandPolicy {
    /// Whether the line of this command has to be looked into: most carry no name of anything.
    pub(super) fn looks_into(command: &str) -> bool {
        matches!(command, "EXEC" | "GET FULL VARIABLE" | "GET VARIABLE" | "SET VARIABLE")
    }

    /// Judges a line that came as text: its command, `RAW` where it is none, and its words.
    pub(super) fn judge(&self, command: &str, words: &Words) -> Result<(), NotAllowed> {
        self.judge_name(command)?;
        self.judge_words(command, words)
    }

    /// Judges a command by its name in Asterisk's own spelling.
    pub(super) fn judge_name(&self, command: &str) -> Result<(), NotAllowed> {
        match self.commands.says(command.as_bytes()) {
            Some(false) => Err(NotAllowed::denied("commands", command.as_bytes())),
            Some(true) | None => Ok(()),
        }
    }

    /// Judges what the words of this command carry.
    pub(super) fn judge_words(&self, command: &str, words: &Words) -> Result<(), NotAllowed> {
        match command {
            "EXEC" if words.count() > 1 => {
                let data = if words.count() > 2 { words.get(2) } else { b"" };
                self.judge_exec(words.get(1), data)
            }
            "GET FULL VARIABLE" if words.count() > 3 => {
                self.judge_text(words.get(3), Place::Expression)
            }
            "GET VARIABLE" | "SET VARIABLE" if words.count() > 2 => {
                self.judge_text(words.get(2), Place::Name)
            }
            _ => Ok(()),
        }
    }

    fn judge_exec(&self, application: &[u8], data: &[u8]) -> Result<(), NotAllowed> {
        match self.applications.says(application) {
            Some(true) => {}
            Some(false) => return Err(NotAllowed::denied("applications", application)),
            None => {
                if let Some(why) = standard::refused(Kind::Application, application) {
                    return Err(NotAllowed::standard("applications", application, why));
                }
                if let Some(why) = standard::refused_argument(application, data) {
                    return Err(NotAllowed::standard("applications", application, why));
                }
            }
        }
        self.judge_text(data, standard::place(application, data))?;
        self.judge_dial(application, data)
    }

    fn judge_text(&self, text: &[u8], place: Place) -> Result<(), NotAllowed> {
        if self.functions.is_open() && self.variables.is_open() {
            return Ok(());
        }
        if place == Place::Prose && !text::has_expression(text) {
            return Ok(());
        }
        if text::is_hidden(text, place) {
            let detail = "policy.allow.functions: text that Asterisk puts together from `${…}` or `$[…]` cannot be judged; \
                read the inner one first (functions and variables would both have to allow `*`)";
            return Err(NotAllowed { detail: detail.to_owned() });
        }
        text::names(text, |name, is_function| {
            let (list, kind, key) = if is_function {
                (&self.functions, Kind::Function, "functions")
            } else {
                (&self.variables, Kind::Variable, "variables")
            };
            match list.says(name) {
                Some(true) => Ok(()),
                Some(false) => Err(NotAllowed::denied(key, name)),
                None => match standard::refused(kind, name) {
                    Some(why) => Err(NotAllowed::standard(key, name, why)),
                    None => Ok(()),
                },
            }
        })
    }

    /// The target may be a person's number, so it is not told back.
    fn judge_dial(&self, application: &[u8], data: &[u8]) -> Result<(), NotAllowed> {
        if self.dial.is_empty() || self.dial.is_open() {
            return Ok(());
        }
        let Some(targets) = standard::dialled(application, data) else { return Ok(()) };
        if targets.iter().any(|byte| b"\"\\()[]".contains(byte)) {
            let detail =
                "policy.deny.dial: a target with quotes, brackets or backslashes cannot be judged";
            return Err(NotAllowed { detail: detail.to_owned() });
        }
        let mut targets = targets.split(|byte| *byte == b'&').map(<[u8]>::trim_ascii);
        if targets.any(|target| !target.is_empty() && self.dial.says(target) == Some(false)) {
            return Err(NotAllowed { detail: "policy.deny.dial: names this target".to_owned() });
        }
        Ok(())
    }
}

/// A name of a stranger, for people.
fn shown(name: &[u8]) -> String {
    const BYTES_MAX: usize = 80;
    String::from_utf8_lossy(&name[..name.len().min(BYTES_MAX)]).into_owned()
}

#[cfg(test)]
mod tests;
