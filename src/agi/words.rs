//! One line for Asterisk, word by word: quoting, and the limits that keep Asterisk whole. Knows no command.

use bytes::Bytes;
use std::fmt;

/// Asterisk's array for the words of a line; one more quoted word is written past its end.
pub(super) const WORDS_MAX: usize = 127;

/// What one line may be at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a line without its LF: 8190, or 2046 for releases before 20.16, 21.11 and 22.6.
    pub line_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { line_bytes_max: 8190 }
    }
}

/// A command that the bridge refuses to write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct InvalidArgument {
    /// The field of the contract and what is wrong with it, as `get_data.max_digits: is above 1023`.
    pub detail: String,
}

impl InvalidArgument {
    /// `field` is named as in the contract, `problem` says what is wrong with it.
    pub fn new(field: &str, problem: impl fmt::Display) -> Self {
        Self { detail: format!("{field}: {problem}") }
    }
}

/// A line that grows by one quoted word at a time.
#[derive(Debug)]
pub(super) struct Line {
    command: &'static str,
    bytes: Vec<u8>,
    /// The longest word's field, for the error when the line is too long.
    longest: (usize, &'static str),
    /// Where one more digit could stand among those that stop the command.
    digits_end: Option<usize>,
}

impl Line {
    /// `command` is one or more plain words.
    pub(super) fn new(command: &'static str) -> Self {
        let mut bytes = Vec::with_capacity(command.len() + 60);
        bytes.extend_from_slice(command.as_bytes());
        Self { command, bytes, longest: (0, "command"), digits_end: None }
    }

    /// The command's words.
    pub(super) fn command(&self) -> &'static str {
        self.command
    }

    /// Adds one word that may be empty. CR, LF and NUL cannot be sent.
    pub(super) fn text(self, field: &'static str, value: &str) -> Result<Self, InvalidArgument> {
        self.pieces(field, &[value.as_bytes()])
    }

    /// As [`Self::text`]; an empty value is refused.
    pub(super) fn required(
        self,
        field: &'static str,
        value: &str,
    ) -> Result<Self, InvalidArgument> {
        if value.is_empty() {
            return Err(InvalidArgument::new(field, "is empty"));
        }
        self.text(field, value)
    }

    /// As [`Self::text`]; an empty value adds no word.
    pub(super) fn optional(
        self,
        field: &'static str,
        value: &str,
    ) -> Result<Self, InvalidArgument> {
        if value.is_empty() { Ok(self) } else { self.text(field, value) }
    }

    /// The word that was added last holds the digits that stop the command.
    pub(super) fn stops(mut self) -> Self {
        self.digits_end = Some(self.bytes.len() - 1);
        self
    }

    /// Where one more digit could stand among those that stop the command.
    pub(super) fn digits_end(&self) -> Option<usize> {
        self.digits_end
    }

    /// Adds one word from pieces.
    pub(super) fn pieces(
        mut self,
        field: &'static str,
        pieces: &[&[u8]],
    ) -> Result<Self, InvalidArgument> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(b" \"");
        for piece in pieces {
            self.escape(field, piece)?;
        }
        self.bytes.push(b'"');
        let length = self.bytes.len() - start;
        if length > self.longest.0 {
            self.longest = (length, field);
        }
        Ok(self)
    }

    /// Adds a number.
    pub(super) fn number(mut self, number: i64) -> Self {
        use std::io::Write;
        write!(self.bytes, " \"{number}\"").expect("writing to memory does not fail");
        self
    }

    /// Adds a word that is known to need no escape.
    pub(super) fn word(mut self, word: &'static str) -> Self {
        self.bytes.extend_from_slice(b" \"");
        self.bytes.extend_from_slice(word.as_bytes());
        self.bytes.push(b'"');
        self
    }

    /// The whole line with its LF, when it is within the limits.
    pub(super) fn finish(mut self, limits: &Limits) -> Result<Bytes, InvalidArgument> {
        let length = self.bytes.len();
        if length > limits.line_bytes_max {
            let limit = limits.line_bytes_max;
            let problem =
                format!("is too long: the line has {length} bytes, Asterisk takes {limit}");
            return Err(InvalidArgument::new(self.longest.1, problem));
        }
        self.bytes.push(b'\n');
        Ok(self.bytes.into())
    }

    fn escape(&mut self, field: &'static str, text: &[u8]) -> Result<(), InvalidArgument> {
        let mut rest = text;
        while let Some(at) = rest.iter().position(|&byte| is_special(byte)) {
            check_byte(field, rest[at])?;
            self.bytes.extend_from_slice(&rest[..at]);
            self.bytes.extend_from_slice(&[b'\\', rest[at]]);
            rest = &rest[at + 1..];
        }
        self.bytes.extend_from_slice(rest);
        Ok(())
    }
}

fn is_special(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | b'\r' | b'\n' | 0)
}

/// Refuses what would end the line or the word early.
pub(super) fn check_byte(field: &str, byte: u8) -> Result<(), InvalidArgument> {
    let name = match byte {
        b'\r' => "CR",
        b'\n' => "LF",
        0 => "NUL",
        _ => return Ok(()),
    };
    Err(InvalidArgument::new(field, format_args!("holds {name}, which cannot be sent over AGI")))
}

/// The tokeniser of Asterisk, written from its description and independent of the encoder.
#[cfg(test)]
pub(super) fn asterisk_words(line: &[u8]) -> Vec<Vec<u8>> {
    let (mut words, mut word) = (Vec::new(), None::<Vec<u8>>);
    let (mut quoted, mut escaped) = (false, false);
    for &byte in line {
        match byte {
            b'"' if !escaped => {
                quoted = !quoted;
                if quoted {
                    word.get_or_insert_default();
                }
            }
            b' ' | b'\t' if !escaped && !quoted => words.extend(word.take()),
            b'\\' if !escaped => {
                escaped = true;
                continue;
            }
            _ => word.get_or_insert_default().push(byte),
        }
        escaped = false;
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line(values: &[&str]) -> Result<Bytes, InvalidArgument> {
        let line =
            values.iter().try_fold(Line::new("NOOP"), |line, value| line.text("f", value))?;
        line.finish(&Limits::default())
    }

    #[test]
    fn the_tokeniser_of_the_tests_is_asterisks() {
        let table: &[(&str, &[&str])] = &[
            (r#""""#, &[""]),
            (r#""a b""#, &["a b"]),
            (r"a\ b", &["a b"]),
            (r#""a\"b" a\"b"#, &["a\"b", "a\"b"]),
            (r#""a\\b" "a\nb""#, &["a\\b", "anb"]),
            (r#"ab"c d"ef "a""b""#, &["abc def", "ab"]),
            ("'a b'", &["'a", "b'"]),
            (r#""unterminated x"#, &["unterminated x"]),
            (r"end\", &["end"]),
            (r"x \", &["x"]),
            ("\t a \t", &["a"]),
        ];
        for (text, expected) in table {
            let words = asterisk_words(text.as_bytes());
            assert_eq!(
                words,
                expected.iter().map(|word| word.as_bytes()).collect::<Vec<_>>(),
                "{text}"
            );
        }
    }

    #[test]
    fn every_word_is_quoted_and_escaped() {
        assert_eq!(
            line(&["", "a b", r#"q"b\"#]).expect("fits"),
            r#"NOOP "" "a b" "q\"b\\""#.to_owned() + "\n"
        );
        assert_eq!(
            Line::new("X").number(-1).word("on").finish(&Limits::default()).expect("fits"),
            "X \"-1\" \"on\"\n"
        );
    }

    #[test]
    fn what_cannot_be_sent_is_refused_with_its_field() {
        for (value, name) in [("a\rb", "CR"), ("\n", "LF"), ("a\0", "NUL")] {
            let error = line(&[value]).expect_err("no such byte");
            assert_eq!(error.detail, format!("f: holds {name}, which cannot be sent over AGI"));
        }
        let error = Line::new("X").required("x.y", "").expect_err("empty");
        assert_eq!(error.to_string(), "x.y: is empty");
    }

    #[test]
    fn a_line_is_as_long_as_asterisk_takes() {
        let overhead = "NOOP \"\"".len();
        let longest = "x".repeat(8190 - overhead);
        assert_eq!(line(&[&longest]).expect("fits").len(), 8191);
        let error = line(&[&format!("{longest}x")]).expect_err("too long");
        assert_eq!(error.detail, "f: is too long: the line has 8191 bytes, Asterisk takes 8190");
        let old = Limits { line_bytes_max: 2046 };
        assert!(Line::new("X").text("f", &longest).expect("plain").finish(&old).is_err());
    }

    proptest! {
        #[test]
        fn every_line_decodes_to_its_words(values in prop::collection::vec("[^\r\n\0]{0,12}", 0..6)) {
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            let line = line(&values).expect("fits");
            let words = asterisk_words(line.strip_suffix(b"\n").expect("an end"));
            let expected: Vec<_> = [&["NOOP"], &values[..]].concat().iter().map(|word| word.as_bytes().to_vec()).collect();
            prop_assert_eq!(words, expected);
            prop_assert_eq!(line.iter().filter(|&&byte| byte == b'\n').count(), 1);
        }
    }
}
