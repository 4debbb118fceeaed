//! A command that takes time: what it does with keys, text, a hangup, a byte on the socket, and the clock.

mod dial;
mod playback;
mod record;

pub(super) use dial::DialTask;
pub(super) use playback::{Control, Play, finish_control};
pub(super) use record::Record;

use super::{Gone, channel::Channel, sounds::Sounds};
use crate::scenario::Match;
use std::time::Duration;

/// Something that happens while a command runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event {
    Key(char),
    Text(String),
    HangUp,
    /// The AGI socket can be read, or was closed.
    Readable,
    /// The task's deadline came.
    Time,
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ending {
    /// What is written after `200 result=`, or nothing at all for a command that a byte on the socket aborted.
    pub(super) reply: Option<String>,
    /// It failed: on a live channel this makes AGISTATUS FAILURE.
    pub(super) failed: bool,
}

impl Ending {
    pub(super) fn ok(result: impl std::fmt::Display) -> Self {
        Self { reply: Some(result.to_string()), failed: false }
    }

    pub(super) fn failed(result: impl std::fmt::Display) -> Self {
        Self { reply: Some(result.to_string()), failed: true }
    }

    const fn silent() -> Self {
        Self { reply: None, failed: false }
    }
}

/// What a command leaves behind when it ran to its own end.
#[derive(Debug, Default)]
pub(super) struct Leaves {
    pub(super) variables: Vec<(String, String)>,
    pub(super) hang_up: bool,
}

impl Leaves {
    fn apply(&self, channel: &mut Channel) {
        for (name, value) in &self.variables {
            channel.set(name, value);
        }
        if self.hang_up {
            channel.hang_up(Gone::Server);
        }
    }
}

/// A command at work. Each variant is one way to take time.
#[derive(Debug)]
pub(super) enum Task {
    /// Nothing can happen to it but its end, or a hangup.
    Pause {
        until: Option<Duration>,
        then: Ending,
        on_hangup: Ending,
        leaves: Leaves,
    },
    Play(Play),
    Control(Control),
    Digits(Digits),
    WaitForDigit {
        until: Option<Duration>,
    },
    Say {
        until: Duration,
        escape: String,
    },
    Record(Record),
    Text {
        until: Option<Duration>,
        one_character: bool,
    },
    Recognize(Recognize),
    Background {
        until: Duration,
    },
    Dial(DialTask),
    Echo,
}

/// GET DATA and the application Read.
#[derive(Debug)]
pub(super) struct Digits {
    pub(super) until: Duration,
    pub(super) prompting: bool,
    pub(super) first: Duration,
    pub(super) between: Duration,
    pub(super) digits: String,
    pub(super) max: usize,
    /// Read: the variable that gets the digits.
    pub(super) variable: Option<String>,
}

/// SPEECH RECOGNIZE.
#[derive(Debug)]
pub(super) struct Recognize {
    pub(super) until: Option<Duration>,
    /// Set when something is heard before the timeout.
    pub(super) heard: Option<Vec<Match>>,
}

impl Task {
    /// When [`Event::Time`] is due.
    pub(super) fn deadline(&self) -> Option<Duration> {
        match self {
            Self::Pause { until, .. } | Self::WaitForDigit { until } | Self::Text { until, .. } => {
                *until
            }
            Self::Say { until, .. } | Self::Background { until } => Some(*until),
            Self::Play(play) => Some(play.deadline()),
            Self::Control(control) => control.deadline(),
            Self::Digits(digits) => Some(digits.until),
            Self::Record(record) => record.deadline(),
            Self::Recognize(recognize) => recognize.until,
            Self::Dial(dial) => dial.deadline(),
            Self::Echo => None,
        }
    }

    /// True when pressing `key` would do something.
    pub(super) fn wants(&self, key: char) -> bool {
        match self {
            Self::Pause { .. } | Self::Text { .. } | Self::Dial(_) => false,
            Self::Play(play) => play.escape.contains(key),
            Self::Control(control) => {
                [&control.escape, &control.forward, &control.rewind, &control.pause]
                    .iter()
                    .any(|keys| keys.contains(key))
            }
            Self::Say { escape, .. } => escape.contains(key),
            Self::Record(record) => record.escape.contains(key),
            Self::Digits(_)
            | Self::WaitForDigit { .. }
            | Self::Recognize(_)
            | Self::Background { .. } => true,
            Self::Echo => key == '#',
        }
    }

    /// Lets something happen; set when that ends the command.
    pub(super) fn on(
        &mut self,
        event: &Event,
        now: Duration,
        channel: &mut Channel,
        sounds: &mut Sounds,
    ) -> Option<Ending> {
        match self {
            Self::Pause { then, on_hangup, leaves, .. } => match event {
                Event::HangUp => Some(on_hangup.clone()),
                Event::Time => {
                    leaves.apply(channel);
                    Some(then.clone())
                }
                Event::Key(_) | Event::Text(_) | Event::Readable => None,
            },
            Self::Play(play) => play.on(event, now, channel),
            Self::Control(control) => control.on(event, now, channel),
            Self::Digits(digits) => digits.on(event, now, channel),
            Self::WaitForDigit { .. } => match event {
                Event::Key(key) => Some(Ending::ok(ascii(*key))),
                Event::HangUp => Some(Ending::failed(-1)),
                // Not a digit: it only says that something else wants attention.
                Event::Readable => Some(Ending::ok(1)),
                Event::Time => Some(Ending::ok(0)),
                Event::Text(_) => None,
            },
            Self::Say { escape, .. } => match event {
                Event::Key(key) if escape.contains(*key) => Some(Ending::ok(ascii(*key))),
                Event::HangUp => Some(Ending::failed(-1)),
                Event::Time => Some(Ending::ok(0)),
                Event::Key(_) | Event::Text(_) | Event::Readable => None,
            },
            Self::Record(record) => record.on(event, now, sounds),
            Self::Text { one_character, .. } => text(event, *one_character),
            Self::Recognize(recognize) => recognize.on(event),
            Self::Background { .. } => match event {
                Event::Key(key) => {
                    channel.set("BACKGROUNDSTATUS", "SUCCESS");
                    Some(Ending::ok(ascii(*key)))
                }
                Event::HangUp => Some(Ending::ok(-1)),
                Event::Time => {
                    channel.set("BACKGROUNDSTATUS", "SUCCESS");
                    Some(Ending::ok(0))
                }
                Event::Text(_) | Event::Readable => None,
            },
            Self::Dial(dial) => dial.on(event, now, channel),
            Self::Echo => match event {
                Event::Key('#') => Some(Ending::ok(0)),
                Event::HangUp => Some(Ending::ok(-1)),
                Event::Key(_) | Event::Text(_) | Event::Readable | Event::Time => None,
            },
        }
    }
}

impl Digits {
    fn on(&mut self, event: &Event, now: Duration, channel: &mut Channel) -> Option<Ending> {
        match event {
            Event::Key('#') => self.finish("OK", channel),
            Event::Key(key) => {
                self.prompting = false;
                self.digits.push(*key);
                self.until = now.saturating_add(self.between);
                if self.digits.len() >= self.max { self.finish("OK", channel) } else { None }
            }
            Event::Time if self.prompting => {
                self.prompting = false;
                self.until = now.saturating_add(self.first);
                None
            }
            Event::Time => self.finish("TIMEOUT", channel),
            Event::HangUp => self.finish("HANGUP", channel),
            // Read does not look at the socket.
            Event::Readable if self.variable.is_none() => Some(Ending::silent()),
            Event::Readable | Event::Text(_) => None,
        }
    }

    fn finish(&self, status: &str, channel: &mut Channel) -> Option<Ending> {
        if let Some(variable) = &self.variable {
            channel.set(variable, &self.digits);
            channel.set("READSTATUS", status);
            return Some(Ending::ok(0));
        }
        Some(match status {
            "HANGUP" => Ending::ok(-1),
            "TIMEOUT" => Ending::ok(format!("{} (timeout)", self.digits)),
            _ => Ending::ok(&self.digits),
        })
    }
}

impl Recognize {
    fn on(&mut self, event: &Event) -> Option<Ending> {
        Some(Ending::ok(match event {
            Event::Key(key) => format!("1 (digit) digit={key} endpos=0"),
            Event::HangUp => "1 (hangup) endpos=0".into(),
            Event::Time => match &self.heard {
                None => "1 (timeout) endpos=0".into(),
                Some(matches) => {
                    let said = matches.iter().enumerate().map(|(index, guess)| {
                        let grammar = guess.grammar.as_deref().unwrap_or("(null)");
                        format!(
                            " score{index}={} text{index}=\"{}\" grammar{index}={grammar}",
                            guess.score, guess.text
                        )
                    });
                    format!(
                        "1 (speech) endpos=0 results={}{}",
                        matches.len(),
                        said.collect::<String>()
                    )
                }
            },
            Event::Text(_) | Event::Readable => return None,
        }))
    }
}

/// RECEIVE TEXT and RECEIVE CHAR, which reports even its timeout as a hangup.
fn text(event: &Event, one_character: bool) -> Option<Ending> {
    Some(match (event, one_character) {
        (Event::Text(text), false) => Ending::ok(format!("1 ({text})")),
        (Event::Text(text), true) => match text.chars().next() {
            Some(first) => Ending::ok(u32::from(first)),
            None => Ending::ok("0 (timeout)"),
        },
        (Event::HangUp | Event::Time, false) => Ending::ok(-1),
        (Event::HangUp | Event::Time, true) => Ending::failed("-1 (hangup)"),
        (Event::Key(_) | Event::Readable, _) => return None,
    })
}

/// A key as AGI reports it.
pub(super) fn ascii(key: char) -> i64 {
    u32::from(key).into()
}
