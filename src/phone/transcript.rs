//! What was said on the AGI socket and done by the caller, line by line, for people (`Display`) and machines (`to_json`).

use serde_json::{Value, json};
use std::{fmt, time::Duration};

/// One line of a transcript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Since the connection, in the call's own time.
    pub at: Duration,
    /// Whose line it is.
    pub speaker: Speaker,
    /// Without its line end; bytes that are no UTF-8 as U+FFFD.
    pub text: String,
}

/// Whose line it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaker {
    /// Asterisk wrote it: `A>`.
    FromAsterisk,
    /// It was written to Asterisk: `A<`.
    ToAsterisk,
    /// What the caller does or hears: `--`.
    Caller,
}

impl Speaker {
    /// The mark before the line.
    pub const fn mark(self) -> &'static str {
        match self {
            Self::FromAsterisk => "A>",
            Self::ToAsterisk => "A<",
            Self::Caller => "--",
        }
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A control character would move the reader's cursor.
        let text: String = self
            .text
            .chars()
            .map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c })
            .collect();
        write!(f, "+{:.3}s {} {text}", self.at.as_secs_f64(), self.speaker.mark())
    }
}

impl Entry {
    /// The same as an object: `at` in seconds, `speaker` as its mark, `text`.
    pub fn to_json(&self) -> Value {
        json!({"at": self.at.as_secs_f64(), "speaker": self.speaker.mark(), "text": self.text})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_readable_and_harmless() {
        let entry = Entry {
            at: Duration::from_millis(1234),
            speaker: Speaker::ToAsterisk,
            text: "NOOP \u{1b}[2J".into(),
        };
        assert_eq!(entry.to_string(), "+1.234s A< NOOP \u{fffd}[2J");
    }
}
