//! Lines of a program that speaks AGI itself, to be passed on as they are. Knows what would harm Asterisk, and nothing of
//! replies or of who sent them.

use super::{
    command::{Words, leading_number},
    line::Lines,
    policy::CommandPolicy,
    words::{Limits, WORDS_MAX},
};
use bytes::Bytes;
use std::{borrow::Cow, sync::Arc};

/// Asterisk's own words where it has no usage text for a command.
const USAGE: Bytes =
    Bytes::from_static(b"520 Invalid command syntax.  Proper usage not available.\n");
const UNKNOWN: Bytes = Bytes::from_static(b"510 Invalid or unknown command\n");
/// More digits than this overflow a buffer of Asterisk's.
const GET_DATA_DIGITS_MAX: u32 = 1023;
/// A program that sends faster than Asterisk answers is not read beyond this.
const UNREAD_BYTES_MAX: usize = 16 * 1024;

/// Cuts a program's bytes into lines, as they are wanted.
#[derive(Debug)]
pub struct VerbatimReader {
    lines: Lines,
    limits: Limits,
    policy: Arc<CommandPolicy>,
    /// A line was longer than Asterisk takes: what is left of it is dropped, and then it is refused.
    overlong: bool,
    closed: bool,
}

/// One line of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verbatim {
    /// For Asterisk, with its LF and otherwise as it came.
    Command {
        /// The line.
        line: Bytes,
        /// The command's name in Asterisk's own spelling; `RAW` for a line that is no command.
        name: &'static str,
    },
    /// Not for Asterisk: this is the answer, in Asterisk's own words.
    Refused {
        /// The answer, with its LF.
        reply: Bytes,
        /// Why, in English.
        why: Cow<'static, str>,
        /// Whether Asterisk would have taken it, and the route's policy does not.
        by_policy: bool,
    },
    /// `failure…`, which ends the session and has no answer. With its LF.
    Failure(Bytes),
}

impl VerbatimReader {
    /// Expects the first byte of a program.
    pub fn new(limits: Limits, policy: Arc<CommandPolicy>) -> Self {
        Self { lines: Lines::default(), limits, policy, overlong: false, closed: false }
    }

    /// Takes bytes as they come. Ask [`Self::has_room`] before: the reader holds what it is given.
    pub fn push(&mut self, bytes: &[u8]) {
        self.lines.push(bytes);
        self.drop_overlong();
    }

    /// No byte follows: a last line without its end counts as whole.
    pub fn close(&mut self) {
        if std::mem::replace(&mut self.closed, true) {
            return;
        }
        let ends = self.lines.as_slice().last().is_none_or(|&byte| byte == b'\n');
        if !ends || self.overlong {
            self.lines.push(b"\n");
        }
    }

    /// Whether more bytes are welcome.
    pub fn has_room(&self) -> bool {
        !self.closed && self.lines.len() < UNREAD_BYTES_MAX
    }

    /// Whether [`Self::next_line`] will yield nothing more, ever.
    pub fn is_done(&self) -> bool {
        self.closed && self.lines.len() == 0
    }

    /// The next line, when it is whole.
    pub fn next_line(&mut self) -> Option<Verbatim> {
        self.lines.rewind();
        let Some(line) = self.lines.advance() else {
            // It may stand first only now.
            self.drop_overlong();
            return None;
        };
        let line = self.lines.take(line.end + 1);
        if std::mem::take(&mut self.overlong) {
            return Some(refused(USAGE, "it is longer than Asterisk takes"));
        }
        Some(self.judge(line))
    }

    fn judge(&self, line: Bytes) -> Verbatim {
        let text = &line[..line.len() - 1];
        if text.len() > self.limits.line_bytes_max {
            return refused(USAGE, "it is longer than Asterisk takes");
        }
        if text.contains(&0) {
            return refused(UNKNOWN, "it holds NUL, which would hide its end from Asterisk");
        }
        let begins = text.trim_ascii_start().get(..b"failure".len());
        if begins.is_some_and(|begins| begins.eq_ignore_ascii_case(b"failure")) {
            return Verbatim::Failure(line);
        }
        let words = Words::split(text);
        if words.count() > WORDS_MAX {
            return refused(USAGE, "it has more than 127 words, which Asterisk does not survive");
        }
        let name = words.command();
        if name == Some("GET DATA")
            && words.count() > 4
            && leading_number(words.get(4)) > GET_DATA_DIGITS_MAX
        {
            return refused(
                USAGE,
                "it asks for more than 1023 digits, which Asterisk does not survive",
            );
        }
        let name = name.unwrap_or("RAW");
        match self.policy.judge(name, &words) {
            Ok(()) => Verbatim::Command { line, name },
            Err(refused) => {
                let why = refused.detail.into();
                Verbatim::Refused { reply: UNKNOWN, why, by_policy: true }
            }
        }
    }

    /// Nothing of a line without end is kept beyond what Asterisk would take.
    fn drop_overlong(&mut self) {
        let all = self.lines.as_slice();
        let begin = all.iter().rposition(|&byte| byte == b'\n').map_or(0, |lf| lf + 1);
        if begin == 0 && all.len() > self.limits.line_bytes_max {
            self.overlong = true;
            self.lines.skip(all.len());
        }
    }
}

fn refused(reply: Bytes, why: &'static str) -> Verbatim {
    Verbatim::Refused { reply, why: Cow::Borrowed(why), by_policy: false }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn reader() -> VerbatimReader {
        VerbatimReader::new(Limits::default(), Arc::default())
    }

    fn all(reader: &mut VerbatimReader) -> Vec<Verbatim> {
        std::iter::from_fn(|| reader.next_line()).collect()
    }

    fn command(line: &'static str, name: &'static str) -> Verbatim {
        Verbatim::Command { line: Bytes::from_static(line.as_bytes()), name }
    }

    #[test]
    fn lines_pass_as_they_are() {
        let mut reader = reader();
        reader.push(b"get  variable \"x\" \nEXEC NoOp\r\n\n'odd \"quo\\ting\nsay date");
        assert_eq!(
            all(&mut reader),
            [
                command("get  variable \"x\" \n", "GET VARIABLE"),
                command("EXEC NoOp\r\n", "EXEC"),
                command("\n", "RAW"),
                command("'odd \"quo\\ting\n", "RAW"),
            ]
        );
        assert!(!reader.is_done());
        reader.close();
        assert_eq!(all(&mut reader), [command("say date\n", "SAY DATE")]);
        assert!(reader.is_done());
    }

    #[test]
    fn the_longest_name_that_fits_is_the_commands() {
        let mut reader = reader();
        reader.push(b"SAY DATETIME 1 \"\"\nget full variable ${X}\nNOOPX\n");
        let names: Vec<_> = all(&mut reader)
            .into_iter()
            .map(|line| match &line {
                Verbatim::Command { name, .. } => *name,
                Verbatim::Refused { .. } | Verbatim::Failure(_) => panic!("{line:?}"),
            })
            .collect();
        assert_eq!(names, ["SAY DATETIME", "GET FULL VARIABLE", "RAW"]);
    }

    #[test]
    fn what_would_harm_asterisk_is_answered_in_its_place() {
        let mut reader = reader();
        reader.push(b"NOOP\0x\n");
        reader.push(format!("NOOP {}\n", "\"\" ".repeat(127)).as_bytes());
        reader.push(b"GET DATA f 1 1024\nNOOP\n");
        let kinds: Vec<_> =
            all(&mut reader).iter().map(|line| matches!(line, Verbatim::Refused { .. })).collect();
        assert_eq!(kinds, [true, true, true, false]);
    }

    #[test]
    fn a_line_without_end_is_refused_once_and_not_kept() {
        let mut reader = reader();
        for _ in 0..1000 {
            reader.push(&[b'x'; 1000]);
            assert!(reader.lines.len() <= 9200 && reader.next_line().is_none());
        }
        reader.push(b"\nNOOP\n");
        reader.push(&[b'x'; 30_000]);
        let lines = all(&mut reader);
        assert!(reader.has_room(), "what stands behind other lines is dropped in its turn");
        assert!(matches!(lines[0], Verbatim::Refused { .. }), "{lines:?}");
        assert_eq!(lines[1..], [command("NOOP\n", "NOOP")]);
    }

    #[test]
    fn a_thousand_digits_fit() {
        let mut reader = reader();
        reader.push(format!("SAY DIGITS {} \"\"\n", "7".repeat(1000)).as_bytes());
        assert!(matches!(reader.next_line(), Some(Verbatim::Command { name: "SAY DIGITS", .. })));
    }

    #[test]
    fn failure_is_known_in_any_case() {
        let mut reader = reader();
        reader.push(b" FAILure now\n");
        assert_eq!(
            reader.next_line(),
            Some(Verbatim::Failure(Bytes::from_static(b" FAILure now\n")))
        );
    }

    proptest! {
        #[test]
        fn no_segmentation_changes_the_lines(
            text in "([a-z \"\\\\\r\0]|\n){0,60}",
            cuts in prop::collection::vec(0..9_usize, 0..12),
        ) {
            let mut whole = reader();
            whole.push(text.as_bytes());
            whole.close();
            let mut pieces = reader();
            let mut rest = text.as_bytes();
            let mut lines = Vec::new();
            for cut in cuts.into_iter().chain([usize::MAX]) {
                let (piece, behind) = rest.split_at(cut.min(rest.len()));
                rest = behind;
                pieces.push(piece);
                lines.extend(all(&mut pieces));
            }
            pieces.close();
            lines.extend(all(&mut pieces));
            prop_assert_eq!(lines, all(&mut whole));
        }
    }
}
